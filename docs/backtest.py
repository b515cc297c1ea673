# %% [markdown]
# # What would have been
#
# The backtest of Tidemark in a notebook: `pip install 'tidemark[notebook,report]' pandas`. River's bundled phishing
# pages stand for a log; with a Kafka topic in `[source]` nothing else changes.

# %%
import json
import tempfile
from pathlib import Path

from river import datasets

from stream.backtest import backtest

folder = Path(tempfile.mkdtemp(prefix="tidemark-"))
with (folder / "events.jsonl").open("w") as log:
    for x, y in datasets.Phishing():
        log.write(json.dumps({**x, "is_phishing": y}) + "\n")
(folder / "tidemark.toml").write_text("""
[model]
name    = "phishing"
task    = "binary"
target  = "is_phishing"
learner = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"

[source]
log = "file:events.jsonl"

[validation]
metrics = ["Accuracy", "F1", "LogLoss"]
window  = 100
""")

# %% [markdown]
# Several learners in one pass over the same events, each event predicted before it is learned. What was found says in
# words which is better, as far as that can be told.

# %%
found = backtest(
    folder / "tidemark.toml",
    learners={"live": "live", "alma": "linear_model.ALMAClassifier()", "bayes": "naive_bayes.GaussianNB()"},
    predictions=True,
)
found

# %% [markdown]
# What was found comes as frames: `leaderboard`, `scores`, `points` (the series) and `predictions`. Each becomes a table
# of pandas or of polars.

# %%
leaderboard = found.leaderboard.to_pandas()
leaderboard

# %%
predictions = found.predictions.to_pandas()
wrong = predictions[predictions["y"] != predictions["y_pred"]].groupby("candidate").size()
wrong

# %%
found.plot()

# %% [markdown]
# A grid makes candidates of one learner; a range is given by offsets, versions (`"v:7"`) or times.

# %%
rates = backtest(folder / "tidemark.toml", grids="optim.SGD.lr=0.001,0.01,0.1", until=1_000)
rates.leaderboard.to_pandas()[["candidate", "Accuracy", "difference", "low", "high"]]

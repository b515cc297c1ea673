"""Recipes that are known to pass the laws (tests/laws/test_recipes.py runs each): a menu, and a pattern for one's own.

Not here: neighbors.SWINN. Seeded it is taken, but asking it draws from its generator, so that a prediction is not pure,
and its list of isolated nodes belongs to the process, not to the model (river/neighbors/ann/nn_vertex.py): LazySearch.
"""

from __future__ import annotations

from learners.recipe import Task

SCALED = "preprocessing.StandardScaler() | "

CATALOGUE: dict[Task, dict[str, str]] = {
    "binary": {
        "logistic regression, SGD": SCALED + "linear_model.LogisticRegression(optimizer=optim.SGD(0.005))",
        "logistic regression, Adam, l2": SCALED
        + "linear_model.LogisticRegression(optimizer=optim.Adam(0.01), l2=0.001)",
        "logistic regression, AdaGrad": SCALED + "linear_model.LogisticRegression(optimizer=optim.AdaGrad(0.1))",
        "logistic regression, FTRL": SCALED + "linear_model.LogisticRegression(optimizer=optim.FTRLProximal())",
        "logistic regression on a union": (
            "(compose.Select('a', 'b') | preprocessing.MinMaxScaler())"
            " + (compose.Select('c') | preprocessing.OneHotEncoder())"
            " | linear_model.LogisticRegression()"
        ),
        "ALMA": SCALED + "linear_model.ALMAClassifier()",
        "passive-aggressive": SCALED + "linear_model.PAClassifier()",
        "perceptron": SCALED + "linear_model.Perceptron()",
        "ADWIN bagging": "ensemble.ADWINBaggingClassifier(linear_model.LogisticRegression(), n_models=3, seed=1)",
        "AdaBoost": "ensemble.AdaBoostClassifier(tree.HoeffdingTreeClassifier(grace_period=50), n_models=3, seed=1)",
    },
    "multiclass": {
        "naive Bayes": "naive_bayes.GaussianNB()",
        "Hoeffding tree": "tree.HoeffdingTreeClassifier(grace_period=50)",
        "Hoeffding adaptive tree": "tree.HoeffdingAdaptiveTreeClassifier(grace_period=50, seed=1)",
        "extremely fast decision tree": "tree.ExtremelyFastDecisionTreeClassifier(grace_period=50)",
        "adaptive random forest": "forest.ARFClassifier(n_models=3, seed=1)",
        "aggregated Mondrian forest": "forest.AMFClassifier(n_estimators=3, seed=1)",
        "random patches": "ensemble.SRPClassifier(n_models=3, seed=1)",
        "softmax regression": SCALED + "linear_model.SoftmaxRegression()",
        "nearest neighbors": SCALED + "neighbors.KNNClassifier(engine=neighbors.LazySearch(window_size=50))",
        "bagging": "ensemble.BaggingClassifier(naive_bayes.GaussianNB(), n_models=3, seed=1)",
        "leveraging bagging": "ensemble.LeveragingBaggingClassifier(naive_bayes.GaussianNB(), n_models=3, seed=1)",
        "retrained on drift": ("drift.DriftRetrainingClassifier(naive_bayes.GaussianNB(), drift.binary.DDM())"),
        "one against the rest": SCALED + "multiclass.OneVsRestClassifier(linear_model.LogisticRegression())",
        "voting": "ensemble.VotingClassifier([naive_bayes.GaussianNB(), tree.HoeffdingTreeClassifier()])",
    },
    "regression": {
        "linear regression, SGD": SCALED + "linear_model.LinearRegression(optimizer=optim.SGD(0.005))",
        "linear regression, Adam, target scaled": (
            SCALED + "preprocessing.TargetStandardScaler(linear_model.LinearRegression(optimizer=optim.Adam(0.01)))"
        ),
        "Bayesian linear regression": "linear_model.BayesianLinearRegression()",
        "passive-aggressive": SCALED + "linear_model.PARegressor()",
        "Hoeffding tree": "tree.HoeffdingTreeRegressor(grace_period=50)",
        "Hoeffding adaptive tree": "tree.HoeffdingAdaptiveTreeRegressor(grace_period=50, seed=1)",
        "adaptive random forest": "forest.ARFRegressor(n_models=3, seed=1)",
        "aggregated Mondrian forest": "forest.AMFRegressor(n_estimators=3, seed=1)",
        "online extra trees": "forest.OXTRegressor(n_models=3, seed=1)",
        "random patches": "ensemble.SRPRegressor(n_models=3, seed=1)",
        "adaptive model rules": "rules.AMRules(n_min=50)",
        "nearest neighbors": SCALED + "neighbors.KNNRegressor(engine=neighbors.LazySearch(window_size=50))",
        "stochastic gradient tree": "tree.SGTRegressor(delta=0.01, grace_period=20)",
        "bagging": SCALED + "ensemble.BaggingRegressor(linear_model.LinearRegression(), n_models=3, seed=1)",
    },
}
"""Recipes by task and name, for features `a`, `b`, `c`, which are numbers."""

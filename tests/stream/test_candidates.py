"""Candidates: each is the model that one would have built by hand, and each mistake is told in words."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from river import compose, ensemble, forest, linear_model, optim, preprocessing, tree

from learners import LearnerError, UnseededRecipe, read_recipe
from learners.identity import identify
from stream.backtest.candidates import CANDIDATES_MAX, Candidate, check, read_candidates
from stream.errors import ConfigError

LIVE = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"
TREE = "tree.HoeffdingTreeClassifier()"


def read(
    *learners: str,
    file: Path | None = None,
    grids: Sequence[str] = (),
    necessity: Sequence[str] | None = None,
    live: str = LIVE,
) -> list[Candidate]:
    return read_candidates(live, learners, file, grids, necessity)


def identities(candidates: list[Candidate]) -> dict[str, str]:
    return {candidate.name: recipe.identity for candidate, recipe in zip(candidates, _checked(candidates), strict=True)}


def _checked(candidates: list[Candidate]) -> list[Any]:
    return check(candidates, "binary", None)


def logistic(rate: Any, **more: Any) -> Any:
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(rate), **more)


def test_without_anything_the_live_learner_is_the_one_candidate() -> None:
    assert read() == [Candidate("live", LIVE)]
    assert pickle.loads(pickle.dumps(read())) == read()


def test_names_are_given_read_or_made() -> None:
    found = read("live", TREE, "slow one = " + LIVE.replace("0.005", "0.0001"), LIVE.replace("0.005", "0.1"))
    assert [each.name for each in found] == [
        "live",
        "HoeffdingTreeClassifier",
        "slow one",
        "StandardScaler | LogisticRegression",
    ]
    again = read(*(LIVE.replace("0.005", rate) for rate in ("0.1", "0.2", "0.3")), "a.b:make")
    first = "StandardScaler | LogisticRegression"
    assert [each.name for each in again] == [first, f"{first} #2", f"{first} #3", "a.b:make"]
    assert read("mine = live") == [Candidate("mine", LIVE)]


def test_a_name_that_was_made_gives_way_to_one_that_was_written() -> None:
    found = read(TREE, "HoeffdingTreeClassifier = live")
    assert [each.name for each in found] == ["HoeffdingTreeClassifier #2", "HoeffdingTreeClassifier"]


def test_a_file_has_one_learner_a_line(tmp_path: Path) -> None:
    file = tmp_path / "candidates.txt"
    file.write_text(f"# what we try\n\n  live\nfast = {LIVE.replace('0.005', '0.5')}\n{TREE}  # deep\n", "utf-8")
    found = read("linear_model.ALMAClassifier()", file=file)
    assert [each.name for each in found] == ["ALMAClassifier", "live", "fast", "HoeffdingTreeClassifier"]
    assert identities(found)["fast"] == identify(logistic(0.5))
    assert identities(found)["HoeffdingTreeClassifier"] == identify(tree.HoeffdingTreeClassifier())


def test_a_grid_is_what_one_would_write_by_hand() -> None:
    found = read(grids=["optim.SGD.lr=0.001,0.01,0.1"])
    assert identities(found) == {f"optim.SGD.lr={rate}": identify(logistic(rate)) for rate in (0.001, 0.01, 0.1)}
    assert all(read_recipe(each.learner, "binary").identity != identify(logistic(0.005)) for each in found)


def test_grids_multiply() -> None:
    found = read(grids=["SGD.lr=0.01,0.1", "LogisticRegression.l2=0.0,1e-3", "StandardScaler.with_std=False"])
    expected = {}
    for rate, l2 in product((0.01, 0.1), (0.0, 0.001)):
        name = f"SGD.lr={rate}, LogisticRegression.l2={l2}, StandardScaler.with_std=False"
        model = linear_model.LogisticRegression(optimizer=optim.SGD(rate), l2=l2)
        expected[name] = identify(preprocessing.StandardScaler(with_std=False) | model)
    assert identities(found) == expected


@pytest.mark.parametrize(
    ("text", "grid", "values", "build"),
    [
        ("linear_model.LogisticRegression(optim.SGD(0.5), optim.losses.Log(3.0))", "losses.Log.weight_pos", (2.0, 4.0),
         lambda v: linear_model.LogisticRegression(optim.SGD(0.5), optim.losses.Log(v))),
        ("linear_model.LogisticRegression(optim.SGD(0.5), optim.losses.Log(3.0))", "losses.Log.weight_neg", (2.0,),
         lambda v: linear_model.LogisticRegression(optim.SGD(0.5), optim.losses.Log(3.0, v))),
        ("linear_model.LogisticRegression(intercept_init=-1.0)", "linear_model.LogisticRegression.intercept_init",
         (-2.5, 0.0, 7),
         lambda v: linear_model.LogisticRegression(intercept_init=v)),
        ("linear_model.LogisticRegression()", "river.linear_model.LogisticRegression.l1", (0.1,),
         lambda v: linear_model.LogisticRegression(l1=v)),
        ("tree.HoeffdingTreeClassifier(50, None, 'gini')", "tree.HoeffdingTreeClassifier.split_criterion",
         ("'info_gain'", "'hellinger'"),
         lambda v: tree.HoeffdingTreeClassifier(50, None, v.strip("'"))),
        ("tree.HoeffdingTreeClassifier(50, 9)", "HoeffdingTreeClassifier.max_depth", (None, 3),
         lambda v: tree.HoeffdingTreeClassifier(50, v)),
        ("forest.ARFClassifier(seed=1)", "forest.ARFClassifier.n_models", (2, 3),
         lambda v: forest.ARFClassifier(v, seed=1)),
        ("forest.ARFClassifier(seed=1)", "forest.ARFClassifier.seed", (7,), lambda v: forest.ARFClassifier(seed=v)),
        ("(preprocessing.StandardScaler() + compose.Select('a', 'b')) | linear_model.LogisticRegression(optim.SGD(.1))",
         "optim.SGD.lr", (0.2,),
         lambda v: (preprocessing.StandardScaler() + compose.Select("a", "b"))
         | linear_model.LogisticRegression(optim.SGD(v))),
    ],
)  # fmt: skip
def test_parameters_wherever_they_stand(text: str, grid: str, values: tuple[Any, ...], build: Any) -> None:
    found = read(text, grids=[f"{grid}={','.join(map(str, values))}"])
    assert list(identities(found).values()) == [identify(build(value)) for value in values]


def test_every_call_of_the_class_is_changed() -> None:
    two = "ensemble.StackingClassifier([linear_model.LogisticRegression(optim.SGD(0.1)), tree.HoeffdingTreeClassifier()"
    two += ", linear_model.LogisticRegression(optim.SGD(lr=0.2))], linear_model.LogisticRegression())"
    (found,) = read(two, grids=["optim.SGD.lr=0.7"])
    expected = ensemble.StackingClassifier(
        [
            linear_model.LogisticRegression(optim.SGD(0.7)),
            tree.HoeffdingTreeClassifier(),
            linear_model.LogisticRegression(optim.SGD(0.7)),
        ],
        linear_model.LogisticRegression(),
    )
    assert identities([found]) == {"optim.SGD.lr=0.7": identify(expected)}


def test_what_a_grid_does_not_fit_stays_as_it_is() -> None:
    found = read("live", TREE, "tests.own:make", grids=["optim.SGD.lr=0.1,0.2", "HoeffdingTreeClassifier.tau=0.1"])
    assert [(each.name, each.learner) for each in found if each.learner != TREE] == [
        ("live, optim.SGD.lr=0.1", LIVE.replace("0.005", "0.1")),
        ("live, optim.SGD.lr=0.2", LIVE.replace("0.005", "0.2")),
        ("HoeffdingTreeClassifier, HoeffdingTreeClassifier.tau=0.1", "tree.HoeffdingTreeClassifier(tau=0.1)"),
        ("tests.own:make", "tests.own:make"),
    ]


def test_values_that_are_text_may_have_commas() -> None:
    found = read("compose.Prefixer('a') | linear_model.LogisticRegression()", grids=["Prefixer.prefix='x,y',\"z\""])
    assert [each.name for each in found] == ["Prefixer.prefix='x,y'", "Prefixer.prefix='z'"]
    assert list(identities(found).values()) == [
        identify(compose.Prefixer(value) | linear_model.LogisticRegression()) for value in ("x,y", "z")
    ]


def test_necessity_leaves_each_feature_out_once() -> None:
    assert read(necessity=["nswprice", "day", "nswprice"]) == [
        Candidate("live", LIVE),
        Candidate("without nswprice", LIVE, ("nswprice",)),
        Candidate("without day", LIVE, ("day",)),
    ]
    assert read(TREE, necessity=["day"])[1].learner == TREE


@pytest.mark.parametrize(
    ("learners", "grids", "expected"),
    [
        (["live", LIVE], [], "each learner once, found one twice: preprocessing.StandardScaler"),
        ([f"a = {TREE}", f"b = {TREE}"], [], "each learner once"),
        ([f"a = {TREE}", "a = live"], [], "each name once, found 'a' twice"),
        ([f"live = {TREE}"], [], "found it as a name"),
        ([" "], [], "expected a learner, found nothing"),
        ([f"{'n' * 61} = {TREE}"], [], "at most 60 characters"),
        ([], ["optim.Adam.lr=0.1"], "a class that a candidate has, found --grid optim.Adam.lr"),
        ([], ["optim.SGD.rate=0.1"], "optim.SGD has no parameter rate"),
        ([], ["lr=0.1"], "expected --grid as CLASS.PARAMETER=VALUE"),
        ([], ["optim.SGD.lr"], "expected --grid as CLASS.PARAMETER=VALUE"),
        ([], ["optim.SGD.lr="], "expected --grid as CLASS.PARAMETER=VALUE"),
        ([], ["optim.SGD.lr=a,b"], "found a,b"),
        ([], ["optim.SGD.lr=0.1,,0.2"], "found 0.1,,0.2"),
        ([], ["optim.SGD.lr=[1]"], r"found \[1\]"),
        ([], ["optim.SGD.lr=1j"], "found 1j"),
        ([], ["optim.SGD.lr=(1),).__class__"], "found"),
        ([], ["optim.SGD.lr=0.1,1e-1"], "each value once"),
        ([], ["optim.SGD.lr=0.1", "optim.SGD.lr=0.2"], "one --grid for optim.SGD.lr"),
        (["river.what("], ["optim.SGD.lr=0.1"], "not river's notation"),
    ],
)
def test_mistakes_are_told(learners: list[str], grids: list[str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as found:
        read(*learners, grids=grids)
    assert found.value.hint


def test_a_grid_that_fits_nothing_says_what_there_is() -> None:
    with pytest.raises(ConfigError) as found:
        read("live", "tests.own:make", grids=["optim.Adam.lr=0.1"])
    assert "preprocessing.StandardScaler: with_std, window_size; " in found.value.hint
    assert "optim.SGD: lr" in found.value.hint


def test_too_many_candidates_are_refused() -> None:
    values = ",".join(map(str, range(40)))
    with pytest.raises(ConfigError, match=f"at most {CANDIDATES_MAX:,} candidates, found 1,600"):
        read(grids=[f"SGD.lr={values}", f"LogisticRegression.l2={values}"])


def test_necessity_wants_one_candidate() -> None:
    with pytest.raises(ConfigError, match="one candidate with --necessity, found 2: live, HoeffdingTreeClassifier"):
        read("live", TREE, necessity=["a"])
    with pytest.raises(ConfigError, match="one candidate with --necessity, found 3"):
        read(grids=["optim.SGD.lr=0.1,0.2,0.3"], necessity=["a"])


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(file=tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("# nothing\n\n", "utf-8")
    with pytest.raises(ConfigError, match="found none in"):
        read(file=tmp_path / "empty.txt")


def test_check_names_the_candidate() -> None:
    with pytest.raises(LearnerError, match=r"candidate 'mine': river has no public class linear_model.Wrong"):
        _checked(read("live", "mine = linear_model.Wrong()"))
    with pytest.raises(UnseededRecipe, match=r"candidate 'ARFClassifier'"):
        _checked(read("forest.ARFClassifier()"))
    with pytest.raises(LearnerError, match=r"candidate 'optim.SGD.lr=True, .*needs a regressor") as found:
        check(read(grids=["optim.SGD.lr=True", "LogisticRegression.l2=0.1"]), "regression", None)
    assert found.value.hint

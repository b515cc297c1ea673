from __future__ import annotations

import pytest
from river import compose, linear_model, optim, preprocessing

from learners.errors import RecipeError
from learners.notation import DEPTH_MAX, TEXT_CHARS_MAX, public_classes, read_notation

HOSTILE = [
    "__import__('os').system('id')",
    "().__class__",
    "().__class__.__bases__[0].__subclasses__()",
    "linear_model.LogisticRegression.__init__.__globals__",
    "linear_model.LogisticRegression().__class__",
    "linear_model.LogisticRegression().learn_one",
    "linear_model.log_reg.base",
    "optim.SGD.__mro__",
    "optim.__loader__.load_module('os')",
    "os.system('id')",
    "open('/etc/passwd')",
    "eval('1')",
    "exec('1')",
    "print(1)",
    "int('1')",
    "str(1)",
    "type('X', (), {})",
    "getattr(optim, 'SGD')",
    "lambda: 1",
    "(lambda x: x)(1)",
    "[x for x in (1, 2)]",
    "{x: x for x in (1,)}",
    "(x for x in (1,))",
    "(x := 1)",
    "await x",
    "yield",
    "f'{1}'",
    "f'{optim.SGD()!r}'",
    "b'bytes'",
    "1j",
    "...",
    "[1, 2][0]",
    "'a' 'b' % ()",
    "2 ** 10 ** 10",
    "'a' * 10 ** 9",
    "'a' * 1000000000",
    "[0] * 1000000000",
    "1 + 1",
    "1 | 2",
    "{1: 2} | {3: 4}",
    "- 'a'",
    "not True",
    "~1",
    "1 if True else 2",
    "1 < 2",
    "True and False",
    "preprocessing.StandardScaler | linear_model.LogisticRegression",
    "preprocessing.StandardScaler() | print",
    "preprocessing.StandardScaler() @ linear_model.LogisticRegression()",
    "compose.FuncTransformer(print)",
    "compose.FuncTransformer(str)",
    "compose.Pipeline(*[preprocessing.StandardScaler()])",
    "optim.SGD(**{'lr': 0.1})",
    "{**{}}",
    "optim.SGD(__class__=1)",
    "optim.SGD(_x=1)",
    "optim.SGD(lr=0.1, lr=0.2)",
    "optim.SGD(no_such=1)",
    "optim.SGD(1, 2, 3)",
    "optim.base.Optimizer()",
    "base.Classifier()",
    "datasets.Phishing()",
    "river.datasets.Elec2()",
    "stream.iter_csv('/etc/passwd')",
    "river.stream.Cache('/')",
    "evaluate.progressive_val_score()",
    "checks.check_estimator()",
    "compat.convert_sklearn_to_river(1)",
    "utils.log_method_calls()",
    "utils.math.sigmoid(1)",
    "utils.random.poisson(1)",
    "compose.learn_during_predict()",
    "drift.datasets.AirlinePassengers()",
    "bandit.envs.CandyCaneContest()",
    "bandit.evaluate()",
    "river.river.optim.SGD",
    "river.__version__",
    "river",
    "optim",
    "optim.",
    "{[]}",
    "{[]: 1}",
    "{optim.SGD}[0]",
    "1)(2",
    "optim.SGD()) | (optim.SGD()",
    ")",
    "(" * 4000 + ")" * 4000,
    "[" * 150 + "]" * 150,
    "-" * 9999 + "1",
    "not " * 2000 + "1",
    "f(" * 180 + ")" * 180,
    "a." * 4000 + "a",
    "a|" * 3000 + "a",
    "preprocessing.StandardScaler() | " * 150 + "linear_model.LinearRegression()",
    "1" * 5000,
    "'" + "a" * TEXT_CHARS_MAX + "'",
    "x" * (TEXT_CHARS_MAX + 1),
    "",
    "   ",
    "\0",
    "optim.SGD(\0)",
    "\ud800",
    "'\ud800",
    "op\u0442im.SGD()",
    "optim.SGD()\nimport os",
    "optim.SGD(); 1",
    "import os",
    "x = 1",
    "# nothing",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:40]))
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(RecipeError) as raised:
        read_notation(text)
        # a reference to a public class is notation, but no model: read_recipe refuses it
    assert raised.value.hint
    assert raised.value.exit_code == 2
    str(raised.value).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("+2", 2),
        ("None", None),
        ("True", True),
        ("'a'", "a"),
        ("(1, -2)", (1, -2)),
        ("[1, [2]]", [1, [2]]),
        ("{1, 2}", {1, 2}),
        ("{'a': [1], 2: None}", {"a": [1], 2: None}),
        ("str", str),
        ("stats.Mean", public_classes()["stats.Mean"]),
        (" optim.SGD ", optim.SGD),
    ],
)
def test_literals_and_references(text: str, expected: object) -> None:
    assert read_notation(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "river.optim.losses.Log()",
        "optim.initializers.Zeros()",
        "optim.schedulers.InverseScaling(0.01)",
        "drift.binary.DDM()",
        "tree.splitter.GaussianSplitter()",
        "utils.Rolling(stats.Mean, window_size=3)",
        "compose.Select('a', 'b') + compose.Select('c')",
        "compose.Select('a') * compose.Select('b')",
        "preprocessing.StatImputer(('a', stats.Mean()))",
        "feature_extraction.Agg(on='a', by='b', how=stats.Mean())",
        "compose.Pipeline(('scale', preprocessing.StandardScaler()), ('learn', linear_model.LinearRegression()))",
        "compose.SelectType(str) | preprocessing.OneHotEncoder()",
        "preprocessing.StandardScaler() * 'by'",
    ],
)
def test_notation_of_river_is_read(text: str) -> None:
    assert read_notation(text) is not None


def test_equals_what_python_builds() -> None:
    read = read_notation(
        "(compose.Select('a') + (compose.Select('b') | preprocessing.OneHotEncoder()))"
        " | preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.Adam(lr=0.02), l2=1e-3)"
    )
    select = compose.Select("a") + (compose.Select("b") | preprocessing.OneHotEncoder())
    built = select | preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.Adam(lr=0.02), l2=1e-3)
    assert repr(read) == repr(built)


def test_suggests_names() -> None:
    with pytest.raises(RecipeError, match="no public class StandardScaler") as raised:
        read_notation("StandardScaler()")
    assert "preprocessing.StandardScaler" in raised.value.hint
    with pytest.raises(RecipeError) as raised:
        read_notation("linear_model.LogisticRegresion()")
    assert "linear_model.LogisticRegression" in raised.value.hint


def test_depth_is_bounded_by_a_number_not_by_the_stack() -> None:
    nested = "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)
    with pytest.raises(RecipeError, match="nested at most"):
        read_notation(nested)


def test_only_classes_of_river_are_public() -> None:
    classes = public_classes()
    assert len(classes) > 250
    assert all(isinstance(cls, type) and cls.__module__.startswith("river.") for cls in classes.values())
    assert not [name for name in classes if "datasets" in name or "stream." in name or "base" in name.split(".")]

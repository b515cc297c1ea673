"""Kernels are compiled in a process of their own, kept whole or not at all, and do no harm where that fails."""

from __future__ import annotations

import itertools
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import learners.compiled
from learners.compiled.elf import Code, NotUnderstood
from learners.compiled.jit import INNER, KERNELS
from learners.compiled.library import Library
from learners.table import Column, Table
from tests.learners.test_running import LAYOUT, LOGISTIC, events, made, told

HEAD = "import math\nimport numpy as np\nfrom learners.compiled.jit import inner, kernel\n"
GOOD = """
@inner
def power(x, y):
    return x ** y + math.exp(y)

@kernel("float64(float64[:, ::1], float64)")
def total(xs, y):
    sum = 0.0
    for i in range(xs.shape[0]):
        for j in range(xs.shape[1]):
            sum += power(xs[i, j], y)
            xs[i, j] = i
    return sum

@kernel("Tuple((int64, float64))(boolean[::1], int64[::1])")
def counts(flags, numbers):
    n, m = 0, 0.5
    for j in range(len(flags)):
        n += flags[j]
        m += numbers[j]
    return n, m

@kernel("void(float64[::1])")
def fill(xs):
    for j in range(len(xs)):
        xs[j] = j / 0.0 if j else 7.0
"""
REFUSED = {
    "raising": ("float64(int64)", "if x > 3:\n        raise ValueError\n    return 1.0", "may raise an exception"),
    "outside": ("float64(float64)", "return math.gamma(x)", "calls numba_gamma, which code without numba cannot"),
    "an array": ("float64(float64)", "return np.sort(np.ones(3))[0] + x", "cannot be compiled: "),
    "a mistake": ("float64(float64)", "return unknown(x)", "it cannot be compiled: "),
    "a crash": ("float64(float64[::1])", "return x[1 << 40]", "its compiler ended with code -"),
}
NUMBERS = itertools.count()

Making = Callable[[str], Library]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a library of a module of this text; its code is kept below the test's folder."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    before = len(INNER), len(KERNELS), len(learners.compiled.LIBRARIES)

    def making(text: str) -> Library:
        name = f"kernels_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(HEAD + text, encoding="utf-8")
        return Library("tried", name)

    yield making
    for each, length in zip((INNER, KERNELS, learners.compiled.LIBRARIES), before, strict=True):
        del each[length:]


def check(library: Library) -> None:
    """Run GOOD, and compare with Python."""
    total, counts, fill = library.kernels()
    xs = np.random.default_rng(1).uniform(0.1, 9.0, (3, 5))
    expected = 0.0
    for x in xs.ravel().tolist():
        expected += x**0.7 + math.exp(0.7)
    assert total(xs, 0.7) == expected
    assert xs.tolist() == [[float(i)] * 5 for i in range(3)]
    found = counts(np.array([True, False, True]), np.array([1, 2, 3]))
    assert (repr(found), fill(xs[1])) == ("(2, 6.5)", None)
    read = pickle.loads(pickle.dumps((np.array([True, False, True]), np.array([1, 2, 3])), protocol=5))
    assert repr(counts(*read)) == "(2, 6.5)"  # what comes from another process has a dtype of its own
    assert xs[1].tolist() == [7.0, *[math.inf] * 4]
    for wrong in (xs.T, xs[:, 1:], xs[0], xs.astype(np.float32)):
        with pytest.raises(TypeError, match="expected float64 in 2 dimensions, contiguous, for"):
            total(wrong, 0.7)


def test_kernels_are_compiled_beside_us_and_kept(make: Making, tmp_path: Path) -> None:
    library = make(GOOD)
    assert library.hindrance() is None
    assert not library.ready()  # it does not wait
    assert library.why is None
    assert library.ready(300)
    check(library)
    again = Library("tried", *library.modules)
    assert again.ready()
    assert again._compiler is None
    check(again)
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".kernels", ".lock"}


def test_what_is_not_understood_is_left_to_llvm(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make(GOOD)
    assert library.ready(300)
    kept = library.shelf.find()
    assert kept is not None
    for place, byte in ((0, 0), (4, 1), (16, 3), (18, 183)):  # no ELF, 32 bits, not relocatable, another processor
        odd = kept.objects[0][:place] + bytes([byte]) + kept.objects[0][place + 1 :]
        with pytest.raises(NotUnderstood):
            Code((odd,), lambda _: 0)

    def nothing(objects: Any, outside: Any) -> None:
        raise NotUnderstood

    monkeypatch.setattr("learners.compiled.library.Code", nothing)
    again = Library("tried", *library.modules)
    assert again.ready()
    check(again)


def test_code_that_is_not_whole_or_of_another_source_is_compiled_anew(make: Making, tmp_path: Path) -> None:
    library = make(GOOD)
    assert library.ready(300)
    (path,) = (tmp_path / "cache").glob("*.kernels")
    whole = path.read_bytes()
    for broken in (b"", whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b"x" + whole):
        path.write_bytes(broken)
        assert library.shelf.find() is None
    again = Library("tried", *library.modules)
    assert not again.ready()
    assert again.ready(300)
    check(again)
    assert path.read_bytes() == whole
    source = tmp_path / f"{library.modules[0]}.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert library.shelf.find() is None


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(
    make: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(nowhere / "below"))
    library = make(GOOD)
    assert library.ready(300)
    check(library)
    assert library.shelf.find() is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_without_numba_is_refused_with_words(name: str, make: Making) -> None:
    signature, body, words = REFUSED[name]
    library = make(f'@kernel("{signature}")\ndef odd(x):\n    {body}\n')
    assert not library.ready(300)
    assert words in str(library.why)
    again = Library("tried", *library.modules)  # another process: it does not try at once again
    if "code -" not in words:
        assert again.hindrance() == library.why
        assert not again.ready()
        assert again._compiler is None


def test_without_numba_what_is_on_disk_runs(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make(GOOD)
    assert library.ready(300)
    monkeypatch.setattr("learners.compiled.library.find_spec", lambda name: None if name == "numba" else name)
    monkeypatch.setattr("learners.compiled.kept._version", lambda name: "" if name == "numba" else "0.50.0")
    other = make(GOOD)
    assert not other.ready(300)
    assert other.why == other.hindrance() == "numba is not installed"


def test_the_engine_takes_over_in_the_middle(
    compiled_code: None, make: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library("linear", "learners.compiled.linear_kernel", "learners.compiled.powers")
    monkeypatch.setattr("learners.compiled.LIBRARY", library)
    xs, ys = events(3, 3000, "binary", 0.1)
    ways, by = [made(LOGISTIC, "binary") for _ in range(2)], []
    for start in range(0, len(xs), 250):
        stop = start + 250
        ways[0].test_then_train(xs[start:stop], ys[start:stop])
        ways[1].test_then_train(Table.of(LAYOUT, xs[start:stop]), Column(np.array(ys[start:stop])))
        by.append(ways[1]._running._loaded)
        if start == 2250:  # river has had the first 2,000 events, and some while it was being compiled
            assert library.ready(300)
    assert by == [False] * 10 + [True] * 2
    assert told(ways[0].seal()) == told(ways[1].seal())


def test_why_it_is_not_compiled_is_told_once_that_is_known(
    compiled_code: None, make: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = make("@kernel('int64(int64)')\ndef odd(x):\n    assert x\n    return x\n")
    monkeypatch.setattr("learners.compiled.LIBRARY", library)
    xs, ys = events(3, 600, "binary", 0.1)
    ways = [made(LOGISTIC, "binary") for _ in range(2)]
    for start in (0, 200, 400):
        rows, labels = xs[start : start + 200], ys[start : start + 200]
        ways[0].test_then_train(rows, labels)
        ways[1].test_then_train(Table.of(LAYOUT, rows), Column(np.array(labels)))
        assert (ways[1].why_river is None) == (start == 0)
        assert not library.ready(300)
    assert "may raise an exception" in str(ways[1].why_river)
    assert told(ways[0].seal()) == told(ways[1].seal())


def test_an_interpreter_that_cannot_be_started_is_told(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    library = make(GOOD)
    assert not library.ready(300)
    assert str(library.why).startswith("its compiler cannot be started: ")


def test_a_trainer_that_runs_compiled_never_imports_numba(compiled_code: None) -> None:
    """Neither for the model nor for its scores; and code from disk runs from the first batch after the wait on."""
    code = """
import platform
import sys
import numpy as np
from learners import Learner, bulk, read_recipe
from learners.running import WAIT
from learners.table import Column, Layout, Table
names, rng = ("a", "b"), np.random.default_rng(1)
recipe = read_recipe("preprocessing.StandardScaler() | linear_model.LogisticRegression()", "binary")
learner = Learner.new(recipe, features=names, metrics=["Accuracy", "LogLoss"], window=50)
for batch in range(3):
    learner.test_then_train(Table(Layout(names, names), rng.normal(size=(WAIT, 2)), {}), Column(rng.random(WAIT) < 0.5))
    assert learner._running._loaded == (batch > 0)
assert bulk.LIBRARY.loaded
assert "numba" not in sys.modules
if sys.platform == "linux" and platform.machine() == "x86_64":
    assert "llvmlite" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_numba_that_does_not_work_is_told(make: Making, tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('numpy is too new')", encoding="utf-8")
    library = make(GOOD)
    assert not library.ready(300)
    assert library.why == "numba does not work here: numpy is too new"
    again = Library("tried", *library.modules)
    assert again.hindrance() == library.why

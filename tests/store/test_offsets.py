"""Sets of offsets, against Python's own sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from store.offsets import Offsets

STRETCHES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 1), st.integers(0, 30), st.integers(0, 30)), max_size=12
)


def plain(stretches: list[tuple[str, int, int, int]]) -> set[tuple[str, int, int]]:
    return {(topic, partition, at) for topic, partition, start, stop in stretches for at in range(start, stop)}


@given(one=STRETCHES, other=STRETCHES)
def test_they_are_sets(one: list[tuple[str, int, int, int]], other: list[tuple[str, int, int, int]]) -> None:
    a, b = Offsets.of(one), Offsets.of(other)
    for found, expected in [
        (a, plain(one)),
        (a | b, plain(one) | plain(other)),
        (a & b, plain(one) & plain(other)),
        (a - b, plain(one) - plain(other)),
    ]:
        stretches = list(found)
        assert plain(stretches) == expected
        assert len(found) == len(expected)
        assert bool(found) is bool(expected)
        assert found == Offsets.of((topic, partition, at, at + 1) for topic, partition, at in expected)
        assert stretches == sorted(stretches)
    for partition in (0, 1):
        for at in range(31):
            assert a.has("a", partition, at) is (("a", partition, at) in plain(one))
        for start in range(0, 31, 7):
            inside = {at for first, stop in a.within("a", partition, start, start + 9) for at in range(first, stop)}
            assert inside == {at for t, p, at in plain(one) if (t, p) == ("a", partition) and start <= at < start + 9}

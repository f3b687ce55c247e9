"""If the range arithmetic were wrong, an edge would forget what nobody stored."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.domain.numbers import Stored


@given(st.lists(st.integers(1, 60), max_size=80))
def test_equals_a_plain_set_in_any_order(numbers: list[int]) -> None:
    """However numbers arrive, twice or out of order, covers() is membership of the set."""
    stored = Stored()
    for seq in numbers:
        stored = stored.add(seq)
    have = set(numbers)
    assert all(stored.covers(seq) == (seq in have) for seq in range(1, 70))
    missing = {seq for low, high in stored.missing(65) for seq in range(low, high + 1)}
    assert missing == set(range(1, 66)) - have


@given(st.lists(st.integers(1, 60), max_size=80))
def test_ranges_are_sorted_disjoint_and_never_touch(numbers: list[int]) -> None:
    """A receipt is as short as it can be."""
    stored = Stored()
    for seq in numbers:
        stored = stored.add(seq)
    edge = stored.through
    for low, high in stored.ranges:
        assert low <= high
        assert low > edge + 1
        edge = high

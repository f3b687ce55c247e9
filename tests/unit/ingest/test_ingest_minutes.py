"""Which minutes are looked at together."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from monitor.ingest.minutes import AT_ONCE, MINUTE, in_pieces

FIRST = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [1, 359, 360, 361, 10_081])
def test_pieces_leave_no_minute_out_and_take_none_twice(minutes: int) -> None:
    """Each begins where the last one ended, none is longer than the limit."""
    last = FIRST + (minutes - 1) * MINUTE
    pieces = list(in_pieces(FIRST, last))
    assert (pieces[0][0], pieces[-1][1]) == (FIRST, last)
    assert all(after[0] == before[1] + MINUTE for before, after in itertools.pairwise(pieces))
    assert all(timedelta(0) <= end - begin < AT_ONCE for begin, end in pieces)

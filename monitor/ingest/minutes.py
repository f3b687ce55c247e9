"""Decides which minutes the centre must look at for missing watch records, and what it writes for them. Pure.

A minute without a record is written as unwatched; a record that comes late replaces what was written.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
#: how far back a centre looks that was away itself
LOOKBACK = timedelta(days=7)
#: looked at in one transaction, so that many cameras stay far below the limit of a statement
AT_ONCE = timedelta(hours=6)
#: state under which the ledger counts such a minute; no camera reports it
NO_RECORD = "no_record"


def due_minutes(
    filled_through: datetime | None, now: datetime, grace_s: float
) -> tuple[datetime, datetime] | None:
    """First and last minute whose record is overdue and that were not looked at yet; None if there are none.

    `filled_through` is the last minute of the previous call. A minute is overdue `grace_s` after its end.
    """
    overdue = now - timedelta(seconds=grace_s) - MINUTE
    last = overdue.replace(second=0, microsecond=0)
    first = last - LOOKBACK if filled_through is None else filled_through + MINUTE
    return (first, last) if first <= last else None


def in_pieces(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """First and last minutes of the pieces, oldest first."""
    while first <= last:
        end = min(last, first + AT_ONCE - MINUTE)
        yield first, end
        first = end + MINUTE

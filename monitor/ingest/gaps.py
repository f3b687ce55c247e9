"""Decides which holes in an edge's numbers are reported, and when. Pure.

A hole is late mail until it has stood for a limit; then it is reported once, whatever becomes of its
pieces. When no reported hole of a source is left, that is reported too.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.domain.numbers import Range


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A hole that stands: numbers from_seq..to_seq (closed) are missing since first_seen_at."""

    from_seq: int
    to_seq: int
    first_seen_at: datetime
    reported_at: datetime | None = None


class GapDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The holes to remember, and what to report: None is nothing, () is that all are filled."""

    gaps: tuple[Gap, ...]
    report: tuple[Range, ...] | None


def decide(missing: Sequence[Range], known: Sequence[Gap], now: datetime, limit_s: float) -> GapDecision:
    """From what is missing now and what was known before. Pieces keep the age of the hole they come from."""
    limit = timedelta(seconds=limit_s)
    standing = [piece for hole in missing for piece in _inherit(hole, known, now)]
    due = [gap for gap in standing if gap.reported_at is None and now - gap.first_seen_at >= limit]
    gaps = tuple(msgspec.structs.replace(gap, reported_at=now) if gap in due else gap for gap in standing)
    reported = tuple((gap.from_seq, gap.to_seq) for gap in gaps if gap.reported_at is not None)
    if due or (not reported and any(gap.reported_at is not None for gap in known)):
        return GapDecision(gaps=gaps, report=_joined(reported))
    return GapDecision(gaps=gaps, report=None)


def _inherit(hole: Range, known: Sequence[Gap], now: datetime) -> Iterable[Gap]:
    """The hole cut along the known gaps, so that each piece keeps its own age."""
    at, last = hole
    for gap in sorted(known, key=lambda gap: gap.from_seq):
        low, high = max(gap.from_seq, at), min(gap.to_seq, last)
        if low > high:
            continue
        if at < low:
            yield Gap(from_seq=at, to_seq=low - 1, first_seen_at=now)
        yield msgspec.structs.replace(gap, from_seq=low, to_seq=high)
        at = high + 1
    if at <= last:
        yield Gap(from_seq=at, to_seq=last, first_seen_at=now)


def _joined(ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Neighbouring ranges as one, for people."""
    joined: list[Range] = []
    for low, high in ranges:
        if joined and joined[-1][1] == low - 1:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return tuple(joined)

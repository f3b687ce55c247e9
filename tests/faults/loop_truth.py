"""Whether a seed of the loop's fault run went right, from what the database and the receiver have. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

#: what is due may be done so much later, in seconds
LATE_S: Final = 2.0

Interval = tuple[float, float]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong; all empty if nothing is."""

    #: committed, and not with the receiver 60 s after all was mended
    undelivered: tuple[str, ...] = ()
    #: one command under two keys: an alert, a dispatch or a message made twice
    twice_without_key: tuple[str, ...] = ()
    #: done more than LATE_S after it was due while both workers were ready all the time
    late: tuple[str, ...] = ()
    #: work that nobody did, episodes that no alert holds, histories that the log does not give
    other: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Nothing is wrong."""
        return not (self.undelivered or self.twice_without_key or self.late or self.other)


def twice(
    messages: Iterable[dict[str, Any]], alerts: Iterable[dict[str, Any]], moves: Iterable[dict[str, Any]]
) -> tuple[str, ...]:
    """Commands that went out under two keys, places with two running alerts, dispatches told of twice."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for message in messages:
        # each change has its own; a chain's are told several times, under the key of their place in it, and bundled
        if message["what"] not in ("update", "escalation", "escalations"):
            keys[message["dispatch_id"], message["what"]].add(message["idempotency_key"])
    found = [
        f"{what} of {dispatch}: {sorted(several)}"
        for (dispatch, what), several in keys.items()
        if len(several) > 1
    ]
    running: dict[Any, int] = defaultdict(int)
    for alert in alerts:
        if alert["closed_at"] is None and alert["kind"] == "violation":
            running[alert["chainage_m"]] += 1
    found += [f"{count} running alerts at {place} m" for place, count in running.items() if count > 1]
    before: dict[Any, str] = {}
    for move in moves:
        if move["step"] == "dispatch" and before.get(move["alert_id"]) == "dispatched":
            found.append(f"alert {move['alert_id']} was dispatched while it was")
        before[move["alert_id"]] = move["to_state"]
    return tuple(found)


def late(
    timers: Iterable[tuple[str, float, float | None]], ready: Sequence[Interval], end_s: float
) -> tuple[str, ...]:
    """Timers (what, due, done) that stayed undone for too long within one of the intervals in which both were ready."""
    found = []
    for what, due_s, done_s in timers:
        until_s = end_s if done_s is None else done_s
        waited_s = max((min(until_s, to_s) - max(due_s, from_s) for from_s, to_s in ready), default=0.0)
        if waited_s > LATE_S:
            found.append(f"{what}, due for {waited_s:.1f} s")
    return tuple(found)


def both_ready(
    one: Sequence[Interval], other: Sequence[Interval], disturbed: Sequence[Interval]
) -> tuple[Interval, ...]:
    """When both were ready and nothing else was wrong."""
    both = [
        (max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other if max(a[0], b[0]) < min(a[1], b[1])
    ]
    for from_s, to_s in disturbed:
        cut = []
        for begin_s, end_s in both:
            if to_s <= begin_s or end_s <= from_s:
                cut.append((begin_s, end_s))
                continue
            if begin_s < from_s:
                cut.append((begin_s, from_s))
            if to_s < end_s:
                cut.append((to_s, end_s))
        both = cut
    return tuple(sorted(both))

"""Floods: more alerts than a person can look at one by one. The list is grouped then, and loses nothing. Pure.

Begins with more than ten alerts within ten minutes for each operator position, and ends with fewer than five: by
ISA-18.2 and EEMUA 191 (benchmarks), so that the display does not jump to and fro.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from alerts.calm.running import Tally, what_of
from alerts.lifecycle import AlertKind
from alerts.postgres_rows import QUERIES
from alerts.values import Alert
from monitor.domain.calm import Calm
from monitor.domain.levels import Level

#: what came earlier than this cannot matter any more: a flood without alerts ends within its window
LOOK_BACK = timedelta(hours=12)


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is a flood now, since when, and how many came within the window."""

    on: bool
    since: datetime | None
    recent: int
    #: more than this begin one
    above: int


def flood(opened: Iterable[datetime], calm: Calm, now: datetime) -> Flood:
    """The state now, by what was opened: the same for every reader and after every restart."""
    window = timedelta(seconds=calm.flood_within_s)
    above, below = calm.flood_above * calm.positions, calm.flood_below * calm.positions
    recent: deque[datetime] = deque()
    since: datetime | None = None

    def pass_to(at: datetime) -> None:
        """What leaves the window on the way to that moment, one by one, may end the flood."""
        nonlocal since
        while recent and recent[0] <= at - window:
            recent.popleft()
            if since is not None and len(recent) < below:
                since = None

    for at in sorted(t for t in opened if t <= now):
        pass_to(at)
        recent.append(at)
        if since is None and len(recent) > above:
            since = at
    pass_to(now)
    return Flood(on=since is not None, since=since, recent=len(recent), above=above)


def flood_now(conn: psycopg.Connection[Any], calm: Calm, now: datetime) -> Flood:
    """The same from the database."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(QUERIES["rang_lately"], {"since": now - LOOK_BACK})
        return flood((row["at"] for row in rows), calm, now)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Running alerts of one site and kind."""

    site_id: str | None
    #: code of the catalogue, or what is wrong
    what: str
    is_health: bool
    worst: Level
    oldest_at: datetime
    newest_at: datetime
    #: how many there are
    n: int
    #: nobody has acknowledged these
    unacknowledged: int
    #: those at hand, worst first, oldest first within a level; may be fewer than `n`
    alerts: tuple[Alert, ...] = ()


def grouped(counted: Sequence[Tally], alerts: Sequence[Alert] = ()) -> tuple[Group, ...]:
    """All that was counted, by site and kind; the worst group first, then the one that waits longest."""
    tallied: dict[tuple[str | None, str, bool], list[Tally]] = {}
    for one in counted:
        tallied.setdefault((one.site_id, one.what, one.kind is AlertKind.HEALTH), []).append(one)
    shown: dict[tuple[str | None, str, bool], list[Alert]] = {}
    for alert in alerts:
        key = (alert.site_id, what_of(alert), alert.kind is AlertKind.HEALTH)
        shown.setdefault(key, []).append(alert)
    groups = [
        Group(
            site_id=key[0], what=key[1], is_health=key[2], worst=min((one.level for one in mine), key=lambda v: v.rank),
            oldest_at=min(one.oldest_at for one in mine), newest_at=max(one.newest_at for one in mine),
            n=sum(one.n for one in mine), unacknowledged=sum(one.unacknowledged for one in mine),
            alerts=tuple(sorted(shown.get(key, ()), key=lambda a: (a.level.rank, a.opened_at, a.number))),
        )
        for key, mine in tallied.items()
    ]  # fmt: skip
    return tuple(sorted(groups, key=lambda g: (g.worst.rank, g.oldest_at, g.site_id or "", g.what)))

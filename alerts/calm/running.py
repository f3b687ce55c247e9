"""How many alerts run, whatever a list shows of them: by place, kind, level and state. Pure but for one statement.

A list ends somewhere; a count must not. Every number that a page says of what runs comes from here, so that it is the
same whether a reader looks at ten alerts or at ten thousand.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Self

import msgspec
import psycopg
from psycopg.rows import dict_row

from alerts.lifecycle import AlertKind, State
from alerts.postgres_rows import QUERIES, value
from alerts.values import Alert
from monitor.domain.levels import Level


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many running alerts are alike in all that a list is grouped or chosen by."""

    site_id: str | None
    #: code of the catalogue, or what is wrong
    what: str
    kind: AlertKind
    level: Level
    state: State
    held: bool
    n: int
    #: nobody has acknowledged these
    unacknowledged: int
    oldest_at: datetime
    newest_at: datetime


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the running alerts a reader asked for; without a word: all."""

    level: Level | None = None
    state: State | None = None
    #: the empty text: those without a site
    site_id: str | None = None
    what: str | None = None

    @property
    def all(self) -> bool:
        """Whether nothing is left out."""
        return self == Chosen()

    def takes(self, one: Tally | Alert) -> bool:
        """Whether it is one of these."""
        return (
            self.level in (None, one.level)
            and self.state in (None, one.state)
            and self.site_id in (None, one.site_id or "")
            and self.what in (None, one.what if isinstance(one, Tally) else what_of(one))
        )

    def but(self, **fields: Any) -> Self:
        """The same with these fields."""
        return msgspec.structs.replace(self, **fields)


#: nothing is left out
EVERY: Final = Chosen()


def what_of(alert: Alert) -> str:
    """What it is grouped by beside its place."""
    return alert.violation or alert.health or ""


def tallies(alerts: Iterable[Alert]) -> tuple[Tally, ...]:
    """The running ones among these, counted: what the statement says of all in the database."""
    found: dict[Any, list[Alert]] = {}
    for alert in alerts:
        if alert.closed_at is None:
            key = (
                alert.site_id,
                what_of(alert),
                alert.kind,
                alert.level,
                alert.state,
                alert.held_by is not None,
            )
            found.setdefault(key, []).append(alert)
    return tuple(
        Tally(
            site_id=site_id, what=what, kind=kind, level=level, state=state, held=held, n=len(mine),
            unacknowledged=sum(a.acknowledged_at is None for a in mine),
            oldest_at=min(a.opened_at for a in mine), newest_at=max(a.opened_at for a in mine),
        )
        for (site_id, what, kind, level, state, held), mine in found.items()
    )  # fmt: skip


def running_now(conn: psycopg.Connection[Any]) -> tuple[Tally, ...]:
    """The same of all in the database."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return tuple(value(row, Tally) for row in cursor.execute(QUERIES["running_tallies"], {}))


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over tallies; what has none is missing."""

    all: int = 0
    #: suspected violations that are open: nobody was sent, and nobody decided yet
    awaiting: int = 0
    by_level: dict[Level, int] = {}
    by_state: dict[State, int] = {}
    #: the empty text: those without a site
    by_site: dict[str, int] = {}


def totals(found: Sequence[Tally]) -> Totals:
    """Their sums: levels from the worst on, states in the order of the case, the fullest site first."""
    sites: dict[str, int] = {}
    for one in found:
        sites[one.site_id or ""] = sites.get(one.site_id or "", 0) + one.n
    levels = {level: sum(one.n for one in found if one.level is level) for level in Level}
    states = {state: sum(one.n for one in found if one.state is state) for state in State}
    return Totals(
        all=sum(one.n for one in found),
        awaiting=sum(one.n for one in found if one.state is State.OPEN and one.kind is AlertKind.VIOLATION),
        by_level={level: n for level, n in levels.items() if n},
        by_state={state: n for state, n in states.items() if n},
        by_site=dict(sorted(sites.items(), key=lambda item: (-item[1], item[0]))),
    )

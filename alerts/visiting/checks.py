"""Which item of a checklist may be answered how, and what is still open. Pure; the items are monitor.domain.checklists'.

Answers are a history: the newest of an item counts, and taking one back is an answer too. A phone that was offline
says when its person ticked; that time is kept beside the centre's own, and only as far as it can be true.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from alerts.errors import AlertsError
from alerts.feedback.causes import Outcome
from alerts.lifecycle import AlertKind, State
from alerts.values import Actor, Alert, Dispatch
from monitor.domain.assets import City
from monitor.domain.checklists import Item, checklist
from monitor.domain.roles import Role

#: further away nobody stands who measures a distance to this pipeline
MOST_M: Final = 5000.0
#: where the officer stands while the list is asked
_ON_SITE: Final = frozenset({State.ON_SITE, State.EVIDENCE_COLLECTED})
#: outcomes that need no list: there was nothing to check, or no way to it
_WITHOUT_LIST: Final = frozenset({Outcome.FALSE_ALARM, Outcome.DUPLICATE, Outcome.NO_ACCESS})


class Answer(StrEnum):
    """What was said of an item."""

    DONE = "done"
    NOT_POSSIBLE = "not_possible"
    #: taken back
    OPEN = "open"


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to one item."""

    alert_id: str
    item: str
    answer: Answer
    #: of a measured item
    value_m: float | None = None
    note: str = ""
    who: str
    role: Role
    #: the centre's clock
    at: datetime
    #: when the person did it, by the phone's clock; the centre's where that can't be
    done_at: datetime
    lon: float | None = None
    lat: float | None = None
    idempotency_key: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An item and how it stands."""

    item: Item
    #: the newest answer, if it was not taken back
    tick: Tick | None = None


class CheckRefused(AlertsError):
    """An answer is refused; `key` names the sentence for people (visiting.texts.PROBLEMS)."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(f"{key}: {facts}" if facts else key)
        self.key, self.facts = key, facts


class TickAsk(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as a phone sends it."""

    item: str
    answer: Answer
    actor: Actor
    value_m: float | None = None
    note: str = ""
    done_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    idempotency_key: str | None = None


def items_of(alert: Alert, city: City) -> tuple[Item, ...]:
    """The alert's checklist; none for what is no violation."""
    if alert.kind is not AlertKind.VIOLATION:
        return ()
    may_lie_within = any(reason.key == "may_lie_within" for reason in alert.reasons)
    return checklist(
        alert.violation,
        may_lie_within=may_lie_within,
        site_checks=city.site_checks.get(alert.site_id or "", ()),
    )


def on_tick(
    ask: TickAsk, alert: Alert, items: Collection[Item], running: Dispatch | None, now: datetime
) -> Tick:
    """The answer as it is kept, or CheckRefused: it is the officer's who is there, and of an item of the list."""
    if running is None or running.officer != ask.actor.user:
        raise CheckRefused("check_not_yours")
    if alert.state not in _ON_SITE:
        raise CheckRefused("check_not_there", state=alert.state)
    item = next((one for one in items if one.key == ask.item), None)
    if item is None:
        raise CheckRefused("check_unknown", item=ask.item)
    if ask.answer is Answer.NOT_POSSIBLE and not ask.note.strip():
        raise CheckRefused("check_needs_note")
    measured = item.measured and ask.answer is Answer.DONE
    if measured and (ask.value_m is None or not 0.0 <= ask.value_m <= MOST_M):
        raise CheckRefused("check_needs_metres", most=f"{MOST_M:.0f}")
    at = ask.done_at
    believable = at is not None and running.dispatched_at <= at <= now
    return Tick(
        alert_id=alert.alert_id, item=item.key, answer=ask.answer, value_m=ask.value_m if measured else None,
        note=ask.note.strip(), who=ask.actor.user, role=ask.actor.role, at=now,
        done_at=at if at is not None and believable else now, lon=ask.lon, lat=ask.lat,
        idempotency_key=ask.idempotency_key,
    )  # fmt: skip


def lines_of(items: Iterable[Item], ticks: Iterable[Tick], since: datetime | None = None) -> tuple[Line, ...]:
    """Each item with its newest answer; `ticks` oldest first. What the list no longer has is left out.

    Answers up to `since`, when the case was last reopened, are another visit's: all is asked anew.
    """
    newest: dict[str, Tick] = {}
    for tick in ticks:
        if since is not None and tick.at <= since:
            continue
        newest.pop(tick.item, None)
        if tick.answer is not Answer.OPEN:
            newest[tick.item] = tick
    return tuple(Line(item=item, tick=newest.get(item.key)) for item in items)


def still_open(lines: Iterable[Line]) -> tuple[Item, ...]:
    """Required items without an answer."""
    return tuple(line.item for line in lines if line.item.required and line.tick is None)


def asked_before_resolving(
    lines: Iterable[Line], outcome: str, left_open: Collection[str], note: str
) -> tuple[Item, ...]:
    """Items that must be answered, or be left open by name and with a note, before the case counts as put right.

    Empty: it may be resolved. Where there was nothing to check (false alarm, duplicate) or no way to it, nothing
    is asked. An unknown outcome is the step's own refusal, so all is asked.
    """
    if outcome in _WITHOUT_LIST:
        return ()
    asked = still_open(lines)
    return asked if not note.strip() else tuple(item for item in asked if item.key not in left_open)

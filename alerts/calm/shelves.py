"""Shelves: a source that is kept from ringing for a while, by whom, why and until when. Pure.

What is shelved is stored, graded and listed as ever; it asks nobody for anything. Level I goes through every shelf.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

import msgspec

from alerts.errors import AlertsError
from alerts.lifecycle import FINAL, State
from alerts.values import Actor, Alert
from monitor.domain.assets import City
from monitor.domain.calm import Calm
from monitor.domain.levels import Level
from monitor.domain.roles import Right, Role, may
from monitor.domain.violations import CATALOGUE

MOST_NOTE: Final = 500


class Scope(StrEnum):
    """What is kept from ringing."""

    CAMERA = "camera"  # all that this camera suspects, and that it does not watch
    RULE = "rule"  # one violation at this camera
    ALERT = "alert"  # this one alert


class ShelfReason(StrEnum):
    """Why, as a key that can be counted; the note says more."""

    MAINTENANCE = "maintenance"
    NUISANCE = "nuisance"  # rings without cause; the cause is being mended
    DEALT_WITH = "dealt_with"  # somebody sees to it in another way
    EXERCISE = "exercise"
    OTHER = "other"


class EndOfShelf(StrEnum):
    """How a shelf ended."""

    DUE = "due"
    BY_HAND = "by_hand"


class ShelfRefused(AlertsError):
    """Nothing is shelved, or ended; `key` names the sentence for people (texts.PROBLEMS)."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(f"{key}: {facts}" if facts else key)
        self.key, self.facts = key, facts


class ShelfForbidden(ShelfRefused):
    """This role may not."""


class ShelfNotFound(ShelfRefused):
    """There is no such shelf."""

    def __init__(self) -> None:
        super().__init__("shelf_unknown")


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """One shelf, as its row holds it."""

    shelf_id: str
    scope: Scope
    camera_id: str | None = None
    #: of scope rule: code of the catalogue
    violation: str | None = None
    #: of scope alert
    alert_id: str | None = None
    site_id: str | None = None
    #: the worst level that it keeps from ringing
    worst: Level
    reason: ShelfReason
    note: str
    shelved_by: str
    role: Role
    from_at: datetime
    until_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    end_reason: EndOfShelf | None = None
    end_note: str = ""

    def runs(self, now: datetime) -> bool:
        """Whether it keeps anything from ringing now."""
        return self.ended_at is None and self.from_at <= now < self.until_at

    def same_source(self, other: Self) -> bool:
        """Whether both are of the same scope and source."""
        mine = (self.scope, self.camera_id, self.violation, self.alert_id)
        return mine == (other.scope, other.camera_id, other.violation, other.alert_id)


class ShelfAsk(msgspec.Struct, frozen=True, kw_only=True):
    """A shelf as somebody asks for it."""

    actor: Actor
    scope: Scope
    camera_id: str | None = None
    violation: str | None = None
    alert_id: str | None = None
    #: not of scope alert: there it is the alert's own level
    worst: Level = Level.III
    reason: ShelfReason
    note: str
    until_at: datetime


def most_s(worst: Level, calm: Calm) -> float:
    """Seconds for which a shelf up to this level may stand: the shortest of the levels that it keeps from ringing."""
    return min(calm.shelf_most_s.get(level, 0.0) for level in Level if not level.is_worse_than(worst))


def may_shelve(role: Role, worst: Level) -> bool:
    """An operator shelves III and IV; a supervisor II as well; nobody I."""
    if worst is Level.I or not may(role, Right.SHELVE):
        return False
    return role is Role.SUPERVISOR or worst in (Level.III, Level.IV)


def begin(
    ask: ShelfAsk, alert: Alert | None, running: tuple[Shelf, ...], city: City, calm: Calm, now: datetime, new_id: str
) -> Shelf:  # fmt: skip
    """The new shelf, or ShelfRefused. `alert`: of scope alert; `running`: shelves of the same camera or alert."""
    note = " ".join(ask.note.split())
    if len(note) < 3 or len(note) > MOST_NOTE:
        raise ShelfRefused("shelf_needs_note", most=str(MOST_NOTE))
    worst, camera_id, site_id = ask.worst, ask.camera_id, None
    if ask.scope is Scope.ALERT:
        if alert is None:
            raise ShelfRefused("shelf_no_alert")
        _check_alert(alert)
        worst, camera_id, site_id = alert.level, alert.camera_id, alert.site_id
    else:
        camera = next((c for c in city.cameras if c.camera_id == camera_id), None)
        if camera is None:
            raise ShelfRefused("shelf_no_camera")
        site_id = camera.site_id
        if ask.scope is Scope.RULE and ask.violation not in CATALOGUE:
            raise ShelfRefused("shelf_no_rule")
    if worst is Level.I:
        raise ShelfRefused("shelf_never_red")
    if not may_shelve(ask.actor.role, worst):
        raise ShelfForbidden("shelf_level", level=worst.value)
    longest_s = most_s(worst, calm)
    if not now < ask.until_at <= now + timedelta(seconds=longest_s):
        raise ShelfRefused("shelf_until", hours=f"{longest_s / 3600:g}", level=worst.value)
    shelf = Shelf(
        shelf_id=new_id, scope=ask.scope, camera_id=camera_id, site_id=site_id, worst=worst, reason=ask.reason,
        violation=ask.violation if ask.scope is Scope.RULE else None,
        alert_id=ask.alert_id if ask.scope is Scope.ALERT else None, note=note, shelved_by=ask.actor.user,
        role=ask.actor.role, from_at=now, until_at=ask.until_at,
    )  # fmt: skip
    if any(other.runs(now) and other.same_source(shelf) for other in running):
        raise ShelfRefused("shelf_stands_already")
    return shelf


def _check_alert(alert: Alert) -> None:
    if alert.state in FINAL:
        raise ShelfRefused("shelf_alert_closed")
    if alert.state not in (State.OPEN, State.ACKNOWLEDGED):
        # somebody is on the way: keep them from ringing by calling them back first
        raise ShelfRefused("shelf_alert_under_way")


def end(shelf: Shelf, actor: Actor, why: EndOfShelf, note: str, now: datetime) -> Shelf:
    """The shelf after its end, or ShelfRefused."""
    if shelf.ended_at is not None:
        raise ShelfRefused("shelf_is_over")
    if why is EndOfShelf.BY_HAND and not may_shelve(actor.role, shelf.worst):
        raise ShelfForbidden("shelf_level", level=shelf.worst.value)
    return msgspec.structs.replace(
        shelf, ended_at=now, ended_by=actor.user, end_reason=why, end_note=" ".join(note.split())[:MOST_NOTE]
    )

"""What feedback needs of the configuration: read what is in force, set one number, put it back.

Filled by hcawatch.config, whose versions they are. All within the caller's transaction, so that a decision, its
version and its audit entries are one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from alerts.errors import AlertsError
from alerts.feedback.points import Point
from monitor.domain.assets import City
from monitor.store.pool import Conn

Entry = Mapping[str, Any]


class FeedbackError(AlertsError):
    """Something is refused; `key` names the sentence for people (texts.PROBLEMS)."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(f"{key}: {facts}" if facts else key)
        self.key, self.facts = key, facts


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """The newest configuration."""

    number: int
    city: City


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: the version, and the camera's entry of the row before and after; None: it had none."""

    version: int
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Which number of which row of which camera, and who wants it why."""

    camera_id: str
    rule_id: str
    number: str
    value: float
    #: what it is now, or of a step that is taken back, was before
    was: float
    point: Point = Point.ALWAYS
    author: str
    reason: str
    now: datetime
    #: version that the decision was made on
    seen: int


class RuleBook(Protocol):
    """The numbered configurations, as far as rules' numbers go. Refusals are FeedbackErrors."""

    def current(self, conn: Conn) -> Current | None:
        """The newest one; None if there is none that this release can use."""
        ...

    def set_number(self, conn: Conn, ask: Ask) -> Written:
        """The next version, with that number at that camera."""
        ...

    def put_back(self, conn: Conn, ask: Ask, before: Entry | None, after: Entry | None) -> Written:
        """The next version, as it was before `set_number` wrote `after`; what others changed since stays."""
        ...

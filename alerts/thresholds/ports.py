"""What thresholds by hand need of the configuration: entries of rules, the next version, the edge's answer.

Filled by hcawatch.config, whose versions they are. All within the caller's transaction, so that a change, its version
and its audit entries are one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from alerts.errors import AlertsError
from monitor.domain.events import ConfigReason
from monitor.store.pool import Conn

Entry = Mapping[str, Any]


class ThresholdsError(AlertsError):
    """Something is refused; `key` names the sentence for people (texts.PROBLEMS)."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(f"{key}: {facts}" if facts else key)
        self.key, self.facts = key, facts


class ConfigurationRefused(ThresholdsError):
    """The configuration with these numbers would be faulty. Final; carries the sentences by language."""

    def __init__(self, said: Mapping[str, str]) -> None:
        super().__init__("thresholds_refused", what=said["en"])
        self.said = dict(said)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's rules as the newest version has them, entry by entry as a person would write them."""

    #: of the version
    number: int
    camera_id: str
    edge_id: str
    own: dict[str, dict[str, Any]]
    of_edge: dict[str, dict[str, Any]]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written: the camera's entry of a rule; None: it has none any more."""

    camera_id: str
    rule_id: str
    entry: dict[str, Any] | None
    author: str
    reason: str
    now: datetime
    #: version that the decision was made on
    seen: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge says of its configuration."""

    online: bool
    #: version in force there; None: its own file
    in_force: int | None = None
    #: version that its last answer is about
    about: int | None = None
    taken: bool = True
    reasons: tuple[ConfigReason, ...] = ()


class SettingBook(Protocol):
    """The numbered configurations, as far as cameras' entries of rules go. Refusals are ThresholdsErrors."""

    def found(self, conn: Conn, camera_id: str) -> Found | None:
        """The camera in the newest version; None if there is no version yet, or no such camera in it."""
        ...

    def write(self, conn: Conn, wanted: Wanted) -> tuple[int, dict[str, Any] | None]:
        """The next version's number, and the camera's entry as it stands there."""
        ...

    def said(self, conn: Conn, edge_id: str) -> Said | None:
        """The edge's last word; None if it never spoke."""
        ...

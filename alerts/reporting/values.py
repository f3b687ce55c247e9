"""A report, and who made it. Values only.

The caller stands apart from everything else: officers, permit holders, the audit log and exports never see name or
number, only the control room does (docs/reports.md).
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

import msgspec

from alerts.values import Actor
from monitor.domain.roles import Role


class Via(StrEnum):
    """Who says so."""

    CALL = "call"
    PATROL = "patrol"  # of the operator
    OFFICER = "officer"  # of the authority
    OTHER = "other"  # a letter, another authority
    DEVICE = "device"  # a smart camera's own alarm


#: people of the loop who stood there: no operator has to confirm what they saw
ON_SITE: Final = frozenset({Via.PATROL, Via.OFFICER})
#: who must confirm is asked of nobody else: the field's own reports
VIA_OF_ROLE: Final = {Role.PATROL: Via.PATROL, Role.OFFICER: Via.OFFICER}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, when and about which place."""

    #: also the episode by which an alert holds it
    report_id: str
    #: the same key is the same report
    idempotency_key: str
    #: SHA-256 of all that was written but the caller: another one under the same key is another report
    fields_sha256: str = ""
    source: Literal["report", "device"] = "report"
    via: Via
    #: code of the catalogue
    violation: str
    #: what the machine does, as it was said; '' if nothing was
    activity: Literal["", "passing", "stopped", "working"] = ""
    #: class of the machine in the detector's words; '' if it was not said
    object_class: str = ""
    #: how many of them at once
    machines: int = 1
    said: str = ""
    observed_at: datetime
    received_at: datetime
    entered_by: str
    role: Role
    team_id: str | None = None
    #: the HCA that the place lies in, or the nearest of its pipeline
    site_id: str
    #: metres along the line from the site's end to the place; None: within
    beyond_m: float | None = None
    camera_id: str | None = None
    pipeline_id: str | None = None
    chainage_m: float | None = None
    #: signed, right of the line's direction is positive; None: nobody said
    offset_m: float | None = None
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    footage: Literal["real", "simulated"] = "real"
    #: of a device: which condition of it this is; '' for people
    device_key: str = ""
    #: SHA-256 over a secret salt, name and number: shows later who called without saying it now; '' if nobody did
    caller_sha256: str = ""

    @property
    def actor(self) -> Actor:
        """Who entered it."""
        return Actor(user=self.entered_by, role=self.role, team_id=self.team_id)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who called. Personal data: kept in a table of its own, and read only by the control room."""

    name: str = ""
    phone: str = ""
    #: random, so that the hash in the log does not give a number away to who tries them all
    salt: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.phone)


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list: a report with how its case stands."""

    report: Report
    alert_id: str
    number: int
    level: str
    state: str
    confirmation: str
    closing_reason: str | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that one source opened, and what they turned out to be; sources are never mixed."""

    source: str
    opened: int
    confirmed: int
    false_alarms: int
    #: closed as lawful work
    lawful: int
    #: neither confirmed nor found to be nothing
    unjudged: int

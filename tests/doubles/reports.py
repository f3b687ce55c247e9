"""Reports for tests: read from fields, as every way in reads them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from alerts.reporting.fields import read_report
from alerts.reporting.values import Caller, Report
from alerts.values import Actor
from monitor.domain.assets import City
from monitor.domain.roles import Role
from tests.doubles.alert_story import CITY, NOON

ROOM = Actor(user="olga", role=Role.OPERATOR)
#: K9+500 of the small city's line, where its events are, 3 m to the left
FIELDS: dict[str, Any] = {
    "violation": "excavation_5m", "said": "an excavator digs at the lake", "pipeline": "p1", "stake": "K9+500",
    "offset_m": "3", "side": "left", "caller_name": "Wang", "caller_phone": "+86 138 0000 0000",
}  # fmt: skip


def report(
    actor: Actor = ROOM, now: datetime = NOON, key: str = "", city: City = CITY, **changes: Any
) -> tuple[Report, Caller]:
    """A report that can be read; a change to None leaves the field out."""
    read = read_report({**FIELDS, **changes}, city, actor, now, str(uuid.uuid4()), key or str(uuid.uuid4()))
    assert read.report is not None, read.faults
    return read.report, read.caller

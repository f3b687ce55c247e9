"""The loop's policy as rows and numbers: when a level is dispatched, what joins, what is overdue."""

from datetime import timedelta
from enum import StrEnum

import msgspec

from alerts.reasons import Health
from monitor.domain.calm import Calm
from monitor.domain.levels import Level
from monitor.domain.response import Response
from monitor.domain.risk import Weights
from monitor.domain.supervision import Supervision


class Sending(StrEnum):
    """When an officer is sent."""

    AT_ONCE = "at_once"
    UNLESS_REFUTED = "unless_refuted"  # after level_ii_wait
    ONCE_CONFIRMED = "once_confirmed"


DISPATCH_POLICY: dict[Level, Sending] = {
    Level.I: Sending.AT_ONCE,
    Level.II: Sending.UNLESS_REFUTED,
    Level.III: Sending.ONCE_CONFIRMED,
    Level.IV: Sending.ONCE_CONFIRMED,
}

#: closings after which an alert counts as no offence, hence as no repeat of one
NO_OFFENCE = ("false_alarm", "duplicate", "permitted_work", "permit_covers")

# the same number with another hash is somebody's forgery or a broken disk, hence worse than the rest
HEALTH_LEVEL: dict[Health, Level] = {
    health: Level.II
    if health in (Health.SAME_NUMBER_OTHER_HASH, Health.NOBODY_TO_DISPATCH, Health.NOBODY_ANSWERED)
    else Level.III
    for health in Health
}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that decide; defaults from design.md."""

    #: episodes of one site and violation within this distance on the same side …
    join_within_m: float = 50.0
    #: … and this long after the last update join one alert
    join_within: timedelta = timedelta(minutes=30)
    repeats_within: timedelta = timedelta(days=30)
    level_ii_wait: timedelta = timedelta(minutes=2)
    retry_dispatch_after: timedelta = timedelta(minutes=1)
    evidence_within: timedelta = timedelta(minutes=10)
    #: an arrival further than this from the alert is flagged
    arrive_within_m: float = 300.0
    #: running dispatches of one officer, at most
    most_per_officer: int = 5
    #: attempts after which an undelivered message is itself an alert
    attempts_until_alert: int = 10
    weights: Weights = Weights()
    #: how fast people must answer, and who hears of it when they do not
    response: Response = Response()
    #: where fewer physical checks suffice, and where more are needed
    supervision: Supervision = Supervision()
    #: shelves, coming and going, floods
    calm: Calm = Calm()

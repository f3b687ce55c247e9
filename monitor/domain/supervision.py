"""Where fewer physical checks suffice and where more are needed: rules by what is on record, never a score. Pure.

A rule says to which levels it applies, what must be on record, and what follows. The first that fits holds. None can
touch levels I and II: a red event is always dispatched, and an orange one loses its dispatch only by a person's word.
"""

import calendar
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from monitor.domain.assets import Text
from monitor.domain.levels import Level

#: levels that wait for a person's word, and the only ones that a rule may change
RULED_LEVELS: Final = frozenset({Level.III, Level.IV})


class Then(StrEnum):
    """What follows."""

    #: somebody is sent without waiting for a confirmation
    SOONER = "sooner"
    #: once confirmed by the picture, the room settles it without sending anybody
    REMOTE = "remote"
    #: once confirmed, it is looked at with the next visit of the site
    BUNDLED = "bundled"


class SupervisionRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule; conditions that are None or False ask nothing, at least one is given."""

    rule_id: str
    name: Text
    levels: tuple[Level, ...]
    then: Then
    #: so many months of the calendar without a confirmed violation at the site, and on record for as long
    clean_months: int | None = None
    #: at least so many confirmed violations at the site …
    repeats: int | None = None
    #: … within so many days
    within_days: int = 90
    #: the pipeline's operator, or the company that a permit names, is credited
    credited: bool = False
    #: what was kept is dispatched after so many days, whatever happened
    at_most_days: float = 7.0


class SiteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of a site, beside the alert in question."""

    #: since when this installation keeps records; None: it has none yet
    known_since: datetime | None = None
    #: when confirmed violations of the site were last seen
    confirmed: tuple[datetime, ...] = ()
    pipeline_id: str | None = None
    #: of the permits that the alert names
    companies: tuple[str, ...] = ()


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of an installation, in their order, and who is credited."""

    rules: tuple[SupervisionRule, ...] = ()
    credited_pipelines: tuple[str, ...] = ()
    credited_companies: tuple[str, ...] = ()

    def may_send_sooner(self, level: Level) -> bool:
        """Whether any rule could send to this level without a confirmation."""
        return any(rule.then is Then.SOONER and level in rule.levels for rule in self.rules)

    def is_credited(self, record: SiteRecord) -> bool:
        """Whether the site's operator or a company that a permit names is credited."""
        return record.pipeline_id in self.credited_pipelines or not set(record.companies).isdisjoint(
            self.credited_companies
        )


def ruled(
    level: Level, record: SiteRecord, supervision: Supervision, now: datetime
) -> SupervisionRule | None:
    """The rule that holds for an alert of that level, or None: then all is as ever."""
    if level not in RULED_LEVELS:
        return None
    return next((rule for rule in supervision.rules if _fits(rule, level, record, supervision, now)), None)


def _fits(
    rule: SupervisionRule, level: Level, record: SiteRecord, supervision: Supervision, now: datetime
) -> bool:
    if level not in rule.levels or not has_condition(rule):
        return False
    if rule.credited and not supervision.is_credited(record):
        return False
    if rule.clean_months is not None and not _is_clean(record, months_before(now, rule.clean_months)):
        return False
    since = now - timedelta(days=rule.within_days)
    return rule.repeats is None or count_since(record.confirmed, since) >= rule.repeats


def has_condition(rule: SupervisionRule) -> bool:
    """A rule that asks nothing would hold everywhere."""
    return rule.clean_months is not None or rule.repeats is not None or rule.credited


def count_since(times: Sequence[datetime], since: datetime) -> int:
    """How many are not older."""
    return sum(1 for at in times if at >= since)


def _is_clean(record: SiteRecord, since: datetime) -> bool:
    """Nothing confirmed since then; where nobody kept records, nothing is known to be clean."""
    return (
        record.known_since is not None
        and record.known_since <= since
        and not count_since(record.confirmed, since)
    )


def months_before(at: datetime, months: int) -> datetime:
    """The same day so many months earlier, or the last day that month has.

    >>> months_before(datetime(2026, 3, 31), 1).day
    28
    """
    month = at.year * 12 + at.month - 1 - months
    year, number = divmod(month, 12)
    return at.replace(year=year, month=number + 1, day=min(at.day, calendar.monthrange(year, number + 1)[1]))

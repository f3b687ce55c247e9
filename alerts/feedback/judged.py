"""How often a camera and rule were right, week by week, from what people said of their alerts. Pure.

Precision is confirmed / (confirmed + false alarm). Lawful work was seen rightly and disturbed nobody's law: it is
counted apart, and so is what nobody has judged. Alerts from reports and devices say nothing of a camera's rules.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from alerts.feedback.causes import CAUSES, FalseCause, Verdict
from monitor.domain.shares import Share, share

#: shown unless somebody asks for others
WEEKS: Final = 8
#: false alarms of one cause from which on a person is asked to look
LEAST_HINT: Final = 2


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a camera, and what people say of it."""

    alert_id: str
    number: int
    #: of the event that opened it
    camera_id: str
    rule_id: str
    site_id: str
    object_class: str
    level: str
    onset_at: datetime
    verdict: Verdict
    #: nobody knows yet: it runs, or nobody got in
    may_be_right: bool = False
    cause: FalseCause | None = None
    #: of a stored picture
    snapshot: str | None = None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts by what people say of them, and the precision that follows."""

    right: int = 0
    false: int = 0
    lawful: int = 0
    unjudged: int = 0
    precision: Share = Share(hits=0, of=0)


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """One week of the city's calendar, from its Monday."""

    begins: date
    counts: Counts


class Precision(msgspec.Struct, frozen=True, kw_only=True):
    """One camera and rule."""

    camera_id: str
    rule_id: str
    counts: Counts
    #: oldest first, also those without an alert
    weeks: tuple[Week, ...]
    #: false alarms by cause, the most frequent first
    causes: tuple[tuple[str, int], ...] = ()


def counts(judged: Iterable[Judged]) -> Counts:
    """Counted."""
    by = dict.fromkeys(Verdict, 0)
    for one in judged:
        by[one.verdict] += 1
    right, false = by[Verdict.RIGHT], by[Verdict.FALSE]
    return Counts(right=right, false=false, lawful=by[Verdict.LAWFUL], unjudged=by[Verdict.UNJUDGED],
                  precision=share(right, right + false))  # fmt: skip


def precision(
    judged: Iterable[Judged], since: datetime, until: datetime, zone: ZoneInfo
) -> tuple[Precision, ...]:
    """Each camera and rule with an alert since then: the least trusted first.

    Weeks are those of `zone`'s calendar from the one of `since` to the one of `until`; both are aware.
    """
    first, last = monday(since, zone), monday(until, zone)
    begins = [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]
    groups: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.camera_id, one.rule_id), []).append(one)
    found = [
        Precision(
            camera_id=camera_id, rule_id=rule_id, counts=counts(mine), causes=_causes(mine),
            weeks=tuple(Week(begins=week, counts=counts(o for o in mine if monday(o.onset_at, zone) == week)) for week in begins),
        )
        for (camera_id, rule_id), mine in groups.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=_by_doubt))


def looks_needed(one: Precision) -> tuple[tuple[str, int], ...]:
    """What a person looks at because no number helps: zone, survey or permit, and how many false alarms say so."""
    by: dict[str, int] = {}
    for cause, count in one.causes:
        remedy = CAUSES[FalseCause(cause)].remedy if cause in [*FalseCause] else "none"
        if remedy in ("zone", "survey", "permit"):
            by[remedy] = by.get(remedy, 0) + count
    return tuple(sorted((remedy, count) for remedy, count in by.items() if count >= LEAST_HINT))


def monday(at: datetime, zone: ZoneInfo) -> date:
    """The Monday of its week on the city's calendar."""
    day = at.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def _by_doubt(one: Precision) -> tuple[float, int, str, str]:
    known = one.counts.precision
    return (1.0 if known.share is None else known.share, -known.of, one.camera_id, one.rule_id)


def _causes(judged: Iterable[Judged]) -> tuple[tuple[str, int], ...]:
    by: dict[str, int] = {}
    for one in judged:
        if one.verdict is Verdict.FALSE:
            key = str(one.cause or "unsaid")
            by[key] = by.get(key, 0) + 1
    return tuple(sorted(by.items(), key=lambda item: (-item[1], item[0])))


def as_json(one: Precision) -> dict[str, Any]:
    """For --json and the API: plain, with the interval's numbers."""
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return {**plain, "causes": dict(one.causes)}

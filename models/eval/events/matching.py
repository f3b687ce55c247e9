"""Which report finds which event, as i-LIDS scores it: one class of one clip, pure.

An event is found by the first report that comes from its beginning on, within its time. Every other
report is a false alarm, whatever it shows: one that comes too late, one that repeats an event which was
found already, one where nothing is. Only a report in a stretch that is marked as unsure counts for nothing; if it
stands when an event begins, it has found that at once, since a class that is reported can't be reported anew.
(Home Office, i-LIDS user guide: an alarm is true within 10 s of the event's beginning.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.eval.events.debounce import Report
from models.eval.events.truth import WITHIN_S, Event, Unsure


class Outcome(StrEnum):
    """What a report turned out to be."""

    #: The first in an event's time.
    FINDS = "finds"
    #: The event lasts, but its time to be reported is over and nothing had reported it.
    LATE = "late"
    #: The event lasts and was found already.
    REPEATED = "repeated"
    NOTHING_THERE = "nothing_there"
    #: Nobody can say: neither counted for nor against.
    UNSURE = "unsure"


#: A report may come so long after its object left: the looks that carried it end up to a second before it.
#: i-LIDS has no such limit; without it a false alarm nine seconds later would count as having seen the event.
AFTER_S: Final = 1.0
FALSE: Final = frozenset({Outcome.LATE, Outcome.REPEATED, Outcome.NOTHING_THERE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A report and what it is."""

    report: Report
    outcome: Outcome
    #: The event that it finds; for a late or repeated one, the event that it is about.
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """One class of one clip."""

    #: One a report, in the order of time.
    reports: tuple[Judged, ...]
    #: Events that nothing found.
    missed: tuple[Event, ...]

    @property
    def found(self) -> tuple[tuple[Event, float], ...]:
        """Events that were found, each with the seconds that it took."""
        return tuple(
            (j.event, max(0.0, j.report.at_s - j.event.from_s))
            for j in self.reports
            if j.outcome is Outcome.FINDS and j.event is not None
        )


def match(
    reports: Sequence[Report],
    events: Sequence[Event],
    unsure: Sequence[Unsure] = (),
    *,
    within_s: float = WITHIN_S,
) -> Matched:
    """Judge each report of one class by the events of that class.

    Args:
        reports: any order.
        events: of the same class, no two at once.
        unsure: of the same class.
        within_s: time to report of an event that names none itself.
    """
    open_events = sorted(events, key=lambda e: e.from_s)
    found: list[Event] = []
    judged = []
    for report in sorted(reports, key=lambda r: r.at_s):
        vague = any(u.from_s <= report.at_s <= u.to_s for u in unsure)
        hit = next((e for e in open_events if _in_time(e, report.at_s, within_s)), None)
        if hit is None and vague:
            hit = next((e for e in open_events if report.at_s < e.from_s <= report.until_s - AFTER_S), None)
        if hit is not None:
            open_events.remove(hit)
            found.append(hit)
            judged.append(Judged(report=report, outcome=Outcome.FINDS, event=hit))
        else:
            judged.append(_not_found(report, open_events, found, vague=vague))
    return Matched(reports=tuple(judged), missed=tuple(open_events))


def _in_time(event: Event, at_s: float, within_s: float) -> bool:
    allowed_s = within_s if event.within_s is None else event.within_s
    return event.from_s <= at_s <= min(event.from_s + allowed_s, event.to_s + AFTER_S)


def _not_found(
    report: Report, open_events: Sequence[Event], found: Sequence[Event], *, vague: bool
) -> Judged:
    def at(event: Event) -> bool:
        return event.from_s <= report.at_s <= event.to_s

    repeated = next((e for e in found if at(e)), None)
    late = next((e for e in open_events if at(e)), None)
    if repeated is not None:
        return Judged(report=report, outcome=Outcome.REPEATED, event=repeated)
    if late is not None:
        return Judged(report=report, outcome=Outcome.LATE, event=late)
    return Judged(report=report, outcome=Outcome.UNSURE if vague else Outcome.NOTHING_THERE)

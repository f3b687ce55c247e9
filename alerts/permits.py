"""Whether work lies within its permit, and if not, by which of its limits. Pure.

A permit covers an event only if no limit is broken: approval, dates, hours, chainage, offset, kind, activity,
class and number of machines. What the law makes of it (lowered, or shown only) is grading.py's.

Machines are counted on one camera, since two cameras may see the same machine; of those that are there at
once the first ones are within the permit and the later ones are not. Where several permits cover the same
machine, the numbers that they allow add up.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations
from typing import Final
from zoneinfo import ZoneInfo

from alerts.values import Looks, MachineSeen, Permit, PermitState
from monitor.domain.events import RiskEvent
from monitor.domain.hours import Schedule, within
from monitor.domain.risk import Reason
from monitor.domain.violations import CATALOGUE, Violation, graded_as

#: a permit is named as broken by its place only this near to it; further away it is somebody else's
NEAR_M: Final = 2000.0
#: an episode that does not end is still there this long after its last message (heartbeats come twice a minute)
STILL_THERE: Final = timedelta(minutes=5)
#: more minutes than these (some three days) are not compared: such an alert stays a case
MOST_LOOKS: Final = 5000
#: permits of one place whose numbers of machines are added up; with more, each is asked by itself as well
MOST_TOGETHER: Final = 6
_MINUTE: Final = timedelta(minutes=1)
#: who may dig may also stop or pass
_RANK: Final = {"passing": 0, "stopped": 1, "working": 2}


class Limit(StrEnum):
    """How work can lie outside a permit; the value is the key of the reason that people read."""

    NOT_APPROVED = "permit_not_approved"
    REFUSED = "permit_refused"
    WITHDRAWN = "permit_withdrawn"
    TIME = "permit_outside_time"
    HOURS = "permit_outside_hours"
    PLACE = "permit_outside_place"
    OFFSET = "permit_outside_offset"
    KIND = "permit_outside_kind"
    ACTIVITY = "permit_outside_activity"
    MACHINE = "permit_outside_machine"
    NUMBER = "permit_too_many_machines"


#: a permit that never was or is no longer one is named only for what it would have covered
_OF_STATE: Final = frozenset({Limit.NOT_APPROVED, Limit.REFUSED, Limit.WITHDRAWN})


def looks_of(event: RiskEvent) -> Looks:
    """One event as looks."""
    return Looks(
        violation=event.violation, also=event.also, rule_id=event.rule_id, may_lie_within=event.may_lie_within,
        object_class=event.object_class, activity=event.activity, pipeline_id=event.pipeline_id,
        from_m=event.chainage_m, to_m=event.chainage_m, from_offset_m=event.offset_m, to_offset_m=event.offset_m,
        first_at=event.captured_at, last_at=event.captured_at,
    )  # fmt: skip


def broken(
    event: RiskEvent, permit: Permit, machines: tuple[MachineSeen, ...], zone: ZoneInfo
) -> tuple[Limit, ...]:
    """The limits that an event breaks; none: the permit covers it. Without a place it covers nothing."""
    limits = _limits(event, permit, zone)
    if _too_many(event, (permit,), machines, whole_life=False):
        limits.append(Limit.NUMBER)
    return tuple(dict.fromkeys(limits))


def _limits(event: RiskEvent, permit: Permit, zone: ZoneInfo) -> list[Limit]:
    """The same but for the number of machines."""
    seen = looks_of(event)
    limits = list(_broken(seen, permit, zone))
    return [*limits, Limit.PLACE] if seen.from_m is None else limits


def covering(
    event: RiskEvent,
    permits: Iterable[Permit],
    machines: tuple[MachineSeen, ...],
    zone: ZoneInfo,
    looks: tuple[Looks, ...] = (),
) -> tuple[Permit, ...]:
    """The permit that covers the event, or several whose numbers of machines add up; none: nothing covers it.

    Numbers add up of permits that each cover this very machine in everything but its number: its kind, place and
    hour. As few permits as do, by number; but first those that cover all `looks` too, if there are such.
    """
    fit = sorted(
        (p for p in permits if not set(_limits(event, p, zone))), key=lambda permit: permit.permit_number
    )
    covers = next((some for some in _sets(fit) if not _too_many(event, some, machines, whole_life=False)), ())
    if len(fit) < 2 or not covers:
        return covers
    # what lay within is each permit's own: one walk over the looks for each, however many sets it is part of
    steady = [one for one in fit if _saw_all_within(one, looks, zone)]
    always = (some for some in _sets(steady) if not _too_many(event, some, machines, whole_life=True))
    return next(always, covers)


def _sets(fit: list[Permit]) -> Iterator[tuple[Permit, ...]]:
    """Each permit alone, then the first few of them together, small sets first."""
    yield from ((one,) for one in fit)
    few = fit[:MOST_TOGETHER]
    for size in range(2, len(few) + 1):
        yield from combinations(few, size)


def always_within(
    event: RiskEvent,
    permits: tuple[Permit, ...],
    looks: tuple[Looks, ...],
    machines: tuple[MachineSeen, ...],
    zone: ZoneInfo,
) -> bool:
    """Whether the permits cover all that was seen, not only the newest look: each of them each look, and the number.

    Work that began before its hours, or was outside its stretch for a while, was a violation: that the
    machine is back inside takes nothing back. Looks without a place are asked for the rest.
    """
    if _too_many(event, permits, machines, whole_life=True):
        return False
    return all(_saw_all_within(permit, looks, zone) for permit in permits)


def _saw_all_within(permit: Permit, looks: tuple[Looks, ...], zone: ZoneInfo) -> bool:
    """Whether each look breaks none of its limits, its number of machines aside."""
    return len(looks) <= MOST_LOOKS and all(
        lowers(seen) and not any(True for _ in _broken(seen, permit, zone)) for seen in looks
    )


def breaches(
    event: RiskEvent, permits: Iterable[Permit], machines: tuple[MachineSeen, ...], zone: ZoneInfo
) -> tuple[Reason, ...]:
    """How the event lies outside the permit that it is nearest to; each reason names the permit.

    One that never was approved, or is no longer, is named only if there is no other. Too many machines for several
    permits together names each of them.
    """
    found = [
        (bool(_OF_STATE & set(limits)), len(limits), permit.permit_number, limits)
        for permit in permits
        if (limits := broken(event, permit, machines, zone)) and _is_about(event, permit, limits)
    ]
    if not found:
        return ()
    *_, number, limits = min(found)
    if limits == (Limit.NUMBER,):
        # their numbers add up, and the sum is exceeded: it is about each of them
        numbers = sorted(number for *_, number, limits in found if limits == (Limit.NUMBER,))
        return tuple(Reason(key=Limit.NUMBER, points=0, detail=number) for number in numbers)
    return tuple(Reason(key=limit, points=0, detail=number) for limit in limits)


def _is_about(event: RiskEvent, permit: Permit, limits: tuple[Limit, ...]) -> bool:
    """Whether somebody would say that the work is that of the permit."""
    if event.pipeline_id != permit.pipeline_id or event.chainage_m is None:
        return False
    if Limit.KIND in limits or _OF_STATE & set(limits):
        # another kind of work, or a permit that is none: only at its very place and time
        return (
            not {Limit.PLACE, Limit.TIME} & set(limits)
            and len(_OF_STATE & set(limits)) + (Limit.KIND in limits) == 1
        )
    if Limit.PLACE in limits:
        near = permit.from_m - NEAR_M <= event.chainage_m <= permit.to_m + NEAR_M
        return near and Limit.TIME not in limits
    return True


def _broken(seen: Looks, permit: Permit, zone: ZoneInfo) -> Iterable[Limit]:
    """All limits but the number of machines. A place that is not known breaks no place."""
    if permit.state is PermitState.REQUESTED:
        yield Limit.NOT_APPROVED
    if permit.state is PermitState.REFUSED:
        yield Limit.REFUSED
    if permit.state is PermitState.WITHDRAWN and (permit.ended_at is None or seen.last_at >= permit.ended_at):
        yield Limit.WITHDRAWN
    if not (permit.valid_from <= seen.first_at and seen.last_at <= permit.valid_to):
        yield Limit.TIME
    if permit.hours and not _in_hours(seen.first_at, seen.last_at, permit, zone):
        yield Limit.HOURS
    if seen.from_m is not None and seen.to_m is not None:
        if not (
            seen.pipeline_id == permit.pipeline_id
            and permit.from_m <= seen.from_m
            and seen.to_m <= permit.to_m
        ):
            yield Limit.PLACE
        if not _beside(seen, permit):
            yield Limit.OFFSET
    if not _kind_allowed(seen, permit):
        yield Limit.KIND
    if permit.activities and _RANK.get(seen.activity, 2) > max(_RANK[one] for one in permit.activities):
        yield Limit.ACTIVITY
    if permit.machine_limits and seen.object_class not in permit.machine_limits:
        yield Limit.MACHINE


def _in_hours(first_at: datetime, last_at: datetime, permit: Permit, zone: ZoneInfo) -> bool:
    # hours change with a minute; looks of more than one would need every one of them
    schedule = Schedule(schedule_id=permit.permit_number, hours=permit.hours)
    return (
        last_at - first_at <= _MINUTE and within(schedule, first_at, zone) and within(schedule, last_at, zone)
    )


def _beside(seen: Looks, permit: Permit) -> bool:
    """Whether the offset lies within its range; an offset that is not known does not."""
    if permit.from_offset_m is not None and (
        seen.from_offset_m is None or seen.from_offset_m < permit.from_offset_m
    ):
        return False
    return permit.to_offset_m is None or (
        seen.to_offset_m is not None and seen.to_offset_m <= permit.to_offset_m
    )


def _kind_allowed(seen: Looks, permit: Permit) -> bool:
    """Whether it names the violation, the worse one that it may be if the law knows a permit for that, and all
    that the same look breaks besides."""
    if seen.violation not in permit.kinds:
        return False
    row = CATALOGUE.get(graded_as(seen.violation, seen.rule_id, may_lie_within=seen.may_lie_within))
    if row is None or row.permit != "approval":
        # shown as a permit that the law does not know: it lowers nothing
        return True
    return row.code in permit.kinds and all(_also_allowed(code, row, permit) for code in seen.also)


def _also_allowed(code: str, row: Violation, permit: Permit) -> bool:
    """Whether a further row of the same look leaves the permitted work of `row` lawful.

    A machine that works 20 m from the pipe is within 200 m as well, so works_50m always brings engineering_200m
    along: that is the same act, seen by a wider band of the same article (35), and the approval for the nearer
    distance is the approval of that. Everything else needs to be in the permit itself: a row without a permit
    (a heavy vehicle on the track) never is lawful, a narrower band or another article (river works, 32; a
    crossing, which has no distance) is an act of its own, and what the catalogue does not know is not lawful.
    """
    other = CATALOGUE.get(code)
    if other is None or other.permit != "approval":
        return False
    if code in permit.kinds:
        return True
    wider = other.band_m is not None and row.band_m is not None and other.band_m > row.band_m
    return wider and _article(other) == _article(row)


def _article(row: Violation) -> str:
    """The article without its paragraph."""
    return row.article.partition("(")[0]


def lowers(seen: Looks) -> bool:
    """Whether the law knows lawful work of the kind that this counts as."""
    row = CATALOGUE.get(graded_as(seen.violation, seen.rule_id, may_lie_within=seen.may_lie_within))
    return row is not None and row.permit == "approval"


def _too_many(
    event: RiskEvent, permits: tuple[Permit, ...], machines: tuple[MachineSeen, ...], *, whole_life: bool
) -> bool:
    """Whether as many machines of its class as these permits allow together were there before it, now or ever since
    it came. Whoever may belong to one of them counts once: so one of them has room, however the others are shared out.
    """
    limits = [permit.machine_limits.get(event.object_class) for permit in permits]
    if None in limits:
        return False
    own = next((machine for machine in machines if machine.episode_id == event.episode_id), None)
    came_at = min(own.first_at, event.captured_at) if own else event.captured_at
    since = came_at if whole_life else event.captured_at
    before = [
        machine
        for machine in machines
        if (machine.first_at, machine.episode_id) < (came_at, event.episode_id)
        and machine.object_class == event.object_class
        and _there_until(machine) >= since
        and any(_may_be_of(machine, permit) for permit in permits)
    ]
    return len(before) >= sum(most for most in limits if most is not None)


def _there_until(machine: MachineSeen) -> datetime:
    return machine.last_at if machine.ended else machine.last_at + STILL_THERE


def _may_be_of(machine: MachineSeen, permit: Permit) -> bool:
    """Whether its kind and place may be those of the permit."""
    if machine.from_m is None or machine.to_m is None or set(machine.violations).isdisjoint(permit.kinds):
        return False
    return machine.from_m <= permit.to_m and permit.from_m <= machine.to_m

"""What a permit covers, limit by limit, on both sides; and what no permit may ever do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.commands import Open
from alerts.decide import Nearby, on_event
from alerts.grading import grade_event
from alerts.lifecycle import State
from alerts.permits import Limit, always_within, broken, covering, looks_of
from alerts.policy import Policy
from alerts.reasons import Why
from alerts.values import Looks, MachineSeen, Permit, PermitState
from monitor.domain.events import RiskEvent
from monitor.domain.hours import Hours
from monitor.domain.violations import CATALOGUE
from tests.doubles.alert_story import CITY, NOON, event, uid
from tests.unit.alerts.test_alerts_decide import decide, held, opened, permit, steps

ZONE = ZoneInfo(CITY.timezone)
POLICY = Policy()
WORKS: dict[str, Any] = {"violation": "works_50m", "rule_id": "works-50m"}
replace = msgspec.structs.replace


def works(**changes: Any) -> RiskEvent:
    return event(**{**WORKS, "offset_m": 20.0, **changes})


def seen(episode: str, came_s: float, until_s: float, **changes: Any) -> MachineSeen:
    """An episode that was there between two seconds after NOON."""
    values: dict[str, Any] = {
        "episode_id": uid(episode), "object_class": "excavator", "violations": ("works_50m",), "from_m": 9500.0,
        "to_m": 9500.0, "first_at": NOON + timedelta(seconds=came_s), "last_at": NOON + timedelta(seconds=until_s),
        "ended": True,
    }  # fmt: skip
    return MachineSeen(**{**values, **changes})


#: NOON is 14:00 in the city
DAY = (Hours(from_min=8 * 60, to_min=18 * 60),)
ONE = {"machine_limits": {"excavator": 1}}


@pytest.mark.parametrize(
    ("changes", "one", "limits"),
    [
        ({"hours": DAY}, works(), ()),
        ({"hours": (Hours(from_min=15 * 60, to_min=18 * 60),)}, works(), (Limit.HOURS,)),
        ({"hours": (Hours(from_min=8 * 60, to_min=14 * 60),)}, works(), (Limit.HOURS,)),  # ends with 13:59
        ({"hours": (Hours(days=("mon",), from_min=0, to_min=1440),)}, works(), (Limit.HOURS,)),  # a Tuesday
        ({"from_offset_m": 5.0}, works(offset_m=5.0), ()),
        ({"from_offset_m": 5.0}, works(offset_m=4.9), (Limit.OFFSET,)),
        ({"from_offset_m": 0.0}, works(offset_m=-20.0), (Limit.OFFSET,)),  # the other side
        ({"to_offset_m": 30.0}, works(offset_m=30.0), ()),
        ({"to_offset_m": 30.0}, works(offset_m=30.1), (Limit.OFFSET,)),
        ({"to_offset_m": 30.0}, works(offset_m=None), (Limit.OFFSET,)),
        ({"violation": "engineering_200m"}, works(), (Limit.KIND,)),
        ({"violation": "engineering_200m", "also": ("works_50m",)}, works(), ()),
        ({}, works(also=("engineering_200m",)), ()),  # the same act, seen by the wider article
        ({}, works(also=("engineering_200m", "heavy_vehicle_on_track")), (Limit.KIND,)),
        ({"also": ("heavy_vehicle_on_track",)}, works(also=("heavy_vehicle_on_track",)), (Limit.KIND,)),
        ({}, works(also=("of_another_release",)), (Limit.KIND,)),
        ({}, works(also=("river_works_500m",)), (Limit.KIND,)),  # wider, but another act
        ({}, works(also=("crossing_works",)), (Limit.KIND,)),
        ({"also": ("crossing_works",)}, works(also=("crossing_works",)), ()),
        ({"violation": "engineering_200m"},
         works(violation="engineering_200m", rule_id="works-200m", also=("works_50m",)), (Limit.KIND,)),
        ({"activities": ("working",)}, works(activity="stopped"), ()),  # who may dig may stand
        ({"activities": ("stopped",)}, works(), (Limit.ACTIVITY,)),
        ({"machine_limits": {"crane": 1}}, works(), (Limit.MACHINE,)),
        (ONE, works(), ()),
        ({"state": PermitState.REQUESTED}, works(), (Limit.NOT_APPROVED,)),
        ({"state": PermitState.REFUSED}, works(), (Limit.REFUSED,)),
        ({"state": PermitState.ENDED}, works(), ()),  # a late message of work that was lawful
        ({"state": PermitState.WITHDRAWN, "ended_at": NOON}, works(), (Limit.WITHDRAWN,)),
        ({"state": PermitState.WITHDRAWN, "ended_at": NOON + timedelta(seconds=1)}, works(), ()),
    ],
)  # fmt: skip
def test_each_limit_on_both_sides(changes: dict[str, Any], one: RiskEvent, limits: tuple[Limit, ...]) -> None:
    """Inside nobody is disturbed; outside the reason says by which limit and names the permit."""
    paper = permit(**changes)
    assert broken(one, paper, (), ZONE) == limits
    graded = grade_event(one, (paper,), 0, CITY, POLICY)
    assert (graded.lawful_by == "P-1") is not bool(limits)
    assert {(r.key, r.detail) for r in graded.reasons if r.key in list(Limit)} == {(k, "P-1") for k in limits}


def test_a_machine_that_may_be_within_a_worse_band_needs_a_permit_for_that() -> None:
    """Approved within 200 m, perhaps within 50 m: the approval for 200 m must not lower what may be the other."""
    maybe = works(violation="engineering_200m", may_lie_within=True, within_band=0.5)
    assert broken(maybe, permit(violation="engineering_200m"), (), ZONE) == (Limit.KIND,)
    assert broken(maybe, permit(violation="engineering_200m", also=("works_50m",)), (), ZONE) == ()


@pytest.mark.parametrize(
    ("other", "too_many"),
    [
        (seen("z", -600, -1), False),  # gone before this one came
        (seen("z", -600, 0), True),
        (seen("z", -600, -299, ended=False), True),  # the edge fell silent; still believed there
        (seen("z", -600, -301, ended=False), False),
        (seen("z", 1, 600), False),  # came later: that one is too many, not this
        (seen("z", -600, 60, object_class="crane"), False),
        (seen("z", -600, 60, violations=("on_pipe",)), False),
        (seen("z", -600, 60, from_m=9700.0, to_m=9700.0), False),  # beside the permit's stretch
    ],
)
def test_the_machine_that_came_last_is_the_one_too_many(other: MachineSeen, too_many: bool) -> None:
    """One excavator is allowed: the first stays lawful, the second is a violation that names the permit."""
    limits = broken(works(), permit(**ONE), (other,), ZONE)
    assert limits == ((Limit.NUMBER,) if too_many else ())


def test_a_second_machine_opens_a_case_beside_the_record_of_the_first() -> None:
    """The record of the lawful one is not reopened and mutes nothing."""
    record = replace(opened(works()), state=State.SUPERVISED, closed_at=NOON, closing_reason="permit_covers")
    nearby = Nearby(alerts=(record,), permits=(permit(**ONE),), machines=(seen("a", 0, 60),))
    commands = decide(works(episode="b", after_s=30), nearby)
    assert steps(commands)[0] == ("open", Why.AFTER_CLOSING)
    (first,) = [command for command in commands if isinstance(command, Open)]
    assert first.alert.state is State.OPEN
    assert ("permit_too_many_machines", "P-1") in {(r.key, r.detail) for r in first.alert.reasons}


def test_one_too_many_stays_a_case_when_the_first_has_left() -> None:
    """It was too many: that it is alone by now takes nothing back."""
    alert = opened(works())
    here = (seen("z", -60, 30), seen("a", 0, 40, ended=False))
    nearby = replace(held(alert), permits=(permit(**ONE),), machines=here, looks=(looks_of(works()),))
    later = works(phase="update", after_s=40)
    assert broken(later, permit(**ONE), here, ZONE) == ()
    assert steps(decide(later, nearby)) == []


def test_what_began_before_the_hours_stays_a_case() -> None:
    """Digging since 13:59 under a permit from 14:00 on was a violation."""
    paper = permit(hours=(Hours(from_min=14 * 60, to_min=18 * 60),))
    assert always_within(works(), (paper,), (looks_of(works()),), (), ZONE)
    assert not always_within(works(), (paper,), (looks_of(works(after_s=-1)),), (), ZONE)


def test_of_two_permits_the_one_that_always_covered_counts() -> None:
    """A second permit that begins later does not make a case of work that the first one covers all along."""
    later = permit(permit_number="P-0", valid_from=NOON)
    looks = (looks_of(works(after_s=-30)),)
    graded = grade_event(works(), (later, permit()), 0, CITY, POLICY, (), looks)
    assert (graded.lawful_by, graded.always_lawful) == ("P-1", True)


def test_a_permit_far_away_is_not_named() -> None:
    """Another company's permit forty kilometres on explains nothing to the operator."""
    near = grade_event(works(chainage_m=9600.0 + 2000.0), (permit(),), 0, CITY, POLICY)
    far = grade_event(works(chainage_m=9600.0 + 2001.0), (permit(),), 0, CITY, POLICY)
    assert [r.detail for r in near.reasons if r.key == Limit.PLACE] == ["P-1"]
    assert not [r for r in far.reasons if r.key in list(Limit)]


def test_a_request_never_hides_the_approval_that_was_broken() -> None:
    """The operator calls the company whose approval ended, not the one that once asked."""
    asked = permit(permit_number="P-0", state=PermitState.REQUESTED)
    late = permit(permit_number="P-2", valid_to=NOON - timedelta(seconds=1), machine_limits={"crane": 1})
    graded = grade_event(works(), (asked, late), 0, CITY, POLICY)
    assert {r.detail for r in graded.reasons if r.key in list(Limit)} == {"P-2"}


def test_of_several_permits_the_nearest_miss_is_named() -> None:
    """The operator reads one permit, not a list of all that do not fit."""
    late = permit(permit_number="P-2", valid_to=NOON - timedelta(seconds=1))
    worse = permit(permit_number="P-0", valid_to=NOON - timedelta(seconds=1), machine_limits={"crane": 1})
    graded = grade_event(works(), (worse, late), 0, CITY, POLICY)
    assert [(r.key, r.detail) for r in graded.reasons if r.key in list(Limit)] == [(Limit.TIME, "P-2")]


# ---------------------------------------------------------------- properties
CODES = sorted(CATALOGUE)
offsets = st.sampled_from([None, -60.0, -10.0, 0.0, 10.0, 60.0])
permits = st.builds(
    Permit,
    permit_number=st.just("P-1"), pipeline_id=st.sampled_from(["p1", "p2"]), violation=st.sampled_from(CODES),
    also=st.lists(st.sampled_from(CODES), max_size=3).map(tuple), state=st.sampled_from(PermitState),
    from_m=st.integers(9300, 9500), to_m=st.integers(9500, 9700), from_offset_m=offsets, to_offset_m=offsets,
    valid_from=st.integers(-2, 1).map(lambda h: NOON + timedelta(hours=h)),
    valid_to=st.integers(0, 3).map(lambda h: NOON + timedelta(hours=h)),
    hours=st.sampled_from([(), DAY, (Hours(from_min=14 * 60, to_min=15 * 60),), (Hours(from_min=22 * 60, to_min=6 * 60),)]),
    activities=st.sampled_from([(), ("working",), ("stopped",), ("passing", "stopped")]),
    machine_limits=st.sampled_from([{}, {"excavator": 1}, {"excavator": 2}, {"crane": 1}]),
    ended_at=st.sampled_from([None, NOON - timedelta(hours=1), NOON + timedelta(hours=1)]),
)  # fmt: skip
events = st.builds(
    works,
    violation=st.sampled_from(CODES), rule_id=st.sampled_from(["works-50m", "dig-5m", "works-200m"]),
    may_lie_within=st.booleans(), chainage_m=st.sampled_from([None, 9299.0, 9450.0, 9500.0, 9701.0]),
    offset_m=st.sampled_from([None, -61.0, -10.0, 5.0, 60.0]), after_s=st.integers(-4, 4).map(lambda h: h * 3600.0),
    activity=st.sampled_from(["passing", "stopped", "working"]), object_class=st.sampled_from(["excavator", "crane"]),
)  # fmt: skip
machines = st.lists(st.sampled_from([seen("y", -9000, 9000), seen("z", -9000, -10), seen("x", 10, 9000)]),
                    unique_by=lambda one: one.episode_id).map(tuple)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(events, st.lists(permits, max_size=3, unique_by=lambda p: id(p)), machines)
def test_a_permit_never_lowers_what_the_law_does_not_know(
    one: RiskEvent, papers: list[Permit], there: tuple[MachineSeen, ...]
) -> None:
    """Whatever permits there are: no lower level, no supervised record, unless the catalogue says approval."""
    papers = [replace(paper, permit_number=f"P-{n}") for n, paper in enumerate(papers)]
    without = grade_event(one, (), 0, CITY, POLICY)
    graded = grade_event(one, tuple(papers), 0, CITY, POLICY, there)
    if CATALOGUE[one.violation].permit == "none":
        assert graded.lawful_by is None
        assert graded.level == without.level
    if graded.lawful_by is None:
        assert graded.level == without.level


@settings(max_examples=300, deadline=None)
@given(events, permits, machines)
def test_an_event_outside_any_limit_is_never_supervised(
    one: RiskEvent, paper: Permit, there: tuple[MachineSeen, ...]
) -> None:
    """Only what breaks no limit becomes a record; and whatever does not is graded in full."""
    commands = on_event(one, Nearby(permits=(paper,), machines=there), CITY, POLICY, NOON, uid("new"))
    supervised = ("supervise", Why.PERMIT_COVERS) in steps(commands)
    if broken(one, paper, there, ZONE):
        assert not supervised
        first = commands[0]
        assert isinstance(first, Open)
        assert first.alert.level == grade_event(one, (), 0, CITY, POLICY).level


def _shrunk(paper: Permit, how: int) -> Permit:
    """The permit with one limit narrower, or one more."""
    middle = (paper.from_m + paper.to_m) / 2
    limits = {name: most - 1 for name, most in paper.machine_limits.items()} or {"excavator": 1}
    changes: tuple[dict[str, Any], ...] = (
        {"from_m": middle},
        {"to_m": middle},
        {"valid_from": paper.valid_from + timedelta(minutes=30)},
        {"valid_to": paper.valid_to - timedelta(minutes=30)},
        {"from_offset_m": max(-5.0, paper.from_offset_m if paper.from_offset_m is not None else -5.0)},
        {"to_offset_m": min(5.0, paper.to_offset_m if paper.to_offset_m is not None else 5.0)},
        {"machine_limits": limits},
        {"also": ()},
        {"activities": paper.activities[:1] or ("working",)},
        {"state": PermitState.WITHDRAWN, "ended_at": NOON},
        {"hours": tuple(replace(h, to_min=(h.to_min - 30) % 1440) for h in paper.hours) or DAY},
    )
    return replace(paper, **changes[how % len(changes)])


@settings(max_examples=500, deadline=None)
@given(events, permits, machines, st.integers(0, 10))
def test_shrinking_a_permit_never_makes_an_event_lawful(
    one: RiskEvent, paper: Permit, there: tuple[MachineSeen, ...], how: int
) -> None:
    """Whoever narrows a permit need not fear that it lets more through."""
    if broken(one, paper, there, ZONE):
        state = paper.state in (PermitState.REQUESTED, PermitState.REFUSED)
        if state and how == 9:
            return  # a request is withdrawn only as a whole: it never covered (permit_steps.py)
        if paper.state is PermitState.WITHDRAWN and how == 9:
            return  # withdrawn once
        assert broken(one, _shrunk(paper, how), there, ZONE)


# ---------------------------------------------------------------- two permits for one place
def arrived(n: int, **changes: Any) -> tuple[RiskEvent, MachineSeen]:
    """The n-th machine: its event, and how it is seen by those that come later."""
    place = {"chainage_m": changes.get("from_m", 9500.0)}
    return works(episode=f"n{n}", after_s=n, **place), seen(f"n{n}", n, 9000, **changes)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=3))
def test_the_numbers_of_permits_that_cover_the_same_work_add_up(numbers: list[int]) -> None:
    """As many machines as all allow together are lawful in the order in which they came; the next breaks each of them."""
    papers = [
        permit(permit_number=f"P-{n}", machine_limits={"excavator": most}) for n, most in enumerate(numbers)
    ]
    there: tuple[MachineSeen, ...] = ()
    for n in range(sum(numbers) + 2):
        one, machine = arrived(n)
        graded = grade_event(one, tuple(papers), 0, CITY, POLICY, there)
        assert (graded.lawful_by is not None) == (n < sum(numbers)), n
        if n >= sum(numbers):
            named = {r.detail for r in graded.reasons if r.key == Limit.NUMBER}
            assert named == {paper.permit_number for paper in papers}
        there = (*there, machine)


def test_numbers_are_not_added_up_where_the_other_permit_is_for_something_else() -> None:
    """Another hour, kind or stretch: its number is not for this machine, and the breach names only the one that is."""
    first = arrived(0)[1]
    others = (
        {"hours": (Hours(from_min=0, to_min=60),)}, {"violation": "river_works_500m"}, {"from_m": 9600.0, "to_m": 9900.0},
        {"machine_limits": {"crane": 1}},
    )  # fmt: skip
    for other in others:
        papers = (permit(**ONE), permit(permit_number="P-2", **{**ONE, **other}))
        graded = grade_event(arrived(1)[0], papers, 0, CITY, POLICY, (first,))
        assert graded.lawful_by is None, other
        assert {(r.key, r.detail) for r in graded.reasons if r.key.startswith("permit")} == {
            (Limit.NUMBER, "P-1")
        }


def test_the_record_names_every_permit_whose_number_it_uses() -> None:
    """The second excavator is lawful by both; that one was there first and has left takes nothing back."""
    papers = (permit(**ONE), permit(permit_number="P-2", **ONE))
    first = arrived(0)[1]
    looks = (looks_of(arrived(1)[0]),)
    graded = grade_event(arrived(1)[0], papers, 0, CITY, POLICY, (first,), looks)
    assert (graded.lawful_by, graded.always_lawful) == ("P-1", True)
    named = {(r.key, r.detail) for r in graded.reasons if r.key.startswith("permit")}
    assert named == {("permit", "P-1"), ("permit_added", "P-2")}
    gone = replace(first, last_at=NOON + timedelta(seconds=30))
    later = works(episode="n1", after_s=60, phase="update")
    alone = grade_event(later, papers, 0, CITY, POLICY, (gone, arrived(1)[1]), looks)
    assert (alone.lawful_by, alone.always_lawful) == ("P-1", True)


class Walked(tuple[Looks, ...]):
    """Looks that count how often somebody goes through them."""

    walks = 0

    def __iter__(self) -> Iterator[Looks]:
        type(self).walks += 1
        return super().__iter__()


def test_many_permits_at_one_place_walk_the_looks_once_each() -> None:
    """Else six permits and a long case hold the site's lock for many seconds, and its next alert of level I waits."""
    papers = [permit(permit_number=f"P-{n}") for n in range(6)]
    one = works()
    good = looks_of(one)
    Walked.walks = 0
    looks = Walked([*(good for _ in range(50)), replace(good, from_m=1.0, to_m=1.0)])
    assert covering(one, papers, (), ZONE, looks) == (papers[0],)
    assert Walked.walks <= len(papers)
    # those that had room for all of it still come first
    wide = permit(permit_number="P-9", from_m=0.0)
    assert covering(one, [*papers, wide], (), ZONE, looks) == (wide,)


stretches = st.sampled_from([(9400.0, 9550.0), (9450.0, 9650.0), (9550.0, 9700.0)])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(stretches, st.integers(0, 2)), min_size=1, max_size=3),
    st.lists(st.sampled_from([9420.0, 9500.0, 9600.0, 9680.0]), max_size=5), st.sampled_from([9420.0, 9500.0, 9600.0, 9680.0]),
)  # fmt: skip
def test_what_is_lawful_by_several_has_room_however_the_others_are_shared_out(
    limits: list[tuple[tuple[float, float], int]], before: list[float], at_m: float
) -> None:
    """Also with the worst sharing out one of its permits has room; and a further permit never takes a right away."""
    papers = [permit(permit_number=f"P-{n}", from_m=a, to_m=b, machine_limits={"excavator": most})
              for n, ((a, b), most) in enumerate(limits)]  # fmt: skip
    there = tuple(arrived(n, from_m=m, to_m=m)[1] for n, m in enumerate(before))
    one = works(episode="last", after_s=99, chainage_m=at_m)
    found = covering(one, papers, there, ZONE)
    mine = [paper for paper in papers if paper.from_m <= at_m <= paper.to_m]
    if found:
        assert all(paper in mine for paper in found)
        # the most that all others can fill of these permits' room
        others = sum(any(p.from_m <= m <= p.to_m for p in found) for m in before)
        assert others < sum(paper.machine_limits["excavator"] for paper in found)
    for paper in mine:  # who had room by one permit alone has it with all of them
        if covering(one, [paper], there, ZONE):
            assert found
    assert not found or covering(one, [*papers, permit(permit_number="P-9", **ONE)], there, ZONE)

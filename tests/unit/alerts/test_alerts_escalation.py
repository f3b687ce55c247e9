"""Clocks that run out and the chains that follow: in time, never too early, never without an end."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.clocks import Clock, clocks
from alerts.commands import PutEscalation, SetTimer
from alerts.engine import AlertEngine
from alerts.errors import AlertsError
from alerts.escalation import ClockFacts, due, next_moment_s, on_clocks, schedule
from alerts.lifecycle import AlertKind, State, Step
from alerts.policy import Policy
from alerts.reasons import EndOfChain, Health
from alerts.replay import compare, replay
from alerts.values import Dispatch, Escalation
from monitor.domain.assets import City, Contact, Member, Team
from monitor.domain.hours import Hours
from monitor.domain.levels import Level
from monitor.domain.response import Chain, ChainStep, Milestone, Response, Who
from monitor.domain.shifts import Shift
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.alert_story import CITY, NOON, OPERATOR, PLACE, SUPERVISOR, event, officer, uid

MINUTE = timedelta(minutes=1)
replaced = msgspec.structs.replace

steps = st.builds(
    ChainStep, who=st.sampled_from(Who), after_s=st.floats(0, 7200), every_s=st.floats(1, 3600),
    times=st.integers(1, 5),
)  # fmt: skip
chains = st.builds(Chain, steps=st.lists(steps, max_size=5).map(tuple), wait_s=st.floats(1, 3600))


class Town:
    """One alert of level I in a city whose first officer leads, with an engine on a book in memory."""

    def __init__(self, city: City = CITY, response: Response | None = None) -> None:
        self.book = MemoryAlertBook()
        self.engine = AlertEngine(self.book, city, Policy(response=response or Response()))
        self.book.add_event(event(), NOON)
        self.engine.take_work(NOON)
        (row,) = self.engine.list_alerts(kind=AlertKind.VIOLATION)
        self.alert_id = row.alert.alert_id

    def until(self, minutes: float, every_s: float = 20.0) -> None:
        """Lets time pass, a tick at a time; from where it stood."""
        at, end = getattr(self, "_at", NOON), NOON + minutes * MINUTE
        while at < end:
            at = min(end, at + timedelta(seconds=every_s))
            self.engine.run_due(at)
        self._at = end

    def step(self, step: Step, minutes: float, actor: Any = OPERATOR, **more: Any) -> None:
        self.until(minutes)
        self.engine.step(self.alert_id, step, actor, NOON + minutes * MINUTE, **more)

    def told(self) -> list[tuple[float, str, str]]:
        """(minute, person, channel) of all who were told."""
        with self.book.begin() as tx:
            rows = tx.told(self.alert_id)
        return [(round((t.at - NOON) / MINUTE, 1), t.person, t.channel) for t in rows]

    def ends(self) -> list[tuple[str, str | None]]:
        with self.book.begin() as tx:
            return [(e.clock, e.end_reason) for e in tx.escalations(self.alert_id)]


#: the near team has a lead and somebody on call, and the room a supervisor with a telephone
STAFFED = replaced(
    CITY,
    teams=(replaced(CITY.teams[0], lead="bo", on_call=("ann",)), CITY.teams[1]),
    contacts=(Contact(contact_id="chief", name={}, role="supervisor", addresses={"sms": "+8613800000000"}),),
)


# ---------------------------------------------------------------- the chain as a table
@settings(max_examples=60, deadline=None, derandomize=True)
@given(chain=chains)
def test_every_chain_ends(chain: Chain) -> None:
    """Walking from moment to moment takes as many walks as there are moments, and then nothing is due any more."""
    through_s, walks = -1.0, 0
    while due(chain, through_s, next_moment_s(chain, through_s)):
        through_s = next_moment_s(chain, through_s)
        walks += 1
        assert walks <= len(schedule(chain)) <= 400


@settings(max_examples=60, deadline=None, derandomize=True)
@given(chain=chains, through_s=st.floats(-1, 90_000), elapsed_s=st.floats(0, 90_000))
def test_no_moment_comes_before_its_time_or_twice(chain: Chain, through_s: float, elapsed_s: float) -> None:
    """Only moments after what is done and not after now; of each step one."""
    found = due(chain, through_s, elapsed_s)
    assert all(through_s < moment.offset_s <= elapsed_s for moment in found)
    assert len({moment.step for moment in found}) == len(found)
    if through_s <= max((moment.offset_s for moment in schedule(chain)), default=0.0):
        assert next_moment_s(chain, through_s) > through_s


def test_a_worker_that_slept_tells_each_step_once() -> None:
    """An hour late, a step with five repetitions rings once, and the last one counts as done."""
    chain = Chain(
        steps=(
            ChainStep(who=Who.OPERATOR, every_s=60.0, times=5),
            ChainStep(who=Who.SUPERVISOR, after_s=300.0),
        )
    )
    assert [(m.step, m.round) for m in due(chain, -1.0, 3600.0)] == [(0, 5), (1, 1)]


# ---------------------------------------------------------------- the loop
def test_nobody_acknowledges_and_the_supervisor_hears() -> None:
    """An officer accepts nothing, nobody looks: the room is told at five minutes, the supervisor at ten, by text."""
    town = Town(STAFFED)
    town.until(9.9)
    assert town.told() == [(5.0, "operator", "mqtt"), (7.0, "operator", "mqtt"), (9.0, "operator", "mqtt")]
    town.until(10.0)
    assert (10.0, "chief", "sms") in town.told()


def test_who_acknowledges_hears_nothing_until_the_next_clock_runs_out() -> None:
    """The room looks at six minutes: silence, until nobody accepted after ten; then the team's lead hears too."""
    town = Town(STAFFED)
    town.step(Step.ACKNOWLEDGE, 6.0)
    town.until(9.9)
    assert town.told() == [(5.0, "operator", "mqtt")]
    assert town.ends() == [("operator_patrol:acknowledge", EndOfChain.ACKNOWLEDGED)]
    town.until(10.0)
    assert [who for at, who, _ in town.told() if at == 10.0] == ["bo", "operator"]


def test_who_was_just_sent_is_not_rung_for_the_one_before() -> None:
    """At ten minutes Bo is sent in Ann's place: the room hears that nobody accepted, Bo has a time of his own."""
    town = Town()
    town.step(Step.ACKNOWLEDGE, 1.0)
    town.until(10.0)
    assert officers(town)[-1] == ("bo", None)
    assert [who for _, who, _ in town.told()] == ["operator"]


def test_accepting_stops_both() -> None:
    """Somebody goes: neither who should have looked nor who should have gone is asked again."""
    town = Town(STAFFED)
    town.step(Step.ACCEPT, 6.0, officer("ann"))
    town.until(14.0)
    assert town.told() == [(5.0, "operator", "mqtt")]


def test_each_of_the_later_clocks_alarms() -> None:
    """Accepted, never there; there, never put right; put right, never checked: each tells somebody."""
    slow = Response(dark_after_share=5.0)
    town = Town(STAFFED, slow)
    town.step(Step.ACCEPT, 1.0, officer("ann"))
    town.step(Step.DEPART, 2.0, officer("ann"))
    town.until(60.0, every_s=30)
    late = [who for at, who, _ in town.told() if at == 60.0]
    assert late == ["ann", "bo", "operator"]
    town.step(Step.ARRIVE, 61.0, officer("ann"), lon=PLACE[0], lat=PLACE[1])
    town.until(61.0 + 481, every_s=300)
    assert [c for c, _ in town.ends()] == ["authority:arrive", "authority:cure"]
    view = town.engine.view(town.alert_id)
    assert {m.reason for m in view.transitions if m.step == "escalate"} == {"arrive_overdue", "cure_overdue"}


def test_when_everybody_was_told_and_nobody_answers_that_is_an_alert() -> None:
    """The chain ends, the health alert begins; the first look at it ends that too."""
    town = Town(replaced(STAFFED, teams=()))
    town.until(120.0, every_s=60)
    silent = [
        r.alert
        for r in town.engine.list_alerts(kind=AlertKind.HEALTH)
        if r.alert.health == Health.NOBODY_ANSWERED
    ]
    assert [alert.closed_at for alert in silent] == [None]
    count = len(town.told())
    town.until(600.0, every_s=600)
    assert len(town.told()) == count
    town.step(Step.ACKNOWLEDGE, 601.0)
    assert all(
        r.alert.closed_at
        for r in town.engine.list_alerts(kind=AlertKind.HEALTH)
        if r.alert.health == Health.NOBODY_ANSWERED
    )


def test_a_level_that_rises_begins_the_worse_chain() -> None:
    """Level III waits an hour for the room; when it becomes level I that hour is five minutes."""
    town = Town()
    book = MemoryAlertBook()
    engine = AlertEngine(book, CITY)
    book.add_event(
        event(violation="on_pipe", rule_id="person-on-pipe", activity="passing", object_class="person"), NOON
    )
    engine.take_work(NOON)
    (row,) = engine.list_alerts(kind=AlertKind.VIOLATION)
    assert row.alert.level is not Level.I
    waits = [t.due_at for t, done in book.tables.timers.values() if done is None and t.what == "clocks"]
    mild = Response().limit("operator_patrol", row.alert.level).acknowledge_s
    assert mild is not None
    assert min(waits) == NOON + timedelta(seconds=mild)
    assert town.alert_id


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    acts=st.lists(
        st.tuples(
            st.floats(0.1, 30),
            st.sampled_from([Step.ACKNOWLEDGE, Step.ACCEPT, Step.DEPART, Step.ARRIVE, Step.RECALL, Step.DISPATCH, Step.DECLINE]),
            st.sampled_from(["ann", "bo", "cai", "room"]),
        ),
        max_size=8,
    ),
    tick_s=st.sampled_from([30.0, 300.0, 1500.0]),
)  # fmt: skip
def test_whatever_people_do(acts: list[tuple[float, Step, str]], tick_s: float) -> None:
    """Nobody is told before the clock ran out, twice, or after the answer; the log explains the table; it ends."""
    town = Town(STAFFED)
    minutes = 0.0
    for after, step, who in acts:
        minutes += after
        town.until(minutes, tick_s)
        actor = OPERATOR if who == "room" else officer(who)
        with contextlib.suppress(AlertsError):  # what the lifecycle refuses is part of the story
            town.engine.step(town.alert_id, step, actor, NOON + minutes * MINUTE)
    town.until(minutes + 60 * 24, 3600)
    tables = town.book.tables
    assert replay(tables.entries)
    assert compare(replay(tables.entries), tables.alerts.values()) == []
    with town.book.begin() as tx:
        rows, told = tx.escalations(town.alert_id), tx.told(town.alert_id)
    assert all(row.ended_at is not None for row in rows)
    for message in told:
        mine = [r for r in rows if r.clock == message.clock and r.begun_at <= message.at]
        assert mine
        assert any(r.ended_at is None or message.at <= r.ended_at for r in mine)
    assert len({t.idempotency_key for t in told}) == len(told)
    # an acknowledged alert says nothing more of the clocks that had run out by then
    for look in (m.at for m in town.engine.view(town.alert_id).transitions if m.step == Step.ACKNOWLEDGE):
        known = {
            (r.clock, r.since) for r in rows if r.begun_at <= look and r.end_reason == EndOfChain.ACKNOWLEDGED
        }
        again = [r for r in rows if (r.clock, r.since) in known and r.begun_at > look]
        sent = [d.dispatched_at for d in town.engine.view(town.alert_id).dispatches]
        assert all(any(look <= at < r.begun_at for at in sent) for r in again), "but of who was sent after it"


# ---------------------------------------------------------------- the clocks
def dispatch(team: str, minutes: float, **more: Any) -> Dispatch:
    fields: dict[str, Any] = {
        name: NOON + value * MINUTE if name.endswith("_at") else value for name, value in more.items()
    }
    return Dispatch(dispatch_id=uid(f"{team}{minutes}"), alert_id=uid("x"), team_id=team, officer=team,
                    dispatched_at=NOON + minutes * MINUTE, **fields)  # fmt: skip


BOTH = replaced(CITY, teams=(replaced(CITY.teams[0], kind="operator_patrol"), CITY.teams[1]))


def run_out(at_min: float, *dispatches: Dispatch, **changes: Any) -> set[str]:
    alert = replaced(Town().engine.list_alerts(kind=AlertKind.VIOLATION)[0].alert, **changes)
    found = clocks(alert, dispatches, BOTH, Response())
    return {clock.name for clock in found if clock.ran_out(NOON + at_min * MINUTE)}


@pytest.mark.parametrize(
    ("at_min", "sent", "changes", "names"),
    [
        (4.9, (), {}, set()),
        (5.0, (), {}, {"operator_patrol:acknowledge"}),
        (5.0, (), {"acknowledged_at": NOON}, set()),
        # the two parties have clocks of their own
        (50, (dispatch("near", 0, accepted_at=1),), {"acknowledged_at": NOON}, {"operator_patrol:arrive"}),
        (50, (dispatch("far", 0, accepted_at=1),), {"acknowledged_at": NOON}, set()),
        (61, (dispatch("far", 0, accepted_at=1),), {"acknowledged_at": NOON}, {"authority:arrive"}),
        # the party's clock does not begin anew with each officer
        (12, (dispatch("far", 0, ended_at=9, end_reason="declined"), dispatch("far", 9)),
         {"acknowledged_at": NOON}, {"authority:accept"}),
        # nor does it run on when the other party took over, or the room called back
        (12, (dispatch("near", 0, ended_at=9, end_reason="declined"), dispatch("far", 9)),
         {"acknowledged_at": NOON}, set()),
        (99, (dispatch("far", 0, ended_at=9, end_reason="recalled"),), {"acknowledged_at": NOON, "state": State.OPEN},
         set()),
        (600, (dispatch("far", 0, accepted_at=1, arrived_at=30),), {"acknowledged_at": NOON}, {"authority:cure"}),
    ],
)  # fmt: skip
def test_which_clock_ran_out(
    at_min: float, sent: tuple[Dispatch, ...], changes: dict[str, Any], names: set[str]
) -> None:
    """By party and milestone."""
    changes.setdefault("state", State.DISPATCHED if sent else State.OPEN)
    if not sent:
        changes["confirmation"] = "pending"
        assert run_out(at_min, **changes) - {"operator_patrol:accept"} == names
    else:
        assert run_out(at_min, *sent, **changes) == names


def test_a_clock_met_too_late_says_so() -> None:
    late = Clock(
        party="authority",
        milestone=Milestone.ARRIVE,
        since=NOON,
        due_at=NOON + MINUTE,
        met_at=NOON + 2 * MINUTE,
    )
    assert late.was_late()
    assert not late.ran_out(NOON + timedelta(hours=1))


# ---------------------------------------------------------------- shifts and skills in the loop
def rostered(**more: Any) -> City:
    """Near: ann by day (07 to 19), bo by night; Shanghai's clock, and noon of the story is 14:00 there."""
    shifts = (
        Shift(shift_id="day", hours=Hours(from_min=420, to_min=1140), members=("ann",)),
        Shift(shift_id="night", hours=Hours(from_min=1140, to_min=420), members=("bo",)),
    )
    near = replaced(CITY.teams[0], shifts=shifts, **more)
    return replaced(CITY, teams=(near,))


def officers(town: Town) -> list[tuple[str, str | None]]:
    return [(d.officer, d.end_reason) for d in town.engine.view(town.alert_id).dispatches]


def test_who_has_not_left_hands_over_when_the_shift_ends() -> None:
    """Ann's shift ends at 19:00, five hours on: Bo goes instead, and Ann's phone hears it."""
    town = Town(rostered())
    town.step(Step.ACKNOWLEDGE, 1.0)
    patient = Response(limits={party: {level: replaced(limit, accept_s=1e6, depart_s=1e6) for level, limit in of.items()}
                               for party, of in Response().limits.items()})  # fmt: skip
    town = Town(rostered(), patient)
    town.until(299.0, every_s=600)
    assert officers(town) == [("ann", None)]
    town.until(300.0)
    assert officers(town) == [("ann", "handed_over"), ("bo", None)]
    messages = [(o.body["officer"], o.body["what"]) for o in town.book.tables.outgoing.values()]
    assert [m for m in messages if m[1] != "escalation"] == [
        ("ann", "dispatch"),
        ("ann", "recall"),
        ("bo", "dispatch"),
    ]


def test_who_is_under_way_is_relieved_by_a_person() -> None:
    """The log asks for it; the room hands over, and the lifecycle goes on with the next officer."""
    far_off = Response(dark_after_share=9.0)
    town = Town(rostered(), far_off)
    town.step(Step.ACCEPT, 1.0, officer("ann"))
    town.step(Step.DEPART, 2.0, officer("ann"))
    town.until(300.0, every_s=300)
    assert officers(town) == [("ann", None)]
    assert "shift_ended_under_way" in {m.reason for m in town.engine.view(town.alert_id).transitions}
    town.step(Step.HAND_OVER, 301.0, SUPERVISOR, idempotency_key="k")
    assert officers(town) == [("ann", "handed_over"), ("bo", None)]


def test_nobody_follows_and_the_officer_keeps_it() -> None:
    """A shift that ends with nobody after it leaves no alert without an officer."""
    city = rostered()
    alone = replaced(city, teams=(replaced(city.teams[0], members=city.teams[0].members[:1]),))
    patient = Response(limits={party: {level: replaced(limit, accept_s=1e6) for level, limit in of.items()}
                               for party, of in Response().limits.items()})  # fmt: skip
    town = Town(alone, patient)
    town.until(300.0, every_s=600)
    assert officers(town) == [("ann", None)]
    assert "nobody_follows" in {m.reason for m in town.engine.view(town.alert_id).transitions}


def test_nobody_on_shift_means_on_call_and_else_an_alert() -> None:
    """Half past two at night without a night shift: who is on call goes; without such, the room is told."""
    only_day = tuple(s for s in rostered().teams[0].shifts if s.shift_id == "day")

    def at_night(**more: Any) -> Town:
        near = replaced(
            CITY.teams[0], shifts=(replaced(only_day[0], hours=Hours(from_min=480, to_min=600)),), **more
        )
        return Town(replaced(CITY, teams=(near,)))

    (called,) = at_night(on_call=("bo",)).engine.dispatches_for(None)
    assert (called.dispatch.officer, called.dispatch.choice) == ("bo", "on_call")
    nobody = at_night()
    assert nobody.engine.dispatches_for(None) == ()
    (problem,) = nobody.engine.list_alerts(kind=AlertKind.HEALTH)
    assert problem.alert.reasons[0].key == "nobody_on_shift"


def test_the_skill_that_is_asked_for_goes_first() -> None:
    """Police liaison for theft, though it is the farther team; why is stored with the dispatch."""
    wanted = Response(skills={"excavation_5m": ("police_liaison",)})
    cai = Member(user="cai", name={}, role="officer", skills=("police_liaison",))
    city = replaced(
        CITY, teams=(CITY.teams[0], Team(team_id="far", name={}, base=(121.9, 31.2), members=(cai,)))
    )
    (sent,) = Town(city, wanted).engine.dispatches_for(None)
    assert (sent.dispatch.officer, sent.dispatch.choice) == ("cai", "skilled")
    assert sent.dispatch.chosen["skills"] == "police_liaison"
    assert float(sent.dispatch.chosen["way_s"]) == pytest.approx(
        float(sent.dispatch.chosen["way_m"]) / 30 * 3.6, rel=0.01
    )


def test_a_centre_that_was_down_for_hours_still_lets_people_answer() -> None:
    """Nobody is rung and given up in the same second: the chain begins when the clock is looked at."""
    town = Town(STAFFED)
    town.until(300.0, every_s=18_000)
    assert (300.0, "operator", "mqtt") in town.told()
    assert "chief" not in [who for _, who, _ in town.told()]
    assert EndOfChain.EXHAUSTED not in [why for _, why in town.ends()]
    town.step(Step.ACKNOWLEDGE, 301.0)


def test_a_chain_that_was_slept_through_ends_only_after_its_wait() -> None:
    """The last step is told late, and whoever it rings has the whole wait to answer."""
    town = Town(STAFFED)
    town.until(6.0)
    town.until(300.0, every_s=18_000)
    ends = dict(town.ends())
    assert ends["operator_patrol:acknowledge"] is None
    assert (300.0, "chief", "sms") in town.told()
    town.until(311.0)
    assert dict(town.ends())["operator_patrol:acknowledge"] == EndOfChain.EXHAUSTED


def test_a_case_that_is_opened_again_does_not_ask_who_saw_it_first() -> None:
    """Accepted, resolved, opened again an hour later: the room is not rung for the first five minutes."""
    sent = (
        dispatch("near", 0, accepted_at=1, arrived_at=5, ended_at=30, end_reason="resolved"), dispatch("near", 60),
    )  # fmt: skip
    assert run_out(65, *sent, state=State.DISPATCHED) == set()


def test_a_restart_forgets_nothing() -> None:
    """Another worker on the same book goes on where the first one was; what was told is not told again."""
    town = Town(STAFFED)
    town.until(6.0)
    before = town.told()
    town.engine = AlertEngine(town.book, STAFFED)
    town.until(6.9)
    assert town.told() == before
    town.until(7.1)
    assert len(town.told()) == len(before) + 1


# ---------------------------------------------------------------- hand-overs, second officers, rising levels
def test_a_hand_over_on_site_starts_no_clock_anew() -> None:
    """Eight hours of cure run from the first arrival; nobody is rung for accepting and arriving again."""
    sent = (
        dispatch("far", 0, accepted_at=1, arrived_at=30, ended_at=470, end_reason="handed_over"), dispatch("far", 470),
    )  # fmt: skip
    seen: dict[str, Any] = {"acknowledged_at": NOON, "state": State.DISPATCHED}
    assert run_out(471, *sent, **seen) == set()
    assert run_out(30 + 480, *sent, **seen) == {"authority:cure"}


def test_the_second_officer_is_missed_too() -> None:
    """Accepted at twelve minutes and gone dark, the room looks; who is sent after that is missed as well, and said so.

    Whoever else is sent then, nobody is rung for ever.
    """
    town = Town(STAFFED)
    town.step(Step.ACKNOWLEDGE, 1.0)
    town.until(12.0)
    town.step(Step.ACCEPT, 12.0, officer(officers(town)[-1][0]))
    town.step(Step.ACKNOWLEDGE, 61.0)
    before = len(town.told())
    town.until(61.0 + 240, every_s=60)
    assert len(town.told()) > before
    town.until(24 * 60, every_s=600)
    count = len(town.told())
    town.until(72 * 60, every_s=600)
    assert len(town.told()) == count
    assert all(why is not None for _, why in town.ends())


def test_looking_at_an_alert_does_not_silence_the_officer_who_is_sent() -> None:
    """Bo was sent before the room looked, and does not answer either: somebody hears of it when his limit passes."""
    town = Town(STAFFED)
    town.until(12.0)
    town.step(Step.ACKNOWLEDGE, 12.0)
    before = len(town.told())
    town.until(23.0)
    assert len(town.told()) > before


def a_row(clock: str, end: EndOfChain, level: Level, begun: float, ended: float) -> Escalation:
    return Escalation(alert_id=uid("x"), clock=clock, since=NOON, begun_at=NOON + begun * MINUTE, level=level,
                      told_through_s=0.0, ended_at=NOON + ended * MINUTE, end_reason=end.value)  # fmt: skip


@pytest.mark.parametrize("end", [EndOfChain.EXHAUSTED, EndOfChain.ANSWERED, EndOfChain.ACKNOWLEDGED])
def test_a_rise_after_the_chain_ended_begins_the_worse_one(end: EndOfChain) -> None:
    """Said and done at level III; as level I it is said again, and once."""
    alert = replaced(Town().engine.list_alerts(kind=AlertKind.VIOLATION)[0].alert, acknowledged_at=NOON,
                     state=State.DISPATCHED)  # fmt: skip
    sent = (dispatch("far", 0),)
    row = a_row("authority:accept", end, Level.III, 40, 41)

    def begun(*rows: Escalation) -> list[Escalation]:
        facts = ClockFacts(dispatches=sent, escalations=rows)
        commands = on_clocks(alert, facts, BOTH, Policy(), NOON + 45 * MINUTE)
        return [c.escalation for c in commands if isinstance(c, PutEscalation)]

    (worse,) = begun(row)
    assert (worse.level, worse.begun_at) == (Level.I, NOON + 45 * MINUTE)
    assert begun(row, replaced(worse, ended_at=worse.begun_at, end_reason=end.value)) == []


def test_who_was_sent_after_an_answer_has_a_limit_that_is_looked_at() -> None:
    """Accepted at 12, dark at 40: the next one is looked at when their ten minutes are over, and not before."""
    alert = replaced(Town().engine.list_alerts(kind=AlertKind.VIOLATION)[0].alert, acknowledged_at=NOON,
                     state=State.DISPATCHED)  # fmt: skip
    first = dispatch("far", 0, accepted_at=12, ended_at=40, end_reason="went_dark")
    row = a_row("authority:accept", EndOfChain.ANSWERED, Level.I, 10, 12)
    facts = ClockFacts(dispatches=(first, dispatch("far", 40)), escalations=(row,))

    def at(minutes: float, facts: ClockFacts = facts) -> tuple[list[Any], list[Any]]:
        commands = on_clocks(alert, facts, BOTH, Policy(), NOON + minutes * MINUTE)
        rows = [c.escalation.begun_at for c in commands if isinstance(c, PutEscalation)]
        return rows, [c.timer.due_at for c in commands if isinstance(c, SetTimer)]

    assert at(49) == ([], [NOON + 50 * MINUTE])
    assert at(50)[0] == [NOON + 50 * MINUTE]
    # where nobody ever answered, all were told already: officer after officer would have no end
    unanswered = replaced(first, accepted_at=None)
    silent = replaced(row, end_reason=EndOfChain.EXHAUSTED.value)
    assert at(50, ClockFacts(dispatches=(unanswered, dispatch("far", 40)), escalations=(silent,)))[0] == []


def test_the_end_of_a_shift_sends_nobody_to_a_refuted_alert() -> None:
    """Ann had not left when the room saw that it was nothing: her phone hears it, and Bo stays where he is."""
    patient = Response(limits={party: {level: replaced(limit, accept_s=1e6, depart_s=1e6) for level, limit in of.items()}
                               for party, of in Response().limits.items()})  # fmt: skip
    town = Town(rostered(), patient)
    town.step(Step.REFUTE, 1.0, note="a mower")
    town.until(300.0, every_s=600)
    assert officers(town) == [("ann", "handed_over")]
    assert town.engine.view(town.alert_id).alert.state is State.OPEN
    messages = [(o.body["officer"], o.body["what"]) for o in town.book.tables.outgoing.values()]
    assert messages[-1] == ("ann", "recall")

"""Whose look is next: nobody is left unseen, nothing is run too late, III goes before II before I."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import gate, watcher
from edge.scheduling import (
    GOING_ON_S,
    NOBODY_UNSEEN_S,
    Ask,
    Occasion,
    Refusal,
    Why,
    deadline_s,
    turn,
)
from monitor.domain.levels import HcaGrade

I, II, III = HcaGrade  # noqa: E741 - the standard's own numeral


def ask(
    camera_id: str, grade: HcaGrade = I, occasion: Occasion = Occasion.MOTION, *, look: int = 1, until_s: float = 100.5
) -> Ask:  # fmt: skip
    """A look that is asked at second 100."""
    return Ask(camera_id=camera_id, look=look, grade=grade, occasion=occasion, deadline_s=until_s)


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """A camera of the simulation below: it looks each `every_s`, and at once if its look before took longer."""

    grade: HcaGrade
    occasion: Occasion
    every_s: float = 0.2


class Run(msgspec.Struct, kw_only=True):
    """What a simulated minute of an edge gave."""

    asked: dict[str, int]
    #: seconds at which each camera's looks began
    served: dict[str, list[float]]
    late_runs: int = 0

    def longest_gap_s(self, camera_id: str, until_s: float) -> float:
        """The longest time for which nobody looked."""
        times = [0.0, *self.served[camera_id], until_s]
        return max(b - a for a, b in pairwise(times))


def simulate(cameras: dict[str, Camera], look_s: float, lanes: int = 1, until_s: float = 60.0) -> Run:
    """An edge whose looks take `look_s` each, in steps of 25 milliseconds."""
    run = Run(asked=dict.fromkeys(cameras, 0), served={name: [] for name in cameras})
    ready_s = {name: k * 0.013 for k, name in enumerate(cameras)}  # not all in the same instant
    waiting: tuple[Ask, ...] = ()
    running: dict[str, float] = {}
    asked_s: dict[str, float] = {}
    served_s: dict[str, float] = {}
    for step in range(round(until_s * 40)):
        now_s = step / 40
        for name, ends_s in list(running.items()):
            if now_s >= ends_s:
                del running[name]
                ready_s[name] = max(now_s, asked_s[name] + cameras[name].every_s)
        for name, camera in cameras.items():
            if name not in running and now_s >= ready_s[name] and all(a.camera_id != name for a in waiting):
                run.asked[name] += 1
                asked_s[name] = now_s
                until = deadline_s(camera.occasion, now_s)
                waiting += (
                    Ask(camera_id=name, look=step, grade=camera.grade, occasion=camera.occasion, deadline_s=until),
                )  # fmt: skip
        while waiting:
            decided = turn(waiting, served_s, now_s, idle=len(running) < lanes)
            waiting = decided.waiting
            for refused, why in decided.refused:
                assert why is Refusal.LATE
                ready_s[refused.camera_id] = max(
                    now_s, asked_s[refused.camera_id] + cameras[refused.camera_id].every_s
                )
            if decided.ask is None:
                break
            chosen = decided.ask
            run.late_runs += now_s > chosen.deadline_s
            run.served[chosen.camera_id].append(now_s)
            served_s[chosen.camera_id], running[chosen.camera_id] = now_s, now_s + look_s
    return run


def test_the_worse_area_goes_first_and_equals_take_turns() -> None:
    """III before II before I; of two equals the one that was seen longer ago; of occasions the more urgent."""
    seen = {"a": 99.5, "b": 99.0, "c": 99.5}
    chosen = turn([ask("a", I), ask("b", II), ask("c", III)], seen, 100.0)
    assert (chosen.ask, chosen.why) == (ask("c", III), Why.GRADE)
    chosen = turn([ask("a", II), ask("b", II)], seen, 100.0)
    assert chosen.ask == ask("b", II)
    chosen = turn([ask("b", II, Occasion.EPISODE), ask("a", II, Occasion.DWELL)], seen, 100.0)
    assert chosen.ask == ask("a", II, Occasion.DWELL)


def test_nobody_is_left_unseen_for_a_worse_area() -> None:
    """After six seconds the least important camera comes before all, where something goes on after two."""
    seen = {"a": 94.0, "b": 98.0, "c": 97.9}
    asks = [ask("a", I, Occasion.FLOOR), ask("b", I), ask("c", III)]
    assert turn(asks, seen, 99.99).why is Why.GRADE or turn(asks, seen, 99.99).ask == asks[2]
    decided = turn(asks, seen, 100.0)
    assert (decided.ask, decided.why) == (asks[0], Why.UNSEEN)
    decided = turn([ask("b", I), ask("d", III)], {"b": 98.0, "d": 99.0}, 100.0)
    assert (decided.ask, decided.why) == (ask("b", I), Why.GOING_ON)
    decided = turn([ask("b", I, Occasion.FLOOR), ask("d", III)], {"b": 98.0, "d": 99.0}, 100.0)
    assert decided.ask == ask("d", III)


def test_a_camera_that_was_never_looked_at_is_the_longest_unseen() -> None:
    """A camera that has just started waits for nobody."""
    assert turn([ask("old", III), ask("new", I)], {"old": 90.0}, 100.0).ask == ask("new", I)


def test_what_is_late_is_refused_and_only_the_newest_look_of_a_camera_counts() -> None:
    """On its deadline a look may begin, a moment later it is refused; a newer one of the camera replaces it."""
    decided = turn([ask("a", until_s=100.0), ask("b", until_s=99.9)], {}, 100.0)
    assert (decided.ask, decided.refused) == (
        ask("a", until_s=100.0),
        ((ask("b", until_s=99.9), Refusal.LATE),),
    )
    decided = turn([ask("a", look=1), ask("a", look=2)], {}, 100.0)
    assert (decided.ask, decided.refused) == (ask("a", look=2), ((ask("a", look=1), Refusal.SUPERSEDED),))
    busy = turn([ask("a"), ask("b", until_s=99.0)], {}, 100.0, idle=False)
    assert (busy.ask, busy.waiting, busy.refused) == (None, (ask("a"),), ((ask("b", until_s=99.0), Refusal.LATE),))  # fmt: skip


def test_the_floors_are_the_gates_own_and_a_dwell_outlives_overload() -> None:
    """What the gate wants to look at anyhow is what overload leaves, and it is less than a dwell may go unseen."""
    assert (NOBODY_UNSEEN_S, GOING_ON_S) == (gate.EMPTY_FLOOR_S, gate.FLOOR_S)
    assert GOING_ON_S + 0.5 < watcher.GRACE_S


FLEET = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(
        Camera,
        grade=st.sampled_from(HcaGrade),
        occasion=st.sampled_from(Occasion),
        every_s=st.sampled_from((0.1, 0.2, 0.5)),
    ),
    min_size=1,
)


@settings(max_examples=25, deadline=None)
@given(cameras=FLEET, look_s=st.sampled_from((0.05, 0.1, 0.3, 0.5)), lanes=st.integers(1, 2))
def test_nobody_starves_and_nothing_runs_late(cameras: dict[str, Camera], look_s: float, lanes: int) -> None:
    """While one look each six seconds can be had at all, everybody has it; no look begins after its deadline."""
    run = simulate(cameras, look_s, lanes, until_s=20.0)
    assert run.late_runs == 0
    everybodys_s = (len(cameras) + 1) * look_s / lanes
    slack_s = 1.0  # between a refusal and the next look that it asks for
    for name in cameras:
        assert run.longest_gap_s(name, 20.0) <= max(NOBODY_UNSEEN_S, everybodys_s) + everybodys_s + slack_s


@settings(max_examples=20, deadline=None)
@given(cameras=FLEET, look_s=st.sampled_from((0.1, 0.3)))
def test_of_cameras_that_are_alike_but_for_their_grade_the_worse_has_no_less(
    cameras: dict[str, Camera], look_s: float
) -> None:
    """At the same occasion and pace III has at least what II has, II what I has; equals have the same, but for two."""
    alike = {
        name: msgspec.structs.replace(c, occasion=Occasion.MOTION, every_s=0.2) for name, c in cameras.items()
    }
    run = simulate(alike, look_s, until_s=20.0)
    counts = {grade: [len(run.served[n]) for n, c in alike.items() if c.grade is grade] for grade in HcaGrade}
    for of_one in counts.values():
        assert not of_one or max(of_one) - min(of_one) <= 2
    for worse, milder in ((III, II), (II, I), (III, I)):
        if counts[worse] and counts[milder]:
            assert min(counts[worse]) >= max(counts[milder]) - 2


@pytest.mark.parametrize("occasion", [Occasion.MOTION, Occasion.DWELL, Occasion.EPISODE])
def test_under_twofold_overload_what_goes_on_is_never_lost_sight_of(occasion: Occasion) -> None:
    """Two cameras of each grade ask twice what there is time for: III have nearly all they ask, I one in two seconds."""
    cameras = {f"{g}-{n}": Camera(grade=g, occasion=occasion) for g in HcaGrade for n in (1, 2)}
    run = simulate(cameras, look_s=0.075)
    served = {name: len(times) for name, times in run.served.items()}
    assert served["III-1"] > served["II-1"] > served["I-1"] >= 24
    assert all(run.longest_gap_s(name, 60.0) < watcher.GRACE_S for name in cameras)

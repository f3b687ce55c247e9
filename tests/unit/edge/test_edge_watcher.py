"""The decision core of a camera, driven look by look without video."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import episodes, watcher
from edge.episodes import Emission
from edge.watcher import Look, Seen, Setup, WatcherState, step
from models.footprint import FOOTPRINTS
from monitor.domain.assets import PictureZone
from monitor.domain.events import NoFix
from monitor.domain.levels import Level
from tests.doubles.edge_things import NOON, Pinhole, ids, looks, pipeline, setup

HOLE = Pinhole()
SIZE = HOLE.size_px
#: the line runs at north 0: an excavator whose near edge stands here has its middle on it, at offset 0
ON_LINE_M = -FOOTPRINTS["excavator"].half_depth_m


def digger(
    east_m: float = 0.0,
    middle_north_m: float = 0.0,
    *,
    motion: float = 0.1,
    track: int = 1,
    score: float = 0.9,
) -> Seen:
    """An excavator whose middle stands at that place (seen from the south)."""
    box = HOLE.box(east_m, middle_north_m + ON_LINE_M, 4.0, 3.0)
    return Seen(track_id=track, class_name="excavator", score=score, xyxy=box, box_motion=motion)


def drive(
    at: Callable[[float], tuple[Seen, ...]],
    seconds: float,
    *,
    state: WatcherState | None = None,
    core: Setup | None = None,
    from_s: float = 0.0,
    new_id: Callable[[], str] | None = None,
    **more: Any,
) -> tuple[WatcherState, list[Emission]]:
    state, told, new_id = state or WatcherState(), [], new_id or ids()
    core = core or setup(HOLE.camera())
    for look in looks(at, seconds=seconds, from_s=from_s, **more):
        state, emissions = step(core, state, look, new_id)
        told.extend(emissions)
    return state, told


def phases(told: list[Emission]) -> list[tuple[str, str]]:
    return [(e.phase, e.reason) for e in told]


def test_a_machine_that_digs_on_the_line_is_a_level_one_event() -> None:
    """Working within 5 m of a grade III line for the row's dwell: one onset, article 30(2), with its place."""
    _, told = drive(lambda s: (digger(),), 10.0)
    assert phases(told) == [("onset", "onset")]
    episode = told[0].episode
    assert episode.worst.match.violation == "excavation_5m"
    assert not episode.worst.match.may_lie_within
    assert episode.worst.level is Level.I
    assert episode.sighting.offset_m == pytest.approx(0.0, abs=0.3)
    assert episode.sighting.chainage_m == pytest.approx(500.0, abs=0.3)
    assert told[0].wants_snapshot
    assert 3.95 <= told[0].dwell_s < 4.1, "not a look later than its dwell"


def test_the_dwell_is_the_rules_not_a_look_less() -> None:
    """Three point eight seconds of digging are no event; the dwell runs in stream seconds, at any look rate."""
    for per_s in (2.0, 5.0):
        _, told = drive(lambda s: (digger(),) if s < 5.0 else (), 20.0, per_s=per_s)
        assert phases(told)[:1] == [], "activity needs a moment to be known, then 4 s of it"
    _, told = drive(lambda s: (digger(),) if s < 6.5 else (), 30.0)
    assert phases(told) == [("onset", "onset"), ("end", "gone")]


def test_a_machine_that_passes_is_no_event() -> None:
    """Driving along the line for half a minute is lawful: passing is no violation of the digging rows."""
    _, told = drive(lambda s: (digger(east_m=-15 + s, motion=0.3),), 30.0)
    assert told == []


def test_a_parked_machine_within_5_m_counts_after_twenty_seconds() -> None:
    """Standing still has a longer dwell than digging."""
    _, told = drive(lambda s: (digger(motion=0.0),), 19.0)
    assert told == []
    _, told = drive(lambda s: (digger(motion=0.0),), 24.0)
    assert phases(told) == [("onset", "onset")]
    assert told[0].episode.worst.match.rule_id == "stopped-5m"


def test_a_parked_machine_beyond_5_m_is_lawful() -> None:
    """Thirty metres away only work counts."""
    camera = HOLE.camera([(-20.0, -12.0), (20.0, -12.0), (-40.0, 60.0), (40.0, 60.0)])
    core = setup(camera)
    assert drive(lambda s: (digger(middle_north_m=30.0, motion=0.0),), 60.0, core=core)[1] == []
    _, told = drive(lambda s: (digger(middle_north_m=30.0, motion=0.2),), 60.0, core=core)
    assert [e.episode.worst.match.violation for e in told if e.phase == "onset"] == ["works_50m"]


def test_near_the_border_of_the_band_it_may_lie_within() -> None:
    """Between 0.2 and 0.8 the outer band's article is named, graded as the inner."""
    edge_m = 5.0 + FOOTPRINTS["excavator"].half_depth_m
    _, told = drive(lambda s: (digger(middle_north_m=edge_m),), 8.0)
    match = told[0].episode.worst.match
    assert match.may_lie_within
    assert match.within_band == pytest.approx(0.5, abs=0.2)
    assert (match.violation, match.graded_as, match.rule_id) == ("works_50m", "excavation_5m", "dig-5m")
    assert told[0].episode.worst.level is Level.I


def test_without_ground_no_article_with_a_distance_is_named() -> None:
    """An uncalibrated camera sees a machine dig for minutes and says nothing of 5 m."""
    core = setup(HOLE.camera(ground_points=()))
    state, told = drive(lambda s: (digger(),), 60.0, core=core)
    assert told == []
    assert state.tracks[0].trusted is not None
    assert state.tracks[0].trusted.no_fix is NoFix.NOT_CALIBRATED


def person(x_px: float, y_px: float, track: int = 5) -> Seen:
    box = (x_px - 10, y_px - 60, x_px + 10, y_px)
    return Seen(track_id=track, class_name="person", score=0.8, xyxy=box, box_motion=0.1)


ZONE = PictureZone(zone_id="z1", kind="on_pipe", polygon_px=((100, 300), (300, 300), (300, 500), (100, 500)))
IGNORE = PictureZone(zone_id="z2", kind="ignore", polygon_px=((100, 300), (200, 300), (200, 500), (100, 500)))


def test_feet_in_a_drawn_zone_need_no_ground() -> None:
    """A person on the pipe: the zone decides, by the foot point, and the missing fix is named."""
    core = setup(HOLE.camera(ground_points=(), zones=(ZONE,)))
    _, told = drive(lambda s: (person(250, 400),), 4.0, core=core)
    assert [(e.phase, e.episode.worst.match.zone_id) for e in told] == [("onset", "z1")]
    assert told[0].episode.sighting.no_fix is NoFix.NOT_CALIBRATED
    assert told[0].episode.worst.match.within_band is None
    _, told = drive(lambda s: (person(250, 520),), 10.0, core=core)
    assert told == [], "the head is inside, the feet are not"


def test_ignored_parts_of_the_picture_say_nothing() -> None:
    """What stands in an ignore zone is dropped before anything is decided."""
    core = setup(HOLE.camera(ground_points=(), zones=(ZONE, IGNORE)))
    assert drive(lambda s: (person(150, 400),), 10.0, core=core)[1] == []
    assert len(drive(lambda s: (person(250, 400),), 10.0, core=core)[1]) == 1


def test_only_transmission_pipelines_fall_under_the_law() -> None:
    """Urban gas gets none of these articles."""
    core = setup(HOLE.camera(), pipeline=pipeline(regime="urban_gas"))
    assert drive(lambda s: (digger(),), 30.0, core=core)[1] == []


def test_updates_are_sparse() -> None:
    """Two minutes of digging at one place: an onset and a heartbeat each thirty seconds, nothing else."""
    _, told = drive(lambda s: (digger(motion=0.05 + 0.04 * (int(s) % 2)),), 130.0)
    reasons = [e.reason for e in told]
    assert reasons[0] == "onset"
    assert reasons.count("heartbeat") == 4
    assert set(reasons) <= {"onset", "heartbeat", "risk_changed"}


def test_a_machine_that_moved_more_than_5_m_is_told() -> None:
    """The position travels when it changed, not before."""

    def at(s: float) -> tuple[Seen, ...]:
        return (digger(east_m=0.0 if s < 8 else min(8.0, s - 8)),)

    _, told = drive(at, 20.0)
    assert [e.reason for e in told] == ["onset", "position_moved"]
    a, b = (e.episode.sighting.ground_m for e in told)
    assert a is not None
    assert b is not None
    assert 5.0 < abs(b[0] - a[0]) < 7.0


def test_a_violation_that_gets_worse_is_told_and_never_gets_milder() -> None:
    """From the 50 m band into the 5 m band: the article changes once, with a snapshot, and stays."""
    camera = HOLE.camera([(-20.0, -12.0), (20.0, -12.0), (-40.0, 60.0), (40.0, 60.0)])

    def at(s: float) -> tuple[Seen, ...]:
        north_m = 25.0 if s < 30 else max(1.0, 25.0 - (s - 30)) if s < 80 else min(25.0, 1.0 + (s - 80))
        return (digger(middle_north_m=north_m),)

    _, told = drive(at, 130.0, core=setup(camera))
    assert sum(e.phase == "onset" for e in told) == 1
    seen = list(dict.fromkeys(e.episode.worst.match.violation for e in told))
    assert seen[0] == "works_50m"
    assert seen[-1] == "excavation_5m"
    ranks = [e.episode.worst.level.rank for e in told]
    assert ranks == sorted(ranks, reverse=True)
    assert "works_50m" in told[-1].episode.also


def test_an_object_lost_for_a_while_is_the_same_episode() -> None:
    """Hidden for five seconds and back under another track id, three metres on: no second onset."""

    def at(s: float) -> tuple[Seen, ...]:
        return (digger(track=1),) if s < 10 else () if s < 15 else (digger(east_m=3.0, track=2),)

    _, told = drive(at, 40.0)
    assert [e.phase for e in told if e.phase != "update"] == ["onset"]
    assert {e.episode.episode_id for e in told} == {told[0].episode.episode_id}


def test_another_machine_far_away_is_another_episode() -> None:
    """Twelve metres on, with another track id, stands another machine."""

    def at(s: float) -> tuple[Seen, ...]:
        return (digger(track=1),) if s < 10 else () if s < 15 else (digger(east_m=12.0, track=2),)

    _, told = drive(at, 40.0)
    assert [e.phase for e in told if e.phase != "update"] == ["onset", "end", "onset"]


def test_two_machines_are_two_episodes() -> None:
    """Each object has its own episode, even side by side."""
    _, told = drive(lambda s: (digger(track=1), digger(east_m=4.0, track=2)), 12.0)
    assert [e.phase for e in told] == ["onset", "onset"]
    assert len({e.episode.episode_id for e in told}) == 2


def test_one_end_after_the_object_is_gone() -> None:
    """Eight looked-at seconds without it end the episode, once; the picture's own gaps do not count."""
    state, told = drive(lambda s: (digger(),), 10.0)
    core, new_id = setup(HOLE.camera()), ids()
    assert len(told) == 1
    late = Look(media_s=60.0, captured_at=NOON + timedelta(seconds=60), frame_size_px=SIZE)
    state, emissions = step(core, state, late, new_id)
    assert emissions == (), "fifty blind seconds are not absence"
    _, told = drive(lambda s: (), 20.0, state=state, core=core, from_s=60.2, new_id=new_id)
    assert phases(told) == [("end", "gone")]
    assert told[0].media_s == pytest.approx(68.0, abs=0.5)


def test_a_resting_machine_keeps_its_episode() -> None:
    """A digger that pauses for a minute in the band has not left: no end, no second onset."""
    _, told = drive(lambda s: (digger(motion=0.1 if s < 10 or s > 70 else 0.0),), 90.0)
    assert {e.phase for e in told} == {"onset", "update"}
    assert sum(e.phase == "onset" for e in told) == 1


def restart(state: WatcherState) -> WatcherState:
    """What is left after kill -9: the saved episodes, through bytes."""
    saved = [episodes.load(episodes.dump(e)) for e in state.episodes]
    return WatcherState(restored=tuple(e for e in saved if e is not None))


def test_a_restart_goes_on_with_running_episodes() -> None:
    """Stream seconds begin anew and tracks have new ids: the saved episode is found by class and place."""
    state, told = drive(lambda s: (digger(track=7),), 12.0)
    again = restart(state)
    core, new_id = setup(HOLE.camera()), ids()
    told_after: list[Emission] = []
    for look in looks(lambda s: (digger(east_m=1.0, track=1),), seconds=40.0):
        later = msgspec.structs.replace(look, captured_at=look.captured_at + timedelta(seconds=32))
        again, emissions = step(core, again, later, new_id)
        told_after.extend(emissions)
    assert [e.phase for e in told_after] == ["update"] * len(told_after)
    assert told_after
    assert {e.episode.episode_id for e in told_after} == {told[0].episode.episode_id}
    assert told_after[0].dwell_s > 30, "the dwell goes on over the restart"


def test_a_restart_after_minutes_ends_the_old_episode_first() -> None:
    """Nobody knows what happened in five blind minutes: the old one ends by name, the same place is a new one."""
    state, _ = drive(lambda s: (digger(),), 12.0)
    again, core, new_id = restart(state), setup(HOLE.camera()), ids()
    told: list[Emission] = []
    for look in looks(lambda s: (digger(),), seconds=10.0):
        later = msgspec.structs.replace(look, captured_at=look.captured_at + timedelta(seconds=312))
        again, emissions = step(core, again, later, new_id)
        told.extend(emissions)
    assert phases(told) == [("end", "lost_sight"), ("onset", "onset")]


def test_a_refused_onset_is_told_at_the_next_look() -> None:
    """When the outbox is full the core goes back, and tries again until the onset is kept."""
    state, core, new_id, refused = WatcherState(), setup(HOLE.camera()), ids(), 0
    kept: list[Emission] = []
    for look in looks(lambda s: (digger(),), seconds=10.0):
        before = state
        state, emissions = step(core, before, look, new_id)
        for emission in emissions:
            if refused < 5:
                refused += 1
                state = watcher.undo(state, before, emission)
            else:
                kept.append(emission)
    assert phases(kept) == [("onset", "onset")]
    assert kept[0].dwell_s > 4.8


@pytest.mark.parametrize("every_s", [2.0, 2.2, 2.6])
def test_a_dozing_camera_tells_of_a_machine_that_stands_there(every_s: float) -> None:
    """It was there before the camera fell asleep, and stands within 5 m: 20 seconds later it is told, not never."""
    _, told = drive(lambda _: (digger(motion=0.0),), 40.0, per_s=1 / every_s)
    assert [e.phase for e in told][:1] == ["onset"]
    assert 20.0 <= told[0].dwell_s <= 20.0 + 4 * every_s


def test_a_machine_that_takes_over_the_track_of_a_parked_car_is_told() -> None:
    """The car stood there for ten minutes; the excavator that hides it must not inherit its silence."""
    parked = msgspec.structs.replace(digger(motion=0.0), class_name="car")
    state, told = drive(lambda _: (parked,), 600.0)
    assert told == []
    _, told = drive(lambda _: (digger(),), 12.0, state=state, from_s=600.0)
    assert [e.phase for e in told][:1] == ["onset"]
    assert told[0].episode.sighting.object_class == "excavator"


def test_the_class_is_the_majority_of_the_track() -> None:
    """A loader for two looks and an excavator for the rest is an excavator."""

    def at(s: float) -> tuple[Seen, ...]:
        name = "loader" if 1.0 < s < 1.5 else "excavator"
        return (msgspec.structs.replace(digger(), class_name=name),)

    _, told = drive(at, 10.0)
    assert [e.episode.object_class for e in told] == ["excavator"]


def test_a_source_that_ended_ends_what_runs() -> None:
    """A file played to its end leaves no episode open."""
    state, _ = drive(lambda s: (digger(),), 10.0)
    state, told = watcher.close(state, NOON, ids())
    assert phases(list(told)) == [("end", "source_ended")]
    assert state.episodes == ()


SCRIPT = st.lists(
    st.tuples(st.floats(0.5, 15.0), st.integers(0, 3), st.sampled_from([0.0, 0.1]), st.floats(-12.0, 12.0)),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(SCRIPT, st.integers(0, 11))
def test_every_episode_has_one_onset_first_and_one_end_last(script: list[Any], restart_at: int) -> None:
    """Whatever comes, goes, hides, changes ids or kills the worker: per episode one onset, then updates, then one end."""
    core, new_id, state, told, at_s = setup(HOLE.camera()), ids(), WatcherState(), [], 0.0
    for index, (seconds, track, motion, east_m) in enumerate(script):
        if index == restart_at:
            state = restart(state)
        objects = (digger(east_m=east_m, track=track, motion=motion),) if track else ()
        state, emissions = drive(
            lambda s, o=objects: o, seconds, state=state, core=core, from_s=at_s, new_id=new_id, per_s=2.0
        )
        told.extend(emissions)
        at_s += seconds
    by_episode: dict[str, list[str]] = {}
    for emission in told:
        by_episode.setdefault(emission.episode.episode_id, []).append(emission.phase)
    for run in by_episode.values():
        assert run[0] == "onset"
        assert run.count("onset") == 1
        assert run.count("end") <= 1
        assert "end" not in run[:-1]
    running = {e.episode_id for e in (*state.episodes, *state.restored)}
    assert running == {i for i, run in by_episode.items() if run[-1] != "end"}

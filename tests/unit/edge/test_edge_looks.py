"""A refused look is no look: in the coverage, in the camera's state, and in the edge's word on its load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from edge import coverage, load, looks
from edge.gate import GateState
from edge.load import Counted, Load
from edge.scheduling import Occasion, Refusal
from edge.watcher import Hold, TrackMemory, WatcherState
from monitor.domain.events import CameraState

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
STREAMING = CameraState.STREAMING


def test_a_camera_that_asks_in_vain_says_so_and_one_served_look_ends_it() -> None:
    """Ten seconds of refusals: unanalysed, since the first of them; before that, and after one look, it streams."""
    tried = looks.had(looks.Looks())
    for k in range(30):
        tried = looks.refused(tried, Refusal.LATE, 100.0 + k / 2, NOON + timedelta(seconds=k / 2))
    assert (tried.asked, tried.served, tried.refused, tried.since) == (31, 1, {"late": 30}, NOON)
    assert looks.state_of(tried, STREAMING, 109.9) is STREAMING
    assert looks.state_of(tried, STREAMING, 110.0) is CameraState.UNANALYSED
    assert looks.state_of(tried, CameraState.FROZEN, 110.0) is CameraState.FROZEN
    assert looks.state_of(looks.had(tried), STREAMING, 200.0) is STREAMING
    again = looks.refused(looks.paused(tried), Refusal.ABSENT, 300.0, NOON)
    assert (looks.reason_of(tried), looks.reason_of(looks.had(again))) == (
        "detector_busy",
        "",
    )
    assert looks.state_of(again, STREAMING, 301.0) is STREAMING, (
        "what was refused before it froze counts no more"
    )


def test_time_without_a_look_is_unwatched_though_the_camera_streams() -> None:
    """A minute in which all looks were refused has no watched second; its state says why."""
    minute = coverage.start("a", NOON)
    for k in range(1, 59):
        state = STREAMING if k < 10 else CameraState.UNANALYSED
        minute, _ = coverage.advance(
            minute, coverage.Tick(now=NOON + timedelta(seconds=k), dt_s=1.0, state=state, frames=25)
        )
    told = coverage.record(
        coverage.finish(minute), edge_id="e", epoch="x", seq=1, seen=(), calibration_version="",
        config_version="",
    )  # fmt: skip
    assert (told.watched_s, told.looks, told.longest_blind_s) == (0.0, 0, 58.0)
    assert told.state_s == {"streaming": 9.0, "unanalysed": 49.0}


def test_what_a_look_is_for_is_what_goes_on() -> None:
    """A dwell that runs before motion, motion before nothing; a hold that was told already is no dwell any more."""
    track = TrackMemory(
        track_id=1, votes=(("person", 1.0),), score=1.0, samples=(), last_seen_s=9.0,
        holds=(Hold(key="k", since_s=8.0, last_s=9.0),),
    )  # fmt: skip
    still, moving = GateState(last_motion_s=1.0), GateState(last_motion_s=9.5)
    assert looks.occasion_of(WatcherState(tracks=(track,)), still, 10.0) is Occasion.DWELL
    seen = msgspec.structs.replace(track, holds=())
    assert looks.occasion_of(WatcherState(tracks=(seen,)), moving, 10.0) is Occasion.MOTION
    assert looks.occasion_of(WatcherState(tracks=(seen,)), still, 10.0) is Occasion.FLOOR


def run(*seconds: tuple[int, int, int]) -> Load:
    """The load after a second each of so many looks (asked, served, late) of the camera 'a'."""
    state, total = Load(), Counted()
    for k, (asked, served, late) in enumerate(seconds):
        total = Counted(asked=total.asked + asked, served=total.served + served, late=total.late + late)
        state = load.noted(state, {"a": total}, 100.0 + k, NOON + timedelta(seconds=k))
    return state


def test_an_edge_that_refuses_looks_is_overloaded_until_it_keeps_up_for_half_a_minute() -> None:
    """Five of fifty refused begin it; single ones don't; it ends only when nothing was refused for thirty seconds."""
    fine, busy = (5, 5, 0), (5, 3, 2)
    assert run(*[fine] * 30, (5, 4, 1)).overloaded_since is None
    begun = run(*[fine] * 30, *[busy] * 3)
    assert begun.overloaded_since == NOON + timedelta(seconds=32)
    (trouble,) = load.troubles(begun)
    assert trouble.endswith("since 2026-11-24 04:00:32 UTC: 159 of 165 looks in the last minute")
    assert load.troubles(run(*[fine] * 30)) == ()
    assert run(*[busy] * 10, *[fine] * 25).overloaded_since is not None
    assert run(*[busy] * 10, *[fine] * 35).overloaded_since is None


def test_an_edge_without_a_detector_is_not_overloaded() -> None:
    """Looks that nobody took since no detector ran are told, but more cores would not help."""
    state = run(*[(5, 0, 0)] * 30)
    assert state.overloaded_since is None
    assert load.told(state, shared=True).cameras["a"].served == 0


def test_the_last_minute_is_told_and_a_camera_that_began_anew_counts_from_nought() -> None:
    """Ninety seconds at five looks: sixty of them are told; counts that fell are those of a new process."""
    told = load.told(run(*[(5, 3, 2)] * 90), shared=True)
    assert (told.cameras["a"].asked, told.cameras["a"].served) == (300, 180)
    state = load.noted(Load(), {"a": Counted(asked=1000, served=900)}, 100.0, NOON)
    state = load.noted(state, {"a": Counted(asked=7, served=5, late=2)}, 101.5, NOON)
    assert load.told(state, shared=False).cameras["a"].asked == 1007

"""The coverage ledger of one camera: how many seconds of each minute were truly watched.

Pure tally. Watched means: state streaming, and decoded and looked at every few seconds, or kept for the next look
of a dozing camera (a worker that is killed in between has credited up to 2.6 s that nobody looked at); time is
credited only when the next look or packet confirms it. A running minute is saved about once a second, so that after a kill it
goes on, and the dead time counts as unwatched. What the centre never hears of, it writes as unwatched.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from monitor.domain.events import CameraState, WatchRecord

#: Looks further apart than this leave the time between them unwatched.
LOOK_GAP_S: Final = 3.0
#: When a minute ends between two looks, so much is credited without waiting for the next.
TAIL_S: Final = 1.0
MINUTE_S: Final = 60.0
#: A clock that was set back by more than this had been wrong: minutes are told by it as it is now.
SET_BACK: Final = timedelta(minutes=10)


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """One running minute of one camera."""

    camera_id: str
    minute: datetime
    #: second of the minute from which this worker was responsible, and up to which it was accounted
    from_s: float
    at_s: float
    watched_s: float = 0.0
    #: seconds since the last look, not credited yet; and the unwatched stretch that runs
    pending_s: float = 0.0
    blind_s: float = 0.0
    longest_blind_s: float = 0.0
    frames: int = 0
    looks: int = 0
    detector_runs: int = 0
    detections: int = 0
    state_s: dict[str, float] = msgspec.field(default_factory=dict)


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """What happened since the tick before."""

    now: datetime
    #: monotonic seconds since the tick before
    dt_s: float
    state: CameraState
    frames: int = 0
    looks: int = 0
    detector_runs: int = 0
    detections: int = 0
    #: packets of a dozing camera that were kept for its next look
    kept: int = 0


def start(camera_id: str, now: datetime) -> Minute:
    """The minute in which the worker becomes responsible."""
    minute = _floor(now)
    into_s = (now - minute).total_seconds()
    return Minute(camera_id=camera_id, minute=minute, from_s=into_s, at_s=into_s)


def resume(saved: tuple[Minute, ...], camera_id: str, now: datetime) -> tuple[tuple[Minute, ...], Minute]:
    """After a restart: (minutes to close now, the minute that runs).

    The same minute goes on; the dead time in it counts as unwatched. Earlier ones are closed as they were
    saved, responsible to their end.
    """
    current = _floor(now)
    over = tuple(finish(_dead(m, MINUTE_S)) for m in saved if m.minute < current)
    over += tuple(finish(m) for m in saved if _far_ahead(m, current))
    same = [m for m in saved if m.minute >= current and not _far_ahead(m, current)]
    if not same:
        return over, start(camera_id, now)
    into_s = min(MINUTE_S, max(same[-1].at_s, (now - same[-1].minute).total_seconds()))
    return over, _dead(same[-1], into_s)


def _dead(minute: Minute, until_s: float) -> Minute:
    dead_s = max(0.0, until_s - minute.at_s) + minute.pending_s + minute.blind_s
    return msgspec.structs.replace(
        minute,
        at_s=until_s,
        pending_s=0.0,
        blind_s=dead_s,
        longest_blind_s=max(minute.longest_blind_s, dead_s),
    )


def advance(minute: Minute, tick: Tick) -> tuple[Minute, tuple[Minute, ...]]:
    """The minute after a tick, and those that it closed. A clock set back a little stays in the running minute."""
    current = _floor(tick.now)
    if _far_ahead(minute, current):  # it was wrong before, and it is right now: else nothing is told for days
        return start(minute.camera_id, tick.now), (finish(minute),)
    if current < minute.minute:  # set back: this time belongs to a minute that was told already, not to ours
        return minute, ()
    if current == minute.minute:
        into_s = (tick.now - minute.minute).total_seconds()
        return _add(minute, tick, tick.dt_s, max(minute.at_s, min(MINUTE_S, into_s))), ()
    into_s = (tick.now - current).total_seconds()
    old_s = max(0.0, min(tick.dt_s - into_s, MINUTE_S - minute.at_s))
    # a look in this tick came at its end, in the new minute
    still = msgspec.structs.replace(tick, frames=0, looks=0, detector_runs=0, detections=0, kept=0)
    closed = finish(_add(minute, still, old_s, MINUTE_S))
    fresh = Minute(camera_id=minute.camera_id, minute=current, from_s=0.0, at_s=0.0)
    return _add(fresh, tick, min(tick.dt_s, into_s), into_s), (closed,)


def _add(minute: Minute, tick: Tick, dt_s: float, at_s: float) -> Minute:
    state_s = {**minute.state_s, tick.state.value: minute.state_s.get(tick.state.value, 0.0) + dt_s}
    pending_s, blind_s, watched_s = minute.pending_s + dt_s, minute.blind_s, minute.watched_s
    longest_s = minute.longest_blind_s
    if tick.state is not CameraState.STREAMING:
        blind_s, pending_s = blind_s + pending_s, 0.0
    elif tick.looks or tick.kept:  # what is kept is looked at if anything moves in it
        if pending_s <= LOOK_GAP_S:
            watched_s += pending_s
        else:
            longest_s = max(longest_s, blind_s + pending_s)
        blind_s, pending_s = 0.0, 0.0
    return msgspec.structs.replace(
        minute, at_s=at_s, watched_s=watched_s, pending_s=pending_s, blind_s=blind_s,
        longest_blind_s=max(longest_s, blind_s), frames=minute.frames + tick.frames,
        looks=minute.looks + tick.looks, detector_runs=minute.detector_runs + tick.detector_runs,
        detections=minute.detections + tick.detections, state_s=state_s,
    )  # fmt: skip


def finish(minute: Minute) -> Minute:
    """The minute, settled: what is pending is credited if it is no longer than between two looks."""
    if minute.pending_s <= TAIL_S:
        return msgspec.structs.replace(minute, watched_s=minute.watched_s + minute.pending_s, pending_s=0.0)
    blind_s = minute.blind_s + minute.pending_s
    return msgspec.structs.replace(
        minute, pending_s=0.0, blind_s=blind_s, longest_blind_s=max(minute.longest_blind_s, blind_s)
    )


def void(minute: Minute) -> Minute:
    """Nothing can be numbered just now, so what is seen can't be told: so far unwatched, whatever was looked at."""
    blind_s = minute.at_s - minute.from_s
    return msgspec.structs.replace(
        minute,
        watched_s=0.0,
        pending_s=0.0,
        blind_s=blind_s,
        longest_blind_s=max(minute.longest_blind_s, blind_s),
    )


def record(
    minute: Minute,
    *,
    edge_id: str,
    epoch: str,
    seq: int,
    seen: tuple[tuple[str, float, float], ...],
    calibration_version: str,
    config_version: str,
) -> WatchRecord:
    """A finished minute as it travels."""
    span_s = max(0.0, min(MINUTE_S, minute.at_s) - minute.from_s)
    return WatchRecord(
        edge_id=edge_id, epoch=epoch, seq=seq, camera_id=minute.camera_id, minute=minute.minute,
        watched_s=round(min(minute.watched_s, span_s), 3), span_s=round(span_s, 3), frames=minute.frames,
        looks=minute.looks, detector_runs=minute.detector_runs, detections=minute.detections,
        longest_blind_s=round(min(minute.longest_blind_s, span_s), 3),
        state_s={state: round(s, 3) for state, s in minute.state_s.items()}, seen=seen,
        calibration_version=calibration_version, config_version=config_version,
    )  # fmt: skip


def _far_ahead(minute: Minute, current: datetime) -> bool:
    return minute.minute - current > SET_BACK


def _floor(at: datetime) -> datetime:
    return at - timedelta(seconds=at.second, microseconds=at.microsecond)


_CODEC = msgspec.json.Decoder(Minute)


def dump(minute: Minute) -> bytes:
    """A minute as bytes, for the outbox."""
    return msgspec.json.encode(minute)


def load(state: bytes) -> Minute | None:
    """A minute from bytes; None if another version wrote something that this one can't read."""
    try:
        return _CODEC.decode(state)
    except msgspec.DecodeError:
        return None

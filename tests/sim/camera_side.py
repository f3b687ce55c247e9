"""One camera's process: what edge.camera_process does around the cores, with simulated frames and time.

The cores are the real ones (watchdog, gate, tracker, stream clock, watcher, coverage, teller); only video,
threads and the disk are missing. While nothing happens it looks as rarely as the gate's floor allows.
"""

from __future__ import annotations

import contextlib
import math
import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from edge import coverage, episodes, gate, stream_clock, watchdog, watcher
from edge.errors import OutboxRefused
from edge.evidence import Kept
from edge.outbox import Outbox, SavedEpisode
from edge.reader import LinkStatus
from edge.telling import Shot, Teller
from edge.tracking import ByteTracker
from monitor.domain.assets import Camera
from monitor.domain.events import CameraState, CameraStatus, EvidenceRef, ModelRef, sha256_hex
from tests.sim import noise, scene
from tests.sim.clock import Agenda, Ids
from tests.sim.noise import Detector
from tests.sim.story import Story, Thing

SAVE_MINUTE_S = 1.0
SAVE_EPISODES_S = 5.0
#: between two looks while nothing happens: just beyond the gate's floor
QUIET_S = gate.FLOOR_S + 0.01
#: after something was there it is looked at closely for so long
LINGER_S = 15.0
CONFIG_VERSION = "sim-1"
MODEL = ModelRef(name="sim", version="1", sha256="0" * 64)
OPEN = LinkStatus(link="open")
#: a good picture; four blocks of it tell the watchdog as much as its whole grid
PICTURE = watchdog.Figures(mean=100.0, spread=40.0, detail=(5.0,) * 4, same=False)


class Drawer:
    """Stands for the evidence folder and the ring of packets: bytes of chance, named by their hash."""

    def __init__(self, camera_id: str, rng: random.Random, utc: Any) -> None:
        self._camera_id, self._rng, self._utc = camera_id, rng, utc

    def keep_jpeg(self, data: bytes, kind: Any, *, of_substream: bool = False) -> Kept:
        sha256 = sha256_hex(data)
        return EvidenceRef(
            sha256=sha256, kind=kind, bytes=len(data), of_substream=of_substream
        ), f"{sha256}.jpg"

    def spans(self, from_s: float, to_s: float) -> tuple[tuple[float, float], ...]:
        return ((from_s, to_s),)

    def cut(self, _from_s: float, _to_s: float) -> tuple[tuple[()], None]:
        return (), None

    def keep_clip(self, _ring: object, from_s: float, to_s: float, _boxes: object) -> Kept | None:
        data = f"{self._camera_id} {from_s} {to_s} {self._rng.random()}".encode()
        sha256 = sha256_hex(data)
        ref = EvidenceRef(sha256=sha256, kind="clip", bytes=len(data), content_type="video/mp4")
        return ref, f"{sha256}.mp4"

    def picture(self) -> Any:
        pixels = np.frombuffer(self._rng.randbytes(90 * 160 * 3), np.uint8)
        return pixels.reshape(90, 160, 3).copy()


class SimCamera:
    """The process of one camera. `changed` is called when the watchdog's word changes."""

    def __init__(
        self,
        camera: Camera,
        setup: watcher.Setup,
        outbox: Outbox,
        agenda: Agenda,
        story: Story,
        detector: Detector,
        rng: random.Random,
        ids: Ids,
        edge_utc: Any,
    ) -> None:
        self._camera, self._setup, self._outbox, self._agenda = camera, setup, outbox, agenda
        self._story, self._detector, self._rng, self._ids, self._utc = story, detector, rng, ids, edge_utc
        self._drawer = Drawer(camera.camera_id, rng, edge_utc)
        self._teller = Teller(
            edge_id=scene.EDGE, config_version=CONFIG_VERSION, setup=setup, outbox=outbox, store=self._drawer,  # type: ignore[arg-type]
            rings=(self._drawer,), model=MODEL, new_id=ids, now=edge_utc)  # type: ignore[arg-type]  # fmt: skip
        restored = (episodes.load(blob) for blob in outbox.episodes(camera.camera_id))
        self._state = watcher.WatcherState(restored=tuple(e for e in restored if e is not None))
        self._tracker = ByteTracker(camera.looks_per_s, camera.min_score)
        self._gate, self._clock = gate.GateState(), stream_clock.StreamClock()
        self._health = watchdog.Health(since_s=agenda.now_s)
        self._since: datetime = edge_utc()
        saved = (coverage.load(blob) for blob in outbox.minutes(camera.camera_id))
        over, self._minute = coverage.resume(
            tuple(m for m in saved if m is not None), camera.camera_id, edge_utc()
        )
        self._closing = list(over)
        self._last_s = agenda.now_s
        self._due = {"minute": 0.0, "episodes": 0.0}
        self._busy_until_s = 0.0
        self._looked = False
        self._streamed = False
        seen = setup.ground.seen_ranges(setup.place.centreline, scene.SIZE_PX) if setup.ground else ()
        self._seen = tuple((setup.place.pipeline.pipeline_id, a, b) for a, b in seen)

    @property
    def status(self) -> CameraStatus:
        return CameraStatus(state=self._health.state, since=self._since, reason=self._health.reason)

    @property
    def state(self) -> watcher.WatcherState:
        return self._state

    def look(self) -> float:
        """One look, or the lack of one; seconds until the next."""
        now_s = self._agenda.now_s
        streams = self._story.streams(self._camera.camera_id, now_s)
        before = self._health.state
        self._health = watchdog.assess(self._health, now_s, OPEN, PICTURE if streams else None)
        if self._health.state is not before:
            self._since = self._utc()
        runs = found = 0
        if streams:
            stamp = self._stamp(now_s)
            things = self._story.things(self._camera.camera_id, now_s)
            if things:
                self._busy_until_s = now_s + LINGER_S
            moving = any(thing.activity != "stopped" for thing in things)
            self._gate, run = gate.decide(self._gate, 10 * gate.MOVING_PX if moving else 0, stamp.media_s)
            if run and self._health.state is CameraState.STREAMING:
                runs, found = 1, self._detect(things, stamp)
            self._looked = True
            self._teller.close_clips(stamp.media_s, self._state.episodes)
        self._streamed = streams
        self._tick(now_s, looks=int(streams), runs=runs, found=found)
        return self._wait_s(now_s)

    def _stamp(self, now_s: float) -> stream_clock.Stamp:
        if not self._streamed:
            self._clock = stream_clock.rebegin(self._clock, now_s, now_s)
        self._clock, stamp = stream_clock.stamp(self._clock, now_s, now_s, self._utc())
        return stamp

    def _detect(self, things: tuple[Thing, ...], stamp: stream_clock.Stamp) -> int:
        raw = self._detector.detect(things, self._rng)
        if raw:
            self._busy_until_s = self._agenda.now_s + LINGER_S
        # what was lost for LINGER_S the tracker has forgotten too
        busy = self._agenda.now_s < self._busy_until_s
        tracked = self._tracker.update(raw, stamp.media_s) if busy else ()
        objects = tuple(
            watcher.Seen(
                track_id=t.track_id, class_name=t.class_name, score=t.score, xyxy=t.xyxy,
                box_motion=noise.motion(things, t.xyxy, self._rng) if self._looked else None,
            )
            for t in tracked
        )  # fmt: skip
        look = watcher.Look(media_s=stamp.media_s, captured_at=stamp.captured_at, frame_size_px=scene.SIZE_PX,
                            objects=objects)  # fmt: skip
        before = self._state
        self._state, told = watcher.step(self._setup, before, look, self._ids)
        for emission in told:
            shot = Shot(bgr=self._drawer.picture, time_uncertain=stamp.time_uncertain)
            if not self._teller.tell(emission, shot):
                self._state = watcher.undo(self._state, before, emission)
        return len(raw)

    def _tick(self, now_s: float, *, looks: int, runs: int, found: int) -> None:
        tick = coverage.Tick(now=self._utc(), dt_s=now_s - self._last_s, state=self._health.state, frames=looks,
                             looks=looks, detector_runs=runs, detections=found)  # fmt: skip
        self._last_s = now_s
        self._minute, closed = coverage.advance(self._minute, tick)
        self._closing.extend(closed)
        if self._closing or now_s >= self._due["minute"]:
            self._due["minute"] = now_s + SAVE_MINUTE_S
            self._save_minute()
        if self._state.episodes and now_s >= self._due["episodes"]:
            self._due["episodes"] = now_s + SAVE_EPISODES_S
            self._save_episodes()

    def _save_minute(self) -> None:
        try:
            while self._closing:
                self._close(self._closing[0])
                self._closing.pop(0)
            self._outbox.save_minute(self._camera.camera_id, self._minute.minute, coverage.dump(self._minute))
        except OutboxRefused:  # the minute waits, and counts as unwatched: what is seen can't be told
            self._closing = [coverage.void(minute) for minute in self._closing]
            self._minute = coverage.void(self._minute)

    def _close(self, minute: coverage.Minute) -> None:
        self._outbox.append(
            lambda epoch, seq: coverage.record(
                minute, edge_id=scene.EDGE, epoch=epoch, seq=seq, seen=self._seen,
                calibration_version=self._camera.calibration_version, config_version=CONFIG_VERSION),
            close_minute=(minute.camera_id, minute.minute),
        )  # fmt: skip

    def _save_episodes(self) -> None:
        saved = [SavedEpisode(camera_id=self._camera.camera_id, episode_id=e.episode_id, state=episodes.dump(e))
                 for e in self._state.episodes]  # fmt: skip
        with contextlib.suppress(OutboxRefused):
            self._outbox.save_episodes(saved)

    def _wait_s(self, now_s: float) -> float:
        busy = now_s < self._busy_until_s or self._state.episodes or self._state.restored
        if busy or self._health.state is not CameraState.STREAMING or self._health.suspect is not None:
            return 1.0 / self._camera.looks_per_s if self._streamed else 0.5
        coming_s = self._story.next_change_s(self._camera.camera_id, now_s) - now_s
        return min(QUIET_S, coming_s) if math.isfinite(coming_s) else QUIET_S


def minute_of(at: datetime) -> datetime:
    """The minute in which a moment lies."""
    return at - timedelta(seconds=at.second, microseconds=at.microsecond)

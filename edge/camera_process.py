"""One camera's process: source, gate, detector, tracker, core, evidence, outbox.

Only moves data between them; every decision is made elsewhere. It says every half second that it lives,
ends with its parent, and keeps to one thread for each library, so that cameras share a small machine.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import signal
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, Final
from zoneinfo import ZoneInfo

import cv2
import msgspec
import structlog
from uuid_utils import uuid7

from edge import annotate, coverage, episodes, gate, looks, taken_away, watchdog, watcher
from edge.core_setup import place_of, seen_ranges, setup_of, without_alarm
from edge.decoding import Wish
from edge.errors import OutboxRefused
from edge.evidence import POST_S, EvidenceStore
from edge.followed import followed, in_pixels_of, most_late, planes
from edge.frames import Frame, Luma
from edge.full_stills import FullStills
from edge.job import Beat, CameraJob, evidence_dir
from edge.leaving import leave
from edge.logs import configure
from edge.looking import Box, Compiling, Looker
from edge.minder import Minder
from edge.networks import kind_of
from edge.orphans import die_with_parent
from edge.outbox import SavedEpisode, SqliteOutbox
from edge.playback import Began, duration_s, start_s
from edge.process_name import call_me
from edge.scheduling import Refusal
from edge.shared_detector import SharedDetector, detector_for
from edge.sources import Access
from edge.streams import Streams
from edge.telling import Shot, Teller
from edge.tracking import ByteTracker
from edge.witness import Witness
from models.detector import Detector
from models.errors import NotLooked
from monitor.domain.events import CameraState, ModelRef
from monitor.domain.violations import rules_for

BEAT_S: Final = 0.5
SAVE_MINUTE_S: Final = 1.0
SAVE_EPISODES_S: Final = 5.0
#: A dozing camera's next picture is seconds away: it is waited for in steps of so long.
DOZING_WAIT_S: Final = 0.5
#: Of the garbage collector: looks leave few cycles, and each full search costs milliseconds.
GARBAGE_THRESHOLDS: Final = (5_000, 20, 20)
_BROKEN: Final = frozenset({CameraState.STALLED, CameraState.UNREACHABLE})

log = structlog.get_logger()


def main(job: CameraJob, beats: Connection) -> None:
    """Entry of the process."""
    die_with_parent(job.parent_pid)
    call_me(f"camera-{job.camera.camera_id}")
    configure()
    stop = threading.Event()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C goes to the whole group; the worker stops us in order
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    cv2.setNumThreads(1)
    camera = CameraProcess(job, beats)
    try:
        camera.run(stop)
    except Exception:
        log.exception("camera_process_failed", camera=job.camera.camera_id)
        sys.exit(1)
    leave()


class CameraProcess:
    """The loop over one camera's looks."""

    def __init__(self, job: CameraJob, beats: Connection) -> None:
        self._job, self._beats = job, beats
        self._camera = job.camera
        self._outbox = SqliteOutbox(job.outbox_path)
        self._streams = Streams(
            job.camera, Access(networks=job.networks, credentials=job.credentials), start_s=self._begin_at_s(),
        )  # fmt: skip
        self._detector: Detector = detector_for(
            job, lambda: looks.occasion_of(self._state, self._gate, self._media_s)
        )
        self._looker, self._compiling = _looker(self._detector, self._camera.min_score)
        info = self._detector.info
        self._setup = setup_of(job, info)
        self._teller = Teller(
            edge_id=job.edge_id, config_version=job.config_version, setup=self._setup, outbox=self._outbox,
            store=EvidenceStore(evidence_dir(job.data_dir)), rings=self._streams.rings, new_id=_new_id,
            model=ModelRef(name=info.name, version=info.version, sha256=info.sha256),
            stills=None if job.camera.substream is None else FullStills(self._streams.rings[0]),
        )  # fmt: skip
        taken_away.note(self._outbox, self._teller.sender)
        restored = (episodes.load(blob) for blob in self._outbox.episodes(self._camera.camera_id))
        self._state = watcher.WatcherState(restored=tuple(e for e in restored if e is not None))
        self._tracker = ByteTracker(self._camera.looks_per_s, self._camera.min_score)
        self._meter, self._gate = gate.MotionMeter(), gate.GateState()
        self._minder = Minder(job.camera, self._outbox, time.monotonic())
        self._witness = Witness(job.camera, self._outbox)
        self._since = datetime.now(UTC)
        self._before: tuple[Luma, Luma] | None = None  # (full, small) of the look before
        self._seen_ranges: tuple[tuple[str, float, float], ...] | None = None
        self._counts = {"frames": 0, "looks": 0, "detector_runs": 0, "detections": 0, "kept": 0}
        self._ticked, self._due = dict(self._counts), {"beat": 0.0, "minute": 0.0, "episodes": 0.0}
        self._looks = looks.Looks()
        self._closing: list[coverage.Minute] = []
        self._media_s = 0.0
        #: boxes of the last look of the detector
        self._found = 0
        #: this camera is no longer ours
        self._taken_away = False
        self._dozes = False
        self._size_px: tuple[int, int] | None = None
        #: when the last picture came, monotonic seconds
        self._frame_at_s = time.monotonic()

    def _begin_at_s(self) -> float:
        """Where a file goes on: by the given moment, or after a crash by the noted one; notes it otherwise."""
        camera, now = self._camera, time.time()
        if kind_of(camera.source) not in ("file", "folder"):
            return 0.0
        key, given = f"began:{camera.camera_id}", self._job.files_live_since_s
        noted = self._outbox.note(key)
        if given is not None:
            began: Began | None = Began(source=camera.source, at=given)
        else:
            began = msgspec.json.decode(noted, type=Began) if noted else None
        at_s = start_s(began, camera.source, now, duration_s(camera.source), loop=camera.loop)
        if at_s is None:
            # On a full disk a restart begins the file anew, which is better than not to watch at all.
            with contextlib.suppress(OutboxRefused):
                self._outbox.set_note(key, msgspec.json.encode(Began(source=camera.source, at=now)).decode())
            return 0.0
        return at_s

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop; then close the minute."""
        self._detector.warm_up()
        annotate.warm_up()
        if self._compiling is not None:
            self._compiling.start()
        saved = (coverage.load(blob) for blob in self._outbox.minutes(self._camera.camera_id))
        over, self._minute = coverage.resume(
            tuple(m for m in saved if m is not None), self._camera.camera_id, datetime.now(UTC)
        )
        self._closing.extend(over)
        _spare_the_collector()
        self._streams.start(time.monotonic())
        interval_s = 1.0 / max(0.1, self._camera.looks_per_s)
        next_s = last_s = time.monotonic()
        while not stop.is_set() and not self._taken_away:
            stop.wait(max(0.0, next_s - time.monotonic()))
            frame = self._streams.slot.take(timeout_s=DOZING_WAIT_S if self._dozes else min(0.25, interval_s))
            now_s = time.monotonic()
            behind = frame is None or self._streams.slot.behind  # late frames are not waited for
            next_s = now_s if behind else max(next_s + interval_s, now_s)
            self._look(frame, now_s)
            if frame is not None:
                self._size_px = frame.size_px
            if self._streams.tend(now_s, busy=self._busy(), size_px=self._size_px):
                self._begin_anew()
            if behind:  # where looks are dear, what is late must not cost what is happening now
                self._streams.slot.thin(most_late(time.monotonic() - now_s))
            self._tick(now_s - last_s, now_s)
            last_s = now_s
        self._finish()

    def _look(self, frame: Frame | None, now_s: float) -> None:
        """One look, or the lack of one."""
        if frame is not None and frame.media_s < self._media_s:
            return  # a dozing camera's picture that late ones have overtaken
        luma, small = planes(frame)
        before_state, counts = self._minder.health.state, self._streams.counts()
        self._minder.look(
            frame, now_s, self._streams.status, small=small, before=self._before[1] if self._before else None,
            pictures=(counts.arrived, counts.broken),
        )  # fmt: skip
        if self._minder.health.state is not before_state:
            self._changed_state(before_state)
        if frame is None or luma is None or small is None:
            # a cut line: what was filmed until then is all there will be
            if now_s - self._frame_at_s > POST_S:
                self._teller.close_clips(self._media_s, self._state.episodes, at_once=True)
            return
        self._frame_at_s = now_s
        self._counts["looks"] += 1
        motion = self._meter.measure(small, frame.media_s - self._media_s)
        if frame.sparse and motion.largest_px >= gate.MOVING_PX:
            # Something moved since the look before: see all of it first, and this picture then once more.
            self._dozes = False
            self._streams.wish(Wish(doze=False, seen_s=self._media_s))
            return
        self._media_s = frame.media_s
        self._witness.look(frame, small, self._minder.health)
        self._gate, run = gate.decide(
            self._gate, motion.largest_px, frame.media_s, empty=self._empty(), sparse=frame.sparse
        )
        # what was kept until the line broke is seen when the word on the line is out already
        watching = watchdog.watches(self._minder.health.state) or (
            frame.late and self._minder.health.state in _BROKEN
        )
        if run and watching:
            self._detect(frame, luma, motion.in_frame(small, frame.size_px))
        elif run:  # nobody looked: the next look that counts is due at once
            self._gate = msgspec.structs.replace(self._gate, last_run_s=None)
            self._looker.forget()
        self._before = (luma, small)
        self._dozes = gate.rests(self._gate, frame.media_s)
        self._streams.wish(Wish(doze=self._dozes, seen_s=frame.media_s))
        self._teller.close_clips(frame.media_s, self._state.episodes)

    def _busy(self) -> bool:
        """Whether something goes on that is worth the main stream."""
        return bool(self._state.episodes) or not gate.rests(self._gate, self._media_s)

    def _begin_anew(self) -> None:
        """Another stream is looked at: other pixels, the same things."""
        self._tracker = ByteTracker(self._camera.looks_per_s, self._camera.min_score)
        self._state, self._before = watcher.of_another_stream(self._state), None
        self._meter, self._gate = gate.MotionMeter(), gate.GateState()
        self._looker.forget()

    def _empty(self) -> bool:
        """Whether there is nothing that must not be forgotten."""
        state = self._state
        return not (self._found or state.tracks or state.episodes or state.restored)

    def _changed_state(self, before: CameraState) -> None:
        self._looks = looks.paused(self._looks)
        self._since = datetime.now(UTC)
        self._due["beat"] = 0.0
        log.info("camera_state", camera=self._camera.camera_id, state=str(self._minder.health.state), was=str(before),
                 reason=self._minder.health.reason)  # fmt: skip
        if self._minder.void != self._setup.void:  # moved, or registered again
            self._setup = msgspec.structs.replace(self._setup, void=self._minder.void)
            self._seen_ranges = None if self._minder.void is None else ()
        if self._minder.health.state is CameraState.ENDED:
            self._end_episodes("source_ended")

    def _end_episodes(self, why: episodes.Reason) -> None:
        self._state, told = watcher.close(self._state, datetime.now(UTC), _new_id, why)
        for emission in told:
            self._teller.tell(emission, Shot(bgr=lambda: _no_picture()))

    def _hear(self) -> None:
        """What the worker has to say: another job that can be taken over, or None: the camera is taken away."""
        while self._beats.poll():
            job: CameraJob | None = self._beats.recv()
            if job is None:
                self._end_episodes("camera_removed")
                self._taken_away = True
                return
            before, self._job, self._camera = self._job, job, job.camera
            if isinstance(self._detector, SharedDetector):
                self._detector.grade = job.hca.grade
                if job.weights_dir != before.weights_dir:
                    self._adopt(self._detector, job)
            self._setup = msgspec.structs.replace(
                self._setup, camera=job.camera, place=place_of(job), timezone=ZoneInfo(job.timezone),
                settings=job.settings, schedules={s.schedule_id: s for s in job.schedules},
            )  # fmt: skip
            self._teller.reconfigure(self._setup, job.config_version)
            log.info("configuration_in_force", camera=job.camera.camera_id, version=job.config_version)

    def _adopt(self, detector: SharedDetector, job: CameraJob) -> None:
        """The shared detector is another one: its rules and its name count from now on."""
        detector.adopt(job.weights_dir, job.backend)
        info = detector.info
        rules = rules_for(None if info.shipped is None else frozenset(info.shipped))
        self._setup = msgspec.structs.replace(self._setup, rules=rules)
        self._teller.looks_by(ModelRef(name=info.name, version=info.version, sha256=info.sha256))
        log.info("detector_adopted", camera=job.camera.camera_id, model=info.name, version=info.version)

    def _detect(self, frame: Frame, luma: Luma, moving: Sequence[Box]) -> None:
        bgr = functools.cache(frame.picture.bgr)
        try:
            found = self._looker.look(
                bgr, frame.size_px, moving, frame.media_s, part=lambda sides: frame.picture.part(*sides)
            )
        except NotLooked as exc:
            # no look: what stands there is neither seen nor gone, and the next one is due
            self._looks = looks.refused(self._looks, Refusal(exc.why), time.monotonic(), datetime.now(UTC))
            self._counts["looks"] -= 1
            self._gate = msgspec.structs.replace(self._gate, last_run_s=None)
            return
        self._looks = looks.had(self._looks)
        self._counts["detector_runs"] = sum(self._looker.runs.values())
        self._teller.saw(frame.media_s, frame.size_px, (*found, *self._looker.faint))
        self._found = sum(d.score >= self._camera.min_score for d in found)
        self._counts["detections"] += self._found
        objects = followed(
            self._tracker, found, frame.media_s, luma=luma, before=self._before[0] if self._before else None
        )
        changes, learned = self._witness.objects(objects, frame.size_px, frame.media_s)
        look = in_pixels_of(
            self._camera.frame_size_px,
            watcher.Look(media_s=frame.media_s, captured_at=frame.captured_at, frame_size_px=frame.size_px,
                         objects=(*objects, *changes), learned=learned,
                         infrared=self._minder.health.infrared),
        )  # fmt: skip
        state_before = self._state
        self._state, told = watcher.step(self._setup, state_before, look, _new_id)
        for emission in told:
            if not self._teller.tell(
                emission,
                Shot(
                    bgr=bgr,
                    time_uncertain=frame.time_uncertain,
                    before=self._witness.before,
                    media_s=frame.media_s,
                    of_substream=self._streams.by_substream,
                ),
            ):
                self._state = watcher.undo(self._state, state_before, emission)
                self._beat()  # it waited for the outbox, and may wait for the next one: it does not hang
        if told:  # the worker sends what it is told of at once
            self._beat()
        if self._seen_ranges is None:
            self._seen_ranges = seen_ranges(self._setup, look.frame_size_px)

    def _tick(self, dt_s: float, now_s: float) -> None:
        """Hear the worker; keep the ledger, the saved states and the sign of life up to date."""
        with contextlib.suppress(EOFError, OSError):  # the worker is gone, and takes us with it
            self._hear()
        counts = self._streams.counts()
        self._counts["frames"], self._counts["kept"] = counts.arrived, counts.kept
        delta = {key: self._counts[key] - self._ticked[key] for key in self._counts}
        self._ticked = dict(self._counts)
        if self._looks.since_s is not None:  # nobody looks at what is kept while looks are refused
            delta["kept"] = 0
        state = looks.state_of(self._looks, self._minder.health.state, now_s)
        self._minute, closed = coverage.advance(
            self._minute,
            coverage.Tick(now=datetime.now(UTC), dt_s=dt_s, state=state, **delta),
        )
        self._closing.extend(closed)
        if self._closing or now_s >= self._due["minute"]:
            self._due["minute"] = now_s + SAVE_MINUTE_S
            self._save_minute()
        if self._state.episodes and now_s >= self._due["episodes"]:
            self._due["episodes"] = now_s + SAVE_EPISODES_S
            self._save_episodes()
        if now_s >= self._due["beat"]:
            self._due["beat"] = now_s + BEAT_S
            self._beat()

    def _save_minute(self) -> None:
        try:
            while self._closing:
                self._close(self._closing[0])
                self._closing.pop(0)
            self._outbox.save_minute(self._camera.camera_id, self._minute.minute, coverage.dump(self._minute))
        except OutboxRefused as exc:  # the minute waits, and counts as unwatched: what is seen can't be told
            self._closing = [coverage.void(minute) for minute in self._closing]
            self._minute = coverage.void(self._minute)
            log.error(
                "minute_refused", camera=self._camera.camera_id, error=str(exc), waiting=len(self._closing)
            )

    def _close(self, minute: coverage.Minute) -> None:
        self._outbox.append(
            lambda epoch, seq: coverage.record(
                minute, edge_id=self._job.edge_id, epoch=epoch, seq=seq, seen=self._seen_ranges or (),
                calibration_version=self._camera.calibration_version, config_version=self._job.config_version),
            close_minute=(minute.camera_id, minute.minute),
        )  # fmt: skip

    def _save_episodes(self) -> None:
        saved = [SavedEpisode(camera_id=self._camera.camera_id, episode_id=e.episode_id, state=episodes.dump(e))
                 for e in self._state.episodes]  # fmt: skip
        try:
            self._outbox.save_episodes(saved)
        except OutboxRefused as exc:
            log.error("episodes_refused", camera=self._camera.camera_id, error=str(exc))

    def _beat(self) -> None:
        info, asked = self._detector.info, self._looks
        state, since, reason = self._minder.health.state, self._since, self._minder.health.reason
        if looks.state_of(asked, state, time.monotonic()) is CameraState.UNANALYSED:
            state, since, reason = CameraState.UNANALYSED, asked.since or since, looks.reason_of(asked)
        counts = self._streams.counts()
        beat = Beat(
            camera_id=self._camera.camera_id, state=state, since=since,
            reason=reason, frames=self._counts["frames"], looks=self._counts["looks"],
            dropped=counts.dropped, broken=counts.broken,
            asked=asked.asked, served=asked.served, refused=asked.refused,
            detector={"name": info.name, "version": info.version, "sha256": info.sha256, "backend": info.backend,
                      "trained_on": info.trained_on, "no_alarm": ", ".join(without_alarm(info))},
        )  # fmt: skip
        with contextlib.suppress(BrokenPipeError, OSError):
            self._beats.send_bytes(msgspec.msgpack.encode(beat))

    def _finish(self) -> None:
        """An orderly stop: the minute is closed with the span that we were responsible for."""
        self._teller.close_clips(self._media_s, self._state.episodes, at_once=True)
        self._streams.stop()
        self._closing.append(coverage.finish(self._minute))
        with contextlib.suppress(OutboxRefused):
            for minute in self._closing:
                self._close(minute)
        self._save_episodes()
        with contextlib.suppress(OutboxRefused, OSError):
            self._outbox.set_note(f"began:{self._camera.camera_id}", None)
        self._outbox.close()


def _looker(detector: Detector, sure_score: float) -> tuple[Looker, Compiling | None]:
    """Where this camera looks, and what has to be compiled for it; a shared network is compiled where it runs."""
    if isinstance(detector, SharedDetector):
        return Looker(detector, sure_score, ready=lambda: detector.windows_ready), None
    compiling = Compiling(detector)
    return Looker(detector, sure_score, ready=compiling.done), compiling


def _spare_the_collector() -> None:
    """What is loaded now stays: without this, looking through it for garbage cost a third of a quiet camera."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _no_picture() -> Any:
    raise AssertionError("an end needs no picture")


def _new_id() -> str:
    return str(uuid7())

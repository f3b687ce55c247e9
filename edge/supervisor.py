"""One process per camera, kept alive: what dies is started again with backoff, what hangs is killed.

Decides when a child counts as hung and when it may start again (`next_step`, pure); leaves watching to the
child. A camera's trouble never reaches another's process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Literal

import msgspec
import structlog

from edge import camera_process
from edge.job import Beat, CameraJob
from edge.jobs import change
from edge.load import OVERLOAD, Counted
from monitor.domain.events import CameraState, CameraStatus

#: Without a sign of life for so long a camera's process is hung: more than twice what it may wait for the outbox
#: (`outbox_file.BUSY_S`), less than the minute in which a blind camera has to be found.
HUNG_S: Final = 25.0
#: At first it may still be importing and loading.
START_S: Final = 60.0
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
#: A child that lived this long was a good one.
GOOD_AFTER_S: Final = 60.0
#: An orderly stop may take this long, then it is a kill.
STOP_S: Final = 8.0
#: So long a child may take to read its new job.
SEND_S: Final = 2

log = structlog.get_logger()

Step = Literal["nothing", "kill", "start"]


class ChildLife(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor knows of one child; monotonic seconds."""

    alive: bool
    started_s: float
    #: None until the first sign of life
    last_beat_s: float | None = None
    #: dead children in a row, and when the next may start
    failures: int = 0
    start_after_s: float = 0.0


def next_step(
    life: ChildLife, now_s: float, *, start_s: float = START_S, hung_s: float | None = None
) -> Step:
    """What to do with a child now.

    Args:
        start_s: how long it may take until its first sign of life.
        hung_s: how long it may be silent after that; as long as a camera if nothing else is said.
    """
    if not life.alive:
        return "start" if now_s >= life.start_after_s else "nothing"
    if life.last_beat_s is None:
        return "kill" if now_s - life.started_s > start_s else "nothing"
    return "kill" if now_s - life.last_beat_s > (HUNG_S if hung_s is None else hung_s) else "nothing"


def buried(life: ChildLife, now_s: float) -> ChildLife:
    """The life after its death: when the next one may start."""
    failures = 1 if now_s - life.started_s > GOOD_AFTER_S else life.failures + 1
    wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (failures - 1))
    return msgspec.structs.replace(life, alive=False, failures=failures, start_after_s=now_s + wait_s)


class _Child:
    """One camera's process, its pipe and what it said last."""

    def __init__(self, job: CameraJob) -> None:
        self.job = job
        self.life = ChildLife(alive=False, started_s=0.0)
        self.process: SpawnProcess | None = None
        self.beats: Connection | None = None
        self.beat: Beat | None = None
        self.status = CameraStatus(state=CameraState.STARTING, since=datetime.now(UTC))
        #: the job for which its process has to make way, in its turn
        self.next_job: CameraJob | None = None
        #: it was told to end; by then (monotonic seconds) it is killed
        self.ends_by_s: float | None = None
        self.removed = False


class Supervisor:
    """Starts, watches and stops the camera processes of one edge."""

    def __init__(
        self,
        jobs: tuple[CameraJob, ...],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        target: Callable[[CameraJob, Any], None] = camera_process.main,
        heard: Callable[[], None] = lambda: None,
        detector_serves: Callable[[], bool] = lambda: True,
    ) -> None:
        """`heard` is called when a camera has said something: at once after it has told an event.

        A camera with a network of its own goes to the shared one only when that `detector_serves`.
        """
        self._children = {job.camera.camera_id: _Child(job) for job in jobs}
        self._context = multiprocessing.get_context("spawn")
        self._monotonic, self._target, self._heard = monotonic, target, heard
        self._detector_serves = detector_serves
        #: processes that were started again
        self.restarts = 0

    def poll(self, timeout_s: float) -> bool:
        """Read signs of life, bury, kill and start; whether any camera's state changed."""
        before = self._words()
        pipes = {c.beats: c for c in self._children.values() if c.beats is not None}
        if pipes:
            for pipe in wait(list(pipes), timeout_s):
                self._read(pipes[pipe])  # type: ignore[index]
                self._heard()
        else:
            time.sleep(timeout_s)
        for child in self._children.values():
            if child.ends_by_s is None:
                self._care(child)
        self._turn_over()
        return self._words() != before

    def apply(self, jobs: tuple[CameraJob, ...]) -> None:
        """Bring the cameras to these jobs: what can be is taken over while it runs; processes that have to be
        others make way one after the other, so that one camera at a time is blind; others come and go."""
        wanted = {job.camera.camera_id: job for job in jobs}
        for camera_id, child in self._children.items():
            if camera_id not in wanted:
                self._remove(child)
        for camera_id, job in wanted.items():
            child = self._children.setdefault(camera_id, _Child(job))
            child.removed = False
            if child.ends_by_s is not None or change(child.job, job) == "restart":
                child.next_job = job
            else:
                child.next_job = None
                self._take_over(child, job)

    def _take_over(self, child: _Child, job: CameraJob) -> None:
        """Let the running process go on with another job; one that is dead starts with it."""
        if change(child.job, job) != "none" and child.beats is not None:
            try:
                child.beats.send(msgspec.structs.replace(job, seat=None))  # seats are given at the start only
            except OSError:  # it does not read: the next process of the camera starts with it
                child.next_job = job
                return
        child.job = job

    def _remove(self, child: _Child) -> None:
        """Let a camera's process end its episodes and itself."""
        child.removed, child.next_job = True, None
        if child.ends_by_s is None:
            if child.beats is not None:
                with contextlib.suppress(OSError):
                    child.beats.send(None)
            child.ends_by_s = self._monotonic() + STOP_S

    def _turn_over(self) -> None:
        """See off those that were told to end, start the next job of each, and ask the next one to make way."""
        now_s = self._monotonic()
        for camera_id, child in list(self._children.items()):
            if child.ends_by_s is None or not self._has_ended(child, now_s):
                continue
            child.ends_by_s = None
            if child.beats is not None:
                child.beats.close()
                child.beats = None
            child.life = ChildLife(alive=False, started_s=0.0)
            if child.removed:
                del self._children[camera_id]
                log.info("camera_removed", camera=camera_id)
            elif child.next_job is not None:
                child.job, child.next_job = child.next_job, None
                self._start(child)
        waiting = [
            c for c in self._children.values()
            if c.next_job is not None and c.ends_by_s is None and self._may_turn(c.job, c.next_job)
        ]  # fmt: skip
        if waiting and not any(self._is_coming(child, now_s) for child in self._children.values()):
            child = waiting[0]
            child.ends_by_s = now_s + STOP_S
            if child.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.terminate()

    def _may_turn(self, job: CameraJob, next_job: CameraJob) -> bool:
        """Whether the next process would be able to look as this one does."""
        return job.seat is not None or next_job.seat is None or self._detector_serves()

    @staticmethod
    def _has_ended(child: _Child, now_s: float) -> bool:
        if child.process is None or not child.life.alive:
            return True
        if child.process.is_alive() and child.ends_by_s is not None and now_s >= child.ends_by_s:
            log.error("camera_would_not_end", camera=child.job.camera.camera_id, pid=child.process.pid)
            child.process.kill()
            child.process.join(2.0)
        return not child.process.is_alive()

    @staticmethod
    def _is_coming(child: _Child, now_s: float) -> bool:
        """Whether a camera is between two processes, or its new one has not said a word yet."""
        if child.ends_by_s is not None:
            return True
        life = child.life
        return life.alive and life.last_beat_s is None and now_s - life.started_s < START_S

    def statuses(self) -> dict[str, CameraStatus]:
        """The word on each camera."""
        return {camera_id: child.status for camera_id, child in self._children.items()}

    def _words(self) -> dict[str, tuple[CameraState, datetime, str]]:
        """The words alone: pictures are counted all the time, and that is no news."""
        return {i: (c.status.state, c.status.since, c.status.reason) for i, c in self._children.items()}

    def detector(self) -> dict[str, str]:
        """The detector in use, as a child told it; empty before the first."""
        return next((c.beat.detector for c in self._children.values() if c.beat is not None), {})

    def counted(self) -> dict[str, Counted]:
        """Looks of the detector that each camera's process asked for and had, as it said last."""
        return {
            camera_id: Counted(
                asked=child.beat.asked, served=child.beat.served,
                late=sum(child.beat.refused.get(refusal, 0) for refusal in OVERLOAD),
            )
            for camera_id, child in self._children.items()
            if child.beat is not None
        }  # fmt: skip

    def pids(self) -> dict[str, int]:
        """Process ids of the living children."""
        return {
            i: c.process.pid
            for i, c in self._children.items()
            if c.process and c.process.pid and c.life.alive
        }

    def _read(self, child: _Child) -> None:
        assert child.beats is not None
        try:
            while child.beats.poll():
                child.beat = msgspec.msgpack.decode(child.beats.recv_bytes(), type=Beat)
                child.life = msgspec.structs.replace(child.life, last_beat_s=self._monotonic())
                child.status = CameraStatus(
                    state=child.beat.state, since=child.beat.since, reason=child.beat.reason,
                    arrived=child.beat.frames, dropped=child.beat.dropped, broken=child.beat.broken,
                )  # fmt: skip
        except (EOFError, OSError):
            child.beats.close()
            child.beats = None

    def _care(self, child: _Child) -> None:
        now_s, camera_id = self._monotonic(), child.job.camera.camera_id
        if child.life.alive and child.process is not None and not child.process.is_alive():
            self._bury(child, f"its process ended with status {child.process.exitcode}")
        match next_step(child.life, now_s):
            case "kill" if child.process is not None:
                log.error("camera_hung", camera=camera_id, pid=child.process.pid)
                child.process.kill()
                child.process.join(5.0)
                self._bury(child, "its process hung and was killed")
            case "start":
                self._start(child)
            case _:
                pass

    def _bury(self, child: _Child, reason: str) -> None:
        child.life = buried(child.life, self._monotonic())
        if child.beats is not None:
            child.beats.close()
            child.beats = None
        child.status = CameraStatus(
            state=CameraState.STALLED, since=datetime.now(UTC), reason=f"{reason}; restarting"
        )
        log.error("camera_process_gone", camera=child.job.camera.camera_id, reason=reason,
                  failures=child.life.failures)  # fmt: skip

    def _start(self, child: _Child) -> None:
        ours, theirs = self._context.Pipe(duplex=True)
        _bound_sending(ours)
        child.process = self._context.Process(
            target=self._target,
            args=(child.job, theirs),
            name=f"camera-{child.job.camera.camera_id}",
            daemon=True,
        )
        child.process.start()
        theirs.close()
        if child.life.started_s:
            self.restarts += 1
        child.beats = ours
        child.life = msgspec.structs.replace(
            child.life, alive=True, started_s=self._monotonic(), last_beat_s=None
        )

    def stop(self) -> None:
        """End all children in order: minutes are closed; who takes too long is killed."""
        living = [c.process for c in self._children.values() if c.process is not None and c.life.alive]
        for process in living:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline_s = self._monotonic() + STOP_S
        for process in living:
            process.join(max(0.1, deadline_s - self._monotonic()))
            if process.is_alive():
                process.kill()
                process.join(2.0)
        for child in self._children.values():
            child.life = msgspec.structs.replace(child.life, alive=False)


def _bound_sending(pipe: Connection) -> None:
    """A process that hangs and reads nothing must not hold up the worker that is to kill it."""
    with socket.socket(fileno=os.dup(pipe.fileno())) as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))

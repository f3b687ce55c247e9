"""Keeps the shared detector alive: starts it, kills it when it hangs, starts it again with backoff.

Makes the cameras' seats and keeps them, so that neither a camera nor the detector loses its place when the
other dies. One camera alone needs none: its own process runs the network, which costs nothing to share.
Leaves what the cameras do meanwhile to them: a look that nobody takes is told as not looked.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final

import msgspec
import structlog

from edge import detector_process, supervisor
from edge.detector_process import DetectorBeat, DetectorJob, lanes_for
from edge.job import CameraJob
from edge.seat import Seat
from edge.supervisor import ChildLife, buried, next_step

#: Until its first sign of life it loads and compiles the network; on a machine that is busy with a dozen other
#: things that took more than the minute that a camera's process gets.
LOAD_S: Final = 180.0

log = structlog.get_logger()


class DetectorKeeper:
    """The detector's process of one edge; none while `seated` gave nobody a seat."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        target: Callable[[DetectorJob, Any, Any], None] = detector_process.main,
    ) -> None:
        self._monotonic, self._target = monotonic, target
        self._context = multiprocessing.get_context("spawn")
        self._seats: dict[str, Seat] = {}
        self._job: DetectorJob | None = None
        self._life = ChildLife(alive=False, started_s=0.0)
        self._process: SpawnProcess | None = None
        self._beats: Connection | None = None
        #: what it said last
        self.beat: DetectorBeat | None = None
        #: detectors that were started again
        self.restarts = 0

    def seated(self, jobs: tuple[CameraJob, ...]) -> tuple[CameraJob, ...]:
        """The jobs with a seat for each camera, if there are several; else without one.

        May be called again when the cameras have changed: who stays keeps their seat, and the detector begins
        anew with the others' at the next `poll`.
        """
        wanted = {job.camera.camera_id for job in jobs} if len(jobs) > 1 else set()
        gone, fresh = self._seats.keys() - wanted, wanted - self._seats.keys()
        for camera_id in gone:
            self._seats.pop(camera_id).close()
        self._seats.update({camera_id: Seat() for camera_id in fresh})
        job = None if not wanted else DetectorJob(
            weights_dir=jobs[0].weights_dir, backend=jobs[0].backend, providers=jobs[0].providers,
            lanes=lanes_for(len(os.sched_getaffinity(0)), len(jobs)), parent_pid=os.getpid(),
        )  # fmt: skip
        if gone or fresh or job != self._job:
            self._retire()
        self._job = job
        return tuple(
            msgspec.structs.replace(
                job, seat=self._seats[job.camera.camera_id].camera_end() if wanted else None
            )
            for job in jobs
        )

    @property
    def shares(self) -> bool:
        """Whether the cameras share a detector."""
        return self._job is not None

    @property
    def pid(self) -> int | None:
        """Of the detector's process; None if none runs."""
        return self._process.pid if self._process is not None and self._life.alive else None

    def poll(self) -> None:
        """Read its signs of life; bury, kill and start. Never waits."""
        if self._job is None:
            return
        self._read()
        if self._life.alive and self._process is not None and not self._process.is_alive():
            self._bury(f"it ended with status {self._process.exitcode}")
        match next_step(self._life, self._monotonic(), start_s=LOAD_S):
            case "kill" if self._process is not None:
                log.error("detector_hung", pid=self._process.pid)
                self._process.kill()
                self._process.join(5.0)
                self._bury("it hung and was killed")
            case "start":
                self._start(self._job)
            case _:
                pass

    def _read(self) -> None:
        if self._beats is None:
            return
        try:
            while self._beats.poll():
                self.beat = msgspec.msgpack.decode(self._beats.recv_bytes(), type=DetectorBeat)
                self._life = msgspec.structs.replace(self._life, last_beat_s=self._monotonic())
        except (EOFError, OSError):
            self._beats.close()
            self._beats = None

    def _bury(self, reason: str) -> None:
        for seat in self._seats.values():
            seat.vacate()
        self._life = buried(self._life, self._monotonic())
        if self._beats is not None:
            self._beats.close()
            self._beats = None
        log.error("detector_gone", reason=reason, failures=self._life.failures)

    def _start(self, job: DetectorJob) -> None:
        ours, theirs = self._context.Pipe(duplex=False)
        ends = {camera_id: seat.detector_end() for camera_id, seat in self._seats.items()}
        self._process = self._context.Process(
            target=self._target, args=(job, ends, theirs), name="detector", daemon=True
        )
        self._process.start()
        theirs.close()
        self.restarts += bool(self._life.started_s)
        self._beats = ours
        self._life = msgspec.structs.replace(
            self._life, alive=True, started_s=self._monotonic(), last_beat_s=None
        )

    def _retire(self) -> None:
        """End the one that runs, if one does."""
        if self._process is not None and self._life.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            self._process.join(supervisor.STOP_S / 4)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(2.0)
        for seat in self._seats.values():
            seat.vacate()
        if self._beats is not None:
            self._beats.close()
        self._process, self._beats = None, None
        self._life = ChildLife(alive=False, started_s=0.0)

    def stop(self) -> None:
        """End it, after the cameras; what it runs is nobody's any more."""
        self._retire()
        for seat in self._seats.values():
            seat.close()
        self._seats, self._job = {}, None

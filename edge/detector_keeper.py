"""Keeps the shared detector alive: starts it, kills it when it hangs, starts it again with backoff.

Makes the cameras' seats and keeps them, so that neither a camera nor the detector loses its place when the
other dies. Where a camera comes, a second process is started with all the seats, and the first one goes on
looking until the second one serves; where one goes, nothing has to begin anew. One camera alone needs none of
this: its own process runs the network, which costs nothing to share.
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
#: Silent for so long it hangs. It waits for nobody, so this is less than a camera gets.
HUNG_S: Final = 15.0
#: Told to end, it may finish the looks that it has taken, and then it is killed.
LEAVE_S: Final = supervisor.STOP_S / 4

log = structlog.get_logger()


class _Run:
    """One process of the detector: what it was started with, its pipe, and what is known of its life."""

    def __init__(
        self, process: SpawnProcess, beats: Connection, job: DetectorJob, seats: tuple[Seat, ...]
    ) -> None:
        self.process, self.beats, self.job, self.seats = process, beats, job, seats
        self.life = ChildLife(alive=True, started_s=0.0)
        self.beat: DetectorBeat | None = None

    def read(self, now_s: float) -> None:
        """Its signs of life."""
        with contextlib.suppress(EOFError, OSError):  # its death is seen by itself
            while not self.beats.closed and self.beats.poll():
                self.beat = msgspec.msgpack.decode(self.beats.recv_bytes(), type=DetectorBeat)
                self.life = msgspec.structs.replace(self.life, last_beat_s=now_s)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.join(2.0)
        self.beats.close()


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
        #: failures in a row, and when the next may start
        self._life = ChildLife(alive=False, started_s=0.0)
        #: that looks, and that loads to take its place
        self._serving: _Run | None = None
        self._coming: _Run | None = None
        #: those that finish their last looks, and when (monotonic seconds) each is killed
        self._leaving: list[tuple[_Run, float]] = []
        #: detectors that were started since another one had died
        self.restarts = 0

    def seated(self, jobs: tuple[CameraJob, ...]) -> tuple[CameraJob, ...]:
        """The jobs with a seat for each camera, if there are several; else without one.

        May be called again when the cameras have changed: who stays keeps their seat, also a last one, whose
        process would have to load a network of its own. Others' looks go on while a new detector loads.
        """
        shared = len(jobs) > 1 or (bool(jobs) and self.shares)
        wanted = {job.camera.camera_id for job in jobs} if shared else set()
        gone, fresh = self._seats.keys() - wanted, wanted - self._seats.keys()
        for camera_id in gone:
            self._seats.pop(camera_id).close()
        self._seats.update({camera_id: Seat() for camera_id in fresh})
        self._job = None if not shared else DetectorJob(
            weights_dir=jobs[0].weights_dir, backend=jobs[0].backend, providers=jobs[0].providers,
            lanes=lanes_for(len(os.sched_getaffinity(0)), len(jobs)), parent_pid=os.getpid(),
        )  # fmt: skip
        if self._job is None:
            self._end_all()
        if self._coming is not None and not self._fits(self._coming):
            self._coming.kill()  # it serves nobody yet
            self._coming = None
        return tuple(
            msgspec.structs.replace(
                job, seat=self._seats[job.camera.camera_id].camera_end() if shared else None
            )
            for job in jobs
        )

    @property
    def shares(self) -> bool:
        """Whether the cameras share a detector."""
        return self._job is not None

    @property
    def serves(self) -> bool:
        """Whether it has begun to look for those that have a seat."""
        return self._serving is not None

    @property
    def serves_as_wanted(self) -> bool:
        """Whether the one that looks is the one that is wanted now, and none has to take its place."""
        return self._serving is not None and self._fits(self._serving)

    @property
    def pid(self) -> int | None:
        """Of the detector's process, also while it still loads; None if none runs."""
        run = self._serving or self._coming
        return None if run is None else run.process.pid

    def poll(self) -> None:
        """Read signs of life; hand over, bury, kill and start. Never waits for a process that lives."""
        now_s = self._monotonic()
        self._see_off(now_s)
        for run in (self._serving, self._coming):
            if run is not None:
                run.read(now_s)
                self._care(run, now_s)
        if self._coming is not None and self._coming.beat is not None:
            before, self._serving, self._coming = self._serving, self._coming, None
            if before is not None:
                self._let_go(before, now_s)
        needed = self._job is not None and (self._serving is None or not self._fits(self._serving))
        if needed and self._coming is None and now_s >= self._life.start_after_s:
            self._start(now_s)

    def _fits(self, run: _Run) -> bool:
        """Whether it can do what is wanted now: it has everybody's seat, and lanes enough."""
        job = self._job
        return (
            job is not None
            and set(self._seats.values()) <= set(run.seats)
            and run.job.lanes >= job.lanes
            and msgspec.structs.replace(run.job, lanes=job.lanes) == job
        )

    def _care(self, run: _Run, now_s: float) -> None:
        """Bury it if it died, kill it if it hangs."""
        if not run.process.is_alive():
            self._bury(run, now_s, f"it ended with status {run.process.exitcode}")
        elif next_step(run.life, now_s, start_s=LOAD_S, hung_s=HUNG_S) == "kill":
            log.error("detector_hung", pid=run.process.pid)
            run.kill()
            self._bury(run, now_s, "it hung and was killed")

    def _bury(self, run: _Run, now_s: float, reason: str) -> None:
        run.beats.close()
        if run is self._serving:
            self._serving = None
            for seat in self._seats.values():
                seat.vacate()
        if run is self._coming:
            self._coming = None
        lived = msgspec.structs.replace(run.life, failures=self._life.failures)
        self._life = buried(lived, now_s)
        self.restarts += 1
        log.error("detector_gone", reason=reason, failures=self._life.failures)

    def _start(self, now_s: float) -> None:
        assert self._job is not None
        ours, theirs = self._context.Pipe(duplex=False)
        ends = {camera_id: seat.detector_end() for camera_id, seat in self._seats.items()}
        process = self._context.Process(
            target=self._target, args=(self._job, ends, theirs), name="detector", daemon=True
        )
        process.start()
        theirs.close()
        self._coming = _Run(process, ours, self._job, tuple(self._seats.values()))
        self._coming.life = msgspec.structs.replace(self._coming.life, started_s=now_s)

    def _let_go(self, run: _Run, now_s: float) -> None:
        """Another one serves, or nobody asks any more: it finishes what it has taken, and ends."""
        with contextlib.suppress(ProcessLookupError):
            run.process.terminate()
        self._leaving.append((run, now_s + LEAVE_S))

    def _see_off(self, now_s: float) -> None:
        staying = []
        for run, until_s in self._leaving:
            if run.process.is_alive() and now_s < until_s:
                staying.append((run, until_s))
            else:
                run.kill()
        self._leaving = staying

    def _end_all(self) -> None:
        """Nobody asks any more."""
        now_s = self._monotonic()
        for run in (self._serving, self._coming):
            if run is not None:
                self._let_go(run, now_s)
        self._serving = self._coming = None
        self._life = ChildLife(alive=False, started_s=0.0)

    def stop(self) -> None:
        """End it, after the cameras; what it runs is nobody's any more."""
        self._end_all()
        deadline_s = self._monotonic() + LEAVE_S
        for run, _ in self._leaving:
            run.process.join(max(0.1, deadline_s - self._monotonic()))
            run.kill()
        self._leaving = []
        for seat in self._seats.values():
            seat.close()
        self._seats, self._job = {}, None

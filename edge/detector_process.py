"""The process that runs the network for all cameras of an edge: loaded once, whatever their number.

Only moves data: cameras ask at their seats (`edge.seat`), `edge.scheduling` decides whose look is next and
which are refused, lanes run the network, one look each. No batches: on a CPU a batch of two costs as much as
two. Everybody who asks is answered. What hangs stops giving signs of life, so that the worker kills it
(`edge.detector_keeper`); nothing here is worth keeping. Two of them may hold the same seats for a moment: who
is told to end reads no further requests, finishes those that it has, and leaves the rest to the other.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
import structlog

from edge.leaving import leave
from edge.logs import configure
from edge.looking import COMMON_FRAME_PX, windows_of
from edge.orphans import die_with_parent
from edge.process_name import call_me
from edge.scheduling import Ask, Refusal, turn
from edge.seat import Answer, Box, DetectorEnd, Request, ask_of
from models.card import check, read_card
from models.errors import ModelError
from models.registry import describe, find, load
from monitor.domain.privacy import NOTED_SCORE

BEAT_S: Final = 0.5
#: A lane that runs one look for so long hangs. Longer than a network of another shape takes to be compiled.
LANE_HUNG_S: Final = 20.0
#: After so many failures in a row it is not the picture that is to blame.
FAILURES_MAX: Final = 5
#: More lanes than this were never seen to be of use, and each costs some 20 MB.
LANES_MAX: Final = 8
#: Told to end it finishes the looks that it has taken; less than the worker's patience (`detector_keeper.LEAVE_S`).
FINISH_S: Final = 1.5
#: Windows are compiled while nothing is asked; an edge that is never idle gets them after so long all the same.
WINDOWS_WAIT_S: Final = 10.0

log = structlog.get_logger()


class DetectorJob(msgspec.Struct, frozen=True, kw_only=True):
    """What the detector's process is told."""

    weights_dir: Path | None
    backend: str
    providers: tuple[str, ...] = ()
    #: looks that run at the same time
    lanes: int
    parent_pid: int


class DetectorBeat(msgspec.Struct, frozen=True, kw_only=True):
    """Its sign of life."""

    looks: int
    #: seconds of the last look, from its turn to its answer
    look_s: float


def lanes_for(cores: int, cameras: int) -> int:
    """How many looks run at the same time: one a core, as when each camera had a detector of its own.

    >>> lanes_for(4, 2), lanes_for(2, 20), lanes_for(64, 100)
    (2, 2, 8)
    """
    return max(1, min(cores, cameras, LANES_MAX))


def main(job: DetectorJob, seats: dict[str, DetectorEnd], beats: Connection) -> None:
    """Entry of the process."""
    die_with_parent(job.parent_pid)
    call_me("detector")
    configure()
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a camera's process
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    cv2.setNumThreads(1)
    try:
        DetectorProcess(job, seats, beats).run(stop)
    except ModelError as exc:
        log.error("detector_refused", error=str(exc))
        sys.exit(1)
    except Exception:
        log.exception("detector_process_failed")
        sys.exit(1)
    leave()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request, and whose it is."""

    ask: Ask
    request: Request


class DetectorProcess:
    """Takes requests, has them run, answers."""

    def __init__(self, job: DetectorJob, seats: dict[str, DetectorEnd], beats: Connection) -> None:
        self._job, self._seats, self._beats = job, seats, beats
        for seat in seats.values():
            seat.open()
        #: one network for all sizes of input: its weights are there once
        self._network = load(
            job.weights_dir, job.backend, providers=job.providers, at_once=job.lanes, score_min=NOTED_SCORE
        )
        self._network.warm_up()
        self._asked: dict[int, _Asked] = {}
        self._served_s: dict[str, float] = {}
        self._todo: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[_Asked, bool]] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        #: since when each look runs
        self._running: dict[int, float] = {}
        self._looks, self._look_s, self._failures, self._beat_s = 0, 0.0, 0, 0.0
        #: which detector we are, for the cameras; and whether the windows' networks are compiled
        self._mine, self._windows = time.monotonic_ns(), False
        self._lanes = [
            threading.Thread(target=self._lane, name=f"lane-{n}", daemon=True) for n in range(job.lanes)
        ]

    def run(self, stop: threading.Event) -> None:
        """Serve until told to stop, or until too much fails."""
        for lane in self._lanes:
            lane.start()
        waiting = select.poll()
        waiting.register(self._wake, select.POLLIN)
        by_handle = {seat.fileno(): camera_id for camera_id, seat in self._seats.items()}
        for handle in by_handle:
            waiting.register(handle, select.POLLIN)
        for seat in self._seats.values():
            seat.serve(self._mine)
        log.info("detector_serves", cameras=len(self._seats), lanes=len(self._lanes))
        threading.Thread(target=self._prepare, args=(stop,), name="windows", daemon=True).start()
        while not stop.is_set() and self._failures < FAILURES_MAX:
            for handle, events in waiting.poll(self._patience_s(time.monotonic()) * 1000):
                if handle in by_handle:
                    self._hear(by_handle[handle])
                    if events & (select.POLLHUP | select.POLLERR):  # that camera was taken away
                        waiting.unregister(handle)
            self._settle()
            self._decide()
            self._beat(time.monotonic())
        self._finish()
        if self._failures >= FAILURES_MAX:
            sys.exit(1)

    def _finish(self) -> None:
        """Answer what was taken. Who serves next says so itself, and if nobody does the worker says it."""
        until_s = time.monotonic() + FINISH_S
        while (self._asked or self._running) and time.monotonic() < until_s:
            self._settle()
            self._decide()
            time.sleep(0.005)

    def _prepare(self, stop: threading.Event) -> None:
        """Have the network compiled for windows, beside the looks: each takes one or two seconds of an old core."""
        try:
            for width, height in windows_of(self._network.info, COMMON_FRAME_PX).sizes_px:
                until_s = time.monotonic() + WINDOWS_WAIT_S
                while (self._asked or self._running) and time.monotonic() < until_s:
                    if stop.wait(0.01):
                        return
                self._network.detect(np.zeros((height, width, 3), np.uint8), long_side_px=max(width, height))
        except Exception:  # everything is looked at, as before
            log.exception("windows_not_compiled")
            return
        self._windows = True
        for seat in self._seats.values():
            seat.prepared(self._mine)
        log.info("detector_has_windows")

    def _patience_s(self, now_s: float) -> float:
        """How long nothing has to be done if nobody says anything."""
        soonest_s = min((asked.ask.deadline_s for asked in self._asked.values()), default=now_s + BEAT_S)
        return min(BEAT_S, max(0.001, soonest_s - now_s + 0.001))

    def _hear(self, camera_id: str) -> None:
        for request in self._seats[camera_id].requests():
            asked = _Asked(ask=ask_of(camera_id, request), request=request)
            if request.long_side_px != max(self._network.info.input_hw) and not self._windows:
                # meant for the detector before us: here it would wait for the compiler
                self._refuse(asked, Refusal.ABSENT)
                continue
            if request.model_sha256 != self._network.info.sha256:
                self._refuse(asked, Refusal.OTHER_MODEL)
                if (
                    self._exchanged()
                ):  # whoever starts now names the new ones: make room for a detector that has them
                    log.warning("weights_exchanged", was=self._network.info.sha256)
                    self._failures = FAILURES_MAX
            else:
                self._asked[request.look] = asked

    def _exchanged(self) -> bool:
        """Whether other weights, whole and fit to be loaded, lie in the folder than those that were loaded."""
        info = self._network.info
        with contextlib.suppress(ModelError):
            card = read_card(self._job.weights_dir or find(None))
            check(card)
            return describe(card, info.backend, max(info.input_hw)).sha256 != info.sha256
        return False

    def _settle(self) -> None:
        """Note what the lanes have done."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        while not self._done.empty():
            asked, good = self._done.get()
            self._look_s = time.monotonic() - self._running.pop(asked.ask.look)
            self._looks += 1
            self._failures = 0 if good else self._failures + 1

    def _decide(self) -> None:
        """Give the idle lanes their looks; tell whose look is refused."""
        while self._asked:
            now_s = time.monotonic()
            idle = len(self._running) < len(self._lanes)
            now = turn([asked.ask for asked in self._asked.values()], self._served_s, now_s, idle=idle)
            for ask, refusal in now.refused:
                self._refuse(self._asked.pop(ask.look), refusal)
            if now.ask is None:
                return
            chosen = self._asked.pop(now.ask.look)
            self._served_s[now.ask.camera_id] = self._running[now.ask.look] = now_s
            self._todo.put(chosen)

    def _refuse(self, asked: _Asked, refusal: Refusal) -> None:
        self._seats[asked.ask.camera_id].answer(Answer(asked.request.look, refusal))

    def _lane(self) -> None:
        """One look after the other."""
        while (asked := self._todo.get()) is not None:
            good = True
            try:
                answer = self._look(asked)
            except (
                Exception
            ):  # a lane's outermost loop: one camera's picture must not end the others' watching
                log.exception("look_failed", camera=asked.ask.camera_id)
                answer, good = Answer(asked.request.look, Refusal.FAILED), False
            self._seats[asked.ask.camera_id].answer(answer)
            self._done.put((asked, good))
            os.eventfd_write(self._wake, 1)

    def _look(self, asked: _Asked) -> Answer:
        request = asked.request
        picture = self._seats[asked.ask.camera_id].picture(request)
        if picture is None:
            return Answer(request.look, Refusal.SUPERSEDED)
        # the picture is the network's input, so boxes are in its pixels
        found = self._network.detect(picture, long_side_px=request.long_side_px)
        return Answer(request.look, None, tuple(Box(d.class_name, d.score, d.xyxy) for d in found))

    def _beat(self, now_s: float) -> None:
        """Say that we live, unless a lane hangs."""
        if now_s - self._beat_s < BEAT_S or self._hangs(now_s):
            return
        self._beat_s = now_s
        for seat in self._seats.values():  # again: the worker may have taken another's death for ours
            seat.serve(self._mine)
        with contextlib.suppress(BrokenPipeError, OSError):
            self._beats.send_bytes(
                msgspec.msgpack.encode(DetectorBeat(looks=self._looks, look_s=self._look_s))
            )

    def _hangs(self, now_s: float) -> bool:
        return any(now_s - since_s > LANE_HUNG_S for since_s in self._running.values())

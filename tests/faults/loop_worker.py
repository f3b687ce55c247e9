"""One worker of the loop's fault run: the real alert worker and couriers, in a process that dies where it is told.

Says `ready` and `away`, with the monotonic time, as its threads become well and unwell. Ends with its pipe.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.policy import Policy
from alerts.postgres_book import PostgresAlertBook, PostgresAlertTx
from alerts.postgres_together import PostgresTogetherTx
from alerts.worker import AlertWorker
from monitor.domain.calm import Calm
from monitor.domain.levels import Level
from monitor.domain.response import PARTIES, Chain, ChainStep, Limits, Response, Who
from monitor.store.pool import make_pool
from tests.doubles.alert_story import CITY
from tests.faults.loop_plan import Death

#: An officer who has not accepted by then is taken for dark, seconds.
ACCEPT_S: Final = 3.0
_LIMITS: Final = Limits(accept_s=ACCEPT_S, depart_s=4.0, arrive_s=8.0, cure_s=8.0)
_STEPS: Final = (ChainStep(who=Who.OFFICER), ChainStep(who=Who.OPERATOR, after_s=1.0, every_s=1.0, times=2))
#: the loop's minutes as seconds, so that a story of seconds has escalations
POLICY: Final = Policy(
    level_ii_wait=timedelta(seconds=2), retry_dispatch_after=timedelta(seconds=1),
    evidence_within=timedelta(seconds=5), most_per_officer=40, calm=Calm(bundle_s=2.0),
    response=Response(
        limits={party: dict.fromkeys(Level, _LIMITS) for party in PARTIES},
        chains=(Chain(steps=_STEPS, wait_s=2.0),),
    ),
)  # fmt: skip


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs."""

    dsn: str
    receiver_port: int
    death: Death


def die() -> None:
    """As by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


class Doom:
    """Counts calls of one step and kills the process at its time."""

    def __init__(self, death: Death) -> None:
        self._death, self._calls, self._lock = death, 0, threading.Lock()

    def watched(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, or the end of it all."""
        if step != self._death.step:
            return call

        @functools.wraps(call)
        def until_then(*args: Any, **more: Any) -> Any:
            with self._lock:
                self._calls += 1
                now = self._calls == self._death.call
            if now and not self._death.after:
                die()
            answer = call(*args, **more)
            if now:
                die()
            return answer

        return until_then

    def strike(self) -> None:
        """Puts it into the classes of the real book."""
        for kind in (PostgresAlertTx, PostgresTogetherTx):
            for name in list(vars(kind)):
                if name == self._death.step:
                    setattr(kind, name, self.watched(name, getattr(kind, name)))
        if self._death.step == "commit":
            import psycopg

            psycopg.Connection.commit = self.watched("commit", psycopg.Connection.commit)  # type: ignore[method-assign]


def sender(port: int, doom: Doom) -> Callable[[str, bytes, bool], None]:
    """POSTs a message; anything but 200 is an error."""

    def send(address: str, payload: bytes, _retain: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("POST", f"/{address}", payload)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != 200:
            raise ConnectionError(f"the receiver answered {status}")

    return doom.watched("send", send)


def serve(job: Job, pipe: Connection, log: Path) -> None:
    """Runs until killed, or until the pipe ends."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    doom = Doom(job.death)
    doom.strike()
    with make_pool(job.dsn, "worker", min_size=1, max_size=10, acquire_timeout_s=3.0) as pool:
        book = PostgresAlertBook(pool)
        engine = AlertEngine(book, CITY, POLICY)
        courier = Courier(book, {"mqtt": sender(job.receiver_port, doom)}, engine, POLICY, at_once=4)
        with AlertWorker(engine, courier, job.dsn) as worker:
            time.sleep(0.5)  # each thread's first turn
            threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
            said = ""
            while True:
                now = "ready" if worker.healthy() else "away"
                if now != said:
                    pipe.send((now, time.monotonic()))
                said = now
                time.sleep(0.05)


def _end_with(pipe: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os._exit(0)

"""The alert loop's decisions in a process of their own beside the centre: onsets, other work, and what is due.

Apart from ingest and pages, since Python runs one thread at a time: an alert waits neither for a page nor for an
edge's backlog that is read just then. It talks to the database only, so it can be killed at any time; the centre
starts it again. It ends with the centre, also by kill -9: its pipe ends then.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import structlog

from alerts.calm.desk import ShelfDesk
from alerts.engine import AlertEngine
from alerts.permitting.desk import PermitDesk
from alerts.policy import Policy
from alerts.postgres_book import PostgresAlertBook
from alerts.visiting.desk import VisitDesk
from alerts.worker import STALE_S, AlertWorker
from hcawatch.garbage import leave_out_what_is_there
from monitor.domain.assets import City
from monitor.logs import set_up_logs
from monitor.store.pool import FEW_ROWS_EACH, make_pool

log = structlog.get_logger(__name__)

#: how often it says how it is, and how soon another is started after its death
BEAT_S = 0.5
RESTART_S = 1.0
#: a start on a slow, busy machine; until then the centre says that the loop is not well
START_S = 60.0
_CONNECTIONS = 8


class Deciding:
    """`with Deciding(dsn, city, policy):` keeps the process running; leaving the block ends it."""

    def __init__(
        self,
        dsn: str,
        city: City,
        policy: Policy,
        body: Callable[[Connection, str, City, Policy], None] | None = None,
    ) -> None:
        """`body`: what the process does; see `decide`."""
        self._given, self._body = (dsn, city, policy), body or decide
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._well_at_s = float("-inf")
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._keeper = threading.Thread(target=self._keep, name="deciding", daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        process = self._process
        return None if process is None else process.pid

    def healthy(self) -> bool:
        """Whether it said lately that all its threads are well."""
        return time.monotonic() - self._well_at_s < STALE_S

    def wait_well(self, timeout_s: float = START_S) -> bool:
        """Waits until it says so; False after `timeout_s`."""
        end_s = time.monotonic() + timeout_s
        while not self.healthy() and time.monotonic() < end_s:
            time.sleep(0.02)
        return self.healthy()

    def __enter__(self) -> "Deciding":
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._lock:
            if self._pipe is not None:
                with contextlib.suppress(OSError):  # it ended by itself
                    self._pipe.send("end")  # after its running transactions
        self._keeper.join(15.0)

    # ------------------------------------------------------------ the keeper's thread
    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self._one_life()
            except Exception:
                log.exception("deciding.failed")
            self._well_at_s = float("-inf")
            if self._stopping.wait(RESTART_S):
                return

    def _one_life(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(
            target=self._body, args=(theirs, *self._given), name="hcawatch deciding", daemon=True
        )
        with self._lock:
            if self._stopping.is_set():
                return
            process.start()
            self._process, self._pipe = process, ours
        theirs.close()
        try:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    if ours.recv():
                        self._well_at_s = time.monotonic()
        finally:
            process.join(10.0)
            if process.is_alive():
                process.kill()
                process.join(5.0)
            if not self._stopping.is_set():
                log.error("deciding.ended", exit_code=process.exitcode, what="it is started again")
            with self._lock:
                self._pipe = None
                ours.close()


def decide(pipe: Connection, dsn: str, city: City, policy: Policy) -> None:
    """The process: decides until it is told to end or its pipe does, and says through it whether all is well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the centre's
    set_up_logs()
    with make_pool(dsn, "deciding", min_size=2, max_size=_CONNECTIONS, planner=FEW_ROWS_EACH) as pool:
        permits = PermitDesk(pool, city)
        engine = AlertEngine(PostgresAlertBook(pool), city, policy)
        visits = VisitDesk(pool, city, engine)
        shelves = ShelfDesk(PostgresAlertBook(pool), city, policy)
        due = (permits.run_due, visits.run_due, shelves.run_due)
        leave_out_what_is_there()
        worker = AlertWorker(engine, None, dsn, also_due=due)
        with worker, contextlib.suppress(EOFError, OSError):  # the centre ended
            while not pipe.poll(BEAT_S):
                pipe.send(worker.healthy())
    # threads of a pool whose database is away would be waited for
    os._exit(0)

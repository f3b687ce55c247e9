"""The alert module's threads: one takes work and what is due, one delivers messages.

Woken by NOTIFY at once and by the clock every second. Survives restarts of the database: what was not
committed is still there, and both threads simply begin again. All decisions are the engine's.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from alerts.apply import OUTGOING_CHANNEL
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.errors import Conflict

log = structlog.get_logger(__name__)

WORK_CHANNEL = "hcawatch_work"
#: pieces of work after which timers are looked at
WORK_AT_ONCE = 20
#: timers are looked at this often
TICK_S = 1.0
#: after a failure, so that a database that is away is not hammered
PAUSE_S = 0.5
#: a thread that did not finish a turn for this long is not well
STALE_S = 30.0

#: the database is away or busy; nothing is lost, try again
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, Conflict)


def utc_now() -> datetime:
    """The wall clock, the only place where the loop reads it."""
    return datetime.now(UTC)


class AlertWorker:
    """`with AlertWorker(engine, courier, dsn):` runs both threads; leaving the block ends them."""

    def __init__(
        self, engine: AlertEngine, courier: Courier, dsn: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._engine, self._courier, self._dsn, self._clock = engine, courier, dsn, clock
        self._stopping = threading.Event()
        self._to_deliver = threading.Event()
        self._loops = (
            _Loop("alerts", self._work_while_connected, self._stopping),
            _Loop("courier", self._deliver, self._stopping),
        )

    def start(self) -> None:
        """Begin."""
        for loop in self._loops:
            loop.thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End after the running transactions; safe to call twice."""
        self._stopping.set()
        self._to_deliver.set()
        for loop in self._loops:
            if loop.thread.ident is not None:
                loop.thread.join(timeout_s)

    def healthy(self) -> bool:
        """Whether both threads run and finished a turn lately."""
        return all(loop.healthy() for loop in self._loops)

    def __enter__(self) -> "AlertWorker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ------------------------------------------------------------ the two loops
    def _work_while_connected(self, turned: Callable[[], None]) -> None:
        """Work, then wait for word or the next second, until told to stop or the connection is lost."""
        with psycopg.connect(
            self._dsn, autocommit=True, connect_timeout=5, application_name="hcawatch alerts listener"
        ) as conn:
            conn.execute(f"LISTEN {WORK_CHANNEL}")
            conn.execute(f"LISTEN {OUTGOING_CHANNEL}")
            while not self._stopping.is_set():
                more = self._turn()
                turned()
                if more:
                    continue
                for notice in conn.notifies(timeout=TICK_S, stop_after=1):
                    if notice.channel == OUTGOING_CHANNEL:
                        self._to_deliver.set()

    def _turn(self) -> bool:
        """Some of what waits, with a fresh `now` for each piece of work; whether more may wait.

        Timers in between, since an edge's backlog may take minutes and nobody's two minutes wait for that.
        """
        done = 0
        while done < WORK_AT_ONCE and not self._stopping.is_set():
            if not self._engine.take_work(self._clock(), limit=1):
                break
            done += 1
        timers = self._engine.run_due(self._clock())
        return done == WORK_AT_ONCE or timers > 0

    def _deliver(self, turned: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            self._to_deliver.clear()
            while self._courier.deliver(self._clock(), limit=10) and not self._stopping.is_set():
                pass
            turned()
            self._to_deliver.wait(TICK_S)


class _Loop:
    """A thread that begins again after whatever failed, says so once, and knows whether it is well."""

    def __init__(
        self, name: str, body: Callable[[Callable[[], None]], None], stopping: threading.Event
    ) -> None:
        self._name, self._body, self._stopping = name, body, stopping
        self._turned_at_s = time.monotonic()
        self._failures = 0
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def healthy(self) -> bool:
        return (
            self.thread.is_alive() and self._failures == 0 and time.monotonic() - self._turned_at_s < STALE_S
        )

    def _turned(self) -> None:
        if self._failures:
            log.info("worker.well_again", loop=self._name, failures=self._failures)
        self._failures = 0
        self._turned_at_s = time.monotonic()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._body(self._turned)
            except _AWAY as exc:
                if self._failures == 0:  # say it once, until it is well again
                    log.warning("worker.waits", loop=self._name, error=str(exc).strip())
                self._failures += 1
            except Exception:
                self._failures += 1
                log.exception("worker.turn_failed", loop=self._name, failures=self._failures)
            self._stopping.wait(PAUSE_S)

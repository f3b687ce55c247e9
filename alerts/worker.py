"""The alert module's threads: one for onsets, one for all other work, one for what is due, some that deliver.

The first three decide and may run in another process than those that deliver (hcawatch/deciding.py). Apart, so that
an edge's backlog delays neither a new alert nor anybody's two minutes, and a slow receiver
nobody at all. Woken by NOTIFY at once (one more thread listens) and by the clock every second. Survives
restarts of the database: what was not committed is still there, and each thread simply begins again. All
decisions are the engine's.
"""

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable, Sequence
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
#: work, timers and messages are looked for this often even if nobody says that there are any
TICK_S = 1.0
#: onsets that are opened in one transaction, at most
ONSETS_AT_ONCE = 50
#: threads that deliver
COURIERS = 3
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
    """`with AlertWorker(engine, courier, dsn):` runs the threads; leaving the block ends them."""

    def __init__(
        self,
        engine: AlertEngine | None,
        courier: Courier | None,
        dsn: str,
        clock: Callable[[], datetime] = utc_now,
        also_due: Sequence[Callable[[datetime], int]] = (),
    ) -> None:
        """Without an engine nothing is decided, without a courier nothing is delivered: another process does that.

        `also_due`: further things that time brings, as `AlertEngine.run_due` is one.
        """
        self._dsn, self._clock = dsn, clock
        self._stopping = threading.Event()
        self._onsets, self._rest, self._to_deliver = _Bell(), _Bell(), _Bell(COURIERS)
        bodies: dict[str, Callable[[Callable[[], None]], None]] = {"listener": self._listen}
        if engine is not None:
            bodies |= {
                "onsets": functools.partial(self._take_onsets, engine),
                "work": functools.partial(self._take_rest, engine),
                "timers": functools.partial(self._run_due, engine),
            }
        if also_due:  # apart: what they look through must not make anybody's clock late
            bodies["others"] = functools.partial(self._run_also_due, tuple(also_due))
        if courier is not None:
            deliver = functools.partial(self._deliver, courier)
            bodies |= {f"courier-{n}": deliver for n in range(1, COURIERS + 1)}
        self._loops = tuple(_Loop(name, body, self._stopping) for name, body in bodies.items())

    def start(self) -> None:
        """Begin."""
        for loop in self._loops:
            loop.thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End after the running transactions; safe to call twice."""
        self._stopping.set()
        for bell in (self._onsets, self._rest, self._to_deliver):
            bell.ring(all_of_them=True)
        for loop in self._loops:
            if loop.thread.ident is not None:
                loop.thread.join(timeout_s)

    def healthy(self) -> bool:
        """Whether all threads run and finished a turn lately."""
        return all(loop.healthy() for loop in self._loops)

    def __enter__(self) -> "AlertWorker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ------------------------------------------------------------ the loops
    def _listen(self, turned: Callable[[], None]) -> None:
        """Passes on what the database tells, until told to stop or the connection is lost."""
        with psycopg.connect(
            self._dsn, autocommit=True, connect_timeout=5, application_name="hcawatch alerts listener"
        ) as conn:
            conn.execute(f"LISTEN {WORK_CHANNEL}")
            conn.execute(f"LISTEN {OUTGOING_CHANNEL}")
            while not self._stopping.is_set():
                turned()
                for notice in conn.notifies(timeout=TICK_S, stop_after=1):
                    if notice.channel == OUTGOING_CHANNEL:
                        self._to_deliver.ring()
                    else:
                        self._onsets.ring()
                        self._rest.ring()

    def _take_onsets(self, engine: AlertEngine, turned: Callable[[], None]) -> None:
        self._again_and_again(
            lambda: engine.take_onsets(self._clock(), limit=ONSETS_AT_ONCE), self._onsets, turned
        )

    def _take_rest(self, engine: AlertEngine, turned: Callable[[], None]) -> None:
        # one by one: each with a fresh `now`, since a backlog may take minutes
        self._again_and_again(lambda: engine.take_rest(self._clock(), limit=1), self._rest, turned)

    def _run_due(self, engine: AlertEngine, turned: Callable[[], None]) -> None:
        self._again_and_again(lambda: engine.run_due(self._clock(), limit=1), _Bell(), turned)

    def _run_also_due(
        self, also_due: Sequence[Callable[[datetime], int]], turned: Callable[[], None]
    ) -> None:
        self._again_and_again(lambda: sum(run_due(self._clock()) for run_due in also_due), _Bell(), turned)

    def _deliver(self, courier: Courier, turned: Callable[[], None]) -> None:
        def some() -> int:
            # the time anew for each: what came while its predecessor was sent rang for nothing, and is due only now
            tried = courier.deliver_some(self._clock())
            if tried == courier.at_once:
                self._to_deliver.ring()  # more than one thread's
            return tried

        self._again_and_again(some, self._to_deliver, turned)

    def _again_and_again(self, some: Callable[[], int], bell: "_Bell", turned: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            while some() and not self._stopping.is_set():
                turned()
            turned()
            bell.wait(TICK_S)


class _Bell:
    """Wakes one of those that wait; if none does, the next that would. Rung more often than that it forgets."""

    def __init__(self, waiters: int = 1) -> None:
        self._rings: queue.Queue[None] = queue.Queue(waiters)
        self._waiters = waiters

    def ring(self, *, all_of_them: bool = False) -> None:
        for _ in range(self._waiters if all_of_them else 1):
            with contextlib.suppress(queue.Full):
                self._rings.put_nowait(None)

    def wait(self, timeout_s: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._rings.get(timeout=timeout_s)


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

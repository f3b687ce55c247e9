"""Asks every minute whether the daily look for thresholds is due, in a thread of its own beside the centre's others.

Apart from the loop's timers, since a look at many cameras takes seconds and no clock of an alert may wait for it.
Whether it is due stands in the database: several centres look once.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg_pool import PoolTimeout

log = structlog.get_logger(__name__)

ASK_EVERY_S = 60.0


class Looking:
    """`with Looking(desk.run_due):` keeps asking; leaving the block ends it after the look that runs."""

    def __init__(self, run_due: Callable[[datetime], int], every_s: float = ASK_EVERY_S) -> None:
        self._run_due, self._every_s = run_due, every_s
        self._well = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def __enter__(self) -> "Looking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._run_due(datetime.now(UTC))
                self._well = True
            except (psycopg.Error, PoolTimeout) as exc:
                if self._well:  # say it once, until it is well again
                    log.warning("looking.waits", error=str(exc).strip())
                self._well = False
            except Exception:
                self._well = False
                log.exception("looking.failed")

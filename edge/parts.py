"""The worker's threads, kept alive: one that dies is made anew with backoff, and the edge's status says so.

Decides when a part starts again (`edge.supervisor.buried`, as for a camera's process) and when the worker
should rather end (`hopeless`, pure). What a part does is its own matter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec
import structlog

from edge.errors import PartHopeless
from edge.supervisor import GOOD_AFTER_S, ChildLife, buried

#: Deaths in a row after which a part without which nobody hears of it ends the worker (some 8 seconds).
MOST_DEATHS: Final = 5

log = structlog.get_logger()

_Thread = TypeVar("_Thread", bound=threading.Thread)


def hopeless(life: ChildLife, *, vital: bool) -> bool:
    """Whether the worker should end, so that its service manager starts it anew.

    Only for a vital part: any other's trouble is told by the status, and the cameras go on watching.
    """
    return vital and life.failures >= MOST_DEATHS


class Part(Generic[_Thread]):
    """One thread that must live, and its successors."""

    def __init__(
        self,
        name: str,
        make: Callable[[], _Thread],
        *,
        vital: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`make` gives a thread that was not started; `vital` if without it the status can't be told."""
        self.name, self._make, self._vital, self._monotonic = name, make, vital, monotonic
        #: the living one, or the last
        self.current: _Thread = make()
        self._life = ChildLife(alive=False, started_s=0.0)
        self._fault = ""
        #: times that it was made anew
        self.restarts = 0

    def start(self) -> None:
        """Start it; care for it from now on."""
        self._watch(self.current)
        self.current.start()
        self._life = msgspec.structs.replace(self._life, alive=True, started_s=self._monotonic())

    def care(self) -> bool:
        """Bury it if it died, make it anew when it is time; whether anything changed.

        Raises:
            PartHopeless: it is vital, and dies again and again.
        """
        now_s = self._monotonic()
        if self._life.alive and not self.current.is_alive():
            self._life = buried(self._life, now_s)
            log.error("part_died", part=self.name, error=self._fault, failures=self._life.failures)
            if hopeless(self._life, vital=self._vital):
                raise PartHopeless(self.name, self._fault)
            return True
        if not self._life.alive and now_s >= self._life.start_after_s:
            self.current = self._make()
            self.start()
            self.restarts += 1
            log.warning("part_started_again", part=self.name, restarts=self.restarts)
            return True
        if self._life.failures and now_s - self._life.started_s > GOOD_AFTER_S:
            self._life = msgspec.structs.replace(self._life, failures=0)
            return True
        return False

    @property
    def trouble(self) -> str:
        """What the status says of it; empty if it is well, and has been for a minute."""
        if not self._life.failures:
            return ""
        times = f"{self._life.failures} times in a row" if self._life.failures > 1 else "once"
        return f"{self.name} died {times}: {self._fault}"

    def _watch(self, thread: _Thread) -> None:
        """Whatever ends its run is kept and logged: a thread's exception reaches nobody else."""
        run = thread.run

        def run_and_tell() -> None:
            fault = "it ended by itself"
            try:
                run()
            except BaseException as exc:
                fault = f"{type(exc).__name__}: {exc}"
                log.error("part_failed", part=self.name, exc_info=exc)
            self._fault = fault

        thread.run = run_and_tell  # type: ignore[method-assign]

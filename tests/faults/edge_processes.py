"""Processes of the edge in a fault run: what the run needs of them, and those that a fork server makes cheaply."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any, Final, Protocol

#: a dead child is started again after this
RESTART_S: Final = 0.03
#: an orderly stop may take so long
STOP_S: Final = 30.0


class Process(Protocol):
    """One process of the edge, as the run sees it."""

    #: exit statuses of deaths, in order
    deaths: list[int]

    @property
    def pid(self) -> int | None:
        """The living process."""
        ...

    def care(self) -> bool:
        """Bury and start; whether a new life began."""
        ...

    def kill(self) -> bool:
        """SIGKILL; whether it lived."""
        ...

    def stop(self) -> int | None:
        """Stop in order; the exit status, None if it had to be killed."""
        ...


class Child:
    """One process of the edge, started again when it dies, until the run ends."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._target, self._args = target, args
        self.lives = 0
        self.process: BaseProcess | None = None
        self._next_s = 0.0
        #: exit statuses of deaths, in order
        self.deaths: list[int] = []

    @property
    def pid(self) -> int | None:
        """The living process."""
        return self.process.pid if self.process is not None else None

    def care(self) -> bool:
        """Bury and start; whether a new life began."""
        if self.process is not None and self.process.exitcode is not None:
            self.deaths.append(self.process.exitcode)
            self.process, self._next_s = None, time.monotonic() + RESTART_S
        if self.process is None and time.monotonic() >= self._next_s:
            self.process = multiprocessing.get_context("forkserver").Process(
                target=self._target, args=(*self._args, self.lives), daemon=True
            )
            self.process.start()
            self.lives += 1
            return True
        return False

    def kill(self) -> bool:
        """SIGKILL; whether it lived."""
        if self.process is None or self.process.exitcode is not None:
            return False
        self.process.kill()
        return True

    def stop(self) -> int | None:
        """Stop in order; the exit status, None if it had to be killed."""
        if self.process is None:
            return 0
        self.process.terminate()
        self.process.join(STOP_S)
        status = self.process.exitcode
        if status is None:
            self.process.kill()
            self.process.join(STOP_S)
        self.process = None
        return status

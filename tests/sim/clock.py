"""Simulated time: an agenda of things to do, and the only clock that the simulation knows.

Nothing here waits. `run_until` takes the next thing from the agenda, sets the clock to its time and does it;
things of the same time are done in the order in which they were put there, so that a seed always replays.
"""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

#: 08:00 in Shanghai, a working day
START = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)

Do = Callable[[], None]


class Agenda:
    """Things to do, by simulated seconds since START."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._heap: list[tuple[float, int, Do]] = []
        self._order = count()

    @property
    def utc(self) -> datetime:
        """The true time."""
        return START + timedelta(seconds=self.now_s)

    def at(self, when_s: float, do: Do) -> None:
        """Do this then, or at once if that is over."""
        heapq.heappush(self._heap, (max(when_s, self.now_s), next(self._order), do))

    def after(self, wait_s: float, do: Do) -> None:
        """Do this so many seconds from now."""
        self.at(self.now_s + wait_s, do)

    def every(self, step_s: float, do: Do) -> None:
        """Do this again and again, first in `step_s`."""

        def again() -> None:
            do()
            self.after(step_s, again)

        self.after(step_s, again)

    def run_until(self, end_s: float) -> None:
        """Do everything up to that time."""
        while self._heap and self._heap[0][0] <= end_s:
            self.now_s, _, do = heapq.heappop(self._heap)
            do()
        self.now_s = end_s


class Ids:
    """UUIDv7 of simulated time and the seed's chance: the same in every run."""

    def __init__(self, agenda: Agenda, rng: random.Random) -> None:
        self._agenda, self._rng, self._last_ms = agenda, rng, 0

    def __call__(self) -> str:
        # a step further each time, so that the order of ids is the order of making
        self._last_ms = max(int(self._agenda.utc.timestamp() * 1000), self._last_ms + 1)
        tail = self._rng.getrandbits(74)
        value = (
            (self._last_ms << 80) | (0x7 << 76) | ((tail >> 62) << 64) | (0b10 << 62) | (tail & (2**62 - 1))
        )
        return str(uuid.UUID(int=value))

"""The outbox of the simulation: MemoryOutbox, which also dies in mid-transaction and remembers what it numbered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from edge.evidence_queue import PendingEvidence
from edge.outbox import Make, Row, SavedEpisode
from monitor.domain.events import RiskEvent
from tests.doubles.outbox import MemoryOutbox


class Killed(BaseException):
    """kill -9: nothing of ours may catch it."""


class MortalOutbox(MemoryOutbox):
    """`dies` kills the process at the next number, before or after it is committed."""

    def __init__(self, epoch: str, now_s: Callable[[], float]) -> None:
        super().__init__(epoch)
        self._now_s = now_s
        self.dies: Literal["before_commit", "after_commit"] | None = None
        #: every number that was ever given, with the hash of its bytes; not the edge's to read
        self.given: dict[int, str] = {}
        self.numbered_at_s: dict[int, float] = {}
        #: when an event was refused because the disk was full
        self.refused_at_s: list[float] = []

    def append(
        self,
        make: Make,
        *,
        episodes: Sequence[SavedEpisode] = (),
        evidence: Sequence[PendingEvidence] = (),
        close_minute: tuple[str, datetime] | None = None,
    ) -> Row:
        if self.full and isinstance(make(self.epoch, self.last_seq + 1), RiskEvent):
            self.refused_at_s.append(self._now_s())
        dies, self.dies = self.dies, None
        if dies == "before_commit":
            raise Killed
        row = super().append(make, episodes=episodes, evidence=evidence, close_minute=close_minute)
        self.given[row.seq], self.numbered_at_s[row.seq] = row.sha256, self._now_s()
        if dies == "after_commit":
            raise Killed
        return row

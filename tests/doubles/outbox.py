"""An outbox in memory: keeps the same contract as `edge.outbox.SqliteOutbox`, but for surviving a death."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec
from uuid_utils import uuid7

from edge.errors import OutboxRefused
from edge.evidence_queue import LONGEST_WAIT_S, PendingEvidence
from edge.outbox import Make, Row, SavedEpisode, Summary, to_row
from monitor.domain.events import Kind, Receipt
from monitor.domain.numbers import Stored


class MemoryEvidenceQueue:
    """What waits for its upload, in a dict."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[PendingEvidence, float]] = {}
        self.stored = 0

    def add(self, item: PendingEvidence) -> bool:
        """Whether it is new."""
        new = item.ref.sha256 not in self.items
        if new:
            self.items[item.ref.sha256] = (item, 0.0)
        return new

    def due(self, now: float, limit: int = 1) -> tuple[PendingEvidence, ...]:
        due = [item for item, at in self.items.values() if at <= now or at > now + LONGEST_WAIT_S]
        return tuple(sorted(due, key=lambda i: (i.ref.kind == "clip", i.announced_at)))[:limit]

    def later(self, sha256: str, next_try_at: float) -> None:
        item, _ = self.items[sha256]
        self.items[sha256] = (msgspec.structs.replace(item, attempts=item.attempts + 1), next_try_at)

    def done(self, sha256: str) -> None:
        if self.items.pop(sha256, None) is not None:
            self.stored += 1


class MemoryOutbox:
    """Numbers messages and keeps them in a dict. `full = True` makes it refuse, as a full disk does."""

    def __init__(self, epoch: str | None = None) -> None:
        self._epoch = epoch or str(uuid7())
        self.rows: dict[int, Row] = {}
        self.last_seq = 0
        self.full = False
        self._counts: Counter[str] = Counter()
        self._episodes: dict[tuple[str, str], bytes] = {}
        self._minutes: dict[tuple[str, datetime], bytes] = {}
        self.evidence = MemoryEvidenceQueue()
        self._through = 0

    @property
    def epoch(self) -> str:
        return self._epoch

    def append(
        self,
        make: Make,
        *,
        episodes: Sequence[SavedEpisode] = (),
        evidence: Sequence[PendingEvidence] = (),
        close_minute: tuple[str, datetime] | None = None,
    ) -> Row:
        if self.full:
            raise OutboxRefused("nothing was numbered in memory: full")
        seq = self.last_seq + 1
        row = to_row(make(self._epoch, seq), seq)
        self.rows[seq], self.last_seq = row, seq
        self._counts[row.kind.value] += 1
        self.save_episodes(episodes)
        for item in evidence:
            if self.evidence.add(item):
                self._counts[f"evidence:{item.ref.kind}"] += 1
        if close_minute is not None:
            self._minutes.pop(close_minute, None)
        return row

    def give_up(self, sha256: str, make: Make) -> Row | None:
        if self.full:
            raise OutboxRefused("no loss was numbered in memory: full")
        if sha256 not in self.evidence.items:
            return None
        row = self.append(make)
        del self.evidence.items[sha256]
        return row

    def save_episodes(self, episodes: Sequence[SavedEpisode]) -> None:
        if self.full:
            raise OutboxRefused("episodes could not be saved in memory: full")
        for episode in episodes:
            if episode.state is None:
                self._episodes.pop((episode.camera_id, episode.episode_id), None)
            else:
                self._episodes[episode.camera_id, episode.episode_id] = episode.state

    def episodes(self, camera_id: str) -> tuple[bytes, ...]:
        return tuple(state for (camera, _), state in sorted(self._episodes.items()) if camera == camera_id)

    def save_minute(self, camera_id: str, minute: datetime, state: bytes) -> None:
        if self.full:
            raise OutboxRefused("the running minute could not be saved in memory: full")
        self._minutes[camera_id, minute] = state

    def minutes(self, camera_id: str) -> tuple[bytes, ...]:
        return tuple(state for (camera, _), state in sorted(self._minutes.items()) if camera == camera_id)

    def unreceipted(self, limit: int, skip: frozenset[int] = frozenset()) -> tuple[Row, ...]:
        rows = sorted(self.rows.values(), key=lambda r: (not r.onset, -r.seq if r.onset else r.seq))
        return tuple(row for row in rows if row.seq not in skip)[:limit]

    def apply_receipt(self, receipt: Receipt) -> int:
        if receipt.epoch != self._epoch:
            return 0
        stored = Stored(receipt.stored_through, receipt.ranges)
        covered = [seq for seq in self.rows if stored.covers(seq)]
        for seq in covered:
            del self.rows[seq]
        self._through = max(self._through, receipt.stored_through)
        return len(covered)

    def summary(self) -> Summary:
        return Summary(
            epoch=self._epoch,
            last_seq=self.last_seq,
            numbered={kind.value: self._counts[kind.value] for kind in Kind},
            evidence_announced={
                k.removeprefix("evidence:"): n for k, n in self._counts.items() if k.startswith("evidence:")
            },
            evidence_stored=self.evidence.stored,
            unreceipted=len(self.rows),
            evidence_pending=len(self.evidence.items),
            stored_through=self._through,
        )

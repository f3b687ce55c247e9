"""Evidence that a numbered message has named and that the centre does not have yet, in the outbox's file.

An entry comes in the transaction that numbers the message, and goes when the centre has the bytes, or with
the numbered record that says why they were given up. The bytes lie in a folder beside it (`edge.evidence`);
when to try an upload again is `edge.uploader`'s matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from edge.outbox_file import OutboxFile
from edge.shedding import Sheddable
from monitor.domain.events import EvidenceRef
from monitor.domain.levels import Level

#: nobody waits longer for the next try of an upload (edge.uploader)
LONGEST_WAIT_S = 120.0


class PendingEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that a numbered message has named and that the centre does not have yet."""

    ref: EvidenceRef
    #: file name inside the evidence folder
    name: str
    event_id: str
    camera_id: str
    #: whose it is and how bad that was: decides what goes first when the disk fills (edge.shedding)
    episode_id: str = ""
    level: Level | None = None
    attempts: int = 0
    announced_at: float = 0.0


@runtime_checkable
class EvidenceQueue(Protocol):
    """What waits for its upload."""

    def due(self, now: float, limit: int = 1) -> tuple[PendingEvidence, ...]:
        """Evidence to upload now, oldest first; snapshots before clips."""
        ...

    def later(self, sha256: str, next_try_at: float) -> None:
        """Try this evidence again at that time."""
        ...

    def done(self, sha256: str) -> None:
        """The centre has it: forget it."""
        ...


class SqliteEvidenceQueue:
    """The queue as a table of the outbox's file."""

    def __init__(self, file: OutboxFile) -> None:
        self._file = file

    def add(self, items: Sequence[PendingEvidence]) -> None:
        """Announce these, inside the transaction that numbers the message which names them."""
        for item in items:
            cursor = self._file.db.execute(
                "INSERT OR IGNORE INTO evidence (sha256, kind, bytes, content_type, name, event_id, camera_id,"
                " announced_at, episode_id, level) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (item.ref.sha256, item.ref.kind, item.ref.bytes, item.ref.content_type, item.name, item.event_id,
                 item.camera_id, item.announced_at, item.episode_id, item.level or ""))  # fmt: skip
            if cursor.rowcount:
                self._file.count(f"evidence:{item.ref.kind}")

    def due(self, now: float, limit: int = 1) -> tuple[PendingEvidence, ...]:
        """Evidence to upload now: snapshots before clips, oldest first.

        A next try further ahead than anybody waits was set by a clock that was set back since.
        """
        with self._file.or_refused("pending evidence could not be read"):
            rows = self._file.db.execute(
                "SELECT sha256, kind, bytes, content_type, name, event_id, camera_id, attempts, announced_at,"
                " episode_id, level FROM evidence WHERE next_try_at <= ? OR next_try_at > ?"
                " ORDER BY kind = 'clip', announced_at LIMIT ?", (now, now + LONGEST_WAIT_S, limit)).fetchall()  # fmt: skip
        return tuple(
            PendingEvidence(
                ref=EvidenceRef(sha256=r[0], kind=r[1], bytes=r[2], content_type=r[3]),
                name=r[4], event_id=r[5], camera_id=r[6], attempts=r[7], announced_at=r[8],
                episode_id=r[9], level=Level(r[10]) if r[10] else None,
            )
            for r in rows
        )  # fmt: skip

    def later(self, sha256: str, next_try_at: float) -> None:
        """Try this evidence again at that time."""
        self._file.write(
            "evidence could not be noted",
            lambda: self._file.quick.execute(
                "UPDATE evidence SET attempts = attempts + 1, next_try_at = ? WHERE sha256 = ?",
                (next_try_at, sha256),
            ),
            synced=False,
        )

    def done(self, sha256: str) -> None:
        """The centre has it: forget it."""

        def forget() -> None:
            if self.remove(sha256):
                self._file.set_meta("evidence_stored", int(self._file.meta("evidence_stored")) + 1)

        self._file.write("evidence could not be noted", forget)

    def remove(self, sha256: str) -> bool:
        """Forget it inside a synced transaction; whether it was there."""
        return self._file.db.execute("DELETE FROM evidence WHERE sha256 = ?", (sha256,)).rowcount > 0

    def bytes(self) -> int:
        """What all of it weighs on the disk."""
        with self._file.or_refused("pending evidence could not be weighed"):
            (total,) = self._file.db.execute("SELECT coalesce(sum(bytes), 0) FROM evidence").fetchone()
        return int(total)

    def sheddable(self) -> tuple[Sheddable, ...]:
        """All of it, as what decides on shedding sees it. An episode that runs is saved in this file."""
        with self._file.or_refused("pending evidence could not be read"):
            rows = self._file.db.execute(
                "SELECT sha256, name, kind, bytes, event_id, episode_id, level, announced_at, NOT EXISTS"
                " (SELECT 1 FROM episodes e WHERE e.camera_id = evidence.camera_id AND e.episode_id = evidence.episode_id)"
                " FROM evidence").fetchall()  # fmt: skip
        return tuple(
            Sheddable(sha256=r[0], name=r[1], kind=r[2], bytes=r[3], event_id=r[4], episode_id=r[5],
                      level=Level(r[6]) if r[6] else None, announced_at=r[7], ended=bool(r[8]))
            for r in rows
        )  # fmt: skip

    def names(self) -> frozenset[str]:
        """File names that some message has named; other files in the folder are nobody's."""
        with self._file.or_refused("the names of evidence could not be read"):
            return frozenset(row[0] for row in self._file.db.execute("SELECT name FROM evidence"))

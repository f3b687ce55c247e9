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
from monitor.domain.events import EvidenceRef

#: nobody waits longer for the next try of an upload (edge.uploader)
LONGEST_WAIT_S = 120.0


class PendingEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that a numbered message has named and that the centre does not have yet."""

    ref: EvidenceRef
    #: file name inside the evidence folder
    name: str
    event_id: str
    camera_id: str
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

    def lost(self, sha256: str) -> None:
        """It was given up in a numbered record: forget it."""
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
                " announced_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (item.ref.sha256, item.ref.kind, item.ref.bytes, item.ref.content_type, item.name, item.event_id,
                 item.camera_id, item.announced_at))  # fmt: skip
            if cursor.rowcount:
                self._file.count(f"evidence:{item.ref.kind}")

    def due(self, now: float, limit: int = 1) -> tuple[PendingEvidence, ...]:
        """Evidence to upload now: snapshots before clips, oldest first.

        A next try further ahead than anybody waits was set by a clock that was set back since.
        """
        with self._file.or_refused("pending evidence could not be read"):
            rows = self._file.db.execute(
                "SELECT sha256, kind, bytes, content_type, name, event_id, camera_id, attempts, announced_at"
                " FROM evidence WHERE next_try_at <= ? OR next_try_at > ?"
                " ORDER BY kind = 'clip', announced_at LIMIT ?", (now, now + LONGEST_WAIT_S, limit)).fetchall()  # fmt: skip
        return tuple(
            PendingEvidence(
                ref=EvidenceRef(sha256=r[0], kind=r[1], bytes=r[2], content_type=r[3]),
                name=r[4], event_id=r[5], camera_id=r[6], attempts=r[7], announced_at=r[8],
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
            if self._remove(sha256):
                self._file.set_meta("evidence_stored", int(self._file.meta("evidence_stored")) + 1)

        self._file.write("evidence could not be noted", forget)

    def lost(self, sha256: str) -> None:
        """It was given up in a numbered record: forget it."""
        self._file.write("evidence could not be noted", lambda: self._remove(sha256))

    def _remove(self, sha256: str) -> int:
        return self._file.db.execute("DELETE FROM evidence WHERE sha256 = ?", (sha256,)).rowcount

    def names(self) -> frozenset[str]:
        """File names that some message has named; other files in the folder are nobody's."""
        return frozenset(row[0] for row in self._file.db.execute("SELECT name FROM evidence"))

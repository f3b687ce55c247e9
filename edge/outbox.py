"""The durable outbox: what is numbered here is forgotten only when the centre's database has it.

One transaction gives a message its number, keeps its bytes, saves the running episodes and announces
evidence, so that a kill at any moment leaves neither a gap nor a second onset. Bytes are encoded once and
travel unchanged. The file is `edge.outbox_file`, the evidence `edge.evidence_queue`; what to send when is
`edge.publisher`'s matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from edge.evidence_queue import EvidenceQueue, PendingEvidence, SqliteEvidenceQueue
from edge.outbox_file import OutboxFile
from monitor.domain.events import (
    Kind,
    LossRecord,
    Numbered,
    Receipt,
    RiskEvent,
    WatchRecord,
    encode,
    sha256_hex,
    topic,
)
from monitor.domain.numbers import Stored

Make = Callable[[str, int], Numbered]
"""Builds a message from (epoch, seq). Must not fail for a reason of its own."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered message as it travels."""

    seq: int
    kind: Kind
    topic: str
    payload: bytes
    sha256: str
    #: onsets are sent before everything else
    onset: bool


class SavedEpisode(msgspec.Struct, frozen=True, kw_only=True):
    """A running episode's state; None as state means that the episode is over."""

    camera_id: str
    episode_id: str
    state: bytes | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What this outbox ever did, for whoever asks afterwards."""

    epoch: str
    last_seq: int
    #: {kind: how many were numbered}
    numbered: dict[str, int]
    #: {evidence kind: how many were announced}
    evidence_announced: dict[str, int]
    evidence_stored: int
    unreceipted: int
    evidence_pending: int
    stored_through: int


@runtime_checkable
class Outbox(Protocol):
    """Numbers messages without gaps and keeps them until a receipt covers them."""

    @property
    def epoch(self) -> str:
        """UUIDv7 made at the outbox's birth."""
        ...

    @property
    def evidence(self) -> EvidenceQueue:
        """What messages have named and the centre does not have yet."""
        ...

    def append(
        self,
        make: Make,
        *,
        episodes: Sequence[SavedEpisode] = (),
        evidence: Sequence[PendingEvidence] = (),
        close_minute: tuple[str, datetime] | None = None,
    ) -> Row:
        """Number and keep one message with all that belongs to it; OutboxRefused if nothing was kept."""
        ...

    def give_up(self, sha256: str, make: Make) -> Row | None:
        """Number the record that this evidence is given up, and forget it; None if it has left meanwhile."""
        ...

    def save_episodes(self, episodes: Sequence[SavedEpisode]) -> None:
        """Save states that changed without a message."""
        ...

    def episodes(self, camera_id: str) -> tuple[bytes, ...]:
        """States of the running episodes of a camera."""
        ...

    def save_minute(self, camera_id: str, minute: datetime, state: bytes) -> None:
        """Save a camera's running minute (not numbered, not synced: a lost second is a lost second)."""
        ...

    def minutes(self, camera_id: str) -> tuple[bytes, ...]:
        """Minutes of a camera that were saved and not closed."""
        ...

    def unreceipted(self, limit: int, skip: frozenset[int] = frozenset()) -> tuple[Row, ...]:
        """Messages that no receipt covers: newest onsets first, then the backlog by number."""
        ...

    def apply_receipt(self, receipt: Receipt) -> int:
        """Forget what the receipt covers; how many were forgotten. Another epoch's receipt does nothing.

        OutboxRefused if nothing could be forgotten: a full disk refuses that too.
        """
        ...

    def summary(self) -> Summary:
        """Highest number, counts by kind, and what still waits."""
        ...


class SqliteOutbox:
    """The outbox in one file. Use one object per thread; many processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Open or make the outbox; OutboxUnusable if the file can't be made, opened, or is not an outbox."""
        self.file = OutboxFile(path)
        self._db, self._quick = self.file.db, self.file.quick
        #: what messages have named and the centre does not have yet
        self.evidence = SqliteEvidenceQueue(self.file)

    @property
    def epoch(self) -> str:
        """UUIDv7 made at the outbox's birth."""
        return self.file.epoch

    def append(
        self,
        make: Make,
        *,
        episodes: Sequence[SavedEpisode] = (),
        evidence: Sequence[PendingEvidence] = (),
        close_minute: tuple[str, datetime] | None = None,
    ) -> Row:
        """Number and keep one message with all that belongs to it; OutboxRefused if nothing was kept."""

        def number() -> Row:
            row = self._number(make)
            self._keep(row, episodes, evidence, close_minute)
            return row

        return self.file.write("nothing was numbered", number)

    def give_up(self, sha256: str, make: Make) -> Row | None:
        """Number the record that this evidence is given up, and forget it; None if it has left meanwhile.

        One transaction: a kill leaves neither a second record nor evidence that is named and told as lost.
        OutboxRefused if nothing was numbered: then it is still named.
        """

        def number() -> Row | None:
            if not self.evidence.remove(sha256):
                return None
            row = self._number(make)
            self._keep(row, (), (), None)
            return row

        return self.file.write("no loss was numbered", number)

    def _number(self, make: Make) -> Row:
        """The message under the next number, inside a transaction."""
        seq = int(self.file.meta("last_seq")) + 1
        row = to_row(make(self.epoch, seq), seq)
        self.file.set_meta("last_seq", seq)
        return row

    def _keep(
        self,
        row: Row,
        episodes: Sequence[SavedEpisode],
        evidence: Sequence[PendingEvidence],
        close_minute: tuple[str, datetime] | None,
    ) -> None:
        """Write a numbered message and all that belongs to it, inside its transaction."""
        self._db.execute("INSERT INTO numbered VALUES (?, ?, ?, ?, ?, ?)",
                         (row.seq, row.kind.value, row.topic, row.payload, row.sha256, row.onset))  # fmt: skip
        self.file.count(row.kind.value)
        self._write_episodes(episodes)
        self.evidence.add(evidence)
        if close_minute is not None:
            self._db.execute("DELETE FROM watch_open WHERE camera_id = ? AND minute = ?",
                             (close_minute[0], close_minute[1].isoformat()))  # fmt: skip

    def _write_episodes(self, episodes: Sequence[SavedEpisode]) -> None:
        for episode in episodes:
            if episode.state is None:
                self._db.execute("DELETE FROM episodes WHERE camera_id = ? AND episode_id = ?",
                                 (episode.camera_id, episode.episode_id))  # fmt: skip
            else:
                self._db.execute("INSERT OR REPLACE INTO episodes VALUES (?, ?, ?)",
                                 (episode.camera_id, episode.episode_id, episode.state))  # fmt: skip

    def save_episodes(self, episodes: Sequence[SavedEpisode]) -> None:
        """Save states that changed without a message (not synced: a message syncs what matters)."""
        self.file.write("episodes could not be saved", lambda: self._write_episodes(episodes))

    def episodes(self, camera_id: str) -> tuple[bytes, ...]:
        """States of the running episodes of a camera."""
        rows = self._db.execute(
            "SELECT state FROM episodes WHERE camera_id = ? ORDER BY episode_id", (camera_id,)
        )
        return tuple(row[0] for row in rows)

    def cameras_with_episodes(self) -> tuple[str, ...]:
        """Cameras of which running episodes are stored; OutboxRefused if the disk can't be read."""
        with self.file.or_refused("stored episodes could not be read"):
            rows = self._db.execute("SELECT DISTINCT camera_id FROM episodes ORDER BY camera_id").fetchall()
        return tuple(str(row[0]) for row in rows)

    def forget_camera(self, camera_id: str) -> None:
        """Forget states and notes of a camera that is gone; what is numbered stays."""

        def forget() -> None:
            self._db.execute("DELETE FROM episodes WHERE camera_id = ?", (camera_id,))
            self._db.execute("DELETE FROM meta WHERE key IN (?, ?)",
                             (f"note:sender:{camera_id}", f"note:began:{camera_id}"))  # fmt: skip

        self.file.write("a camera could not be forgotten", forget)

    def save_minute(self, camera_id: str, minute: datetime, state: bytes) -> None:
        """Save a camera's running minute without a sync."""
        row = (camera_id, minute.isoformat(), state)
        self.file.write(
            "the running minute could not be saved",
            lambda: self._quick.execute("INSERT OR REPLACE INTO watch_open VALUES (?, ?, ?)", row),
            synced=False,
        )

    def minutes(self, camera_id: str) -> tuple[bytes, ...]:
        """Minutes of a camera that were saved and not closed, oldest first."""
        rows = self._db.execute(
            "SELECT state FROM watch_open WHERE camera_id = ? ORDER BY minute", (camera_id,)
        )
        return tuple(row[0] for row in rows)

    def unreceipted(self, limit: int, skip: frozenset[int] = frozenset()) -> tuple[Row, ...]:
        """Messages that no receipt covers: newest onsets first, then the backlog by number."""
        columns = "SELECT seq, kind, topic, payload, sha256, onset FROM numbered"
        found: list[Row] = []
        queries = ("WHERE onset = 1 ORDER BY seq DESC", "WHERE onset = 0 ORDER BY seq")
        with self.file.or_refused("what waits could not be read"):
            for query in queries:
                for row in self._db.execute(f"{columns} {query} LIMIT ?", (limit + len(skip),)):
                    if row[0] not in skip and len(found) < limit:
                        found.append(_row(row))
        return tuple(found)

    def apply_receipt(self, receipt: Receipt) -> int:
        """Forget what the receipt covers; how many were forgotten. Another epoch's receipt does nothing.

        Raises:
            OutboxRefused: nothing was forgotten, since a full disk has no room for that either.
        """
        if receipt.epoch != self.epoch:
            return 0
        stored = Stored(receipt.stored_through, receipt.ranges)

        def forget() -> int:
            forgotten = self._db.execute("DELETE FROM numbered WHERE seq <= ?", (stored.through,)).rowcount
            for low, high in stored.ranges:
                forgotten += self._db.execute(
                    "DELETE FROM numbered WHERE seq BETWEEN ? AND ?", (low, high)
                ).rowcount
            through = max(int(self.file.meta("stored_through")), stored.through)
            self.file.set_meta("stored_through", through)
            return int(forgotten)

        return self.file.write("a receipt could not be applied", forget)

    def note(self, key: str) -> str | None:
        """A small fact kept across restarts (for example when a file camera began)."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (f"note:{key}",)).fetchone()
        return None if row is None else str(row[0])

    def set_note(self, key: str, value: str | None) -> None:
        """Keep or forget (None) a small fact."""

        def keep() -> None:
            if value is None:
                self._quick.execute("DELETE FROM meta WHERE key = ?", (f"note:{key}",))
            else:
                self._quick.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"note:{key}", value))

        self.file.write("a note could not be kept", keep, synced=False)

    def changes(self) -> int:
        """A number that changes when another connection commits: the cheap way to notice an append."""
        return self.file.changes()

    def summary(self) -> Summary:
        """Highest number, counts by kind, and what still waits; OutboxRefused if the disk can't be read."""
        with self.file.or_refused("it could not be summed up"), self.file.reading():
            counts = {str(k): int(n) for k, n in self._db.execute("SELECT kind, count FROM counts")}
            (waiting,) = self._db.execute("SELECT count(*) FROM numbered").fetchone()
            (pending,) = self._db.execute("SELECT count(*) FROM evidence").fetchone()
            return Summary(
                epoch=self.epoch,
                last_seq=int(self.file.meta("last_seq")),
                numbered={kind.value: counts.get(kind.value, 0) for kind in Kind},
                evidence_announced={
                    k.removeprefix("evidence:"): n for k, n in counts.items() if k.startswith("evidence:")
                },
                evidence_stored=int(self.file.meta("evidence_stored")),
                unreceipted=int(waiting),
                evidence_pending=int(pending),
                stored_through=int(self.file.meta("stored_through")),
            )

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _row(values: tuple[int, str, str, bytes, str, int]) -> Row:
    seq, kind, topic_name, payload, sha256, onset = values
    return Row(seq=seq, kind=Kind(kind), topic=topic_name, payload=payload, sha256=sha256, onset=bool(onset))


def to_row(message: Numbered, seq: int) -> Row:
    """A message as the row that is kept; ValueError if it does not carry the number that it was given."""
    if message.seq != seq:
        raise ValueError(f"the message carries the number {message.seq}, it was given {seq}")
    payload = encode(message)
    match message:
        case RiskEvent():
            kind, camera_id = Kind.EVENT, message.camera_id
        case WatchRecord():
            kind, camera_id = Kind.WATCH, message.camera_id
        case LossRecord():
            kind, camera_id = Kind.LOSS, ""
    onset = isinstance(message, RiskEvent) and message.phase == "onset"
    return Row(seq=seq, kind=kind, topic=topic(kind, message.edge_id, camera_id), payload=payload,
               sha256=sha256_hex(payload), onset=onset)  # fmt: skip

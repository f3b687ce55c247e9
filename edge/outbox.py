"""The durable outbox: what is numbered here is forgotten only when the centre's database has it.

SQLite with WAL and full sync. One transaction gives a message its number, keeps its bytes, saves the
running episodes and announces evidence, so that a kill at any moment leaves neither a gap nor a second
onset. Bytes are encoded once and travel unchanged. What to send when is `edge.publisher`'s matter.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
from uuid_utils import uuid7

from edge.errors import OutboxRefused, OutboxUnusable
from monitor.domain.events import (
    EvidenceRef,
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


class PendingEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that a numbered message has named and that the centre does not have yet."""

    ref: EvidenceRef
    #: file name inside the evidence folder
    name: str
    event_id: str
    camera_id: str
    attempts: int = 0
    announced_at: float = 0.0


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

    def due_evidence(self, now: float, limit: int = 1) -> tuple[PendingEvidence, ...]:
        """Evidence to upload now, oldest first; snapshots before clips."""
        ...

    def evidence_later(self, sha256: str, next_try_at: float) -> None:
        """Try this evidence again at that time."""
        ...

    def evidence_done(self, sha256: str) -> None:
        """The centre has it: forget it."""
        ...

    def evidence_lost(self, sha256: str) -> None:
        """It was given up in a numbered record: forget it."""
        ...

    def summary(self) -> Summary:
        """Highest number, counts by kind, and what still waits."""
        ...


_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID""",
    # everything numbered that no receipt covers yet
    """CREATE TABLE IF NOT EXISTS numbered (
      seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
      sha256 TEXT NOT NULL, onset INTEGER NOT NULL)""",
    # unreceipted() asks for the newest onsets
    """CREATE INDEX IF NOT EXISTS numbered_onset ON numbered (seq DESC) WHERE onset = 1""",
    """CREATE TABLE IF NOT EXISTS counts (kind TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS episodes (
      camera_id TEXT NOT NULL, episode_id TEXT NOT NULL, state BLOB NOT NULL,
      PRIMARY KEY (camera_id, episode_id)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS watch_open (
      camera_id TEXT NOT NULL, minute TEXT NOT NULL, state BLOB NOT NULL,
      PRIMARY KEY (camera_id, minute)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS evidence (
      sha256 TEXT PRIMARY KEY, kind TEXT NOT NULL, bytes INTEGER NOT NULL, content_type TEXT NOT NULL,
      name TEXT NOT NULL, event_id TEXT NOT NULL, camera_id TEXT NOT NULL, announced_at REAL NOT NULL,
      attempts INTEGER NOT NULL DEFAULT 0, next_try_at REAL NOT NULL DEFAULT 0) WITHOUT ROWID""",
)

_BUSY_S = 20.0
#: nobody waits longer for the next try of an upload (edge.uploader)
LONGEST_WAIT_S = 120.0


class SqliteOutbox:
    """The outbox in one file. Use one object per thread; many processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Open or make the outbox.

        Raises:
            OutboxUnusable: the file can't be made, opened, or is not an outbox.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._connect("FULL")
            self._quick = self._connect("NORMAL")
            self._prepare()
        except (OSError, sqlite3.Error) as exc:
            raise OutboxUnusable(
                f"the outbox {path} can't be used: {exc}. Check that the folder is writable and not full; "
                "move the file aside only if it is damaged, and keep it: it may hold unsent events."
            ) from exc

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA wal_autocheckpoint = 400")
        return db

    def _prepare(self) -> None:
        with self._writing(self._db):
            for statement in _SCHEMA:
                self._db.execute(statement)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (str(uuid7()),))
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('last_seq', '0'), ('stored_through', '0'),"
                             " ('evidence_stored', '0')")  # fmt: skip
        self._epoch = self._meta("epoch")

    def _meta(self, key: str) -> str:
        (value,) = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(value)

    @contextlib.contextmanager
    def _writing(self, db: sqlite3.Connection) -> Iterator[None]:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled back already
                db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _or_refused(self, what: str) -> Iterator[None]:
        """A full or failing disk as the error that callers wait out."""
        try:
            yield
        except sqlite3.Error as exc:
            raise OutboxRefused(f"{what} in {self._path}: {exc}") from exc

    @property
    def epoch(self) -> str:
        """UUIDv7 made at the outbox's birth."""
        return self._epoch

    def append(
        self,
        make: Make,
        *,
        episodes: Sequence[SavedEpisode] = (),
        evidence: Sequence[PendingEvidence] = (),
        close_minute: tuple[str, datetime] | None = None,
    ) -> Row:
        """Number and keep one message with all that belongs to it; OutboxRefused if nothing was kept."""
        with self._or_refused("nothing was numbered"), self._writing(self._db):
            seq = int(self._meta("last_seq")) + 1
            row = to_row(make(self._epoch, seq), seq)
            self._db.execute("INSERT INTO numbered VALUES (?, ?, ?, ?, ?, ?)",
                             (seq, row.kind.value, row.topic, row.payload, row.sha256, row.onset))  # fmt: skip
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'last_seq'", (str(seq),))
            self._count(row.kind.value)
            self._write_episodes(episodes)
            self._write_evidence(evidence)
            if close_minute is not None:
                self._db.execute("DELETE FROM watch_open WHERE camera_id = ? AND minute = ?",
                                 (close_minute[0], close_minute[1].isoformat()))  # fmt: skip
        return row

    def _count(self, key: str) -> None:
        self._db.execute(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET count = count + 1", (key,)
        )

    def _write_episodes(self, episodes: Sequence[SavedEpisode]) -> None:
        for episode in episodes:
            if episode.state is None:
                self._db.execute("DELETE FROM episodes WHERE camera_id = ? AND episode_id = ?",
                                 (episode.camera_id, episode.episode_id))  # fmt: skip
            else:
                self._db.execute("INSERT OR REPLACE INTO episodes VALUES (?, ?, ?)",
                                 (episode.camera_id, episode.episode_id, episode.state))  # fmt: skip

    def _write_evidence(self, evidence: Sequence[PendingEvidence]) -> None:
        for item in evidence:
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO evidence (sha256, kind, bytes, content_type, name, event_id, camera_id,"
                " announced_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (item.ref.sha256, item.ref.kind, item.ref.bytes, item.ref.content_type, item.name, item.event_id,
                 item.camera_id, item.announced_at))  # fmt: skip
            if cursor.rowcount:
                self._count(f"evidence:{item.ref.kind}")

    def save_episodes(self, episodes: Sequence[SavedEpisode]) -> None:
        """Save states that changed without a message (not synced: a message syncs what matters)."""
        with self._or_refused("episodes could not be saved"), self._writing(self._db):
            self._write_episodes(episodes)

    def episodes(self, camera_id: str) -> tuple[bytes, ...]:
        """States of the running episodes of a camera."""
        rows = self._db.execute(
            "SELECT state FROM episodes WHERE camera_id = ? ORDER BY episode_id", (camera_id,)
        )
        return tuple(row[0] for row in rows)

    def save_minute(self, camera_id: str, minute: datetime, state: bytes) -> None:
        """Save a camera's running minute without a sync."""
        with self._or_refused("the running minute could not be saved"):
            self._quick.execute(
                "INSERT OR REPLACE INTO watch_open VALUES (?, ?, ?)", (camera_id, minute.isoformat(), state)
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
        with self._or_refused("what waits could not be read"):
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
        if receipt.epoch != self._epoch:
            return 0
        stored = Stored(receipt.stored_through, receipt.ranges)
        with self._or_refused("a receipt could not be applied"), self._writing(self._db):
            forgotten = self._db.execute("DELETE FROM numbered WHERE seq <= ?", (stored.through,)).rowcount
            for low, high in stored.ranges:
                forgotten += self._db.execute(
                    "DELETE FROM numbered WHERE seq BETWEEN ? AND ?", (low, high)
                ).rowcount
            through = max(int(self._meta("stored_through")), stored.through)
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'stored_through'", (str(through),))
        return int(forgotten)

    def due_evidence(self, now: float, limit: int = 1) -> tuple[PendingEvidence, ...]:
        """Evidence to upload now: snapshots before clips, oldest first.

        A next try further ahead than anybody waits was set by a clock that was set back since.
        """
        with self._or_refused("pending evidence could not be read"):
            rows = self._db.execute(
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

    def evidence_later(self, sha256: str, next_try_at: float) -> None:
        """Try this evidence again at that time."""
        with self._or_refused("evidence could not be noted"), self._writing(self._quick):
            self._quick.execute("UPDATE evidence SET attempts = attempts + 1, next_try_at = ? WHERE sha256 = ?",
                                (next_try_at, sha256))  # fmt: skip

    def evidence_lost(self, sha256: str) -> None:
        """It was given up in a numbered record: forget it."""
        with self._or_refused("evidence could not be noted"), self._writing(self._db):
            self._db.execute("DELETE FROM evidence WHERE sha256 = ?", (sha256,))

    def evidence_done(self, sha256: str) -> None:
        """The centre has it: forget it."""
        with self._or_refused("evidence could not be noted"), self._writing(self._db):
            if self._db.execute("DELETE FROM evidence WHERE sha256 = ?", (sha256,)).rowcount:
                stored = int(self._meta("evidence_stored")) + 1
                self._db.execute("UPDATE meta SET value = ? WHERE key = 'evidence_stored'", (str(stored),))

    def note(self, key: str) -> str | None:
        """A small fact kept across restarts (for example when a file camera began)."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (f"note:{key}",)).fetchone()
        return None if row is None else str(row[0])

    def set_note(self, key: str, value: str | None) -> None:
        """Keep or forget (None) a small fact."""
        with self._or_refused("a note could not be kept"), self._writing(self._quick):
            if value is None:
                self._quick.execute("DELETE FROM meta WHERE key = ?", (f"note:{key}",))
            else:
                self._quick.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"note:{key}", value))

    def evidence_names(self) -> frozenset[str]:
        """File names that some message has named; other files in the folder are nobody's."""
        return frozenset(row[0] for row in self._db.execute("SELECT name FROM evidence"))

    def changes(self) -> int:
        """A number that changes when another connection commits: the cheap way to notice an append."""
        with self._or_refused("its changes could not be read"):
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def summary(self) -> Summary:
        """Highest number, counts by kind, and what still waits."""
        self._db.execute("BEGIN")
        try:
            counts = {str(k): int(n) for k, n in self._db.execute("SELECT kind, count FROM counts")}
            (waiting,) = self._db.execute("SELECT count(*) FROM numbered").fetchone()
            (pending,) = self._db.execute("SELECT count(*) FROM evidence").fetchone()
            return Summary(
                epoch=self._epoch,
                last_seq=int(self._meta("last_seq")),
                numbered={kind.value: counts.get(kind.value, 0) for kind in Kind},
                evidence_announced={
                    k.removeprefix("evidence:"): n for k, n in counts.items() if k.startswith("evidence:")
                },
                evidence_stored=int(self._meta("evidence_stored")),
                unreceipted=int(waiting),
                evidence_pending=int(pending),
                stored_through=int(self._meta("stored_through")),
            )
        finally:
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._quick.close()
        self._db.close()


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


class LossCounter:
    """Counts what could not be numbered, and says so with a numbered record once it can."""

    def __init__(
        self, outbox: Outbox, edge_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._outbox, self._edge_id, self._now = outbox, edge_id, now
        self.refused = 0
        self._from_at: datetime | None = None

    def refuse(self) -> None:
        """One more message was refused."""
        self._from_at = self._from_at or self._now()
        self.refused += 1

    def settle(self) -> Row | None:
        """Number a loss record for what was refused; None if there is nothing to say or it is refused too."""
        if not self.refused or self._from_at is None:
            return None
        count, from_at, to_at = self.refused, self._from_at, self._now()
        try:
            row = self._outbox.append(
                lambda epoch, seq: LossRecord(
                    edge_id=self._edge_id, epoch=epoch, seq=seq, what="refused", count=count,
                    reason="outbox_full", from_at=from_at, to_at=to_at)
            )  # fmt: skip
        except OutboxRefused:
            return None
        self.refused, self._from_at = 0, None
        return row

"""The one file that outbox and evidence queue share: SQLite with WAL and full sync.

Holds the schema and what a transaction is; says a full or failing disk as one error that callers wait out.
What stands in the tables is the matter of `edge.outbox` and `edge.evidence_queue`. When the disk is full
a piece of the reserve that lies beside the file is given back, and the transaction is tried again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from uuid_utils import uuid7

from edge.errors import OutboxRefused, OutboxUnusable
from edge.reserve import PIECE_BYTES, Reserve

_SCHEMA: Final = (
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
#: columns that came later, by table; with a default, so that an older version still writes
_LATER: Final = {"evidence": ("episode_id TEXT NOT NULL DEFAULT ''", "level TEXT NOT NULL DEFAULT ''")}
#: what SQLite answers on a full disk: no room for a page, or for the memory that its processes share
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
#: of a piece of the reserve: as much again goes to the log
_CLAIM_BYTES: Final = PIECE_BYTES // 2 - 32 * 1024

#: How long a writer waits for another process's transaction, seconds. A camera may wait twice between two signs
#: of life (for an event, and for its minute), and must not be taken for hung then (`supervisor.HUNG_S`).
BUSY_S: Final = 10.0

_Result = TypeVar("_Result")


class OutboxFile:
    """The file and its two connections. Use one object per thread; many processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Open or make it.

        Raises:
            OutboxUnusable: the file can't be made, opened, or is not an outbox.
        """
        self.path, self._reserve = path, Reserve(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            #: syncs each transaction: what it says is kept survives a power cut
            self.db = self._with_reserve(lambda: self._connect("FULL"))
            #: for what may cost its last second in a power cut
            self.quick = self._with_reserve(lambda: self._connect("NORMAL"))
            self._with_reserve(self._prepare)
        except (OSError, sqlite3.Error) as exc:
            raise OutboxUnusable(
                f"the outbox {path} can't be used: {exc}. Check that the folder is writable and not full; "
                "move the file aside only if it is damaged, and keep it: it may hold unsent events."
            ) from exc

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA wal_autocheckpoint = 400")
        # what is forgotten need not be overwritten: that costs writes, and room on a full disk
        db.execute("PRAGMA secure_delete = OFF")
        return db

    def _prepare(self) -> None:
        with _transaction(self.db):
            for statement in _SCHEMA:
                self.db.execute(statement)
            for table, columns in _LATER.items():
                there = {row[1] for row in self.db.execute(f"PRAGMA table_info({table})")}
                for column in columns:
                    if column.split()[0] not in there:
                        self.db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
            self.db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (str(uuid7()),))
            self.db.execute("INSERT OR IGNORE INTO meta VALUES ('last_seq', '0'), ('stored_through', '0'),"
                            " ('evidence_stored', '0')")  # fmt: skip
        #: UUIDv7 made at the outbox's birth
        self.epoch = self.meta("epoch")

    def write(self, refused: str, step: Callable[[], _Result], *, synced: bool = True) -> _Result:
        """Do all of `step` in one transaction, or nothing of it.

        Args:
            refused: what did not happen, for the error's text.
            step: writes through `db`, or through `quick` if not `synced`.

        Raises:
            OutboxRefused: nothing was written, usually because the disk is full and the reserve is used up.
        """

        def once() -> _Result:
            with _transaction(self.db if synced else self.quick):
                return step()

        with self.or_refused(refused):
            return self._with_reserve(once)

    def _with_reserve(self, step: Callable[[], _Result]) -> _Result:
        """Do it; on a full disk again in the room that the log's pages leave, then in that of the reserve."""
        for room in (self._checkpoint, self._claim, self._claim):
            try:
                return step()
            except sqlite3.Error as exc:
                if exc.sqlite_errorcode not in _FULL or not room():
                    raise
        return step()

    def _checkpoint(self) -> bool:
        """Move what the log holds into the file, as far as there is room, so that the log begins anew."""
        with contextlib.suppress(sqlite3.Error, AttributeError):  # there may be no connection yet
            self.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return True

    def _claim(self) -> bool:
        """Turn a piece of the reserve into free pages of the file and of its log; False if none is left.

        At once: whoever filled the disk may still be writing, and would take what is only free.
        """
        if not self._reserve.give_back():
            return False
        with contextlib.suppress(sqlite3.Error, AttributeError):  # the step itself may still find room
            with _transaction(self.db):
                self.db.execute("INSERT OR REPLACE INTO meta VALUES ('claim', zeroblob(?))", (_CLAIM_BYTES,))
            self._checkpoint()
            with _transaction(self.db):
                self.db.execute("DELETE FROM meta WHERE key = 'claim'")
        return self._checkpoint()

    @contextlib.contextmanager
    def or_refused(self, what: str) -> Iterator[None]:
        """A full or failing disk as the error that callers wait out."""
        try:
            yield
        except sqlite3.Error as exc:
            raise OutboxRefused(f"{what} in {self.path}: {exc}") from exc

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Several questions, one answer: nothing changes in between."""
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            with contextlib.suppress(sqlite3.Error):
                self.db.execute("COMMIT")

    def meta(self, key: str) -> str:
        """A value that is always there."""
        (value,) = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(value)

    def set_meta(self, key: str, value: object) -> None:
        """Inside a synced transaction."""
        self.db.execute("UPDATE meta SET value = ? WHERE key = ?", (str(value), key))

    def count(self, key: str) -> None:
        """One more of that kind, for ever; inside a synced transaction."""
        self.db.execute(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET count = count + 1", (key,)
        )

    def changes(self) -> int:
        """A number that changes when another connection commits: the cheap way to notice an append."""
        with self.or_refused("its changes could not be read"):
            (version,) = self.db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Close the file."""
        self.quick.close()
        self.db.close()


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled back already
            db.execute("ROLLBACK")
        raise

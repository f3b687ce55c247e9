"""Gives committed entries their gapless index, and signs what the tree is then. One at a time.

The order is that of entry_id among what is committed when it looks; an entry whose transaction commits
later comes later, whatever its entry_id. The database commits first, then the checkpoint is published;
what a crash kept from being published is published by the next run.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import structlog
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from monitor.audit import heads
from monitor.audit.entries import Entry, read
from monitor.audit.errors import AuditError, LogBrokenError
from monitor.audit.log import QUERIES, append
from monitor.audit.note import Signer, VerifierKey, read_checkpoint
from monitor.audit.tree import Frontier

log = structlog.get_logger(__name__)

#: "hcau" in ASCII
SEQUENCER_LOCK = 0x68636175
#: more entries than this wait for the next run, so that a transaction stays short
BATCH_MAX = 10_000

KEY_ENTRY = "audit.key"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A signed tree head."""

    size: int
    root: bytes
    checkpoint: str  # signed note
    signed_at: datetime


def run_once(
    conn: psycopg.Connection[Any], signer: Signer, now: datetime, *, heads_dir: Path | None = None
) -> Head | None:
    """The new head, or None if nothing waited or another sequencer is at work.

    `conn` must not be in a transaction. LogBrokenError if the database contradicts its newest head: then
    nothing is signed, and `hcawatch audit verify --database` says more.
    """
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        raise AuditError("the sequencer needs a connection without a running transaction; commit first")
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(QUERIES["lock_sequencer"], {"key": SEQUENCER_LOCK}).fetchone()
        if row is None or not row["locked"]:
            return None
        newest = cursor.execute(QUERIES["newest_head"]).fetchone()
        if heads_dir is not None:
            _compare_with_published(cursor, heads_dir)
        _announce_key(conn, cursor, signer.verifier, now)
        waiting = cursor.execute(QUERIES["waiting_entries"], {"limit": BATCH_MAX}).fetchall()
        head = _sequence(cursor, newest, waiting, signer, now) if waiting else None
    if heads_dir is not None:
        _publish(heads_dir, head or _head(newest))
    return head


def newest_head(conn: psycopg.Connection[Any]) -> Head | None:
    """The newest signed head, for pages."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return _head(cursor.execute(QUERIES["newest_head"]).fetchone())


def signing_keys(conn: psycopg.Connection[Any]) -> tuple[VerifierKey, ...]:
    """All keys that the log says it was signed with; the running one comes last."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(QUERIES["signing_keys"]).fetchall()
    return tuple(VerifierKey.parse(read(row["body"]).body["verifier_key"]) for row in rows)


def _compare_with_published(cursor: psycopg.Cursor[DictRow], folder: Path) -> None:
    """LogBrokenError if the database does not hold what was published: it was rolled back or rewritten."""
    note = heads.newest(folder)
    if note is None:
        return
    size = read_checkpoint(note).size
    known = cursor.execute(QUERIES["head_of_size"], {"size": size}).fetchone()
    if known is None or known["checkpoint"] != note:
        raise LogBrokenError(
            f"a checkpoint of {size} entries was published in {folder}, but the database does not hold it: it was"
            " rolled back (an older backup?) or rewritten. Nothing more is signed; restore the newest backup"
        )


def _announce_key(
    conn: psycopg.Connection[Any], cursor: psycopg.Cursor[DictRow], key: VerifierKey, now: datetime
) -> None:
    """The log itself names the keys that sign it, so that a change of key is an entry as well."""
    rows = cursor.execute(QUERIES["signing_keys"]).fetchall()
    if not rows or read(rows[-1]["body"]).body["verifier_key"] != str(key):
        body = {"verifier_key": str(key)}
        append(conn, Entry(kind=KEY_ENTRY, subject=f"key:{key.id.hex()}", actor="system", at=now, body=body))


def _sequence(
    cursor: psycopg.Cursor[DictRow],
    newest: DictRow | None,
    waiting: Sequence[DictRow],
    signer: Signer,
    now: datetime,
) -> Head:
    frontier = _continue_from(cursor, newest)
    indices = list(range(frontier.size, frontier.size + len(waiting)))
    for entry in waiting:
        frontier = frontier.append(bytes(entry["leaf_hash"]))
    given = {"entry_ids": [entry["entry_id"] for entry in waiting], "indices": indices}
    if cursor.execute(QUERIES["sequence_entries"], given).rowcount != len(waiting):
        raise LogBrokenError("entries vanished while they were given their index; nothing was signed")
    root = frontier.root()
    head = Head(size=frontier.size, root=root, checkpoint=signer.sign(frontier.size, root), signed_at=now)
    cursor.execute(QUERIES["insert_head"], {**msgspec.structs.asdict(head), "frontier": frontier.as_bytes()})
    return head


def _continue_from(cursor: psycopg.Cursor[DictRow], newest: DictRow | None) -> Frontier:
    """Where the tree grows; LogBrokenError unless the database still holds what was signed."""
    size = newest["size"] if newest else 0
    try:
        frontier = Frontier.from_bytes(size, bytes(newest["frontier"])) if newest else Frontier()
    except ValueError as exc:
        raise LogBrokenError(f"the newest head of {size} entries is damaged: {exc}") from exc
    if newest is not None and frontier.root() != bytes(newest["root"]):
        raise LogBrokenError(f"the newest head of {size} entries does not have the root of its own subtrees")
    # cheap: looks at the tail only; the whole is for verify_database
    tail = cursor.execute(QUERIES["count_sequenced"], {"from_index": max(size - 1, 0)}).fetchone()
    assert tail is not None
    if (tail["entries"], tail["last"]) != ((1, size - 1) if size else (0, None)):
        raise LogBrokenError(
            f"{size} entries were signed, but the last one in the database is {tail['last']}: entries were removed"
            " or added; run `hcawatch audit verify --database` and compare with a backup"
        )
    return frontier


def _head(row: DictRow | None) -> Head | None:
    if row is None:
        return None
    return Head(
        size=row["size"], root=bytes(row["root"]), checkpoint=row["checkpoint"], signed_at=row["signed_at"]
    )


def _publish(folder: Path, head: Head | None) -> None:
    if head is not None and heads.newest(folder) != head.checkpoint:
        heads.publish(folder, heads.Published(head.size, head.signed_at, head.checkpoint))

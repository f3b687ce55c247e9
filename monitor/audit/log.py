"""Writing entries: in the caller's transaction, so that what happened and its entry commit together.

The index in the tree is not given here but by the sequencer, and only to what was committed.
"""

from collections.abc import Iterable
from typing import Any

import psycopg

from monitor.audit.entries import Entry
from monitor.audit.tree import leaf_hash
from monitor.store.queries import Queries

QUERIES = Queries("monitor.audit")


def append(conn: psycopg.Connection[Any], entry: Entry) -> None:
    """Writes one entry."""
    append_all(conn, (entry,))


def append_all(conn: psycopg.Connection[Any], entries: Iterable[Entry]) -> None:
    """Writes entries in this order, in one round trip."""
    rows = [_row(entry) for entry in entries]
    if rows:
        with conn.cursor() as cursor:
            cursor.executemany(QUERIES["append_entry"], rows)


def _row(entry: Entry) -> dict[str, object]:
    body = entry.canonical()
    return {
        "body": body,
        "leaf_hash": leaf_hash(body),
        "kind": entry.kind,
        "subject": entry.subject,
        "actor": entry.actor,
        "at": entry.at,
    }

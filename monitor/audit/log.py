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
    """Writes entries in this order, by one statement."""
    entries = tuple(entries)
    if entries:
        bodies = [entry.canonical() for entry in entries]
        conn.execute(
            QUERIES["append_entries"],
            {
                "bodies": bodies,
                "leaf_hashes": [leaf_hash(body) for body in bodies],
                "kinds": [entry.kind for entry in entries],
                "subjects": [entry.subject for entry in entries],
                "actors": [entry.actor for entry in entries],
                "ats": [entry.at for entry in entries],
            },
        )

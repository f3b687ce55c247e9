"""Reads tables and their entries, each with one statement so that both are of the same moment, and compares them."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg.rows import dict_row

from alerts.calm.shelves import Shelf
from alerts.rebuilding import shelves, visits
from alerts.rebuilding.values import Difference
from monitor.audit.entries import Entry, read
from monitor.store.queries import Queries

QUERIES = Queries("alerts.rebuilding")

T = TypeVar("T")


def check(conn: psycopg.Connection[Any]) -> list[Difference]:
    """What is kept beside alerts, compared with the audit log. Empty: all is explained. Safe while rows change."""
    entries, rows = _history(conn, "shelf_history", shelves.KINDS)
    found = shelves.compare(entries, _of(rows, "shelf", Shelf))
    entries, rows = _history(conn, "visit_history", visits.VISITS)
    found += visits.compare_visits(entries, _of(rows, "visit_check", visits.Along))
    entries, rows = _history(conn, "notice_history", visits.NOTICES)
    notices, objections = _of(rows, "notice", visits.Given), _of(rows, "objection", visits.Objected)
    return [*found, *visits.compare_notices(entries, notices, objections)]


def _history(
    conn: psycopg.Connection[Any], query: str, kinds: Sequence[str]
) -> tuple[list[Entry], list[dict[str, Any]]]:
    entries, rows = [], []
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(QUERIES[query], {"kinds": list(kinds)}):
            if row["body"] is not None:
                entries.append(read(bytes(row["body"])))
            else:
                rows.append(row)
    return entries, rows


def _of(rows: Sequence[dict[str, Any]], table: str, type_: type[T]) -> list[T]:
    return [msgspec.convert(row["fields"], type_) for row in rows if row["of"] == table]

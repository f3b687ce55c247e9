"""What `hcawatch db status` tells of a database."""

from typing import Any

import psycopg
from psycopg.rows import tuple_row

from monitor.store.migrate import QUERIES, kind_of_store, known_migrations, pending
from monitor.store.queries import Queries

COUNTS = Queries("hcawatch.commands")


def read_status(dsn: str) -> dict[str, Any]:
    """Server, migrations and rows. A database that was never migrated has no rows to count."""
    with psycopg.connect(dsn, prepare_threshold=None, row_factory=tuple_row) as conn:
        row = conn.execute(COUNTS["has_migrations"]).fetchone()
        migrated = bool(row and row[0])
        applied = conn.execute(QUERIES["applied_migrations"]).fetchall() if migrated else []
        found: dict[str, Any] = {
            "server": kind_of_store(conn),
            "applied": [name for name, _ in applied],
            "missing": [migration.name for migration in pending(known_migrations(), applied)],
        }
        if migrated:
            counts = conn.execute(COUNTS["count_rows"]).fetchall()
            found.update({str(name): int(rows) for name, rows in counts})
    return found

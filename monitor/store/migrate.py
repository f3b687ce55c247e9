"""Brings a database to the schema of this release: migrations/NNNN_name.sql in order, each in one transaction.

schema.sql stays the whole truth (a test compares). Where the server has TimescaleDB, the time series
become hypertables; compression and rollups are not decided here.
"""

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import msgspec
import psycopg
import structlog
from psycopg.rows import tuple_row

from monitor.store.errors import SchemaMismatchError
from monitor.store.queries import Queries

log = structlog.get_logger(__name__)

QUERIES = Queries("monitor.store")

#: any number that nobody else uses as an advisory lock: "hcaw" in ASCII
MIGRATION_LOCK = 0x68636177

#: time series: table, time column, width of a chunk
HYPERTABLES = (("risk_event", "captured_at", "7 days"), ("watch_minute", "minute", "7 days"))


class Migration(msgspec.Struct, frozen=True):
    """One file of migrations/."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Of the file's text, to see that an applied migration was not rewritten later."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> tuple[Migration, ...]:
    """The migrations of this release, in order."""
    folder = resources.files("monitor.store").joinpath("migrations")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(Migration(f.name.removesuffix(".sql"), f.read_text(encoding="utf-8")) for f in files)


def pending(known: Sequence[Migration], applied: Sequence[tuple[str, str]]) -> tuple[Migration, ...]:
    """What is still to apply. `applied` holds (name, sha256), in order.

    SchemaMismatchError if the database is newer than this release, or was made by other files.
    """
    by_name = {migration.name: migration for migration in known}
    for name, sha256 in applied:
        if name not in by_name:
            raise SchemaMismatchError(
                f"the database has the migration {name!r}, which this release of hcawatch does not know"
                f" (its newest is {known[-1].name!r}): start the newer release, or restore a backup"
            )
        if by_name[name].sha256 != sha256:
            raise SchemaMismatchError(
                f"the database was made with another text of the migration {name!r}: this is a database of"
                " an unreleased version; export what you need and start with a new, empty database"
            )
    done = {name for name, _ in applied}
    return tuple(migration for migration in known if migration.name not in done)


def migrate(dsn: str) -> list[str]:
    """Applies what is missing and returns the names applied; [] when the database was up to date."""
    with psycopg.connect(dsn, autocommit=True, row_factory=tuple_row, prepare_threshold=None) as conn:
        conn.execute(QUERIES["lock_migrations"], {"key": MIGRATION_LOCK})
        conn.execute(QUERIES["create_schema_migration"])
        todo = pending(known_migrations(), conn.execute(QUERIES["applied_migrations"]).fetchall())
        for migration in todo:
            with conn.transaction():
                # many statements in one simple query
                conn.execute(migration.sql.encode())
                conn.execute(
                    QUERIES["record_migration"], {"name": migration.name, "sha256": migration.sha256}
                )
            log.info("store.migrated", migration=migration.name)
    # on a connection of its own, since TimescaleDB ends the session when the server did not preload it
    _make_hypertables(dsn)
    return [migration.name for migration in todo]


def _make_hypertables(dsn: str) -> None:
    """Hypertables where the server has TimescaleDB; a warning, and plain tables, where it cannot be used."""
    try:
        with psycopg.connect(dsn, autocommit=True, row_factory=tuple_row, prepare_threshold=None) as conn:
            conn.execute(QUERIES["lock_migrations"], {"key": MIGRATION_LOCK})
            if conn.execute(QUERIES["timescale_version"]).fetchone() is None:
                return
            conn.execute(QUERIES["create_timescale"])
            with conn.transaction():
                for table, column, interval in HYPERTABLES:
                    given = {"table": table, "column": column, "interval": interval}
                    conn.execute(QUERIES["create_hypertable"], given)
    except psycopg.Error as exc:
        log.warning(
            "store.timescaledb_unused",
            error=str(exc).strip(),
            remedy="add timescaledb to shared_preload_libraries and let an administrator create the extension;"
            " until then the time series are plain tables",
        )


def kind_of_store(conn: psycopg.Connection[Any]) -> str:
    """For reports: "timescaledb 2.29.2" or "postgresql 18"."""
    row = conn.cursor(row_factory=tuple_row).execute(QUERIES["store_versions"]).fetchone()
    assert row is not None
    postgresql, timescaledb = row
    return f"timescaledb {timescaledb}" if timescaledb else f"postgresql {postgresql}"

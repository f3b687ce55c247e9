"""Migrations lead to schema.sql, once, however many start at the same time; and every query fits the schema."""

import re
import threading
from importlib import resources
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from monitor.domain.levels import Level
from monitor.store.errors import SchemaMismatchError
from monitor.store.migrate import HYPERTABLES, kind_of_store, known_migrations, migrate
from monitor.store.pool import make_pool
from monitor.store.queries import Queries

#: what makes up a schema, as rows of text; the list of migrations and TimescaleDB's own are left out
CATALOGUE = {
    "columns": "SELECT table_name, column_name, ordinal_position, data_type, udt_name, is_nullable, column_default,"
    " is_identity, identity_generation FROM information_schema.columns WHERE table_schema = 'public'",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND contype <> 'n'",
    "enums": "SELECT typname, enumlabel, enumsortorder FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')",
    "triggers": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    " AND tgname NOT LIKE 'ts_%'",
}


def catalogue(dsn: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(dsn) as conn:
        found = {
            name: sorted(conn.execute(sql.encode()).fetchall(), key=str) for name, sql in CATALOGUE.items()
        }
    return {name: [row for row in rows if "schema_migration" not in str(row)] for name, rows in found.items()}


def schema_text() -> str:
    return resources.files("monitor.store").joinpath("schema.sql").read_text(encoding="utf-8")


def test_migrations_and_schema_give_the_same_database(empty_postgres_dsn: str, postgres_dsn: str) -> None:
    """If not: until the first release copy schema.sql over migrations/0001_init.sql, afterwards add a migration."""
    with psycopg.connect(empty_postgres_dsn) as conn:
        conn.execute(schema_text().encode())
    assert catalogue(postgres_dsn) == catalogue(empty_postgres_dsn)


def test_a_second_start_changes_nothing(empty_postgres_dsn: str) -> None:
    """The first applies all, the second none."""
    assert migrate(empty_postgres_dsn) == [migration.name for migration in known_migrations()]
    before = catalogue(empty_postgres_dsn)
    assert migrate(empty_postgres_dsn) == []
    assert catalogue(empty_postgres_dsn) == before


def test_four_starts_at_once_apply_it_once(empty_postgres_dsn: str) -> None:
    """The others wait and find it done."""
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(empty_postgres_dsn))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    names = [migration.name for migration in known_migrations()]
    assert sorted(done) == [[], [], [], names]


def test_a_newer_database_is_refused_and_left_alone(postgres_dsn: str) -> None:
    """After a downgrade of the program."""
    with psycopg.connect(postgres_dsn) as conn:
        conn.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_future', 'x')")
    before = catalogue(postgres_dsn)
    with pytest.raises(SchemaMismatchError, match="9999_future"):
        migrate(postgres_dsn)
    assert catalogue(postgres_dsn) == before


def test_a_migration_that_fails_leaves_nothing(
    empty_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one transaction with its record, and can be tried again."""
    from monitor.store import migrate as module

    bad = module.Migration("0001_init", "CREATE TABLE half (); SELECT 1/0;")
    monkeypatch.setattr(module, "known_migrations", lambda: (bad,))
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_postgres_dsn)
    monkeypatch.undo()
    assert migrate(empty_postgres_dsn) != []
    assert "half" not in str(catalogue(empty_postgres_dsn)["columns"])


def test_a_permit_that_was_over_before_the_upgrade_ends(
    empty_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it stands as approved for ever."""
    from monitor.store import migrate as module

    first = known_migrations()[:1]
    monkeypatch.setattr(module, "known_migrations", lambda: first)
    migrate(empty_postgres_dsn)
    monkeypatch.undo()
    with psycopg.connect(empty_postgres_dsn) as conn:
        conn.execute(
            "INSERT INTO permit VALUES ('P-1', 'works_50m', 'p1', 0, 1, '2020-01-01', '2020-02-01', 'c', '', now())"
        )
    migrate(empty_postgres_dsn)
    with psycopg.connect(empty_postgres_dsn) as conn:
        assert conn.execute("SELECT what, done_at FROM permit_due").fetchall() == [("end", None)]


def test_alerts_that_run_during_the_upgrade_get_their_clocks(
    empty_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody is told that an officer who was sent before the upgrade never came."""
    from monitor.store import migrate as module

    alert, sent = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
    first = known_migrations()[:1]
    monkeypatch.setattr(module, "known_migrations", lambda: first)
    migrate(empty_postgres_dsn)
    monkeypatch.undo()
    with psycopg.connect(empty_postgres_dsn) as conn:
        conn.execute(
            "INSERT INTO alert (alert_id, kind, source, state, subject, level, reasons, weights_version, opened_at,"
            " onset_at, last_seen_at) VALUES (%s, 'violation', 'edge', 'on_site', 's', 'I', '[]', '1', now(), now(), now())",
            [alert],
        )
        conn.execute(
            "INSERT INTO dispatch (dispatch_id, alert_id, team_id, officer, dispatched_at, accepted_at)"
            " VALUES (%s, %s, 't', 'o', '2026-11-01', '2026-11-01')",
            [sent, alert],
        )
        for n, step in enumerate(("depart", "arrive"), 1):
            conn.execute(
                "INSERT INTO alert_transition (alert_id, n, step, to_state, level, actor, role, at, reason)"
                " VALUES (%s, %s, %s, 'on_site', 'I', 'o', 'officer', '2026-11-02', 'step')",
                [alert, n, step],
            )
    migrate(empty_postgres_dsn)
    with psycopg.connect(empty_postgres_dsn) as conn:
        assert conn.execute("SELECT what FROM timer WHERE due_at <= now()").fetchall() == [("clocks",)]
        left = conn.execute(
            "SELECT departed_at = '2026-11-02' AND arrived_at = '2026-11-02' FROM dispatch"
        ).fetchone()
        assert left == (True,)


def test_the_levels_of_the_database_are_those_of_the_code(postgres_dsn: str) -> None:
    """In the same order, worst first."""
    with psycopg.connect(postgres_dsn) as conn:
        row = conn.execute("SELECT enum_range(NULL::risk_level)::text[]").fetchone()
    assert row is not None
    assert row[0] == [level.value for level in Level]


def test_the_kind_of_store_is_told(postgres_dsn: str) -> None:
    """For reports: which one ran."""
    with psycopg.connect(postgres_dsn) as conn:
        kind = kind_of_store(conn)
    assert re.fullmatch(r"postgresql \d+|timescaledb \d+\.\S+", kind)


def test_time_series_are_hypertables_where_timescaledb_is(postgres_dsn: str) -> None:
    """On plain PostgreSQL they are plain tables, and everything else is the same."""
    with psycopg.connect(postgres_dsn) as conn:
        if kind_of_store(conn).startswith("postgresql"):
            row = conn.execute("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
            assert row == (0,)
            return
        found = conn.execute(
            "SELECT hypertable_name, column_name FROM timescaledb_information.dimensions ORDER BY 1"
        ).fetchall()
    assert found == [(table, column) for table, column, _ in HYPERTABLES]


def packages_with_queries() -> list[str]:
    """All but Grafana's, whose macros its own tests replace."""
    root = Path(__file__).resolve().parents[2]
    files = [
        path
        for top in ("monitor", "alerts")
        for path in (root / top).rglob("queries.sql")
        if path.parent.name != "grafana"
    ]
    return sorted(".".join(path.relative_to(root).parent.parts) for path in files)


@pytest.mark.parametrize("package", packages_with_queries())
def test_every_query_fits_the_schema(postgres_dsn: str, package: str) -> None:
    """The server plans each one: no column, table or type is misspelt, also in what tests seldom reach."""
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        has_timescale = conn.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
        for name, query in Queries(package).items():
            text = query.as_string(None)
            if ("create_hypertable" in text and not has_timescale) or re.search(r"\bCREATE\b", text):
                continue
            names = list(dict.fromkeys(re.findall(r"%\((\w+)\)[sb]", text)))
            for position, parameter in enumerate(names, start=1):
                text = re.sub(rf"%\({parameter}\)[sb]", f"${position}", text)
            prepared = text.replace("%%", "%").rstrip().rstrip(";")
            try:
                conn.execute(
                    SQL("PREPARE {} AS ").format(Identifier(name)).as_bytes(conn) + prepared.encode()
                )
            except psycopg.Error as exc:
                pytest.fail(f"{package}: {name}: {exc}")


def test_a_pool_outlives_the_end_of_its_connections(postgres_dsn: str) -> None:
    """As after a restart of the server: the next use gets a working connection."""
    with make_pool(postgres_dsn, "test", min_size=1, max_size=1) as pool:
        with pool.connection() as conn:
            row = conn.execute("SELECT pg_backend_pid() AS pid").fetchone()
        assert row is not None
        with psycopg.connect(postgres_dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (row["pid"],))
        with pool.connection() as conn:
            assert conn.execute("SELECT 1 AS one").fetchone() == {"one": 1}

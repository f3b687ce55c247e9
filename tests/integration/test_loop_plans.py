"""What the loop asks of each onset costs the same however much is stored, also where statistics are old or missing."""

from __future__ import annotations

import re

import psycopg
from psycopg.sql import SQL

from alerts.engine import AlertEngine
from alerts.policy import Policy
from alerts.postgres_rows import QUERIES
from monitor.store.pool import FEW_ROWS_EACH, FIRST_IN_ORDER, make_pool
from monitor.store.queries import Queries
from tests.bench.loop_parts.open_alerts import open_alerts
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, NOON, at_metres, event, uid

#: tables that grow with the years
GROWING = (
    "alert",
    "alert_transition",
    "alert_episode",
    "dispatch",
    "timer",
    "outgoing",
    "audit_entry",
    "risk_event",
)


def test_plans_from_a_small_town_do_not_walk_through_a_storm(postgres_dsn: str) -> None:
    """With a hundred alerts a walk through the table is the cheapest plan, and a connection keeps it for months."""
    open_alerts(postgres_dsn, 100)  # and ANALYZE
    said: list[str] = []
    with (
        make_pool(postgres_dsn, "seeding") as seeding,
        make_pool(postgres_dsn, "deciding", max_size=1, planner=FEW_ROWS_EACH) as pool,
    ):
        book = SeededPostgresBook(seeding)
        engine = AlertEngine(SeededPostgresBook(pool), CITY, Policy())
        for turn in range(8):  # the sixth is the first with a plan that is kept
            for n in range(3):
                metres = 100.0 * (3 * turn + n)
                book.add_event(
                    event(
                        episode=f"e{turn}-{n}", event_id=uid(f"v{turn}-{n}"), position=at_metres(metres, 3)
                    ),
                    NOON,
                )
            if turn == 7:
                with pool.connection() as conn:
                    _tells_its_plans(conn, said)
            assert engine.take_work(NOON) == 3
    walks = {name for plan in said for name in re.findall(r"Seq Scan on (\w+)", plan)}
    assert len(said) > 20
    assert walks.isdisjoint(GROWING), [plan for plan in said if "Seq Scan" in plan]


def test_no_statement_of_the_process_that_decides_lacks_its_index(postgres_dsn: str) -> None:
    """The plan that a connection keeps for every named statement: where it walks, no index fits."""
    open_alerts(postgres_dsn, 100)
    walks: dict[str, set[str]] = {}
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute("ANALYZE")
        conn.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off")
        for package in (
            "alerts",
            "alerts.calm",
            "alerts.visiting",
            "alerts.permitting",
            "alerts.reporting",
            "monitor.ingest",
        ):
            for name, query in Queries(package).items():
                plan = _kept_plan(conn, query.as_string(conn))
                if found := set(re.findall(r"Seq Scan on (\w+)", plan)).intersection(GROWING):
                    walks[f"{package} {name}"] = found
    assert walks == {}


def test_a_cameras_backlog_is_not_walked_through_while_its_oldest_is_decided(postgres_dsn: str) -> None:
    """Onsets are taken by the same thread: they would wait each turn for whoever has ten thousand alarms."""
    asked = QUERIES["next_device_alarm"]
    with (
        make_pool(postgres_dsn, "deciding", max_size=2, planner=FEW_ROWS_EACH) as pool,
        pool.connection() as first,
        pool.connection() as other,
    ):
        first.execute(
            "INSERT INTO alert_work (kind, body, created_at) SELECT 'device_alarm',"
            " jsonb_build_object('camera_id', CASE WHEN n = 5000 THEN 'c9' ELSE 'c2' END), now()"
            " FROM generate_series(1, 5000) AS n"
        )
        first.commit()
        oldest, next_one = first.execute(asked).fetchone(), other.execute(asked).fetchone()
        assert oldest is not None
        assert next_one is not None
        assert (oldest["body"]["camera_id"], next_one["body"]["camera_id"]) == ("c2", "c9")
        (explained,) = (
            other.execute(SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + asked).fetchone().values()
        )
    assert explained[0]["Plan"]["Shared Hit Blocks"] < 200


def test_couriers_read_the_first_of_what_waits_and_not_all_of_it(postgres_dsn: str) -> None:
    """In a storm thousands wait, statistics know of none, and 24 are taken some fifty times a second."""
    given = {"now": NOON, "held": [], "limit": 24}
    with (
        make_pool(postgres_dsn, "couriers", planner=FIRST_IN_ORDER) as pool,
        pool.connection() as conn,
    ):
        conn.execute(
            "INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at)"
            " SELECT 'mqtt', 'a', 'k' || n, jsonb_build_object('dispatch_id', n), %(at)s, %(at)s"
            " FROM generate_series(1, 5000) AS n",
            {"at": NOON},
        )
        asked = SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + QUERIES["take_outgoing"]
        row = conn.execute(asked, given).fetchone()
        assert row is not None
        ((explained,),) = row.values()
        taken = conn.execute(QUERIES["take_outgoing"], given).fetchall()
    assert [one["idempotency_key"] for one in taken] == [f"k{n}" for n in range(1, 25)]
    assert explained["Plan"]["Shared Hit Blocks"] < 400


def _kept_plan(conn: psycopg.Connection[tuple[str]], text: str) -> str:
    numbers: dict[str, int] = {}
    numbered = re.sub(
        r"%\((\w+)\)[sbt]", lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", text
    )
    conn.execute(f"PREPARE asked AS {numbered.replace('%%', '%')}".encode())
    given = f"({', '.join(['NULL'] * len(numbers))})" if numbers else ""
    plan = conn.execute(f"EXPLAIN EXECUTE asked {given}".encode()).fetchall()
    conn.execute("DEALLOCATE asked")
    return "\n".join(line for (line,) in plan)


def _tells_its_plans(conn: psycopg.Connection[dict[str, object]], said: list[str]) -> None:
    """Every statement's plan from now on, those behind foreign keys included."""
    conn.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_level = 'notice'"):
        conn.execute("LOAD 'auto_explain'")
        conn.execute(f"SET auto_explain.{setting}".encode())
    conn.commit()

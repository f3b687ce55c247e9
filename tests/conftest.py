"""What all tests share: real servers, one a session, and the rule that CI skips nothing.

`postgres_dsn` is a fresh, migrated database per test on one embedded server (or on the server
that HCAWATCH_TEST_DATABASE names, for runs against TimescaleDB). `broker` is one embedded broker.
"""

from __future__ import annotations

import importlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from monitor.ingest.embedded_broker import EmbeddedBroker
from monitor.store.embedded import EmbeddedPostgres

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
TEMPLATE = "hcawatch_test_template"
# A test takes an edge of its own, since retained messages outlive it.
BROKER_EDGES = tuple(f"edge-{n}" for n in range(1, 23))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """In CI a skipped test fails: what is skipped there is never run at all."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be: {report.longrepr}"
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """The same for a whole module that skips itself."""
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be: {report.longrepr}"


@pytest.fixture(scope="session")
def postgres_server_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An account that may create databases, on a server of our own or the named one."""
    named = os.environ.get("HCAWATCH_TEST_DATABASE")
    if named:
        yield named
        return
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server.dsn_of("postgres")


@pytest.fixture(scope="session")
def postgres_template(postgres_server_dsn: str) -> Iterator[str]:
    """The name of a migrated, empty database that tests copy."""
    name = f"{TEMPLATE}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_server_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        # By name, so that tests of other parts run before there is anything to migrate.
        importlib.import_module("monitor.store.migrate").migrate(on_database(postgres_server_dsn, name))
        yield name
    finally:
        drop_database(postgres_server_dsn, name)


@pytest.fixture
def empty_postgres_dsn(postgres_server_dsn: str) -> Iterator[str]:
    """A fresh database without our tables."""
    yield from fresh_database(postgres_server_dsn, "template1")


@pytest.fixture
def postgres_dsn(postgres_server_dsn: str, postgres_template: str) -> Iterator[str]:
    """A fresh, migrated database, gone after the test."""
    yield from fresh_database(postgres_server_dsn, postgres_template)


def fresh_database(server_dsn: str, template: str) -> Iterator[str]:
    name = f"hcawatch_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        # A connection that is just closing (TimescaleDB's workers too) would keep the template busy.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND datname LIKE 'hcawatch_test%%'",
            (template,),
        )
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield on_database(server_dsn, name)
    finally:
        drop_database(server_dsn, name)


def drop_database(server_dsn: str, name: str) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def on_database(dsn: str, name: str) -> str:
    """The same server, another database, as a URL (our command line takes URLs)."""
    parts = conninfo.conninfo_to_dict(dsn)
    head, _, query = dsn.partition("?")
    if "://" in head:
        base, _, _ = head.partition("://")
        authority = head.partition("://")[2].partition("/")[0]
        return f"{base}://{authority}/{name}" + (f"?{query}" if query else "")
    return conninfo.make_conninfo(**{**parts, "dbname": name})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker of the kind that this machine has, for one file of tests: what one retains must not reach
    another. Edges `edge-1` to `edge-22`."""
    with EmbeddedBroker(tmp_path_factory.mktemp("broker"), BROKER_EDGES) as running:
        yield running


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[1]

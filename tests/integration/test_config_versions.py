"""Configurations in the database: numbered, with author, reason and audit entry; applied and exported."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from hcawatch.config import LoadedConfig, load, versions
from hcawatch.config.write import to_yaml
from monitor.audit.entries import read as read_entry

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ENV = {"TEST_DATABASE_URL": "postgresql://db/hcawatch"}


@pytest.fixture
def conn(postgres_dsn: str) -> Iterator[versions.Conn]:
    """A connection to a fresh database."""
    with versions.connect(postgres_dsn) as connection:
        yield connection


@pytest.fixture
def base(repository: Path) -> str:
    """A right file."""
    return (repository / "tests" / "unit" / "config" / "base.yaml").read_text()


def loaded(folder: Path, text: str) -> LoadedConfig:
    """A configuration of that text."""
    path = folder / "city.yaml"
    path.write_text(text)
    return load(path, env=ENV, now=NOW)


def test_first_version_carries_author_reason_and_entry(
    conn: versions.Conn, base: str, tmp_path: Path
) -> None:
    """The version, its permits and its audit entry are there together."""
    config = loaded(tmp_path, base)
    number = versions.apply(conn, config, author="li", reason="first", now=NOW)
    row = versions.read(conn)
    assert (row.number, row.author, row.reason, row.sha256) == (number, "li", "first", config.sha256)
    entries = [read_entry(bytes(r["body"])) for r in conn.execute("SELECT body FROM audit_entry")]
    assert [(e.kind, e.subject, e.actor) for e in entries] == [("config.applied", f"config:{number}", "li")]
    assert entries[0].body["sha256"] == config.sha256
    permits = conn.execute("SELECT permit_number, valid_from FROM permit").fetchall()
    assert [(p["permit_number"], p["valid_from"]) for p in permits] == [
        ("EX-1", datetime(2026, 10, 31, 23, 0, tzinfo=UTC))
    ]


def test_the_same_configuration_is_no_new_version(conn: versions.Conn, base: str, tmp_path: Path) -> None:
    """Comments and order make no version and no entry."""
    first = versions.apply(conn, loaded(tmp_path, base), author="li", reason="first", now=NOW)
    again = versions.apply(conn, loaded(tmp_path, "# other\n" + base), author="li", reason="again", now=LATER)
    assert again == first
    assert len(versions.history(conn)) == 1


def test_difference_and_second_version(conn: versions.Conn, base: str, tmp_path: Path) -> None:
    """What changes is shown entry by entry; the history keeps both; a permit that is gone is gone."""
    versions.apply(conn, loaded(tmp_path, base), author="li", reason="first", now=NOW)
    start = base.index("permits:")
    text = base[:start] + base[base.index("risk:") :]
    changed = loaded(tmp_path, text.replace("looks_per_s: 5", "looks_per_s: 2"))
    shown = [str(change) for change in versions.changes(versions.newest(conn), changed)]
    assert "~ cameras[gate].looks_per_s: 5.0 → 2.0" in shown
    assert any(line.startswith("- permits[EX-1]") for line in shown)
    versions.apply(conn, changed, author="wang", reason="slower", now=LATER)
    assert [row.author for row in versions.history(conn)] == ["wang", "li"]
    assert conn.execute("SELECT count(*) AS n FROM permit").fetchone() == {"n": 0}


def test_a_permit_entered_elsewhere_stays(conn: versions.Conn, base: str, tmp_path: Path) -> None:
    """Applying a file touches only the permits that a file brought."""
    conn.execute(
        "INSERT INTO permit VALUES ('CONSOLE-1', 'works_50m', 'gas-1', 0, 1, now(), now(), 'c', '', now())"
    )
    versions.apply(conn, loaded(tmp_path, base), author="li", reason="first", now=NOW)
    versions.apply(
        conn,
        loaded(tmp_path, base.replace("number: EX-1", "number: EX-2")),
        author="li",
        reason="x",
        now=LATER,
    )
    numbers = [row["permit_number"] for row in conn.execute("SELECT permit_number FROM permit ORDER BY 1")]
    assert numbers == ["CONSOLE-1", "EX-2"]


def test_export_and_apply_round_trip(conn: versions.Conn, base: str, tmp_path: Path) -> None:
    """What is exported from the database applies without a difference."""
    versions.apply(conn, loaded(tmp_path, base), author="li", reason="first", now=NOW)
    exported = to_yaml(versions.read(conn).body)
    assert versions.changes(versions.newest(conn), loaded(tmp_path, exported)) == ()


def test_nobody_applies_over_what_they_have_not_seen(conn: versions.Conn, base: str, tmp_path: Path) -> None:
    """A version that came between showing and applying stops the second one."""
    versions.apply(conn, loaded(tmp_path, base), author="li", reason="first", now=NOW)
    other = loaded(tmp_path, base.replace("looks_per_s: 5", "looks_per_s: 2"))
    with pytest.raises(versions.ConfigMovedOn):
        versions.apply(conn, other, author="wang", reason="x", now=LATER, seen=0)
    assert len(versions.history(conn)) == 1


def test_two_writers_get_two_numbers_in_turn(postgres_dsn: str, base: str, tmp_path: Path) -> None:
    """Of two that apply at once against the same version, one is told to look again."""
    configs = [loaded(tmp_path, base.replace("looks_per_s: 5", f"looks_per_s: {looks}")) for looks in (1, 2)]
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def write(config: LoadedConfig) -> None:
        with versions.connect(postgres_dsn) as mine:
            start.wait(timeout=10)
            try:
                versions.apply(mine, config, author="a", reason="r", now=NOW, seen=0)
                outcomes.append("applied")
            except versions.ConfigMovedOn:
                outcomes.append("look again")

    threads = [threading.Thread(target=write, args=(config,)) for config in configs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == ["applied", "look again"]


def test_a_failing_entry_leaves_no_version(
    conn: versions.Conn, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version and entry are one transaction."""

    def broken(*_: object) -> None:
        raise psycopg.OperationalError("disk full")

    monkeypatch.setattr(versions, "append", broken)
    with pytest.raises(psycopg.OperationalError):
        versions.apply(conn, loaded(tmp_path, base), author="li", reason="first", now=NOW)
    assert versions.history(conn) == ()
    assert conn.execute("SELECT count(*) AS n FROM permit").fetchone() == {"n": 0}


def test_missing_versions_are_named(conn: versions.Conn) -> None:
    """Nothing applied yet, and a number that isn't there, are said in words."""
    with pytest.raises(versions.NoSuchVersion, match="apply"):
        versions.read(conn)
    with pytest.raises(versions.NoSuchVersion, match="version 7"):
        versions.read(conn, 7)


def test_the_database_keeps_no_secret(conn: versions.Conn, base: str, tmp_path: Path) -> None:
    """The address with its password is fetched at loading and never stored."""
    path = tmp_path / "city.yaml"
    path.write_text(base)
    config = load(path, env={"TEST_DATABASE_URL": "postgresql://u:hunter2@db/h"}, now=NOW)
    versions.apply(conn, config, author="li", reason="first", now=NOW)
    stored = conn.execute("SELECT body::text AS b FROM config_version").fetchone()
    assert stored is not None
    assert "hunter2" not in stored["b"]
    assert json.loads(stored["b"])["centre"]["database"] == {"url_env": "TEST_DATABASE_URL"}

"""Configurations in the database: numbered, with author, reason and audit entry; applied and exported."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from hcawatch.config import LoadedConfig, load, versions
from hcawatch.config.answers import lines_of
from hcawatch.config.write import to_yaml
from hcawatch.edge_configs import messages, of_version
from monitor.audit.entries import read as read_entry
from monitor.domain.edge_config import EdgeConfiguration
from monitor.domain.events import ConfigAnswer, ConfigReason

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


def test_the_file_approves_of_a_request_only_what_it_says_itself(
    conn: versions.Conn, base: str, tmp_path: Path
) -> None:
    """A company asked for more kinds and five machines: the file's line is no approval of those."""
    conn.execute(
        "INSERT INTO permit (permit_number, violation, also, state, pipeline_id, from_m, to_m, from_offset_m, valid_from,"
        " valid_to, hours, activities, machine_limits, company, holder, phone, machines, prolong_to, created_at)"
        """ VALUES ('EX-1', 'works_50m', '["engineering_200m"]', 'requested', 'gas-1', 0, 1, -9, now(), now(),"""
        """ '[{"from_min": 0, "to_min": 60}]', '["working"]', '{"crane": 5}', 'c', 'roads', '+86', '', now(), now())"""
    )
    versions.apply(conn, loaded(tmp_path, base), author="li", reason="first", now=NOW)
    row = conn.execute("SELECT * FROM permit").fetchone()
    assert row is not None
    assert (row["state"], row["also"], row["hours"], row["activities"], row["machine_limits"]) == (
        "approved", [], [], [], {},
    )  # fmt: skip
    assert (row["from_offset_m"], row["to_offset_m"], row["prolong_to"]) == (None, None, None)
    assert (row["holder"], row["phone"]) == ("roads", "+86")


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


def test_a_centre_that_starts_with_an_unchanged_file_keeps_what_was_applied_since(
    conn: versions.Conn, base: str, tmp_path: Path
) -> None:
    """A threshold that a person approved outlives the centre's restart; an edited file counts; so does one put back."""
    file = loaded(tmp_path, base)
    assert versions.begin(conn, file, now=NOW).number == 1
    other = loaded(tmp_path, base.replace("night: 10", "night: 11"))
    versions.apply(conn, other, author="li", reason="approved", now=NOW)
    assert versions.begin(conn, file, now=LATER).number == 2
    edited = loaded(tmp_path, base.replace("night: 10", "night: 12"))
    assert versions.begin(conn, edited, now=LATER).sha256 == edited.sha256
    assert versions.begin(conn, file, now=LATER).sha256 == file.sha256


def test_each_edge_is_told_its_own_part_without_secrets(
    conn: versions.Conn, base: str, tmp_path: Path
) -> None:
    """Its cameras and what they stand beside, files as they are named in the document; no networks, no database address."""
    text = base.replace("cameras:\n", "  - {id: edge-2, name: Other}\ncameras:\n").replace(
        "source: rtsp://10.20.1.11:554/stream1", "source: clips/a.mp4"
    )
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").touch()
    number = versions.apply(conn, loaded(tmp_path, text), author="li", reason="first", now=NOW)
    version = versions.read(conn, number)
    config = of_version(version, tmp_path / "city.yaml")
    assert config is not None
    told = {edge: msgspec.json.decode(raw, type=EdgeConfiguration) for edge, raw in messages(version, config.city, NOW).items()}  # fmt: skip
    assert {edge: [c.camera_id for c in t.cameras] for edge, t in told.items()} == {
        "edge-1": ["gate"],
        "edge-2": [],
    }
    assert told["edge-1"].cameras[0].source == "clips/a.mp4"
    assert (told["edge-1"].number, told["edge-1"].config_version) == (number, version.sha256[:12])
    assert [h.site_id for h in told["edge-1"].hcas] == ["hca-01"]
    for raw in messages(version, config.city, NOW).values():
        assert b"10.20.0.0" not in raw
        assert b"postgres" not in raw


@pytest.mark.parametrize(
    ("edge", "newest", "words"),
    [
        ({}, 2, ["version 2 is in force"]),
        ({}, 3, ["version 2 is in force", "version 3 has not reached it"]),
        ({"online": False}, 2, ["(offline)"]),
        ({}, 1, ["which this database does not have"]),
        ({"config_number": None}, None, ["its own file"]),
        ({"answer": {"number": 3, "taken": False, "reasons": ["rule_must_stay_on"]}}, 3, ["refused version 3", "can't be switched off"]),
        ({"answer": {"number": None, "taken": False, "reasons": ["of_the_future"]}}, 2, ["names no version", "of the future"]),
    ],
)  # fmt: skip
def test_what_edges_made_of_it_is_said(edge: dict[str, Any], newest: int | None, words: list[str]) -> None:
    """One line an edge, with each reason in words; also reasons that this release does not know."""
    given = {
        "edge_id": "e",
        "online": True,
        "config_version": "abc",
        "config_number": 2,
        "answer": None,
        **edge,
    }
    if given["answer"] is not None:
        reasons = tuple(
            ConfigReason(code=code, facts={"rule": "dig-5m"}) for code in given["answer"].pop("reasons")
        )
        given["answer"] = ConfigAnswer(at=NOW, reasons=reasons, **given["answer"])
    said = "\n".join(lines_of((versions.EdgeAnswer(**given),), newest, "en"))
    assert all(word in said for word in words), said
    assert list(lines_of((versions.EdgeAnswer(**given),), newest, "zh"))

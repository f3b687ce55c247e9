"""The commands that work on a database, from the command line as an administrator would."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from hcawatch.commands.common import database_url
from monitor.audit import sequencer
from monitor.audit.note import Signer
from monitor.grafana.grants import TABLES
from monitor.store.pool import make_pool

CITY = "examples/minimal.yaml"


@pytest.fixture
def hcawatch(postgres_dsn: str, repository: Path):  # type: ignore[no-untyped-def]
    """The command, with its database in the environment; gives stdout, and wants the exit status."""

    def run(*arguments: str, status: int = 0) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "hcawatch", *arguments], capture_output=True, text=True, timeout=60, check=False,
            cwd=repository, env={**os.environ, "HCAWATCH_DATABASE_URL": postgres_dsn, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert result.returncode == status, result.stderr
        assert "Traceback" not in result.stderr
        return result.stdout + result.stderr

    return run


def sign(dsn: str, folder: Path) -> None:
    """What the centre does twice a second."""
    signer = Signer.load_or_create(folder / "key", "test/log")
    with make_pool(dsn, "test", max_size=1) as pool, pool.connection() as conn:
        sequencer.run_once(conn, signer, datetime.now(UTC))


def test_channels_of_what_runs(hcawatch, repository: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """`channels status` shows the running version's channels, whoever's file is at hand; none of its secrets is needed."""
    text = (repository / CITY).read_text(encoding="utf-8")
    config = tmp_path / "city.yaml"
    config.write_text(
        f"{text}\nchannels:\n  - {{id: group, kind: feishu, url_env: NOT_SET_HERE, sends: [alerts]}}\n"
    )
    hcawatch("config", "apply", str(config), "--reason", "r", "--author", "li", "--yes")
    said = hcawatch("channels", "status", "--lang", "en").splitlines()
    assert [line.split()[:2] for line in said] == [["mqtt", "mqtt"], ["group", "feishu"]]
    assert "not used yet" in said[1]


def test_configuration_from_file_to_database_and_back(hcawatch, tmp_path: Path, repository: Path) -> None:  # type: ignore[no-untyped-def]
    """Diff, apply, show, export; applying asks first, and what is exported differs in nothing."""
    assert "+ version: 1" in hcawatch("config", "diff", CITY, status=1)
    assert "--yes" in hcawatch("config", "apply", CITY, "--reason", "first", status=1)
    assert "version 1" in hcawatch("config", "apply", CITY, "--reason", "first", "--author", "li", "--yes")
    assert "nothing to change" in hcawatch("config", "apply", CITY, "--reason", "again", "--yes")
    assert "li: first" in hcawatch("config", "show")
    exported = tmp_path / "exported.yaml"
    exported.write_text(hcawatch("config", "export"))
    hcawatch("config", "diff", str(exported))
    exported.write_text(exported.read_text().replace("School", "College"))
    assert "~ hcas[hca-01].name: School → College" in hcawatch("config", "diff", str(exported), status=1)


def test_state_of_the_database(hcawatch) -> None:  # type: ignore[no-untyped-def]
    """Migrating again does nothing; the status counts; alerts agree with their history."""
    assert "up to date" in hcawatch("db", "migrate")
    status = json.loads(hcawatch("db", "status", "--json"))
    assert status["missing"] == []
    assert status["alerts"] == 0
    assert "0 differences" in hcawatch("db", "replay", "--check")


def test_status_of_an_empty_database(empty_postgres_dsn: str, repository: Path) -> None:
    """A database that was never migrated is told what it misses, not an error."""
    result = subprocess.run(
        [sys.executable, "-m", "hcawatch", "db", "status", "--json", "--database", empty_postgres_dsn],
        capture_output=True, text=True, timeout=60, check=True, cwd=repository,
    )  # fmt: skip
    found = json.loads(result.stdout)
    assert found["applied"] == []
    assert found["missing"]


def test_people_and_tokens_are_made_once(hcawatch, postgres_dsn: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Logins, edge tokens and the broker's passwords; the second run changes none of them; none is printed."""
    secrets = tmp_path / "secrets"
    arguments = ("people", CITY, "--secrets", str(secrets), "--broker-passwords", str(tmp_path / "passwords"))
    said = hcawatch(*arguments)
    first = {path.name: path.read_text() for path in secrets.iterdir()}
    assert {
        "password-operator",
        "password-zhang-wei",
        "edge-token-edge-1",
        "mqtt-centre",
        "mqtt-edge-1",
    } <= set(first)
    assert not any(secret.strip() in said for secret in first.values())
    hcawatch(*arguments)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == first
    assert [line.split(":")[0] for line in (tmp_path / "passwords").read_text().splitlines()] == [
        "centre",
        "edge-1",
    ]
    with psycopg.connect(postgres_dsn) as conn:
        row = conn.execute(
            "SELECT count(*) FROM app_user WHERE user_name IN ('operator', 'zhang-wei')"
        ).fetchone()
    assert row == (2,)


def test_grafana_check_and_grant(hcawatch, postgres_dsn: str) -> None:  # type: ignore[no-untyped-def]
    """Every panel is run, and a role gets the dashboards' tables."""
    assert "rows  hcawatch-control-room" in hcawatch("grafana", "check")
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(
            "DO $$ BEGIN CREATE ROLE hcawatch_test_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    assert TABLES[0] in hcawatch("grafana", "grant", "hcawatch_test_reader")
    assert "does not exist" in hcawatch("grafana", "grant", "nobody_of_that_name", status=1)


def test_audit_head_export_and_verify(hcawatch, postgres_dsn: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A bundle that was exported verifies offline; one that was changed doesn't, with exit status 1."""
    assert "no signed head" in hcawatch("audit", "head", status=1)
    hcawatch("config", "apply", CITY, "--reason", "first", "--yes")
    sign(postgres_dsn, tmp_path)
    assert hcawatch("audit", "head").startswith("test/log\n2\n")  # the signer's key is an entry too
    bundle = tmp_path / "bundle.zip"
    assert "2 entries" in hcawatch("audit", "export", str(bundle), "--reason", "inspection")
    assert "\nverified: 2 entries" in hcawatch("audit", "verify", str(bundle))
    assert "\nverified: 2 entries" in hcawatch("audit", "verify", "--database", postgres_dsn)
    assert "exists" in hcawatch("audit", "export", str(bundle), status=1)
    bundle.write_bytes(bundle.read_bytes()[:-40])
    assert "NOT VERIFIED" in hcawatch("audit", "verify", str(bundle), status=1)
    with psycopg.connect(postgres_dsn) as conn:
        kinds = [row[0] for row in conn.execute("SELECT kind FROM audit_entry ORDER BY entry_id")]
    assert kinds[0] == "config.applied"
    assert kinds[-1] == "export"
    assert len(kinds) == 3


def test_database_of_a_running_installation(tmp_path: Path) -> None:
    """--data-dir finds the database in the runtime file; a named URL goes before it."""
    from hcawatch.runtime import Runtime

    Runtime(database_url="postgresql://x/y", data_dir=str(tmp_path), centre_url="http://x", mqtt={}).save(
        tmp_path / "runtime.json"
    )
    assert database_url(None, tmp_path) == "postgresql://x/y"
    assert database_url("postgresql://named", tmp_path) == "postgresql://named"


def test_shelves_from_the_command_line(hcawatch, repository: Path, postgres_dsn: str) -> None:  # type: ignore[no-untyped-def]
    """Shelved with who, why and until; listed; refused by the page's rules and in its words; ended; all in the log."""
    ids = ("--config", str(repository / CITY), "--lang", "en")
    (camera,) = re.findall(r"^cameras:\n\s+- id: (\S+)", (repository / CITY).read_text(), re.MULTILINE)
    source = ("--camera", camera, "--reason", "maintenance", "--note", "the mast is painted")
    made = json.loads(hcawatch("alerts", "shelve", *source, "--for", "2h", "--by", "li", "--json", *ids))
    assert (made["shelved_by"], made["scope"], made["worst"]) == ("cli:li", "camera", "III")
    assert "shelved already" in hcawatch("alerts", "shelve", *source, "--for", "1h", *ids, status=1)
    assert "12 hours at most" in hcawatch("alerts", "shelve", *source, "--for", "2d", *ids, status=1)
    assert "no such alert" in hcawatch(
        "alerts", "shelve", "--alert", "7", "--note", "why", "--for", "1h", *ids, status=1
    )
    listed = hcawatch("alerts", "shelves", *ids)
    assert all(word in listed for word in (made["shelf_id"], "the mast is painted", "cli:li", "1 shelves"))
    assert "ended" in hcawatch("alerts", "unshelve", made["shelf_id"], "--note", "done", "--by", "li", *ids)
    assert "over already" in hcawatch("alerts", "unshelve", made["shelf_id"], *ids, status=1)
    with psycopg.connect(postgres_dsn) as conn:
        rows = conn.execute(
            "SELECT kind, actor FROM audit_entry WHERE kind LIKE 'shelf.%' ORDER BY entry_id"
        ).fetchall()
    assert rows == [("shelf.begin", "cli:li"), ("shelf.end", "cli:li")]

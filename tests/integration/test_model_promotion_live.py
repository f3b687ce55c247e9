"""A promoted detector on a running edge: real database, broker, web and the real edge command with two cameras."""

import copy
import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from hcawatch import promotion
from hcawatch.config import load, versions
from hcawatch.runtime import Runtime
from monitor.ingest.embedded_broker import EmbeddedBroker
from monitor.store.pool import make_pool
from monitor.web.people import ensure_edge
from tests.doubles.web_town import town
from tests.e2e.test_console import Server
from tests.integration.test_edge_configuration_live import EDGE, Site, centre, digging, site
from tests.integration.test_model_promotion import other_set

__all__ = ["digging", "site"]  # fixtures
pytestmark = pytest.mark.timeout(600)
TOKEN = "edge-three-token-0123456789abcdef"


def two_cameras(site: Site) -> dict[str, Any]:
    """So that they share a detector."""
    document = copy.deepcopy(site.document)
    document["cameras"].append({**copy.deepcopy(document["cameras"][0]), "id": "other"})
    return document


def test_a_running_edge_changes_over_and_back(site: Site, broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Fetched, tried and in use while cameras' processes stay; events name who looked; the way back needs no line."""
    site.document = two_cameras(site)
    site.file.write_text(json.dumps(site.document))
    first = load(site.file, part="nobody")
    with make_pool(site.dsn, "test", max_size=4) as pool, ExitStack() as stack:
        here = stack.enter_context(town(site.dsn, tmp_path / "centre", datetime.now(UTC)))
        with here.pool.connection() as conn:
            ensure_edge(conn, EDGE, TOKEN)
        server = Server(here)
        server.start()
        stack.callback(server.stop)
        url = f"http://127.0.0.1:{server.port}"
        msgspec.structs.replace(Runtime.load(site.runtime), centre_url=url, edge_tokens={EDGE: TOKEN}).save(
            site.runtime
        )
        with versions.connect(site.dsn) as conn:
            versions.begin(conn, first, now=datetime.now(UTC))
        centre(site, broker, pool, stack)
        site.start_edge()
        site.until(lambda: models_of_events(site))
        cameras = pids(site)
        (shipped,) = models_of_events(site)

        name, _ = promotion.add(other_set(tmp_path / "candidate"), here.data_dir / "models")
        promote(site, name)
        site.until(lambda: status(site)["in_use"] == name)
        site.until(lambda: len(models_of_events(site)) == 2)
        assert pids(site) == cameras, "no camera began anew"
        server.stop()
        promote(site, None)
        site.until(lambda: status(site)["in_use"] is None)
        promote(site, "c" * 64)  # nobody has it, and the centre is away
        site.until(lambda: status(site)["trouble"])
        assert status(site)["in_use"] is None
        assert pids(site) == cameras
        assert {shipped} < models_of_events(site)
        server.start()
        site.stop_edge()


def promote(site: Site, name: str | None) -> None:
    with versions.connect(site.dsn) as conn:
        promotion.write(
            conn,
            site.file,
            {EDGE: name},
            step="promoted",
            author="li",
            reason="r",
            now=datetime.now(UTC),
            more={},
        )


def models_of_events(site: Site) -> set[str]:
    with versions.connect(site.dsn) as conn:
        rows = conn.execute("SELECT DISTINCT body->'model'->>'sha256' AS model FROM risk_event").fetchall()
    return {row["model"] for row in rows}


def status(site: Site) -> dict[str, Any]:
    with versions.connect(site.dsn) as conn:
        row = conn.execute("SELECT status->'model' AS model FROM edge_state").fetchone()
    return (row and row["model"]) or {"wanted": None, "in_use": "?", "trouble": ""}


def pids(site: Site) -> set[int]:
    """Processes of the cameras, by what the worker's log says of their start."""
    assert site.process is not None
    return {c.pid for c in psutil.Process(site.process.pid).children() if c.name().startswith("camera-")}

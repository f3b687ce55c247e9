"""A configuration from the database to the edge and back: real PostgreSQL, real broker, the real edge command.

The clip is rendered by the project itself: an excavator that digs beside the pipeline from its first frame to its last.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg.rows import dict_row

from edge.kept import NAME as KEPT
from hcawatch.cli import run as command
from hcawatch.config import LoadedConfig, load, versions
from hcawatch.config.versions import EdgeAnswer
from hcawatch.edge_configs import EdgeConfigs
from hcawatch.runtime import MqttAccess, Runtime
from models.scenes.clip import render_demo_clip
from models.scenes.story import Story
from monitor.domain.events import topic
from monitor.domain.geometry import LocalFrame
from monitor.ingest.embedded_broker import EmbeddedBroker
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.store.pool import Pool, make_pool

#: each waits for whole processes to start, on machines that do other things too
pytestmark = pytest.mark.timeout(600)

PLACE = LocalFrame((121.5, 31.2))
DIGGING = Story(
    enter_s=-20.0, stop_s=-12.0, dig_s=-11.0, fold_s=60.0, leave_s=62.0, gone_s=75.0, duration_s=9.0
)
EDGE = "edge-3"


class Site:
    """One centre's ingest and publishing, and one edge, on the rendered clip."""

    def __init__(self, clip: Path, folder: Path, repository: Path, broker: EmbeddedBroker, dsn: str) -> None:
        shutil.copy(clip, folder / "clip.mp4")
        self.folder, self._repository, self._broker, self.dsn = folder, repository, broker, dsn
        self.file, self.process = folder / "site.yaml", None
        truth = json.loads(clip.with_name("truth.json").read_text())
        self.document: dict[str, Any] = {
            "version": 1, "city": {"name": "made up", "made_up": True},
            "pipelines": [{"id": "p-1", "name": "p", "centreline": [
                list(PLACE.to_lonlat(tuple(p))) for p in truth["centreline"]["east_north_m"]]}],
            "hcas": [{"id": "hca-1", "pipeline": "p-1", "name": "h", "grade": "III", "from_m": 0.0, "to_m": 50.0}],
            "edges": [{"id": EDGE, "name": "e", "detector": "onnxruntime"}],
            "cameras": [{
                "id": "field", "edge": EDGE, "site": "hca-1", "name": "f", "source": "clip.mp4", "loop": True, "looks_per_s": 2.0,
                "footage": "simulated", "frame_size_px": [truth["camera"]["width_px"], truth["camera"]["height_px"]],
                "ground_points": [{"pixel": [float(v) for v in p["pixel"]], "lonlat": list(PLACE.to_lonlat(tuple(p["east_north_m"])))}
                                  for p in truth["ground_points"]],
            }],
            "teams": [{"id": "t", "name": "t", "members": [{"user": "u", "name": "u", "role": "patrol"}]}],
        }  # fmt: skip
        self.runtime = folder / "runtime.json"
        access = MqttAccess(host=broker.host, port=broker.port, user=EDGE, password=broker.passwords[EDGE])
        Runtime(database_url="", data_dir=str(folder / "data"), centre_url="http://127.0.0.1:1", mqtt={EDGE: access},
                edge_tokens={EDGE: "t"}).save(self.runtime)  # fmt: skip

    def loaded(self, name: str = "next.yaml", **camera: Any) -> LoadedConfig:
        """The site's configuration with changes of its camera, as a file beside the edge's own."""
        document = {**self.document, "cameras": [{**self.document["cameras"][0], **camera}]}
        (self.folder / name).write_text(json.dumps(document))  # JSON is YAML
        return load(self.folder / name, part="nobody")

    def start_edge(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hcawatch", "edge", str(self.file), "--edge", EDGE, "--runtime", str(self.runtime)],
            cwd=self._repository, env={**os.environ, "PYTHONPATH": str(self._repository)},
            stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("ab"),
        )  # fmt: skip

    def stop_edge(self) -> None:
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(30) == 0

    def camera_pid(self) -> int:
        """The process of the one camera."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        (pid,) = (c.pid for c in children if "spawn_main" in " ".join(c.cmdline()))
        return pid

    def answer(self) -> EdgeAnswer | None:
        with versions.connect(self.dsn) as conn:
            return next(iter(versions.edge_answers(conn)), None)

    def events_with(self, version: str) -> list[dict[str, Any]]:
        with versions.connect(self.dsn) as conn, conn.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute("SELECT body FROM risk_event ORDER BY seq").fetchall()
        return [row["body"] for row in rows if row["body"]["config_version"] == version]

    def until(self, condition: Callable[[], Any], timeout_s: float = 180.0) -> Any:
        deadline_s = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline_s, (self.answer(), (self.folder / "log").read_text()[-4000:])
            time.sleep(0.2)
        return found


@pytest.fixture(scope="module")
def digging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered clip; its truth lies beside it."""
    folder = tmp_path_factory.mktemp("digging")
    render_demo_clip(folder / "clip.mp4", folder / "truth.json", DIGGING)
    return folder / "clip.mp4"


@pytest.fixture
def site(
    digging: Path, tmp_path: Path, repository: Path, broker: EmbeddedBroker, postgres_dsn: str
) -> Iterator[Site]:
    made = Site(digging, tmp_path, repository, broker, postgres_dsn)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(5)


def centre(site: Site, broker: EmbeddedBroker, pool: Pool, stack: ExitStack) -> IngestWorker:
    settings = MqttSettings(host=broker.host, port=broker.port, user="centre", password=broker.passwords["centre"],
                            client_id="test-config-centre")  # fmt: skip
    ingest = stack.enter_context(IngestWorker(PostgresIngestStore(pool), settings))
    stack.enter_context(EdgeConfigs(pool, site.file, ingest.publish, lambda: ingest.connections))
    return ingest


def test_a_version_is_applied_taken_while_it_runs_refused_with_reasons_and_kept(
    site: Site, broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """From `config apply` to the next event; a bad version is refused by name; a restart without the centre keeps it."""
    first = site.loaded("site.yaml")
    with make_pool(site.dsn, "test", max_size=4) as pool, ExitStack() as stack:
        with versions.connect(site.dsn) as conn:
            assert versions.begin(conn, first, now=datetime.now(UTC)).number == 1
        ingest = centre(site, broker, pool, stack)
        site.start_edge()
        site.until(lambda: site.events_with(first.version))
        pid = site.camera_pid()

        second = site.loaded(
            rules=[{"rule": "dig-5m", "reason": "dust", "enter_score": 0.45, "night": {"dwell_s": 6.0}}]
        )
        with versions.connect(site.dsn) as conn:
            assert versions.apply(conn, second, author="li", reason="dust", now=datetime.now(UTC)) == 2
        site.until(lambda: (a := site.answer()) and a.config_number == 2 and a.answer and a.answer.taken)
        told = site.until(lambda: site.events_with(second.version))
        assert site.camera_pid() == pid, "thresholds cost no restart"
        before = {event["episode_id"] for event in site.events_with(first.version)}
        assert told[0]["episode_id"] in before, "the running episode went on"

        bad = json.loads((site.folder / "data" / "edges" / EDGE / KEPT).read_text())["configuration"]
        bad["number"] = 3
        bad["cameras"][0]["rules"][0]["on"] = False
        ingest.publish(topic("config", EDGE), json.dumps(bad).encode(), retain=True)
        site.until(lambda: (a := site.answer()) and a.answer and not a.answer.taken)
        answer = site.answer()
        assert answer is not None
        assert (answer.config_number, answer.config_version) == (2, second.version)
        for language, words in (("en", "can't be switched off"), ("zh", "不能停用")):
            assert command(["config", "show", "--database", site.dsn, "--lang", language]) == 0
            shown = capsys.readouterr().out
            assert words in shown
            assert "cameras[field].rules[dig-5m].on" in shown
        ingest.publish(topic("config", EDGE), b"", retain=True)
        site.stop_edge()

        site.start_edge()  # the broker has nothing retained any more, and nobody publishes
        site.until(lambda: (a := site.answer()) and a.answer and a.answer.taken and a.config_number == 2)
        site.stop_edge()


def test_another_frame_rate_restarts_that_camera_and_its_episode_goes_on(
    site: Site, broker: EmbeddedBroker
) -> None:
    """What can't be taken over costs the camera a new process, and nothing else: the episode is picked up."""
    site.file.write_text(json.dumps(site.document))
    first = load(site.file, part="nobody")
    with make_pool(site.dsn, "test", max_size=4) as pool, ExitStack() as stack:
        with versions.connect(site.dsn) as conn:
            versions.begin(conn, first, now=datetime.now(UTC))
        centre(site, broker, pool, stack)
        site.start_edge()
        site.until(lambda: site.events_with(first.version))
        pid = site.camera_pid()
        second = site.loaded(looks_per_s=2.5)
        with versions.connect(site.dsn) as conn:
            versions.apply(conn, second, author="li", reason="slower box", now=datetime.now(UTC))
        told = site.until(lambda: site.events_with(second.version))
        assert site.camera_pid() != pid
        assert {e["episode_id"] for e in told} == {e["episode_id"] for e in site.events_with(first.version)}
        site.stop_edge()

"""The whole edge worker in its own processes: real detector, real broker, real kills.

The clip is rendered by the project itself: an excavator that digs three metres beside the pipeline.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import msgspec
import numpy as np
import psutil
import pytest

from edge.job import outbox_path
from edge.outbox import SqliteOutbox
from models.scenes.clip import render_demo_clip
from models.scenes.story import Story
from monitor.domain import privacy_note
from monitor.domain.assets import Camera, City, GroundPoint, Hca, Pipeline
from monitor.domain.events import CameraState, RiskEvent, WatchRecord
from monitor.domain.geometry import LocalFrame
from monitor.domain.levels import HcaGrade, Level
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.doubles.edge_centre import EdgeCentre, EvidenceServer
from tests.doubles.edge_things import NAME, city

PLACE = LocalFrame((121.5, 31.2))
#: digs from before the first frame to after the last one
DIGGING = Story(
    enter_s=-20.0, stop_s=-12.0, dig_s=-11.0, fold_s=60.0, leave_s=62.0, gone_s=75.0, duration_s=21.0
)

RUN = """
import sys
from pathlib import Path
import msgspec
from edge.worker import EdgeSettings, run
from monitor.domain.assets import City
city = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=City)
settings = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=EdgeSettings,
                               dec_hook=lambda kind, value: kind(value))
sys.exit(run(city, sys.argv[3], settings))
"""


@pytest.fixture(scope="module")
def digging(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The rendered clip and its truth."""
    folder = tmp_path_factory.mktemp("digging")
    render_demo_clip(folder / "clip.mp4", folder / "truth.json", DIGGING)
    return folder / "clip.mp4", json.loads((folder / "truth.json").read_text())


def town(truth: dict[str, Any], clip: Path, edge_id: str, *others: Camera, loop: bool = True) -> City:
    """The rendered site as configured, with further cameras."""
    line = tuple(PLACE.to_lonlat((e, n)) for e, n in truth["centreline"]["east_north_m"])
    east, north, _ = truth["camera"]["position_enu_m"]
    field = Camera(
        camera_id="field", edge_id=edge_id, site_id="hca-1", name=NAME, source=str(clip), footage="simulated",
        position=PLACE.to_lonlat((east, north)), loop=loop,
        frame_size_px=(truth["camera"]["width_px"], truth["camera"]["height_px"]),
        ground_points=tuple(
            GroundPoint(pixel=tuple(p["pixel"]), lonlat=PLACE.to_lonlat(tuple(p["east_north_m"])))
            for p in truth["ground_points"]
        ),
    )  # fmt: skip
    pipeline = Pipeline(pipeline_id="p-1", name=NAME, centreline=line)
    hca = Hca(site_id="hca-1", pipeline_id="p-1", name=NAME, grade=HcaGrade.III, from_m=0, to_m=200)
    return msgspec.structs.replace(city(field, *others), pipelines=(pipeline,), hcas=(hca,))


class RunningEdge:
    """One worker process on one folder."""

    def __init__(
        self, folder: Path, repository: Path, where: City, edge_id: str, broker: EmbeddedBroker, url: str
    ) -> None:
        self.folder, self.edge_id = folder, edge_id
        (folder / "city.json").write_bytes(msgspec.json.encode(where))
        (folder / "settings.json").write_bytes(msgspec.json.encode({
            "data_dir": str(folder / "data"), "mqtt_host": broker.host, "mqtt_port": broker.port,
            "mqtt_user": edge_id, "mqtt_password": broker.passwords[edge_id], "centre_url": url,
            "edge_token": "t", "credentials": {"gate": "admin:s3cret"},
        }))  # fmt: skip
        self._repository = repository
        self.log = folder / "log"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.folder / "city.json"), str(self.folder / "settings.json"), self.edge_id],
            cwd=self._repository, env={**os.environ, "PYTHONPATH": str(self._repository)},
            stdout=subprocess.DEVNULL, stderr=self.log.open("ab"),
        )  # fmt: skip
        return self.process

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)

    def until(
        self, centre: EdgeCentre, condition: Callable[[EdgeCentre], Any], timeout_s: float = 120.0
    ) -> None:
        """Wait until what arrived at the centre makes it true; a worker that died meanwhile shows its log."""
        deadline = time.monotonic() + timeout_s
        while not centre.wait(condition, 1.0):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, (centre.statuses[-1:], self.log.read_text())

    def outbox(self) -> SqliteOutbox:
        return SqliteOutbox(outbox_path(self.folder / "data"))


@pytest.fixture
def launch(tmp_path: Path, repository: Path, broker: EmbeddedBroker) -> Iterator[Callable[..., RunningEdge]]:
    """Starts workers and ends them after the test."""
    running: list[RunningEdge] = []

    def start(where: City, edge_id: str, url: str = "http://127.0.0.1:1") -> RunningEdge:
        running.append(RunningEdge(tmp_path, repository, where, edge_id, broker, url))
        return running[-1]

    yield start
    for edge in running:
        if edge.process.poll() is None:
            edge.process.kill()
            edge.process.wait(5)


def states(centre: EdgeCentre) -> dict[str, CameraState]:
    """The state of each camera, as the newest status has it."""
    return {i: s.state for i, s in centre.statuses[-1].cameras.items()} if centre.statuses else {}


def has_onset(centre: EdgeCentre) -> bool:
    return any(e.phase == "onset" for e in centre.events())


def all_stream(centre: EdgeCentre) -> bool:
    return bool(centre.statuses) and set(states(centre).values()) == {CameraState.STREAMING}


def gone(processes: list[psutil.Process], timeout_s: float = 10.0) -> bool:
    return not psutil.wait_procs(processes, timeout=timeout_s)[1]


def test_a_digging_excavator_becomes_an_event_with_evidence_and_the_stop_is_orderly(
    digging: tuple[Path, dict[str, Any]], broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """From pixels to an event at the true place within a second, snapshots and clip at the centre, minutes closed."""
    clip, truth = digging
    with EdgeCentre(broker, "edge-14") as centre, EvidenceServer("t") as server:
        edge = launch(town(truth, clip, "edge-14"), "edge-14", server.url)
        edge.until(centre, has_onset)
        onset = centre.events()[0]
        late_s = next(at for at, seq in centre.arrived if seq == onset.seq) - onset.captured_at.timestamp()
        assert late_s < 1.0
        assert (onset.violation, onset.risk_edge, onset.footage) == ("excavation_5m", Level.I, "simulated")
        assert onset.position is not None
        true_m = truth["frames"][0]["footprint_centre_en_m"]
        assert math.dist(PLACE.to_en_m((onset.position.lon, onset.position.lat)), true_m) < 2.0
        assert 3.95 <= onset.dwell_s < 6.0
        edge.until(centre, lambda c: any(e.reason == "clip_closed" for e in c.events()), 30)
        assert server.wait(lambda s: len(s.stored) == 3)
        told = {e.sha256: e.kind for event in centre.events() for e in event.evidence}
        assert sorted(told.values()) == ["clip", "snapshot_annotated", "snapshot_clean"]
        assert set(told) == set(server.stored)
        check_pictures({told[sha]: data for sha, data in server.stored.items()}, edge.folder)
        children = edge.children()
        assert edge.stop() == 0
        assert gone(children)
        assert centre.wait(lambda c: c.online[-1] == b'{"online":false}')
        summary = edge.outbox().summary()
        assert summary.numbered["watch"] >= 1
        assert summary.last_seq == summary.numbered["event"] + summary.numbered["watch"]
        assert centre.wait(lambda c: len(c.messages) == summary.last_seq)
    watched = [m for m in centre.messages.values() if isinstance(m, WatchRecord)]
    assert sum(m.watched_s for m in watched) > 10
    assert all(m.seen and m.seen[0][0] == "p-1" for m in watched[-1:])


def check_pictures(pictures: dict[str, bytes], folder: Path) -> None:
    """The clean one is the camera's, the annotated one has more on it, the clip plays and starts before."""
    clean, annotated = (
        cv2.imdecode(np.frombuffer(pictures[k], np.uint8), cv2.IMREAD_COLOR)
        for k in ("snapshot_clean", "snapshot_annotated")
    )
    assert clean.shape == annotated.shape == (720, 1280, 3)
    assert np.count_nonzero(cv2.absdiff(clean, annotated).max(axis=2) > 40) > 5000
    for kind in ("snapshot_clean", "snapshot_annotated"):
        boxes = privacy_note.from_jpeg(pictures[kind])
        assert boxes is not None, "the centre would hide the whole picture"
        assert boxes.size_px == (1280, 720)
    (folder / "clip.mp4").write_bytes(pictures["clip"])
    with av.open(str(folder / "clip.mp4")) as container:
        film = privacy_note.read(container.metadata.get(privacy_note.TAG))
        assert film is not None
        assert len([look for look in film.looks if 0.0 <= look.at_s <= 15.0]) >= 10
        times = [float(f.time) for f in container.decode(video=0)]
    assert 10.0 < times[-1] - times[0] < 20.0


def test_kill_9_of_the_worker_leaves_nothing_behind_and_no_second_onset(
    digging: tuple[Path, dict[str, Any]], broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """Killed in mid-episode: its children die too, the next start goes on with the episode, numbers have no gap; and
    a start without that camera ends it, rather than leave it open at the centre for ever."""
    clip, truth = digging
    with EdgeCentre(broker, "edge-15") as centre:
        edge = launch(town(truth, clip, "edge-15"), "edge-15")
        edge.until(centre, has_onset)
        children = edge.children()
        assert len(children) >= 1
        edge.process.kill()
        edge.process.wait(5)
        assert gone(children), "a camera process outlived its parent"
        started = len(centre.statuses)
        edge.start()
        edge.until(
            centre, lambda c: len(c.statuses) > started and states(c)["field"] is CameraState.STREAMING
        )
        edge.until(centre, lambda c: any(e.phase == "update" and e.dwell_s > 25 for e in c.events()))
        assert edge.stop() == 0
        last_seq = edge.outbox().summary().last_seq
        edge.until(centre, lambda c: c.stored.through == last_seq)
        (edge.folder / "city.json").write_bytes(
            msgspec.json.encode(city(other("else", "/none.mp4", "edge-15")))
        )
        edge.start()
        edge.until(centre, lambda c: any(e.phase == "end" for e in c.events()))
        assert edge.stop() == 0
    onsets = [e for e in centre.events() if e.phase == "onset"]
    assert len(onsets) == 1
    (end,) = (e for e in centre.events() if e.phase == "end")
    assert (end.reason, end.camera_id, end.site_id) == ("camera_removed", "field", onsets[0].site_id)
    assert {e.episode_id for e in centre.events()} == {onsets[0].episode_id}
    assert all(len(payloads) == 1 for payloads in centre.payloads.values())
    minutes = [(m.camera_id, m.minute) for m in centre.messages.values() if isinstance(m, WatchRecord)]
    assert len(set(minutes)) == len(minutes), "a minute was recorded twice"


def other(camera_id: str, source: str, edge_id: str, **changes: Any) -> Camera:
    return Camera(camera_id=camera_id, edge_id=edge_id, site_id="hca-1", name=NAME, source=source, **changes)


def test_bad_cameras_say_so_and_the_others_go_on(
    digging: tuple[Path, dict[str, Any]],
    broker: EmbeddedBroker,
    launch: Callable[..., RunningEdge],
    tmp_path: Path,
) -> None:
    """A broken video, an unreachable camera, a forbidden address: one state and one line each; the good one watches."""
    clip, truth = digging
    (tmp_path / "broken.mp4").write_bytes(b"this is no video" * 1000)
    bad = (
        other("broken", str(tmp_path / "broken.mp4"), "edge-16"),
        other("away", "rtsp://127.0.0.1:1/x", "edge-16", credential="gate"),
        other("forbidden", "rtsp://10.9.9.9/x", "edge-16", credential="gate"),
    )
    expected = {
        "field": CameraState.STREAMING, "broken": CameraState.UNREACHABLE, "away": CameraState.UNREACHABLE,
        "forbidden": CameraState.BLOCKED,
    }  # fmt: skip
    with EdgeCentre(broker, "edge-16") as centre:
        edge = launch(town(truth, clip, "edge-16", *bad), "edge-16")
        edge.until(centre, lambda c: states(c) == expected)
        assert all(s.reason for i, s in centre.statuses[-1].cameras.items() if i != "field")
        edge.until(centre, has_onset)
        assert edge.stop() == 0
    said = edge.log.read_text()
    records = [json.loads(line) for line in said.splitlines()]  # one a line, of whatever process
    assert {record["level"] for record in records} >= {"info", "warning"}
    for camera_id, state in expected.items():
        if camera_id != "field":
            told = [r for r in records if (r.get("camera"), r["event"]) == (camera_id, f"camera_{state}")]
            assert len(told) == 1, said
    assert "s3cret" not in said


def test_a_camera_process_that_dies_or_hangs_is_started_again_alone(
    digging: tuple[Path, dict[str, Any]], broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """Killing one camera's process disturbs no other: the dead one is back in seconds, the other never left."""
    clip, truth = digging
    with EdgeCentre(broker, "edge-17") as centre:
        edge = launch(
            town(truth, clip, "edge-17", other("second", str(clip), "edge-17", loop=True)), "edge-17"
        )
        edge.until(centre, all_stream)
        victim = next(c for c in edge.children() if c.name().startswith("camera-"))
        since = {i: s.since for i, s in centre.statuses[-1].cameras.items()}
        victim.kill()
        edge.until(centre, lambda c: not all_stream(c))
        (dead,) = (i for i, s in centre.statuses[-1].cameras.items() if s.state is CameraState.STALLED)
        assert "ended with status -9" in centre.statuses[-1].cameras[dead].reason
        edge.until(centre, all_stream)
        assert all(s.since == since[i] for i, s in centre.statuses[-1].cameras.items() if i != dead)
        assert edge.stop() == 0


def test_a_second_worker_on_the_same_folder_is_refused(
    broker: EmbeddedBroker, launch: Callable[..., RunningEdge], tmp_path: Path
) -> None:
    """One clear error names the folder; after a kill -9 the folder is free again at once."""
    with EdgeCentre(broker, "edge-18") as centre:
        edge = launch(city(other("c", "/nowhere.mp4", "edge-18")), "edge-18")
        edge.until(centre, lambda c: bool(c.statuses))
        first = edge.process
        second = edge.start()
        assert second.wait(30) == 1
        assert f"already running in {edge.folder / 'data'}" in edge.log.read_text()
        first.kill()
        first.wait(5)
        before = len(centre.statuses)
        edge.start()
        edge.until(centre, lambda c: len(c.statuses) > before)
        assert edge.stop() == 0


def test_a_lost_or_covered_picture_is_reported_as_not_watching(
    digging: tuple[Path, dict[str, Any]], broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """A file that ends in mid-episode: the camera has ended, its episode ends by name, nothing stays open."""
    clip, truth = digging
    with EdgeCentre(broker, "edge-19") as centre:
        edge = launch(town(truth, clip, "edge-19", loop=False), "edge-19")
        edge.until(centre, lambda c: any(e.phase == "end" for e in c.events()))
        end = centre.events()[-1]
        assert (end.phase, end.reason) == ("end", "source_ended")
        edge.until(centre, lambda c: states(c)["field"] is CameraState.ENDED)
        assert edge.outbox().episodes("field") == ()
        assert edge.stop() == 0
        assert isinstance(end, RiskEvent)
        assert [e.kind for e in end.evidence] in (["clip"], [])


def detectors(edge: RunningEdge) -> list[psutil.Process]:
    """The processes of a worker that hold a network: the detector's, by name and by what they have loaded."""
    found = []
    for process in edge.children():
        with contextlib.suppress(psutil.Error):
            if any("onnxruntime" in m.path or "openvino" in m.path for m in process.memory_maps()):
                assert process.name() == "detector"
                found.append(process)
    return found


def test_cameras_share_one_detector_and_its_death_costs_no_episode(
    digging: tuple[Path, dict[str, Any]], broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """Two cameras, one network; killed with -9 in mid-episode another one takes over, the episode goes on as the same,
    the status counts the looks of each camera. Killed itself, the worker leaves none of them behind."""
    clip, truth = digging
    with EdgeCentre(broker, "edge-21") as centre:
        edge = launch(
            town(truth, clip, "edge-21", other("second", str(clip), "edge-21", loop=True)), "edge-21"
        )
        edge.until(centre, has_onset)
        (first,) = detectors(edge)
        first.kill()
        edge.until(centre, lambda _: any(p.pid != first.pid for p in detectors(edge)))
        killed_s = time.time()
        edge.until(
            centre,
            lambda c: any(e.phase == "update" and e.captured_at.timestamp() > killed_s for e in c.events()),
        )

        def counted(centre: EdgeCentre) -> bool:
            load = centre.statuses[-1].load
            looks = load.cameras.get("field") if load is not None and load.shared else None
            return looks is not None and looks.asked > looks.served > 0

        edge.until(centre, counted)
        children = edge.children()
        edge.process.kill()
        edge.process.wait(5)
        assert gone(children), "the detector, or a camera, outlived the worker"
    of_field = [e for e in centre.events() if e.camera_id == "field"]
    assert len({e.episode_id for e in of_field}) == 1, of_field
    assert [e.phase for e in of_field].count("onset") == 1

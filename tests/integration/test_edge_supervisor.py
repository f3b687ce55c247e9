"""The supervisor with real processes that hang and die."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.supervisor import Supervisor
from edge.worker import EdgeSettings, camera_jobs
from monitor.domain.assets import Camera
from monitor.domain.events import CameraState
from tests.doubles.edge_children import misbehave
from tests.doubles.edge_things import NAME, city


def test_what_hangs_is_killed_what_dies_is_started_again_and_the_good_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three processes side by side: one silent, one dying, one good; only the first two get new ones."""
    monkeypatch.setattr("edge.supervisor.HUNG_S", 1.0)
    cameras = [
        Camera(camera_id=kind, edge_id="edge-1", site_id="hca-1", name=NAME, source=kind)
        for kind in ("good", "hangs", "dies")
    ]
    settings = EdgeSettings(
        data_dir=tmp_path, mqtt_host="127.0.0.1", mqtt_port=1, centre_url="http://127.0.0.1:1", edge_token="t"
    )
    supervisor = Supervisor(camera_jobs(city(*cameras), "edge-1", settings), target=misbehave)
    reasons: dict[str, set[str]] = {camera.camera_id: set() for camera in cameras}
    pids: dict[str, set[int]] = {camera.camera_id: set() for camera in cameras}
    deadline = time.monotonic() + 40
    try:
        while time.monotonic() < deadline:
            supervisor.poll(0.05)
            for camera_id, status in supervisor.statuses().items():
                reasons[camera_id].add(f"{status.state}: {status.reason}")
            for camera_id, pid in supervisor.pids().items():
                pids[camera_id].add(pid)
            if len(pids["hangs"]) > 1 and len(pids["dies"]) > 1 and "streaming: " in reasons["good"]:
                break
    finally:
        supervisor.stop()
    assert any("hung and was killed" in r for r in reasons["hangs"]), reasons
    assert any("ended with status 7" in r for r in reasons["dies"]), reasons
    assert len(pids["good"]) == 1
    assert not any(r.startswith(CameraState.STALLED) for r in reasons["good"])
    assert supervisor.pids() == {}

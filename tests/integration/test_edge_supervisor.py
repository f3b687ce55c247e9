"""The supervisor with real processes that hang and die."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from edge.seat import Seat
from edge.supervisor import Supervisor
from edge.worker import EdgeSettings, camera_jobs
from monitor.domain.assets import Camera, PictureZone
from monitor.domain.events import CameraState
from tests.doubles.edge_children import misbehave, obey
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


def test_jobs_are_taken_over_or_turned_over_one_camera_at_a_time(tmp_path: Path) -> None:
    """Zones and versions cost no process; another look rate does, never of two cameras at once; others come and go."""
    settings = EdgeSettings(
        data_dir=tmp_path, mqtt_host="127.0.0.1", mqtt_port=1, centre_url="http://127.0.0.1:1", edge_token="t"
    )

    def jobs(version: str, *ids: str, **changes: Any) -> tuple[Any, ...]:
        cameras = [
            Camera(camera_id=i, edge_id="edge-1", site_id="hca-1", name=NAME, source="x", **changes)
            for i in ids
        ]
        return camera_jobs(
            city(*cameras), "edge-1", msgspec.structs.replace(settings, config_version=version)
        )

    supervisor = Supervisor(jobs("v1", "a", "b"), target=obey)
    fewest = 2

    def until(condition: Callable[[], bool]) -> None:
        nonlocal fewest
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, (supervisor.statuses(), supervisor.pids())
            supervisor.poll(0.02)
            fewest = min(fewest, sum(psutil.pid_exists(pid) for pid in supervisor.pids().values()))

    def said(version: str, *ids: str) -> bool:
        statuses = supervisor.statuses()
        return set(statuses) == set(ids) and all(s.reason == version for s in statuses.values())

    try:
        until(lambda: said("v1", "a", "b"))
        first, fewest = supervisor.pids(), 2
        zone = PictureZone(zone_id="z", kind="valve", polygon_px=((0, 0), (1, 0), (1, 1)))
        supervisor.apply(jobs("v2", "a", "b", zones=(zone,)))
        until(lambda: said("v2", "a", "b"))
        assert supervisor.pids() == first
        supervisor.apply(jobs("v3", "a", "b", looks_per_s=2.0))
        supervisor.apply(jobs("v4", "a", "b", looks_per_s=2.5))
        until(lambda: said("v4", "a", "b"))
        assert not set(first.values()) & set(supervisor.pids().values())
        assert fewest >= 1
        removed = supervisor.pids()["b"]
        supervisor.apply(jobs("v5", "a", "c", looks_per_s=2.5))
        until(lambda: said("v5", "a", "c"))
        assert removed not in supervisor.pids().values()
    finally:
        supervisor.stop()
    assert supervisor.pids() == {}


def test_a_camera_keeps_its_own_network_until_the_shared_one_serves(tmp_path: Path) -> None:
    """A second camera comes: the first one isn't blind while the network that both will share is loaded."""
    camera = Camera(camera_id="a", edge_id="edge-1", site_id="hca-1", name=NAME, source="x")
    settings = EdgeSettings(
        data_dir=tmp_path, mqtt_host="127.0.0.1", mqtt_port=1, centre_url="http://127.0.0.1:1", edge_token="t"
    )
    (own,) = camera_jobs(city(camera), "edge-1", msgspec.structs.replace(settings, config_version="own"))
    seat, serves = Seat(), False
    shared = msgspec.structs.replace(own, seat=seat.camera_end(), config_version="shared")
    supervisor = Supervisor((own,), target=obey, detector_serves=lambda: serves)

    def until(reason: str) -> None:
        deadline = time.monotonic() + 60
        while supervisor.statuses()["a"].reason != reason:
            assert time.monotonic() < deadline, supervisor.statuses()
            supervisor.poll(0.02)

    try:
        until("own")
        first = supervisor.pids()
        supervisor.apply((shared,))
        for _ in range(50):
            supervisor.poll(0.02)
        assert supervisor.pids() == first
        serves = True
        until("shared")
        assert supervisor.pids() != first
    finally:
        supervisor.stop()
        seat.close()

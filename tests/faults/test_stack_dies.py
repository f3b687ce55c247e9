"""Whatever ends `hcawatch up`, the next start works, and nothing that was numbered is lost."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import psutil
import psycopg
import pytest

from edge.outbox import SqliteOutbox
from hcawatch.runtime import Runtime, RuntimeIncomplete

CONFIG = """
version: 1
city: {{name: Testville, made_up: true}}
pipelines:
  - {{id: gas, name: Gas, centreline: [[121.60, 29.90], [121.70, 29.95]]}}
hcas:
  - {{id: school, pipeline: gas, name: School, grade: III, from_m: 1000, to_m: 2000}}
edges:
  - {{id: edge-1, name: Edge 1}}
cameras:
  - {{id: good, edge: edge-1, site: school, name: Good, source: {clip}, loop: true, looks_per_s: 2}}
  - {{id: broken, edge: edge-1, site: school, name: Broken, source: {broken}}}
  - {{id: nobody, edge: edge-1, site: school, name: Nobody, source: "rtsp://127.0.0.1:{closed_port}/x"}}
  - {{id: keyless, edge: edge-1, site: school, name: Keyless, source: "rtsp://127.0.0.1:{closed_port}/y", credential: lost}}
teams:
  - {{id: team, name: Team, members: [{{user: officer-1, name: One, role: officer}}]}}
"""


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """One good camera, one broken video, one address where nobody answers."""
    clip = tmp_path / "clip.mp4"
    rng = np.random.default_rng(1)
    with av.open(str(clip), "w") as writer:
        stream = writer.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(100):
            picture = rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        writer.mux(stream.encode(None))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no video" * 100)
    path = tmp_path / "hcawatch.yaml"
    path.write_text(CONFIG.format(clip=clip, broken=broken, closed_port=_closed_port()))
    return path


@contextlib.contextmanager
def up(config: Path, data_dir: Path, *extra: str) -> Iterator[subprocess.Popen[str]]:
    """`hcawatch up` as a user starts it; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hcawatch", "up", "--config", str(config), "--data-dir", str(data_dir), *extra],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _runtime(data_dir: Path, process: subprocess.Popen[str], timeout_s: float = 60.0) -> Runtime:
    """Wait until the centre answers."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise AssertionError(f"up ended: {process.communicate()[0]}")
        with contextlib.suppress(RuntimeIncomplete, httpx.HTTPError):
            runtime = Runtime.load(data_dir / "runtime.json")
            if httpx.get(f"{runtime.centre_url}/readyz", timeout=1.0, trust_env=False).status_code == 200:
                return runtime
        time.sleep(0.1)
    raise AssertionError("the centre did not get ready")


def _wait_for(what: str, found: object, timeout_s: float = 60.0) -> None:
    assert callable(found)
    deadline_s = time.monotonic() + timeout_s
    while not found():
        assert time.monotonic() < deadline_s, f"{what} did not happen within {timeout_s:.0f} s"
        time.sleep(0.2)


def _states(runtime: Runtime) -> dict[str, str]:
    with psycopg.connect(runtime.database_url) as conn:
        return dict(conn.execute("SELECT camera_id, state FROM camera_state").fetchall())


def _family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.timeout(240)
def test_bad_cameras_are_told_and_the_good_one_goes_on(config: Path, tmp_path: Path) -> None:
    """A broken video and an address where nobody answers are named states; the other camera watches."""
    data_dir = tmp_path / "data"
    with up(config, data_dir) as process:
        runtime = _runtime(data_dir, process)
        _wait_for(
            "all cameras' states",
            lambda: len(_states(runtime)) == 4 and _states(runtime)["good"] == "streaming",
        )
        _wait_for(
            "the bad ones' states",
            lambda: {_states(runtime)[c] for c in ("broken", "nobody")} == {"unreachable"},
        )
        assert _states(runtime)["keyless"] == "blocked"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "lost" in out.splitlines()[0]  # the credential that nobody gave, said at once
    assert "Traceback" not in out


@pytest.mark.timeout(300)
def test_kill_9_of_everything_then_the_next_start_loses_nothing(config: Path, tmp_path: Path) -> None:
    """Killed three times at random moments; no process stays, every number is stored in the end."""
    data_dir, rng = tmp_path / "data", random.Random(7)
    for _ in range(3):
        with up(config, data_dir) as process:
            _runtime(data_dir, process)
            time.sleep(rng.uniform(0.5, 6.0))
            family = _family(process)
            process.kill()
            process.wait()
            _, alive = psutil.wait_procs(family, timeout=15)
            assert not alive, [p.cmdline() for p in alive]
    with up(config, data_dir) as process:
        runtime = _runtime(data_dir, process)
        outbox_file = data_dir / "edges" / "edge-1" / "outbox.sqlite"

        def all_receipted() -> bool:
            box = SqliteOutbox(outbox_file)
            try:
                summary = box.summary()
                return summary.last_seq > 0 and summary.unreceipted == 0
            finally:
                box.close()

        _wait_for("receipts of everything", all_receipted, 150.0)
        with psycopg.connect(runtime.database_url) as conn:
            rows = conn.execute("SELECT count(*), max(seq) FROM edge_number").fetchone()
    assert rows is not None
    assert rows[0] == rows[1] > 0


@pytest.mark.timeout(240)
def test_a_second_start_and_a_taken_port_are_one_clear_line(config: Path, tmp_path: Path) -> None:
    """It names the folder and the process, or the port, and says what to do."""
    data_dir = tmp_path / "data"
    with up(config, data_dir) as first:
        _runtime(data_dir, first)
        with up(config, data_dir) as second:
            out, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert f"in use by process {first.pid}" in out
        assert "--data-dir" in out
        port = Runtime.load(data_dir / "runtime.json").http_port
        with up(config, tmp_path / "other", "--port", str(port)) as third:
            out, _ = third.communicate(timeout=60)
        assert third.returncode == 1
        assert f"port {port}" in out
        assert "--port" in out
        assert "Traceback" not in out


@pytest.mark.timeout(240)
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_one_clear_line(config: Path, tmp_path: Path) -> None:
    """A data folder without room says so, and where."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(small)], check=True)
    try:
        with up(config, small / "data") as process:
            out, _ = process.communicate(timeout=90)
        assert process.returncode == 1
        assert str(small) in out
        assert "Traceback" not in out
        assert "room" in out or "space" in out or "full" in out, out
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)

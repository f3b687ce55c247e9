"""The demo's cameras: real RTSP, in real time, that can be taken away and brought back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hcawatch.demo.rtsp import RtspServer
from monitor.child import is_alive

FPS = 10
FRAMES = 30

HOLDER = """
import sys, time
from pathlib import Path
from hcawatch.demo.rtsp import RtspServer
server = RtspServer(Path(sys.argv[1]), log=Path(sys.argv[1]) / "log")
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clip.mp4: 3 s of a square that moves, 10 frames/s, a keyframe each second."""
    folder = tmp_path_factory.mktemp("cameras")
    with av.open(str(folder / "clip.mp4"), "w") as sink:
        stream = sink.add_stream("libx264", rate=FPS, options={"g": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(FRAMES):
            picture = np.full((240, 320, 3), 90, dtype=np.uint8)
            picture[100:140, 5 * n : 5 * n + 40] = (200, 30, 30)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    return folder


@pytest.fixture
def server(folder: Path, tmp_path: Path) -> Iterator[RtspServer]:
    with RtspServer(folder, log=tmp_path / "rtsp.log") as running:
        yield running


def read(url: str, limit: int) -> tuple[int, float]:
    """Decoded pictures and the seconds from the first to the last, over TCP as the edge reads."""
    count, first_s = 0, time.monotonic()
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(5, 5)) as source:
        for _ in source.decode(video=0):
            first_s = time.monotonic() if count == 0 else first_s
            count += 1
            if count >= limit:
                break
    return count, time.monotonic() - first_s


def test_a_file_is_played_once_in_real_time_and_then_ends(server: RtspServer) -> None:
    """From request to hang-up it takes as long as the clip; no picture is lost."""
    began_s = time.monotonic()
    count, _ = read(server.url("clip.mp4"), 1000)
    took_s = time.monotonic() - began_s
    assert count == FRAMES
    # The server sends the first frame at once, so the last one goes out a tenth before the end.
    assert FRAMES / FPS - 0.5 < took_s < FRAMES / FPS + 3


def test_an_endless_file_goes_round_on_one_connection(server: RtspServer) -> None:
    """More pictures than it has, without a hang-up."""
    count, _ = read(server.url("clip.mp4", endless=True), FRAMES + 15)
    assert count == FRAMES + 15


def test_a_camera_that_is_killed_hangs_up_and_comes_back_where_it_was(server: RtspServer) -> None:
    """That is how the demo loses a stream half-way."""
    url = server.url("clip.mp4")
    server.kill()
    with pytest.raises((OSError, av.FFmpegError)):
        read(url, 1)
    server.start()
    assert server.url("clip.mp4") == url
    assert read(url, 5)[0] == 5


def test_a_file_that_is_not_there_is_refused(server: RtspServer) -> None:
    """And so is a way out of the folder."""
    for name in ("none.mp4", "../conftest.py"):
        with pytest.raises((OSError, av.FFmpegError)):
            read(server.url(name), 1)


def test_it_ends_when_its_process_is_killed_with_9(folder: Path, repository: Path) -> None:
    """No server of a killed demo stays behind on its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=repository
    )
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline())
    assert is_alive(pid)
    process.kill()
    process.wait()
    deadline_s = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not is_alive(pid)

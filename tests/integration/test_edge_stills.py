"""A folder into which a camera puts stills while we watch, as many do by FTP."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import structlog

from edge.reader import Reader
from edge.stills import Inbox
from tests.integration.test_edge_sources import camera, reading, until


def jpeg(grey: int) -> bytes:
    """A picture that can be told by its brightness."""
    ok, data = cv2.imencode(".jpg", np.full((48, 64, 3), grey, np.uint8))
    assert ok
    return bytes(data)


def put(path: Path, data: bytes) -> None:
    """As an upload server does: under another name, and renamed when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / f".{path.name}.part").write_bytes(data)
    (path.parent / f".{path.name}.part").rename(path)


def grey_of(reader: Reader, timeout_s: float = 10.0) -> int:
    frame = reader.slot.take(timeout_s)
    assert frame is not None, reader.status
    return round(float(frame.picture.bgr().mean()) / 10) * 10


def test_each_new_still_is_seen_in_the_order_in_which_it_came(tmp_path: Path) -> None:
    """What lay there before is the past; folders of the day come new; a picture written over is a new one."""
    put(tmp_path / "2026-11-29" / "old.jpg", jpeg(10))
    with reading(camera(f"stills:{tmp_path}")) as reader:
        assert reader.slot.take(1.2) is None
        put(tmp_path / "2026-11-30" / "z.jpg", jpeg(100))
        assert grey_of(reader) == 100
        put(tmp_path / "2026-11-30" / "a.jpg", jpeg(150))
        assert grey_of(reader) == 150
        put(tmp_path / "2026-11-29" / "old.jpg", jpeg(200))
        assert grey_of(reader) == 200
        assert reader.status.link == "open"
    assert (reader.slot.broken, reader.reopened) == (0, 0)


def test_a_still_that_is_written_slowly_waits_until_it_is_whole(tmp_path: Path) -> None:
    """Half a file is no picture with a grey half: it is seen once, when its end has come."""
    data = jpeg(120)
    with reading(camera(f"stills:{tmp_path}")) as reader, (tmp_path / "slow.jpg").open("wb") as file:
        assert until(reader.is_alive)
        for start in range(0, len(data) - 100, 100):
            file.write(data[start : start + 100])
            file.flush()
            assert reader.slot.take(0.3) is None
        file.write(data[file.tell() :])
        file.flush()
        assert grey_of(reader) == 120
    assert reader.slot.broken == 0


def test_a_broken_still_is_counted_and_told_and_the_next_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stays half and one that is no picture at all: the log names both files."""
    monkeypatch.setattr("edge.stills.GIVEN_UP_S", 1.0)
    with structlog.testing.capture_logs() as logs, reading(camera(f"stills:{tmp_path}")) as reader:
        time.sleep(0.2)
        put(tmp_path / "half.jpg", jpeg(50)[:300])
        put(tmp_path / "text.jpg", b"not a picture \xff\xd9")
        assert until(lambda: reader.slot.broken == 2)
        put(tmp_path / "next.jpg", jpeg(200))
        assert grey_of(reader) == 200
    told = {Path(line["file"]).name: line["reason"] for line in logs if line["event"] == "picture_broken"}
    assert set(told) == {"half.jpg", "text.jpg"}
    assert "missing" in told["half.jpg"]


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """Unreachable with the reason, and seen when it comes; the same when it is taken away."""
    there = tmp_path / "mount"
    with reading(camera(f"stills:{there}"), jitter=lambda: 0.0) as reader:
        assert until(lambda: reader.status.link == "unreachable")
        assert str(there) in reader.status.reason
        there.mkdir()
        assert until(lambda: put(there / f"{time.time_ns()}.jpg", jpeg(80)) or reader.slot.take(1.0), 30)
        for file in there.iterdir():
            file.unlink()
        there.rmdir()
        assert until(lambda: reader.status.link == "unreachable")


def test_a_full_folder_costs_little(tmp_path: Path) -> None:
    """Three thousand old pictures are listed once, not twice a second."""
    for n in range(3_000):
        (tmp_path / f"{n}.jpg").touch()
    inbox = Inbox(tmp_path)
    before_s = time.thread_time()
    for n in range(20):
        assert list(inbox.poll(float(n))) == []
    assert (time.thread_time() - before_s) / 20 < 0.005
    put(tmp_path / "new.jpg", jpeg(90))
    assert [a.path.name for n in range(3) for a in inbox.poll(100.0 + n)] == ["new.jpg"]
    os.utime(tmp_path / "7.jpg")  # somebody touched an old one: an empty file, which is no picture
    put(tmp_path / "newer.jpg", jpeg(90))
    assert [a.path.name for n in range(3) for a in inbox.poll(200.0 + n) if a.bgr is not None] == [
        "newer.jpg"
    ]

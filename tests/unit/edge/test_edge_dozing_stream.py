"""A dozing camera's times, packets and pictures, from the packets that its line brings: no decoder is mocked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import av
import cv2
import numpy as np
import pytest

from edge.decoding import Dozer, Wish
from edge.errors import SourceEnded
from edge.frames import Frame, PacketRing
from edge.sources import Access, Clocks, Stream
from edge.stream_clock import StreamClock
from monitor.domain.assets import Camera
from tests.unit.edge.test_edge_decoding import FPS, Watched, film

ZERO = datetime(2026, 5, 1, tzinfo=UTC)
BEGAN_S = 1000.0


class Line:
    """A camera whose packets arrive in their own time, one after another, until the line breaks."""

    def __init__(self, film: bytes, wish: Callable[[float], Wish], look_every_s: float = 0.2) -> None:
        self.packets = Watched(film).packets
        self.now_s, self.ring, self._film = BEGAN_S, PacketRing(), film
        self._wish, self._look_every_s = wish, look_every_s
        camera = Camera(camera_id="c", edge_id="e", site_id="s", name="n", source="rtsp://h/1")  # type: ignore[arg-type]
        clocks = Clocks(monotonic=lambda: self.now_s, utc=lambda: ZERO + timedelta(seconds=self.now_s))
        self.stream = Stream(
            camera, Access(networks=()), self.ring, clock=StreamClock(), wait=lambda _: False, clocks=clocks,
            wish=lambda: self._wish(self.now_s - BEGAN_S),
        )  # fmt: skip

    def demux(self, _: Any) -> Iterator[Any]:
        for n, packet in enumerate(self.packets):
            self.now_s = BEGAN_S + n / FPS
            yield packet

    def frames(self) -> list[Frame]:
        watched = Watched(self._film)  # a fresh decoder
        self.packets, context = watched.packets, watched.source.streams.video[0].codec_context
        dozer = Dozer(context, self._look_every_s)
        return list(self.stream._decode(self, None, None, None, dozer))


@pytest.mark.parametrize("b_frames", [0, 3])
def test_dozing_leaves_no_mark_in_the_times(b_frames: int) -> None:
    """It dozes and is woken twice: dwell is measured in the same seconds, and a clip is cut where it belongs."""

    def wish(at_s: float) -> Wish:
        dozes = 4.5 < at_s < 8.05 or 12.5 < at_s < 16.05
        return Wish(doze=dozes, seen_s=6.0 if at_s < 9 else 14.0)

    line = Line(film(20, 50, b_frames=b_frames), wish)
    frames = line.frames()
    assert sum(f.sparse for f in frames) >= 2
    assert sum(f.late for f in frames) >= 10
    live = [f for f in frames if not f.late]
    assert all(b.media_s > a.media_s for a, b in pairwise(live))
    late_by_s = b_frames / FPS
    for frame in frames:
        at_s = float(frame.picture._frame.pts * frame.picture._frame.time_base)
        assert frame.media_s == pytest.approx(at_s, abs=0.001)
        captured_s = (frame.captured_at - ZERO).total_seconds() - BEGAN_S
        assert captured_s == pytest.approx(at_s, abs=late_by_s + 0.05)
    for packet in line.ring.cut(-1.0, 99.0)[0]:
        assert packet.media_s == pytest.approx(float((packet.pts or 0) * packet.time_base), abs=0.001)


class Ring(PacketRing):
    """Knows what time it is for the packet that came last."""

    at_s = 0.0

    def add(self, packet: Any, writer: int = 0) -> None:
        self.at_s = packet.media_s
        super().add(packet)


class Torn:
    """A body that breaks off."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int) -> bytes:
        if not self._body:
            raise ConnectionResetError("the line is cut")
        taken, self._body = self._body[:size], self._body[size:]
        return taken


@pytest.mark.parametrize("looks_per_s", [5.0, 30.0])
def test_what_was_kept_is_seen_when_the_line_breaks(looks_per_s: float) -> None:
    """Somebody comes in after the last look of a dozing camera and cuts its cable: the last second is seen.

    Also with thirty looks a second: so many late pictures would not fit, and the first of them would go.
    """
    whole, ring = film(20, 50), Ring()
    camera = Camera(
        camera_id="c", edge_id="e", site_id="s", name="n", source="http://h/1", looks_per_s=looks_per_s
    )  # type: ignore[arg-type]
    clocks = Clocks(
        monotonic=lambda: BEGAN_S + ring.at_s, utc=lambda: ZERO + timedelta(seconds=BEGAN_S + ring.at_s)
    )
    stream = Stream(
        camera, Access(networks=()), ring, clock=StreamClock(), wait=lambda _: False, clocks=clocks,
        wish=lambda: Wish(doze=ring.at_s > 5.0, seen_s=max(0.0, ring.at_s // 2 * 2)),
    )  # fmt: skip
    frames: list[Frame] = []
    with pytest.raises(ConnectionResetError):
        iter_all(stream._video(Torn(whole[: round(len(whole) * 0.87)]), live=True, options={}), frames)
    last_s = ring.at_s
    assert last_s % 2 > 0.5, "it breaks between two looks"
    assert [f for f in frames if f.sparse]
    late = [f.media_s for f in frames if f.late]
    assert late
    assert late[-1] > last_s - 0.25
    assert all(0.15 < b - a < 0.25 for a, b in pairwise(late))


def iter_all(some: Iterator[Frame], into: list[Frame]) -> None:
    """What came until it ended stays in `into`."""
    for one in some:
        into.append(one)


X264_REFRESH = "keyint=50:min-keyint=50:intra-refresh=1:bframes=0:scenecut=0"


def test_a_stream_without_whole_key_pictures_never_dozes() -> None:
    """Intra refresh: its key packets give no picture by themselves, and a camera that waits for one is blind."""
    watched = Watched(film(20, 50, params=X264_REFRESH))
    assert sum(bool(p.is_keyframe) for p in watched.packets) >= 8
    came = watched.run({50: Wish(doze=True)})
    assert len(came) == 500
    assert watched.dozer.put_aside == 0


@pytest.mark.parametrize("broken", [b"", b"\xff" * 400])
def test_a_broken_key_frame_wakes_it(broken: bytes) -> None:
    """What led up to it is all that there is to be seen of those seconds."""
    watched = Watched(film(20, 50))
    packet = watched.packets[250]
    spoilt = av.Packet(broken or bytes(len(bytes(packet))))
    spoilt.pts, spoilt.dts, spoilt.time_base, spoilt.is_keyframe = (
        packet.pts,
        packet.dts,
        packet.time_base,
        True,
    )
    watched.packets[250] = spoilt
    came = watched.run({150: Wish(doze=True), 200: Wish(doze=True, seen_s=8.0)})
    late = [float(one.frame.time) for n, one in came if n == 250 and one.late]
    assert late[0] == pytest.approx(8.2)
    assert late[-1] > 9.7


def test_a_stream_too_heavy_to_keep_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a camera with huge pictures would doze and wake five times a second, which costs more than either."""
    monkeypatch.setattr("edge.decoding.STRETCH_BYTES", 2000)
    watched = Watched(film(20, 1, codec="mjpeg"))
    came = watched.run({50: Wish(doze=True, seen_s=2.0)})
    assert sum(one.sparse for _, one in came) == 1
    assert len([one for n, one in came if n > 100]) == 500 - 101


def test_a_line_that_holds_packets_up_does_not_keep_it_awake() -> None:
    """Each fifth key frame comes 0.4 s late, as over a mobile link: the camera's key frames lie no further apart."""
    watched, woken = Watched(film(40, 50)), 0
    for n, packet in enumerate(watched.packets):
        at_s = n / FPS
        held_s = max(0.0, n // 250 * 10 + 0.4 - at_s) if n >= 250 else 0.0
        wish = Wish(doze=n >= 150, seen_s=at_s)
        woken += (
            any(not one.sparse for one in watched.dozer.take(packet, at_s, 100.0 + at_s + held_s, wish))
            and n >= 150
        )
    assert woken == 0


class Mjpeg:
    """A motion JPEG over HTTP with ten pictures a second."""

    def __init__(self, pictures: int) -> None:
        self.now_s, self._left = BEGAN_S, pictures
        self._part = b""

    def read(self, size: int) -> bytes:
        if not self._part and self._left:
            self.now_s, self._left = self.now_s + 0.1, self._left - 1
            jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self._part = head.encode() + jpeg + b"\r\n"
        taken, self._part = self._part[:size], self._part[size:]
        return taken


def test_a_motion_jpegs_seconds_are_those_of_the_clock_on_the_wall() -> None:
    """FFmpeg dates its pictures as if there were 25 a second: at ten, a dwell of 20 s would take 50."""
    body, ring = Mjpeg(400), PacketRing()
    camera = Camera(camera_id="c", edge_id="e", site_id="s", name="n", source="http://h/1")  # type: ignore[arg-type]
    clocks = Clocks(monotonic=lambda: body.now_s, utc=lambda: ZERO + timedelta(seconds=body.now_s))
    stream = Stream(
        camera, Access(networks=()), ring, clock=StreamClock(), wait=lambda _: False, clocks=clocks,
        wish=lambda: Wish(doze=True, seen_s=body.now_s),
    )  # fmt: skip
    taken: list[Frame] = []
    with pytest.raises(SourceEnded):
        iter_all(stream._video(body, live=True, options={}, container_format="mpjpeg"), taken)
    first, last = taken[1], taken[-1]
    assert last.media_s - first.media_s == pytest.approx(40.0, abs=3.0)
    assert sum(frame.sparse for frame in taken) > 8, "and it dozes"
    packets = ring.cut(last.media_s - 10, last.media_s)[0]
    assert 9 < packets[-1].media_s - packets[0].media_s < 12
    assert 95 < len(packets) < 120


def test_a_stream_whose_time_runs_away_does_not_doze() -> None:
    """Its stretches would be decoded after all, each two seconds, and every look would come late."""
    watched = Watched(film(40, 1, codec="mjpeg"))
    came = [
        one
        for n, packet in enumerate(watched.packets)
        for one in watched.dozer.take(packet, n / FPS, 100.0 + n / 10, Wish(doze=n > 60, seen_s=n / FPS))
    ]
    assert not any(one.sparse or one.late for one in came)

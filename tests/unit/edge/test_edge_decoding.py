"""A dozing camera costs little, and nothing that happens while it dozes is missed."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decoding import LONGEST_DOZE_S, Decoded, Dozer, Rhythm, Wish, heard, may_doze

FPS = 25


def film(
    seconds: float, gop: int, *, b_frames: int = 0, codec: str = "libx264", params: str | None = None
) -> bytes:
    """A film whose picture number n has the brightness n: it says of itself when it was taken."""
    body = io.BytesIO()
    with av.open(body, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=FPS)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.gop_size = gop
        stream.options = (
            {"x264-params": params or f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0"}
            if codec == "libx264"
            else {}
        )
        for n in range(round(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), n % 250, np.uint8), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return body.getvalue()


class Watched:
    """A film that goes through a Dozer in its own time; counts what the decoder had to do."""

    def __init__(self, film: bytes, look_every_s: float = 0.2) -> None:
        self.source = av.open(io.BytesIO(film))
        stream = self.source.streams.video[0]
        stream.codec_context.thread_count = 1
        self.dozer = Dozer(stream.codec_context, look_every_s)
        self.packets = [p for p in self.source.demux(stream) if p.size]

    def run(self, wishes: dict[int, Wish], *, late_by_s: float = 0.0) -> list[tuple[int, Decoded]]:
        """(packet's number, picture) of everything that came out; `wishes` hold from a packet on."""
        wish, out = Wish(), []
        for n, packet in enumerate(self.packets):
            wish = wishes.get(n, wish)
            at_s = float((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)
            out += [(n, one) for one in self.dozer.take(packet, at_s, 100.0 + at_s + late_by_s, wish)]
        return out


def seconds(ones: Iterable[tuple[int, Decoded]]) -> list[float]:
    return [round(float(one.frame.time), 2) for _, one in ones]


def test_awake_every_picture_comes_at_once() -> None:
    """As before there was any dozing."""
    came = Watched(film(4, 50)).run({})
    assert seconds(came) == [round(n / FPS, 2) for n in range(100)]
    assert not any(one.sparse or one.late for _, one in came)


def test_a_dozing_camera_gives_its_key_frames_and_decodes_nothing_else() -> None:
    """Twenty seconds of nothing: one picture each two seconds."""
    watched = Watched(film(20, 50))
    came = watched.run({150: Wish(doze=True)})
    dozed = [(n, one) for n, one in came if n >= 150]
    assert seconds(dozed) == [6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]
    assert all(one.sparse for _, one in dozed)
    assert [n for n, _ in dozed] == [150, 200, 250, 300, 350, 400, 450]  # each at once, not with the next
    assert watched.dozer.put_aside == 350 - 7


@pytest.mark.parametrize("b_frames", [0, 2])
def test_what_happened_since_the_last_look_is_seen_after_all(b_frames: int) -> None:
    """Woken by the picture at 12 s, it sees from 10 s on, five looks a second, in order, unspoilt."""
    watched = Watched(film(20, 50, b_frames=b_frames))
    came = watched.run({150: Wish(doze=True), 303: Wish(doze=False, seen_s=10.0)})
    late = [one for _, one in came if one.late]
    at = [float(one.frame.time) for one in late]
    assert at[0] == pytest.approx(10.2, abs=0.05)
    assert at[-1] >= 11.8
    assert all(0.15 < b - a < 0.3 for a, b in zip(at, at[1:], strict=False))  # noqa: RUF007
    live = [one for n, one in came if n >= 303 and not one.late]
    assert seconds((0, one) for one in live)[-1] == pytest.approx(19.96 - b_frames / FPS)
    assert len(live) >= 500 - 303 - 3
    for one in (*late, *live):
        n = round(float(one.frame.time) * FPS)
        assert abs(float(one.frame.to_ndarray(format="gray").mean()) - n % 250) < 8, (
            "another moment's picture"
        )


def test_what_was_seen_is_not_decoded_again() -> None:
    """Woken although the last key frame was looked at and settled: only what came after it."""
    came = Watched(film(20, 50)).run({150: Wish(doze=True), 310: Wish(doze=False, seen_s=12.0)})
    late = seconds((n, one) for n, one in came if one.late)
    assert late == [12.2]


@pytest.mark.parametrize("gop", [75, 250])
def test_key_frames_too_far_apart_keep_it_awake(gop: int) -> None:
    """Three seconds between looks would be blind time, and an onset told late."""
    watched = Watched(film(24, gop))
    came = watched.run({0: Wish(doze=True)})
    assert len(came) == 600
    assert watched.dozer.put_aside == 0


def test_a_camera_that_stretches_its_key_frames_wakes_itself() -> None:
    """A 'smart' codec lengthens its groups when nothing moves: nobody looks less often than promised."""
    watched = Watched(film(8, 50))
    tail = Watched(film(12, 300))
    out = watched.run({100: Wish(doze=True)})
    last = max(float(one.frame.time) for _, one in out)
    assert last == 6.0
    at, blind = [], []
    for n, packet in enumerate(tail.packets[1:], start=1):  # no key frame comes any more
        now_s = 100.0 + 8.0 + n / FPS
        try:
            got = list(watched.dozer.take(packet, 8.0 + n / FPS, now_s, Wish(doze=True, seen_s=6.0)))
        except av.InvalidDataError:
            continue
        at += [now_s] * bool(got)
        blind.append(now_s)
    assert at[0] - 106.0 <= LONGEST_DOZE_S + 1 / FPS + 1e-6
    assert not watched.dozer.dozing


def test_a_jump_of_the_streams_time_wakes_it() -> None:
    """The camera set its clock: what was put aside is seen with its old time, what follows with the new."""
    watched = Watched(film(20, 50))
    out: list[Any] = []
    for n, packet in enumerate(watched.packets):
        at_s = n / FPS + (3600.0 if n >= 330 else 0.0)
        out += [
            (n, one)
            for one in watched.dozer.take(packet, at_s, 100 + n / FPS, Wish(doze=n >= 150, seen_s=10.0))
        ]
    woken = [(n, one) for n, one in out if n == 330]
    assert [one.late for _, one in woken][-1] is False
    assert any(one.late for _, one in woken)
    assert not any(one.late for n, one in out if n != 330)


def test_every_picture_of_a_motion_jpeg_is_a_key_frame() -> None:
    """It dozes at one look each two seconds or so as well."""
    watched = Watched(film(20, 1, codec="mjpeg"))
    came = [(n, one) for n, one in watched.run({50: Wish(doze=True)}) if n >= 50]
    at = seconds(came)
    assert 5 < len(at) < 12
    assert all(b - a <= LONGEST_DOZE_S for a, b in zip(at, at[1:], strict=False))  # noqa: RUF007


@given(st.lists(st.floats(0.02, 6.0), min_size=1, max_size=40))
def test_no_rhythm_leaves_it_blind_for_longer_than_promised(gaps_s: list[float]) -> None:
    """Whatever the key frames do: a stream dozes only while the longest gap seen is short enough."""
    rhythm, now_s = Rhythm(), 0.0
    for gap_s in gaps_s:
        now_s += gap_s
        rhythm = heard(rhythm, now_s)
    if may_doze(rhythm):
        assert max(gaps_s[1:][-8:]) <= LONGEST_DOZE_S

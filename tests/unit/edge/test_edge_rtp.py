"""What of an RTP stream is decoded: pictures that are whole and build on nothing broken."""

from __future__ import annotations

import random
import struct

import pytest

from edge.rtp import KEY_WAIT_S, Flow, payload_of

KEY, REST = {"H264": 5, "H265": 19}, 1


def packet(number: int, picture: int, kind: int, *, last: bool, codec: str = "H264") -> bytes:
    """One packet of a picture, all of one NAL kind."""
    head = struct.pack(
        "!BBHII", 0x80, (0x80 if last else 0) | 96, number & 0xFFFF, picture * 3600 & 0xFFFFFFFF, 7
    )
    nal = bytes([kind]) if codec == "H264" else bytes([kind << 1, 1])
    return head + nal + b"\x88\x99"


def film(
    pictures: int, codec: str = "H264", each: int = 4, gop: int = 10, first: int = 65_500
) -> list[bytes]:
    """Pictures of four packets with a key frame in ten; its numbers wrap."""
    return [
        packet(first + n * each + i, n, KEY[codec] if n % gop == 0 else REST, last=i == each - 1, codec=codec)
        for n in range(pictures)
        for i in range(each)
    ]


def pictures_of(packets: list[bytes]) -> list[int]:
    """The pictures in what was handed on; fails if one of them is not whole."""
    times = [struct.unpack_from("!I", p, 4)[0] // 3600 for p in packets]
    assert all(times.count(n) == 4 for n in set(times))
    return sorted(set(times))


def run(packets: list[bytes], codec: str = "H264", spacing_s: float = 0.01) -> tuple[list[int], Flow]:
    flow, out = Flow(codec), []
    for i, one in enumerate(packets):
        out += flow.take(one, i * spacing_s)
    return pictures_of(out), flow


@pytest.mark.parametrize("codec", ["H264", "H265", "JPEG"])
def test_a_whole_stream_passes_as_it_came(codec: str) -> None:
    """Nothing is lost, nothing is held back, also where the numbers wrap."""
    seen, flow = run(film(30, codec if codec in KEY else "H264"), codec)
    assert (seen, flow.lost, flow.broken) == (list(range(30)), 0, 0)


def test_swapped_and_doubled_packets_are_no_loss() -> None:
    """Neighbours that change places, and one that comes twice."""
    packets = film(30)
    for i in range(1, len(packets) - 1, 5):
        packets[i], packets[i + 1] = packets[i + 1], packets[i]
    packets.insert(50, packets[48])
    seen, flow = run(packets)
    assert (seen, flow.lost, flow.broken) == (list(range(30)), 0, 0)


@pytest.mark.parametrize("codec", ["H264", "H265"])
@pytest.mark.parametrize("missing", [0, 1, 3])
def test_after_a_loss_the_next_key_frame_is_the_next_picture(codec: str, missing: int) -> None:
    """Picture 13 misses its beginning, middle or end: it and all up to 19 build on nothing whole."""
    packets = film(40, codec)
    del packets[13 * 4 + missing]
    seen, flow = run(packets, codec)
    assert seen == [*range(13), *range(20, 40)]
    assert (flow.lost, flow.broken) == (1, 7)


def test_a_key_frame_without_its_head_is_none() -> None:
    """The first packet of a key frame is lost: the rest of it looks like one, and is not."""
    packets = film(40)
    del packets[20 * 4]
    assert run(packets)[0] == [*range(20), *range(30, 40)]


def test_of_motion_jpeg_only_the_broken_picture_is_left_out() -> None:
    """Each of its pictures stands for itself."""
    packets = film(20)
    del packets[13 * 4 + 1]
    assert run(packets, "JPEG")[0] == [*range(13), *range(14, 20)]


def test_a_stream_without_key_frames_goes_on_after_a_while() -> None:
    """Intra refresh has none: after KEY_WAIT_S the pictures are shown again, else the camera would be blind for good."""
    packets = film(600, gop=10_000)
    del packets[13 * 4 + 1]
    seen, _ = run(packets, spacing_s=0.01)
    blind_s = (min(n for n in seen if n > 13) - 13) * 0.04
    assert KEY_WAIT_S - 0.5 < blind_s < KEY_WAIT_S + 0.5


def test_a_camera_that_begins_anew_is_followed() -> None:
    """Other numbers and another sender: a restart, not sixty thousand lost packets."""
    again = [one[:8] + b"\0\0\0\x08" + one[12:] for one in film(20, first=20_000)]
    flow = Flow("H264")
    out = [p for i, one in enumerate(film(20) + again) for p in flow.take(one, i * 0.01)]
    assert len(out) == 4 * (20 + 10)  # the first key frame may have lost its head
    assert flow.lost == 0


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_lost_nothing_broken_is_shown(seed: int) -> None:
    """Random losses and swaps: each picture shown is whole, and all since its key frame were shown too."""
    chance = random.Random(seed)
    packets = [p for p in film(300) if chance.random() > 0.01]
    for i in range(7, len(packets) - 1, 7):
        packets[i], packets[i + 1] = packets[i + 1], packets[i]
    seen, flow = run(packets)
    assert all(n % 10 == 0 or n - 1 in seen for n in seen)
    assert len(seen) + flow.broken <= 300
    assert flow.lost > 0


def test_nonsense_is_no_fault() -> None:
    """Bytes that are no RTP, cut headers, empty payloads."""
    flow, chance = Flow("H265"), random.Random(1)
    for size in (0, 5, 12, 13, 14, 15, 40):
        for _ in range(50):
            flow.take(
                bytes([0x80 | chance.randrange(64), *(chance.randrange(256) for _ in range(size))]), 0.0
            )
    assert payload_of(b"\x9f" + b"\0" * 11) == b""

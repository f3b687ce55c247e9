"""A clip of what happened just before a stream began anew is not lost."""

from __future__ import annotations

from fractions import Fraction

from edge.frames import RING_S, Packet, PacketRing


def _fill(ring: PacketRing, from_s: int, to_s: int) -> None:
    for second in range(from_s, to_s):
        ring.add(Packet(
            data=bytes([second % 256]), media_s=float(second), keyframe=True, pts=second, dts=second,
            time_base=Fraction(1),
        ))  # fmt: skip


def test_what_lies_before_a_reconnect_can_still_be_cut() -> None:
    """An event at 20 s, its stream lost at 24 s: its clip holds the pre-roll and the seconds up to the loss."""
    ring = PacketRing()
    _fill(ring, 0, 24)
    ring.begin(None)
    _fill(ring, 29, 32)
    packets, _ = ring.cut(15.0, 30.0)
    assert [p.media_s for p in packets] == [float(s) for s in range(15, 24)]
    packets, _ = ring.cut(27.0, 42.0)
    assert [p.media_s for p in packets] == [29.0, 30.0, 31.0]


def test_the_stream_before_is_let_go() -> None:
    """Memory for one ring's time of it, not for ever."""
    ring = PacketRing()
    _fill(ring, 0, 10)
    ring.begin(None)
    _fill(ring, 11, 11 + int(RING_S) + 2)
    assert ring.cut(0.0, 9.0) == ((), None)

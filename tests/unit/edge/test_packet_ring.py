"""A clip of what happened just before a stream began anew is not lost."""

from __future__ import annotations

from fractions import Fraction

from edge.frames import RING_S, Packet, PacketRing


def _fill(ring: PacketRing, from_s: int, to_s: int, writer: int = 0) -> None:
    for second in range(from_s, to_s):
        ring.add(Packet(
            data=bytes([second % 256]), media_s=float(second), keyframe=True, pts=second, dts=second,
            time_base=Fraction(1),
        ), writer)  # fmt: skip


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


def test_two_reconnections_take_nothing_from_the_time_before_them() -> None:
    """An onset at 20 s, just after two of them: the seconds before are there, each stream a part of its own."""
    ring = PacketRing()
    _fill(ring, 0, 17)
    ring.begin(None)
    _fill(ring, 18, 19)
    ring.begin(None)
    _fill(ring, 20, 32)
    assert ring.spans(15.0, 30.0) == ((15.0, 16.0), (18.0, 18.0), (20.0, 30.0))
    assert [p.media_s for p in ring.cut(15.0, 16.0)[0]] == [15.0, 16.0]
    assert [p.media_s for p in ring.cut(8.0, 20.0)[0]] == [float(s) for s in range(8, 17)]


def test_many_short_streams_stay_within_the_memory_of_one_ring() -> None:
    """A camera that comes and goes for an hour: the oldest parts go."""
    ring = PacketRing(max_bytes=10)
    for second in range(0, 3600, 2):
        ring.begin(None)
        _fill(ring, second, second + 1)
    assert ring.spans(0.0, 3600.0) == tuple((float(s), float(s)) for s in range(3578, 3600, 2))


def test_who_was_told_to_stop_writes_nothing_between_the_packets_of_the_next() -> None:
    """A main stream is closed and opened again within seconds, the first reader still in its last read: the clip
    would be spoilt by packets of another stream, or by a second beginning."""
    ring = PacketRing()
    first, second = ring.writer(), ring.writer()
    ring.begin(None, first)
    _fill(ring, 0, 10, first)
    ring.begin(None, second)
    _fill(ring, 12, 15, second)
    _fill(ring, 9, 12, first)
    ring.begin(None, first)  # its line broke, and it was slow to hear that it is to end
    _fill(ring, 15, 18, first)
    _fill(ring, 15, 20, second)
    assert [p.media_s for p in ring.cut(12.0, 30.0)[0]] == [float(s) for s in range(12, 20)]
    assert ring.spans(0.0, 30.0) == ((0.0, 9.0), (12.0, 19.0))
    ring.begin(None, second)  # who has the word may begin anew
    _fill(ring, 21, 23, second)
    assert ring.spans(20.0, 30.0) == ((21.0, 22.0),)

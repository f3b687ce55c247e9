"""What of an RTP stream over UDP may be decoded: whole pictures in their order, none that builds on a broken one.

UDP loses packets and swaps them. A decoder fed with what is left shows smeared pictures, and a motion gate and a
detector would take the smears for something that moves. So after a loss nothing is handed on until the next key
frame. Packets in, packets out; no clock, no socket. RTP: RFC 3550; H.264 in it: RFC 6184; H.265: RFC 7798.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

#: A packet that is missing is waited for until so many later ones, or so many seconds, have come.
MOST_WAITING: Final = 48
WAIT_S: Final = 0.06
#: Behind by more than this the sender has begun to count anew.
RESTART: Final = 3000
#: A picture with more packets than this is none.
MOST_IN_UNIT: Final = 8000
#: Until two key frames were seen nobody knows how far apart they come: so long one is waited for, ...
KEY_WAIT_S: Final = 10.0
#: ... and later this many times the longest time between two.
KEY_WAIT_TIMES: Final = 3.0

_HEADER: Final = struct.Struct("!BBHII")
_H264_KEY: Final = frozenset({5, 7})  # a picture that needs no other; the parameters that precede it
_H265_KEY: Final = frozenset({*range(16, 22), 32})  # the same: IRAP, VPS
#: A picture's first packet shows one of these, if its camera sends them: parameters, delimiter.
_FIRST: Final = {"H264": frozenset({7, 9}), "H265": frozenset({32, 35})}
_H265_CLEAN_RANDOM_ACCESS: Final = 21
_H265_LEADING: Final = frozenset({8, 9})  # may show what lies before the key frame that they follow


class Unit:
    """The packets of one picture, as far as they have come."""

    __slots__ = ("headless", "packets", "timestamp", "types")

    def __init__(self, timestamp: int, *, headless: bool) -> None:
        """`headless`: what is missing before it may have been its beginning."""
        self.timestamp, self.headless = timestamp, headless
        self.packets: list[bytes] = []
        self.types: set[int] = set()


class Flow:
    """One video stream's packets: sorts them, counts what is lost and hands on whole pictures. For one thread."""

    def __init__(self, codec: str) -> None:
        """Of a stream of `codec`, as its SDP names it: H264, H265, JPEG, …"""
        self._codec = codec.upper()
        self._next: int | None = None
        self._sender: int | None = None
        self._waiting: dict[int, bytes] = {}
        self._waiting_since_s = 0.0
        self._unit: Unit | None = None
        #: since when nothing is handed on
        self._damaged_s: float | None = None
        self._broken_at: int | None = None
        self._headless = self._skip_leading = False
        self._keys, self._key_s, self._key_gap_s = 0, 0.0, 0.0
        #: packets that came, and those that never did
        self.received = 0
        self.lost = 0
        #: pictures that came in part, or that build on one that did not come whole
        self.broken = 0

    def take(self, packet: bytes, now_s: float) -> list[bytes]:
        """What may be decoded after one more packet: the packets of whole pictures. `now_s`: monotonic seconds."""
        if len(packet) < _HEADER.size or packet[0] >> 6 != 2:
            return []
        self.received += 1
        out: list[bytes] = []
        for one in self._sorted(packet, now_s):
            out.extend(self._put(one, now_s))
        return out

    def _sorted(self, packet: bytes, now_s: float) -> Iterator[bytes]:
        """The packets whose turn it is; what stays away is given up after a while."""
        _, _, number, _, sender = _HEADER.unpack_from(packet)
        if self._next is None or sender != self._sender:
            if self._next is not None:
                self._break(now_s)
            self._next, self._sender = number, sender
            self._waiting.clear()
        ahead = (number - self._next) & 0xFFFF
        if ahead >= 0x8000:
            if 0x10000 - ahead < RESTART:
                return  # twice, or too late
            self._break(now_s)
            self._next, ahead = number, 0
            self._waiting.clear()
        if ahead and not self._waiting:
            self._waiting_since_s = now_s
        self._waiting[number] = packet
        if (
            ahead
            and self._next not in self._waiting
            and (len(self._waiting) > MOST_WAITING or now_s - self._waiting_since_s > WAIT_S)
        ):
            nearest = min((n - self._next) & 0xFFFF for n in self._waiting)
            self.lost += nearest
            self._next = (self._next + nearest) & 0xFFFF
            self._waiting_since_s = now_s
            self._break(now_s)
        while (one := self._waiting.pop(self._next, None)) is not None:
            self._next = (self._next + 1) & 0xFFFF
            yield one

    def _break(self, now_s: float) -> None:
        """Something is missing here."""
        if self._unit is not None:
            self._count_broken(self._unit)
            self._unit = None
        self._headless = True
        if self._damaged_s is None:
            self._damaged_s = now_s

    def _count_broken(self, unit: Unit) -> None:
        if unit.timestamp != self._broken_at:  # each picture once, in however many pieces it came
            self.broken += 1
        self._broken_at = unit.timestamp

    def _put(self, packet: bytes, now_s: float) -> Iterator[bytes]:
        """One more packet in its order; the packets of the pictures that are whole with it."""
        _, second, _, timestamp, _ = _HEADER.unpack_from(packet)
        if self._unit is not None and (
            self._unit.timestamp != timestamp or len(self._unit.packets) > MOST_IN_UNIT
        ):
            yield from self._whole(now_s)  # a camera that marks no picture's end
        types = frozenset(types_in(self._codec, payload_of(packet)))
        if self._unit is None:
            headless = self._headless and not types & _FIRST.get(self._codec, frozenset())
            self._unit, self._headless = Unit(timestamp, headless=headless), False
        self._unit.packets.append(packet)
        self._unit.types |= types
        if second & 0x80:
            yield from self._whole(now_s)

    def _whole(self, now_s: float) -> Iterator[bytes]:
        unit, self._unit = self._unit, None
        assert unit is not None
        if self._is_key(unit) and not unit.headless:
            self._note_key(unit, now_s)
        elif unit.headless or self._waits(now_s) or self._leads(unit):
            self._count_broken(unit)
            return
        self._damaged_s = None
        yield from unit.packets

    def _note_key(self, unit: Unit, now_s: float) -> None:
        if self._keys:
            self._key_gap_s = max(self._key_gap_s, now_s - self._key_s)
        self._keys, self._key_s = self._keys + 1, now_s
        self._skip_leading = self._damaged_s is not None and _H265_CLEAN_RANDOM_ACCESS in unit.types

    def _waits(self, now_s: float) -> bool:
        """Whether a key frame is waited for; not for ever: with intra refresh there is none."""
        if self._damaged_s is None:
            return False
        patience_s = KEY_WAIT_S if self._keys < 2 else max(KEY_WAIT_S, KEY_WAIT_TIMES * self._key_gap_s)
        return now_s - self._damaged_s < patience_s

    def _leads(self, unit: Unit) -> bool:
        """Whether it may show what was lost before the key frame that it follows."""
        return self._skip_leading and self._codec == "H265" and bool(unit.types & _H265_LEADING)

    def _is_key(self, unit: Unit) -> bool:
        match self._codec:
            case "H264":
                return bool(unit.types & _H264_KEY)
            case "H265":
                return bool(unit.types & _H265_KEY)
            case _:
                return True  # JPEG: each picture for itself; of others nobody here can tell


def payload_of(packet: bytes) -> bytes:
    """What an RTP packet carries behind its header, contributors and extension; empty if it is cut off."""
    at = _HEADER.size + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    return packet[at:]


def types_in(codec: str, payload: bytes) -> Iterator[int]:
    """The kinds of the NAL units that begin in a payload.

    >>> list(types_in("H264", bytes([0x7C, 0x85, 1]))), list(types_in("H264", bytes([0x7C, 0x05, 1])))
    ([5], [])
    """
    if codec == "H264" and payload:
        yield from _h264_types(payload)
    elif codec == "H265" and len(payload) > 2:
        yield from _h265_types(payload)


def _h264_types(payload: bytes) -> Iterator[int]:
    match payload[0] & 0x1F:
        case 24:  # STAP-A: several in one packet, each behind its length
            yield from (unit[0] & 0x1F for unit in _parts(payload, 1))
        case 28:  # FU-A: a piece of one; the first says so
            if len(payload) > 1 and payload[1] & 0x80:
                yield payload[1] & 0x1F
        case kind:
            yield kind


def _h265_types(payload: bytes) -> Iterator[int]:
    match payload[0] >> 1 & 0x3F:
        case 48:  # AP
            yield from (unit[0] >> 1 & 0x3F for unit in _parts(payload, 2))
        case 49:  # FU
            if payload[2] & 0x80:
                yield payload[2] & 0x3F
        case kind:
            yield kind


def _parts(payload: bytes, at: int) -> Iterator[bytes]:
    while at + 2 < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        if size == 0:
            return
        yield payload[at + 2 : at + 2 + size]
        at += 2 + size

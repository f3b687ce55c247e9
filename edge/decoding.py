"""Which packets of a live stream are decoded: all, or only key frames while nothing moves.

Decoding costs more than looking (1080p at 25 frames a second: a tenth of a core and more). While the
watcher lets a camera doze, one key frame every two seconds or so is decoded and the packets since then
are kept. When something has moved in it, what was kept is decoded after all: nothing that happened in
between is missed, it is only seen later, by at most LONGEST_DOZE_S. A stream whose key frames lie further
apart, or whose own time does not go with the arrival's, never dozes.

Times are the stream's seconds and the edge's monotonic seconds, passed in; no clock, no socket.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

import av
import msgspec
from av.video.frame import PictureType

#: Between two looks of a dozing camera: below `coverage.LOOK_GAP_S` and below the shortest dwell of the
#: rules, so that the time counts as watched and no onset is told late.
LONGEST_DOZE_S: Final = 2.6
#: Key frames further apart than this, the longest of the last ones, keep a stream awake.
LONGEST_GOP_S: Final = 2.3
GOPS_MEASURED: Final = 8
#: A stretch with more bytes than this wakes the camera: memory is short on an edge.
STRETCH_BYTES: Final = 24 * 1024 * 1024
#: Seconds that two sums of the same times may differ by.
NEXT_TO_NOTHING_S: Final = 1e-3
#: The stream's own time may run away from the arrival's by so much; beyond it is a jump.
DRIFT_S: Final = 1.5
#: After a jump it is not trusted for so long: a stream whose time keeps running away does not doze at all.
CALM_S: Final = 30.0


class Decoder(Protocol):
    """PyAV's codec context, as far as it is used here."""

    def decode(self, packet: Any) -> list[Any]:
        """Pictures that are ready after this packet; None drains."""
        ...

    def flush_buffers(self) -> None:
        """Forget everything: the next packet is a key frame."""
        ...


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the watcher wants of a camera."""

    doze: bool = False
    #: stream seconds up to which it has looked at everything
    seen_s: float = float("-inf")


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stream's key frames; the stream's seconds."""

    last_key_s: float | None = None
    #: seconds between the last key frames, newest last
    gaps_s: tuple[float, ...] = ()

    @property
    def longest_s(self) -> float | None:
        """The longest of the measured gaps; None before there are two of them."""
        return max(self.gaps_s) if len(self.gaps_s) > 1 else None


def heard(rhythm: Rhythm, at_s: float) -> Rhythm:
    """The rhythm after another key frame; time that went back counts as too far apart.

    >>> r = heard(heard(heard(Rhythm(), 0.0), 2.0), 4.25)
    >>> r.longest_s
    2.25
    """
    if rhythm.last_key_s is None:
        return Rhythm(last_key_s=at_s)
    gap_s = at_s - rhythm.last_key_s
    gaps_s = (*rhythm.gaps_s, gap_s if gap_s > 0.0 else float("inf"))[-GOPS_MEASURED:]
    return Rhythm(last_key_s=at_s, gaps_s=gaps_s)


def may_doze(rhythm: Rhythm) -> bool:
    """Whether key frames come often enough to look at nothing else."""
    return rhythm.longest_s is not None and rhythm.longest_s <= LONGEST_GOP_S


def is_due(rhythm: Rhythm, looked_s: float, arrival_s: float) -> bool:
    """Whether a dozing camera looks at this key frame, because the next one would come too late.

    >>> r = Rhythm(last_key_s=1.0, gaps_s=(1.0, 1.0))
    >>> is_due(r, looked_s=0.0, arrival_s=1.0), is_due(r, looked_s=0.0, arrival_s=2.0)
    (False, True)
    """
    return arrival_s + (rhythm.longest_s or 0.0) - looked_s >= LONGEST_DOZE_S


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """One picture out of the decoder."""

    frame: Any
    #: a dozing camera's key frame: nothing between it and the one before was looked at
    sparse: bool = False
    #: decoded after all, when a later picture had been seen already
    late: bool = False


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A packet that was not decoded, or only its key frame."""

    packet: Any
    stream_s: float


class Dozer:
    """Decodes one opened live stream as its watcher wishes. For one thread."""

    def __init__(self, decoder: Decoder, look_every_s: float) -> None:
        """Awake at first. Of late pictures one every `look_every_s` stream seconds is given."""
        self._decoder, self._look_every_s = decoder, look_every_s
        self._rhythm = Rhythm()
        #: from the last key frame that was looked at on; and the stretch before that, as long as its
        #: end may still turn out to show that something moved
        self._stretch: list[_Kept] = []
        self._before: list[_Kept] = []
        self._looked_s = float("-inf")
        self._offset_s: float | None = None
        self._jumped_s = float("-inf")
        self.dozing = False
        #: the last sparse picture's time, and the last late one's: a decoder that was woken gives again,
        #: some packets later (B-frames), what lies before the first
        self._shown_s, self._given_s = float("-inf"), float("-inf")
        self._catches_up = False
        #: the last key packet's timestamp, and whether such packets make whole pictures by themselves: with
        #: intra refresh they don't, and looked at alone nothing would be seen
        self._key_pts: int | None = None
        self._whole = False
        #: bytes of the stretch; a stretch had no room
        self._stretch_bytes = 0
        self._heavy = False
        #: packets that were put aside undecoded
        self.put_aside = 0

    def take(self, packet: Any, stream_s: float | None, arrival_s: float, wish: Wish) -> Iterator[Decoded]:
        """The pictures to look at after one more packet, late ones first.

        Args:
            packet: as PyAV demuxes it. stream_s: its time; None if it has none.

        Raises:
            av.InvalidDataError: the packet is broken; the next can be taken.
        """
        key = bool(packet.is_keyframe) and packet.size > 0
        if key:  # by the stream's time: a line that holds a packet up does not make them longer
            self._rhythm = heard(self._rhythm, arrival_s if stream_s is None else stream_s)
            self._key_pts = packet.pts if packet.pts is not None else packet.dts
        goes_on = self._goes_on(stream_s, arrival_s)
        fit = goes_on and packet.size > 0 and self._whole and not self._heavy and may_doze(self._rhythm)
        if self.dozing and not (wish.doze and fit and self._room(packet, arrival_s, key=key)):
            yield from self._wake(wish.seen_s)
        elif not self.dozing and wish.doze and key and fit:
            yield from self._live(self._drained(packet))
            self.dozing, self._looked_s = True, float("-inf")
        if self.dozing:
            assert stream_s is not None
            yield from self._put_aside(_Kept(packet=packet, stream_s=stream_s), arrival_s, wish, key=key)
        else:
            self._catches_up &= goes_on
            yield from self._live(self._decoder.decode(packet))

    def rest(self, wish: Wish) -> Iterator[Decoded]:
        """The line broke: what was put aside and not seen."""
        if self.dozing:
            yield from self._wake(wish.seen_s)

    def _live(self, frames: list[Any]) -> Iterator[Decoded]:
        """Pictures of an awake camera; those that a sparse one has overtaken are late."""
        for frame in frames:
            if self._key_pts is not None and frame.pts == self._key_pts:
                self._whole = frame.pict_type == PictureType.I
            if self._catches_up and frame.time is not None and float(frame.time) <= self._shown_s:
                yield from self._late(frame, float(frame.time))
            else:
                self._catches_up = False
                yield Decoded(frame=frame)

    def _late(self, frame: Any, at_s: float) -> Iterator[Decoded]:
        if at_s >= self._given_s + self._look_every_s - NEXT_TO_NOTHING_S:
            self._given_s = at_s
            yield Decoded(frame=frame, late=True)

    def _goes_on(self, stream_s: float | None, arrival_s: float) -> bool:
        """Whether the stream's time goes with the arrival's; after a jump it is measured anew."""
        if stream_s is None:
            return False
        offset_s = stream_s - arrival_s
        if self._offset_s is None or abs(offset_s - self._offset_s) > DRIFT_S:
            if self._offset_s is not None:
                self._jumped_s = arrival_s
            self._offset_s = offset_s
        return arrival_s - self._jumped_s >= CALM_S

    def _room(self, packet: Any, arrival_s: float, *, key: bool) -> bool:
        """Whether there is room and time for one more packet before the next look."""
        self._heavy = packet.size + self._stretch_bytes > STRETCH_BYTES
        return not self._heavy and (key or arrival_s - self._looked_s <= LONGEST_DOZE_S)

    def _put_aside(self, kept: _Kept, arrival_s: float, wish: Wish, *, key: bool) -> Iterator[Decoded]:
        if not (key and is_due(self._rhythm, self._looked_s, arrival_s)):
            self._stretch.append(kept)
            self._stretch_bytes += kept.packet.size
            self.put_aside += 1
            return
        self._decoder.flush_buffers()
        with contextlib.suppress(av.InvalidDataError):
            if frames := [*self._decoder.decode(kept.packet), *self._drained(kept.packet)]:
                self._before, self._stretch, self._looked_s = self._stretch, [kept], arrival_s
                self._stretch_bytes = kept.packet.size
                self._shown_s = kept.stream_s if frames[-1].time is None else float(frames[-1].time)
                yield Decoded(frame=frames[-1], sparse=True)
                return
        # it shows nothing by itself: only what leads up to it may
        self._stretch.append(kept)
        self._rhythm, self._whole = Rhythm(), False
        yield from self._wake(wish.seen_s)

    def _wake(self, seen_s: float) -> Iterator[Decoded]:
        """Decode what was put aside and not seen."""
        stretch = (
            self._stretch
            if not self._before or seen_s >= self._stretch[0].stream_s - NEXT_TO_NOTHING_S
            else self._before + self._stretch
        )
        self._before, self._stretch, self._stretch_bytes, self.dozing = [], [], 0, False
        self._decoder.flush_buffers()
        self._given_s, self._catches_up = seen_s, True
        for kept in stretch:
            try:
                frames = self._decoder.decode(kept.packet)
            except av.InvalidDataError:  # the others of the stretch can still be seen
                continue
            for frame in frames:
                yield from self._late(frame, kept.stream_s if frame.time is None else float(frame.time))

    def _drained(self, packet: Any) -> list[Any]:
        """What the decoder holds; of `packet` only the unit of time, which a drained picture lacks."""
        frames = list(self._decoder.decode(None))
        for frame in frames:
            frame.time_base = packet.time_base
        self._decoder.flush_buffers()
        return frames

"""What comes out of a camera: frames with their times, and the encoded packets they came from.

Values and two small buffers: a slot that holds the newest frame only (latest wins, never a queue), and a
ring of packets for clips, bounded in seconds and bytes. Decides nothing about what the picture shows.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, Protocol

import av
import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
Luma = NDArray[np.uint8]

RING_S: Final = 40.0
RING_BYTES: Final = 64 * 1024 * 1024
#: Late frames that wait to be looked at: three seconds of looks. A 1080p one has 3 MB.
MOST_LATE: Final = 24


class Picture(Protocol):
    """A decoded picture that is converted only when somebody looks at it."""

    def luma(self) -> Luma:
        """Brightness, shape (H, W)."""
        ...

    def bgr(self) -> Bgr:
        """Colours, shape (H, W, 3)."""
        ...

    def part(self, left: int, top: int, right: int, bottom: int) -> Bgr:
        """Colours of a part of it, sides in pixels."""
        ...


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a camera."""

    picture: Any  # Picture; msgspec does not check it
    #: (width, height)
    size_px: tuple[int, int]
    media_s: float
    captured_at: datetime
    time_uncertain: bool = False
    #: a dozing camera's key frame: what lies between it and the one before was not looked at
    sparse: bool = False
    #: looked at after all, when the camera was woken
    late: bool = False
    #: the camera's own date of it, if it tells one: only to be compared, never believed
    camera_utc: datetime | None = None


class VideoPicture:
    """A picture that PyAV decoded; the luma plane is a view where the pixel format has one."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def luma(self) -> Luma:
        """Brightness, shape (H, W): a view without a copy for YUV and grey formats."""
        frame = self._frame
        if frame.format.name.startswith(("yuv", "nv12", "nv21", "gray")) and "10" not in frame.format.name:
            plane = frame.planes[0]
            if frame.format.name not in ("yuyv422", "yuv422p16le"):
                flat = np.frombuffer(plane, dtype=np.uint8)
                rows = flat[: plane.line_size * frame.height].reshape(frame.height, plane.line_size)
                return rows[:, : frame.width]
        return np.asarray(frame.reformat(format="gray").to_ndarray(), dtype=np.uint8)

    def bgr(self) -> Bgr:
        """Colours, shape (H, W, 3)."""
        return np.asarray(self._frame.to_ndarray(format="bgr24"), dtype=np.uint8)

    def part(self, left: int, top: int, right: int, bottom: int) -> Bgr:
        """Colours of a part of it: the same as cut out of all of it, at the cost of the part.

        Sides in pixels; where colours have half the resolution they must be even.
        """
        frame = self._frame
        if frame.format.name not in ("yuv420p", "yuvj420p") or (left | top | right | bottom) % 2:
            return self.bgr()[top:bottom, left:right]
        width, height = right - left, bottom - top
        cut = av.VideoFrame(width, height, frame.format.name)
        cut.colorspace, cut.color_range = frame.colorspace, frame.color_range
        for number in range(len(cut.planes)):
            half = 2 if number else 1
            source, sink = (_rows(one, number) for one in (frame, cut))
            np.copyto(sink[: height // half, : width // half],
                      source[top // half : bottom // half, left // half : right // half])  # fmt: skip
        return np.asarray(cut.to_ndarray(format="bgr24"), dtype=np.uint8)


class ArrayPicture:
    """A picture that is an array already (image folders, tests)."""

    __slots__ = ("_bgr",)

    def __init__(self, bgr: Bgr) -> None:
        self._bgr = bgr

    def luma(self) -> Luma:
        """Brightness, shape (H, W)."""
        return np.asarray(cv2.cvtColor(self._bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)

    def bgr(self) -> Bgr:
        """Colours, shape (H, W, 3)."""
        return self._bgr

    def part(self, left: int, top: int, right: int, bottom: int) -> Bgr:
        """Colours of a part of it, sides in pixels."""
        return self._bgr[top:bottom, left:right]


def _rows(frame: Any, number: int) -> NDArray[np.uint8]:
    """One plane of a frame as rows; the padding at their ends included."""
    plane = frame.planes[number]
    return np.frombuffer(plane, dtype=np.uint8).reshape(-1, plane.line_size)


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """One encoded packet, as it came."""

    data: bytes
    pts: int | None
    dts: int | None
    time_base: Fraction
    keyframe: bool
    media_s: float


Template = tuple[Any, Any]
"""A container that is never written, and in it a stream with a camera's parameters."""


class Ring(Protocol):
    """Where clips are cut from."""

    def cut(self, from_s: float, to_s: float) -> tuple[tuple[Packet, ...], Template | None]:
        """Packets of that time, and what a muxer needs."""
        ...

    def spans(self, from_s: float, to_s: float) -> tuple[tuple[float, float], ...]:
        """The parts of that time that there are."""
        ...


class PacketRing:
    """The last seconds of encoded packets, for clips that need no re-encoding. Thread-safe.

    One writer at a time: who is told to stop may hang in a read for seconds, and what it reads then must not get
    between the packets of the one that took its place.
    """

    def __init__(self, seconds: float = RING_S, max_bytes: int = RING_BYTES) -> None:
        self._seconds, self._max_bytes = seconds, max_bytes
        self._packets: deque[Packet] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._template: Template | None = None
        #: Streams before this one: clips of what happened before a reconnect, or several, are still to be cut.
        self._earlier: deque[tuple[tuple[Packet, ...], Template | None]] = deque()
        #: the last number that was given to a writer, and whose packets are taken
        self._given = self._writer = 0

    def writer(self) -> int:
        """A number for somebody who will write: once they have begun a stream, nobody with a lower one may."""
        with self._lock:
            self._given += 1
            return self._given

    def add(self, packet: Packet, writer: int = 0) -> None:
        """One more packet; the oldest go. From who has no longer the word it is thrown away."""
        with self._lock:
            if writer != self._writer:
                return
            self._packets.append(packet)
            self._bytes += len(packet.data)
            while self._packets and (
                packet.media_s - self._packets[0].media_s > self._seconds or self._bytes > self._max_bytes
            ):
                self._bytes -= len(self._packets.popleft().data)
            while self._earlier and packet.media_s - self._earlier[0][0][-1].media_s > self._seconds:
                self._earlier.popleft()

    def cut(self, from_s: float, to_s: float) -> tuple[tuple[Packet, ...], Template | None]:
        """Packets from the last key frame at or before `from_s` (or the first after it) up to `to_s`.

        With what a muxer needs to write them; keep the whole template while it is used. If the stream
        began anew in between, the part of the time that has more packets.
        """
        with self._lock:
            streams = (*self._earlier, (tuple(self._packets), self._template))
        most = max(range(len(streams)), key=lambda i: (_inside(streams[i][0], from_s, to_s), i))
        every, template = streams[most]
        return _from_key(every, from_s, to_s), template

    def spans(self, from_s: float, to_s: float) -> tuple[tuple[float, float], ...]:
        """The parts of that time, oldest first: from the first to the last packet of each stream in it."""
        with self._lock:
            streams = (*(packets for packets, _ in self._earlier), tuple(self._packets))
        inside = ([p.media_s for p in every if from_s <= p.media_s <= to_s] for every in streams)
        return tuple((times[0], times[-1]) for times in inside if times)

    def begin(self, stream: Any, writer: int = 0) -> None:
        """A new stream begins: packets of two streams never share a clip. Writers before this one have ended.

        A copy of its parameters is kept, in a container that is never written: the stream itself must not
        be touched once its source is closed (PyAV 18 crashes the process).
        """
        template = None
        if stream is not None:
            with contextlib.suppress(av.FFmpegError, ValueError):
                keeper = av.open(os.devnull, "w", format="null")
                template = (keeper, keeper.add_stream_from_template(stream))
        with self._lock:
            if writer < self._writer:
                return
            self._writer = writer
            if self._packets:
                self._earlier.append((tuple(self._packets), self._template))
            while sum(len(p.data) for packets, _ in self._earlier for p in packets) > self._max_bytes:
                self._earlier.popleft()
            self._packets.clear()
            self._bytes = 0
            self._template = template


def _inside(packets: Sequence[Packet], from_s: float, to_s: float) -> int:
    return sum(from_s <= packet.media_s <= to_s for packet in packets)


def _from_key(every: Sequence[Packet], from_s: float, to_s: float) -> tuple[Packet, ...]:
    packets = [p for p in every if p.media_s <= to_s]
    keys = [i for i, p in enumerate(packets) if p.keyframe]
    if not keys:
        return ()
    before = [i for i in keys if packets[i].media_s <= from_s]
    return tuple(packets[before[-1] if before else keys[0] :])


class Slot:
    """Holds the newest frame only; what nobody took in time is counted as dropped. Thread-safe.

    Late frames, of a camera that was woken, stand before it and are taken in their order.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._late: deque[Frame] = deque()
        #: frames that arrived; those that were replaced before anybody took them
        self.arrived = 0
        #: frames that a dozing camera's next look may want
        self.kept = 0
        self.dropped = 0
        #: pictures that came broken and were not given to anybody
        self.broken = 0

    def put(self, frame: Frame) -> None:
        """A frame arrived."""
        with self._changed:
            self.arrived += 1
            self.dropped += self._frame is not None
            self._frame = frame
            self._changed.notify_all()

    def put_late(self, frame: Frame) -> None:
        """A frame that arrived a while ago is looked at after all; it was counted when it arrived."""
        with self._changed:
            self._late.append(frame)
            while len(self._late) > MOST_LATE:
                self._late.popleft()
                self.dropped += 1
            self._changed.notify_all()

    def thin(self, most: int) -> None:
        """Keep at most so many late frames, evenly spread, the last among them: it is who woke the camera."""
        with self._changed:
            if (waiting := len(self._late)) <= most:
                return
            kept = {waiting - 1 - k * waiting // most for k in range(most)}
            self._late = deque(frame for i, frame in enumerate(self._late) if i in kept)
            self.dropped += waiting - len(self._late)

    def count(self, frames: int) -> None:
        """Frames arrived that nobody decodes now; they are kept for the next look."""
        with self._changed:
            self.arrived += frames
            self.kept += frames

    def lose(self, frames: int) -> None:
        """Frames came broken: nobody is to look at them."""
        with self._changed:
            self.broken += frames

    @property
    def behind(self) -> bool:
        """Whether late frames wait."""
        return bool(self._late)

    def take(self, timeout_s: float) -> Frame | None:
        """The oldest late frame, else the newest, waiting up to `timeout_s` for one; None if none came."""
        with self._changed:
            if self._frame is None and not self._late:
                self._changed.wait(timeout_s)
            if self._late:
                return self._late.popleft()
            frame, self._frame = self._frame, None
            return frame

"""Full-size pictures for evidence while a camera is watched by its substream.

The onset goes out at once with the substream's picture. Beside the looks, in a thread of low priority, the main
stream's picture of the same moment is decoded from the ring, from its last key frame on; an update names it. What
can't be had is said (`Missing`), and the substream's picture stays what there is.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

import av
import msgspec
import structlog

from edge.episodes import Emission
from edge.errors import EvidenceRefused
from edge.evidence import Kept
from edge.frames import Bgr, Packet, Ring, Template

#: A picture of the main stream shows the moment of the look if it is no further from it; boxes are the look's.
NEAR_S: Final = 0.12
#: The main stream may come later than the substream: so long its picture is waited for, in steps.
WAIT_S: Final = 2.0
STEP_S: Final = 0.1
#: Pictures come out of a decoder after others that were sent later (B-frames).
AHEAD_S: Final = 0.5
#: A key frame further back costs more than a picture is worth.
MOST_S: Final = 12.0
#: Evidence can wait: the looks have the processor first.
NICE: Final = 10
#: More pictures than these wait for none.
MOST_WAITING: Final = 4

log = structlog.get_logger()


class Missing(StrEnum):
    """Why there is no full-size picture."""

    NO_PACKETS = "no_packets"  # the main stream was not open yet, or has no key frame so far
    FAR = "far"  # none of its pictures is of that moment, or its key frames lie too far apart
    BROKEN = "broken"  # it could not be decoded
    BUSY = "busy"  # others wait already
    REFUSED = "refused"  # the disk took none


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that is to be made again in full."""

    emission: Emission
    at_s: float
    #: writes the pictures of that moment as evidence
    keep: Callable[[Bgr], tuple[Kept, ...]]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    emission: Emission
    kept: tuple[Kept, ...] = ()
    missing: Missing | None = None


def stretch(packets: Sequence[Packet], at_s: float) -> tuple[tuple[Packet, ...], int] | Missing:
    """What has to be decoded for the picture of that moment, and its timestamp; or why there is none. Pure.

    Args:
        packets: from a key frame on, in the order in which they came.
    """
    if not packets or not packets[0].keyframe:
        return Missing.NO_PACKETS
    nearest = min(packets, key=lambda packet: abs(packet.media_s - at_s))
    stamp = nearest.pts if nearest.pts is not None else nearest.dts
    if stamp is None or abs(nearest.media_s - at_s) > NEAR_S or at_s - packets[0].media_s > MOST_S:
        return Missing.FAR
    # a later key frame makes what lies before it needless, unless it comes after the picture
    keys = [i for i, packet in enumerate(packets) if packet.keyframe and packet.media_s <= nearest.media_s]
    return tuple(packets[keys[-1] if keys else 0 :]), stamp


def decoded(packets: Sequence[Packet], template: Template, stamp: int) -> Bgr | None:
    """The picture with that timestamp; None if it can't be decoded."""
    like: Any = template[1].codec_context
    decoder: Any = av.CodecContext.create(like.codec.canonical_name, "r")
    decoder.extradata, decoder.thread_count = like.extradata, 1
    with contextlib.suppress(av.FFmpegError):
        for packet in (*packets, None):
            for frame in decoder.decode(None if packet is None else _packet(packet)):
                if frame.pts == stamp:
                    picture: Bgr = frame.to_ndarray(format="bgr24")
                    return picture
    return None


def _packet(kept: Packet) -> Any:
    packet = av.Packet(kept.data)
    packet.pts, packet.dts, packet.time_base = kept.pts, kept.dts, kept.time_base
    return packet


class FullStills:
    """One camera's full-size pictures. `ask` and `made` are the main loop's; the work is a thread's."""

    def __init__(self, ring: Ring, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """`ring` is the main stream's."""
        self._ring, self._sleep = ring, sleep
        self._wanted: queue.Queue[Wanted] = queue.Queue(MOST_WAITING)
        self._made: queue.SimpleQueue[Made] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, wanted: Wanted) -> None:
        """Make it when there is time; never waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="full-stills", daemon=True)
            self._thread.start()
        try:
            self._wanted.put_nowait(wanted)
        except queue.Full:
            self._made.put(Made(emission=wanted.emission, missing=Missing.BUSY))

    def made(self) -> tuple[Made, ...]:
        """What is ready, or will never be."""
        ready = []
        with contextlib.suppress(queue.Empty):
            while True:
                ready.append(self._made.get_nowait())
        return tuple(ready)

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # on Linux this is the thread's own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while True:
            wanted = self._wanted.get()
            try:
                made = self.make(wanted)
            except Exception:  # the thread's outermost loop: one picture less, and the log says why
                log.exception("full_still_failed")
                made = Made(emission=wanted.emission, missing=Missing.BROKEN)
            self._made.put(made)

    def make(self, wanted: Wanted) -> Made:
        """The picture of that moment, as evidence; waits until the main stream has it."""
        found: tuple[tuple[Packet, ...], int] | Missing = Missing.NO_PACKETS
        template: Template | None = None
        for _ in range(round(WAIT_S / STEP_S)):
            packets, template = self._ring.cut(wanted.at_s, wanted.at_s + AHEAD_S)
            found = stretch(packets, wanted.at_s)
            if packets and packets[-1].media_s >= wanted.at_s + AHEAD_S / 2:
                break
            self._sleep(STEP_S)
        if isinstance(found, Missing) or template is None:
            missing = found if isinstance(found, Missing) else Missing.NO_PACKETS
            return Made(emission=wanted.emission, missing=missing)
        picture = decoded(found[0], template, found[1])
        if picture is None:
            return Made(emission=wanted.emission, missing=Missing.BROKEN)
        try:
            return Made(emission=wanted.emission, kept=wanted.keep(picture))
        except EvidenceRefused as exc:
            log.error("full_still_refused", error=str(exc))
            return Made(emission=wanted.emission, missing=Missing.REFUSED)

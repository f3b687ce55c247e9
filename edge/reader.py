"""Keeps one camera open in a thread: reconnects with backoff and jitter, and says how the link is.

Decides when to try again; leaves reading to `edge.sources` and judging pictures to `edge.watchdog`. A
read that hangs beyond its own limits shows as a heartbeat that stops, and the supervisor kills the process.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, Literal

import msgspec
import structlog

from edge.decoding import Wish
from edge.errors import SourceBlocked, SourceEnded, SourceUnreachable
from edge.frames import PacketRing, Slot
from edge.networks import kind_of, redact, secrets_of
from edge.sources import Access, Clocks, Stream
from edge.stream_clock import StreamClock
from monitor.domain.assets import Camera

Link = Literal["connecting", "open", "unreachable", "blocked", "ended"]

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
BLOCKED_WAIT_S: Final = 30.0
#: A stream that lived this long was a good one: the next failure starts the backoff anew.
GOOD_AFTER_S: Final = 10.0

log = structlog.get_logger()


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the link to the camera is."""

    link: Link
    reason: str = ""


def backoff_s(attempt: int, share: float) -> float:
    """Seconds to wait before attempt 1, 2, …: doubled each time, capped, and jittered by `share` (0..1).

    >>> [backoff_s(n, 1.0) for n in (1, 2, 3, 20)]
    [0.5, 1.0, 2.0, 30.0]
    """
    longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 16))
    return longest_s * (0.5 + 0.5 * share)


class Reader(threading.Thread):
    """Reads one camera into `slot` and `ring` until stopped."""

    def __init__(
        self,
        camera: Camera,
        access: Access,
        *,
        start_s: float = 0.0,
        clocks: Clocks | None = None,
        jitter: Callable[[], float] = random.random,
        ring: PacketRing | None = None,
        goes_on: Callable[[], StreamClock] | None = None,
        only_keep: bool = False,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            goes_on: the clock of another stream of the camera, whose time this one's continues.
            only_keep: fill the ring and decode nothing.
        """
        super().__init__(name=f"reader-{camera.camera_id}", daemon=True)
        self.camera, self.slot, self.ring = camera, Slot(), ring or PacketRing()
        self._writer = self.ring.writer()
        self.status = LinkStatus(link="connecting")
        #: whether the watcher lets the camera doze, and up to when it has seen everything
        self.wish = Wish()
        #: times that the stream was opened again
        self.reopened = 0
        self._access, self._start_s, self._clocks = access, start_s, clocks or Clocks()
        self._clock, self._jitter, self._only_keep = StreamClock(), jitter, only_keep
        self._goes_on = goes_on or StreamClock
        self._stream: Stream | None = None
        self._halt = threading.Event()

    @property
    def clock(self) -> StreamClock:
        """How far its time has come."""
        stream = self._stream
        return self._clock if stream is None else stream.clock

    def stop(self) -> None:
        """End soon; a read that hangs is left to its time limit."""
        self._halt.set()

    def run(self) -> None:
        """Open, read, and open again."""
        attempt = 0
        while not self._halt.is_set():
            began_s = self._clocks.monotonic()
            wait_s = self._read_once(attempt)
            if wait_s is None:
                return
            attempt = 1 if self._clocks.monotonic() - began_s > GOOD_AFTER_S else attempt + 1
            self._halt.wait(wait_s if wait_s >= 0 else backoff_s(attempt, self._jitter()))
            self.reopened += 1

    def _read_once(self, attempt: int) -> float | None:
        """One opening; seconds to wait before the next (negative: the backoff), or None if that was all."""
        camera_id = self.camera.camera_id
        other = self._goes_on()
        if other.begun and (not self._clock.begun or other.last_arrival_s > self._clock.last_arrival_s):
            self._clock = other  # the other stream was watched meanwhile: time goes on from there
        stream = Stream(self.camera, self._access, self.ring, clock=self._clock, wait=self._halt.wait,
                        start_s=self._start_s, clocks=self._clocks, wish=lambda: self.wish,
                        kept=self.slot.count, broke=self.slot.lose, only_keep=self._only_keep,
                        writer=self._writer)  # fmt: skip
        self._stream = stream
        try:
            for frame in stream.frames():
                if self.status.link != "open":
                    self.status = LinkStatus(link="open")
                    log.info("camera_open", camera=camera_id)
                if frame.late:
                    self.slot.put_late(frame)
                else:
                    self.slot.put(frame)
                if self._halt.is_set():
                    return None
        except SourceBlocked as exc:
            self._say(LinkStatus(link="blocked", reason=exc.reason))
            return BLOCKED_WAIT_S
        except SourceUnreachable as exc:
            self._say(LinkStatus(link="unreachable", reason=exc.reason))
            return -1.0
        except SourceEnded as exc:
            return self._after_end(exc)
        except Exception as exc:  # noqa: BLE001 - a fault of ours or of a library's: it tries again
            reason = redact(
                f"{type(exc).__name__}: {exc}",
                secrets_of(self._access.credentials.get(self.camera.credential or "")),
            )
            log.error("camera_reader_failed", camera=camera_id, reason=reason)
            self._say(LinkStatus(link="unreachable", reason=f"a fault of the worker: {reason}"))
            return -1.0
        finally:
            self._clock, self._start_s, self._stream = stream.clock, 0.0, None
        return None

    def _after_end(self, ended: SourceEnded) -> float | None:
        if self._halt.is_set():
            return None
        if kind_of(self.camera.source) in ("rtsp", "http", "webcam", "stills"):
            self._say(LinkStatus(link="unreachable", reason=ended.reason))
            return -1.0
        if self.camera.loop:
            return 0.0
        self._say(LinkStatus(link="ended", reason=ended.reason))
        return None

    def _say(self, status: LinkStatus) -> None:
        if status != self.status:
            log.warning("camera_" + status.link, camera=self.camera.camera_id, reason=status.reason)
        self.status = status

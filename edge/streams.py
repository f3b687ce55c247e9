"""Which of a camera's streams is watched, and which of them clips are cut from.

A camera with a substream is watched by it: it shows the network as much, and costs a tenth. Its main stream is
kept, not decoded, while something goes on: that is what evidence is cut from. If the substream can't be had,
the main stream is watched until it can. `choose` decides; `Streams` opens and closes.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
import structlog

from edge.decoding import Wish
from edge.frames import PacketRing, Ring, Slot
from edge.reader import LinkStatus, Reader
from edge.sources import Access
from edge.stream_clock import StreamClock
from monitor.domain.assets import Camera
from monitor.domain.ground.fix import scale_between

#: The main stream is watched once the substream has been away for so long: before a stall is told.
AWAY_S: Final = 4.0
#: … and until it has come for so long without a gap: each change costs every dwell its beginning.
BACK_S: Final = 30.0
#: The main stream is kept for so long after nothing goes on any more: the next thing often comes soon.
KEEP_S: Final = 30.0
#: Substreams with a shorter long side show the network less than it can take.
LEAST_PX: Final = 640

MainStream = Literal["closed", "kept", "watched"]

log = structlog.get_logger()


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of both streams; seconds of the monotonic clock."""

    #: when the substream gave its last picture; None: not yet
    sub_at_s: float | None
    began_s: float
    #: since when it comes without a gap
    sub_since_s: float | None = None
    #: its link is down
    down: bool = False
    #: why its pictures are of no use
    unfit: str = ""
    #: the main stream is watched already
    watched: bool = False
    #: when something last went on: motion, or a running episode
    busy_at_s: float | None = None


def choose(needs: Needs, now_s: float) -> tuple[MainStream, str]:
    """What to do with the main stream, and why. Pure.

    >>> choose(Needs(sub_at_s=9.0, began_s=0.0), 10.0)[0], choose(Needs(sub_at_s=1.0, began_s=0.0), 10.0)[0]
    ('closed', 'watched')
    >>> choose(Needs(sub_at_s=9.0, began_s=0.0, busy_at_s=8.0), 10.0)[0]
    'kept'
    """
    if needs.unfit:
        return "watched", needs.unfit
    last_s = needs.began_s if needs.sub_at_s is None else needs.sub_at_s
    if needs.down or now_s - last_s > AWAY_S:
        return "watched", "the substream gives no pictures"
    if needs.watched and (needs.sub_since_s is None or now_s - needs.sub_since_s < BACK_S):
        return "watched", "the substream came back a moment ago"
    if needs.busy_at_s is not None and now_s - needs.busy_at_s <= KEEP_S:
        return "kept", "something goes on"
    return "closed", "nothing goes on"


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of the watched stream, whichever it was, since the start; as `frames.Slot` counts them."""

    arrived: int = 0
    kept: int = 0
    dropped: int = 0
    broken: int = 0

    def plus(self, other: Counts, sign: int = 1) -> Counts:
        """The sum, or with -1 the difference."""
        return Counts(arrived=self.arrived + sign * other.arrived, kept=self.kept + sign * other.kept,
                      dropped=self.dropped + sign * other.dropped, broken=self.broken + sign * other.broken)  # fmt: skip


class Streams:
    """A camera's one stream, or its two. For the camera's main loop."""

    def __init__(self, camera: Camera, access: Access, *, start_s: float = 0.0) -> None:
        self._camera, self._access = camera, access
        self._main: Reader | None = None
        self._state: MainStream = "closed"
        self._main_ring = PacketRing()
        if camera.substream is None:
            self._sub: Reader | None = None
            self._main, self._state = Reader(camera, access, start_s=start_s, ring=self._main_ring), "watched"
        else:
            watched = msgspec.structs.replace(camera, source=camera.substream)
            self._sub = Reader(watched, access, goes_on=self._main_clock)
        self._needs = Needs(sub_at_s=None, began_s=0.0)
        self._arrived = 0
        #: what was counted of streams that were watched before, less what this one had when its turn came
        self._before = Counts()

    @property
    def watched(self) -> Reader:
        """The stream whose pictures are looked at."""
        if self._main is not None and self._state == "watched":
            return self._main
        assert self._sub is not None
        return self._sub

    @property
    def by_substream(self) -> bool:
        """Whether that is the substream."""
        return self._sub is not None and self._state != "watched"

    @property
    def slot(self) -> Slot:
        """Its newest picture."""
        return self.watched.slot

    def counts(self) -> Counts:
        """All pictures until now."""
        return self._before.plus(_counts(self.slot))

    @property
    def status(self) -> LinkStatus:
        """How its link is."""
        return self.watched.status

    @property
    def rings(self) -> tuple[Ring, ...]:
        """Where clips are cut from: the sharper stream first."""
        return (self._main_ring,) if self._sub is None else (self._main_ring, self._sub.ring)

    def start(self, now_s: float) -> None:
        """Begin to read; the substream is waited for from now on."""
        self._needs = msgspec.structs.replace(self._needs, began_s=now_s)
        self.watched.start()

    def stop(self) -> None:
        """End soon."""
        for reader in (self._main, self._sub):
            if reader is not None:
                reader.stop()

    def wish(self, wish: Wish) -> None:
        """Whether the watched stream may doze, and what was seen of it."""
        self.watched.wish = wish

    def tend(self, now_s: float, *, busy: bool, size_px: tuple[int, int] | None) -> bool:
        """Open and close the main stream as it is needed; whether another stream is watched from now on.

        Args:
            busy: something moves, or an episode runs.
            size_px: of the last picture of the watched stream.
        """
        if self._sub is None:
            return False
        came = self._sub.slot.arrived != self._arrived
        self._arrived = self._sub.slot.arrived
        needs = self._needs
        gap = needs.sub_at_s is None or now_s - needs.sub_at_s > AWAY_S
        self._needs = msgspec.structs.replace(
            needs,
            sub_at_s=now_s if came else needs.sub_at_s,
            sub_since_s=now_s if came and gap else needs.sub_since_s,
            down=self._sub.status.link in ("unreachable", "blocked", "ended"),
            unfit=needs.unfit or ("" if self._state == "watched" else _unfit(self._camera, size_px)),
            watched=self._state == "watched",
            busy_at_s=now_s if busy else needs.busy_at_s,
        )
        wanted, why = choose(self._needs, now_s)
        if wanted == self._state:
            return False
        counted, was = self.counts(), self._state
        self._state = wanted
        log.info("main_stream", camera=self._camera.camera_id, state=wanted, was=was, reason=why)
        if self._main is not None:
            self._main.stop()
            self._main = None
        if wanted != "closed":
            self._main = Reader(
                self._camera,
                self._access,
                ring=self._main_ring,
                goes_on=self._sub_clock,
                only_keep=wanted == "kept",
            )
            self._main.start()
        self._before = counted.plus(_counts(self.slot), -1)
        return "watched" in (was, wanted)

    def _main_clock(self) -> StreamClock:
        return StreamClock() if self._main is None else self._main.clock

    def _sub_clock(self) -> StreamClock:
        return StreamClock() if self._sub is None else self._sub.clock


def _unfit(camera: Camera, size_px: tuple[int, int] | None) -> str:
    """Why pictures of this size can't be looked at in the place of the full ones; empty if they can."""
    if size_px is None:
        return ""
    if max(size_px) < LEAST_PX:
        return f"the substream's pictures are smaller than {LEAST_PX} pixels"
    if scale_between(size_px, camera.frame_size_px) is None:
        return "the substream's pictures have another shape than frame_size_px"
    return ""


def _counts(slot: Slot) -> Counts:
    return Counts(arrived=slot.arrived, kept=slot.kept, dropped=slot.dropped, broken=slot.broken)

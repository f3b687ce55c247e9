"""Opening and reading one camera: RTSP, HTTP, file (paced in real time), image folder, webcam.

Yields stamped frames and fills the ring of encoded packets; every read has a time limit. Which addresses
are allowed is `edge.networks`' decision, how a stream's timestamps become times is `edge.stream_clock`'s,
and what to do when a camera goes away is `edge.reader`'s.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import httpx
import msgspec
import structlog

from edge import stills
from edge.decoding import Decoded, Dozer, Wish
from edge.errors import SourceBlocked, SourceEnded, SourceError, SourceUnreachable
from edge.frames import ArrayPicture, Bgr, Frame, Packet, PacketRing, VideoPicture
from edge.http_body import HttpBody
from edge.networks import checked_url, kind_of, redact, secrets_of
from edge.rtsp import Door, Transport
from edge.stream_clock import SenderClock, StreamClock, rebegin, stamp, stamp_late
from monitor.domain.assets import Camera

OPEN_TIMEOUT_S: Final = 8.0
READ_TIMEOUT_S: Final = 6.0
#: Broken packets in a row after which a stream counts as broken.
MOST_BROKEN: Final = 150
#: Linux's video devices, in FFmpeg's words
WEBCAM_FORMAT: Final = "v4l2"
#: A camera's folder is looked into so often.
STILLS_EVERY_S: Final = 0.5
#: Late pictures are given no oftener, else `frames.Slot` would drop the first of them.
LATE_EVERY_S: Final = 0.2
#: Unit of the times that are given to a stream without any (RTP's own for video).
TICKS_PER_S: Final = 90_000
#: An image folder plays one picture a second.
FOLDER_STEP_S: Final = 1.0

#: FFmpeg speaks to `edge.rtsp`'s door, never to the camera.
_TRANSPORTS: Final[Mapping[str, tuple[Transport, ...]]] = {
    "tcp": ("tcp",), "udp": ("udp",), "auto": ("tcp", "udp"),
}  # fmt: skip

_RTSP_OPTIONS: Final = {
    "rtsp_transport": "tcp",
    # sound and metadata would only be thrown away
    "allowed_media_types": "video",
    # without this list a server could point FFmpeg at files or other protocols
    "protocol_whitelist": "rtp,rtsp,tcp,udp",
    "max_delay": "500000",
    "fflags": "nobuffer+discardcorrupt",
}
#: The smoothing of block edges is left out between key frames: a quarter of decoding. What that adds up to by the
#: next key frame (35 to 45 dB) changed as few boxes as noise does (docs/decisions/0310); clips are the packets as they came.
_DECODER_OPTIONS: Final = {"skip_loop_filter": "nokey", "flags2": "+fast"}

#: AVProducerReferenceTime, of which only the date is used
_PRODUCER_TIME: Final = struct.Struct("=q")

log = structlog.get_logger()


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """The edge's clocks and its way of waiting, passed in."""

    monotonic: Callable[[], float] = time.monotonic
    utc: Callable[[], datetime] = lambda: datetime.now(UTC)


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What one edge may reach, and with which credentials."""

    networks: tuple[str, ...]
    credentials: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Access(networks={self.networks!r}, credentials=<{len(self.credentials)} hidden>)"


def sender_clock(packet: Any) -> SenderClock | None:
    """What FFmpeg makes of the last sender report (producer reference time: microseconds since 1970, flags).

    None before 1970: a camera that does not know the date may count from 1900 on (RFC 3550, 6.4.1).
    """
    if packet.pts is None:
        return None
    microseconds = _PRODUCER_TIME.unpack_from(bytes(packet.get_sidedata("prft")))[0]
    if microseconds < 0:
        return None
    try:
        at = datetime.fromtimestamp(microseconds / 1e6, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return SenderClock(stream_s=float(packet.pts * packet.time_base), at=at)


class Stream:
    """One opening of one camera's source. Iterate `frames()`; ends with an exception that says why."""

    def __init__(
        self,
        camera: Camera,
        access: Access,
        ring: PacketRing,
        *,
        clock: StreamClock,
        wait: Callable[[float], bool],
        start_s: float = 0.0,
        clocks: Clocks | None = None,
        wish: Callable[[], Wish] = Wish,
        kept: Callable[[int], None] = lambda _: None,
        broke: Callable[[int], None] = lambda _: None,
        only_keep: bool = False,
        writer: int = 0,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            wait: waits that many seconds; True if the worker is to stop.
            start_s: where in a file to begin.
            wish: whether the watcher lets a live camera doze; in seconds of `media_s`.
            kept: told how many packets of a dozing camera arrived and were not decoded.
            broke: told how many pictures came broken and are not given; from any thread.
            only_keep: fill the ring and give no pictures (a stream; files are always played).
            writer: whose packets they are, in the ring.
        """
        self.camera, self.clock = camera, clock
        self._access, self._ring, self._writer, self._wait = access, ring, writer, wait
        self._start_s, self._wish, self._only_keep = start_s, wish, only_keep
        #: the source gives no times of its own; and the last one that was given for it
        self._timeless, self._dated = False, 0
        self._kept, self._put_aside, self._broke, self._dozing = kept, 0, broke, False
        #: the sender's own date of one moment of its stream (its RTCP sender reports): stream seconds, UTC
        self._sender: SenderClock | None = None
        self._wished: tuple[Wish | None, float, Wish] = (None, 0.0, Wish())
        self._clocks = clocks or Clocks()
        self._secrets = secrets_of(access.credentials.get(camera.credential or ""))

    def frames(self) -> Iterator[Frame]:
        """Frames until the source ends or fails.

        Raises:
            SourceEnded, SourceBlocked, SourceUnreachable; never with a credential in the text.
        """
        try:
            yield from self._frames()
        except SourceError:
            raise
        except (av.FFmpegError, httpx.HTTPError, OSError, ValueError) as exc:
            raise SourceUnreachable(
                self.camera.camera_id, self._plain(exc)
            ) from None  # the cause may hold a password

    def _frames(self) -> Iterator[Frame]:
        source = self.camera.source
        if source == self.camera.substream and kind_of(source) not in ("rtsp", "http"):
            # whatever the configuration's judges let pass: a substream opens no file and no device
            raise SourceBlocked(self.camera.camera_id, "a substream is rtsp(s):// or http(s)://")
        match kind_of(source):
            case "rtsp":
                yield from self._rtsp()
            case "http":
                with HttpBody(
                    self.camera, self._access.networks, self._access.credentials,
                    open_timeout_s=OPEN_TIMEOUT_S, read_timeout_s=READ_TIMEOUT_S,
                ) as body:  # fmt: skip
                    yield from self._video(
                        body, live=True, options={}, container_format=body.container_format
                    )
            case "webcam":
                device = device_of(source)
                yield from self._video(device, live=True, options={}, container_format=WEBCAM_FORMAT)
            case "stills":
                yield from self._stills(Path(source.removeprefix("stills:")).expanduser())
            case _:
                path = Path(source.removeprefix("file://")).expanduser()
                if path.is_dir():
                    yield from self._folder(path)
                elif path.is_file():
                    yield from self._video(
                        str(path), live=False, options={"protocol_whitelist": "file,crypto,data"}
                    )
                else:
                    raise SourceUnreachable(self.camera.camera_id, f"there is no file {path}")

    def _rtsp(self) -> Iterator[Frame]:
        """Over TCP, over UDP, or over what the camera takes of them."""
        url = checked_url(self.camera, self._access.networks, self._access.credentials)
        ways = _TRANSPORTS[self.camera.transport]
        for way in ways:
            with Door(
                self.camera.camera_id, url, way, timeout_s=OPEN_TIMEOUT_S, broke=self._broke,
                dozes=lambda: self._dozing,
            ) as door:  # fmt: skip
                try:
                    yield from self._video(door.url, live=True, options=_RTSP_OPTIONS)
                except (av.FFmpegError, SourceError):
                    if door.wrong_transport and way != ways[-1]:
                        continue
                    if door.refusal is not None:
                        raise SourceUnreachable(self.camera.camera_id, door.refusal) from None
                    raise

    def _video(
        self, file: Any, *, live: bool, options: dict[str, str], container_format: str | None = None
    ) -> Iterator[Frame]:
        with av.open(
            file, format=container_format, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)
        ) as container:
            if not container.streams.video:
                raise SourceUnreachable(
                    self.camera.camera_id, "the source has no picture, only other streams"
                )
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            stream.codec_context.options = _DECODER_OPTIONS
            self._ring.begin(stream, self._writer)
            self._timeless = container_format == "mpjpeg"
            first_s = _seconds(stream.start_time, stream.time_base) if not live else None
            dozer = (
                Dozer(stream.codec_context, max(LATE_EVERY_S, 1.0 / max(0.1, self.camera.looks_per_s)))
                if live
                else None
            )
            pace = None if live else _Pace(self._clocks.monotonic() - self._start_s, self._wait, self._clocks)
            if pace is not None and self._start_s > 0:
                target_pts = int((self._start_s + (first_s or 0.0)) / stream.time_base)
                container.seek(target_pts, stream=stream, backward=True)
            try:
                if self._only_keep and live:
                    self._only_kept(container, stream)
                else:
                    yield from self._decode(container, stream, pace, first_s, dozer)
            except (av.FFmpegError, httpx.HTTPError, OSError):
                if dozer is not None:  # the line broke: what was kept until then is seen after all
                    yield from self._framed(dozer.rest(self._seen()))
                raise
        raise SourceEnded(
            self.camera.camera_id, "played to its end" if not live else "the camera closed the stream"
        )

    def _only_kept(self, container: Any, stream: Any) -> None:
        """Packets into the ring, until the worker stops or the stream ends."""
        seen_packet = False
        for packet in container.demux(stream):
            if self._timeless and packet.size:
                self._date(packet)
            if not seen_packet and packet.pts is not None:
                seen_packet = True
                self.clock = rebegin(
                    self.clock, _seconds(packet.pts, packet.time_base), self._clocks.monotonic()
                )
            self._keep(packet)
            if self._wait(0.0):
                return

    def _decode(
        self, container: Any, stream: Any, pace: _Pace | None, first_s: float | None, dozer: Dozer | None
    ) -> Iterator[Frame]:
        broken, seen_packet = 0, False
        for packet in container.demux(stream):
            if self._timeless and packet.size:
                self._date(packet)
            if not seen_packet and packet.pts is not None:
                seen_packet = True
                at_s = _seconds(packet.pts, packet.time_base)
                self.clock = rebegin(self.clock, at_s, self._clocks.monotonic())
                first_s = at_s if first_s is None else first_s
            self._keep(packet)
            if dozer is not None and packet.is_keyframe and packet.has_sidedata("prft"):
                self._sender = sender_clock(packet) or self._sender
            try:
                if dozer is not None:
                    for one in self._live(packet, dozer):
                        broken = 0
                        yield one
                    continue
                decoded = packet.decode()
            except av.InvalidDataError as exc:
                broken += 1
                self._broke(1)
                if broken > MOST_BROKEN:
                    raise SourceUnreachable(
                        self.camera.camera_id, f"the video is broken: {self._plain(exc)}"
                    ) from None
                continue
            for frame in decoded:
                broken = 0
                stream_s = _seconds(frame.pts, frame.time_base)
                file_s = (stream_s or 0.0) - (first_s or 0.0)
                if pace is not None and file_s < self._start_s - 1e-3:
                    continue  # before the place to begin at
                if pace is not None and not pace.wait_for(file_s):
                    return
                yield self._stamped(VideoPicture(frame), (frame.width, frame.height), stream_s)

    def _date(self, packet: Any) -> None:
        """The time of arrival: a motion JPEG has none, and FFmpeg numbers its pictures as if there were 25 a second."""
        self._dated = max(self._dated + 1, round(self._clocks.monotonic() * TICKS_PER_S))
        packet.pts = packet.dts = self._dated
        packet.time_base = Fraction(1, TICKS_PER_S)

    def _live(self, packet: Any, dozer: Dozer) -> Iterator[Frame]:
        """A live stream's pictures after one more packet."""
        when = packet.dts if packet.dts is not None else packet.pts
        stream_s = _seconds(when, packet.time_base)
        yield from self._framed(dozer.take(packet, stream_s, self._clocks.monotonic(), self._seen()))
        self._dozing = dozer.dozing
        if dozer.put_aside != self._put_aside:
            self._kept(dozer.put_aside - self._put_aside)
            self._put_aside = dozer.put_aside

    def _seen(self) -> Wish:
        """The watcher's wish, in the stream's own seconds."""
        wish, shift_s = self._wish(), self.clock.shift_s
        if (wish, shift_s) != self._wished[:2]:  # asked at each packet, changes with each look
            self._wished = wish, shift_s, msgspec.structs.replace(wish, seen_s=wish.seen_s - shift_s)
        return self._wished[2]

    def _framed(self, ones: Iterator[Decoded]) -> Iterator[Frame]:
        for one in ones:
            picture, size_px = VideoPicture(one.frame), (one.frame.width, one.frame.height)
            stream_s = _seconds(one.frame.pts, one.frame.time_base)
            if one.late and stream_s is not None:
                times = stamp_late(self.clock, stream_s)
                yield Frame(picture=picture, size_px=size_px, media_s=times.media_s, captured_at=times.captured_at,
                            time_uncertain=times.time_uncertain, late=True)  # fmt: skip
            elif not one.late:
                frame = self._stamped(picture, size_px, stream_s)
                yield msgspec.structs.replace(frame, sparse=one.sparse)

    def _keep(self, packet: Any) -> None:
        when = packet.pts if packet.pts is not None else packet.dts
        if packet.size and when is not None:
            self._ring.add(
                Packet(
                    data=bytes(packet), pts=packet.pts, dts=packet.dts, time_base=packet.time_base,
                    keyframe=packet.is_keyframe, media_s=(_seconds(when, packet.time_base) or 0.0) + self.clock.shift_s,
                ),
                self._writer,
            )  # fmt: skip

    def _stamped(self, picture: Any, size_px: tuple[int, int], stream_s: float | None) -> Frame:
        self.clock, times = stamp(self.clock, stream_s, self._clocks.monotonic(), self._clocks.utc())
        return Frame(picture=picture, size_px=size_px, media_s=times.media_s, captured_at=times.captured_at,
                     time_uncertain=times.time_uncertain,
                     camera_utc=self._sender.utc(stream_s) if self._sender and stream_s is not None else None)  # fmt: skip

    def _folder(self, folder: Path) -> Iterator[Frame]:
        """A finished series, one picture a second."""
        self._ring.begin(None, self._writer)
        pictures = stills.series(folder)
        if not pictures:
            raise SourceUnreachable(self.camera.camera_id, f"there are no pictures in {folder}")
        pace = _Pace(self._clocks.monotonic() - self._start_s, self._wait, self._clocks)
        for index, path in enumerate(pictures):
            at_s = index * FOLDER_STEP_S
            if at_s < self._start_s - 1e-3:
                continue
            if not pace.wait_for(at_s):
                return
            bgr = stills.read(path)
            if bgr is not None:
                yield self._still(bgr)
            else:
                self._tell_broken(path, "it is no picture")
        raise SourceEnded(self.camera.camera_id, "played to its end")

    def _stills(self, folder: Path) -> Iterator[Frame]:
        """Pictures that a camera puts into a folder while we watch."""
        self._ring.begin(None, self._writer)
        inbox = stills.Inbox(folder)
        while not self._wait(STILLS_EVERY_S):
            for arrived in inbox.poll(self._clocks.monotonic()):
                if arrived.bgr is not None:
                    yield self._still(arrived.bgr)
                else:
                    self._tell_broken(arrived.path, arrived.reason)

    def _still(self, bgr: Bgr) -> Frame:
        return self._stamped(ArrayPicture(bgr), (bgr.shape[1], bgr.shape[0]), None)

    def _tell_broken(self, path: Path, reason: str) -> None:
        self._broke(1)
        log.warning("picture_broken", camera=self.camera.camera_id, file=str(path), reason=reason)

    def _plain(self, exc: Exception) -> str:
        return redact(f"{type(exc).__name__}: {exc}", self._secrets)


class _Pace:
    """Plays a file at the speed at which it was recorded."""

    def __init__(self, zero_s: float, wait: Callable[[float], bool], clocks: Clocks) -> None:
        self._zero_s, self._wait, self._clocks = zero_s, wait, clocks

    def wait_for(self, file_s: float) -> bool:
        """Wait until that second of the file is due; False if the worker is to stop."""
        left_s = self._zero_s + file_s - self._clocks.monotonic()
        return not self._wait(max(0.0, left_s))


def device_of(source: str) -> str:
    """The device file of a webcam: by its number, or by a path that stays the same across restarts.

    >>> device_of("webcam:0"), device_of("webcam:/dev/v4l/by-id/usb-x-index0")
    ('/dev/video0', '/dev/v4l/by-id/usb-x-index0')
    """
    name = source.removeprefix("webcam:") or "0"
    return f"/dev/video{name}" if name.isdigit() else name


def _seconds(pts: int | None, time_base: Any) -> float | None:
    if pts is None or time_base is None:
        return None
    # not as a product of fractions, which would be reduced at each packet
    return int(pts) * int(time_base.numerator) / int(time_base.denominator)

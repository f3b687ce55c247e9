"""Evidence on the edge's disk: hashed at capture, written durably before the event that names it is numbered.

Files are named by their SHA-256, written to `.part`, synced, renamed. Clips are the camera's own packets in
a container, never re-encoded. Uploading and deleting is `edge.uploader`'s matter.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import av

from edge.errors import EvidenceRefused
from edge.frames import Packet, Ring
from edge.shedding import floor_bytes
from monitor.domain import privacy_note
from monitor.domain.events import EvidenceRef, sha256_hex
from monitor.domain.privacy import Note

PRE_S: Final = 5.0
#: A clip that begins so much later than asked for is no replacement of another stream's.
LATE_S: Final = 0.5
POST_S: Final = 10.0
#: A partial file this old belongs to a process that died.
STALE_S: Final = 120.0

#: Containers for clips, in the order in which they are tried: the first that takes the camera's codec.
CONTAINERS: Final = ((".mp4", "video/mp4"), (".mkv", "video/x-matroska"), (".avi", "video/x-msvideo"))

Kept = tuple[EvidenceRef, str]
"""What was written: its reference, and its file name."""


class EvidenceStore:
    """A folder of evidence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep_jpeg(self, data: bytes, kind: Any, *, of_substream: bool = False) -> Kept:
        """Write a snapshot; EvidenceRefused if the disk does not take it."""
        sha256 = sha256_hex(data)
        name = f"{sha256}.jpg"
        part = self._part(sha256[:16])
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._settle(part, name)
        except OSError as exc:
            part.unlink(missing_ok=True)
            raise EvidenceRefused(f"a snapshot of {len(data)} bytes could not be written: {exc}") from exc
        return EvidenceRef(sha256=sha256, kind=kind, bytes=len(data), of_substream=of_substream), name

    def keep_clip(
        self,
        ring: Ring,
        from_s: float,
        to_s: float,
        boxes: Callable[[float, float], Note | None] = lambda *_: None,
    ) -> Kept | None:
        """Write the packets of that time as a clip; None if there are none, or they fit no container.

        Args:
            boxes: what was found from one stream second to another, to travel inside the clip.
        """
        packets, template = ring.cut(from_s, to_s)
        if not packets or template is None:
            return None
        note = boxes(packets[0].media_s, packets[-1].media_s)
        for suffix, content_type in CONTAINERS:
            part = self._part("clip", suffix)
            try:
                _mux(part, template[1], packets, note)
            except (av.FFmpegError, ValueError):
                part.unlink(missing_ok=True)
                continue
            except OSError as exc:
                part.unlink(missing_ok=True)
                raise EvidenceRefused(f"a clip could not be written: {exc}") from exc
            return self._keep_file(part, suffix, content_type)
        return None

    def _keep_file(self, part: Path, suffix: str, content_type: str) -> Kept:
        try:
            with part.open("rb+") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            size = part.stat().st_size
            self._settle(part, digest + suffix)
        except OSError as exc:
            part.unlink(missing_ok=True)
            raise EvidenceRefused(f"a clip could not be kept: {exc}") from exc
        return EvidenceRef(sha256=digest, kind="clip", bytes=size, content_type=content_type), digest + suffix

    def _part(self, stem: str, suffix: str = "") -> Path:
        """Where a file is written first; EvidenceRefused if it would take the room that messages need."""
        disk = os.statvfs(self.folder)
        if disk.f_bavail * disk.f_frsize < floor_bytes(disk.f_blocks * disk.f_frsize):
            raise EvidenceRefused("the disk is nearly full: what is left is for numbered messages")
        return self.folder / f"{stem}-{os.getpid()}-{time.monotonic_ns()}.part{suffix}"

    def _settle(self, part: Path, name: str) -> None:
        part.replace(self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def sweep(self, named: Iterable[str], now: float | None = None) -> int:
        """Delete what no event names and nobody writes any more (a kill between file and event); how many."""
        keep, gone = set(named), 0
        now = time.time() if now is None else now
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.name not in keep and now - path.stat().st_mtime > STALE_S:
                    path.unlink()
                    gone += 1
        return gone


def _mux(path: Path, template: Any, packets: tuple[Packet, ...], note: Note | None) -> None:
    """Packets into a container, times starting near zero."""
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as out:
        if note is not None:
            out.metadata[privacy_note.TAG] = privacy_note.write(note).decode()
        stream = out.add_stream_from_template(template)
        stamps = [p.dts if p.dts is not None else p.pts for p in packets]
        first = min(s for s in stamps if s is not None)
        last: int | None = None
        for kept in packets:
            packet = av.Packet(kept.data)
            packet.time_base = kept.time_base
            dts = kept.dts if kept.dts is not None else kept.pts
            if dts is None or (last is not None and dts <= last):
                continue  # a muxer takes rising times only
            last = dts
            packet.dts = dts - first
            packet.pts = (kept.pts if kept.pts is not None else dts) - first
            packet.is_keyframe = kept.keyframe
            packet.stream = stream
            out.mux(packet)

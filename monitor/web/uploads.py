"""Files of evidence on the centre's disk: parts that grow, and whole files named by their SHA-256.

A file appears under its name only after its bytes were hashed and synced, so whatever is there is whole.
Who may send what is decided in `evidence.py`; this only keeps bytes.
"""

import hashlib
import os
import threading
from enum import StrEnum
from pathlib import Path
from typing import IO

CHUNK_BYTES = 1 << 20

JPEG, PNG, WEBP, MP4, PDF = "image/jpeg", "image/png", "image/webp", "video/mp4", "application/pdf"


def sniff(head: bytes) -> str | None:
    """The content type that the first bytes show, of those that we take; None for all others."""
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head[4:8] == b"ftyp":
        return MP4
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith(b"%PDF-"):
        return PDF
    return None


def path_of(data_dir: Path, sha256: str) -> Path:
    """Where the bytes of that hash are or will be."""
    return data_dir / "evidence" / sha256[:2] / sha256


def shown_path_of(data_dir: Path, sha256: str) -> Path:
    """Where the copy of a photo is that pages show."""
    return data_dir / "shown" / sha256[:2] / f"{sha256}.jpg"


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """The folder and its parents, each new one synced into the one above."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write, sync, rename: afterwards the file is there whole, or not at all."""
    make_folder(path.parent)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def hash_and_head(path: Path) -> tuple[str, bytes]:
    """SHA-256 of a file as hex, and its first bytes."""
    digest, head = hashlib.sha256(), b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            head = head or chunk[:16]
            digest.update(chunk)
    return digest.hexdigest(), head


class Finish(StrEnum):
    """What became of an upload whose last byte arrived."""

    STORED = "stored"
    OTHER_HASH = "other_hash"
    OTHER_TYPE = "other_type"  # neither JPEG nor MP4, or not what was announced


class TakenOverError(Exception):
    """Another request goes on with this upload; this one is to stop."""


class PartFile:
    """One growing upload. The newest writer owns it, so that a dead connection blocks nobody."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._owner = 0

    def offset(self) -> int:
        """How many bytes are there."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def take(self, at: int) -> tuple[int, IO[bytes]] | None:
        """Become the writer from byte `at` on: an owner's number and the file; None if a hole would arise.

        What is there from `at` on is thrown away.
        """
        with self._lock:
            if at > self.offset():
                return None
            make_folder(self.path.parent)
            file = self.path.open("r+b" if self.path.exists() else "w+b")
            file.truncate(at)
            file.seek(at)
            self._owner += 1
            return self._owner, file

    def write(self, owner: int, file: IO[bytes], data: bytes) -> None:
        """Append; TakenOverError if a newer writer came."""
        with self._lock:
            if owner != self._owner:
                raise TakenOverError
            file.write(data)
            file.flush()

    def finish(self, owner: int, file: IO[bytes], sha256: str, content_type: str) -> Finish:
        """Hash, sync and rename into place. What doesn't fit is thrown away."""
        with self._lock:
            if owner != self._owner:
                raise TakenOverError
            found, head = hash_and_head(self.path)
            if found != sha256:
                self.path.unlink()
                return Finish.OTHER_HASH
            if sniff(head) not in (JPEG, MP4) or sniff(head) != content_type:
                self.path.unlink()
                return Finish.OTHER_TYPE
            os.fsync(file.fileno())
            self.path.replace(self.path.with_suffix(""))
            sync_folder(self.path.parent)
            return Finish.STORED

    def take_out(self, owner: int) -> bytes:
        """All bytes of it; the part is gone then. TakenOverError as above."""
        with self._lock:
            if owner != self._owner:
                raise TakenOverError
            data = self.path.read_bytes()
            self.path.unlink()
            return data


class PartFiles:
    """The parts that are being written now, by their path."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._parts: dict[Path, PartFile] = {}
        self._lock = threading.Lock()

    def of(self, sha256: str) -> PartFile:
        """The part of an edge's evidence; the same object for all requests about it."""
        return self.at(path_of(self._data_dir, sha256).with_suffix(".part"))

    def at(self, path: Path) -> PartFile:
        """The part that grows there; the same object for all requests about it."""
        with self._lock:
            return self._parts.setdefault(path, PartFile(path))

    def forget(self, part: PartFile) -> None:
        """The upload is done."""
        with self._lock:
            self._parts.pop(part.path, None)

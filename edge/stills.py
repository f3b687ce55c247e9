"""Pictures in a folder: a finished series that is played, or one into which a camera puts stills while we watch.

Says which files are pictures, which are complete, and in which order they are taken. Many cameras upload stills
by FTP, into folders of the day; a file that is still being written waits, one that stays half is told and left.
Leaves pacing and stamping to `edge.sources`. Deletes nothing: that is the upload server's to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np

from edge.frames import Bgr

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
#: How a whole file of its kind ends; JPEGs may have a few bytes more behind it.
_ENDS: Final = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82"}
TAIL_BYTES: Final = 64
#: A thumbnail inside has such an end too, so the file must have stopped growing as well.
STILL_S: Final = 0.2
#: A file of another kind is whole when it has not grown for so long; one that is not whole by then is broken.
SETTLED_S: Final = 2.0
GIVEN_UP_S: Final = 20.0
#: A folder with more files is only listed when something was put into it; overwriting one does not show.
ALWAYS_LISTED: Final = 200
#: Folders of the day, the hour, the kind: how deep.
DEEPEST: Final = 4
#: A file beyond this is no still.
MOST_BYTES: Final = 64 * 1024 * 1024

Mark = tuple[int, int]
"""When a file was last written (nanoseconds) and its size: other contents have another mark."""


class Still(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it lies there now."""

    path: Path
    mark: Mark
    #: when it was written, renamed or linked last: the order of arrival; nanoseconds
    came_ns: int


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose turn it is."""

    path: Path
    #: None: it is broken, and `reason` says how
    bgr: Bgr | None
    reason: str = ""


def is_picture(name: str) -> bool:
    """By its name; hidden files are uploads under way."""
    return not name.startswith(".") and _suffix(name) in SUFFIXES


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2].lower()


def series(folder: Path) -> list[Path]:
    """The pictures of a finished series, in order of their names."""
    return sorted(p for p in folder.iterdir() if is_picture(p.name))


def read(path: Path) -> Bgr | None:
    """A picture, shape (H, W, 3); None if it is none.

    Raises:
        OSError: it can't be read.
    """
    data = np.fromfile(path, dtype=np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if 0 < data.size <= MOST_BYTES else None
    return None if bgr is None else np.asarray(bgr, dtype=np.uint8)


class _Listed:
    """One folder as it was listed last."""

    __slots__ = ("below", "changed_ns", "taken")

    def __init__(self) -> None:
        self.changed_ns = -1
        self.below: tuple[Path, ...] = ()
        #: by file name, the mark under which it was taken
        self.taken: dict[str, Mark] = {}


class Inbox:
    """A folder that a camera fills, with what was taken from it. For one thread."""

    def __init__(self, folder: Path) -> None:
        """What lies there already is the past, and is not taken. Raises OSError if there is no such folder."""
        self._top = folder
        self._folders: dict[Path, _Listed] = {}
        #: files that are not whole yet: their mark, and since when it has been that (monotonic seconds)
        self._waiting: dict[Path, tuple[Mark, float]] = {}
        folder.stat()
        for still in self._scan():
            self._take(still)

    def poll(self, now_s: float) -> Iterator[Arrived]:
        """The files that have become whole since the last time, in order of arrival; and those given up.

        Raises:
            OSError: the folder is gone.
        """
        self._top.stat()
        for still in sorted(self._scan(), key=lambda s: (s.came_ns, s.path)):
            mark, since_s = self._waiting.get(still.path, (None, now_s))
            if mark != still.mark:
                since_s = now_s
            self._waiting[still.path] = (still.mark, since_s)
            if (arrived := _look_at(still, now_s - since_s)) is not None:
                self._take(still)
                yield arrived

    def _take(self, still: Still) -> None:
        self._folders[still.path.parent].taken[still.path.name] = still.mark
        self._waiting.pop(still.path, None)

    def _scan(self) -> list[Still]:
        """Files that were not taken as they are now."""
        before, self._folders = self._folders, {}
        found = list(self._below(self._top, DEEPEST, before))
        there = {still.path for still in found}
        self._waiting = {path: was for path, was in self._waiting.items() if path in there}
        return found

    def _below(self, folder: Path, depth: int, before: dict[Path, _Listed]) -> Iterator[Still]:
        listed = self._folders[folder] = before.get(folder) or _Listed()
        try:
            yield from self._list(folder, listed)
        except OSError:  # taken away meanwhile
            return
        for below in listed.below if depth else ():
            yield from self._below(below, depth - 1, before)

    def _list(self, folder: Path, listed: _Listed) -> Iterator[Still]:
        changed_ns = folder.stat().st_mtime_ns
        waits = any(path.parent == folder for path in self._waiting)
        if changed_ns == listed.changed_ns and not waits and len(listed.taken) > ALWAYS_LISTED:
            return
        with os.scandir(folder) as entries:
            shown = [e for e in entries if not e.name.startswith(".")]
        listed.below = tuple(sorted(folder / e.name for e in shown if e.is_dir(follow_symlinks=False)))
        files = {e.name: e.stat() for e in shown if is_picture(e.name) and e.is_file()}
        listed.changed_ns = changed_ns
        listed.taken = {name: mark for name, mark in listed.taken.items() if name in files}
        for name, stat in files.items():
            mark = (stat.st_mtime_ns, stat.st_size)
            if listed.taken.get(name) != mark:
                yield Still(path=folder / name, mark=mark, came_ns=stat.st_ctime_ns)


def _look_at(still: Still, unchanged_s: float) -> Arrived | None:
    """The picture if it is whole, the fault if it won't be, None while it is to be waited for."""
    try:
        whole = _is_whole(still, unchanged_s)
        bgr = read(still.path) if whole else None
    except OSError as exc:
        return Arrived(path=still.path, bgr=None, reason=str(exc)) if unchanged_s >= GIVEN_UP_S else None
    if bgr is not None:
        return Arrived(path=still.path, bgr=bgr)
    if whole and unchanged_s >= SETTLED_S:
        return Arrived(path=still.path, bgr=None, reason="it is no picture")
    if unchanged_s >= GIVEN_UP_S:
        return Arrived(path=still.path, bgr=None, reason=f"its end has been missing for {GIVEN_UP_S:.0f} s")
    return None


def _is_whole(still: Still, unchanged_s: float) -> bool:
    end = _ENDS.get(_suffix(still.path.name))
    if end is None:
        return unchanged_s >= SETTLED_S
    if unchanged_s < STILL_S:
        return False
    with still.path.open("rb") as file:
        file.seek(max(0, still.mark[1] - TAIL_BYTES))
        return end in file.read(TAIL_BYTES)

"""What the run and its child processes share: switches in mapped memory, and each child's synced journal.

A journal is the truth that the outbox is judged by: a line stands there only after `append` had returned,
and it lies on another disk than the one that the faults fill.
"""

from __future__ import annotations

import mmap
import os
import resource
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

#: clock's offset in seconds, the switches' bytes below
_CLOCK: Final = struct.Struct("=d")
_STEPS: Final = struct.Struct("=i")
MOST_CAMERAS: Final = 8
_CAMERAS_AT: Final = 8
_ARMED_AT: Final = 16  # 4 bytes for the worker, then for each camera
_READY_AT: Final = 56  # a byte for the worker, then for each camera
_CONNECTED_AT: Final = 72
_SIZE: Final = 128
#: the place of the worker among those that can be armed
WORKER: Final = -1


class Switches:
    """Small facts that the run sets and children read at once; one writer, whole words."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        if make:
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    @property
    def clock_off_s(self) -> float:
        """How far the edge's wall clock is off."""
        return float(_CLOCK.unpack_from(self._map, 0)[0])

    @clock_off_s.setter
    def clock_off_s(self, value: float) -> None:
        _CLOCK.pack_into(self._map, 0, value)

    def camera_is_cut(self, camera: int) -> bool:
        """Whether this camera gives no picture."""
        return self._map[_CAMERAS_AT + camera] == 1

    def cut_camera(self, camera: int, cut: bool) -> None:
        """Take the picture away, or give it back."""
        self._map[_CAMERAS_AT + camera] = int(cut)

    def arm(self, who: int, steps: int) -> None:
        """Let this process die by SIGKILL after so many steps inside SQLite."""
        _STEPS.pack_into(self._map, self._armed_at(who), steps)

    def take_armed(self, who: int) -> int:
        """The steps, once; 0 if it is not armed."""
        (steps,) = _STEPS.unpack_from(self._map, self._armed_at(who))
        if steps:
            _STEPS.pack_into(self._map, self._armed_at(who), 0)
        return int(steps)

    def is_ready(self, who: int) -> bool:
        """Whether this process has begun its work."""
        return self._map[_READY_AT + who + 1] == 1

    def set_ready(self, who: int, ready: bool) -> None:
        """The process says that it works; whoever starts it anew takes that back."""
        self._map[_READY_AT + who + 1] = int(ready)

    @property
    def connected(self) -> bool:
        """Whether the edge has the broker."""
        return self._map[_CONNECTED_AT] == 1

    @connected.setter
    def connected(self, value: bool) -> None:
        self._map[_CONNECTED_AT] = int(value)

    @staticmethod
    def _armed_at(who: int) -> int:
        return _ARMED_AT + 4 * (who + 1)


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a journal."""

    #: durable: `append` returned; refused: it said that nothing was kept; told: so many refusals were numbered
    what: Literal["durable", "refused", "told", "cut", "picture_refused", "began", "ended"]
    #: what the message is about, given by the camera: nothing is told twice under another number
    name: str = ""
    epoch: str = ""
    seq: int = 0
    sha256: str = ""
    kind: str = ""
    #: evidence that became durable with it
    evidence: tuple[str, ...] = ()
    count: int = 0


class Journal:
    """Appends lines, each synced before the writer goes on."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, line: Line) -> None:
        """Write and sync one line, whatever limit the run has set to this process's files."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limits[0] != limits[1]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limits[1], limits[1]))
        os.write(self._fd, msgspec.json.encode(line) + b"\n")
        os.fdatasync(self._fd)
        if limits[0] != limits[1]:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


_LINE: Final = msgspec.json.Decoder(Line)


def read_journals(folder: Path) -> Iterator[tuple[Line, ...]]:
    """The lines of each life, oldest life first; a line that a kill cut off is none."""
    for path in sorted(folder.glob("*.journal")):
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        yield tuple(_LINE.decode(line) for line in whole.splitlines())

"""The edge's disk in a fault run: a small file system in memory that really gets full.

Root mounts it where nobody else sees it, so that it is gone with the run. Without root there is no such file
system: then the size of files that the edge's processes may write is limited, which SQLite answers likewise.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_MS_REC_PRIVATE: Final = 0x4000 | 0x40000
_MNT_DETACH: Final = 2
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_SIZE: Final = "16m"
_BLOCK: Final = 4096


class Disk:
    """The folder of the edge's data. `kind` says how it gets full: tmpfs or limit."""

    def __init__(self, folder: Path, *, kind: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.kind = kind or ("tmpfs" if os.geteuid() == 0 else "limit")
        self.full = False
        if self.kind == "tmpfs" and not _mount(folder):
            self.kind = "limit"

    @property
    def data_dir(self) -> Path:
        """Where the edge's data lie."""
        return self.folder / "data"

    def fill(self, pids: Iterable[int]) -> None:
        """No room any more, for these processes at least."""
        self.full = True
        if self.kind == "limit":
            self.limit(pids)
            return
        with (self.folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(_BLOCK))

    def limit(self, pids: Iterable[int]) -> None:
        """Without a file system of our own: hold processes to a limit while the disk is full, else free them."""
        if self.kind == "limit":
            size = _BLOCK if self.full else resource.RLIM_INFINITY
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def free(self, pids: Iterable[int]) -> None:
        """Room again."""
        self.full = False
        self.limit(pids)
        (self.folder / "ballast").unlink(missing_ok=True)

    def clear(self) -> None:
        """Empty for the next seed."""
        self.free(())
        for path in self.folder.iterdir():
            shutil.rmtree(path, ignore_errors=True)

    def end(self) -> None:
        """Give the memory back."""
        self.clear()
        if self.kind == "tmpfs":
            _LIBC.umount2(os.fsencode(self.folder), _MNT_DETACH)


def _mount(folder: Path) -> bool:
    """A file system of our own, in a name space of our own; whether there is one."""
    if _LIBC.unshare(_CLONE_NEWNS) != 0:
        return False
    _LIBC.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None)
    return (
        int(_LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(0), f"size={_SIZE}".encode()))
        == 0
    )

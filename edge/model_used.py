"""Which promoted set an edge uses, on disk: a restart goes on with it, and with none that was not tried here.

That a set's folder is whole says nothing: one that was refused or given up is whole as well. So only the end of a change
writes this file, with the backend that the set was tried with. It is replaced whole, so that a power cut leaves the old
one or the new one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

log = structlog.get_logger()
NAME: Final = "used.json"


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file. A set is named by its SHA-256; None is the edge's own."""

    in_use: str | None = None
    before: str | None = None
    #: that `in_use` was tried with
    backend: str = ""


def note(folder: Path, used: Used) -> None:
    """Replace what was noted, durably. A disk that does not take it is logged: the next start uses what stands there."""
    part = folder / f"{NAME}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(msgspec.json.encode(used))
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / NAME)
        held = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(held)
        finally:
            os.close(held)
    except OSError as exc:
        log.error("used_model_not_noted", error=str(exc), what="a restart may use the one before")


def noted(folder: Path) -> Used:
    """What was noted; the edge's own detector if nothing was or it can't be read."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Used)
    except FileNotFoundError:
        return Used()
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as exc:
        log.error("used_model_unreadable", error=str(exc), what="the edge's own detector begins")
        return Used()

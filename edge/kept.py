"""The configuration that was taken, on disk: an edge that starts without the centre goes on with it.

One file, replaced whole, so that a power cut leaves the old one or the new one. It counts only beside the
own file that was there when it was kept: whoever edits that means it, until the centre speaks again.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog

from monitor.domain.edge_config import EdgeConfiguration

log = structlog.get_logger()
NAME = "configuration.json"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file."""

    #: hash of the edge's own file
    beside: str
    configuration: EdgeConfiguration


def keep(folder: Path, configuration: EdgeConfiguration, beside: str) -> None:
    """Replace what was kept, durably; OSError if the disk does not take it."""
    part = folder / f"{NAME}.part"
    try:
        with part.open("wb") as file:
            file.write(msgspec.json.encode(Kept(beside=beside, configuration=configuration)))
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / NAME)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def kept(folder: Path, beside: str) -> EdgeConfiguration | None:
    """What was kept; None if nothing was, it can't be read, or the own file is another one by now."""
    try:
        found = msgspec.json.decode((folder / NAME).read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as exc:
        log.error("kept_configuration_unreadable", error=str(exc), what="the edge's own file counts")
        return None
    if found.beside != beside:
        log.warning(
            "own_file_changed", kept=found.configuration.number, what="it counts until the centre speaks"
        )
        return None
    return found.configuration

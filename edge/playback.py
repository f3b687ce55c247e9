"""Where a file camera begins: at its start, or, after a crash, where it would be had nobody died.

A file stands in for a live camera, and a live camera does not wait for its worker. So the moment at which
it began is kept across a kill and forgotten at an orderly stop. Pure but for asking a file how long it is.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import av
import msgspec

from edge import stills
from edge.sources import FOLDER_STEP_S

#: After so long a dead worker's file is played anew instead of counting as ended.
FORGOTTEN_S: Final = 600.0


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """When a file camera began; Unix seconds."""

    source: str
    at: float


def start_s(
    began: Began | None, source: str, now: float, duration_s: float | None, *, loop: bool
) -> float | None:
    """Second of the file at which to go on; None: begin anew.

    >>> start_s(Began(source="a.mp4", at=100.0), "a.mp4", 130.0, 60.0, loop=False)
    30.0
    """
    if began is None or began.source != source or now < began.at or not duration_s:
        return None
    elapsed_s = now - began.at
    if loop:
        return elapsed_s % duration_s
    if elapsed_s < duration_s:
        return elapsed_s
    return duration_s if elapsed_s - duration_s < FORGOTTEN_S else None


def duration_s(source: str) -> float | None:
    """Length of a file or folder of images in seconds; None if nobody can say."""
    path = Path(source.removeprefix("file://")).expanduser()
    if path.is_dir():
        return FOLDER_STEP_S * len(stills.series(path))
    with (
        contextlib.suppress(av.FFmpegError, OSError, ValueError),
        av.open(str(path), timeout=5.0) as container,
    ):
        return None if container.duration is None else container.duration / av.time_base
    return None

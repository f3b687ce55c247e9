"""`python -m monitor.web.blurred_film FILM COPY SHA256`: a film encoded anew with faces and plates hidden.

A process of its own, at a low priority and with limits on time and memory, because a film is what
somebody sent: whatever its decoder does, the centre goes on. The copy is at most 1280 pixels wide and has
at most 12.5 pictures a second. Exit status 0: the copy is there and whole.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from monitor.domain import privacy_note
from monitor.domain.privacy import Film, Note, in_size
from monitor.web.blurring import Bgr, hide, hide_all, stamp

MOST_WIDTH_PX: Final = 1280
LEAST_STEP_S: Final = 0.08
#: An edge's clip has fifteen seconds and what lies before its first key frame.
MOST_S: Final = 120.0
CPU_S: Final = 600
#: A third of what the room's own processes get where cores are short. The lowest priority, 19, gets a
#: seventieth: on a machine with much to do no copy was ever done.
NICE: Final = 5
MEMORY_BYTES: Final = 3 << 30
_TIME_BASE: Final = Fraction(1, 1000)
_X264: Final = {"preset": "veryfast", "crf": "27", "threads": "1", "bf": "0"}


def main() -> int:
    """Make one copy."""
    source, target, sha256 = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    cv2.setNumThreads(1)
    try:
        make(source, target, sha256)
    except (av.FFmpegError, OSError, ValueError, IndexError, MemoryError) as exc:
        print(f"no copy of {sha256}: {exc!r}", file=sys.stderr)  # noqa: T201  (the parent logs it)
        return 1
    return 0


def make(source: Path, target: Path, sha256: str) -> None:
    """Decode, hide, encode. ValueError, or PyAV's error, if the film can't be read."""
    written = 0
    with (
        av.open(str(source)) as film,
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out,
    ):
        tags = {key.lower(): text for key, text in film.metadata.items()}
        note = privacy_note.read(tags.get(privacy_note.TAG))
        films: dict[tuple[int, int], Film | None] = {}
        out.metadata["title"] = f"blurred copy of {sha256}"
        stream: Any = None
        for at_s, bgr in _pictures(film):
            size_px = (bgr.shape[1], bgr.shape[0])
            if size_px not in films:
                films[size_px] = _film(note, size_px)
            picture = stamp(_hidden(bgr, films[size_px], at_s), sha256)
            if stream is None:
                stream = out.add_stream("libx264", rate=round(1 / LEAST_STEP_S), options=_X264)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = _TIME_BASE
            elif picture.shape[:2] != (stream.height, stream.width):
                break  # the camera changed its picture within the film: what came before is shown
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(at_s / _TIME_BASE), _TIME_BASE
            out.mux(stream.encode(frame))
            written += 1
        if stream is None:
            raise ValueError("the film has no picture")
        out.mux(stream.encode(None))


def _pictures(film: Any) -> Iterator[tuple[float, Bgr]]:
    """(seconds since the first picture, picture), not more than are wanted."""
    if not film.streams.video:
        raise ValueError("the film has no picture")
    first_s: float | None = None
    last_s = -1.0
    video = film.streams.video[0]
    video.thread_type = "NONE"
    with contextlib.suppress(
        av.error.EOFError, av.error.InvalidDataError
    ):  # a cut film is shown as far as it goes
        for frame in film.decode(video):
            if frame.time is None:
                continue
            first_s = float(frame.time) if first_s is None else first_s
            at_s = float(frame.time) - first_s
            if at_s > MOST_S:
                return
            if at_s >= last_s + LEAST_STEP_S - 0.002:
                last_s = at_s
                yield at_s, np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)


def _film(note: Note | None, size_px: tuple[int, int]) -> Film | None:
    """The looks in the film's pixels: they may be a substream's. None for those of another shape."""
    fitting = None if note is None else in_size(note, size_px)
    return None if fitting is None else Film(fitting.looks)


def _hidden(bgr: Bgr, film: Film | None, at_s: float) -> Bgr:
    """Without boxes all of it is hidden."""
    small = _shrunk(bgr)
    parts = None if film is None else film.hidden_at(at_s)
    if parts is None:
        return hide_all(small)
    scale = small.shape[1] / bgr.shape[1]
    return hide(small, ((x1 * scale, y1 * scale, x2 * scale, y2 * scale) for x1, y1, x2, y2 in parts))


def _shrunk(bgr: Bgr) -> Bgr:
    if bgr.shape[1] <= MOST_WIDTH_PX:
        return bgr
    size = (MOST_WIDTH_PX, round(bgr.shape[0] * MOST_WIDTH_PX / bgr.shape[1]))
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


if __name__ == "__main__":
    sys.exit(main())

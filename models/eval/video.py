"""Shows clips to a detector as a camera would: by the stream's clock, so many looks a second. The rim.

Decides which frames are looked at, and that a clip is the annotated one; leaves what the looks mean to
`models.eval.events`. The edge's motion gate is left out: here the detector looks whether something moves or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from models.detector import Detector
from models.errors import DataUnusable
from models.eval.events.debounce import LOOKS_PER_S, Look
from models.eval.events.summary import Watched
from models.eval.events.truth import Clip, Truth, belongs

CLIP_SUFFIXES: Final = frozenset({".mp4", ".avi", ".mkv", ".mov", ".ts", ".m4v", ".webm", ".mpg", ".mpeg"})


def choose(
    paths: Sequence[Path], truth: Truth, events_yaml: Path
) -> tuple[tuple[tuple[Clip, Path], ...], tuple[Path, ...]]:
    """The annotated clips among `paths`, each checked, and the files in folders that nobody annotated.

    Raises:
        DataUnusable: a named file is missing or has no annotations, is another one than was annotated, two
            files have one clip's name, or there is nothing to look at.
    """
    told = {clip.file: clip for clip in truth.clips}
    found: list[tuple[Clip, Path]] = []
    left: list[Path] = []
    for path in paths:
        if path.is_dir():
            for file in sorted(p for p in path.iterdir() if p.suffix.lower() in CLIP_SUFFIXES):
                if file.name in told:
                    found.append((told[file.name], file))
                else:
                    left.append(file)
        elif not path.is_file():
            raise DataUnusable(path, "there is no such clip or folder")
        elif path.name not in told:
            raise DataUnusable(path, f"{events_yaml} says nothing about a clip of this name")
        else:
            found.append((told[path.name], path))
    if not found:
        raise DataUnusable(events_yaml, "none of its clips is there: " + ", ".join(str(p) for p in paths))
    once: dict[str, tuple[Clip, Path]] = {}
    for clip, file in found:
        other = once.setdefault(clip.file, (clip, file))[1]
        if other.resolve() != file.resolve():
            raise DataUnusable(
                file, f"and {other} are two files of the one clip {clip.file}: name one of them"
            )
    for clip, file in once.values():
        belongs(clip, file, events_yaml)
    return tuple(once.values()), tuple(dict.fromkeys(left))


def watch(
    chosen: Sequence[tuple[Clip, Path]],
    detector: Detector,
    *,
    looks_per_s: float = LOOKS_PER_S,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Watched]:
    """What the detector sees in each clip; `progress` is called with (clips done, clips in all)."""
    for done, (clip, path) in enumerate(chosen, start=1):
        looks = []
        end_s = 0.0
        for media_s, bgr, end_s in frames(path, looks_per_s):  # noqa: B007 (the last end is the clip's)
            if bgr is not None:
                looks.append(_look(media_s, bgr, detector))
        yield Watched(clip=clip, looks=tuple(looks), length_s=end_s)
        if progress is not None:
            progress(done, len(chosen))


def frames(path: Path, looks_per_s: float) -> Iterator[tuple[float, NDArray[np.uint8] | None, float]]:
    """Every frame of a clip as (its time, its picture if it is to be looked at, when it ends); seconds from the first.

    A frame is looked at if `1 / looks_per_s` has passed since the last that was due: the same frames each time.

    Raises:
        DataUnusable: the file is no film that can be decoded.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataUnusable(path, "holds no film")
            yield from _sampled(container, looks_per_s)
    except (av.FFmpegError, OSError) as exc:
        raise DataUnusable(path, f"can't be decoded: {exc}") from exc


def _sampled(
    container: av.container.InputContainer, looks_per_s: float
) -> Iterator[tuple[float, NDArray[np.uint8] | None, float]]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    frame_s = 1.0 / float(stream.average_rate) if stream.average_rate else 0.0
    begin_s: float | None = None
    due = 0
    for frame in container.decode(stream):
        if frame.time is None:
            continue
        begin_s = frame.time if begin_s is None else begin_s
        media_s = frame.time - begin_s
        picture = None
        if media_s * looks_per_s >= due - 1e-6:
            picture = np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
            due = int(media_s * looks_per_s + 1e-6) + 1
        yield media_s, picture, media_s + frame_s


def _look(media_s: float, bgr: NDArray[np.uint8], detector: Detector) -> Look:
    best: dict[str, float] = {}
    for found in detector.detect(bgr):
        best[found.class_name] = max(found.score, best.get(found.class_name, 0.0))
    return Look(media_s=media_s, best=best)

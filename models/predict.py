"""Boxes for pictures in files, one plain table a picture: the core of `hcawatch models predict`.

Decides in which order pictures are taken and what is said of one that can't be read; a broken
picture is a line with `error`, never an end. Leaves printing to the command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector import Detector
from models.errors import ImageUnreadable, ModelError

#: What is taken from a folder; a file that is named itself is tried whatever it is called.
PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
#: A larger file is refused before it is decoded: ten times a large camera's still.
MAX_BYTES: Final = 200 * 1024 * 1024


def predict_paths(paths: Iterable[Path | str], detector: Detector) -> Iterator[dict[str, Any]]:
    """One table a picture, in the order given; folders are searched through, by name.

    Yields:
        {"image": path, "boxes": [{"class", "score", "xyxy"}, …]} with pixels of the given picture,
        best score first, down to the detector's `score_min` (0.01 unless loaded otherwise); or
        {"image": path, "error": sentence}.
    """
    for path in paths:
        yield from (_predict_one(picture, detector) for picture in _pictures(Path(path)))


def read_image(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8 BGR, turned as its EXIF says; ImageUnreadable if it isn't one."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImageUnreadable(path, f"larger than {MAX_BYTES // 2**20} MiB")
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as exc:
        raise ImageUnreadable(path, exc.strerror or str(exc)) from exc
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as exc:  # too many pixels, a header that lies
        raise ImageUnreadable(path, "not a picture that can be decoded") from exc
    if image is None:
        raise ImageUnreadable(path, "not a picture that can be decoded")
    return np.asarray(image, dtype=np.uint8)


def _pictures(path: Path) -> Iterator[Path]:
    """The path itself, or the pictures below a folder; a folder without any gives itself, to be reported."""
    if not path.is_dir():
        yield path
        return
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
    yield from found or [path]


def _predict_one(path: Path, detector: Detector) -> dict[str, Any]:
    if path.is_dir():
        return {"image": str(path), "error": "no pictures in this folder"}
    try:
        detections = detector.detect(read_image(path))
    except ImageUnreadable as exc:
        return {"image": str(path), "error": exc.reason}
    except ModelError as exc:
        return {"image": str(path), "error": str(exc)}
    return {
        "image": str(path),
        "boxes": [
            {"class": d.class_name, "score": round(d.score, 5), "xyxy": [round(v, 2) for v in d.xyxy]}
            for d in detections
        ],
    }

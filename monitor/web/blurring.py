"""Hides parts of a picture for good, and says on it that this is a copy. Pure functions on arrays.

A hidden part keeps a handful of mean colours, three or four across, smoothed: enough to see that somebody
is there and in what, too little for a face or a character of a plate. Parts are hidden one after the other
in the same picture, so that two that overlap never show two different samplings of what lies beneath.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain.privacy import Rect

Bgr = NDArray[np.uint8]

#: Mean colours that are left across the shorter side of a hidden part.
CELLS: Final = 4
#: … and across a whole picture whose boxes nobody knows: a face that fills half of it keeps six.
CELLS_OF_ALL: Final = 12
#: A mean is never of less than this, however small the part.
LEAST_CELL_PX: Final = 6
#: The words that a copy bears, in both languages, on a strip of their own below the picture.
WORDS: Final = "BLURRED COPY · 模糊副本   original / 原件  SHA-256"
_STRIP_BGR: Final = (52, 40, 32)


def hide(bgr: Bgr, parts: Iterable[Rect]) -> Bgr:
    """A copy of the picture, shape (H, W, 3), with those parts hidden; what lies outside of it is cut off."""
    picture = bgr.copy()
    height, width = picture.shape[:2]
    for x1, y1, x2, y2 in parts:
        left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
        right, bottom = min(width, math.ceil(x2)), min(height, math.ceil(y2))
        if right > left and bottom > top:
            picture[top:bottom, left:right] = _coarse(picture[top:bottom, left:right], CELLS)
    return picture


def hide_all(bgr: Bgr) -> Bgr:
    """The picture with nothing left but its coarse colours: for one whose boxes nobody knows."""
    return _coarse(bgr, CELLS_OF_ALL)


def _coarse(part: Bgr, cells: int) -> Bgr:
    height, width = part.shape[:2]
    cell = max(LEAST_CELL_PX, min(height, width) / cells)
    few = (max(1, round(width / cell)), max(1, round(height / cell)))
    means = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    large = cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST)
    return cast(Bgr, cv2.GaussianBlur(large, (0, 0), max(1.0, cell / 3)))


def stamp(bgr: Bgr, sha256: str) -> Bgr:
    """The picture with a strip below that says what it is a copy of; sides stay even, for films."""
    height, width = bgr.shape[:2]
    size_px = max(9, round(width / 62))
    strip_px = 4 * size_px // 2 * 2
    picture = np.empty((height // 2 * 2 + strip_px, width // 2 * 2, 3), np.uint8)
    picture[:-strip_px] = bgr[: height // 2 * 2, : width // 2 * 2]
    picture[-strip_px:] = _STRIP_BGR
    for line, text in enumerate((WORDS, sha256)):
        at = (size_px // 2, picture.shape[0] - strip_px + round(size_px * (1.4 + 1.8 * line)))
        cv2.putText(picture, text, at, (255, 255, 255), cv2.FontFace("sans"), size_px, 600)
    return picture

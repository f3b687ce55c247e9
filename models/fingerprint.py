"""What of a picture tells that another one shows the same: a hash, a thumbnail, colours and corner points.

Decides how alike two pictures are. Which pairs are looked at is `models.duplicates`'s task, which pictures
are one scene `models.eval.held_out`'s. Own code: the hash is one cosine transform, and the library for it
(ImageHash) brings SciPy, PyWavelets and Pillow to each edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import DataUnusable

THUMBNAIL_PX: Final = 32
#: The lowest 8 x 8 frequencies of the thumbnail make the 64 bits.
LOW: Final = 8
CORNERS: Final = 300
CORNER_SIDE_PX: Final = 256
#: ORB fails on anything narrower, and finds no corner within 31 px of an edge anyway.
STRIP_PX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Everything by which a picture is compared; a few kilobytes."""

    path: Path
    #: (64,) bool: whether a frequency is above the median; `mirrored` is that of the picture seen in a mirror.
    hash: NDArray[np.bool_]
    mirrored: NDArray[np.bool_]
    #: (32, 32) brightness with mean 0 and length 1.
    thumbnail: NDArray[np.float32]
    #: (192,) square roots of the shares of hue x saturation x value.
    colours: NDArray[np.float32]
    #: (N, 2) corner points and their (N, 32) ORB descriptions, at 256 px on the long side.
    corners: NDArray[np.float32]
    descriptions: NDArray[np.uint8]


def fingerprint(path: Path) -> Fingerprint:
    """Read a picture and describe it.

    Raises:
        DataUnusable: it can't be read as a picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataUnusable(path, "can't be read as a picture")
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    corners, descriptions = _corners(grey)
    return Fingerprint(
        path=path, hash=_hash(small), mirrored=_hash(np.ascontiguousarray(small[:, ::-1])),
        thumbnail=_unit(small), colours=_colours(picture), corners=corners, descriptions=descriptions,
    )  # fmt: skip


def likenesses(
    a: Sequence[Fingerprint], b: Sequence[Fingerprint]
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Of each of `a` with each of `b`: (N, M) bits of 64 in which the hashes differ, and (N, M) correlation of
    the thumbnails, -1 to 1. The nearer of straight and mirrored counts."""
    ours, theirs = _signs([p.hash for p in a]), _signs([p.hash for p in b])
    turned, back = _signs([p.mirrored for p in a]), _signs([p.mirrored for p in b])
    # Both ways: a median among equal values makes a mirror image's hash not quite the mirrored hash.
    same = np.maximum(ours @ theirs.T, np.maximum(ours @ back.T, turned @ theirs.T))
    straight = np.array([p.thumbnail.ravel() for p in b])
    mirrored = np.array([p.thumbnail[:, ::-1].ravel() for p in b])
    own = np.array([p.thumbnail.ravel() for p in a])
    bits = np.asarray((LOW * LOW - same) / 2, np.int16)
    return bits, np.asarray(np.maximum(own @ straight.T, own @ mirrored.T), np.float32)


def colours_of(prints: Sequence[Fingerprint]) -> NDArray[np.float32]:
    """(N, 192); the product of two rows is the overlap of their colours, 0 to 1 (Bhattacharyya's coefficient)."""
    return np.array([p.colours for p in prints], np.float32)


def shared_corners(a: Fingerprint, b: Fingerprint) -> int:
    """Corner points that one shift, turn and scale (0.4 to 2.5) takes from one picture to the other."""
    if len(a.descriptions) < LOW or len(b.descriptions) < LOW:
        return 0
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(a.descriptions, b.descriptions, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < min(0.8 * p[1].distance, 64)]
    if len(good) < LOW:
        return 0
    cv2.setRNGSeed(1)  # the same answer at each call
    matrix, inside = cv2.estimateAffinePartial2D(
        a.corners[[m.queryIdx for m in good]], b.corners[[m.trainIdx for m in good]], ransacReprojThreshold=4
    )
    if matrix is None or not 0.4 < float(np.hypot(matrix[0, 0], matrix[0, 1])) < 2.5:
        return 0
    return int(inside.sum())


def _signs(hashes: list[NDArray[np.bool_]]) -> NDArray[np.float32]:
    return np.array(hashes, np.float32).reshape(-1, LOW * LOW) * 2 - 1


def _hash(small: NDArray[np.float32]) -> NDArray[np.bool_]:
    low = cv2.dct(small)[:LOW, :LOW].ravel()
    return np.asarray(low > np.median(low[1:]), np.bool_)  # the first is the mean brightness


def _unit(small: NDArray[np.float32]) -> NDArray[np.float32]:
    level = small - small.mean()
    return np.asarray(level / max(float(np.linalg.norm(level)), 1e-6), np.float32)


def _colours(picture: NDArray[Any]) -> NDArray[np.float32]:
    hsv = cv2.cvtColor(cv2.resize(picture, (64, 64)), cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [12, 4, 4], [0, 180, 0, 256, 0, 256]).ravel()
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def _corners(grey: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    scale = CORNER_SIDE_PX / max(grey.shape)
    if min(grey.shape) * scale < STRIP_PX:
        return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # 10 instead of 20: night pictures have weak corners.
    points, descriptions = cv2.ORB.create(CORNERS, fastThreshold=10).detectAndCompute(small, None)
    if descriptions is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    return np.array([p.pt for p in points], np.float32), np.asarray(descriptions, np.uint8)

"""Real pictures to put machines into: which serve, where their ground lies, what light they have.

Decides from labels and pixels only; what is put in is `models.training.scenery`'s and
`models.training.cutouts`' matter. Perspective is a guess: people and cars in the labels tell the
camera's height and the horizon, else a usual one is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import DataUnusable
from models.eval.dataset import LabelledPicture
from models.predict import PICTURE_SUFFIXES
from models.scenes.camera import Camera
from models.training.colours import own_share

Picture = NDArray[np.uint8]
Values = NDArray[np.float32]
Box = tuple[float, float, float, float]
Labels = tuple[tuple[str, Box], ...]
Rng = np.random.Generator

MACHINES: Final = frozenset({"excavator", "crane", "loader", "drill_rig"})
#: Heights in metres of what tells a picture's scale.
KNOWN_HEIGHT_M: Final = {"person": 1.7, "car": 1.5}
#: A picture smaller than this has no room for a machine that one can tell.
SMALLEST_SIDE_PX: Final = 300
#: Mean brightness below which nothing could be seen of what is put in.
DARKEST: Final = 48.0
#: A labelled object that takes more of the picture, or of its height, shows that it is a close-up.
CLOSE_UP_AREA: Final = 0.16
CLOSE_UP_HEIGHT: Final = 0.55
#: Where the ground's colours are taken from, and those that are not the ground's, as shares of the height.
LOWEST_PART: Final = 0.66
HIGHEST_PART: Final = 0.3
GROUND_LEAST: Final = 0.6
#: A sky reaches down at least so far, and a horizon lies no lower, as shares of the height.
SKY_LEAST: Final = 0.1
HORIZON_LOWEST: Final = 0.62
#: How much of a labelled object may be covered by what is put in.
COVERED_MOST: Final = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A picture that was made, and everything that is labelled in it."""

    #: (H, W, 3) uint8.
    bgr: Picture
    #: Class and left, top, right, bottom in pixels.
    objects: Labels
    #: What it was made from; None if all of it is rendered.
    background: LabelledPicture | None
    #: Numbers in `objects` of what was put in.
    added: tuple[int, ...]


def sites_and_roads(pictures: Iterable[LabelledPicture]) -> tuple[LabelledPicture, ...]:
    """Pictures whose source labels machines, or that show a car: not kitchens."""
    return tuple(p for p in pictures if MACHINES & p.exhaustive or "car" in p.class_names)


def without_machines(pictures: Iterable[LabelledPicture]) -> tuple[LabelledPicture, ...]:
    """Sites and roads whose labels hold no machine."""
    return tuple(p for p in sites_and_roads(pictures) if not MACHINES & set(p.class_names))


def unlabelled(folder: Path) -> tuple[LabelledPicture, ...]:
    """A folder's pictures, of which the caller says that they hold no machine; nothing else is known of them.

    Raises:
        DataUnusable: there are none.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise DataUnusable(folder, "there are no pictures in this folder of backgrounds")
    return tuple(
        LabelledPicture(
            path=path, class_names=(), xyxy_share=np.zeros((0, 4)), source="", exhaustive=MACHINES
        )
        for path in found
    )


def labels_px(picture: LabelledPicture, size_hw: tuple[int, int]) -> Labels:
    """The picture's own labels in pixels."""
    height, width = size_hw
    scale = np.array([width, height, width, height])
    return tuple(
        (name, (float(b[0]), float(b[1]), float(b[2]), float(b[3])))
        for name, b in zip(picture.class_names, picture.xyxy_share * scale, strict=True)
    )


def sky_share(bgr: Picture) -> float:
    """Down to which share of the picture's height the sky reaches, in the middle of its columns; 0 without one."""
    small = cv2.resize(bgr, (64, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    blue, green, red = np.moveaxis(small, -1, 0)
    light = (small.mean(axis=2) > 95) & (blue > 0.93 * red) & (blue > 0.9 * green)
    smooth = np.abs(np.diff(small.mean(axis=2), axis=0, prepend=small[:1].mean(axis=2))) < 13
    still = np.logical_and.accumulate(light & smooth, axis=0)
    return float(np.median(still.sum(axis=0))) / len(small)


def perspective(labels: Labels, bgr: Picture, rng: Rng) -> Camera | None:
    """A camera over level ground that sees the labelled people and cars at their size.

    None if the picture does not tell where its ground lies: it shows neither a sky nor a road with cars.
    """
    height, width = bgr.shape[:2]
    rows, scales = _scales(labels, (height, width))
    fitted = _fit(rows, scales, height)
    if fitted is not None:
        horizon, camera_m = fitted
    else:
        sky = sky_share(bgr)
        if sky <= SKY_LEAST and sum(name == "car" for name, _ in labels) < 2:
            return None
        # Trees and houses stand before the horizon.
        drawn = sky + rng.uniform(0.06, 0.16) if sky > SKY_LEAST else rng.uniform(0.2, 0.4)
        horizon, camera_m = height * float(drawn), float(rng.uniform(3.0, 14.0))
        if horizon > HORIZON_LOWEST * height:
            return None
        if len(rows) and (below := np.median(rows) - horizon) > 0.05 * height:
            camera_m = float(np.clip(below / np.median(scales), 1.3, 25.0))
    focal = width * float(rng.uniform(0.85, 1.5))
    pitch = math.degrees(math.atan((height / 2 - horizon) / focal))
    return Camera(
        width_px=width, height_px=height, focal_px=focal, position_enu_m=(0.0, 0.0, camera_m), pitch_down_deg=pitch
    )  # fmt: skip


def horizon_px(camera: Camera) -> float:
    """The row of its horizon."""
    return camera.height_px / 2 - camera.focal_px * math.tan(math.radians(camera.pitch_down_deg))


def _scales(labels: Labels, size_hw: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Foot rows and pixels per metre of labelled objects that are seen whole and upright."""
    height, width = size_hw
    rows, scales = [], []
    for name, (x0, y0, x1, y1) in labels:
        whole = x0 > 2 and y0 > 2 and x1 < width - 2 and y1 < height - 2
        upright = name != "person" or (y1 - y0) > 1.9 * (x1 - x0)
        if name in KNOWN_HEIGHT_M and whole and upright:
            rows.append(y1)
            scales.append((y1 - y0) / KNOWN_HEIGHT_M[name])
    return np.array(rows), np.array(scales)


def _fit(rows: NDArray[np.float64], scales: NDArray[np.float64], height: int) -> tuple[float, float] | None:
    """Horizon's row and the camera's height in metres from scale = (row - horizon) / height, if that is plausible."""
    if len(rows) < 3 or rows.max() - rows.min() < 0.12 * height:
        return None
    slope, offset = np.polyfit(rows, scales, 1)
    if slope <= 0:
        return None
    horizon, camera_m = float(-offset / slope), float(1 / slope)
    if not (-0.2 * height < horizon < 0.6 * height and 1.2 < camera_m < 25.0):
        return None
    return horizon, camera_m


def is_free(box: Box, labels: Labels) -> bool:
    """Whether what is put into `box` leaves every labelled object all but whole, and is not hidden by one."""
    for _, other in labels:
        area = (other[2] - other[0]) * (other[3] - other[1])
        if shared_area(box, other) > COVERED_MOST * min(area, (box[2] - box[0]) * (box[3] - box[1])):
            return False
    return True


def shared_area(a: Box, b: Box) -> float:
    """Area in px² that two boxes have in common."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def surroundings(picture: Values, box: Box) -> Values:
    """(N, 3) pixels around a box's foot: what lies beside and under it."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = box
    wide, tall = max(12.0, x1 - x0), max(12.0, y1 - y0)
    left, right = int(max(0, x0 - wide / 2)), int(min(width, x1 + wide / 2))
    top, bottom = int(max(0, y1 - tall / 2)), int(min(height, y1 + tall / 2))
    return np.asarray(picture[top:bottom, left:right].reshape(-1, 3))


def ground_share(bgr: Picture, labels: Labels) -> Values:
    """(H, W) how much each pixel has the ground's colours: those of the picture's lowest part, not of its highest."""
    height, width = bgr.shape[:2]
    low = np.zeros((height, width), dtype=np.bool_)
    low[int(LOWEST_PART * height) :] = True
    for _, (x0, y0, x1, y1) in labels:
        low[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1] = False
    high = np.zeros((height, width), dtype=np.bool_)
    high[: int(HIGHEST_PART * height)] = True
    return own_share(bgr, low, high)


def on_ground(ground: Values, box: Box) -> bool:
    """Whether what fills `box` would stand on ground: the pixels under its foot are of `ground_share`."""
    height, width = ground.shape
    thick = max(4.0, 0.15 * (box[3] - box[1]))
    x0, x1 = int(max(0, box[0])), int(min(width, box[2]))
    y0, y1 = int(max(0, box[3] - thick)), int(min(height, box[3] + 0.5 * thick))
    strip = ground[y0:y1, x0:x1]
    return bool(strip.size and np.median(strip) > GROUND_LEAST and np.quantile(strip, 0.15) > 0.25)


def cast(picture: Values) -> Values:
    """(3,) how blue, green and red the picture's light is, 1 for grey; half of the picture's mean colour."""
    mean = picture.reshape(-1, 3).mean(axis=0) + 8.0
    return np.asarray((mean / mean.mean()) ** 0.5, dtype=np.float32)


def finished(picture: Values, noise: float, rng: Rng) -> Picture:
    """Rounded, and through a camera's compression once more, so that all of it has the same blocks."""
    rough = picture + rng.normal(0, noise, picture.shape)
    quality = int(rng.integers(62, 94))
    _, data = cv2.imencode(
        ".jpg", np.clip(rough, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def read(picture: LabelledPicture) -> Picture:
    """Its pixels.

    Raises:
        DataUnusable: it is no picture.
    """
    bgr = cv2.imread(str(picture.path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DataUnusable(picture.path, "is not a picture that can be read")
    return np.asarray(bgr, dtype=np.uint8)


def usable(pictures: Sequence[LabelledPicture]) -> tuple[LabelledPicture, ...]:
    """Those into which a machine can be put: large and light enough, no close-ups, with ground that is known."""
    return tuple(p for p in pictures if _serves(p))


def _serves(picture: LabelledPicture) -> bool:
    sides = picture.xyxy_share[:, 2:] - picture.xyxy_share[:, :2]
    if len(sides) and (sides.prod(axis=1).max() > CLOSE_UP_AREA or sides[:, 1].max() > CLOSE_UP_HEIGHT):
        return False
    bgr = read(picture)
    if min(bgr.shape[:2]) < SMALLEST_SIDE_PX or bgr.mean() < DARKEST:
        return False
    labels = labels_px(picture, (bgr.shape[0], bgr.shape[1]))
    return perspective(labels, bgr, np.random.default_rng(0)) is not None

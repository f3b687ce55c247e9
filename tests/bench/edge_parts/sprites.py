"""What is pasted into the street: people cut out of real photographs, machines from our own renderer.

People come from the training photographs beside the repository (../shared/data, SOURCES.md has their
licences): the labelled box, and within it what GrabCut takes for foreground. Nothing of them is kept but
the encoded scene in the user's cache folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from models.scenes import fleet, shade
from models.scenes.camera import Camera
from models.scenes.excavator import Pose, place

#: Photographs of one whole standing or walking person that GrabCut cuts out cleanly (looked at).
PEOPLE: Final = ("rf100cs_0056", "rf100cs_0361", "rf100cs_0078")
PERSON_HEIGHT_PX: Final = 360
PERSON_CLASS: Final = 0
MACHINE_SEEDS: Final = (1, 2, 5)
#: As street_residential_cars.mp4 may have been taken: five metres up, a little down.
CAMERA: Final = Camera(
    width_px=1920, height_px=1080, focal_px=1500.0, position_enu_m=(0.0, 0.0, 5.0), pitch_down_deg=14.0
)
MACHINE_NORTH_M: Final = 17.0


class Sprite(msgspec.Struct, frozen=True, kw_only=True):
    """A cut-out."""

    #: (h, w, 3) uint8, and (h, w) float32 how much of each pixel it covers
    bgr: Any
    alpha: Any
    #: left, top, right, bottom of what counts as the thing itself, inside the cut-out
    box_px: tuple[float, float, float, float]


def people(data: Path) -> list[Sprite]:
    """One cut-out for each of PEOPLE; SystemExit if the photographs aren't there."""
    return [_person(data, name) for name in PEOPLE]


def machines() -> list[Sprite]:
    """Excavators on the move, arm tucked in, in different paint."""
    found = []
    for seed in MACHINE_SEEDS:
        rng = np.random.default_rng(seed)
        pose = Pose(
            east_m=0.0, north_m=MACHINE_NORTH_M, heading_deg=270.0, slew_deg=float(rng.uniform(-8, 8)),
            boom_deg=float(rng.uniform(35, 45)), stick_deg=float(rng.uniform(-100, -80)),
            bucket_deg=float(rng.uniform(-150, -110)),
        )  # fmt: skip
        layer = shade.draw(place(pose), CAMERA, rgb=fleet.livery(rng))
        assert layer is not None
        assert layer.bbox_px is not None
        covered = np.asarray(layer.coverage)
        colour = np.asarray(layer.bgr) / np.maximum(covered, 1e-3)[..., None]
        x0, y0 = layer.corner_px
        a, b, c, d = layer.bbox_px
        # the shadow stays behind: it would need the ground's own light under it
        found.append(
            _trimmed(np.clip(colour, 0, 255).astype(np.uint8), covered, (a - x0, b - y0, c - x0, d - y0))
        )
    return found


def _person(data: Path, name: str) -> Sprite:
    labels = data / "labels" / "train" / f"{name}.txt"
    pictures = list((data / "images" / "train").glob(f"{name}.*"))
    if not pictures or not labels.exists():
        raise SystemExit(f"bench: no photograph {name} in {data}; the people of the scene come from there")
    picture = cv2.imread(str(pictures[0]))
    assert picture is not None
    height, width = picture.shape[:2]
    rows = [tuple(map(float, line.split())) for line in labels.read_text().splitlines()]
    _, x, y, w, h = max((r for r in rows if r[0] == PERSON_CLASS), key=lambda r: r[3] * r[4])
    x0, x1 = max(1, round((x - w / 2) * width) - 4), min(width - 2, round((x + w / 2) * width) + 4)
    y0, y1 = max(1, round((y - h / 2) * height) - 4), min(height - 2, round((y + h / 2) * height) + 4)
    mask = np.zeros((height, width), np.uint8)
    cv2.setRNGSeed(1)  # GrabCut clusters colours from a random start
    cv2.grabCut(picture, mask, (x0, y0, x1 - x0, y1 - y0), np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_RECT)  # fmt: skip
    ours = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(ours)
    whole = (parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.float32)
    scale = PERSON_HEIGHT_PX / (y1 - y0)
    size = (round((x1 - x0) * scale), PERSON_HEIGHT_PX)
    bgr = cv2.resize(picture[y0:y1, x0:x1], size, interpolation=cv2.INTER_CUBIC)
    alpha = cv2.GaussianBlur(cv2.resize(whole[y0:y1, x0:x1], size), (3, 3), 0)
    return _trimmed(np.asarray(bgr, dtype=np.uint8), np.asarray(alpha, dtype=np.float32), None)


def _trimmed(
    bgr: NDArray[np.uint8], alpha: NDArray[np.float32], box_px: tuple[float, float, float, float] | None
) -> Sprite:
    """Cut to what is covered; the box is that, unless given."""
    rows, columns = np.nonzero(alpha > 0.5)
    if box_px is None:
        box_px = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    x0, y0, x1, y1 = (round(v) for v in box_px)
    return Sprite(
        bgr=np.ascontiguousarray(bgr[y0:y1, x0:x1]), alpha=np.ascontiguousarray(alpha[y0:y1, x0:x1]),
        box_px=(0.0, 0.0, float(x1 - x0), float(y1 - y0)),
    )  # fmt: skip

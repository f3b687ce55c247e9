"""Rendered excavators for training: random places, poses, views, paint and light, with exact boxes.

They add views that photographs lack (a high fixed camera, a machine far off). Never used to measure.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes import shade, site
from models.scenes.camera import Camera
from models.scenes.excavator import Pose, place

WIDTH_PX, HEIGHT_PX = 640, 360
#: Pictures of one background: it takes most of the time.
PER_BACKGROUND = 4
#: A smaller machine can't be told from a bush, even by us.
SMALLEST_PX = 14.0

Picture = NDArray[np.uint8]
Box = tuple[float, float, float, float]


def rendered(count: int, seed: int) -> Iterator[tuple[Picture, Box | None]]:
    """`count` pictures, each (H, W, 3), with the machine's box in pixels; one in ten is empty and has None."""
    made = 0
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        camera = _camera(rng)
        ground = site.background(camera, _centreline(rng), seed=int(rng.integers(2**31)))
        for _ in range(PER_BACKGROUND):
            if made == count:
                return
            made += 1
            yield _one(ground.copy(), camera, rng)


def _one(
    picture: NDArray[np.float32], camera: Camera, rng: np.random.Generator
) -> tuple[Picture, Box | None]:
    box = None
    if rng.random() >= 0.1:
        layer = _machine(camera, rng)
        box = layer.bbox_px
        shade.overlay(picture, _painted(layer, rng))
    light = picture / 255 * rng.uniform(0.55, 1.1) * (1 + rng.normal(0, 0.04, 3))
    noise = rng.normal(0, rng.uniform(0.5, 4.0), picture.shape)
    return np.clip(255 * light.clip(0, 1) ** rng.uniform(0.8, 1.3) + noise, 0, 255).astype(np.uint8), box


def _camera(rng: np.random.Generator) -> Camera:
    """From a pole to a mast, from wide to narrow; always some horizon or little of it, as fixed cameras have."""
    return Camera(
        width_px=WIDTH_PX, height_px=HEIGHT_PX, focal_px=float(rng.uniform(420, 1000)),
        position_enu_m=(float(rng.uniform(-15, 15)), 0.0, float(rng.uniform(3.0, 18.0))),
        yaw_deg=float(rng.uniform(-22, 22)), pitch_down_deg=float(rng.uniform(4.0, 22.0)),
    )  # fmt: skip


def _centreline(rng: np.random.Generator) -> NDArray[np.float64]:
    north = rng.uniform(20, 60, 4)
    return np.stack([[-90.0, -25.0, 25.0, 90.0], north], axis=1)


def _machine(camera: Camera, rng: np.random.Generator) -> shade.Layer:
    """A pose in view: two hundred tries for a place whose box is large enough, then whatever is seen."""
    best = None
    for _ in range(200):
        px = np.array([rng.uniform(0, camera.width_px), rng.uniform(0.15, 1.05) * camera.height_px])
        east, north = camera.on_ground(px)
        away_m = float(np.hypot(east - camera.position_enu_m[0], north))
        if not np.isfinite(away_m) or not 9.0 < away_m < 110.0:
            continue
        layer = shade.draw(place(_pose(float(east), float(north), rng)), camera)
        if layer is None or layer.bbox_px is None:
            continue
        box = layer.bbox_px
        if min(box[2] - box[0], box[3] - box[1]) >= SMALLEST_PX:
            return layer
        best = layer
    if best is None:
        raise RuntimeError("no place for the machine is in view of this camera")
    return best


def _pose(east_m: float, north_m: float, rng: np.random.Generator) -> Pose:
    return Pose(
        east_m=east_m, north_m=north_m, heading_deg=float(rng.uniform(0, 360)),
        slew_deg=float(rng.choice([0.0, rng.uniform(-180, 180)])), boom_deg=float(rng.uniform(10, 55)),
        stick_deg=float(rng.uniform(-115, -50)), bucket_deg=float(rng.uniform(-175, -60)),
        track_m=float(rng.uniform(0, 0.15)),
    )  # fmt: skip


def _painted(layer: shade.Layer, rng: np.random.Generator) -> shade.Layer:
    """The machine in another maker's colour: its hue turned, mostly a little, sometimes all the way."""
    turn = int(rng.normal(0, 6)) if rng.random() < 0.6 else int(rng.integers(0, 180))
    hsv = cv2.cvtColor(np.clip(layer.bgr, 0, 255).astype(np.uint8), cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int64) + turn) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.4, 1.1), 0, 255).astype(np.uint8)
    return shade.Layer(
        corner_px=layer.corner_px, bgr=cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.float32),
        coverage=layer.coverage, ground_light=layer.ground_light, bbox_px=layer.bbox_px,
        fully_in_view=layer.fully_in_view,
    )  # fmt: skip

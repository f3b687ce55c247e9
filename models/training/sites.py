"""Random sites to put machines on: the camera on its mast, the ground and its season, sun and sky.

Decides what varies and how far; drawing is `models.scenes`' matter.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes import shade, site
from models.scenes.camera import Camera

WIDTH_PX, HEIGHT_PX = 640, 360

Canvas = NDArray[np.float32]
Rng = np.random.Generator


def ground(seen_by: Camera, rng: Rng) -> Canvas:
    """(H, W, 3) a site without machines, 0 to 255."""
    bare = site.background(seen_by, _centreline(rng), seed=int(rng.integers(2**31)), fine=1)
    return _season(_earthworks(bare, seen_by, rng), rng)


def camera(rng: Rng) -> Camera:
    """On a mast or a pole, from wide to narrow; always some horizon or little of it, as fixed cameras have."""
    high_m = rng.uniform(6.0, 25.0) if rng.random() < 0.7 else rng.uniform(3.0, 6.0)
    focal = float(np.exp(rng.uniform(math.log(420), math.log(1400))))
    # The picture's middle looks at ground between 25 and 120 metres away, most often.
    down = math.degrees(math.atan(high_m / float(np.exp(rng.uniform(math.log(25), math.log(120))))))
    return Camera(
        width_px=WIDTH_PX, height_px=HEIGHT_PX, focal_px=focal,
        position_enu_m=(float(rng.uniform(-15, 15)), 0.0, float(high_m)),
        yaw_deg=float(rng.uniform(-22, 22)), pitch_down_deg=float(np.clip(down, 2.0, 32.0)),
    )  # fmt: skip


def _centreline(rng: Rng) -> NDArray[np.float64]:
    north = rng.uniform(20, 60, 4)
    return np.stack([[-90.0, -25.0, 25.0, 90.0], north], axis=1)


def light(rng: Rng) -> shade.Light:
    """From low sun to overcast."""
    turn, high = rng.uniform(0, 2 * np.pi), math.radians(float(rng.uniform(18, 68)))
    sun = np.array([math.cos(high) * math.cos(turn), math.cos(high) * math.sin(turn), math.sin(high)])
    cloud = float(rng.choice([rng.uniform(0, 0.25), rng.uniform(0.5, 1.0)], p=[0.6, 0.4]))
    warm = np.array([1.0, 0.93, 0.82]) if high > 0.5 else np.array([1.0, 0.85, 0.66])
    grey = np.array([0.72, 0.74, 0.78])
    return shade.Light(
        sun=sun, sun_rgb=warm * 1.15 * (1 - 0.85 * cloud),
        sky_rgb=(shade.SKY_LIGHT * (1 - cloud) + grey * 0.85 * cloud), ground_rgb=shade.GROUND_LIGHT * (1 + 0.4 * cloud),
        shadow_left=shade.SHADOW_LEFT + (0.86 - shade.SHADOW_LEFT) * cloud,
    )  # fmt: skip


def _earthworks(picture: Canvas, seen_by: Camera, rng: Rng) -> Canvas:
    """Bare, driven-over earth in patches, as around every machine that works; half of the sites have some."""
    if rng.random() < 0.5:
        return picture
    grid = np.stack(
        np.meshgrid(np.arange(seen_by.width_px) + 0.5, np.arange(seen_by.height_px) + 0.5), axis=-1
    )
    places = seen_by.on_ground(grid)
    rough = cv2.GaussianBlur(rng.normal(size=picture.shape[:2]).astype(np.float32), (0, 0), 2.5) * 3
    for _ in range(int(rng.integers(1, 5))):
        middle = np.array([rng.uniform(-40, 40), rng.uniform(15, 100)])
        stretch = np.array([rng.uniform(0.5, 2.0), 1.0])
        reach = float(rng.uniform(5, 25))
        away = np.hypot(*np.moveaxis((places - middle) / stretch, -1, 0))
        bare = np.nan_to_num(np.clip((reach - away) / (0.25 * reach) + rough, 0, 1))[..., None] * rng.uniform(0.5, 0.95)  # fmt: skip
        earth = site.SOIL_WET + (site.SOIL - site.SOIL_WET) * rng.uniform(0, 1.3)
        texture = (
            picture.mean(axis=2, keepdims=True)
            / max(1.0, float(picture.mean()))
            * (1 + 0.12 * rough[..., None])
        )
        picture = picture + bare * (earth * texture.clip(0.6, 1.5) - picture)
    return np.asarray(picture, dtype=np.float32)


def _season(picture: Canvas, rng: Rng) -> Canvas:
    """Greener, drier or nearly snowed-over: hue and saturation of the whole site."""
    hsv = cv2.cvtColor(np.clip(picture, 0, 255) / 255, cv2.COLOR_BGR2HSV)
    # Only what is green to brown turns; the sky stays.
    plants = (hsv[..., 0] > 15) & (hsv[..., 0] < 150)
    hsv[..., 0] = np.where(plants, hsv[..., 0] + rng.normal(-4, 10), hsv[..., 0]).clip(0, 359)
    hsv[..., 1] = hsv[..., 1] * float(rng.uniform(0.35, 1.25))
    return np.asarray(cv2.cvtColor(hsv.clip(0, [359.9, 1, 1]).astype(np.float32), cv2.COLOR_HSV2BGR) * 255, dtype=np.float32)  # fmt: skip

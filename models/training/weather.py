"""What cameras and weather do to a picture: night, haze, rain, blur, a coarse sensor, compression.

Pure apart from the random generator that is passed in; boxes stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Rng = np.random.Generator


def degrade(picture: Picture, rng: Rng) -> Picture:
    """One or two of the effects below on an (H, W, 3) picture, then often compression."""
    for k in rng.permutation(len(EFFECTS))[: rng.integers(1, 3)]:
        picture = EFFECTS[k](picture, rng)
    return compress(picture, rng) if rng.random() < 0.5 else picture


def night(picture: Picture, rng: Rng) -> Picture:
    """Darker, less colour, the noise of a sensor at its limit."""
    light = np.float32(rng.uniform(0.12, 0.5)) * (picture / np.float32(255)) ** np.float32(
        rng.uniform(1.0, 1.5)
    )
    grey = light.mean(axis=2, keepdims=True)
    light = grey + (light - grey) * np.float32(rng.uniform(0.0, 0.7))
    light = light + rng.normal(0, rng.uniform(0.01, 0.04), light.shape).astype(np.float32)
    return _picture(255 * light)


def haze(picture: Picture, rng: Rng) -> Picture:
    """A veil, thicker towards the top, where a fixed camera looks far."""
    height = picture.shape[0]
    thick = np.linspace(rng.uniform(0.3, 0.75), rng.uniform(0.0, 0.3), height)[:, None, None]
    veil = rng.uniform(165, 225)
    return _picture(picture * (1 - thick) + veil * thick)


def rain(picture: Picture, rng: Rng) -> Picture:
    """Slanted bright streaks over a flatter picture."""
    height, width = picture.shape[:2]
    streaks = (rng.random((height, width)) > 1 - rng.uniform(0.002, 0.008)).astype(np.float32)
    length = int(rng.integers(7, 19))
    kernel = np.zeros((length, length), np.float32)
    lean = int(rng.integers(0, max(1, length // 2)))
    cv2.line(kernel, (length // 2 - lean // 2, 0), (length // 2 + lean // 2, length - 1), 1.0, 1)
    veil = np.clip(cv2.filter2D(streaks, -1, kernel), 0, 1)[:, :, None] * np.float32(rng.uniform(0.15, 0.4))
    return _picture((picture * 0.85 + 20) * (1 - veil) + 230 * veil)


def blur(picture: Picture, rng: Rng) -> Picture:
    """Out of focus or a mast that sways."""
    size = int(rng.integers(1, 4)) * 2 + 1
    if rng.random() < 0.5:
        return _picture(cv2.GaussianBlur(picture, (size, size), 0))
    kernel = np.zeros((size, size), np.float32)
    kernel[size // 2] = 1.0 / size
    return _picture(cv2.filter2D(picture, -1, kernel if rng.random() < 0.5 else kernel.T))


def coarse(picture: Picture, rng: Rng) -> Picture:
    """Enlarged from fewer pixels, as a machine far away or a sub-stream is."""
    height, width = picture.shape[:2]
    share = rng.uniform(0.3, 0.7)
    small = cv2.resize(
        picture, (max(1, int(width * share)), max(1, int(height * share))), interpolation=cv2.INTER_AREA
    )
    return _picture(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def compress(picture: Picture, rng: Rng) -> Picture:
    """Blocks and smears of a camera that saves bits."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 50))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


EFFECTS: Final[tuple[Callable[[Picture, Rng], Picture], ...]] = (night, haze, rain, blur, coarse)


def _picture(values: object) -> Picture:
    return np.asarray(np.clip(np.asarray(values), 0, 255), dtype=np.uint8)

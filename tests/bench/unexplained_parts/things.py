"""What is put into real backgrounds: heaps, stacked pipes, sheds, and machines of our renderer.

Cut-outs at the small picture's size, made from a seed; laid into a picture with a soft edge and a contact
shadow. They are simple: what no detector of ours has a class for.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.bench.edge_parts import sprites

Bgr = NDArray[np.uint8]
KINDS: Final = ("heap", "pipes", "shed", "machine")
#: Drawn so much larger than shown.
FINE: Final = 4


def made(kind: str, width_px: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(colours (h, w, 3), how much each pixel is covered (h, w)) of a thing of that width."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    colour, alpha = _DRAWN[kind](width_px * FINE, rng)
    size = (width_px, max(3, round(colour.shape[0] * width_px / colour.shape[1])))
    shrunk = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32), np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA))


def onto(picture: Bgr, thing: tuple[NDArray[np.float32], NDArray[np.float32]], left: int, foot: int) -> Bgr:
    """A copy of the picture with the thing standing at that foot line."""
    colour, alpha = thing
    height, width = alpha.shape
    out = picture.astype(np.float32)
    shade = out[max(0, foot - 2) : foot + 2, left : left + width]
    shade *= 0.6
    part = out[foot - height : foot, left : left + width]
    part += alpha[..., None] * (colour - part)
    return np.clip(out, 0, 255).astype(np.uint8)


def _rough(rng: np.random.Generator, height: int, width: int, coarse: int) -> NDArray[np.float32]:
    small = rng.standard_normal((max(2, height // coarse), max(2, width // coarse))).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _heap(width: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height = round(width * rng.uniform(0.35, 0.6))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across = (x / width - 0.5) * 2
    top = height * (1 - np.clip(1 - np.abs(across) ** rng.uniform(1.2, 2.0), 0, 1) * 0.95)
    top += _rough(rng, height, width, max(2, width // 10))[0] * height * 0.05
    alpha = (y > top).astype(np.float32)
    lit = 1.0 - 0.3 * across * rng.choice([-1, 1]) + 0.1 * (1 - y / height)
    earth = np.array([70, 95, 125], np.float32) * rng.uniform(0.7, 1.4)
    grain = 9 * _rough(rng, height, width, 4) + 6 * _rough(rng, height, width, 12)
    return np.clip(earth * lit[..., None] + grain[..., None], 0, 255).astype(np.float32), alpha


def _pipes(width: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows = int(rng.integers(2, 4))
    thick = max(6, round(width * rng.uniform(0.08, 0.13)))
    height = rows * thick
    colour, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    paint = np.array([[60, 60, 60], [150, 150, 150], [170, 120, 60]][int(rng.integers(3))], np.float32)
    around = np.sin(np.linspace(0.1, np.pi - 0.3, thick)).astype(np.float32)
    for row in range(rows):
        inset = (rows - 1 - row) * thick // 2
        part = slice(row * thick, (row + 1) * thick)
        colour[part, inset : width - inset] = paint * (0.35 + 0.9 * around[:, None, None])
        alpha[part, inset : width - inset] = 1.0
    return np.clip(colour, 0, 255), alpha


def _shed(width: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height = round(width * rng.uniform(0.55, 0.8))
    wall = np.array([[150, 160, 165], [160, 120, 70], [90, 100, 110]][int(rng.integers(3))], np.float32)
    colour = np.zeros((height, width, 3), np.float32)
    colour[:] = wall
    corner, eaves = round(width * rng.uniform(0.3, 0.7)), round(height * 0.28)
    colour[:, corner:] *= 0.65
    colour[:eaves] = wall * 1.25 * rng.uniform(0.5, 1.1)
    door = round(width * 0.08)
    colour[round(height * 0.5) :, door : door + round(width * 0.15)] *= 0.3
    return np.clip(colour + 3 * _rough(rng, height, width, 4)[..., None], 0, 255), np.ones(
        (height, width), np.float32
    )


def _machine(width: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    known = _machines()
    sprite = known[int(rng.integers(len(known)))]
    scale = width / sprite.bgr.shape[1]
    size = (width, max(4, round(sprite.bgr.shape[0] * scale)))
    colour = cv2.resize(sprite.bgr.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(colour), np.asarray(
        cv2.resize(sprite.alpha, size, interpolation=cv2.INTER_AREA), np.float32
    )


_cut: list[sprites.Sprite] = []


def _machines() -> list[sprites.Sprite]:
    if not _cut:
        _cut.extend(sprites.machines())
    return _cut


_DRAWN: Final = {"heap": _heap, "pipes": _pipes, "shed": _shed, "machine": _machine}

"""Drawn pictures of sites, and labelled sets of them in YOLO's form."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def scene(seed: int, *, shift_px: int = 0, machine_px: int | None = None) -> Picture:
    """A site seen by one camera: ground, sky and clutter by `seed`; `shift_px` moves the camera, a machine may stand in it."""
    rng = np.random.default_rng(seed)
    wide = np.zeros((240, 640, 3), np.uint8)
    top, bottom = rng.integers(60, 250, 3), rng.integers(20, 160, 3)
    horizon = int(rng.integers(60, 170))
    wide[:horizon], wide[horizon:] = top, bottom
    for _ in range(90):
        x, y = int(rng.integers(0, 640)), int(rng.integers(0, 240))
        size = rng.integers(6, 50, 2)
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.rectangle(wide, (x, y), (x + int(size[0]), y + int(size[1])), colour, -1)
    view = wide[:, 100 + shift_px : 420 + shift_px].copy()
    if machine_px is not None:
        cv2.rectangle(view, (machine_px, 120), (machine_px + 40, 160), (0, 200, 255), -1)
    return view


def write_set(folder: Path, splits: dict[str, dict[str, tuple[Picture, str]]]) -> Path:
    """A data.yaml with {split: {name: (picture, labels)}}."""
    for split, pictures in splits.items():
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
        for name, (picture, labels) in pictures.items():
            cv2.imwrite(str(folder / "images" / split / f"{name}.jpg"), picture)
            (folder / "labels" / split / f"{name}.txt").write_text(labels)
    path = folder / "data.yaml"
    names = {0: "person", 1: "excavator"}
    path.write_text(yaml.safe_dump({"path": ".", "names": names, **{s: f"images/{s}" for s in splits}}))
    return path

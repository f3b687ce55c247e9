"""What Ultralytics' own predictor finds with our weights, to hold ours against: pictures, recording, comparison.

    YOLO_CONFIG_DIR=/tmp/yolo TRAINING_PYTHON -m tests.unit.models.parity

writes parity.json anew with a Python that has ultralytics, torch, onnx and onnxruntime; do that after
every change of the shipped weights. The pictures are cut out of one that our own renderer drew
(models/probe.jpg), so that they are the same everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.detector import Detection

RECORDED = Path(__file__).with_name("parity.json")
WEIGHTS = Path(__file__).parents[3] / "models" / "weights"
PROBE = Path(__file__).parents[3] / "models" / "probe.jpg"
#: The issue's limits.
PX, SCORE = 1.0, 0.01
#: Boxes from this score on are compared; those just above it may be just below it for the other side.
SCORE_MIN = 0.02
#: Longer sides of the input.
SIDES = (416, 640)


def pictures() -> dict[str, NDArray[np.uint8]]:
    """Our own picture whole, cut, turned, small and many times over; many shapes, many boxes."""
    import cv2

    probe = np.asarray(cv2.imread(str(PROBE)), dtype=np.uint8)
    machine = probe[150:500, 500:980]
    many = np.concatenate([machine, machine[:, ::-1], machine], axis=1)
    found = {
        "whole, 16:9": probe,
        "upright": probe[:, 560:900],
        "wide and low": probe[170:480],
        "cut at the edge": probe[150:500, 700:1100],
        "mirrored": probe[:, ::-1],
        "small": probe[::4, ::4],
        "1080p": probe.repeat(2, axis=0).repeat(2, axis=1)[:1080, 600:2520],
        "six machines": np.concatenate([many, many[:, ::-1]], axis=0),
        "odd sides": probe[101:476, 333:1010],
    }
    return {name: np.ascontiguousarray(picture) for name, picture in found.items()}


def as_rows(found: Sequence[Detection]) -> list[list[object]]:
    """Detections as JSON has them: class, score, left, top, right, bottom."""
    return [[d.class_name, round(d.score, 5), *(round(v, 2) for v in d.xyxy)] for d in found]


def differences(ours: Sequence[Detection], theirs: Sequence[Sequence[object]]) -> list[str]:
    """What one side finds and the other doesn't, within a pixel and a hundredth; empty if they agree."""
    rows = as_rows(ours)
    sure = SCORE_MIN + SCORE
    told = [f"only ours: {row}" for row in rows if row[1] >= sure and not any(_alike(row, t) for t in theirs)]  # type: ignore[operator]
    told += [f"only theirs: {t}" for t in theirs if t[1] >= sure and not any(_alike(row, t) for row in rows)]  # type: ignore[operator]
    return told


def _alike(one: Sequence[object], other: Sequence[object]) -> bool:
    numbers = np.abs(np.array(one[1:], dtype=float) - np.array(other[1:], dtype=float))
    return bool(one[0] == other[0] and numbers[0] <= SCORE and (numbers[1:] <= PX).all())


def record() -> None:
    """Ask Ultralytics and write."""
    from models import registry
    from models.backends import Options
    from models.card import read_card, read_weights
    from models.detector import ModelInfo
    from models.ultralytics_backend import UltralyticsDetector

    card = read_card(WEIGHTS / registry.DEFAULT_NAME)
    boxes: dict[str, dict[str, list[list[object]]]] = {}
    for side in SIDES:
        info = ModelInfo(
            name=card.name, version=card.version, sha256=card.sha256, classes=card.classes, trained_on="",
            backend="ultralytics", input_hw=(side, side),
        )  # fmt: skip
        detector = UltralyticsDetector(
            read_weights(card), info=info, options=Options(long_side_px=side, score_min=SCORE_MIN)
        )
        for name, picture in pictures().items():
            boxes.setdefault(name, {})[str(side)] = as_rows(detector.detect(picture))
    table = {
        "sha256": card.sha256,
        "made_with": {name: metadata.version(name) for name in ("ultralytics", "torch", "onnxruntime")},
        "boxes": boxes,
    }
    RECORDED.write_text(json.dumps(table, indent=1).replace("\n     ", " ").replace("\n    ]", "]") + "\n")


if __name__ == "__main__":
    record()

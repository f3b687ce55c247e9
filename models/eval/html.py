"""Writes figures as a report for people: `index.html` (English), `index.zh.html`, and the worst pictures.

Decides how it looks; every number comes from `models.eval.summary`. The pages load nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector import ModelInfo
from models.eval import precision
from models.eval.confusion import NOTHING
from models.eval.pages import write_pages
from models.eval.summary import STAY_SCORE, Figures
from models.eval.texts import text
from models.eval.values import Seen
from models.eval.worst import worst
from models.predict import read_image

#: Pictures shown, and their longer side.
WORST: Final = 24
SHOWN_PX: Final = 640
GREEN_BGR, RED_BGR = (80, 200, 60), (50, 50, 230)
#: Side of a chart in its own units.
CHART: Final = 300


def write_report(
    folder: Path, found: Figures, pictures: Sequence[Seen], *, info: ModelInfo, long_side_px: int
) -> Path:
    """Write the report into `folder` (made if need be) and return its English page."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = []
    for number, faults in enumerate(worst(pictures, score_min=found.threshold, most=WORST)):
        name = f"worst-{number:02d}.jpg"
        cv2.imwrite(str(folder / name), drawn(faults.seen, found.threshold))
        shown.append((name, faults))
    names = [c.name for c in found.classes]
    return write_pages(
        folder, Path(__file__).with_name("report.html.j2"), text,
        found=found, info=info, shown=shown, names=names, long_side_px=long_side_px, stay=STAY_SCORE,
        confused=_rows(found, names), nothing=NOTHING,
        reliability=[_point(b.score, b.hit_share) for b in found.bins],
        curves={c.name: _curve(c.pooled.scores, *precision.curve(c.pooled)) for c in found.classes if c.boxes},
        chart=CHART,
    )  # fmt: skip


def _rows(found: Figures, names: Sequence[str]) -> list[tuple[str, list[int]]]:
    columns = [*names, NOTHING]
    return [(row, [found.confused.get((row, column), 0) for column in columns]) for row in columns]


def _point(x: float, y: float) -> tuple[float, float]:
    return round(x * CHART, 1), round((1 - y) * CHART, 1)


def _curve(scores: NDArray[np.float64], recall: NDArray[np.float64], right: NDArray[np.float64]) -> str:
    """An SVG polyline's points, at most about 200: at each step in recall the last box of it."""
    if not len(scores):
        return ""
    step = np.unique(
        np.searchsorted(recall, np.linspace(0, recall[-1], 200), side="left").clip(0, len(recall) - 1)
    )
    return " ".join("{},{}".format(*_point(float(recall[k]), float(right[k]))) for k in step)


def drawn(seen: Seen, score_min: float) -> NDArray[np.uint8]:
    """The picture, at most `SHOWN_PX` long, with what is labelled in green and what is found in red."""
    image = read_image(seen.path)
    scale = min(1.0, SHOWN_PX / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    canvas = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    for box, name in zip(seen.truth_xyxy, seen.truth_classes, strict=True):
        _box(canvas, box * scale, name, GREEN_BGR, 2)
    for box, score, name in zip(seen.found_xyxy, seen.scores, seen.found_classes, strict=True):
        if score >= score_min:
            _box(canvas, box * scale, f"{name} {score:.2f}", RED_BGR, 2 if name in seen.exhaustive else 1)
    return canvas


def _box(
    canvas: NDArray[np.uint8], box: NDArray[np.float64], label: str, bgr: tuple[int, int, int], thick: int
) -> None:
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), bgr, thick)
    at = (x0 + 2, y0 + 12 if bgr == GREEN_BGR else max(12, y1 - 4))
    cv2.putText(canvas, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, bgr, 1, cv2.LINE_AA)

"""`python -m models.scenes.check CLIP TRUTH`: does the shipped detector see the rendered machine, and where?

Prints one JSON object of figures. It tells whether a clip serves the demo, not how good the
detector is: a rendering is never used for that.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from models.boxes import iou
from models.detector import Detection, Detector
from models.footprint import centre_en_m
from models.registry import load
from models.scenes.camera import Camera

#: A detection counts from this score on.
SCORE = 0.5
MACHINES = frozenset({"truck", "crane", "loader", "drill_rig", "car"})


def measure(clip: Path, truth: dict[str, Any], detector: Detector) -> dict[str, Any]:
    """Figures over all frames of a clip in which the machine is fully in view, and false finds in the empty ones."""
    camera = Camera(
        **{k: truth["camera"][k] for k in ("width_px", "height_px", "focal_px", "yaw_deg", "pitch_down_deg")},
        position_enu_m=tuple(truth["camera"]["position_enu_m"]),
    )
    scores, overlaps, place_errors_m, others = [], [], [], 0
    full = empty = false_finds = 0
    for frame_bgr, told in zip(_decoded(clip), truth["frames"], strict=True):
        found = [d for d in detector.detect(frame_bgr) if d.score >= SCORE]
        if not told["present"]:
            empty += 1
            false_finds += any(d.class_name in MACHINES | {"excavator"} for d in found)
        if not told["fully_in_view"]:
            continue
        full += 1
        box = np.array([told["bbox_px"]], dtype=np.float32)
        others += any(d.class_name in MACHINES and _overlap(d, box) > 0.3 for d in found)
        best = max(
            (d for d in found if d.class_name == "excavator"), key=lambda d: _overlap(d, box), default=None
        )
        if best is None or _overlap(best, box) < 0.3:
            continue
        scores.append(best.score)
        overlaps.append(_overlap(best, box))
        place_errors_m.append(math.dist(_place(best, camera), told["footprint_centre_en_m"]))
    return {
        "frames_full_view": full,
        "found_share": round(len(scores) / max(1, full), 4),
        "score_median": _rounded(scores),
        "score_min": round(min(scores, default=0.0), 3),
        "iou_median": _rounded(overlaps),
        "other_machine_share": round(others / max(1, full), 4),
        "place_error_m_median": _rounded(place_errors_m),
        "place_error_m_max": round(max(place_errors_m, default=0.0), 2),
        "frames_empty": empty,
        "frames_empty_with_machine": false_finds,
    }


def _decoded(clip: Path) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)


def _overlap(detection: Detection, box: NDArray[np.float32]) -> float:
    return float(iou(np.array([detection.xyxy], dtype=np.float32), box)[0, 0])


def _place(detection: Detection, camera: Camera) -> tuple[float, float]:
    """Footprint's middle from the box: its bottom's middle on the ground, pushed away from the camera."""
    x0, _, x1, y1 = detection.xyxy
    east, north = camera.on_ground(np.array([(x0 + x1) / 2, y1]))
    return centre_en_m((float(east), float(north)), camera.position_enu_m[:2], detection.class_name)


def _rounded(values: list[float]) -> float:
    return round(statistics.median(values), 3) if values else 0.0


if __name__ == "__main__":
    told_truth = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), told_truth, load())) + "\n")

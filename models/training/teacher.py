"""Labels what a source left unlabelled, with a network that knows such things. Needs torch and Ultralytics.

A set that labels excavators leaves its people out. A COCO-trained network knows people, cars and trucks
better than a few hundred pictures teach, and a fine-tuned one forgets them (person AP50 0.74 before,
0.67 after, on the validation split at 640). So what the teacher surely sees is added to the labels of
such pictures; what it doesn't see stays unknown and is not learnt as absent.

Writes FOLDER/taught.json, {picture: [[class, x, y, w, h, score], …]}, one at a time, so that a run which
was cut off goes on; then adds them to FOLDER/labels, which `models.training.prepare` writes anew each time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.boxes import iou

#: A taught box that covers a labelled one by more than this is the labelled object, whatever it is called:
#: COCO knows no excavators and calls them trucks.
SAME_OBJECT_IOU: Final = 0.45
#: The teacher's own smallest boxes are guesses.
SMALLEST_SHARE: Final = 0.01
EVERY: Final = 100


def teach(plan: Mapping[str, Any], folder: Path) -> int:
    """Add the teacher's boxes to the prepared labels; returns how many there are."""
    path = folder / "taught.json"
    taught: dict[str, list[list[float]]] = json.loads(path.read_text()) if path.is_file() else {}
    missing = [name for name in sorted(plan["known"]) if name not in taught and _unknown(plan, name)]
    for done, (name, boxes) in enumerate(_look(plan, folder, missing), start=1):
        taught[name] = boxes
        if done % EVERY == 0 or done == len(missing):
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(taught))
            partial.replace(path)
            sys.stdout.write(f"teacher: {done}/{len(missing)} pictures\n")
            sys.stdout.flush()
    return sum(_add(folder, name, boxes) for name, boxes in taught.items() if name in plan["known"])


def _unknown(plan: Mapping[str, Any], name: str) -> bool:
    return len(plan["known"][name]) < len(plan["classes"])


def _look(
    plan: Mapping[str, Any], folder: Path, names: Sequence[str]
) -> Iterator[tuple[str, list[list[float]]]]:
    """What the teacher sees of the classes that are unknown in each picture."""
    if not names:
        return
    from ultralytics import YOLO

    network = YOLO(str(plan["teacher"]))
    ours = {
        number: plan["classes"].index(name)
        for number, name in network.names.items()
        if name in plan["classes"]
    }
    if not ours:
        raise ValueError(f"the teacher {plan['teacher']} knows none of {', '.join(plan['classes'])}")
    for name in names:
        wanted = [number for number, mine in ours.items() if mine not in plan["known"][name]]
        if not wanted:
            yield name, []
            continue
        found = network.predict(
            str(folder / "images" / name), imgsz=plan["teacher_px"], conf=plan["teacher_score"], iou=0.6,
            classes=wanted, verbose=False, device=plan.get("device", "cpu"),
        )[0].boxes  # fmt: skip
        yield (
            name,
            [
                [ours[int(number)], *(round(float(v), 6) for v in box), round(float(score), 4)]
                for number, box, score in zip(found.cls, found.xywhn, found.conf, strict=True)
            ],
        )


def _add(folder: Path, name: str, taught: Sequence[Sequence[float]]) -> int:
    """Append what is not labelled already; the number of new labels."""
    path = (folder / "labels" / name).with_suffix(".txt")
    lines = path.read_text().splitlines() if path.is_file() else []
    labelled = [[float(v) for v in line.split()[1:5]] for line in lines if line.strip()]
    new = [f"{int(box[0])} " + " ".join(f"{v:.6f}" for v in box[1:5]) for box in unlabelled(taught, labelled)]
    path.write_text("".join(f"{line}\n" for line in lines + new))
    return len(new)


def unlabelled(
    taught: Sequence[Sequence[float]], labelled: Sequence[Sequence[float]]
) -> list[Sequence[float]]:
    """The taught rows (class, x, y, w, h, score) that are no labelled (x, y, w, h) object and no speck; shares."""
    large = [row for row in taught if min(row[3], row[4]) >= SMALLEST_SHARE]
    if not large or not labelled:
        return list(large)
    overlap = iou(_corners([row[1:5] for row in large]), _corners(labelled)).max(axis=1)
    return [row for row, share in zip(large, overlap, strict=True) if share <= SAME_OBJECT_IOU]


def _corners(boxes: Sequence[Sequence[float]]) -> Any:
    xywh = np.array(boxes, dtype=np.float64)
    return np.concatenate([xywh[:, :2] - xywh[:, 2:] / 2, xywh[:, :2] + xywh[:, 2:] / 2], axis=1)

"""Labelled pictures in COCO's form (one JSON file beside a folder of pictures)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from models.errors import DataUnusable
from models.eval.dataset import LabelledPicture, LabelledSet, known_classes, read_exhaustive


def read_coco(annotations: Path, images: Path, exhaustive: Path | None = None) -> LabelledSet:
    """Read boxes; a crowd region counts as no box. Without `exhaustive`, every picture is labelled in full.

    Raises:
        DataUnusable: the file is not COCO's form, or a picture of it is missing.
    """
    try:
        raw = json.loads(annotations.read_text(encoding="utf-8"))
        names = {int(c["id"]): str(c["name"]) for c in sorted(raw["categories"], key=lambda c: int(c["id"]))}
        pictures = {
            int(i["id"]): (str(i["file_name"]), float(i["width"]), float(i["height"])) for i in raw["images"]
        }
        labels: dict[int, list[tuple[str, list[float]]]] = {key: [] for key in pictures}
        for one in raw["annotations"]:
            if not one.get("iscrowd"):
                x, y, w, h = (float(v) for v in one["bbox"])
                labels[int(one["image_id"])].append((names[int(one["category_id"])], [x, y, x + w, y + h]))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise DataUnusable(annotations, f"is not COCO's form: {exc!r}") from exc
    classes = tuple(names.values())
    told = read_exhaustive(exhaustive, classes) if exhaustive is not None else {"": frozenset(classes)}
    found = []
    for key, (name, width, height) in pictures.items():
        path = images / name
        if not path.is_file():
            raise DataUnusable(annotations, f"its picture {path} is missing")
        boxes = np.array([box for _, box in labels[key]], dtype=np.float64).reshape(-1, 4)
        source, full = known_classes(path.name, told)
        found.append(
            LabelledPicture(
                path=path, class_names=tuple(label for label, _ in labels[key]),
                xyxy_share=np.clip(boxes / np.array([width, height, width, height]), 0.0, 1.0),
                exhaustive=full, source=source,
            )
        )  # fmt: skip
    return LabelledSet(classes=classes, pictures=tuple(found))

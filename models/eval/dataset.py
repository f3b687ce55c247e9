"""Labelled pictures in YOLO's form, from a data.yaml: reads folders, decides nothing about figures.

Decides which picture belongs to which labels, and which classes its source labels exhaustively.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from models.errors import DataUnusable
from models.predict import PICTURE_SUFFIXES

DEFAULT_EXHAUSTIVE: Final = Path(__file__).with_name("exhaustive.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPicture:
    """A picture's file and its labels."""

    path: Path
    class_names: tuple[str, ...]
    #: (G, 4) left, top, right, bottom as shares of width and height.
    xyxy_share: NDArray[np.float64]
    #: Classes of which every instance is labelled here.
    exhaustive: frozenset[str]
    #: Beginning of the file's name that says which source it is from; empty if none is known.
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """One split of a data set."""

    classes: tuple[str, ...]
    pictures: tuple[LabelledPicture, ...]


def read_set(data_yaml: Path, split: str = "val", exhaustive: Path | None = None) -> LabelledSet:
    """Read one split.

    Args:
        data_yaml: `names`, a key a split with a folder (or several, or a .txt that lists pictures),
            and perhaps `exhaustive` {beginning of file names: [classes]}.
        split: "train", "val" or "test".
        exhaustive: a file of the form of `exhaustive` that overrules the key. With neither, our own table
            counts for the sources that it names, and every other picture is taken as labelled in full.

    Raises:
        DataUnusable: what is wrong, in which file, in which line.
    """
    raw = _table(data_yaml)
    classes = _names(raw, data_yaml)
    told, others_full = _exhaustive(raw, data_yaml, classes, exhaustive)
    if split not in raw:
        raise DataUnusable(data_yaml, f"there is no split {split!r}")
    root = data_yaml.parent / str(raw.get("path") or ".")
    entries = raw[split] if isinstance(raw[split], list) else [raw[split]]
    paths = [path for entry in entries for path in _pictures(root / str(entry), data_yaml)]
    every = frozenset(classes)
    pictures = []
    for path in paths:
        source, full = known_classes(path.name, told, otherwise=every if others_full else frozenset())
        names, boxes = read_labels(label_path(path), classes)
        pictures.append(
            LabelledPicture(path=path, class_names=names, xyxy_share=boxes, source=source, exhaustive=full)
        )
    return LabelledSet(classes=classes, pictures=tuple(pictures))


def splits_of(data_yaml: Path) -> tuple[str, ...]:
    """Which of train, val and test a data.yaml names; DataUnusable if it names none."""
    found = tuple(split for split in ("train", "val", "test") if _table(data_yaml).get(split))
    if not found:
        raise DataUnusable(data_yaml, "names no split: train, val or test")
    return found


def label_path(picture: Path) -> Path:
    """Where YOLO keeps a picture's labels: `images` becomes `labels`, the ending .txt."""
    parts = list(picture.parts)
    for k in range(len(parts) - 2, -1, -1):
        if parts[k] == "images":
            parts[k] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def read_labels(path: Path, classes: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Class names and (G, 4) boxes of a label file; no file means that nothing is labelled.

    A line is a class's number and centre x, centre y, width, height, or the points of an outline, as shares.
    """
    if not path.is_file():
        return (), np.zeros((0, 4))
    names, boxes = [], []
    for number, line in enumerate(lines_of(path), start=1):
        if not line.strip():
            continue
        try:
            values = np.array([float(v) for v in line.split()])
            names.append(classes[_class_id(values[0], len(classes))])
            boxes.append(_box(values[1:]))
        except (ValueError, IndexError) as exc:
            raise DataUnusable(path, f"line {number} is not a label ({exc}): {line[:60]!r}") from exc
    return tuple(names), np.array(boxes).reshape(-1, 4)


def lines_of(path: Path) -> list[str]:
    """A text file's lines, without the mark that editors of Windows put before the first.

    Raises:
        DataUnusable: it is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise DataUnusable(path, f"can't be read: {exc}") from exc


def _class_id(value: float, count: int) -> int:
    if value != int(value) or not 0 <= value < count:
        raise ValueError(f"class {value:g}, there are 0 to {count - 1}")
    return int(value)


def _box(values: NDArray[np.float64]) -> list[float]:
    if not np.isfinite(values).all():
        raise ValueError("not finite numbers")
    if len(values) == 4:
        x, y, w, h = values.tolist()
        box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    elif len(values) >= 6 and len(values) % 2 == 0:
        box = [values[0::2].min(), values[1::2].min(), values[0::2].max(), values[1::2].max()]
    else:
        raise ValueError("a class and four numbers, or an outline of at least three points")
    if not (box[2] > box[0] and box[3] > box[1]):
        raise ValueError("a box without area")
    return [min(1.0, max(0.0, float(v))) for v in box]


def _table(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise DataUnusable(path, f"can't be read: {exc}") from exc
    if not isinstance(raw, dict):
        raise DataUnusable(path, "is not a table of keys")
    return raw


def _names(raw: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = raw.get("names")
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[k] for k in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataUnusable(path, "`names` must be the classes, by number from 0")
    return tuple(str(name) for name in names)


def known_classes(
    file_name: str, told: Mapping[str, frozenset[str]], *, otherwise: frozenset[str] = frozenset()
) -> tuple[str, frozenset[str]]:
    """The source of a picture (the longest beginning of its name in the table; "" if none) and its classes."""
    source = max((p for p in told if file_name.startswith(p)), key=len, default=None)
    return ("", otherwise) if source is None else (source, told[source])


def read_exhaustive(path: Path, classes: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """A file of the form {beginning of file names: [classes]}; DataUnusable if a class is not one of the data."""
    return _checked(_table(path), path, classes)


def _exhaustive(
    raw: Mapping[str, Any], data_yaml: Path, classes: tuple[str, ...], overruling: Path | None
) -> tuple[dict[str, frozenset[str]], bool]:
    """{beginning of file names: classes}, and whether pictures of no such source count as labelled in full."""
    if overruling is not None:
        return read_exhaustive(overruling, classes), False
    if "exhaustive" in raw:
        return _checked(raw["exhaustive"], data_yaml, classes), False
    ours = _table(DEFAULT_EXHAUSTIVE)
    return {prefix: frozenset(names) & frozenset(classes) for prefix, names in ours.items()}, True


def _checked(told: object, where: Path, classes: tuple[str, ...]) -> dict[str, frozenset[str]]:
    if not isinstance(told, dict) or not all(isinstance(v, list) for v in told.values()):
        raise DataUnusable(where, "`exhaustive` must be {beginning of file names: [classes]}")
    table = {}
    for prefix, listed in told.items():
        names = {classes[v] if isinstance(v, int) and 0 <= v < len(classes) else str(v) for v in listed}
        if names - set(classes):
            raise DataUnusable(
                where, f"`exhaustive` of {prefix} names no class of the data: {sorted(names - set(classes))}"
            )
        table[str(prefix)] = frozenset(names)
    return table


def _pictures(entry: Path, data_yaml: Path) -> list[Path]:
    if entry.is_dir():
        found = sorted(p for p in entry.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
    elif entry.suffix == ".txt" and entry.is_file():
        lines = (line.strip() for line in lines_of(entry))
        found = [entry.parent / line for line in lines if line]
    else:
        raise DataUnusable(data_yaml, f"there is no folder {entry}")
    if not found:
        raise DataUnusable(data_yaml, f"there are no pictures in {entry}")
    return found

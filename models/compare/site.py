"""A site's own pictures in which nothing is to be reported, but for what is labelled: reads folders.

Decides where labels are looked for. A plain folder's pictures are false alarms from edge to edge; labels beside
them say what in them is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from models.errors import DataUnusable
from models.eval.dataset import LabelledPicture, LabelledSet, label_path, lines_of, read_labels, read_set
from models.predict import PICTURE_SUFFIXES

#: Beside a folder's pictures: the classes by number, one a line, as label tools write it.
CLASSES: Final = "classes.txt"


def read_site(path: Path, split: str, classes: Sequence[str]) -> LabelledSet:
    """Read a site's pictures.

    Args:
        path: a folder of pictures, or a data.yaml.
        split: of a data.yaml.
        classes: of either detector; what label numbers in a plain folder mean where it has no `classes.txt`.

    Raises:
        DataUnusable: there are no pictures, or labels are broken.
    """
    if not path.is_dir():
        read = read_set(path, split)
        return LabelledSet(
            classes=read.classes, pictures=tuple(_of_all(p, read.classes, classes) for p in read.pictures)
        )
    names = _names(path / CLASSES) or tuple(classes)
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
    if not found:
        raise DataUnusable(path, "there are no pictures in it")
    # every class of either detector: what no label explains is false, whatever it is called
    full = frozenset({*names, *classes})
    pictures = []
    for picture in found:
        beside = picture.with_suffix(".txt")
        labels, boxes = read_labels(beside if beside.is_file() else label_path(picture), names)
        pictures.append(
            LabelledPicture(path=picture, class_names=labels, xyxy_share=boxes, exhaustive=full, source="")
        )
    return LabelledSet(classes=names, pictures=tuple(pictures))


def _of_all(picture: LabelledPicture, names: Sequence[str], classes: Sequence[str]) -> LabelledPicture:
    """A picture that is labelled in full holds nothing of a class for which its file has no number, either."""
    full = picture.exhaustive >= frozenset(names)
    return replace(picture, exhaustive=picture.exhaustive | frozenset(classes)) if full else picture


def _names(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    return tuple(line.strip() for line in lines_of(path) if line.strip())

"""Puts a recipe's pictures into one folder that a trainer reads, and writes down what is known of each.

    FOLDER/plan.json       everything that `models.training.worker` needs
    FOLDER/images/…        links to the pictures and the rendered ones; FOLDER/labels/… in YOLO's form
    FOLDER/code/models     a link to this package, so that the trainer's Python imports ours and nothing else

The sources' own folders stay untouched: Ultralytics writes caches beside labels. Idempotent, so that a
run which was cut off can go on; a folder in which another recipe was trained is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cv2
import yaml

import models
from models.card import read_card, read_weights
from models.duplicates import not_near
from models.errors import DataUnusable, ModelRefused
from models.eval.dataset import LabelledPicture, read_set
from models.eval.held_out import read_held_out, without
from models.predict import PICTURE_SUFFIXES
from models.training.coco import read_coco
from models.training.photographs import Box
from models.training.recipe import Recipe, Source
from models.training.scenery import HEIGHT_PX, WIDTH_PX, rendered
from models.training.worker import hold

PLAN: Final = "plan.json"
#: Other numbers draw other pictures under the same seed: then they are drawn anew.
RENDERING: Final = 2
#: What may change between two starts of one training: how it runs here, not what it learns from.
FREE: Final = frozenset({"name", "threads", "workers", "batch", "precision"})
#: What decides the labels that a teacher adds.
TAUGHT_BY: Final = ("classes", "sources", "teacher", "teacher_px", "teacher_score")
_OF_RENDERED: Final = re.compile(r"r\d{5}\.jpg")


def prepare(
    recipe: Recipe, folder: Path, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Make `folder` ready and return the plan; `progress` is told (rendered, to render).

    Raises:
        DataUnusable: a file is missing or broken, `folder` holds the training of another recipe, or one runs there.
    """
    if not recipe.start.is_file() and recipe.start.suffix != ".yaml":
        raise DataUnusable(recipe.start, "there is no such checkpoint to start from")
    if recipe.start.suffix == ".onnx":
        _is_ours(recipe)
    for needed in (recipe.transfer, recipe.teacher):
        if needed is not None and not needed.is_file():
            raise DataUnusable(needed, "there is no such checkpoint")
    sources, left_out = _apart(recipe, progress)
    named = _named(sources)
    negatives = {
        f"n{len(named) + number}-{path.name}": path
        for number, path in enumerate(_negatives(recipe.hard_negatives))
    }
    folder.mkdir(parents=True, exist_ok=True)
    try:
        hold(folder).close()
    except RuntimeError as exc:
        raise DataUnusable(folder, str(exc)) from exc
    decided_by = _same_training(folder, recipe, [*named, *negatives])
    known: dict[str, list[int]] = {}
    for name, picture in named.items():
        known |= _add(folder, name, picture, recipe.classes)
    for name, path in negatives.items():
        _link(path, folder / "images" / name)
        (folder / "labels" / name).with_suffix(".txt").write_text("")
        known[name] = list(range(len(recipe.classes)))
    known |= _render(recipe, folder, progress)
    _drop(folder, known)
    _link(Path(models.__file__).parent, folder / "code" / "models")
    # Ultralytics wants a validation split. It gets a few of the training's own: measuring is not its task.
    (folder / "few.txt").write_text(
        "".join(f"./images/{name}\n" for name in sorted(known)[:16]), encoding="utf-8"
    )
    data = {
        "path": str(folder.resolve()), "train": "images", "val": "few.txt", "names": dict(enumerate(recipe.classes))
    }  # fmt: skip
    (folder / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    plan = asdict(recipe) | {
        "known": known,
        "pictures": len(known),
        "left_out": left_out,
        "decided_by": decided_by,
    }
    plan["never_shown"] = _never_shown(folder, known, recipe.classes)
    (folder / PLAN).write_text(json.dumps(plan, default=str, indent=1), encoding="utf-8")
    return plan


def _is_ours(recipe: Recipe) -> None:
    """DataUnusable if the weights to go on from are not what their card says, or know other classes."""
    try:
        card = read_card(recipe.start.parent)
        read_weights(card)
    except ModelRefused as exc:
        raise DataUnusable(recipe.start, str(exc)) from exc
    if tuple(card.classes) != recipe.classes:
        raise DataUnusable(
            recipe.start,
            f"knows {', '.join(card.classes)}: the recipe's classes must be these, in this order",
        )


def _named(sources: Iterable[Iterable[LabelledPicture]]) -> dict[str, LabelledPicture]:
    """Names in `folder`, which has but one level; where one is taken, with a number: two cameras' folders may
    both hold a 0001.jpg, and 0001.jpg and 0001.png would share their labels."""
    named: dict[str, LabelledPicture] = {}
    stems: set[str] = set()
    for number, pictures in enumerate(sources):
        for picture in pictures:
            wanted = free = f"{number}-{picture.path.stem}"
            again = 1
            while free in stems:
                again += 1
                free = f"{wanted}~{again}"
            stems.add(free)
            named[free + picture.path.suffix] = picture
    return named


def _drop(folder: Path, known: Mapping[str, object]) -> None:
    """Take away what an earlier call put there and this one didn't: the trainer reads the whole folder."""
    for path in (folder / "images").glob("*"):
        if path.name not in known and (path.is_symlink() or _OF_RENDERED.fullmatch(path.name)):
            path.unlink()
            (folder / "labels" / path.name).with_suffix(".txt").unlink(missing_ok=True)
    # Ultralytics' cache goes by names and sizes: a corrected label has the same size.
    (folder / "labels.cache").unlink(missing_ok=True)


def _never_shown(folder: Path, known: Iterable[str], classes: tuple[str, ...]) -> list[str]:
    """Classes without a single label: misspelt, or only a teacher may add some."""
    shown: set[int] = set()
    for name in known:
        lines = (folder / "labels" / name).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
        shown |= {int(line.split(" ", 1)[0]) for line in lines}
    return [label for number, label in enumerate(classes) if number not in shown]


def _same_training(folder: Path, recipe: Recipe, names: Iterable[str]) -> dict[str, str]:
    """What decides the result, {key: value}; drops what another teacher taught.

    Raises:
        DataUnusable: something else was trained in `folder`: going on would say that it is this recipe's.
    """
    # Files by name: a folder may move to another machine with all that it was made from.
    told = {key: _plain(value) for key, value in asdict(recipe).items() if key not in FREE}
    told["pictures"] = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
    path = folder / PLAN
    before = json.loads(path.read_text(encoding="utf-8")).get("decided_by") if path.is_file() else None
    if before is None:
        return told
    other = sorted(key for key in {*told, *before} if told.get(key) != before.get(key))
    begun = [p for p in (folder / "finished.pt", folder / "run" / "weights" / "last.pt") if p.is_file()]
    if other and begun:
        raise DataUnusable(
            begun[0], f"was trained by another recipe (other {', '.join(other)}): name another --folder, or remove {folder}"
        )  # fmt: skip
    if set(TAUGHT_BY) & set(other):
        (folder / "taught.json").unlink(missing_ok=True)
    return told


def _plain(value: Any) -> str:
    return json.dumps(value, default=lambda path: Path(path).name, sort_keys=True)


def _apart(
    recipe: Recipe, progress: Callable[[int, int], None] | None
) -> tuple[list[tuple[LabelledPicture, ...]], int]:
    """Each source's pictures that measure nothing and show no scene that measures; how many were left out."""
    stems = frozenset(read_held_out(recipe.held_out) if recipe.held_out else ())
    sources = [_read(source) for source in recipe.sources]
    measuring = [p for pictures in sources for p in pictures if p.path.stem in stems]
    measuring += [p for source in recipe.apart_from for p in _read(source)]
    left = [without(pictures, stems) for pictures in sources]
    if measuring:
        near, _ = not_near((p for pictures in left for p in pictures), measuring, progress)
        paths = {p.path for p in near}
        left = [tuple(p for p in pictures if p.path in paths) for pictures in left]
    return left, sum(map(len, sources)) - sum(map(len, left))


def _read(source: Source) -> tuple[LabelledPicture, ...]:
    if source.data is not None:
        return read_set(source.data, source.split, source.exhaustive).pictures
    assert source.coco is not None
    assert source.images is not None
    return read_coco(source.coco, source.images, source.exhaustive).pictures


def _add(folder: Path, name: str, picture: LabelledPicture, classes: tuple[str, ...]) -> dict[str, list[int]]:
    """Link one picture and write its labels; a class that the recipe doesn't train is left out."""
    _link(picture.path, folder / "images" / name)
    rows = [
        _row(classes.index(label), box)
        for label, box in zip(picture.class_names, picture.xyxy_share.tolist(), strict=True)
        if label in classes
    ]
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    (folder / "labels" / name).with_suffix(".txt").write_text("".join(rows), encoding="utf-8")
    return {name: [k for k, label in enumerate(classes) if label in picture.exhaustive]}


def _render(
    recipe: Recipe, folder: Path, progress: Callable[[int, int], None] | None
) -> dict[str, list[int]]:
    """Rendered pictures: nothing but the machines is in them, so every class is known."""
    names = [f"r{number:05d}.jpg" for number in range(recipe.rendered)]
    # The stamp says of which seed they are: others are drawn anew.
    stamp = folder / "rendered.txt"
    wanted = f"{RENDERING} {recipe.seed} {recipe.rendered} {' '.join(recipe.classes)}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        for number, (picture, objects) in enumerate(rendered(recipe.rendered, recipe.seed)):
            path = folder / "images" / names[number]
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
            rows = [
                _row(recipe.classes.index(label), _share(box))
                for label, box in objects
                if label in recipe.classes
            ]
            (folder / "labels").mkdir(parents=True, exist_ok=True)
            (folder / "labels" / names[number]).with_suffix(".txt").write_text(
                "".join(rows), encoding="utf-8"
            )
            if progress is not None:
                progress(number + 1, recipe.rendered)
        stamp.write_text(wanted)
    return {name: list(range(len(recipe.classes))) for name in names}


def _share(box: Box) -> list[float]:
    return [box[0] / WIDTH_PX, box[1] / HEIGHT_PX, box[2] / WIDTH_PX, box[3] / HEIGHT_PX]


def _row(label: int, share: list[float]) -> str:
    x0, y0, x1, y1 = share
    return f"{label} {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n"


def _negatives(folders: Iterable[Path]) -> list[Path]:
    found = []
    for folder in folders:
        pictures = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
        if not pictures:
            raise DataUnusable(folder, "there are no pictures in this folder of hard negatives")
        found += pictures
    return found


def _link(target: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target.resolve())

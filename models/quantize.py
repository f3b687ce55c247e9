"""`python -m models.quantize FOLDER --pictures data.yaml`: a set of weights also gets 8-bit integers.

Needs nncf and openvino (requirements/quantize.lock); the running system never imports this file.
Post-training quantization: ranges are taken from training pictures, no weight is trained anew. The
recipes are tried from the fastest on until one loses no more than a hundredth of mean AP50 on other
training pictures; what it loses on the measured split is then a plain measurement. Writes
model-int8.xml, model-int8.bin and the card's `int8`; prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import logging
import os
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.backends import BACKENDS, Options
from models.boxes import fit, to_input
from models.card import CARD, MAP50_LOSS_MAX, Card, read_card, read_weights
from models.card_file import with_int8
from models.detector import Detector, ModelInfo
from models.eval.dataset import LabelledPicture, LabelledSet, read_set
from models.eval.matching import match, pool
from models.eval.precision import average_precision
from models.eval.run import look
from models.eval.values import Seen
from models.predict import read_image
from models.registry import COMMON_FRAME_HW

GRAPH: Final = "model-int8.xml"
SEED: Final = 20261125
#: A class with fewer labelled boxes can't show a hundredth: one box more or less is five.
BOXES_MIN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What stays in floats, as patterns of names in Ultralytics' exports."""

    name: str
    floats: tuple[str, ...]


#: The head's box branch and arithmetic stay in floats everywhere: where only found things get boxes
#: (models.openvino_graph) they cost next to nothing, and distances suffer most from eight bits.
#: `HEAD` stands for the head's own name, model.22 in YOLOv8.
_BOXES: Final = r".*/HEAD/(?!cv3).*"
#: Fastest first.
RECIPES: Final = (
    Recipe(name="boxes in floats", floats=(_BOXES,)),
    Recipe(
        name="boxes, first layer and last of the scores in floats",
        floats=(_BOXES, r".*/model\.0/.*", r".*/HEAD/cv3\.\d/cv3\.\d\.2/.*"),
    ),
    Recipe(name="head and first two layers in floats", floats=(r".*/HEAD/.*", r".*/model\.[01]/.*")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Mean AP50 of both networks over the classes with at least `BOXES_MIN` boxes."""

    map50_float: float
    map50_int8: float
    #: {class: (float, int8)}, those that count and those that don't.
    classes: dict[str, tuple[float, float]]
    images: int

    @property
    def map50(self) -> float:
        """What is lost; negative if it became better."""
        return self.map50_float - self.map50_int8


def average_precisions(pictures: Sequence[Seen], classes: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Labelled boxes and AP50 of each class over the pictures in which it is labelled in full."""
    found = {}
    for name in classes:
        scored = [seen for seen in pictures if name in seen.exhaustive]
        pooled = pool([match(s.truth_of(name), *s.found_of(name), ious=(0.5,)) for s in scored], ious=1)
        found[name] = (int(pooled.truths.sum()), average_precision(pooled))
    return found


def loss(of_float: Sequence[Seen], of_int8: Sequence[Seen], classes: Sequence[str]) -> Loss:
    """What the 8-bit network loses on the same pictures."""
    before, after = average_precisions(of_float, classes), average_precisions(of_int8, classes)
    counted = [name for name in classes if before[name][0] >= BOXES_MIN]
    if not counted:
        raise SystemExit(
            f"no class has {BOXES_MIN} labelled boxes in {len(of_float)} pictures: a loss can't be measured"
        )
    return Loss(
        map50_float=float(np.mean([before[name][1] for name in counted])),
        map50_int8=float(np.mean([after[name][1] for name in counted])),
        classes={name: (before[name][1], after[name][1]) for name in classes if before[name][0]},
        images=len(of_float),
    )


def quantize(
    folder: Path,
    data: Path,
    *,
    train_split: str = "train",
    measure_split: str = "val",
    calibrate: int = 300,
    choose: int = 300,
    exhaustive: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Make, choose, measure and write; what was written. Raises ModelError as reading card and data does."""
    card = read_card(folder)
    weights = read_weights(card)
    train, held_out = read_set(data, train_split, exhaustive), read_set(data, measure_split, exhaustive)
    drawn = list(train.pictures)
    random.Random(SEED).shuffle(drawn)  # noqa: S311  (a draw of pictures, no secret)
    for_ranges, for_choice = drawn[:calibrate], drawn[calibrate : calibrate + choose]
    say(
        f"{len(for_ranges)} pictures for ranges, {len(for_choice)} for the choice, {len(held_out.pictures)} measured"
    )
    chosen_set = LabelledSet(classes=train.classes, pictures=tuple(for_choice))
    of_float = _looked(chosen_set, _detector(card, weights, card.sha256), "float network, choice", say)
    tried: list[tuple[float, Recipe, bytes, int]] = []
    for recipe in RECIPES:
        made, numbers_at = _made(weights, for_ranges, recipe, card.long_side_px, say)
        of_int8 = _looked(chosen_set, _detector(card, made), f"8 bits: {recipe.name}", say)
        lost = loss(of_float, of_int8, train.classes).map50
        say(f"{recipe.name}: loses {lost:+.4f} of mean AP50 on the pictures for the choice")
        tried.append((lost, recipe, made, numbers_at))
        if lost <= MAP50_LOSS_MAX:
            break
    within = [one for one in tried if one[0] <= MAP50_LOSS_MAX]
    _, recipe, made, numbers_at = (within or sorted(tried, key=lambda one: one[0]))[0]
    measured = loss(
        _looked(held_out, _detector(card, weights, card.sha256), f"float network, {measure_split}", say),
        _looked(held_out, _detector(card, made), f"8 bits, {measure_split}", say),
        held_out.classes,
    )
    return _write(card, made, numbers_at, recipe, measured, measure_split)


def _made(
    weights: bytes, pictures: Sequence[LabelledPicture], recipe: Recipe, side: int, say: Callable[[str], None]
) -> tuple[bytes, int]:
    """The 8-bit network's two files one after the other, and where the second begins."""
    # nncf tells its maker about each run unless it believes to be in its own tests.
    os.environ["NNCF_CI"] = "1"
    nncf, ov = importlib.import_module("nncf"), importlib.import_module("openvino")
    nncf.set_log_level(logging.ERROR)
    say(f"quantizing, {recipe.name} …")

    def as_input(picture: LabelledPicture) -> Any:
        image = read_image(picture.path)
        return to_input(image, fit((image.shape[0], image.shape[1]), long_side_px=side))

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        path.write_bytes(weights)
        model = ov.Core().read_model(path)
        head = re.escape(_head(node.get_friendly_name() for node in model.get_ops()))
        made = nncf.quantize(
            model,
            nncf.Dataset(list(pictures), as_input),
            # SiLU's outputs reach far up and hardly down: ranges of their own on both sides.
            preset=nncf.QuantizationPreset.MIXED,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(pictures),
            ignored_scope=nncf.IgnoredScope(
                patterns=[p.replace("HEAD", head) for p in recipe.floats], validate=False
            ),
        )
        target = Path(scratch) / GRAPH
        ov.save_model(made, target, compress_to_fp16=False)
        graph, numbers = target.read_bytes(), target.with_suffix(".bin").read_bytes()
    return graph + numbers, len(graph)


def _head(names: Iterable[str]) -> str:
    """What the export calls the head, for example model.22; SystemExit if this is no such network."""
    found = {m.group(1) for m in (re.match(r"/(model\.\d+)/cv2\.0/", name) for name in names) if m}
    if len(found) != 1:
        raise SystemExit(
            "this network has no head as Ultralytics' YOLOv8 or YOLO11 have one: no recipe fits it"
        )
    return found.pop()


def _detector(card: Card, weights: bytes, sha256: str | None = None) -> Detector:
    options = Options(threads=os.cpu_count() or 1, long_side_px=card.long_side_px)
    info = ModelInfo(
        name=card.name, version=card.version, sha256=sha256 or hashlib.sha256(weights).hexdigest(),
        classes=card.classes, trained_on=card.trained_on, backend="openvino",
        input_hw=fit(COMMON_FRAME_HW, long_side_px=card.long_side_px).input_hw,
    )  # fmt: skip
    return BACKENDS["openvino"].build(weights, info, options)


def _looked(labelled: LabelledSet, detector: Detector, what: str, say: Callable[[str], None]) -> list[Seen]:
    total = len(labelled.pictures)
    seen = []
    for done, one in enumerate(look(labelled, detector), start=1):
        seen.append(one)
        if done % 100 == 0 or done == total:
            say(f"{what}: {done}/{total}")
    return seen


def _write(
    card: Card, made: bytes, numbers_at: int, recipe: Recipe, measured: Loss, split: str
) -> dict[str, Any]:
    """Both files, then the card: a card without its files is refused, files without a card are not looked at."""
    versions = ", ".join(
        f"{n} {importlib.import_module(n).__version__.split('-')[0]}" for n in ("nncf", "openvino")
    )
    section = {
        "file": GRAPH,
        "sha256": hashlib.sha256(made).hexdigest(),
        "map50_loss": round(measured.map50, 4),
        "map50_float": round(measured.map50_float, 4),
        "map50": round(measured.map50_int8, 4),
        "measured_on": f"{measured.images} pictures of the split {split} at {card.long_side_px} px; mean over the "
        f"classes with at least {BOXES_MIN} boxes",
        "ap50": {name: round(after, 3) for name, (_, after) in measured.classes.items()},
        "ap50_float": {name: round(before, 3) for name, (before, _) in measured.classes.items()},
        "recipe": recipe.name,
        "made_with": f"python -m models.quantize ({versions})",
    }
    (card.folder / GRAPH).write_bytes(made[:numbers_at])
    (card.folder / GRAPH).with_suffix(".bin").write_bytes(made[numbers_at:])
    path = card.folder / CARD
    partial = path.with_suffix(".partial")
    partial.write_text(with_int8(path.read_text(encoding="utf-8"), section), encoding="utf-8")
    partial.replace(path)
    return {"folder": str(card.folder)} | section


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 1 if the loss is more than a hundredth (written all the same, never chosen)."""
    parser = argparse.ArgumentParser(
        prog="python -m models.quantize",
        description="Make the 8-bit network of a set of weights, measure what it loses, write both into the set.",
        epilog="example: python -m models.quantize models/weights/NAME --pictures ../shared/data/data.yaml",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the set: card.yaml and model.onnx")
    parser.add_argument("--pictures", type=Path, required=True, metavar="DATA_YAML", help="labelled pictures")
    parser.add_argument("--train-split", default="train", help="split for ranges and choice (%(default)s)")
    parser.add_argument(
        "--measure-split", default="val", help="split on which the loss is measured (%(default)s)"
    )
    parser.add_argument("--calibrate", type=int, default=300, help="pictures for ranges (%(default)s)")
    parser.add_argument(
        "--choose", type=int, default=300, help="pictures for the choice of recipe (%(default)s)"
    )
    parser.add_argument(
        "--exhaustive", type=Path, help="which source labels which class in full; else our table"
    )
    told = parser.parse_args(arguments)
    report = quantize(
        told.folder, told.pictures, train_split=told.train_split, measure_split=told.measure_split,
        calibrate=told.calibrate, choose=told.choose, exhaustive=told.exhaustive,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
    print(json.dumps(report, ensure_ascii=False))
    return 0 if report["map50_loss"] <= MAP50_LOSS_MAX else 1


if __name__ == "__main__":
    sys.exit(main())

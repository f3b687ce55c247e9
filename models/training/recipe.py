"""What to train from what, read from a YAML file: types, defaults, and errors that name the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import yaml

from models.boxes import STRIDE_PX
from models.errors import DataUnusable

PRECISIONS: Final = ("fp32", "bf16")
#: Keys that may be fractions.
SHARES: Final = frozenset({"learning_rate", "weather", "teacher_score"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One set of labelled pictures: a data.yaml in YOLO's form, or COCO's JSON with its folder of pictures."""

    data: Path | None = None
    split: str = "train"
    coco: Path | None = None
    images: Path | None = None
    #: {beginning of file names: [classes labelled in full]}; else as `models.eval.dataset.read_set` decides.
    exhaustive: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the result, besides the code's and the libraries' versions."""

    name: str
    #: A checkpoint (.pt) or an architecture (.yaml) of Ultralytics with one head, such as YOLOv8's; or the
    #: model.onnx of one of our sets, to train it further.
    start: Path
    classes: tuple[str, ...]
    sources: tuple[Source, ...]
    #: Folders of pictures in which none of the classes is to be seen: street scenes without machines.
    hard_negatives: tuple[Path, ...] = ()
    #: Rendered pictures mixed in; never used to measure.
    rendered: int = 0
    input_px: int = 416
    epochs: int = 20
    batch: int = 16
    seed: int = 20261125
    learning_rate: float = 0.001
    #: Last epochs without mosaics.
    plain_epochs: int = 4
    #: Share of pictures that get night, rain, haze, blur or compression.
    weather: float = 0.3
    #: Names of pictures that training must never see: they measure what comes out (YAML, see
    #: `models.eval.held_out.read_held_out`).
    held_out: Path | None = None
    #: Sets that measure what comes out: no training picture may show the same scene.
    apart_from: tuple[Source, ...] = ()
    #: A checkpoint whose class names are partly ours; where a source doesn't label such a class, what the
    #: teacher surely sees counts as labelled, and what it doesn't see stays unknown.
    teacher: Path | None = None
    teacher_px: int = 960
    teacher_score: float = 0.5
    #: "bf16" halves the time on CPUs that multiply bfloat16 (avx512_bf16, AMX); losses stay in float32.
    precision: str = "fp32"
    #: With an architecture to start from: a checkpoint of which it takes over the layers that fit.
    transfer: Path | None = None
    #: Layers from the input on that keep what they know.
    freeze: int = 0
    threads: int = 1
    #: Processes that make the next pictures ready.
    workers: int = 0


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; its paths count from its own folder.

    Raises:
        DataUnusable: the key that is wrong and what it should be.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise DataUnusable(path, f"can't be read: {exc}") from exc
    if not isinstance(raw, dict):
        raise DataUnusable(path, "is not a table of keys")
    known = {field.name for field in fields(Recipe)}
    missing = {"name", "start", "classes", "sources"} - set(raw)
    if set(raw) - known or missing:
        wrong = [f"{key} (not a key)" for key in sorted(map(str, set(raw) - known))]
        raise DataUnusable(path, "; ".join(wrong + [f"{key} (missing)" for key in sorted(missing)]))
    try:
        return _recipe(path.parent, raw)
    except (TypeError, ValueError) as exc:
        raise DataUnusable(path, str(exc)) from exc


def _recipe(root: Path, raw: Mapping[str, Any]) -> Recipe:
    plain: dict[str, Any] = {}
    for key, low, high in (
        ("rendered", 0, 100_000), ("input_px", STRIDE_PX, 4096), ("epochs", 1, 10_000), ("batch", 1, 1024),
        ("seed", 0, 2**31), ("learning_rate", 1e-7, 1.0), ("plain_epochs", 0, 10_000), ("weather", 0, 1),
        ("threads", 1, 1024), ("workers", 0, 64), ("freeze", 0, 100), ("teacher_px", STRIDE_PX, 4096),
        ("teacher_score", 0, 1),
    ):  # fmt: skip
        if key in raw:
            plain[key] = _between(key, raw[key], low, high, whole=key not in SHARES)
    if raw.get("precision", "fp32") not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}")
    if plain.get("input_px", STRIDE_PX) % STRIDE_PX:
        raise ValueError(f"input_px must be a multiple of {STRIDE_PX}")
    return Recipe(
        name=str(raw["name"]),
        start=_start(root, str(raw["start"])),
        classes=tuple(str(name) for name in _list("classes", raw["classes"])),
        sources=tuple(_source(root, one) for one in _list("sources", raw["sources"])),
        hard_negatives=tuple(root / str(one) for one in raw.get("hard_negatives") or ()),
        apart_from=tuple(_source(root, one) for one in raw.get("apart_from") or ()),
        held_out=root / str(raw["held_out"]) if raw.get("held_out") else None,
        teacher=root / str(raw["teacher"]) if raw.get("teacher") else None,
        transfer=root / str(raw["transfer"]) if raw.get("transfer") else None,
        precision=str(raw.get("precision", "fp32")),
        **plain,
    )


def _start(root: Path, named: str) -> Path:
    """A file beside the recipe, else the bare name of an architecture that Ultralytics brings along (yolov8n.yaml)."""
    beside = root / named
    return Path(named) if named.endswith(".yaml") and not beside.is_file() else beside


def _source(root: Path, raw: object) -> Source:
    if (
        not isinstance(raw, dict)
        or ("data" in raw) == ("coco" in raw)
        or ("coco" in raw) != ("images" in raw)
    ):
        raise ValueError(f"each of sources needs `data`, or `coco` and `images`; found {raw}")
    extra = set(raw) - {field.name for field in fields(Source)}
    if extra:
        raise ValueError(f"sources have no key {sorted(map(str, extra))}")
    paths = {key: root / str(raw[key]) for key in ("data", "coco", "images", "exhaustive") if key in raw}
    return Source(split=str(raw.get("split", "train")), **paths)


def _list(key: str, value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key} must be a list")
    return value


def _between(key: str, value: object, low: float, high: float, *, whole: bool) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key} must be a number from {low} to {high}, not {value!r}")
    if whole and not isinstance(value, int):
        raise ValueError(f"{key} must be a whole number, not {value!r}")
    return value

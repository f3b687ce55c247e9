"""Which sets of weights there are, and whether one may be used.

A set is a folder with `model.onnx`, `card.yaml` and `MODEL_CARD.md`. It is used only if the
weights' SHA-256 is the one in its card: what an event names as its model must be what looked.
Decides that; leaves running the network to the backends, which stand in one table below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from models.boxes import check_long_side, fit
from models.detector import Detector, ModelInfo
from models.errors import BackendUnknown, ModelRefused

WEIGHTS_ROOT: Final = Path(__file__).parent / "weights"
#: The set that is used when nobody names another.
DEFAULT_NAME: Final = "hca9-yolov8n-416"
#: `ModelInfo.input_hw` is told for a frame of this shape, (height, width): the usual camera's.
COMMON_FRAME_HW: Final = (1080, 1920)
#: Down to this score boxes are returned; rules and trackers have their own, higher thresholds.
SCORE_MIN: Final = 0.01
REINSTALL: Final = "Install hcawatch again, or restore this folder from its release."


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a set of weights says about itself (`card.yaml`)."""

    folder: Path
    name: str
    version: str
    sha256: str
    classes: tuple[str, ...]
    #: Longer side in pixels at which it was trained and measured.
    long_side_px: int
    trained_on: str
    licence: str
    #: Measured figures: {set of pictures: {class or measure: number}}, with its source under "source".
    figures: Mapping[str, Any]
    #: Sentences on what not to trust it with.
    cannot: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of `available()`: a folder, and its card or why it is refused."""

    folder: Path
    card: Card | None
    refused: ModelRefused | None


def _onnxruntime(
    weights: bytes, info: ModelInfo, threads: int, long_side_px: int, score_min: float
) -> Detector:
    from models.onnx_backend import OnnxDetector  # here, so that listing models needs no inference library

    return OnnxDetector(weights, info=info, threads=threads, long_side_px=long_side_px, score_min=score_min)


#: Name of a backend → what builds a detector from checked bytes. A new backend is a new row.
BACKENDS: Final[Mapping[str, Callable[[bytes, ModelInfo, int, int, float], Detector]]] = MappingProxyType(
    {"onnxruntime": _onnxruntime}
)


def load(
    weights_dir: Path | None = None,
    backend: str = "onnxruntime",
    threads: int = 1,
    long_side_px: int = 416,
    score_min: float = SCORE_MIN,
) -> Detector:
    """Check a set of weights and make a detector of it.

    Args:
        weights_dir: the set's folder; the shipped default if none is given.
        backend: a key of `BACKENDS`.
        threads: CPU threads for one frame.
        long_side_px: longer side of the network's input in pixels, a multiple of 32. The shipped
            weights were trained at 416 and are worse at 640.
        score_min: boxes that score less are not returned.

    Raises:
        ModelRefused: card or weights are missing, unreadable, or don't belong together.
        BackendUnknown: no such backend.
    """
    if backend not in BACKENDS:
        raise BackendUnknown(backend, tuple(BACKENDS))
    check_long_side(long_side_px)
    card = read_card(weights_dir or WEIGHTS_ROOT / DEFAULT_NAME)
    weights = _checked_weights(card)
    info = ModelInfo(
        name=card.name,
        version=card.version,
        sha256=card.sha256,
        classes=card.classes,
        trained_on=card.trained_on,
        backend=backend,
        input_hw=fit(COMMON_FRAME_HW, long_side_px=long_side_px).input_hw,
    )
    try:
        return BACKENDS[backend](weights, info, threads, long_side_px, score_min)
    except ValueError as exc:
        raise ModelRefused(
            f"{backend} can't run these weights: {exc}", where=card.folder / "model.onnx", remedy=REINSTALL
        ) from exc


def find(named: str | None, root: Path = WEIGHTS_ROOT) -> Path:
    """The folder of a set of weights: a shipped name, else a path; the default if nothing is named."""
    if named is None:
        return root / DEFAULT_NAME
    return root / named if (root / named / "card.yaml").is_file() else Path(named)


def available(root: Path = WEIGHTS_ROOT) -> tuple[Listed, ...]:
    """All sets of weights below `root`, by name, each checked; a refused one is listed with the reason."""
    if not root.is_dir():
        return ()
    return tuple(
        _listed(folder) for folder in sorted(root.iterdir()) if folder.is_dir() and folder.name[0] not in "._"
    )


def _listed(folder: Path) -> Listed:
    try:
        card = read_card(folder)
        _checked_weights(card)
    except ModelRefused as refused:
        return Listed(folder=folder, card=None, refused=refused)
    return Listed(folder=folder, card=card, refused=None)


def read_card(folder: Path) -> Card:
    """The card of the set in `folder`; ModelRefused if it is missing or not a card."""
    path = folder / "card.yaml"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ModelRefused(
            f"its card can't be read: {exc}",
            where=path,
            remedy="Name a folder that holds card.yaml and model.onnx.",
        ) from exc
    if not isinstance(raw, dict):
        raise ModelRefused("its card is not a table of keys", where=path, remedy=REINSTALL)
    try:
        return _card(folder, raw)
    except (KeyError, TypeError, ValueError) as exc:
        raise ModelRefused(f"its card lacks or misstates {exc}", where=path, remedy=REINSTALL) from exc


def _card(folder: Path, raw: dict[str, Any]) -> Card:
    sha256 = str(raw["sha256"]).lower()
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError("sha256 (64 hex digits)")
    classes = tuple(str(name) for name in raw["classes"])
    if not classes or len(set(classes)) != len(classes):
        raise ValueError("classes (a list of different names)")
    return Card(
        folder=folder,
        name=str(raw["name"]),
        version=str(raw["version"]),
        sha256=sha256,
        classes=classes,
        long_side_px=int(raw["input"]["long_side_px"]),
        trained_on=str(raw["trained_on"]).strip(),
        licence=str(raw["licence"]),
        figures=dict(raw["figures"]),
        cannot=tuple(str(line) for line in raw["cannot"]),
    )


def _checked_weights(card: Card) -> bytes:
    """The set's weights, hashed and used from one read, so that nobody can swap the file between."""
    path = card.folder / "model.onnx"
    try:
        weights = path.read_bytes()
    except OSError as exc:
        raise ModelRefused(f"its weights can't be read: {exc}", where=path, remedy=REINSTALL) from exc
    found = hashlib.sha256(weights).hexdigest()
    if found != card.sha256:
        raise ModelRefused(
            f"its weights are not the ones of its card: SHA-256 is {found}, the card says {card.sha256}",
            where=path,
            remedy="The file was changed or cut off. " + REINSTALL,
        )
    return weights

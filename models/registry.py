"""Which sets of weights there are, and making a detector of one.

Decides which folder is meant and which network of it a backend gets, once its card has vouched for
the bytes (`models.card`). Which backends there are is `models.backends`' table, and which of them
is fastest here is `models.choice`'s measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.backends import BACKENDS, FALLBACK, SCORE_MIN, Options
from models.boxes import check_long_side, fit
from models.calibrated import Calibrated, raw_score_min
from models.card import REINSTALL, WEIGHTS, Card, check, int8_of, read_card, read_int8, read_weights
from models.detector import Detector, ModelInfo
from models.errors import BackendUnknown, BackendUnusable, ModelRefused

__all__ = [
    "BACKENDS", "DEFAULT_NAME", "WEIGHTS_ROOT", "Card", "Listed", "available", "build", "find", "load", "read_card",
]  # fmt: skip

WEIGHTS_ROOT: Final = Path(__file__).parent / "weights"
#: The set that is used when nobody names another.
DEFAULT_NAME: Final = "hca9-yolov8n-640"
#: `ModelInfo.input_hw` is told for a frame of this shape, (height, width): the usual camera's.
COMMON_FRAME_HW: Final = (1080, 1920)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of `available()`: a folder, and its card or why it is refused."""

    folder: Path
    card: Card | None
    refused: ModelRefused | None


def load(
    weights_dir: Path | None = None,
    backend: str = FALLBACK,
    threads: int = 1,
    long_side_px: int | None = None,
    score_min: float = SCORE_MIN,
    providers: tuple[str, ...] = (),
    at_once: int = 1,
) -> Detector:
    """Check a set of weights and make a detector of it.

    Args:
        weights_dir: the set's folder; the shipped default if none is given.
        backend: a key of `BACKENDS`; `models.choice` says which is fastest.
        threads: CPU threads for one frame.
        long_side_px: longer side of the network's input in pixels, a multiple of 32; the one at which
            the set was trained and measured, as its card has it, if none is given.
        score_min: boxes that score less are not returned.
        providers: ONNX Runtime's execution providers beside the CPU's, best first.
        at_once: frames that several callers give at the same time.

    Raises:
        ModelRefused: card or weights are missing, unreadable, or don't belong together.
        BackendUnknown: no such backend.
        BackendUnusable: its libraries are missing here, or fail.
    """
    known(backend)
    card = read_card(weights_dir or WEIGHTS_ROOT / DEFAULT_NAME)
    side = card.long_side_px if long_side_px is None else long_side_px
    check_long_side(side)
    options = Options(
        threads=threads, at_once=at_once, long_side_px=side, score_min=score_min, providers=providers
    )
    return build(card, backend, options)


def known(backend: str) -> None:
    """Raise BackendUnknown unless the table has it."""
    if backend not in BACKENDS:
        raise BackendUnknown(backend, tuple(BACKENDS))


def build(card: Card, backend: str, options: Options) -> Detector:
    """A detector of a set whose card was read; raises as `load` does."""
    row = BACKENDS[backend]
    if row.weights == "int8":
        int8, weights = read_int8(card)
        where = card.folder / int8.file
    else:
        weights, where = read_weights(card), card.folder / WEIGHTS
    if row.missing:
        raise BackendUnusable(
            backend, f"{', '.join(row.missing)} is not installed", remedy=f"pip install {row.install}"
        )
    info = describe(card, backend, options.long_side_px)
    try:
        return _calibrated(card, options, lambda asked: row.build(weights, info, asked))
    except ImportError as exc:
        raise BackendUnusable(
            backend, f"it can't be imported: {exc}", remedy=f"pip install {row.install}"
        ) from exc
    except ValueError as exc:
        raise ModelRefused(
            f"{backend} can't run these weights: {exc}", where=where, remedy=REINSTALL
        ) from exc


def describe(card: Card, backend: str, long_side_px: int) -> ModelInfo:
    """What a detector of this set says of itself, by its card alone: no weights are read, so none are checked.

    Raises:
        BackendUnknown: no such backend.
        ModelRefused: the set has no network for it.
    """
    known(backend)
    return ModelInfo(
        name=card.name,
        version=card.version,
        sha256=int8_of(card).sha256 if BACKENDS[backend].weights == "int8" else card.sha256,
        classes=card.classes,
        trained_on=card.trained_on,
        backend=backend,
        input_hw=fit(COMMON_FRAME_HW, long_side_px=long_side_px).input_hw,
        shipped=card.shipping.shipped,
    )


def _calibrated(card: Card, options: Options, built: Callable[[Options], Detector]) -> Detector:
    """The detector with the scores of its card, whatever backend it is; calibrated scores are asked for and given."""
    if card.calibration is None:
        return built(options)
    raw = raw_score_min(card.classes, card.calibration, options.score_min)
    return Calibrated(built(replace(options, score_min=raw)), card.calibration, options.score_min)


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
        check(card)
    except ModelRefused as refused:
        return Listed(folder=folder, card=None, refused=refused)
    return Listed(folder=folder, card=card, refused=None)

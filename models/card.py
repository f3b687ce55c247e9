"""A set of weights on disk: what its card says, and the very bytes that the card vouches for.

A set is a folder with `model.onnx`, `card.yaml` and `MODEL_CARD.md`, and beside them, where
`python -m models.quantize` made it, the same network in 8-bit integers, as OpenVINO writes it:
`model-int8.xml` and `model-int8.bin`. Bytes are used only if their SHA-256 is the one in the card:
what an event names as its model must be what looked.
Decides that; leaves running the network to the backends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from models.calibrated import Calibration, read_calibration
from models.errors import ModelRefused
from models.shipped import UNSAID, Shipping, read_shipping

CARD: Final = "card.yaml"
WEIGHTS: Final = "model.onnx"
REINSTALL: Final = "Install hcawatch again, or restore this folder from its release."
QUANTIZE: Final = "Make it with: python -m models.quantize FOLDER (see docs/commands.md)."
#: How much mean AP50 the 8-bit network may lose and still be chosen by itself.
MAP50_LOSS_MAX: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """The 8-bit network of a set, and what it lost (`int8` of `card.yaml`)."""

    #: The graph's name inside the set's folder; its numbers lie beside it, ending in .bin.
    file: str
    #: Of both files one after the other, as `cat model-int8.xml model-int8.bin | sha256sum` says it.
    sha256: str
    #: Mean AP50 of the float network less that of this one, on pictures that neither calibration nor
    #: the choice of recipe has seen; negative if it became better.
    map50_loss: float


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
    #: None if the set has no 8-bit network.
    int8: Int8 | None
    #: None: scores are the network's own.
    calibration: Calibration | None = None
    #: Which classes may raise an alarm.
    shipping: Shipping = UNSAID


def read_card(folder: Path) -> Card:
    """The card of the set in `folder`; ModelRefused if it is missing or not a card."""
    path = folder / CARD
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ModelRefused(
            f"its card can't be read: {exc}",
            where=path,
            remedy=f"Name a folder that holds {CARD} and {WEIGHTS}.",
        ) from exc
    if not isinstance(raw, dict):
        raise ModelRefused("its card is not a table of keys", where=path, remedy=REINSTALL)
    try:
        return _card(folder, raw)
    except (KeyError, TypeError, ValueError) as exc:
        raise ModelRefused(f"its card lacks or misstates {exc}", where=path, remedy=REINSTALL) from exc


def read_weights(card: Card) -> bytes:
    """The set's float network, hashed and used from one read, so that nobody can swap the file between."""
    return _checked((card.folder / WEIGHTS,), card.sha256)


def int8_of(card: Card) -> Int8:
    """The card's lines on its 8-bit network; ModelRefused if it has none."""
    if card.int8 is None:
        raise ModelRefused("it has no 8-bit network", where=card.folder / CARD, remedy=QUANTIZE)
    return card.int8


def read_int8(card: Card) -> tuple[Int8, bytes]:
    """The set's 8-bit network (graph, then numbers) and its lines of the card; as checked as the float one."""
    int8 = int8_of(card)
    graph = card.folder / int8.file
    return int8, _checked((graph, graph.with_suffix(".bin")), int8.sha256)


def check(card: Card) -> None:
    """Raise ModelRefused unless every file that the card names is the one it names."""
    read_weights(card)
    if card.int8 is not None:
        read_int8(card)


def _card(folder: Path, raw: dict[str, Any]) -> Card:
    classes = tuple(str(name) for name in raw["classes"])
    if not classes or len(set(classes)) != len(classes):
        raise ValueError("classes (a list of different names)")
    return Card(
        folder=folder,
        name=str(raw["name"]),
        version=str(raw["version"]),
        sha256=_sha256(raw["sha256"], "sha256"),
        classes=classes,
        long_side_px=int(raw["input"]["long_side_px"]),
        trained_on=str(raw["trained_on"]).strip(),
        licence=str(raw["licence"]),
        figures=dict(raw["figures"]),
        cannot=tuple(str(line) for line in raw["cannot"]),
        int8=None if raw.get("int8") is None else _int8(raw["int8"]),
        calibration=read_calibration(raw.get("calibration"), classes),
        shipping=read_shipping(raw.get("shipped"), raw.get("measured"), classes),
    )


def _int8(raw: Any) -> Int8:
    if not isinstance(raw, dict):
        raise TypeError("int8 (a table with file, sha256 and map50_loss)")
    file = str(raw["file"])
    if Path(file).name != file or not file.endswith(".xml"):
        raise ValueError("int8.file (the name of an .xml file in the set's folder)")
    loss = float(raw["map50_loss"])
    if not -1 <= loss <= 1:
        raise ValueError("int8.map50_loss (a number from -1 to 1)")
    return Int8(file=file, sha256=_sha256(raw["sha256"], "int8.sha256"), map50_loss=loss)


def _sha256(raw: Any, key: str) -> str:
    sha256 = str(raw).lower()
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"{key} (64 hex digits)")
    return sha256


def _checked(paths: tuple[Path, ...], sha256: str) -> bytes:
    parts = []
    for path in paths:
        try:
            parts.append(path.read_bytes())
        except OSError as exc:
            raise ModelRefused(f"its weights can't be read: {exc}", where=path, remedy=REINSTALL) from exc
    weights = b"".join(parts)
    found = hashlib.sha256(weights).hexdigest()
    if found != sha256:
        raise ModelRefused(
            f"its weights are not the ones of its card: SHA-256 is {found}, the card says {sha256}",
            where=paths[0],
            remedy="The file was changed or cut off. " + REINSTALL,
        )
    return weights

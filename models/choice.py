"""Which backend runs a set of weights on this machine: the fastest that may.

Decides, from two seconds of measuring in turns, and remembers the answer as long as weights,
libraries and processor stay the same. 8-bit integers are let in only if the set's card says that
they lose at most a hundredth of mean AP50, and only if on this very machine they see in one
picture what the float network sees: a processor or a library that gets integers wrong says nothing.
Leaves running networks to the backends.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from models.backends import BACKENDS, FALLBACK, Options
from models.boxes import iou
from models.card import MAP50_LOSS_MAX, Card, check
from models.detector import Detection, Detector
from models.errors import ModelError
from models.predict import read_image
from models.registry import build

log = structlog.get_logger("models.choice")

#: How long is measured, all backends together, and how often each looks at least.
MEASURE_S: Final = 2.0
ROUNDS_MIN: Final = 3
#: A picture of our own renderer (models.scenes, frame 250 of the demo's clip): an excavator by a pipeline.
PROBE: Final = Path(__file__).parent / "probe.jpg"
#: A thing that the float network sees so surely must be seen by another one too, ...
SURE_SCORE: Final = 0.5
#: ... with at least this score and this overlap.
AGREED_SCORE: Final = 0.3
AGREED_IOU: Final = 0.5
#: Name of the file in the state folder.
STATE: Final = "detector-choice.json"
#: Distributions whose versions decide how fast and how right a backend is.
_LIBRARIES: Final = ("openvino", "onnxruntime", "onnxruntime-gpu", "numpy", "opencv-python-headless")


class Reason(StrEnum):
    """Why a backend was taken."""

    FASTEST = "fastest"
    ONLY_ONE = "only_one"
    REMEMBERED = "remembered"
    CONFIGURED = "configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The backend that runs, and why."""

    backend: str
    reason: Reason
    #: Milliseconds a picture of each that was measured.
    ms: Mapping[str, float]
    #: Why the others were left out.
    left_out: Mapping[str, str]


def choose(ms: Mapping[str, float], left_out: Mapping[str, str]) -> Choice:
    """The fastest of those that were measured; of equals the one that comes first in the table."""
    order = [name for name in BACKENDS if name in ms]
    backend = min(order, key=lambda name: ms[name])
    reason = Reason.FASTEST if len(order) > 1 else Reason.ONLY_ONE
    return Choice(backend=backend, reason=reason, ms=ms, left_out=left_out)


def may_try(name: str, card: Card) -> str | None:
    """Why a backend is not even measured for this set; None if it may be."""
    row = BACKENDS[name]
    if row.missing:
        return f"{', '.join(row.missing)} is not installed"
    if row.weights == "int8" and card.int8 is None:
        return "the set has no 8-bit network"
    if row.weights == "int8" and card.int8 is not None and card.int8.map50_loss > MAP50_LOSS_MAX:
        return f"8 bits lose {card.int8.map50_loss} of mean AP50, more than {MAP50_LOSS_MAX}"
    return None


def sees_the_same(sure: tuple[Detection, ...], other: tuple[Detection, ...]) -> bool:
    """Whether everything that one network surely sees is seen by the other at about the same place.

    If it is sure of nothing, as with weights whose calibrated scores are low, its best box counts.
    """
    best = max((thing.score for thing in sure), default=0.0)
    for thing in sure:
        if thing.score < min(SURE_SCORE, best):
            continue
        least = min(AGREED_SCORE, thing.score / 2)
        alike = [o for o in other if o.class_name == thing.class_name and o.score >= least]
        boxes = np.array([o.xyxy for o in alike], dtype=np.float64).reshape(-1, 4)
        if not (iou(np.array([thing.xyxy], dtype=np.float64), boxes) >= AGREED_IOU).any():
            return False
    return True


def decide(
    card: Card, options: Options, state_dir: Path | None, *, clock: Callable[[], float] = time.perf_counter
) -> Choice:
    """The backend for this set on this machine: remembered from an earlier start, else measured now.

    Args:
        card: the set; every file of it is checked first.
        options: how it will run.
        state_dir: where the answer is kept; nowhere if None.
        clock: seconds; tests bring their own.

    Raises:
        ModelRefused: a file of the set is not the one of its card.
        ModelError: no backend can run it.
    """
    check(card)
    key = machine_key(card, options)
    remembered = _remembered(state_dir, key)
    if remembered is not None:
        log.info(
            "detector_backend",
            backend=remembered.backend,
            reason=remembered.reason.value,
            ms=dict(remembered.ms),
        )
        return remembered
    choice = measure(card, options, clock=clock)
    log.info(
        "detector_backend", backend=choice.backend, reason=choice.reason.value, ms=dict(choice.ms),
        left_out=dict(choice.left_out),
    )  # fmt: skip
    _remember(state_dir, key, choice)
    return choice


def measure(card: Card, options: Options, *, clock: Callable[[], float] = time.perf_counter) -> Choice:
    """Let all backends that may look at the probe in turns, and take the fastest by its median."""
    picture = read_image(PROBE)
    left_out: dict[str, str] = {}
    built: dict[str, Detector] = {}
    for name, row in BACKENDS.items():
        why = may_try(name, card) if row.chosen_by_itself else "only if it is named"
        if why is None:
            try:
                built[name] = build(card, name, options)
                built[name].warm_up()
            except ModelError as exc:
                built.pop(name, None)
                why = str(exc)
        if why is not None:
            left_out[name] = why
    _leave_out_the_blind(built, picture, left_out)
    if not built:
        said = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise ModelError(f"no backend can run {card.name} here ({said}). Run: make setup")
    return choose(_timed(built, picture, clock), left_out)


def _leave_out_the_blind(
    built: dict[str, Detector], picture: NDArray[np.uint8], left_out: dict[str, str]
) -> None:
    """Take out of `built` what doesn't see the probe as the reference does."""
    floats = [name for name in (FALLBACK, *built) if name in built and BACKENDS[name].weights == "float"]
    if not floats:
        return
    expected = built[floats[0]].detect(picture)
    for name in [name for name in built if name != floats[0]]:
        if not sees_the_same(expected, built[name].detect(picture)):
            del built[name]
            left_out[name] = (
                f"it doesn't see in a picture what {floats[0]} sees; its arithmetic is wrong here"
            )
            log.warning("detector_backend_wrong", backend=name, compared_with=floats[0], picture=PROBE.name)


def _timed(
    built: Mapping[str, Detector], picture: NDArray[np.uint8], clock: Callable[[], float]
) -> dict[str, float]:
    took_s: dict[str, list[float]] = {name: [] for name in built}
    began_s = clock()
    rounds = 0
    while rounds < ROUNDS_MIN or clock() - began_s < MEASURE_S:
        for name, detector in built.items():
            before_s = clock()
            detector.detect(picture)
            took_s[name].append(clock() - before_s)
        rounds += 1
    return {name: round(statistics.median(times) * 1000, 2) for name, times in took_s.items()}


def machine_key(card: Card, options: Options) -> str:
    """What the answer depends on: weights, libraries, processor and how it is run, as one hash."""
    facts: dict[str, Any] = {
        "weights": card.sha256,
        "int8": [card.int8.sha256, card.int8.map50_loss] if card.int8 else None,
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "processor": _processor(),
        "cores": os.cpu_count(),
        "options": [options.threads, options.long_side_px, list(options.providers)],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Model and abilities, as Linux tells them: a virtual machine that moved may have lost some."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "flags", "cpu family", "model\t", "stepping", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _remembered(state_dir: Path | None, key: str) -> Choice | None:
    if state_dir is None:
        return None
    try:
        raw = json.loads((state_dir / STATE).read_text(encoding="utf-8"))
        if raw["key"] != key or raw["backend"] not in BACKENDS or BACKENDS[raw["backend"]].missing:
            return None
        return Choice(
            backend=raw["backend"],
            reason=Reason.REMEMBERED,
            ms={str(name): float(ms) for name, ms in raw["ms"].items()},
            left_out={str(name): str(why) for name, why in raw["left_out"].items()},
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # none yet, or not one of ours: measure
        return None


def _remember(state_dir: Path | None, key: str, choice: Choice) -> None:
    if state_dir is None:
        return
    table = {"key": key, "backend": choice.backend, "ms": dict(choice.ms), "left_out": dict(choice.left_out)}
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        partial = state_dir / f"{STATE}.{os.getpid()}"
        partial.write_text(json.dumps(table, indent=1), encoding="utf-8")
        partial.replace(state_dir / STATE)
    except OSError as exc:  # a full or read-only disk costs two seconds a start, no more
        log.warning("detector_choice_not_kept", folder=str(state_dir), error=str(exc))

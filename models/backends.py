"""The table of what can run a network: which file of a set it runs, and what it needs.

Decides nothing about which is used: that is configured, or measured by `models.choice`. Libraries
are imported only when a backend is built, so that listing models needs none of them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from models.detector import Detector, ModelInfo

#: Down to this score boxes are returned; rules and trackers have their own, higher thresholds.
SCORE_MIN: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a network is run."""

    #: CPU threads for one frame; 1 gives the best throughput per core when each camera has its own caller.
    threads: int = 1
    #: Frames that several callers give at the same time; each has `threads` of its own.
    at_once: int = 1
    #: Longer side of the network's input in pixels, a multiple of 32.
    long_side_px: int
    #: Boxes that score less are not returned.
    score_min: float = SCORE_MIN
    #: ONNX Runtime's execution providers, best first, beside the CPU's: "cuda", "tensorrt", or full names.
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One row of the table."""

    #: Which network of the set it runs.
    weights: Literal["float", "int8"]
    #: Modules that must be there, the first named being the one to install.
    needs: tuple[str, ...]
    #: What one installs where it is missing.
    install: str
    #: Whether `auto` may choose it.
    chosen_by_itself: bool
    build: Callable[[bytes, ModelInfo, Options], Detector]

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that it needs and that are not installed."""
        return tuple(name for name in self.needs if importlib.util.find_spec(name) is None)


def _openvino(weights: bytes, info: ModelInfo, options: Options) -> Detector:
    from models.openvino_backend import OpenVinoDetector

    return OpenVinoDetector(weights, info=info, options=options)


def _onnxruntime(weights: bytes, info: ModelInfo, options: Options) -> Detector:
    from models.onnx_backend import OnnxDetector

    return OnnxDetector(weights, info=info, options=options)


def _ultralytics(weights: bytes, info: ModelInfo, options: Options) -> Detector:
    from models.ultralytics_backend import UltralyticsDetector

    return UltralyticsDetector(weights, info=info, options=options)


#: The backend that runs on any CPU, and the one whose figures stand in the cards.
FALLBACK: Final = "onnxruntime"
#: What a configuration says, in a backend's place, to have the fastest chosen (`models.choice`).
AUTO: Final = "auto"
#: Name → row; the order is that of tables, not of preference. A new backend is a new row.
BACKENDS: Final[Mapping[str, Backend]] = MappingProxyType(
    {
        "openvino-int8": Backend(
            weights="int8", needs=("openvino",), install="openvino", chosen_by_itself=True, build=_openvino
        ),
        "openvino": Backend(
            weights="float", needs=("openvino",), install="openvino", chosen_by_itself=True, build=_openvino
        ),
        FALLBACK: Backend(
            weights="float", needs=("onnxruntime",), install="onnxruntime", chosen_by_itself=True, build=_onnxruntime
        ),
        "ultralytics": Backend(
            weights="float", needs=("ultralytics", "torch", "onnx", "onnxruntime"), install="ultralytics onnx onnxruntime",
            chosen_by_itself=False, build=_ultralytics,
        ),
    }
)  # fmt: skip

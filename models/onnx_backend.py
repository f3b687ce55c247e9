"""Runs a detector with ONNX Runtime: the backend that works on any CPU, and on NVIDIA's GPUs if told to.

Decides which of the execution providers that were asked for this installation has; one that it
has not, or that fails, is logged and left out, and the CPU takes its place. Leaves the arithmetic around the network to `models.boxes` and the choice of weights to
`models.registry`, which hands in bytes whose hash it has already checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import onnxruntime as ort
import structlog
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from models.backends import Options
from models.boxes import PAD_GREY, check_frame, check_long_side, fit, from_output, to_input
from models.detector import Detection, ModelInfo

log = structlog.get_logger("models.onnx")

#: Short names of execution providers, as configuration has them.
PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
)
CPU: Final = "CPUExecutionProvider"

#: What ONNX Runtime raises for bytes that are no network, or one that it can't build. No common base but Exception.
_NOT_A_NETWORK = (
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
)


class OnnxDetector:
    """A YOLOv8-like network in ONNX Runtime.

    Thread-safe: a session may run from several threads at once, and nothing else changes.
    """

    def __init__(self, weights: bytes, *, info: ModelInfo, options: Options) -> None:
        """Build the session.

        Args:
            weights: the ONNX file's bytes, already checked.
            info: what to call it.
            options: threads inside one run, size of the input, least score, execution providers.

        Raises:
            ValueError: the bytes are no network, or one with other outputs than `info.classes`.
        """
        check_long_side(options.long_side_px)
        self._session = _session(weights, options)
        self._input_name: str = self._session.get_inputs()[0].name
        self._output_name: str = self._session.get_outputs()[0].name
        rows = self._session.get_outputs()[0].shape[1]
        if rows != 4 + len(info.classes):
            raise ValueError(
                f"the network gives {rows} rows, {len(info.classes)} classes need {4 + len(info.classes)}"
            )
        self._info = info
        self._long_side_px = options.long_side_px
        self._score_min = options.score_min

    @property
    def info(self) -> ModelInfo:
        """Name, version, hash and classes of the network in use."""
        return self._info

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        """Objects in one (H, W, 3) frame, best score first."""
        check_frame(frame_bgr)
        height_px, width_px = frame_bgr.shape[:2]
        letterbox = fit((height_px, width_px), long_side_px=long_side_px or self._long_side_px)
        output = self.run(to_input(frame_bgr, letterbox))
        return from_output(output, letterbox, self._info.classes, score_min=self._score_min)

    def run(self, network_input: NDArray[np.float32]) -> NDArray[np.float32]:
        """The bare network: (1, 3, H, W) in, (1, 4 + classes, N) out; for checks against other backends."""
        (output,) = self._session.run([self._output_name], {self._input_name: network_input})
        return np.asarray(output, dtype=np.float32)

    def warm_up(self) -> None:
        """Run once on a grey 16:9 picture."""
        height_px, width_px = self._info.input_hw
        self.detect(np.full((height_px, width_px, 3), PAD_GREY, dtype=np.uint8))


def usable(wanted: Sequence[str], there: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Full names of the providers to use, the CPU last, and those that were asked for but are not there."""
    full = tuple(PROVIDERS.get(name.lower(), name) for name in wanted)
    kept = tuple(dict.fromkeys(name for name in full if name in there and name != CPU))
    return (*kept, CPU), tuple(name for name in full if name not in there)


def _session(weights: bytes, options: Options) -> Any:
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    # Spinning threads burn 15 % more CPU while they wait for the next frame (docs/decisions/0002).
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 3
    providers, absent = usable(options.providers, ort.get_available_providers())
    if absent:
        log.warning(
            "execution_provider_absent", wanted=absent, used=providers,
            remedy="install onnxruntime-gpu in the place of onnxruntime, and the GPU's libraries",
        )  # fmt: skip
    try:
        session = ort.InferenceSession(weights, settings, providers=list(providers))
    except _NOT_A_NETWORK as exc:
        if len(providers) == 1:
            raise ValueError(str(exc)) from exc
        log.warning("execution_provider_failed", wanted=providers[:-1], used=(CPU,), error=str(exc)[:300])
        return _session(weights, replace(options, providers=()))
    # A provider whose libraries are missing is left out by ONNX Runtime with no more than a line on stderr.
    lost = [name for name in providers if name not in session.get_providers()]
    if lost:
        log.warning("execution_provider_failed", wanted=lost, used=tuple(session.get_providers()))
    return session

"""Runs a detector with ONNX Runtime: the backend that works on any CPU.

Leaves the arithmetic around the network to `models.boxes` and the choice of weights to
`models.registry`, which hands in bytes whose hash it has already checked.
"""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from models.boxes import check_frame, check_long_side, fit, from_output, to_input
from models.detector import Detection, ModelInfo

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

    def __init__(
        self, weights: bytes, *, info: ModelInfo, threads: int, long_side_px: int, score_min: float
    ) -> None:
        """Build the session.

        Args:
            weights: the ONNX file's bytes, already checked.
            info: what to call it.
            threads: threads inside one run; 1 gives the best throughput per core when each camera
                has its own caller (../shared/ground.md, 10).
            long_side_px: longer side of the network's input, a multiple of 32.
            score_min: boxes that score less are not returned.

        Raises:
            ValueError: the bytes are no network, or one with other outputs than `info.classes`.
        """
        check_long_side(long_side_px)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads burn 15 % more CPU while they wait for the next frame (same page).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except _NOT_A_NETWORK as exc:
            raise ValueError(str(exc)) from exc
        self._input_name: str = self._session.get_inputs()[0].name
        self._output_name: str = self._session.get_outputs()[0].name
        rows = self._session.get_outputs()[0].shape[1]
        if rows != 4 + len(info.classes):
            raise ValueError(
                f"the network gives {rows} rows, {len(info.classes)} classes need {4 + len(info.classes)}"
            )
        self._info = info
        self._long_side_px = long_side_px
        self._score_min = score_min

    @property
    def info(self) -> ModelInfo:
        """Name, version, hash and classes of the network in use."""
        return self._info

    def detect(self, frame_bgr: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Objects in one (H, W, 3) frame, best score first."""
        check_frame(frame_bgr)
        height_px, width_px = frame_bgr.shape[:2]
        letterbox = fit((height_px, width_px), long_side_px=self._long_side_px)
        output = self.run(to_input(frame_bgr, letterbox))
        return from_output(output, letterbox, self._info.classes, score_min=self._score_min)

    def run(self, network_input: NDArray[np.float32]) -> NDArray[np.float32]:
        """The bare network: (1, 3, H, W) in, (1, 4 + classes, N) out; for checks against other backends."""
        (output,) = self._session.run([self._output_name], {self._input_name: network_input})
        return np.asarray(output, dtype=np.float32)

    def warm_up(self) -> None:
        """Run once on a grey 16:9 picture."""
        height_px, width_px = self._info.input_hw
        self.detect(np.full((height_px, width_px, 3), 114, dtype=np.uint8))

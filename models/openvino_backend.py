"""Runs a detector with OpenVINO: floats or 8-bit integers, the fastest backend on Intel's and AMD's CPUs.

Decides how often a network is compiled (a frame's shape that comes again gets a network of its
own, which is faster than one for every shape) and which parts of it a frame needs. The cuts are
made in `models.openvino_graph`, the arithmetic around the network in `models.boxes`; bytes come in
checked from `models.card`.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from models import openvino_graph as graph
from models.backends import Options
from models.boxes import (
    PAD_GREY,
    Letterbox,
    check_frame,
    check_long_side,
    fit,
    from_output,
    strongest,
    to_canvas,
    to_detections,
)
from models.detector import Detection, ModelInfo

#: A shape that was met so often is a camera's, and is worth the half second of compiling.
OFTEN: Final = 8
#: Networks compiled for one shape each; each holds its own copy of the weights.
SHAPES_MAX: Final = 4
#: With it a graph in OpenVINO's own form ends; numbers follow.
_GRAPH_END: Final = b"</net>\n"


class OpenVinoDetector:
    """A YOLOv8-like network in OpenVINO.

    Thread-safe: each call takes an infer request of its own from a pool. All requests share the
    threads that the detector was given, so calls at the same time wait for each other.
    """

    def __init__(self, weights: bytes, *, info: ModelInfo, options: Options) -> None:
        """Compile for 16:9 frames; other shapes follow when they come.

        Args:
            weights: an ONNX file's bytes, or those of OpenVINO's own two files, graph first; already checked.
            info: what to call it.
            options: threads inside one run, size of the input, least score.

        Raises:
            ValueError: the bytes are no network, or one with other outputs than `info.classes`.
        """
        check_long_side(options.long_side_px)
        self._core = ov.Core()
        self._weights, self._info = _parts(weights), info
        self._long_side_px, self._score_min = options.long_side_px, options.score_min
        self._config = {
            # Unset, OpenVINO may take bfloat16: scores then differ in the third digit, and on some
            # CPUs it is slower too (docs/decisions/0002).
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": options.threads,
        }
        model = self._read()
        rows = model.output(0).get_partial_shape()[1]
        if rows.is_static and rows.get_length() != 4 + len(info.classes):
            raise ValueError(
                f"the network gives {rows.get_length()} rows, {len(info.classes)} classes need {4 + len(info.classes)}"
            )
        self._boxes = tuple(self._pool(graph.surroundings(branch)) for branch in graph.branches(model))
        self._met: Counter[tuple[int, int]] = Counter()
        self._lock = threading.Lock()
        self._any_shape: _Pool | None = None
        self._by_shape = {info.input_hw: self._network(info.input_hw)}

    @property
    def info(self) -> ModelInfo:
        """Name, version, hash and classes of the network in use."""
        return self._info

    @property
    def is_cut(self) -> bool:
        """Whether boxes are made only where something scores."""
        return bool(self._boxes)

    def detect(self, frame_bgr: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Objects in one (H, W, 3) frame, best score first."""
        check_frame(frame_bgr)
        letterbox = fit((frame_bgr.shape[0], frame_bgr.shape[1]), long_side_px=self._long_side_px)
        with self._for(letterbox.input_hw).run(to_canvas(frame_bgr, letterbox)[np.newaxis]) as outputs:
            if not self._boxes:
                return from_output(outputs[0], letterbox, self._info.classes, score_min=self._score_min)
            return self._sparse(outputs[0], outputs[1:], letterbox)

    def warm_up(self) -> None:
        """Run once on a grey 16:9 picture."""
        self.detect(np.full((*self._info.input_hw, 3), PAD_GREY, dtype=np.uint8))

    def _sparse(
        self, scores: NDArray[np.float32], features: list[NDArray[np.float32]], letterbox: Letterbox
    ) -> tuple[Detection, ...]:
        anchors, chosen, class_ids = strongest(scores, score_min=self._score_min)
        input_xyxy = np.zeros((len(anchors), 4), dtype=np.float32)
        first = 0
        for pool, level in zip(self._boxes, features, strict=True):
            _, height, width, _ = level.shape
            here = np.flatnonzero((anchors >= first) & (anchors < first + height * width))
            if len(here):
                cells_yx = np.stack(np.divmod(anchors[here] - first, width))
                with pool.run(*around(level[0], cells_yx)) as (distances,):
                    stride_px = letterbox.input_hw[0] / height
                    input_xyxy[here] = from_distances(distances[: len(here)], cells_yx, stride_px)
            first += height * width
        return to_detections(input_xyxy, chosen, class_ids, letterbox, self._info.classes)

    def _for(self, input_hw: tuple[int, int]) -> _Pool:
        """The network for this shape of input, compiled now if it came often; else the one for all shapes."""
        found = self._by_shape.get(input_hw)
        if found is not None:
            return found
        with self._lock:
            self._met[input_hw] += 1
            if self._met[input_hw] >= OFTEN and len(self._by_shape) < SHAPES_MAX:
                return self._by_shape.setdefault(input_hw, self._network(input_hw))
            if self._any_shape is None:
                self._any_shape = self._network(None)
            return self._any_shape

    def _network(self, input_hw: tuple[int, int] | None) -> _Pool:
        model = self._read()
        if input_hw is not None:
            model.reshape([1, 3, *input_hw])
        if self._boxes:
            return self._pool(graph.trunk(model, input_hw, len(self._info.classes)))
        return self._pool(graph.whole(model, input_hw))

    def _read(self) -> Any:
        try:
            return self._core.read_model(*self._weights)
        except RuntimeError as exc:
            raise ValueError(str(exc)) from exc

    def _pool(self, model: Any) -> _Pool:
        try:
            return _Pool(self._core.compile_model(model, "CPU", self._config))
        except RuntimeError as exc:
            raise ValueError(str(exc)) from exc


def _parts(weights: bytes) -> tuple[Any, ...]:
    """What OpenVINO reads: one ONNX file, or its own graph (a text) and numbers."""
    if not weights.startswith(b"<?xml"):
        return (BytesIO(weights),)
    graph_bytes, mark, numbers = weights.partition(_GRAPH_END)
    return graph_bytes + mark, ov.Tensor(np.frombuffer(numbers, dtype=np.uint8))


class _Pool:
    """A compiled network and its idle infer requests; a request serves one caller at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: deque[Any] = deque()

    @contextmanager
    def run(self, *inputs: NDArray[Any]) -> Iterator[list[NDArray[np.float32]]]:
        """The outputs; they are the request's own memory, so they are gone when the block ends."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            found = request.infer(dict(enumerate(inputs)), share_inputs=True, share_outputs=True)
            yield list(found.values())
        finally:
            self._idle.append(request)


def around(
    features: NDArray[np.float32], cells_yx: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What `models.openvino_graph.surroundings` takes: features around each cell, and masks.

    Args:
        features: (h, w, C) map.
        cells_yx: (2, K) rows and columns.

    Returns:
        (B, 5, 5, C) and (B, 3, 3, 1). B is K or a little more: filled up to a power of two, since
        OpenVINO prepares itself anew for each number that it has not met.
    """
    height, width, channels = features.shape
    count = cells_yx.shape[1]
    batch = max(8, 1 << (count - 1).bit_length())
    offsets = np.arange(-graph.REACH, graph.REACH + 1)
    rows, columns = cells_yx[0][:, None] + offsets, cells_yx[1][:, None] + offsets
    row_in, column_in = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    inside = row_in[:, :, None] & column_in[:, None, :]
    flat = rows.clip(0, height - 1)[:, :, None] * width + columns.clip(0, width - 1)[:, None, :]
    patches = np.zeros((batch, *inside.shape[1:], channels), dtype=np.float32)
    np.take(features.reshape(-1, channels), flat, axis=0, out=patches[:count], mode="clip")
    if not inside.all():
        patches[:count][~inside] = 0
    masks = np.zeros((batch, inside.shape[1] - 2, inside.shape[2] - 2, 1), dtype=np.float32)
    masks[:count, :, :, 0] = inside[:, 1:-1, 1:-1]
    return patches, masks


def from_distances(
    distances: NDArray[np.float32], cells_yx: NDArray[np.int64], stride_px: float
) -> NDArray[np.float32]:
    """Boxes (K, 4) in input pixels from (K, 4) distances left, top, right, bottom of cells' middles, in cells."""
    middles = cells_yx[::-1].T.astype(np.float32) + np.float32(0.5)
    boxes = np.concatenate([middles - distances[:, :2], middles + distances[:, 2:]], axis=1)
    return np.asarray(boxes * np.float32(stride_px), dtype=np.float32)

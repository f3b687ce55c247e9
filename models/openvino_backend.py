"""Runs a detector with OpenVINO: floats or 8-bit integers, the fastest backend on Intel's and AMD's CPUs.

Decides how often a network is compiled (a frame's shape that comes again gets a network of its
own, which is faster than one for every shape) and which parts of it a frame needs. The cuts are
made in `models.openvino_graph`, the arithmetic around the network in `models.boxes`; bytes come in
checked from `models.card`.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from models import openvino_graph as graph
from models.anchors import Grid, anchor_grid, from_distances
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
SHAPES_MAX: Final = 8
#: Cells of the smallest network for boxes; half as many anchors. Two or three things in a frame need no more.
CELLS_MIN: Final = 32
#: Networks for boxes up to so many cells are compiled before the first look: 60 ms each would delay an onset.
CELLS_WARM: Final = 256
#: With it a graph in OpenVINO's own form ends; numbers follow.
_GRAPH_END: Final = b"</net>\n"


class OpenVinoDetector:
    """A YOLOv8-like network in OpenVINO.

    Thread-safe: each call takes an infer request of its own from a pool. Requests share the threads that
    the detector was given for `options.at_once` of them; more calls at the same time wait for each other.
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
        # The cut network gives logits: only those of chosen anchors are made scores.
        likely = min(max(options.score_min, 1e-9), 1 - 1e-9)
        self._logit_min = math.log(likely / (1 - likely))
        self._config = {
            # Unset, OpenVINO may take bfloat16: scores then differ in the third digit, and on some
            # CPUs it is slower too (docs/decisions/0002).
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": options.at_once,
            "INFERENCE_NUM_THREADS": options.threads * options.at_once,
        }
        model = self._read()
        rows = model.output(0).get_partial_shape()[1]
        if rows.is_static and rows.get_length() != 4 + len(info.classes):
            raise ValueError(
                f"the network gives {rows.get_length()} rows, {len(info.classes)} classes need {4 + len(info.classes)}"
            )
        self._boxes = tuple(_Boxes(branch, self._pool) for branch in graph.branches(model))
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

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        """Objects in one (H, W, 3) frame, best score first."""
        check_frame(frame_bgr)
        letterbox = fit(
            (frame_bgr.shape[0], frame_bgr.shape[1]), long_side_px=long_side_px or self._long_side_px
        )
        with self._for(letterbox.input_hw, often=long_side_px is not None).request() as request:
            outputs = request.look(frame_bgr, letterbox)
            if not self._boxes:
                return from_output(outputs[0], letterbox, self._info.classes, score_min=self._score_min)
            return self._sparse(outputs[0], outputs[1:], letterbox)

    def warm_up(self) -> None:
        """Run once on a grey 16:9 picture, and compile what a picture full of things would ask for."""
        for boxes in self._boxes:
            boxes.warm_up()
        self.detect(np.full((*self._info.input_hw, 3), PAD_GREY, dtype=np.uint8))

    def _sparse(
        self, logits: NDArray[np.float32], features: list[NDArray[np.float32]], letterbox: Letterbox
    ) -> tuple[Detection, ...]:
        anchors, chosen, class_ids = strongest(logits, score_min=self._logit_min)
        grid = anchor_grid(tuple((level.shape[1], level.shape[2]) for level in features))
        distances = np.zeros((len(anchors), 4), dtype=np.float32)
        ends = np.searchsorted(anchors, grid.first)
        for index, (boxes, level) in enumerate(zip(self._boxes, features, strict=True)):
            here = slice(ends[index], ends[index + 1])
            if here.start < here.stop:
                distances[here] = boxes.distances(level[0], anchors[here], grid, grid.first[index])
        strides_px = (letterbox.input_hw[0] / grid.rows[anchors, None]).astype(np.float32)
        input_xyxy = from_distances(distances, grid.middles[anchors], strides_px)
        scores = np.asarray(1 / (1 + np.exp(-chosen)), dtype=np.float32)
        return to_detections(input_xyxy, scores, class_ids, letterbox, self._info.classes)

    def _for(self, input_hw: tuple[int, int], *, often: bool = False) -> _Pool:
        """The network for this shape of input, compiled now if it comes often; else the one for all shapes."""
        found = self._by_shape.get(input_hw)
        if found is not None:
            return found
        with self._lock:
            self._met[input_hw] += OFTEN if often else 1
            if self._met[input_hw] >= OFTEN and len(self._by_shape) < SHAPES_MAX:
                return self._by_shape.setdefault(input_hw, self._network(input_hw))
            if self._any_shape is None:
                self._any_shape = self._network(None)
            return self._any_shape

    def _network(self, input_hw: tuple[int, int] | None) -> _Pool:
        model = self._read()
        if input_hw is not None:
            model.reshape([1, 3, *input_hw])
        graph.scale_up_late(model)
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


class _Request:
    """One infer request with memory of its own; serves one caller at a time."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        #: Its inputs' memory if their shapes are fixed: then a run costs no allocation and no look-up.
        self.inputs: list[NDArray[Any]] = []
        self._outputs: list[NDArray[np.float32]] = []
        if all(port.get_partial_shape().is_static for port in compiled.inputs):
            for k, port in enumerate(compiled.inputs):
                memory = np.zeros(tuple(port.get_shape()), dtype=port.get_element_type().to_dtype())
                self._request.set_input_tensor(k, ov.Tensor(memory, shared_memory=True))
                self.inputs.append(memory)
            self._outputs = [self._request.get_output_tensor(k).data for k in range(len(compiled.outputs))]

    def look(self, frame_bgr: NDArray[np.uint8], letterbox: Letterbox) -> list[NDArray[np.float32]]:
        """What the network makes of a frame; memory of this request."""
        if self.inputs:
            to_canvas(frame_bgr, letterbox, self.inputs[0][0])
            return self.run()
        given = to_canvas(frame_bgr, letterbox)[np.newaxis]
        return list(self._request.infer({0: given}, share_inputs=True, share_outputs=True).values())

    def run(self) -> list[NDArray[np.float32]]:
        """What the network makes of `inputs`; memory of this request."""
        self._request.infer(share_inputs=True, share_outputs=True)
        return self._outputs


class _Pool:
    """A compiled network and its idle requests."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: deque[_Request] = deque()

    @contextmanager
    def request(self) -> Iterator[_Request]:
        """A request that nobody else has until the block ends."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = _Request(self._compiled)
        try:
            yield request
        finally:
            self._idle.append(request)


class _Boxes:
    """The box branch of one level, in networks for some, for twice as many cells, and so on.

    Each is compiled when it is first needed. One network for any number would cost three times as much.
    """

    def __init__(self, branch: graph.Branch, pool: Callable[[Any], _Pool]) -> None:
        self._branch, self._pool = branch, pool
        self._lock = threading.Lock()
        self._by_size: dict[int, _Pool] = {}
        self._for(CELLS_MIN, 1)

    def warm_up(self) -> None:
        """Compile all sizes that are likely."""
        size = CELLS_MIN
        while size <= CELLS_WARM:
            self._for(size, 1)
            size *= 2

    def distances(
        self, level: NDArray[np.float32], anchors: NDArray[np.int64], grid: Grid, first: int
    ) -> NDArray[np.float32]:
        """At K anchors: (K, 4) distances in cells.

        Args:
            level: its features (h, w, C).
            anchors: (K,), all of this level.
            grid: where they lie.
            first: the level's first anchor.
        """
        near = grid.near[anchors]
        # Anchors of one thing are neighbours, so they share most of what lies around them.
        around, where = np.unique(near, return_inverse=True)
        outside = int(around[0] < 0)
        cells = grid.near[around[outside:]] - first
        with self._for(len(cells), len(anchors)).request() as request:
            seen, which = request.inputs
            # What is left in rows beyond is of an earlier frame: finite, and nobody asks for its result.
            target = seen[: len(cells)].reshape(*cells.shape, level.shape[2])
            np.take(level.reshape(-1, level.shape[2]), cells, axis=0, out=target, mode="clip")
            target[cells < 0] = 0
            which[: len(near)] = np.where(near < 0, len(seen), where.reshape(near.shape) - outside)
            return request.run()[0][: len(near)].copy()

    def _for(self, cells: int, anchors: int) -> _Pool:
        size = CELLS_MIN
        while size < cells or size // 2 < anchors:
            size *= 2
        found = self._by_size.get(size)
        if found is not None:
            return found
        with self._lock:
            if size not in self._by_size:
                self._by_size[size] = self._pool(graph.box_branch(self._branch, size, size // 2))
            return self._by_size[size]

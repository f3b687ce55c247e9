"""Runs a detector with Ultralytics' own predictor (torch): to compare with, never on a camera.

The same checked bytes, but its letterbox, its ONNX Runtime session, its NMS. Needs an environment
of its own with ultralytics, onnx and onnxruntime; the running system never has them.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.backends import Options
from models.boxes import MAX_DETECTIONS, NMS_IOU, PAD_GREY, check_frame, check_long_side, fit
from models.detector import Detection, ModelInfo


class UltralyticsDetector:
    """A network in Ultralytics' predictor, at the input's shape that we would give it.

    Thread-safe: the predictor keeps state, so calls wait for each other.
    """

    def __init__(self, weights: bytes, *, info: ModelInfo, options: Options) -> None:
        """Let Ultralytics load the network.

        Args:
            weights: the ONNX file's bytes, already checked.
            info: what to call it.
            options: threads, size of the input, least score.

        Raises:
            ValueError: the bytes are no network, or one with other outputs than `info.classes`.
        """
        check_long_side(options.long_side_px)
        self._info, self._options, self._lock = info, options, threading.Lock()
        self._yolo = predictor(weights, info.classes, threads=options.threads)

    @property
    def info(self) -> ModelInfo:
        """Name, version, hash and classes of the network in use."""
        return self._info

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        """Objects in one (H, W, 3) frame, best score first."""
        check_frame(frame_bgr)
        shape = (frame_bgr.shape[0], frame_bgr.shape[1])
        input_hw = fit(shape, long_side_px=long_side_px or self._options.long_side_px).input_hw
        with self._lock:
            (found,) = self._yolo.predict(
                np.ascontiguousarray(frame_bgr), imgsz=input_hw, conf=self._options.score_min, iou=NMS_IOU,
                max_det=MAX_DETECTIONS, device="cpu", verbose=False, save=False,
            )  # fmt: skip
        rows = zip(
            found.boxes.cls.tolist(), found.boxes.conf.tolist(), found.boxes.xyxy.tolist(), strict=True
        )
        return tuple(
            Detection(
                class_name=self._info.classes[int(class_id)],
                score=score,
                xyxy=(box[0], box[1], box[2], box[3]),
            )
            for class_id, score, box in rows
        )

    def warm_up(self) -> None:
        """Run once on a grey 16:9 picture."""
        self.detect(np.full((*self._info.input_hw, 3), PAD_GREY, dtype=np.uint8))


def predictor(weights: bytes, classes: tuple[str, ...], *, threads: int | None) -> Any:
    """Ultralytics' own model object for these bytes, ready to predict.

    Args:
        weights: the ONNX file's bytes.
        classes: names, which it looks for in the file.
        threads: for torch and its ONNX Runtime session, which by itself takes one a core, even where the
            process may use fewer; None leaves it so.
    """
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")
    # It takes paths only, and holds nothing open once it has loaded them.
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("YOLO_CONFIG_DIR", folder)
        path = Path(folder) / "model.onnx"
        path.write_bytes(_with_names(weights, classes))
        import onnxruntime as ort
        import torch
        import ultralytics

        class Held(ort.InferenceSession):  # type: ignore[misc]
            def __init__(self, source: Any, sess_options: Any = None, **rest: Any) -> None:
                held = sess_options or ort.SessionOptions()
                held.intra_op_num_threads = threads
                super().__init__(source, held, **rest)

        yolo = ultralytics.YOLO(str(path), task="detect")
        whole = ort.InferenceSession
        if threads is not None:
            torch.set_num_threads(threads)
            ort.InferenceSession = Held
        try:
            # The session is made at the first prediction.
            grey = np.full((64, 64, 3), PAD_GREY, np.uint8)
            yolo.predict(grey, imgsz=64, device="cpu", verbose=False, save=False)
        finally:
            ort.InferenceSession = whole
    return yolo


def _with_names(weights: bytes, classes: tuple[str, ...]) -> bytes:
    """The ONNX file with the class names where Ultralytics looks for them; ours stand in the card."""
    onnx = importlib.import_module("onnx")
    try:
        graph = onnx.load_model_from_string(weights)
    except Exception as exc:  # protobuf has its own error, in a module that changes its place
        raise ValueError(f"no ONNX network: {exc}") from exc
    rows = graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    if rows != 4 + len(classes):
        raise ValueError(f"the network gives {rows} rows, {len(classes)} classes need {4 + len(classes)}")
    entry = graph.metadata_props.add()
    entry.key, entry.value = "names", str(dict(enumerate(classes)))
    return bytes(graph.SerializeToString())

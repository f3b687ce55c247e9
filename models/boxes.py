"""The arithmetic between a frame and a YOLOv8-like network, once for all backends, and pure.

Decides how a frame is fitted into the network's input (letterbox), how the head's raw output
becomes boxes in the frame's own pixels, and which of overlapping boxes stay (class-wise NMS).
It follows Ultralytics 8.4 (`LetterBox(auto=True)`, `ops.non_max_suppression`), so that the same
weights give the same boxes here and there. Leaves running the network to the backends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector import Detection
from models.errors import FrameUnusable

Real = TypeVar("Real", bound=np.floating[Any])

#: The coarsest feature map of the head; input sides must be multiples of it (YOLOv8: P3 to P5).
STRIDE_PX = 32
#: Grey with which Ultralytics pads in training, so the network has seen it as "nothing here".
PAD_GREY = 114
#: Ultralytics' default `iou` of predict; above it two boxes of one class are the same object.
NMS_IOU = 0.7
#: Ultralytics' default `max_det`.
MAX_DETECTIONS = 300
#: Candidates that enter NMS, best first. Ultralytics takes 30,000, but beyond the best thousand of one
#: frame nothing has come back from NMS in our pictures.
MAX_CANDIDATES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """How a frame lies inside the network's input: scaled by one factor, centred, padded."""

    frame_hw: tuple[int, int]
    #: Size of the network's input, multiples of `STRIDE_PX`.
    input_hw: tuple[int, int]
    #: Size of the scaled frame inside it.
    scaled_hw: tuple[int, int]
    #: Input pixels per frame pixel, along x and along y. Each side of the scaled frame was rounded to whole
    #: pixels by itself, so the two differ a little; in a narrow frame by a lot.
    scale_xy: tuple[float, float]
    #: Left and top padding in input pixels.
    pad_xy: tuple[int, int]


def fit(frame_hw: tuple[int, int], *, long_side_px: int) -> Letterbox:
    """Fit a frame of `frame_hw` into an input whose longer side is `long_side_px`.

    The shorter side is padded only up to the next multiple of 32: a 16:9 frame costs half of what
    a square input would.
    """
    height_px, width_px = frame_hw
    if height_px < 1 or width_px < 1:
        raise FrameUnusable(f"a frame of {width_px}x{height_px} pixels holds nothing")
    check_long_side(long_side_px)
    scale = long_side_px / max(height_px, width_px)
    scaled_h = max(1, round(height_px * scale))
    scaled_w = max(1, round(width_px * scale))
    input_h = -(-scaled_h // STRIDE_PX) * STRIDE_PX
    input_w = -(-scaled_w // STRIDE_PX) * STRIDE_PX
    # 0.1 as Ultralytics has it: an odd pixel of padding goes to the right and the bottom.
    pad_x = round((input_w - scaled_w) / 2 - 0.1)
    pad_y = round((input_h - scaled_h) / 2 - 0.1)
    return Letterbox(
        frame_hw=frame_hw,
        input_hw=(input_h, input_w),
        scaled_hw=(scaled_h, scaled_w),
        scale_xy=(scaled_w / width_px, scaled_h / height_px),
        pad_xy=(pad_x, pad_y),
    )


def check_long_side(long_side_px: int) -> None:
    """Raise ValueError unless `long_side_px` is a positive multiple of 32."""
    if long_side_px < STRIDE_PX or long_side_px % STRIDE_PX:
        raise ValueError(f"long_side_px must be a positive multiple of {STRIDE_PX}, got {long_side_px}")


def check_frame(frame_bgr: NDArray[np.uint8]) -> None:
    """Raise FrameUnusable unless this is an (H, W, 3) uint8 picture with at least one pixel."""
    if frame_bgr.dtype != np.uint8 or frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3 or frame_bgr.size == 0:
        raise FrameUnusable(f"expected (H, W, 3) uint8, got {frame_bgr.shape} {frame_bgr.dtype}")


def to_canvas(
    frame_bgr: NDArray[np.uint8],
    letterbox: Letterbox,
    canvas: NDArray[np.uint8] | None = None,
    *,
    rgb: bool = True,
) -> NDArray[np.uint8]:
    """The frame scaled and padded with grey: (H, W, 3) uint8, red-green-blue, rows one after another.

    Args:
        frame_bgr: the frame.
        letterbox: how it is fitted.
        canvas: memory to write into, whatever is in it; fresh memory costs more than the scaling.
        rgb: False leaves the frame's own order of colours: such a canvas is a frame that needs no scaling,
            and a detector finds in it what it would find in the frame, in the input's pixels.
    """
    if canvas is None:
        canvas = np.empty((*letterbox.input_hw, 3), dtype=np.uint8)
    (height, width), (pad_x, pad_y) = letterbox.scaled_hw, letterbox.pad_xy
    for margin in (canvas[:pad_y], canvas[pad_y + height :], canvas[:, :pad_x], canvas[:, pad_x + width :]):
        margin[...] = PAD_GREY
    inner = canvas[pad_y : pad_y + height, pad_x : pad_x + width]
    if (height, width) == letterbox.frame_hw and not rgb:
        inner[...] = frame_bgr
        return canvas
    if (height, width) == letterbox.frame_hw:
        cv2.cvtColor(np.ascontiguousarray(frame_bgr), cv2.COLOR_BGR2RGB, dst=inner)
        return canvas
    cv2.resize(frame_bgr, (width, height), dst=inner, interpolation=_interpolation(letterbox))
    if rgb:
        cv2.cvtColor(inner, cv2.COLOR_BGR2RGB, dst=inner)
    return canvas


def _interpolation(letterbox: Letterbox) -> int:
    """Bilinear, as Ultralytics scales.

    When both sides shrink to exactly a third (1080p to 640), bilinear takes each third pixel as it is, and
    taking it so is faster.
    """
    thirds = tuple(3 * side for side in letterbox.scaled_hw)
    return int(cv2.INTER_NEAREST_EXACT if letterbox.frame_hw == thirds else cv2.INTER_LINEAR)


def to_input(frame_bgr: NDArray[np.uint8], letterbox: Letterbox) -> NDArray[np.float32]:
    """The frame as the bare network wants it: (1, 3, H, W) float32, RGB, 0 to 1, padded with grey."""
    planes = to_canvas(frame_bgr, letterbox).transpose(2, 0, 1)[np.newaxis]
    return np.divide(planes, np.float32(255), dtype=np.float32, order="C")


def to_frame_xyxy(input_xyxy: NDArray[np.float32], letterbox: Letterbox) -> NDArray[np.float32]:
    """Boxes (N, 4) from input pixels to frame pixels, clipped to the frame."""
    pad_x, pad_y = letterbox.pad_xy
    height_px, width_px = letterbox.frame_hw
    shifted = input_xyxy - np.array([pad_x, pad_y, pad_x, pad_y], dtype=np.float32)
    limits = np.array([width_px, height_px, width_px, height_px], dtype=np.float32)
    scales = np.array([*letterbox.scale_xy, *letterbox.scale_xy], dtype=np.float32)
    return np.asarray(np.clip(shifted / scales, 0, limits), dtype=np.float32)


def iou(a_xyxy: NDArray[Real], b_xyxy: NDArray[Real]) -> NDArray[Real]:
    """Intersection over union of (N, 4) with (M, 4) boxes: (N, M), 0 to 1; an empty box gives 0.

    As exact as the boxes are: the detector works in float32, its figures are made in float64.
    """
    low = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    high = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    inner = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a = np.prod(np.clip(a_xyxy[:, 2:] - a_xyxy[:, :2], 0, None), axis=1)
    area_b = np.prod(np.clip(b_xyxy[:, 2:] - b_xyxy[:, :2], 0, None), axis=1)
    union = area_a[:, None] + area_b[None, :] - inner
    return np.asarray(np.divide(inner, union, out=np.zeros_like(inner), where=union > 0), dtype=inner.dtype)


def keep_best(
    xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    *,
    iou_above: float = NMS_IOU,
    limit: int | None = None,
) -> NDArray[np.int64]:
    """Class-wise non-maximum suppression.

    Args:
        xyxy: (N, 4) boxes.
        scores: (N,) scores.
        class_ids: (N,) classes; boxes of different classes never suppress each other.
        iou_above: a box that overlaps a better one of its class by more than this goes.
        limit: at most so many stay, the best.

    Returns:
        Indices of the boxes that stay, best score first (ties: the lower index first).
    """
    order = np.asarray(np.argsort(-scores, kind="stable"), dtype=np.int64)
    low_x, low_y, high_x, high_y = np.ascontiguousarray(xyxy[order].T)
    area = (high_x - low_x).clip(0) * (high_y - low_y).clip(0)
    ranked_ids = class_ids[order]
    alive = np.ones(len(order), dtype=np.bool_)
    kept: list[int] = []
    # One row of overlaps a box that stays, not a table of all pairs: few of many candidates stay.
    for i in range(len(order)):
        if not alive[i]:
            continue
        if len(kept) == limit:
            break
        kept.append(i)
        width = (np.minimum(high_x, high_x[i]) - np.maximum(low_x, low_x[i])).clip(0)
        height = (np.minimum(high_y, high_y[i]) - np.maximum(low_y, low_y[i])).clip(0)
        inner = width * height
        alive &= (inner <= iou_above * (area + area[i] - inner)) | (ranked_ids != ranked_ids[i])
    return order[kept]


def strongest(
    scores: NDArray[np.float32], *, score_min: float
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Which anchors are worth a box, each standing for its best class only.

    Args:
        scores: (C, N), 0 to 1, one row a class.
        score_min: anchors whose best class scores less are left out.

    Returns:
        Anchors, scores and classes, (K,) each, at most `MAX_CANDIDATES`, in the anchors' order.
    """
    best = scores.max(axis=0)
    chosen = np.flatnonzero(best >= score_min)
    if len(chosen) > MAX_CANDIDATES:
        chosen = np.sort(chosen[np.argsort(-best[chosen], kind="stable")[:MAX_CANDIDATES]])
    class_ids = np.asarray(scores[:, chosen].argmax(axis=0), dtype=np.int64)
    return np.asarray(chosen, dtype=np.int64), best[chosen], class_ids


def to_detections(
    input_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    letterbox: Letterbox,
    classes: tuple[str, ...],
    *,
    iou_above: float = NMS_IOU,
) -> tuple[Detection, ...]:
    """Boxes of the strongest anchors in input pixels, (K, 4) with (K,) scores and classes, as detections.

    Overlaps are judged before boxes are clipped to the frame, as Ultralytics does.
    """
    kept = keep_best(input_xyxy, scores, class_ids, iou_above=iou_above, limit=MAX_DETECTIONS)
    frame_xyxy = to_frame_xyxy(input_xyxy[kept], letterbox).tolist()
    return tuple(
        Detection(class_name=classes[class_id], score=score, xyxy=(left, top, right, bottom))
        for class_id, score, (left, top, right, bottom) in zip(
            class_ids[kept].tolist(), scores[kept].tolist(), frame_xyxy, strict=True
        )
    )


def from_output(
    output: NDArray[np.float32],
    letterbox: Letterbox,
    classes: tuple[str, ...],
    *,
    score_min: float,
    iou_above: float = NMS_IOU,
) -> tuple[Detection, ...]:
    """Turn a YOLOv8 head's output into detections in the frame's pixels.

    Args:
        output: (1, 4 + len(classes), N): centre x, centre y, width, height in input pixels, then one
            score (0 to 1) a class, for each of N anchors.
        letterbox: how the frame was fitted.
        classes: names in the order of the scores.
        score_min: what scores below it is left out. Each anchor stands for its best class only.
        iou_above: see `keep_best`.
    """
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[1] != 4 + len(classes):
        raise ValueError(f"expected (1, {4 + len(classes)}, N) from the network, got {output.shape}")
    anchors, scores, class_ids = strongest(output[0, 4:], score_min=score_min)
    rows = output[0][:, anchors].T
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    input_xyxy = np.concatenate([centre - half, centre + half], axis=1)
    return to_detections(input_xyxy, scores, class_ids, letterbox, classes, iou_above=iou_above)

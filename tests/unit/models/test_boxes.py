"""Letterbox, decoding and NMS: the arithmetic between a frame and the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import boxes
from models.errors import FrameUnusable

SIDES = st.integers(min_value=1, max_value=4000)
LONG_SIDES = st.sampled_from([32, 320, 416, 640])


@given(height=SIDES, width=SIDES, long_side=LONG_SIDES, data=st.data())
def test_letterbox_round_trip(height: int, width: int, long_side: int, data: st.DataObject) -> None:
    """A box taken into the network's input and back comes home, within a hundredth of an input pixel."""
    fitted = boxes.fit((height, width), long_side_px=long_side)
    x = sorted(data.draw(st.tuples(st.floats(0, width), st.floats(0, width))))
    y = sorted(data.draw(st.tuples(st.floats(0, height), st.floats(0, height))))
    frame = np.array([[x[0], y[0], x[1], y[1]]], dtype=np.float32)
    pads = np.array([*fitted.pad_xy, *fitted.pad_xy], dtype=np.float32)
    scales = np.array([*fitted.scale_xy, *fitted.scale_xy], dtype=np.float32)
    back = boxes.to_frame_xyxy(frame * scales + pads, fitted)
    assert np.allclose(back, frame, atol=0.01 * max(1.0, 1 / min(fitted.scale_xy)))


@given(height=SIDES, width=SIDES, long_side=LONG_SIDES)
def test_letterbox_fits(height: int, width: int, long_side: int) -> None:
    """The input's sides are multiples of 32 no larger than asked for, and the scaled frame lies inside."""
    fitted = boxes.fit((height, width), long_side_px=long_side)
    assert all(side % 32 == 0 and 32 <= side <= long_side for side in fitted.input_hw)
    for axis in (0, 1):
        pad = fitted.pad_xy[1 - axis]
        assert pad >= 0
        assert pad + fitted.scaled_hw[axis] <= fitted.input_hw[axis]


def test_a_narrow_frame_is_scaled_by_what_each_side_became() -> None:
    """100 by 3 pixels at 640 are 640 by 19, not 19.2: a box over the whole strip comes home whole."""
    fitted = boxes.fit((3, 100), long_side_px=640)
    assert (fitted.scaled_hw, fitted.input_hw, fitted.pad_xy) == ((19, 640), (32, 640), (0, 6))
    whole = np.array([[0, 6, 640, 25]], dtype=np.float32)
    assert boxes.to_frame_xyxy(whole, fitted)[0].tolist() == pytest.approx([0, 0, 100, 3], abs=1e-4)


def test_letterbox_of_a_common_camera() -> None:
    """A 16:9 frame at 416 is 416 by 234 with 11 grey rows above and below, worked by hand."""
    fitted = boxes.fit((720, 1280), long_side_px=416)
    assert fitted.input_hw == (256, 416)
    assert fitted.scaled_hw == (234, 416)
    assert fitted.pad_xy == (0, 11)
    blob = boxes.to_input(np.full((720, 1280, 3), (255, 0, 0), dtype=np.uint8), fitted)
    assert blob.shape == (1, 3, 256, 416)
    assert blob[0, :, 128, 200].tolist() == [0.0, 0.0, 1.0], "blue-green-red became red-green-blue"
    assert blob[0, 0, 10, 0] == pytest.approx(114 / 255)
    assert blob[0, 0, 11, 0] == 0.0


@pytest.mark.parametrize("long_side", [0, 31, 100, -32])
def test_long_side_must_be_a_multiple_of_32(long_side: int) -> None:
    """A size that the network can't take is refused with the number."""
    with pytest.raises(ValueError, match=str(long_side)):
        boxes.fit((720, 1280), long_side_px=long_side)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["grey", "with alpha", "floats", "empty"],
)
def test_what_is_not_a_picture_is_refused(frame: NDArray[Any]) -> None:
    """An array of another shape or type raises instead of giving nonsense boxes."""
    with pytest.raises(FrameUnusable):
        boxes.check_frame(frame)


def test_iou_by_hand() -> None:
    """Two 10 x 10 boxes that share 5 x 10: 50 / 150; an empty box: 0."""
    a = np.array([[0, 0, 10, 10], [3, 3, 3, 3]], dtype=np.float32)
    b = np.array([[5, 0, 15, 10]], dtype=np.float32)
    assert boxes.iou(a, b)[:, 0].tolist() == pytest.approx([1 / 3, 0.0])


def test_nms_keeps_the_best_of_one_class() -> None:
    """Of two boxes of a class that overlap by 9/11 the better stays; another class and a box apart stay too."""
    xyxy = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [50, 50, 60, 60]], dtype=np.float32)
    scores = np.array([0.6, 0.9, 0.5, 0.3], dtype=np.float32)
    classes = np.array([1, 1, 2, 1])
    assert boxes.keep_best(xyxy, scores, classes).tolist() == [1, 2, 3]
    assert boxes.keep_best(xyxy, scores, classes, iou_above=9 / 11 + 1e-6).tolist() == [1, 0, 2, 3]


def test_nms_a_suppressed_box_suppresses_nobody() -> None:
    """A chain A-B-C in which B overlaps both: B goes for A, and C stays."""
    xyxy = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], dtype=np.float32)
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert boxes.keep_best(xyxy, scores, np.zeros(3, np.int64), iou_above=0.4).tolist() == [0, 2]


def test_nms_stops_when_enough_stay() -> None:
    """With a limit the best stay, whatever the order in which they came."""
    xyxy = np.array([[20 * i, 0, 20 * i + 10, 10] for i in range(5)], dtype=np.float32)
    scores = np.array([0.1, 0.5, 0.3, 0.9, 0.2], np.float32)
    assert boxes.keep_best(xyxy, scores, np.zeros(5, np.int64), limit=3).tolist() == [3, 1, 2]


def test_only_the_strongest_anchors_get_a_box() -> None:
    """An anchor stands for its best class, on the threshold counts, and beyond a thousand the weakest go."""
    scores = np.array([[0.1, 0.5, 0.2, 0.0], [0.3, 0.4, 0.1, 0.1]], np.float32)
    anchors, best, class_ids = boxes.strongest(scores, score_min=float(np.float32(0.2)))
    assert (anchors.tolist(), class_ids.tolist()) == ([0, 1, 2], [1, 0, 0])
    assert best.tolist() == pytest.approx([0.3, 0.5, 0.2])
    many = np.linspace(0.1, 0.9, boxes.MAX_CANDIDATES + 5, dtype=np.float32)[np.newaxis]
    assert sorted(boxes.strongest(many, score_min=0.1)[0])[0] == 5


def test_overlaps_are_judged_before_boxes_are_clipped() -> None:
    """Two boxes that only differ outside of the frame are two for Ultralytics (worked: overlap 1/3), so for us."""
    fitted = boxes.fit((64, 64), long_side_px=64)
    output = np.zeros((1, 5, 2), dtype=np.float32)
    output[0, :, 0] = [30, 20, 60, 40, 0.9]  # x 0 to 60, y 0 to 40
    output[0, :, 1] = [0, 20, 120, 40, 0.8]  # x -60 to 60: clipped, the same box
    assert len(boxes.from_output(output, fitted, ("a",), score_min=0.1, iou_above=0.7)) == 2


def test_nms_of_nothing() -> None:
    """No boxes in, none out."""
    none = np.zeros(0, np.float32)
    assert boxes.keep_best(np.zeros((0, 4), np.float32), none, np.zeros(0, np.int64)).size == 0


def test_head_output_becomes_detections() -> None:
    """One anchor in input pixels becomes one named box in the frame's, worked by hand; a weak one is left out."""
    fitted = boxes.fit((720, 1280), long_side_px=416)
    output = np.zeros((1, 6, 2), dtype=np.float32)
    output[0, :, 0] = [208, 128, 104, 26, 0.2, 0.7]
    output[0, :, 1] = [100, 100, 10, 10, 0.04, 0.03]
    (found,) = boxes.from_output(output, fitted, ("person", "excavator"), score_min=0.05)
    assert found.class_name == "excavator"
    assert found.score == pytest.approx(0.7)
    assert found.xyxy == pytest.approx((480.0, 320.0, 800.0, 400.0), abs=0.01)


def test_head_output_of_another_network_is_refused() -> None:
    """A number of classes that doesn't fit the card raises, since the names would be wrong."""
    fitted = boxes.fit((4, 4), long_side_px=32)
    with pytest.raises(ValueError, match="expected"):
        boxes.from_output(np.zeros((1, 84, 10), np.float32), fitted, ("person",), score_min=0.1)

"""Cuts a YOLOv8-like network for OpenVINO into what every frame needs and what only a found thing needs.

The head of such a network has two branches a level: scores, and boxes as four distances to each
anchor. The box branch costs a sixth of the whole, and of its thousands of boxes all but those of
the few anchors that score anything are thrown away. So the trunk (uint8 picture in; scores and the
three feature maps out) runs on each frame, and the box branch only for the anchors that
`models.boxes.strongest` chose: its first layer in the cells around them, its second and third in
their own. Numbers are the same. A network whose head is built otherwise stays whole. Builds graphs;
runs none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

#: Axes from channels-first to channels-last, and back.
_TO_LAST: Final = (0, 2, 3, 1)
_TO_FIRST: Final = (0, 3, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The box branch of one level: three convolutions, (out, in, rows, columns) and (out,) each."""

    weights: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    biases: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    #: How many steps of one cell a distance is spread over.
    bins: int


def whole(model: Any, input_hw: tuple[int, int] | None) -> Any:
    """The network as it is, but with (1, H, W, 3) uint8 RGB going in; H and W free if none are given."""
    _take_pictures(model, input_hw)
    model.validate_nodes_and_infer_types()
    return model


def branches(model: Any) -> tuple[Branch, ...]:
    """The box branches, finest level first; empty if this head is none that can be cut."""
    by_name = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    heads = {m.group(1) for m in (re.match(r"(/model\.\d+)/cv2\.0/", name) for name in by_name) if m}
    if len(heads) != 1:
        return ()
    (head,) = heads
    levels = sum(f"{head}/cv2.{level}/cv2.{level}.2/Conv" in by_name for level in range(9))
    found = [_branch(by_name, head, level) for level in range(levels)]
    if not found or not _has_plain_bins(model, head):
        return ()
    return tuple(b for b in found if b is not None) if all(found) else ()


def scale_up_late(model: Any) -> int:
    """Mix channels before a map is scaled up instead of after; how often that was done.

    A 1 x 1 convolution treats each cell by itself, so of [coarse map scaled up, fine map] it may take the
    coarse part at its own size, a quarter of the cells, and add: the same sums, in another order.
    """
    done = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Concat" or node.get_input_size() != 2:
            continue
        scaled, users = node.input_value(0).get_node(), list(node.output(0).get_target_inputs())
        user = users[0].get_node() if len(users) == 1 else None
        if scaled.get_type_name() != "Interpolate" or user is None or user.get_type_name() != "Convolution":
            continue
        kernel = _constant(user.input_value(1))
        if kernel is None or kernel.shape[2:] != (1, 1) or not _doubles(scaled):
            continue
        coarse, fine = scaled.input_value(0), node.input_value(1)
        channels = coarse.get_partial_shape()[1].get_length()
        twice = op.interpolate(
            _mixed(coarse, kernel[:, :channels]), op.constant(np.array([2, 2], np.float32)), "nearest", "scales",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor", axes=op.constant(np.array([2, 3])),
        )  # fmt: skip
        together = op.add(_mixed(fine, kernel[:, channels:]), twice)
        for target in list(user.output(0).get_target_inputs()):
            target.replace_source_output(together.output(0))
        done += 1
    return done


def _doubles(scaled: Any) -> bool:
    """Whether each cell becomes a square of two by two."""
    attributes, scales = scaled.get_attributes(), _constant(scaled.input_value(1))
    wanted = {
        "mode": "nearest",
        "shape_calculation_mode": "scales",
        "coordinate_transformation_mode": "asymmetric",
    }
    plain = all(attributes[key] == value for key, value in wanted.items())
    return plain and scales is not None and scales.ravel().tolist() in ([2, 2], [1, 1, 2, 2])


def _mixed(x: Any, kernel: NDArray[np.float32]) -> Any:
    return op.convolution(x, op.constant(np.ascontiguousarray(kernel)), [1, 1], [0, 0], [0, 0], [1, 1])


def trunk(model: Any, input_hw: tuple[int, int] | None, classes: int) -> Any:
    """(1, H, W, 3) uint8 RGB in; logits of scores (classes, N) and each level's features (1, h, w, C) out."""
    by_name = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    (head,) = {m.group(1) for m in (re.match(r"(/model\.\d+)/cv2\.0/", name) for name in by_name) if m}
    scores, features = [], []
    level = 0
    while (node := by_name.get(f"{head}/cv3.{level}/cv3.{level}.2/Conv")) is not None:
        scores.append(op.reshape(node.output(0), np.array([classes, -1]), False))
        first = by_name[f"{head}/cv2.{level}/cv2.{level}.0/conv/Conv/WithoutBiases"]
        features.append(op.transpose(first.input_value(0), np.array(_TO_LAST)))
        level += 1
    picture = _take_pictures(model, input_hw)
    return ov.Model([op.concat(scores, 1).output(0), *(f.output(0) for f in features)], [picture], "trunk")


def box_branch(branch: Branch, cells: int, anchors: int) -> Any:
    """The box branch of one level at so many single cells.

    In: (cells, 9 * C) features in and around each cell, row by row; (anchors, 9) which of the cells lie in and
    around each anchor, `cells` for what is outside of the map. Out: (anchors, 4) distances in cells.
    """
    taken = op.parameter([cells, 9 * branch.weights[0].shape[1]], ov.Type.f32)
    near = op.parameter([anchors, 9], ov.Type.i32)
    hidden = op.swish(_layer(taken, branch, 0))
    # Outside of the map the second layer sees zeros, not what the first would make of zeros.
    width = branch.weights[1].shape[1]
    hidden = op.concat([hidden, op.constant(np.zeros((1, width), np.float32))], 0)
    around = op.reshape(op.gather(hidden, near, op.constant(0)), np.array([-1, 9 * width]), False)
    x = _layer(op.swish(_layer(around, branch, 1)), branch, 2)
    spread = op.softmax(op.reshape(x, np.array([-1, 4, branch.bins]), False), 2)
    steps = op.constant(np.arange(branch.bins, dtype=np.float32)[:, np.newaxis])
    distances = op.reshape(op.matmul(spread, steps, False, False), np.array([-1, 4]), False)
    return ov.Model([distances.output(0)], [taken, near], "box")


def _layer(x: Any, branch: Branch, index: int) -> Any:
    """A convolution at single cells: what it sees there, rows, columns, then channels, times its weights."""
    weights = branch.weights[index].transpose(2, 3, 1, 0)
    table = op.constant(np.ascontiguousarray(weights.reshape(-1, weights.shape[3])))
    return op.add(op.matmul(x, table, False, False), op.constant(branch.biases[index].reshape(1, -1)))


def _take_pictures(model: Any, input_hw: tuple[int, int] | None) -> Any:
    """Put uint8 pictures, channels last, in the place of the network's own input; the new parameter."""
    (old,) = model.get_parameters()
    height, width = input_hw or (-1, -1)
    picture = op.parameter([1, height, width, 3], ov.Type.u8)
    share = op.multiply(op.convert(picture, "f32"), op.constant(np.float32(1 / 255)))
    planes = op.transpose(share, np.array(_TO_FIRST))
    for target in list(old.output(0).get_target_inputs()):
        target.replace_source_output(planes.output(0))
    model.remove_parameter(old)
    model.add_parameters([picture])
    return picture


def _branch(by_name: dict[str, Any], head: str, level: int) -> Branch | None:
    """The branch if it is conv 3 x 3, SiLU, conv 3 x 3, SiLU, conv 1 x 1 in floats; else None."""
    stem = f"{head}/cv2.{level}/cv2.{level}"
    convs = [by_name.get(f"{stem}.{k}/{'conv/' if k < 2 else ''}Conv/WithoutBiases") for k in range(3)]
    adds = [by_name.get(f"{stem}.{k}/{'conv/' if k < 2 else ''}Conv") for k in range(3)]
    if any(node is None for node in (*convs, *adds)):
        return None
    weights = [_constant(conv.input_value(1)) for conv in convs if conv is not None]
    biases = [_constant(add.input_value(1)) for add in adds if add is not None]
    if any(value is None for value in (*weights, *biases)):
        return None
    kernels = [w.shape[2:] for w in weights if w is not None]
    pads = [conv.get_attributes()["pads_begin"] for conv in convs if conv is not None]
    if kernels != [(3, 3), (3, 3), (1, 1)] or [list(p) for p in pads] != [[1, 1], [1, 1], [0, 0]]:
        return None
    fed = [conv.input_value(0).get_node().get_friendly_name() for conv in convs[1:] if conv is not None]
    if fed != [f"{stem}.0/act/Mul", f"{stem}.1/act/Mul"]:
        return None
    w, b = [w for w in weights if w is not None], [b.ravel() for b in biases if b is not None]
    if w[2].shape[0] % 4:
        return None
    return Branch(weights=(w[0], w[1], w[2]), biases=(b[0], b[1], b[2]), bins=w[2].shape[0] // 4)


def _has_plain_bins(model: Any, head: str) -> bool:
    """Whether distances are read as the mean of their bins 0, 1, 2…, as `box_branch` does."""
    for node in model.get_ordered_ops():
        if node.get_friendly_name() == f"{head}/dfl/conv/Conv":
            steps = _constant(node.input_value(1))
            return steps is not None and bool(np.array_equal(steps.ravel(), np.arange(steps.size)))
    return False


def _constant(output: Any) -> NDArray[np.float32] | None:
    node = output.get_node()
    while node.get_type_name() in ("Convert", "Reshape"):  # kept in fewer bits; a bias made four-dimensional
        node = node.input_value(0).get_node()
    return np.array(node.get_data(), dtype=np.float32) if node.get_type_name() == "Constant" else None

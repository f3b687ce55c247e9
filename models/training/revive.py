"""A set of weights becomes a checkpoint again that can be trained further: training goes on for days, its
checkpoints get lost, what ships stays. Needs torch, Ultralytics and onnx.

What ships has its batch normalisations folded into the convolutions before them. Unfolded as identities they
would do something else as soon as they are trained, so the mean and variance of what goes through each are
measured on pictures first: the revived network computes the same, trained or not.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.modules.head import Detect
from ultralytics.nn.tasks import DetectionModel

from models.boxes import STRIDE_PX

#: Architectures that are tried, by the names and shapes of their layers.
KNOWN: Final = ("yolov8n.yaml", "yolo11n.yaml")
#: Pictures on which means and variances are measured.
PICTURES: Final = 160
BATCH: Final = 8
#: Largest change of an output, in pixels or scores, that passes for rounding.
TOLERANCE: Final = 0.02

Tensors = dict[str, torch.Tensor]


def revive(weights: Path, target: Path, classes: Sequence[str], pictures: Sequence[Path], px: int) -> Path:
    """Write `target`, an Ultralytics checkpoint that computes what `weights` (ONNX) computes.

    Raises:
        ValueError: the network is of no architecture that is known here, or has other classes.
    """
    onnx = importlib.import_module("onnx")  # untyped where the training's libraries are absent
    graph = onnx.load(str(weights)).graph
    tensors = {
        one.name: torch.tensor(onnx.numpy_helper.to_array(one).astype(np.float32))
        for one in graph.initializer
    }
    with torch.no_grad():
        model = _built(tensors, classes, weights)
    chosen = random.Random(len(pictures)).sample(list(pictures), min(PICTURES, len(pictures)))  # noqa: S311
    if not chosen:
        raise ValueError("there are no pictures to measure the network's layers on")
    with torch.no_grad():
        _measure(model, [_square(path, px) for path in chosen])
    torch.save(
        {"epoch": -1, "best_fitness": None, "model": model, "ema": None, "updates": None, "optimizer": None,
         "train_args": {"task": "detect", "model": str(model.yaml_file), "imgsz": px}, "date": "", "version": ""},
        target,
    )  # fmt: skip
    return target


def _built(tensors: Tensors, classes: Sequence[str], weights: Path) -> Any:
    """The architecture whose layers these are, holding them."""
    wrong = []
    for name in KNOWN:
        model: Any = DetectionModel(name, nc=80, verbose=False)
        # The classification's width is that of the network which the first training started from.
        last = f"model.{len(model.model) - 1}"
        widths = {
            k: v for k, v in tensors.items() if k.startswith(f"{last}.cv3.") and k.endswith(".2.weight")
        }
        if not widths:
            wrong.append(f"{name}: it has no layer {last}.cv3")
            continue
        head: Detect = model.model[-1]
        for k, branch in enumerate(head.cv3):
            told = widths.get(f"{last}.cv3.{k}.2.weight")
            if told is not None:
                branch[-1] = torch.nn.Conv2d(told.shape[1], told.shape[0], 1)
        head.nc, head.no = len(classes), len(classes) + 4 * head.reg_max
        try:
            _fill(model, tensors)
        except (KeyError, RuntimeError, ValueError) as exc:
            wrong.append(f"{name}: {exc}")
            continue
        if head.cv3[0][-1].out_channels != len(classes):
            raise ValueError(
                f"{weights} has {head.cv3[0][-1].out_channels} classes, the recipe {len(classes)}"
            )
        model.names, model.nc, model.yaml["nc"] = dict(enumerate(classes)), len(classes), len(classes)
        model.yaml_file, model.task, model.args = name, "detect", {"model": name}
        return model.eval()
    raise ValueError(f"{weights} is of no architecture that can be trained further: {'; '.join(wrong)}")


def _fill(model: Any, tensors: Tensors) -> None:
    for name, layer in model.named_modules():
        if isinstance(layer, Conv):
            _same(layer.conv.weight, tensors[f"{name}.conv.weight"], name)
            layer.bn.running_mean.zero_()
            layer.bn.running_var.fill_(1.0 - layer.bn.eps)
            layer.bn.weight.fill_(1.0)
            _same(layer.bn.bias, tensors[f"{name}.conv.bias"], name)
        elif (
            isinstance(layer, torch.nn.Conv2d) and not name.endswith(".conv") and f"{name}.weight" in tensors
        ):
            _same(layer.weight, tensors[f"{name}.weight"], name)
            if layer.bias is not None:
                _same(layer.bias, tensors[f"{name}.bias"], name)


def _same(layer: torch.Tensor, told: torch.Tensor, name: str) -> None:
    if layer.shape != told.shape:
        raise ValueError(f"layer {name} is {tuple(told.shape)}, not {tuple(layer.shape)}")
    layer.copy_(told)


def _measure(model: Any, pictures: Sequence[torch.Tensor]) -> None:
    """Give each normalisation the mean and variance of what goes through it; what it does stays the same."""
    sums: dict[str, list[Any]] = {}

    def adds(name: str) -> Any:
        def add(_layer: Any, _taken: Any, given: torch.Tensor) -> None:
            told, so_far = given.double(), sums.setdefault(name, [0, 0.0, 0.0])
            so_far[0] += told.shape[0] * told.shape[2] * told.shape[3]
            so_far[1] = so_far[1] + told.sum((0, 2, 3))
            so_far[2] = so_far[2] + (told * told).sum((0, 2, 3))

        return add

    before = model(torch.stack(pictures[:1]))[0]
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, Conv)}
    hooks = [layer.conv.register_forward_hook(adds(name)) for name, layer in layers.items()]
    for first in range(0, len(pictures), BATCH):
        model(torch.stack(list(pictures[first : first + BATCH])))
    for hook in hooks:
        hook.remove()
    for name, layer in layers.items():
        count, total, squares = sums[name]
        mean = total / count
        variance = (squares / count - mean * mean).clamp_min(1e-6)
        layer.bn.running_mean.copy_(mean)
        layer.bn.running_var.copy_(variance)
        layer.bn.weight.copy_((variance + layer.bn.eps).sqrt())
        layer.bn.bias.add_(mean)
    changed = float((model(torch.stack(pictures[:1]))[0] - before).abs().max())
    if changed > TOLERANCE:
        raise ValueError(f"the revived network differs from the one that ships by {changed:.3f}")


def _square(path: Path, px: int) -> torch.Tensor:
    """(3, px, px) RGB 0..1 with grey borders; px is rounded down to a multiple of the stride."""
    px -= px % STRIDE_PX
    picture = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    canvas = np.full((px, px, 3), 114, np.uint8)
    if picture is not None:
        share = px / max(picture.shape[:2])
        height_px, width_px = (max(1, round(side * share)) for side in picture.shape[:2])
        top, left = (px - height_px) // 2, (px - width_px) // 2
        canvas[top : top + height_px, left : left + width_px] = cv2.resize(picture, (width_px, height_px))
    return torch.from_numpy(np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1))).float() / 255

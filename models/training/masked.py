"""A YOLO trainer that does not punish a class where nobody labelled it. Needs torch and Ultralytics.

A source that labels excavators but not people says nothing about people: the classification loss of
class c counts in a picture only if c is labelled in full there, and at places where a labelled object
lies (what is an excavator is no person). Mosaics are made of pictures of which the same is known.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics.data.augment import BaseTransform, Mosaic
from ultralytics.data.dataset import YOLODataset
from ultralytics.engine import trainer as trainer_module
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.loss import v8DetectionLoss
from ultralytics.utils.torch_utils import unwrap_model

from models.training.weather import degrade

#: {file name: numbers of the classes that are labelled in full in it}
Known = Mapping[str, Sequence[int]]


class MaskedLoss(v8DetectionLoss):  # type: ignore[misc]  # Ultralytics has no types
    """YOLOv8's loss without the unknown part of its classification term."""

    def __init__(self, model: torch.nn.Module, known: Known) -> None:
        super().__init__(model)
        self._known = known
        self._mask = torch.ones(0)
        # Ultralytics reads only `bce`, so this is the one place to put the mask.
        self._plain_bce: Any = torch.nn.BCEWithLogitsLoss(reduction="none")
        self.bce: Any = self._masked_bce

    def loss(self, preds: Any, batch: Any) -> Any:
        """As Ultralytics', for a batch whose `im_file` names pictures that are known."""
        self._mask = known_mask(batch["im_file"], self._known, self.nc).to(self.device)
        # A bfloat16 has eight bits: enough to learn from, far too few to say where a box ends.
        with torch.autocast(self.device.type, enabled=False):
            return super().loss(_as_float32(preds), batch)

    def _masked_bce(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(B, anchors, classes) loss, 0 where nothing is known."""
        on_object = targets.sum(dim=2, keepdim=True) > 0
        return self._plain_bce(scores, targets) * (self._mask[:, None, :] | on_object)


def _as_float32(preds: Any) -> Any:
    if isinstance(preds, torch.Tensor):
        return preds.float() if preds.is_floating_point() else preds
    if isinstance(preds, dict):
        return {key: _as_float32(value) for key, value in preds.items()}
    if isinstance(preds, list | tuple):
        return type(preds)(_as_float32(value) for value in preds)
    return preds


def known_mask(files: Sequence[str], known: Known, classes: int) -> torch.Tensor:
    """(B, classes) whether each class is labelled in full in each picture."""
    mask = torch.zeros(len(files), classes, dtype=torch.bool)
    for row, file in enumerate(files):
        mask[row, list(known[Path(file).name])] = True
    return mask


class AlikeMosaic(Mosaic):  # type: ignore[misc]
    """A mosaic of pictures in which the same classes are labelled in full."""

    def __init__(self, dataset: Any, imgsz: int, p: float, known: Known) -> None:
        super().__init__(dataset, imgsz=imgsz, p=p)
        self._of = [tuple(known[Path(file).name]) for file in dataset.im_files]
        self._groups: dict[tuple[int, ...], list[int]] = {}
        for index, group in enumerate(self._of):
            self._groups.setdefault(group, []).append(index)
        self._known = known
        self._group: tuple[int, ...] = ()

    def get_params(self, labels: dict[str, Any]) -> Any:
        """Remember what is known of the first picture, for `get_indexes`."""
        self._group = tuple(self._known[Path(labels["im_file"]).name])
        return super().get_params(labels)

    def get_indexes(self) -> list[int]:
        """Other pictures of the same kind."""
        return random.choices(self._groups[self._group], k=self.n - 1)  # noqa: S311  # seeded by Ultralytics


class Weather(BaseTransform):  # type: ignore[misc]
    """A share of the pictures as bad cameras and bad weather show them."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Change `img` only."""
        if random.random() < self._share:  # noqa: S311
            rng = np.random.default_rng(random.getrandbits(32))
            labels["img"] = degrade(np.ascontiguousarray(labels["img"]), rng)
        return labels


class SiteDataset(YOLODataset):  # type: ignore[misc]
    """Ultralytics' data set with our mosaics and our weather."""

    def __init__(self, *args: Any, known: Known, weather: float, **kwargs: Any) -> None:
        self._known, self._weather = known, weather
        super().__init__(*args, **kwargs)

    def build_transforms(self, hyp: Any = None) -> Any:
        """Called again for the last epochs, without mosaics."""
        transforms = super().build_transforms(hyp)
        if self.augment:
            before = transforms.transforms[0]  # mosaic and perspective
            before.transforms[0] = AlikeMosaic(self, self.imgsz, before.transforms[0].p, self._known)
            transforms.transforms.insert(len(transforms.transforms) - 1, Weather(self._weather))
        return transforms


class SiteTrainer(DetectionTrainer):  # type: ignore[misc]
    """Ultralytics' trainer with the masked loss and our pictures."""

    def __init__(
        self, overrides: dict[str, Any], known: Known, weather: float, *, precision: str = "fp32"
    ) -> None:
        self._known, self._weather, self._precision = known, weather, precision
        super().__init__(overrides=overrides)
        # At each epoch's start: Ultralytics drops the criterion when it saves or resumes.
        self.add_callback("on_train_epoch_start", _set_loss)

    def _setup_train(self) -> None:
        super()._setup_train()
        if self.device.type == "cpu":
            # Ultralytics has both for CUDA only. On a CPU with avx512_bf16 they took 24 ms a picture at 416
            # instead of 47 (two threads).
            self.model: Any = self.model.to(memory_format=torch.channels_last)
            enabled = self._precision == "bf16"
            trainer_module.autocast = lambda *_, **__: torch.autocast("cpu", torch.bfloat16, enabled=enabled)

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """The training split with our transforms, any other as it is."""
        if mode != "train":
            return super().build_dataset(img_path, mode, batch)
        return SiteDataset(
            img_path=img_path, imgsz=self.args.imgsz, batch_size=batch, augment=True, hyp=self.args, rect=False,
            cache=self.args.cache or None, single_cls=False, stride=32, pad=0.0, prefix="train: ", task="detect",
            classes=None, data=self.data, fraction=1.0, known=self._known, weather=self._weather,
        )  # fmt: skip


def _set_loss(trainer: Any) -> None:
    model = unwrap_model(trainer.model)
    if getattr(model, "end2end", False):
        raise ValueError("the masked loss is for heads with one branch, such as YOLOv8's and YOLO11's")
    if not isinstance(getattr(model, "criterion", None), MaskedLoss):
        model.criterion = MaskedLoss(model, trainer._known)

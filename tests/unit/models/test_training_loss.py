"""The masked loss on a toy batch. Runs only where torch and Ultralytics are (the training's own Python):

`TRAINING/bin/python -m pytest --noconftest -c /dev/null tests/unit/models/test_training_loss.py`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("ultralytics")
sys.path.insert(0, str(Path(__file__).parents[3]))

from ultralytics.cfg import get_cfg  # noqa: E402
from ultralytics.nn.tasks import DetectionModel  # noqa: E402

from models.training.masked import AlikeMosaic, MaskedLoss, SiteTrainer, known_mask  # noqa: E402
from models.training.worker import mended  # noqa: E402

KNOWN = {"machines.jpg": [1], "all.jpg": [0, 1, 2]}


@pytest.fixture(scope="module")
def model():
    """A YOLOv8n for three classes, not trained."""
    torch.manual_seed(0)
    network = DetectionModel("yolov8n.yaml", nc=3, verbose=False)
    network.args = get_cfg()
    return network.train()


def _batch(files):
    """Pictures of noise, a machine (class 1) in the middle of each."""
    count = len(files)
    return {
        "img": torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(1)),
        "im_file": [f"/somewhere/{name}" for name in files],
        "batch_idx": torch.arange(count).float(), "cls": torch.ones(count, 1),
        "bboxes": torch.tensor([[0.5, 0.5, 0.6, 0.6]]).repeat(count, 1),
    }  # fmt: skip


def _gradients(model, files):
    """{what: gradient of the loss with respect to class scores, (classes,) summed over size}, on and off the object."""
    batch = _batch(files)
    predicted = model(batch["img"])
    scores = predicted["scores"]
    scores.retain_grad()
    loss, _ = MaskedLoss(model, KNOWN)(predicted, batch)
    loss.sum().backward()
    return scores.grad  # (B, classes, anchors)


def test_what_is_known_is_looked_up_by_file_name() -> None:
    """The folder does not matter; classes that are not named are unknown."""
    mask = known_mask(["/a/machines.jpg", "b/all.jpg"], KNOWN, 3)
    assert mask.tolist() == [[False, True, False], [True, True, True]]


def test_an_unknown_class_is_not_punished(model) -> None:
    """Where nothing lies, class 0 and 2 get no gradient from a picture that doesn't label them; class 1 does."""
    grad = _gradients(model, ["machines.jpg"])[0]
    silent = (grad[1] > 0) & (grad[0] == 0) & (grad[2] == 0)  # background for class 1, unknown for the others
    on_object = grad[0] != 0
    assert silent.sum() > 20
    assert 0 < on_object.sum() <= 10  # the assigner's ten best places: an excavator is no person
    assert (silent | on_object).all()


def test_a_picture_that_labels_all_is_learnt_in_full(model) -> None:
    """With everything known the loss is Ultralytics' own to the last digit."""
    from ultralytics.utils.loss import v8DetectionLoss

    batch = _batch(["all.jpg", "all.jpg"])
    with torch.no_grad():
        predicted = model(batch["img"])
        ours, theirs = (
            MaskedLoss(model, KNOWN)(predicted, batch)[0],
            v8DetectionLoss(model)(predicted, batch)[0],
        )
    assert torch.equal(ours, theirs)


def test_pictures_of_one_batch_do_not_mix(model) -> None:
    """Beside a picture that labels all, an unknown class of the other stays unknown."""
    grad = _gradients(model, ["machines.jpg", "all.jpg"])
    assert (grad[0, 2] == 0).sum() > 20
    assert (grad[1, 2] != 0).all()


def test_half_precision_does_not_blur_boxes(model) -> None:
    """A bfloat16 holds eight bits: the loss is computed in float32, on what the network says, also under autocast."""
    batch = _batch(["all.jpg"])
    with torch.no_grad():
        predicted = {
            key: value.bfloat16() if key != "feats" else [one.bfloat16() for one in value]
            for key, value in model(batch["img"]).items()
        }
        with torch.autocast("cpu", torch.bfloat16):
            inside = MaskedLoss(model, KNOWN)(predicted, batch)[0]
        outside = MaskedLoss(model, KNOWN)(
            {k: v.float() if k != "feats" else [one.float() for one in v] for k, v in predicted.items()},
            batch,
        )[0]
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)


def test_mosaics_are_made_of_pictures_of_which_the_same_is_known() -> None:
    """A mosaic's mask is that of its first picture, so the others must be alike."""
    files = ["x/machines.jpg", "x/all.jpg", "y/machines2.jpg"]
    known = KNOWN | {"machines2.jpg": [1]}
    mosaic = AlikeMosaic(SimpleNamespace(im_files=files, cache=None, buffer=[]), 64, 1.0, known)
    mosaic._group = (1,)
    drawn = {i for _ in range(40) for i in mosaic.get_indexes()}
    assert drawn == {0, 2}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_tiny_training_uses_the_masked_loss(tmp_path: Path, precision: str) -> None:
    """Four pictures, one epoch: the trainer runs on our transforms and loss, and its checkpoint needs none of ours."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    known = {}
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"images/{number}.jpg"), np.full((64, 64, 3), 60 * number, np.uint8))
        (tmp_path / f"labels/{number}.txt").write_text("1 0.5 0.5 0.4 0.4\n")
        known[f"{number}.jpg"] = [1] if number % 2 else [0, 1, 2]
    data = {"path": str(tmp_path), "train": "images", "val": "images", "names": ["a", "b", "c"]}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    seen = []
    trainer = SiteTrainer(
        {
            "model": "yolov8n.yaml", "data": str(tmp_path / "data.yaml"), "epochs": 1, "imgsz": 64, "batch": 2,
            "workers": 0, "device": "cpu", "val": False, "plots": False, "amp": False, "project": str(tmp_path),
            "name": "run", "pretrained": False, "verbose": False,
        },
        known,
        weather=1.0,
        precision=precision,
    )  # fmt: skip
    trainer.add_callback("on_train_epoch_end", lambda t: seen.append(type(t.model.criterion).__name__))
    trainer.train()
    assert seen == ["MaskedLoss"]
    checkpoint = (tmp_path / "run/weights/last.pt").read_bytes()
    assert b"models.training" not in checkpoint
    assert json.dumps(known)


def test_a_training_that_was_cut_at_its_end_or_while_it_saved_goes_on(tmp_path):
    """After the last epoch nothing is left to train; half a checkpoint is the epoch before, or the start."""
    last, best = tmp_path / "last.pt", tmp_path / "best.pt"
    assert not mended(last)
    torch.save({"epoch": -1, "optimizer": None, "model": torch.ones(3)}, last)
    assert mended(last)
    torch.save({"epoch": 4, "optimizer": {"state": torch.ones(3)}}, last)
    assert not mended(last)
    whole = last.read_bytes()
    best.write_bytes(whole)
    last.write_bytes(whole[: len(whole) // 2])
    assert not mended(last)
    assert last.read_bytes() == whole
    for path in (last, best):
        path.write_bytes(whole[:10])
    assert not mended(last)
    assert not last.exists()

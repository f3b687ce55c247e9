"""What ships can be trained further. Needs torch and ultralytics:

PYTHONPATH=. TRAINING_PYTHON -m pytest tests/unit/models/test_training_revive.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ultralytics")
onnxruntime = pytest.importorskip("onnxruntime")

from models.training.revive import revive  # noqa: E402

FOLDER = Path(__file__).parents[3] / "models" / "weights" / "hca9-yolov8n-640"
CLASSES = ("person", "excavator", "truck", "crane", "loader", "drill_rig", "fire", "smoke", "car")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    for path in paths:
        cv2.imwrite(str(path), cv2.GaussianBlur(rng.integers(0, 255, (96, 160, 3), np.uint8), (7, 7), 0))
    return paths


def test_the_revived_network_says_what_the_shipped_one_says(tmp_path: Path, pictures: list[Path]) -> None:
    """Else a day of training begins somewhere else than where the last one ended."""
    from ultralytics import YOLO

    made = revive(FOLDER / "model.onnx", tmp_path / "revived.pt", CLASSES, pictures, 160)
    model = YOLO(str(made)).model.float().eval()
    assert tuple(model.names.values()) == CLASSES
    taken = np.random.default_rng(2).random((1, 3, 160, 160), np.float32)
    shipped = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"))
    told = shipped.run(None, {shipped.get_inputs()[0].name: taken})[0]
    with torch.no_grad():
        ours = model(torch.from_numpy(taken))[0].numpy()
    assert np.abs(ours[:, 4:] - told[:, 4:]).max() < 1e-3
    assert np.abs(ours[:, :4] - told[:, :4]).max() < 0.05


def test_its_normalisations_work_on_what_goes_through_them(tmp_path: Path, pictures: list[Path]) -> None:
    """An identity in their place would change the network with the first batch that it is trained on."""
    from ultralytics import YOLO

    made = revive(FOLDER / "model.onnx", tmp_path / "revived.pt", CLASSES, pictures, 160)
    model = YOLO(str(made)).model.float()
    norm = model.model[0].bn
    assert not torch.allclose(norm.running_mean, torch.zeros_like(norm.running_mean))
    assert not torch.allclose(norm.weight, torch.ones_like(norm.weight))


def test_other_classes_are_refused(tmp_path: Path, pictures: list[Path]) -> None:
    """A recipe that calls nine outputs by eight names is told so."""
    with pytest.raises(ValueError, match="9 classes, the recipe 8"):
        revive(FOLDER / "model.onnx", tmp_path / "revived.pt", CLASSES[:8], pictures, 160)

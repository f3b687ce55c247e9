"""The command makes an 8-bit network that runs. Needs nncf and openvino (requirements/quantize.lock) and pytest:

QUANTIZE_PYTHON -m pytest tests/unit/models/test_quantize_run.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from models import quantize, registry
from models.choice import PROBE, sees_the_same
from models.predict import read_image


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """24 cuts of our own picture with the excavator labelled, as training and as measured split."""
    probe = read_image(PROBE)
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        (tmp_path / "labels" / split).mkdir(parents=True)
        for k in range(24):
            left = 10 * k
            cut = probe[:, left : left + 1000]
            box = np.array([546 - left, 184, 933 - left, 462]) / np.array([1000, 720, 1000, 720])
            middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            cv2.imwrite(str(tmp_path / "images" / split / f"{k}.png"), cut)
            text = " ".join(["1", *(f"{v:.5f}" for v in (*middle, *size))])
            (tmp_path / "labels" / split / f"{k}.txt").write_text(text + "\n")
    path = tmp_path / "data.yaml"
    names = dict(enumerate(registry.read_card(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME).classes))
    path.write_text(
        yaml.safe_dump({"path": ".", "train": "images/train", "val": "images/val", "names": names})
    )
    return path


def test_one_command_makes_measures_and_writes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Afterwards the set holds both files, the card their hash and loss, and the network sees the excavator."""
    folder = Path(shutil.copytree(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME, tmp_path / "set"))
    for path in folder.glob("model-int8.*"):
        path.unlink()
    status = quantize.main([str(folder), "--pictures", str(data), "--calibrate", "4", "--choose", "20"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    int8 = registry.read_card(folder).int8
    assert int8 is not None
    assert (status, int8.map50_loss, int8.sha256) == (0, report["map50_loss"], report["sha256"])
    probe = read_image(PROBE)
    float_boxes = registry.load(folder, "openvino").detect(probe)
    assert sees_the_same(float_boxes, registry.load(folder, "openvino-int8").detect(probe))

"""The recording of Ultralytics' boxes is what Ultralytics says today. Needs torch and ultralytics:

PYTHONPATH=. TRAINING_PYTHON -m pytest tests/unit/models/test_parity_ultralytics.py
"""

from __future__ import annotations

import json

import pytest

from models import registry
from models.backends import Options
from models.card import read_card, read_weights
from models.detector import ModelInfo
from models.ultralytics_backend import UltralyticsDetector
from tests.unit.models.parity import RECORDED, SCORE_MIN, SIDES, WEIGHTS, differences, pictures


@pytest.mark.parametrize("side", SIDES)
def test_ultralytics_still_says_so(side: int) -> None:
    """Its own predictor on the shipped weights, within a pixel and a hundredth of what was recorded."""
    table = json.loads(RECORDED.read_text(encoding="utf-8"))
    card = read_card(WEIGHTS / registry.DEFAULT_NAME)
    info = ModelInfo(
        name=card.name, version=card.version, sha256=card.sha256, classes=card.classes, trained_on="",
        backend="ultralytics", input_hw=(side, side),
    )  # fmt: skip
    theirs = UltralyticsDetector(
        read_weights(card), info=info, options=Options(long_side_px=side, score_min=SCORE_MIN)
    )
    told = {
        name: differences(theirs.detect(p), table["boxes"][name][str(side)]) for name, p in pictures().items()
    }
    assert not any(told.values()), {name: lines for name, lines in told.items() if lines}

"""The same weights give the boxes that Ultralytics' own predictor gives, within a pixel and a hundredth of score."""

from __future__ import annotations

import json

import pytest

from models import registry
from models.backends import BACKENDS, Options
from models.card import read_card, read_weights
from models.detector import Detector
from tests.unit.models.parity import RECORDED, SCORE_MIN, SIDES, WEIGHTS, differences, pictures

TABLE = json.loads(RECORDED.read_text(encoding="utf-8"))
CARD = read_card(WEIGHTS / registry.DEFAULT_NAME)
FLOATS = [
    name
    for name, row in BACKENDS.items()
    if row.weights == "float" and row.chosen_by_itself and not row.missing
]


def detector(backend: str, side: int) -> Detector:
    """Ours, with scores as they come from the network: a calibration would change them for one side only."""
    info = registry.load().info
    return BACKENDS[backend].build(read_weights(CARD), info, Options(long_side_px=side, score_min=SCORE_MIN))


def test_the_recording_is_of_these_weights() -> None:
    """After a change of weights it must be made anew (see tests/unit/models/parity.py)."""
    assert TABLE["sha256"] == CARD.sha256, "run: TRAINING_PYTHON -m tests.unit.models.parity"
    assert sum(len(rows) for sides in TABLE["boxes"].values() for rows in sides.values()) > 40


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("backend", FLOATS)
def test_boxes_are_those_that_ultralytics_gave(backend: str, side: int) -> None:
    """Letterbox, network and NMS together, on pictures of nine shapes."""
    ours = detector(backend, side)
    told = {
        name: differences(ours.detect(picture), TABLE["boxes"][name][str(side)])
        for name, picture in pictures().items()
    }
    assert not any(told.values()), {name: lines for name, lines in told.items() if lines}

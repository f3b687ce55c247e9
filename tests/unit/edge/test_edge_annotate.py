"""What is written into an annotated snapshot."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edge.annotate import SIMULATED, Label, draw, lines, to_jpeg
from monitor.domain.levels import Level
from tests.doubles.edge_things import NOON, cv_texture

LABEL = Label(
    camera_name={"en": "Field north", "zh": "北田"}, site_name={"en": "East village", "zh": "东村"},
    captured_at=NOON, timezone="Asia/Shanghai", violation="excavation_5m", object_class="excavator",
    confidence=0.9, level=Level.I, simulated=False, chainage_m=12345.6, offset_m=-2.34, lonlat=(121.5, 31.2),
    accuracy_m=0.8,
)  # fmt: skip


def test_time_place_level_and_article_stand_in_both_languages() -> None:
    """A suspicion, its article, local time and UTC, chainage with its side, position with its error."""
    text = "\n".join(lines(LABEL))
    for part in ("I 级", "疑似", "suspected", "30(2)", "2026-11-24 12:00:00 +0800", "04:00:00 UTC", "K12+346",
                 "2.3 m left / 左", "121.500000, 31.200000", "±0.8 m", "北田", "Field north", "东村"):  # fmt: skip
        assert part in text
    assert "no ground fix" in "\n".join(lines(msgspec.structs.replace(LABEL, chainage_m=None, offset_m=None)))
    assert "may lie within" in lines(msgspec.structs.replace(LABEL, may_lie_within=True))[0]


@pytest.mark.parametrize("size_px", [(320, 240), (1280, 720)])
def test_a_simulated_picture_says_so_and_the_given_one_is_left_alone(size_px: tuple[int, int]) -> None:
    """The head of the picture changes only for simulated footage; the clean picture stays clean."""
    clean = cv_texture(size_px).astype(np.uint8)
    before = clean.copy()
    real = draw(clean, (50, 120, 200, 200), LABEL)
    simulated = draw(clean, (50, 120, 200, 200), msgspec.structs.replace(LABEL, simulated=True))
    assert (clean == before).all()
    head = simulated.shape[0] // 12
    assert (real[:head] != simulated[:head]).any(axis=2).mean() > 0.1
    assert SIMULATED == "SIMULATED / 模拟画面"
    assert simulated.shape[1] >= 960
    assert to_jpeg(simulated)[:2] == b"\xff\xd8"

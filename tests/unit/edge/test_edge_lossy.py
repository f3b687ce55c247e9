"""A line that loses pictures is told of, and no longer when it is good again."""

from __future__ import annotations

import pytest

from edge.lossy import WINDOW_S, Losses, counted
from edge.reader import LinkStatus
from edge.watchdog import Health, assess
from monitor.domain.events import CameraState


def run(share: float, seconds: float, losses: Losses, from_s: float) -> tuple[Losses, float | None]:
    """The word after a while of that share, and when it was first told."""
    told, arrived, broken = None, losses.arrived, losses.broken
    for i in range(round(seconds * 5)):
        broken += round(5 * (i + 1) * share) - round(5 * i * share)
        arrived += 5
        losses = counted(losses, from_s + i / 5, arrived, broken)
        if told is None and losses.share is not None:
            told = from_s + i / 5
    return losses, told


@pytest.mark.parametrize("share", [0.03, 0.2, 1.0])
def test_a_lossy_line_is_told_within_a_minute_and_taken_back_within_another(share: float) -> None:
    """From two in a hundred on; and the number is what was lost."""
    losses, told_s = run(share, 60.0, Losses(), 0.0)
    assert told_s is not None
    assert told_s <= 60.0
    assert losses.share == pytest.approx(share / (1 + share), rel=0.1)
    losses, _ = run(0.0, 60.0, losses, 60.0)
    assert losses.share is None


def test_a_packet_now_and_then_is_not_told() -> None:
    """That is what UDP is; just below the mark for ten minutes."""
    assert run(0.015, 600.0, Losses(), 0.0)[1] is None


def test_between_the_marks_a_word_stays_as_it_is() -> None:
    """So that it does not come and go with every window."""
    told, _ = run(0.05, 60.0, Losses(), 0.0)
    assert run(0.015, 4 * WINDOW_S, told, 60.0)[0].share is not None


def test_a_camera_of_which_no_picture_comes_whole_says_that_it_is_the_line() -> None:
    """Stalled for want of whole pictures is not stalled for want of a camera."""
    health = Health(state=CameraState.STREAMING, last_frame_s=0.0, looks=10)
    after = assess(health, 9.0, LinkStatus(link="open"), None, remark="lossy:100")
    assert after.state is CameraState.STALLED
    assert "no_picture" in after.reason
    assert "lossy:100" in after.reason

"""Passing, stopped, working: from numbers, and the motion inside a box from pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge.activity import Sample, box_motion, judge

Box = tuple[float, float, float, float]


def track(
    box_at: Callable[[float], Box],
    *,
    seconds: float = 4.0,
    motion: float | None = 0.0,
    ground_at: Callable[[float], tuple[float, float]] | None = None,
) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            media_s=i / 5,
            xyxy=box_at(i / 5),
            ground_m=ground_at(i / 5) if ground_at else None,
            box_motion=motion,
        )
        for i in range(round(seconds * 5) + 1)
    )


def still(_: float) -> Box:
    return (100, 100, 200, 180)


def swinging(s: float) -> Box:
    """A body that stands while its boom swings out to the right."""
    return (100, 100, 200 + 25 * s, 180)


def test_one_look_accuses_nobody() -> None:
    """Until there is a second and a half of track the object is passing."""
    assert judge(track(still, seconds=0.0)) == "passing"
    assert judge(track(still, seconds=1.2, motion=0.2)) == "passing"
    assert judge(track(still, seconds=1.8, motion=0.2)) == "working"


def test_what_stands_without_motion_is_stopped_and_with_motion_works() -> None:
    """Motion inside the box makes the difference, whether there is ground or not."""
    for ground in (None, lambda s: (1.0, 2.0)):
        assert judge(track(still, ground_at=ground)) == "stopped"
        assert judge(track(still, motion=0.05, ground_at=ground)) == "working"


def test_a_swinging_boom_is_work_not_travel() -> None:
    """The box grows and its middle moves, but one side stands: the body does not move."""

    def middle(s: float) -> tuple[float, float]:
        box = swinging(s)
        return ((box[0] + box[2]) / 20, 0.0)  # the middle wanders by 0.6 m a second

    assert judge(track(swinging, motion=0.08, ground_at=middle)) == "working"


@pytest.mark.parametrize(("speed_m_s", "expected"), [(0.3, "working"), (0.7, "passing"), (3.0, "passing")])
def test_ground_speed_decides_on_both_sides_of_half_a_metre_a_second(speed_m_s: float, expected: str) -> None:
    """Both sides of the box move, the ground position with them."""
    px = 20.0
    moved = track(
        lambda s: (100 + px * speed_m_s * s, 100, 200 + px * speed_m_s * s, 180),
        motion=0.2, ground_at=lambda s: (speed_m_s * s, 0.0),
    )  # fmt: skip
    assert judge(moved) == expected


def test_without_ground_the_size_of_the_object_is_the_measure() -> None:
    """A person that crosses the picture passes; one that sways does not."""
    assert judge(track(lambda s: (100 + 30 * s, 100, 130 + 30 * s, 180), motion=0.3)) == "passing"
    assert (
        judge(track(lambda s: (100 + 3 * np.sin(9 * s), 100, 130 + 3 * np.sin(9 * s), 180), motion=0.3))
        == "working"
    )


def test_what_comes_straight_at_the_camera_passes() -> None:
    """Both sides go outwards and the foot comes down: it moves although its middle stands."""

    def nearer(s: float) -> Box:
        return (300 - 20 * s, 100 - 5 * s, 340 + 20 * s, 180 + 30 * s)

    assert judge(track(nearer, motion=0.3)) == "passing"
    assert judge(track(nearer, motion=0.3, ground_at=lambda s: (0.0, 40.0 - 4 * s))) == "passing"


def test_work_stays_work_over_a_short_rest() -> None:
    """Once working, less motion is enough to stay so; none at all is not."""
    weak = track(still, motion=0.009)
    assert judge(weak, "stopped") == "stopped"
    assert judge(weak, "working") == "working"
    assert judge(track(still, motion=0.0), "working") == "stopped"


def picture(seed: int, noise: int = 3) -> np.ndarray:
    base = np.kron(np.random.default_rng(1).integers(40, 200, (30, 40)), np.ones((8, 8)))
    return np.clip(base + np.random.default_rng(seed).integers(-noise, noise + 1, base.shape), 0, 255).astype(
        np.uint8
    )


def test_motion_in_a_box_is_the_share_of_pixels_that_changed() -> None:
    """Sensor noise is none, a moved arm is some, and what happens at the rim or outside is not counted."""
    before, now = picture(2), picture(3)
    box: Box = (60, 60, 220, 180)
    assert box_motion(now, before, box) == 0.0
    arm = now.copy()
    arm[100:120, 100:160] = 255
    assert box_motion(arm, before, box) == pytest.approx(20 * 60 / (160 * 120 * 0.84**2), rel=0.35)
    outside = now.copy()
    outside[:60] = 255
    outside[60:66, 60:220] = 255  # the rim
    assert box_motion(outside, before, box) == pytest.approx(0.0, abs=0.01)


def test_motion_that_cannot_be_measured_is_none() -> None:
    """A speck of a box, or a picture that changed its size, gives no figure instead of a wrong one."""
    before, now = picture(2), picture(3)
    assert box_motion(now, before, (10, 10, 16, 16)) is None
    assert box_motion(now[:-8], before, (60, 60, 220, 180)) is None

"""When the detector looks, and when key frames are enough."""

from __future__ import annotations

import numpy as np

from edge import gate
from edge.gate import GateState, MotionMeter


def runs(moving: dict[float, int], until_s: float, step_s: float, **more: bool) -> list[float]:
    """Seconds at which the detector looked."""
    state, at, looked = GateState(), 0.0, []
    while at <= until_s:
        state, run = gate.decide(state, moving.get(round(at, 2), 0), at, **more)
        if run:
            looked.append(round(at, 2))
        at += step_s
    return looked


def test_where_nothing_stands_the_detector_looks_every_six_seconds() -> None:
    """An empty field costs a look in six seconds; what stands somewhere is looked at every two."""
    assert runs({}, 13.0, 0.25, empty=True) == [0.0, 6.0, 12.0]
    assert runs({}, 5.0, 0.25) == [0.0, 2.0, 4.0]


def test_what_stands_before_a_dozing_camera_is_looked_at_in_each_picture() -> None:
    """Key frames 1.96 s apart: the next one would come after nearly four seconds, which is blind time."""
    assert runs({}, 8.0, 1.96, sparse=True) == [0.0, 1.96, 3.92, 5.88, 7.84]


def test_it_rests_only_after_nothing_has_moved_for_a_while() -> None:
    """Motion keeps it awake; the first seconds of a camera too."""
    state, _ = gate.decide(GateState(), 0, 10.0)
    assert not gate.rests(state, 10.0)
    assert gate.rests(state, 10.0 + gate.REST_AFTER_S + 0.1)
    state, _ = gate.decide(state, gate.MOVING_PX, 20.0)
    assert not gate.rests(state, 20.0 + gate.REST_AFTER_S - 0.1)
    assert gate.rests(state, 20.0 + gate.REST_AFTER_S + 0.1)


def test_daylight_that_changes_while_it_dozes_is_no_motion() -> None:
    """Ten minutes of dawn, one look each two seconds: the background follows, nobody is woken all the time."""
    rng, meter, woken = np.random.default_rng(3), MotionMeter(), 0
    scene = rng.integers(20, 90, (180, 320)).astype(np.float32)
    for k in range(300):
        picture = np.clip(scene * (1 + k / 300) + rng.normal(0, 1.5, scene.shape), 0, 255).astype(np.uint8)
        woken += meter.measure(picture, 2.0 if k else 0.0).largest_px >= gate.MOVING_PX
    assert woken < 6
    picture = np.clip(scene * 2, 0, 255).astype(np.uint8)
    picture[100:130, 50:70] = 250
    assert meter.measure(picture, 2.0).largest_px >= gate.MOVING_PX

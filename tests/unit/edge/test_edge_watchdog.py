"""The camera watchdog and the motion gate, on pictures made here; time is moved by the test."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import gate, watchdog
from edge.reader import LinkStatus
from edge.watchdog import Health, assess, measure
from monitor.domain.events import CameraState

OPEN = LinkStatus(link="open")
RNG = np.random.default_rng(5)
STREET = np.kron(np.random.default_rng(1).integers(30, 220, (18, 32)), np.ones((10, 10))).astype(np.uint8)


def noisy(picture: np.ndarray, sigma: float = 3.0) -> np.ndarray:
    return np.clip(picture + RNG.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def hand() -> np.ndarray:
    """Skin and shadow, and nothing of the street."""
    ramp = np.linspace(40, 160, STREET.shape[1])[None, :] * np.ones((STREET.shape[0], 1))
    return noisy(ramp, 1.5)


def glare() -> np.ndarray:
    """A low sun: two thirds burnt out, the rest pale."""
    pale = 190 + 0.15 * cv2.GaussianBlur(STREET, (0, 0), 6).astype(np.float32)
    pale[:120] = 235
    return noisy(pale, 1.0)


class Day:
    """Shows a watchdog pictures, five a second, and tells its states."""

    def __init__(self, step_s: float = 0.2) -> None:
        self.health, self.now_s, self.before, self.step_s = Health(), 0.0, None, step_s
        self.states: list[tuple[float, CameraState]] = []

    def show(
        self, picture, seconds: float, link: LinkStatus = OPEN, *, grey: bool = False, moved: bool = False
    ) -> Day:
        for _ in range(round(seconds / self.step_s)):
            self.now_s += self.step_s
            figures = None
            if picture is not None:
                shown = picture() if callable(picture) else picture
                asked = grey if watchdog.asks_grey(self.health, self.now_s) else None
                figures, self.before = measure(shown, self.before, asked), shown
            was = self.health.state
            self.health = assess(self.health, self.now_s, link, figures, moved=moved)
            if self.health.state is not was:
                self.states.append((self.now_s, self.health.state))
        return self


def test_a_live_picture_streams() -> None:
    """The first picture is enough; minutes of noise raise nothing."""
    day = Day().show(lambda: noisy(STREET), 120)
    assert day.states == [(0.2, CameraState.STREAMING)]


@pytest.mark.parametrize(
    ("picture", "state"),
    [
        (lambda: noisy(np.full_like(STREET, 4), 1.0), CameraState.DARK),
        (lambda: noisy(np.full_like(STREET, 17), 1.0), CameraState.DARK),
        (lambda: noisy(np.full_like(STREET, 252), 1.0), CameraState.OVEREXPOSED),
        (lambda: noisy(np.full_like(STREET, 235), 1.0), CameraState.OVEREXPOSED),
        (glare, CameraState.OVEREXPOSED),
        (lambda: noisy(np.full_like(STREET, 120), 2.0), CameraState.OBSCURED),
        (hand, CameraState.OBSCURED),
        (lambda: noisy(cv2.GaussianBlur(STREET, (0, 0), 9), 1.0), CameraState.BLURRED),
        (lambda: noisy(110 + 0.3 * cv2.GaussianBlur(STREET, (0, 0), 5), 1.0), CameraState.BLURRED),
    ],
    ids=["black", "video black", "white", "video white", "glare", "paper", "hand on the lens", "out of focus", "fog"],
)  # fmt: skip
def test_what_spoils_the_picture_is_found_and_has_its_way_back(picture, state: CameraState) -> None:
    """Found within ten seconds, gone within ten after it is over, and not before its seconds of patience."""
    day = Day().show(lambda: noisy(STREET), 30)
    at_s = day.now_s
    day.show(picture, 20).show(lambda: noisy(STREET), 20)
    assert [s for _, s in day.states] == [CameraState.STREAMING, state, CameraState.STREAMING]
    assert watchdog.ENTER_S <= day.states[1][0] - at_s < 10
    assert watchdog.LEAVE_S <= day.states[2][0] - at_s - 20 < 10


@pytest.mark.parametrize("step_s", [0.2, 2.0, 4.0])
@pytest.mark.parametrize(
    ("picture", "state"), [(hand, CameraState.OBSCURED), (glare, CameraState.OVEREXPOSED)]
)
def test_rare_looks_find_it_too(step_s: float, picture, state: CameraState) -> None:
    """While nothing moves only key frames are looked at, up to four seconds apart."""
    day = Day(step_s).show(lambda: noisy(STREET), 60)
    at_s = day.now_s
    day.show(picture, 40).show(lambda: noisy(STREET), 40)
    assert [s for _, s in day.states] == [CameraState.STREAMING, state, CameraState.STREAMING]
    assert day.states[1][0] - at_s <= 60


def by_infrared() -> np.ndarray:
    """Night: grey, dim, and with a fifth of the day's detail."""
    return noisy(45 + 0.2 * STREET, 1.5)


@pytest.mark.parametrize("step_s", [0.2, 2.0, 4.0])
def test_a_night_by_infrared_is_no_fault_and_is_known(step_s: float) -> None:
    """The camera changes over in one moment, night after night; a hand on the lens is found at night too."""
    day = Day(step_s)
    for _ in range(2):
        day.show(lambda: noisy(STREET), 60).show(by_infrared, 60, grey=True)
        assert day.health.infrared
    day.show(lambda: noisy(STREET), 60)
    assert not day.health.infrared
    assert [s for _, s in day.states] == [CameraState.STREAMING]
    day.show(by_infrared, 60, grey=True).show(lambda: noisy(np.full_like(STREET, 120), 2.0), 20, grey=True)
    assert day.health.state is CameraState.OBSCURED


def test_the_same_dimming_in_colours_is_a_fault() -> None:
    """Without the change-over to infrared so little detail is something on the lens."""
    day = Day().show(lambda: noisy(STREET), 60).show(by_infrared, 30)
    assert day.health.state in (CameraState.OBSCURED, CameraState.BLURRED)


def test_colours_are_told_from_grey() -> None:
    """A codec's rounding is no colour; concrete in daylight has some; a black picture tells nothing."""
    grey = np.repeat(noisy(STREET)[..., None], 3, axis=2)
    rounded = np.clip(grey.astype(int) + RNG.integers(-1, 2, grey.shape), 0, 255).astype(np.uint8)
    assert watchdog.is_grey(grey)
    assert watchdog.is_grey(rounded)
    tinted = grey.copy()
    tinted[..., 0] = np.clip(tinted[..., 0].astype(int) + 6, 0, 255)
    assert not watchdog.is_grey(tinted)
    assert not watchdog.is_grey(np.full_like(grey, 3))


def test_a_moved_camera_says_so_until_it_is_registered_again() -> None:
    """The scene's word counts at once, comes back after a gap in the stream, and covers spoil it as any picture."""
    day = Day().show(lambda: noisy(STREET), 30).show(lambda: noisy(STREET), 10, moved=True)
    assert day.health.state is CameraState.MOVED
    assert watchdog.watches(day.health.state)
    day.show(None, 8, moved=True).show(lambda: noisy(STREET), 5, moved=True)
    day.show(hand, 20, moved=True).show(lambda: noisy(STREET), 10, moved=True).show(lambda: noisy(STREET), 5)
    assert [s.value for _, s in day.states] == [
        "streaming", "moved", "stalled", "moved", "obscured", "moved", "streaming",
    ]  # fmt: skip


PICTURES = {
    "good": STREET, "dark": np.full_like(STREET, 4), "white": np.full_like(STREET, 252),
    "paper": np.full_like(STREET, 120), "blurred": cv2.GaussianBlur(STREET, (0, 0), 9),
}  # fmt: skip
FIGURES = {name: measure(noisy(picture, 1.0), None) for name, picture in PICTURES.items()}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(FIGURES)), st.floats(0.2, 4.0)), max_size=120))
def test_no_word_on_the_picture_changes_before_its_seconds(looks: list[tuple[str, float]]) -> None:
    """However the pictures alternate: spoilt for ENTER_S before it is told, good for LEAVE_S before it is over."""
    health = assess(Health(), 0.0, OPEN, FIGURES["good"])
    now_s, good_since_s, spoilt_since_s = 0.0, 0.0, None
    for name, gap_s in looks:
        now_s, was = now_s + gap_s, health.state
        health = assess(health, now_s, OPEN, FIGURES[name])
        if name == "good":
            good_since_s = now_s if good_since_s is None else good_since_s
            spoilt_since_s = None
        else:
            spoilt_since_s = now_s if spoilt_since_s is None else spoilt_since_s
            good_since_s = None
        if was is CameraState.STREAMING and health.state is not was:
            assert spoilt_since_s is not None
            assert now_s - spoilt_since_s >= watchdog.ENTER_S
        if was is not CameraState.STREAMING and health.state is CameraState.STREAMING:
            assert good_since_s is not None
            assert now_s - good_since_s >= watchdog.LEAVE_S


def test_a_cover_soon_after_the_start_is_not_learned_as_the_scene() -> None:
    """While the reference still settles, a suspicious picture does not teach it."""
    day = (
        Day().show(lambda: noisy(STREET), 2).show(lambda: noisy(cv2.GaussianBlur(STREET, (0, 0), 4), 2.0), 8)
    )
    assert day.health.state is CameraState.BLURRED


def test_a_short_cover_is_no_state() -> None:
    """A lorry that stands before the lens for three seconds raises nothing."""
    day = Day().show(lambda: noisy(STREET), 30)
    for _ in range(5):
        day.show(lambda: noisy(np.full_like(STREET, 90)), 3).show(lambda: noisy(STREET), 5)
    assert [s for _, s in day.states] == [CameraState.STREAMING]


def test_half_a_cover_is_no_cover() -> None:
    """A machine that fills half of the picture does not end the watching."""
    half = STREET.copy()
    half[:, :160] = 90
    day = Day().show(lambda: noisy(STREET), 30).show(lambda: noisy(half), 60)
    assert [s for _, s in day.states] == [CameraState.STREAMING]


def test_covered_from_the_start_is_not_streaming() -> None:
    """A lens that was covered before the first picture has no reference, and is found all the same."""
    day = Day().show(lambda: noisy(np.full_like(STREET, 60), 0.4), 20)
    assert day.health.state is CameraState.OBSCURED


def test_dusk_is_followed() -> None:
    """Light and contrast that go down over an hour are no cover."""
    day = Day()
    for minute in range(60):
        light = 1.0 - 0.8 * minute / 60
        day.show(lambda light=light: noisy(STREET * light, 1.5), 12)
    assert [s for _, s in day.states] == [CameraState.STREAMING]


def test_the_same_pixels_are_a_frozen_picture() -> None:
    """Frames keep coming, but nothing in them lives."""
    still = noisy(STREET)
    day = Day().show(lambda: noisy(STREET), 10).show(still, 14)
    assert [s for _, s in day.states] == [CameraState.STREAMING]
    day.show(still, 4).show(lambda: noisy(STREET), 10)
    assert [s for _, s in day.states] == [CameraState.STREAMING, CameraState.FROZEN, CameraState.STREAMING]


def test_no_frames_is_stalled_and_the_links_word_counts_at_once() -> None:
    """Silence is stalled after five seconds; unreachable, blocked and ended are the link's own words."""
    day = Day().show(lambda: noisy(STREET), 10).show(None, 4.8)
    assert day.health.state is CameraState.STREAMING
    day.show(None, 1)
    assert day.health.state is CameraState.STALLED
    for link, state in (("unreachable", CameraState.UNREACHABLE), ("blocked", CameraState.BLOCKED),
                        ("ended", CameraState.ENDED)):  # fmt: skip
        day.show(None, 0.2, LinkStatus(link=link, reason="why"))
        assert (day.health.state, day.health.reason) == (state, "why")
    day.show(lambda: noisy(STREET), 0.2)
    assert day.health.state is CameraState.STREAMING


def test_the_gate_lets_motion_through_and_has_a_floor() -> None:
    """Nothing moves: a look every two seconds. Something moves: every look, and a second longer."""
    state, ran = gate.GateState(), []
    for i in range(100):
        media_s = i / 5
        moving_px = 50 if 10.0 <= media_s < 12.0 else 0
        state, run = gate.decide(state, moving_px, media_s)
        ran.append((media_s, run))
    idle = [s for s, run in ran if run and s < 10]
    assert idle == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert all(run for s, run in ran if 10 <= s <= 12.8)
    assert not any(run for s, run in ran if 13.0 < s < 14.6)


def test_the_meter_sees_a_person_far_away_and_no_noise() -> None:
    """A figure of 4 x 12 pixels that walks is motion; sensor noise and a slow cloud are not."""
    meter = gate.MotionMeter()
    for i in range(60):
        assert meter.measure(noisy(STREET * (1 + 0.001 * i), 3.0)).largest_px < gate.MOVING_PX or i < 3
    found = 0
    for i in range(20):
        picture = noisy(STREET)
        picture[80:92, 40 + 6 * i : 44 + 6 * i] = 250
        found += meter.measure(picture).largest_px >= gate.MOVING_PX
    assert found >= 18

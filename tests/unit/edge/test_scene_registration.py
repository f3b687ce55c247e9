"""Registered or moved: a word that takes seconds of evidence, whatever the distance of the looks, and survives."""

from __future__ import annotations

from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import registration
from edge.registration import ENTER_S, LEAVE_S, STEP_MAX_S, Registrar, Word, judge, key_of
from edge.scene import Evidence
from monitor.domain.assets import Camera

#: a town seen by a camera that can turn: 320 x 180 of it are shown
WORLD = cv2.GaussianBlur(
    np.kron(np.random.default_rng(11).integers(30, 220, (30, 50)), np.ones((12, 12))).astype(np.uint8), (0, 0), 1.0
)  # fmt: skip
RNG = np.random.default_rng(12)


def view(dx: int = 0, dy: int = 0, sigma: float = 3.0) -> np.ndarray:
    shown = WORLD[90 + dy : 270 + dy, 140 + dx : 460 + dx]
    return np.clip(shown + RNG.normal(0, sigma, shown.shape), 0, 255).astype(np.uint8)


class Post:
    """A camera on its post, and its register."""

    def __init__(self, key: str = "k", noted: str | None = None, step_s: float = 2.0) -> None:
        self.register, self.now_s, self.step_s, self.noted = Registrar(key, noted), 0.0, step_s, noted

    def show(self, picture: Any, seconds: float, *, light: float = 120.0, infrared: bool = False) -> Post:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += self.step_s
            self.register.look(picture(), self.now_s, light=light, infrared=infrared)
            self.noted = self.register.note() or self.noted
        return self

    @property
    def moved(self) -> bool:
        return self.register.word.moved

    def until(self, moved: bool, picture: Any, limit_s: float = 60.0, **light: Any) -> float:
        began_s = self.now_s
        while self.moved is not moved and self.now_s - began_s < limit_s:
            self.show(picture, self.step_s, **light)
        assert self.moved is moved, f"not within {limit_s} s"
        return self.now_s - began_s


@pytest.mark.parametrize("step_s", [0.2, 2.0, 4.0])
def test_a_pan_of_a_twentieth_is_found_within_a_minute_and_has_its_way_back(step_s: float) -> None:
    """Looks may be a fifth of a second or four seconds apart: the seconds count."""
    post = Post(step_s=step_s).show(view, 40)
    assert post.register.registered
    assert ENTER_S <= post.until(True, lambda: view(dx=16)) + STEP_MAX_S <= 60.0
    assert LEAVE_S <= post.until(False, view) + STEP_MAX_S <= 60.0


def test_another_scene_altogether_is_found_within_a_minute() -> None:
    """A camera that was turned round shares nothing with its reference."""
    post = Post().show(view, 30)
    other = np.ascontiguousarray(WORLD[0:180, 0:320][::-1, ::-1])
    post.until(True, lambda: np.clip(other + RNG.normal(0, 3, other.shape), 0, 255).astype(np.uint8))


def test_shaking_and_short_turns_are_no_move() -> None:
    """A mast in the wind, and a lorry or a hand that pushes the camera for ten seconds."""
    post = Post().show(view, 30)
    post.show(lambda: view(*map(int, RNG.integers(-2, 3, 2))), 120)
    assert not post.moved
    for _ in range(4):
        post.show(lambda: view(dx=40), 10).show(view, 10)
    assert not post.moved


def test_the_word_and_the_reference_survive_a_restart() -> None:
    """The camera was turned while the worker was down, or the worker ended while it was turned."""
    noted = Post().show(view, 30).noted
    assert noted is not None
    assert len(noted) < 20_000
    turned = Post(noted=noted).show(lambda: view(dx=16), 60)
    assert turned.moved
    again = Post(noted=turned.noted)
    assert again.moved  # at once: no place is told from a void survey
    again.until(False, view)


def test_a_new_survey_registers_anew() -> None:
    """What was noted for the old calibration is void with it, and so is a note that can't be read."""
    moved = Post().show(view, 30).show(lambda: view(dx=16), 60)
    assert moved.moved
    assert not Post(key="new", noted=moved.noted).show(lambda: view(dx=16), 60).moved
    assert not Registrar("k", "{garbage").registered
    broken = registration.Note(key="k", views=(registration.View(jpeg=b"no picture", light=1.0),))
    assert not Registrar("k", msgspec.json.encode(broken).decode()).registered


def test_the_key_changes_with_the_survey_and_with_nothing_else() -> None:
    """A renamed camera keeps its reference; a new calibration, source or frame size does not."""
    camera = Camera(camera_id="c", edge_id="e", site_id="s", name="n", source="rtsp://h/1")  # type: ignore[arg-type]
    same = msgspec.structs.replace(camera, min_score=0.7)
    assert key_of(same) == key_of(camera)
    for change in ({"calibration_version": "2"}, {"source": "rtsp://h/2"}, {"frame_size_px": (1920, 1080)}):
        assert key_of(msgspec.structs.replace(camera, **change)) != key_of(camera)


def test_a_camera_that_turns_all_the_time_is_never_a_reference() -> None:
    """A picture that does not stand can't be registered."""
    steps = iter(range(-120, 120, 5))
    assert not Post().show(lambda: view(dx=next(steps)), 80).register.registered


def dark() -> np.ndarray:
    return np.clip(RNG.normal(8, 2, (180, 320)), 0, 255).astype(np.uint8)


def test_when_nobody_can_tell_the_last_word_stands() -> None:
    """An hour of night after 'moved' is still 'moved', after 'registered' still that."""
    assert not Post().show(view, 30).show(dark, 600, light=8.0).moved
    moved = Post().show(view, 30).show(lambda: view(dx=16), 60)
    assert moved.show(dark, 600, light=8.0).moved


def by_infrared(dx: int = 0) -> np.ndarray:
    """The same scene, lit by the camera: other materials shine, the far half is black."""
    lit = 220 - 0.7 * view(dx=dx, sigma=5.0).astype(np.float32)
    lit[:70] = 12 + RNG.normal(0, 3, (70, 320))
    return np.clip(lit, 0, 255).astype(np.uint8)


def unlike() -> np.ndarray:
    shown = np.random.default_rng(77).integers(20, 200, (18, 32))
    return np.clip(np.kron(shown, np.ones((10, 10))) + RNG.normal(0, 3, (180, 320)), 0, 255).astype(np.uint8)


def test_a_night_by_infrared_is_no_move_and_is_known_the_next_night() -> None:
    """Day, night, day, night: registered throughout, with a view for each light; a turn at night is found."""
    post = Post()
    for _ in range(2):
        post.show(view, 120).show(by_infrared, 120, light=70.0, infrared=True)
        assert not post.moved
    post.until(True, lambda: by_infrared(dx=16), light=70.0, infrared=True)


def test_an_infrared_night_that_looks_wholly_other_is_learned_on_trust() -> None:
    """Snow lit from beside the lens has no edge of the day's; the day itself is remembered all the same."""
    post = Post().show(view, 60).show(unlike, 150, light=90.0, infrared=True)
    assert not post.moved
    assert len(post.register._note.views) == 2
    post.until(True, lambda: view(dx=40), light=120.0)


evidences = st.lists(st.tuples(st.sampled_from(Evidence), st.floats(0.2, 4.0)), max_size=200)


@settings(max_examples=100, deadline=None)
@given(evidences)
def test_the_word_never_flips_without_its_seconds_of_evidence(looks: list[tuple[Evidence, float]]) -> None:
    """Between two words lie at least ENTER_S or LEAVE_S of evidence against the old one."""
    word, now_s, against_s = Word(), 0.0, 0.0
    for evidence, gap_s in looks:
        before, now_s = word, now_s + gap_s
        word = judge(word, now_s, evidence)
        speaks = (
            (evidence is Evidence.HERE)
            if before.moved
            else evidence in (Evidence.ELSEWHERE, Evidence.UNMATCHED)
        )
        against_s += gap_s * speaks
        if word.moved is not before.moved:
            assert speaks
            assert against_s >= (LEAVE_S if before.moved else ENTER_S) - 1e-6
            against_s = 0.0


@given(st.booleans(), st.lists(st.floats(0.2, 4.0), min_size=100, max_size=150))
def test_evidence_that_does_not_end_flips_the_word_in_a_minute(moved: bool, gaps: list[float]) -> None:
    """And untellable looks never do."""
    word, still, now_s, flipped_s = Word(moved=moved), Word(moved=moved), 0.0, None
    for gap_s in gaps:
        now_s += gap_s
        word = judge(word, now_s, Evidence.HERE if moved else Evidence.UNMATCHED)
        still = judge(still, now_s, Evidence.UNTELLABLE)
        assert still.moved is moved
        if flipped_s is None and word.moved is not moved:
            flipped_s = now_s
    assert flipped_s is None or flipped_s <= 60.0
    assert flipped_s is not None or now_s < 60.0

"""Comparing a rendered scene with itself in other light, under other things, and seen by a turned camera."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np
import pytest

from edge.scene import Evidence, compare, field_of, reference_of, sketch
from models.scenes.camera import Camera
from models.scenes.site import background

CAMERA = Camera(width_px=320, height_px=180, focal_px=312.5)
LINE = np.array([(-70.0, 37.0), (-12.0, 34.4), (22.0, 33.6), (70.0, 35.6)])
#: 5 % of the picture's width
FIVE_PERCENT_DEG = 54.2 * 0.05


@functools.cache
def seen(yaw_deg: float = 0.0, tilt_deg: float = 0.0, seed: int = 7) -> np.ndarray:
    """The brightness of the scene as the camera sees it, (180, 320)."""
    camera = dataclasses.replace(CAMERA, yaw_deg=yaw_deg, pitch_down_deg=10.5 + tilt_deg)
    picture = np.clip(background(camera, LINE, seed=seed), 0, 255).astype(np.uint8)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def noisy(picture: np.ndarray, sigma: float = 2.0, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def says(picture: np.ndarray, *, comparable: bool = True) -> tuple[Evidence, tuple[float, float]]:
    found = compare(
        reference_of(sketch(noisy(seen()))), field_of(sketch(noisy(picture, seed=2))), comparable=comparable
    )
    return found.evidence, found.shift_px


def shifted(dx: float, dy: float = 0.0) -> np.ndarray:
    move = np.float32([[1, 0, dx], [0, 1, dy]])
    return cv2.warpAffine(seen(), move, (320, 180), borderMode=cv2.BORDER_REPLICATE)


def rain() -> np.ndarray:
    picture, rng = seen().copy(), np.random.default_rng(3)
    for x, y in rng.integers(0, (320, 180), (250, 2)):
        cv2.line(picture, (int(x), int(y)), (int(x) + 2, int(y) + 12), 210, 1)
    return picture


def headlights() -> np.ndarray:
    glow = np.zeros((180, 320), np.float32)
    for x in (120, 150):
        cv2.circle(glow, (x, 110), 22, 255, -1)
    return np.clip(seen() * 0.4 + cv2.GaussianBlur(glow, (0, 0), 12), 0, 255).astype(np.uint8)


def truck() -> np.ndarray:
    picture = seen().copy()
    picture[:, 160:] = np.kron(np.random.default_rng(4).integers(40, 200, (9, 8)), np.ones((20, 20)))
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        lambda: seen(),
        lambda: shifted(1.0, 1.0),
        lambda: shifted(-2.0, 2.0),
        rain,
        headlights,
        truck,
        lambda: (255 * (seen() / 255.0) ** 0.4).astype(np.uint8),
        lambda: (seen() * 0.35).astype(np.uint8),
        lambda: (255 - seen()),
    ],
    ids=["same", "shake 1 px", "shake 2 px", "rain", "headlights", "truck in half", "brighter", "dusk", "inverted"],
)  # fmt: skip
def test_the_same_scene_is_found_in_its_place(picture) -> None:
    """Weather, light, a truck and a shaking mast are no reason to void the survey."""
    assert says(picture())[0] is Evidence.HERE


@pytest.mark.parametrize(
    ("turned", "shift_px"),
    [
        (lambda: seen(yaw_deg=FIVE_PERCENT_DEG), (-8, 0)),
        (lambda: seen(yaw_deg=-FIVE_PERCENT_DEG), (8, 0)),
        (lambda: seen(yaw_deg=4 * FIVE_PERCENT_DEG), (-32, 0)),
        (lambda: seen(tilt_deg=FIVE_PERCENT_DEG), (0, -8)),
    ],
    ids=["5 % right", "5 % left", "20 % right", "5 % of the width down"],
)
def test_a_turned_camera_is_found_with_its_shift(turned, shift_px: tuple[int, int]) -> None:
    """A pan of a twentieth of the picture puts machines metres beside their true place."""
    evidence, shift = says(turned())
    assert evidence is Evidence.ELSEWHERE
    assert shift == pytest.approx(shift_px, abs=2.5)


def test_a_rolled_camera_is_found() -> None:
    """A mount that slipped by six degrees leaves the middle in place and the corners not."""
    roll = cv2.getRotationMatrix2D((160, 90), 6, 1)
    rolled = cv2.warpAffine(seen(), roll, (320, 180), borderMode=cv2.BORDER_REFLECT)
    assert says(rolled)[0] in (Evidence.ELSEWHERE, Evidence.UNMATCHED)


def test_another_scene_matches_nowhere() -> None:
    """A camera that looks the other way; in other light nobody can say so."""
    other = np.kron(np.random.default_rng(9).integers(30, 220, (9, 16)), np.ones((20, 20))).astype(np.uint8)
    assert says(other)[0] is Evidence.UNMATCHED
    assert says(other, comparable=False)[0] is Evidence.UNTELLABLE


@pytest.mark.parametrize(
    "picture", [lambda: np.full((180, 320), 6, np.uint8), lambda: (180 + 0.03 * seen()).astype(np.uint8)],
    ids=["night", "fog"],
)  # fmt: skip
def test_what_shows_nothing_says_nothing(picture) -> None:
    """Night and fog are no evidence, neither for nor against."""
    assert says(picture())[0] is Evidence.UNTELLABLE


def test_a_scene_without_structure_is_no_reference() -> None:
    """Nothing can be registered to a blank wall."""
    blank = reference_of(sketch(noisy(np.full((180, 320), 120, np.uint8), 0.5)))
    assert compare(blank, field_of(sketch(seen()))).evidence is Evidence.UNTELLABLE

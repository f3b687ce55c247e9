"""What light and weather do to a picture, laid over real footage: one seed, one course of events.

Each condition is made for a picture's size and gives, for a moment, the picture as a camera would show it then.
Small colour pictures, shape (h, w, 3) uint8, in; brightness planes, shape (h, w) uint8, out. They are harsher and
simpler than the sky: what they do not show is said where their figures are printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
Plane = NDArray[np.float32]
#: (brightness, whether the camera sees by infrared) at a moment
Shown = tuple[NDArray[np.uint8], bool]
Condition = Callable[[Bgr, float], Shown]


def made(name: str, seed: int, shape: tuple[int, int]) -> Condition:
    """The condition of that name for pictures of that shape (h, w)."""
    return CONDITIONS[name](np.random.default_rng([seed, sorted(CONDITIONS).index(name)]), shape)


def _grey(bgr: Bgr) -> Plane:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.float32)


def _seen(plane: Any, infrared: bool = False) -> Shown:
    return np.clip(plane, 0, 255).astype(np.uint8), infrared


def _noise(rng: np.random.Generator, shape: tuple[int, int], levels: float) -> Plane:
    return np.asarray(rng.standard_normal(shape, dtype=np.float32) * np.float32(levels))


def _as_filmed(_: np.random.Generator, __: tuple[int, int]) -> Condition:
    return lambda bgr, t: _seen(_grey(bgr))


def _exposure(rng: np.random.Generator, _: tuple[int, int]) -> Condition:
    """The camera's automatic exposure steps every 30 to 90 s, with another gamma each time."""
    at = np.cumsum(rng.uniform(30, 90, 400))
    gains, gammas = rng.uniform(0.6, 1.5, 401), rng.uniform(0.8, 1.25, 401)

    def show(bgr: Bgr, t: float) -> Shown:
        k = int(np.searchsorted(at, t))
        return _seen(255 * np.power(_grey(bgr) / 255 + 1e-6, gammas[k]) * gains[k])

    return show


def _clouds(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """Soft shadows of clouds drift over the scene."""
    field = cv2.GaussianBlur(
        rng.standard_normal((shape[0] * 2, shape[1] * 8)).astype(np.float32), (0, 0), shape[1] / 6
    )
    field = 0.75 + 0.25 * np.clip(field / field.std(), -1.2, 1.2)
    speed_px_s = rng.uniform(0.5, 2.0)

    def show(bgr: Bgr, t: float) -> Shown:
        x = int(speed_px_s * t) % (field.shape[1] - shape[1])
        return _seen(_grey(bgr) * field[: shape[0], x : x + shape[1]])

    return show


def _dusk(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """It gets dark within ten minutes, and noisier."""
    began = rng.uniform(120, 240)

    def show(bgr: Bgr, t: float) -> Shown:
        gain = 1.0 - 0.78 * min(1.0, max(0.0, (t - began) / 600))
        return _seen(_grey(bgr) * gain + 4 + _noise(rng, shape, 2.0 + 4.0 * (1.0 - gain)))

    return show


def _infrared(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """After five minutes the camera changes over to infrared, and after twelve back."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    lamp = 1.15 - 0.9 * (((x / shape[1] - 0.5) ** 2) * 2 + ((y / shape[0] - 0.6) ** 2) * 1.5)
    began, over = 300 + rng.uniform(0, 30), 720 + rng.uniform(0, 30)

    def show(bgr: Bgr, t: float) -> Shown:
        if not began <= t < over:
            return _seen(_grey(bgr))
        b, g, r = (bgr[..., i].astype(np.float32) for i in range(3))
        mixed = (1.1 * r + 0.7 * g - 0.8 * b) * 0.8 + 25  # leaves and cloth are bright in it
        return _seen(mixed * lamp + _noise(rng, shape, 5.0), t >= began + 3)

    return show


def _shadows(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """Hard shadows come with the sun, stay for minutes, and wander; then a cloud takes them."""
    height, width = shape
    shapes = []
    for _ in range(4):
        foot = rng.uniform((0, height * 0.3), (width, height))
        length, wide, lean = (
            rng.uniform(0.1, 0.5) * width,
            rng.uniform(0.015, 0.12) * width,
            rng.uniform(-1, 1),
        )
        shapes.append((foot, length, wide, lean))
    drift_px_s = rng.uniform(-1, 1) / 12
    deep = rng.uniform(0.4, 0.65)
    at = np.cumsum(rng.uniform(120, 420, 60))

    def show(bgr: Bgr, t: float) -> Shown:
        if int(np.searchsorted(at, t)) % 2 == 0:
            return _seen(_grey(bgr) * 0.8)
        shade = np.ones(shape, np.float32)
        for foot, length, wide, lean in shapes:
            tip = foot + np.array((length * (0.6 + lean * 0.2) + drift_px_s * t, -length * 0.25 * (1 + lean)))
            side = np.array([wide / 2, 0])
            cv2.fillPoly(
                shade, [np.array([foot - side, foot + side, tip + side, tip - side]).astype(np.int32)], deep
            )
        return _seen(_grey(bgr) * cv2.GaussianBlur(shade, (0, 0), 0.8))

    return show


def _rain(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """Streaks in every picture, less contrast, a flow of drops."""

    def show(bgr: Bgr, t: float) -> Shown:
        plane = _grey(bgr) * 0.75 + 30
        for _ in range(140):
            x, y, long = rng.integers(shape[1]), rng.integers(shape[0]), rng.integers(6, 16)
            cv2.line(plane, (int(x), int(y)), (int(x + 2), int(y + long)), float(rng.uniform(130, 230)), 1)
        return _seen(plane)

    return show


def _headlights(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """Night, with a lamp's cone on the ground in one picture of three; some stand for half a minute."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    spot = [rng.uniform(0, shape[1]), rng.uniform(0.4 * shape[0], shape[0]), 0.0]

    def show(bgr: Bgr, t: float) -> Shown:
        plane = _grey(bgr) * 0.3 + 8
        if t >= spot[2]:
            spot[:] = [
                rng.uniform(0, shape[1]),
                rng.uniform(0.4 * shape[0], shape[0]),
                t + (rng.uniform(15, 40) if rng.random() < 0.1 else 2),
            ]
            spot.append(0.0)
            del spot[3:]
            show.lit = rng.random() < 0.34  # type: ignore[attr-defined]
        if getattr(show, "lit", False):
            cone = np.exp(-(((x - spot[0]) / 30) ** 2) - ((y - spot[1]) / 10) ** 2)
            plane = plane * (1 + 4 * cone) + 60 * cone
        return _seen(plane + _noise(rng, shape, 4.0))

    return show


def _leaves(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """The upper half sways, each part by itself; gusts come and go."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    sways = np.clip(1.4 - 2.2 * y / shape[0], 0, 1)

    def show(bgr: Bgr, t: float) -> Shown:
        gust = 1.5 + 1.5 * math.sin(t / 37)
        small = [rng.standard_normal((6, 10)).astype(np.float32) for _ in range(2)]
        dx, dy = (
            cv2.resize(s, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC) * sways * gust for s in small
        )
        return _seen(cv2.remap(_grey(bgr), x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    return show


def _mast(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """The mast moves in the wind: the whole picture shakes by up to a pixel of 320, and leans for minutes."""

    def show(bgr: Bgr, t: float) -> Shown:
        lean = 0.6 * math.sin(t / 70)
        move = np.array([[1, 0, rng.normal(lean, 0.5)], [0, 1, rng.normal(0, 0.4)]], np.float32)
        return _seen(cv2.warpAffine(_grey(bgr), move, (shape[1], shape[0]), borderMode=cv2.BORDER_REPLICATE))

    return show


def _insects(rng: np.random.Generator, shape: tuple[int, int]) -> Condition:
    """A blurred insect sits on the lens for up to half a minute, then another."""
    state: dict[str, Any] = {"until": 0.0, "mask": None}

    def show(bgr: Bgr, t: float) -> Shown:
        if t >= state["until"]:
            mask = np.zeros(shape, np.float32)
            if rng.random() < 0.6:
                middle = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
                cv2.ellipse(mask, middle, (int(rng.integers(8, 30)), int(rng.integers(5, 14))), float(rng.uniform(0, 180)), 0, 360, 1.0, -1)  # fmt: skip
            state["mask"], state["until"] = cv2.GaussianBlur(mask, (0, 0), 3), t + rng.uniform(4, 30)
        return _seen(_grey(bgr) * (1 - 0.8 * state["mask"]))

    return show


CONDITIONS: Final[dict[str, Callable[[np.random.Generator, tuple[int, int]], Condition]]] = {
    "as_filmed": _as_filmed, "exposure": _exposure, "clouds": _clouds, "dusk": _dusk, "infrared": _infrared,
    "shadows": _shadows, "rain": _rain, "headlights": _headlights, "leaves": _leaves, "mast": _mast,
    "insects": _insects,
}  # fmt: skip

"""Machines and people cut out of labelled photographs and put, smaller, into others: far objects are what
real data lacks.

Decides how large one is where, and that a class goes only into pictures that are labelled in full and hold
none of it; whether a cut-out convinces is decided by `models.training.cutting`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from models.eval.dataset import LabelledPicture
from models.scenes.camera import Camera
from models.training import photographs
from models.training.cutting import KINDS, cut, may_be_cut
from models.training.photographs import Box, Labels, Made, Picture, Rng, Values

#: Cut-outs of a class that are enough.
MOST: Final = 90
#: Longer sides in pixels of what is put in, and the most that a cut-out may keep of its size.
SIZE_PX: Final = (14.0, 110.0)
SHRINKS_TO: Final = 0.85
#: Its foot lies at least so far below the horizon, as a share of the picture's height: nearer it stand trees.
FOOT_BELOW: Final = 0.06
#: Places that are tried for one.
TRIES: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """Something cut out."""

    class_name: str
    #: (h, w, 3) uint8, tight around it.
    bgr: Picture
    #: (h, w) 0 to 1.
    alpha: Values
    #: The picture it is from.
    source: LabelledPicture


def cut_all(
    pictures: Sequence[LabelledPicture],
    classes: frozenset[str],
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Cutout, ...]:
    """Convincing cut-outs of these classes, at most MOST of each, from pictures in an order drawn by `seed`.

    `progress` is told (pictures done, pictures).
    """
    found: dict[str, list[Cutout]] = {name: [] for name in KINDS if name in classes}
    order = np.random.default_rng(seed).permutation(len(pictures))
    for number, k in enumerate(order):
        wanted = frozenset(name for name, cuts in found.items() if len(cuts) < MOST)
        if wanted & set(pictures[k].class_names):
            for one in _cut_picture(pictures[k], wanted):
                found[one.class_name].append(one)
        if progress is not None:
            progress(number + 1, len(pictures))
    return tuple(cutout for cuts in found.values() for cutout in cuts)


def _cut_picture(picture: LabelledPicture, classes: frozenset[str]) -> Iterator[Cutout]:
    bgr = photographs.read(picture)
    labels = photographs.labels_px(picture, (bgr.shape[0], bgr.shape[1]))
    for number, (name, box) in enumerate(labels):
        others = labels[:number] + labels[number + 1 :]
        if name not in classes or not may_be_cut(box, others, bgr.shape):
            continue
        found = cut(bgr, box, name)
        if found is not None:
            yield Cutout(class_name=name, bgr=found[0], alpha=found[1], source=picture)


def pasted(
    count: int, seed: int, cutouts: Sequence[Cutout], backgrounds: Sequence[LabelledPicture]
) -> Iterator[Made]:
    """At most `count` pictures with one to four cut-outs in each; where no place is found, none is made.

    A class is drawn first, by its weight, then a picture that may hold it: roads take nothing but trucks and
    are many.
    """
    by_class = {name: [c for c in cutouts if c.class_name == name] for name in KINDS}
    places = {name: [b for b in backgrounds if may_hold(name, b)] for name in KINDS}
    names = [name for name in KINDS if by_class[name] and places[name]]
    if not names:
        return
    weights = np.array([KINDS[name].weight for name in names])
    for number in range(count):
        rng = np.random.default_rng((seed, number, 2))
        first = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        made = _paste_into(places[first][int(rng.integers(len(places[first])))], first, by_class, rng)
        if made is not None:
            yield made


def may_hold(name: str, background: LabelledPicture) -> bool:
    """Whether a class may be put into a picture: it is labelled in full there, and there is none."""
    return name in background.exhaustive and name not in background.class_names


def _paste_into(
    background: LabelledPicture, first: str, by_class: Mapping[str, list[Cutout]], rng: Rng
) -> Made | None:
    """One of class `first`, and others of any class that the picture may hold."""
    names = [name for name in KINDS if by_class[name] and may_hold(name, background)]
    bgr = photographs.read(background)
    canvas = bgr.astype(np.float32)
    labels = photographs.labels_px(background, (bgr.shape[0], bgr.shape[1]))
    own = len(labels)
    camera = photographs.perspective(labels, bgr, rng)
    if camera is None:
        return None
    ground = photographs.ground_share(bgr, labels)
    weights = np.array([KINDS[name].weight for name in names])
    for number in range(int(rng.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))):
        name = first if number == 0 else names[int(rng.choice(len(names), p=weights / weights.sum()))]
        cutout = by_class[name][int(rng.integers(len(by_class[name])))]
        if cutout.source.path == background.path:
            continue
        box = _paste_one(canvas, ground, cutout, labels, camera, rng)
        if box is not None:
            labels = (*labels, (name, box))
    if len(labels) == own:
        return None
    finished = photographs.finished(canvas, 0.6, rng)
    return Made(bgr=finished, objects=labels, background=background, added=tuple(range(own, len(labels))))


def _paste_one(
    canvas: Values, ground: Values, cutout: Cutout, labels: Labels, camera: Camera, rng: Rng
) -> Box | None:
    """Put it where its size is plausible and nothing labelled is covered; its box, or None without a place."""
    height, width = canvas.shape[:2]
    horizon, camera_m = photographs.horizon_px(camera), camera.position_enu_m[2]
    tall, wide = cutout.alpha.shape
    for _ in range(TRIES):
        size_px = float(np.exp(rng.uniform(math.log(SIZE_PX[0]), math.log(SIZE_PX[1]))))
        scale = size_px / max(tall, wide)
        if scale > SHRINKS_TO:
            continue
        height_px, width_px = max(4, round(tall * scale)), max(4, round(wide * scale))
        real_m = float(rng.uniform(*KINDS[cutout.class_name].height_m))
        foot = horizon + camera_m * height_px / real_m
        x0 = int(rng.uniform(0, max(1, width - width_px)))
        y1 = round(foot)
        y0 = y1 - height_px
        box = (float(x0), float(y0), float(x0 + width_px), float(y1))
        if (
            y0 < 0
            or y1 > height - 1
            or foot < horizon + FOOT_BELOW * height
            or not photographs.is_free(box, labels)
        ):
            continue
        if photographs.on_ground(ground, box):
            around = photographs.surroundings(canvas, box)
            return _blend(canvas, cutout, (x0, y0, width_px, height_px), around, rng)
    return None


def _blend(canvas: Values, cutout: Cutout, place: tuple[int, int, int, int], around: Values, rng: Rng) -> Box:
    """Lay it over the picture in place, in its place's light, with a shadow at its foot; its exact box."""
    x0, y0, width, height = place
    small = cv2.resize(cutout.alpha, (width, height), interpolation=cv2.INTER_AREA)
    # Colour times transparency, so that no rim of the old background comes along.
    thin = cv2.resize(
        cutout.bgr.astype(np.float32) * cutout.alpha[..., None], (width, height), interpolation=cv2.INTER_AREA
    )
    soft = float(rng.uniform(0.3, 0.65))
    alpha: Values = np.asarray(cv2.GaussianBlur(small, (0, 0), soft), dtype=np.float32)
    soft_colour = np.asarray(cv2.GaussianBlur(thin, (0, 0), soft), dtype=np.float32)
    colour = _in_light(soft_colour, alpha, around, rng)
    if rng.random() < 0.5:
        colour, alpha = colour[:, ::-1], alpha[:, ::-1]
    _shadow(canvas, place, rng)
    window = canvas[y0 : y0 + height, x0 : x0 + width]
    window *= 1 - alpha[..., None]
    window += colour
    rows, columns = np.flatnonzero((alpha > 0.3).any(axis=1)), np.flatnonzero((alpha > 0.3).any(axis=0))
    if not len(rows):
        return (float(x0), float(y0), float(x0 + width), float(y0 + height))
    return (
        float(x0 + columns[0]), float(y0 + rows[0]), float(x0 + columns[-1] + 1), float(y0 + rows[-1] + 1)
    )  # fmt: skip


def _in_light(colour: Values, alpha: Values, around: Values, rng: Rng) -> Values:
    """Brightness pulled half way to that of the place, and a little of its haze."""
    own = float((colour.mean(axis=2).sum() + 1) / (alpha.sum() + 1e-3))
    # What is dark by itself stays darker than the ground: half of the way only.
    gain = float(np.clip((float(np.median(around)) / max(own, 12.0)) ** 0.5, 0.3, 1.35)) * float(rng.uniform(0.92, 1.08))  # fmt: skip
    flat = float(rng.uniform(0.0, 0.18))
    mean = around.mean(axis=0)
    lit = np.minimum(colour * gain, 255 * alpha[..., None])
    return np.asarray(lit * (1 - flat) + mean * alpha[..., None] * flat, dtype=np.float32)


def _shadow(canvas: Values, place: tuple[int, int, int, int], rng: Rng) -> None:
    """A dark, soft ellipse under its foot."""
    x0, y0, width, height = place
    shade: Values = np.zeros(canvas.shape[:2], np.float32)
    middle = (int(x0 + width / 2 + rng.uniform(-0.12, 0.12) * width), int(y0 + height - 0.02 * height))
    axes = (max(2, int(0.5 * width)), max(1, int(0.07 * min(width, height)) + 1))
    cv2.ellipse(shade, middle, axes, 0, 0, 360, 1.0, -1)
    soft = np.asarray(cv2.GaussianBlur(shade, (0, 0), max(0.8, 0.04 * width)), dtype=np.float32)
    canvas *= (1 - np.float32(rng.uniform(0.2, 0.5)) * soft)[..., None]

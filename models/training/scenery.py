"""Rendered machines for training, on rendered sites or in photographs: places, poses, paint and light at
random, with exact boxes.

They add what photographs lack: the view from a mast, machines far off, cranes and drill rigs. Never
used to measure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.eval.dataset import LabelledPicture
from models.scenes import fleet, shade, site
from models.scenes.camera import Camera
from models.training import photographs, sites
from models.training.photographs import Box, Labels, Made
from models.training.sites import HEIGHT_PX, WIDTH_PX, Canvas, Rng

#: Pictures of one background: it takes most of the time.
PER_BACKGROUND = 4
#: A smaller machine can't be told from a bush, even by us: its longer and its shorter side.
SMALLEST_PX = (14.0, 6.0)
#: Far machines are what photographs lack: one whose longer side is k times this is drawn k**-1.5 as often.
SMALL_PX = 50.0
LARGEST_SHARE = 0.5
#: Places that are tried for a machine, and after how many another kind or another pose is.
TRIES = 90
TRIES_OF_KIND = 30
TRIES_OF_POSE = 10
#: How much of a machine must be seen past those before it and past the picture's edge.
SEEN_LEAST = 0.55
#: Machines stand at least so far from each other, metres.
APART_M = 7.0
#: Empty pictures among the rendered sites, and how many machines the others have.
EMPTY_SHARE = 0.08
CROWDS = ((1, 0.5), (2, 0.28), (3, 0.14), (4, 0.08))
#: Pixels of a solid's fine picture that are worth their time.
FINE_PIXELS = 900_000

Picture = NDArray[np.uint8]

__all__ = ["HEIGHT_PX", "WIDTH_PX", "on_photographs", "rendered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A machine's layer and how far off it stands."""

    class_name: str
    layer: shade.Layer
    away_m: float


def rendered(count: int, seed: int) -> Iterator[tuple[Picture, Labels]]:
    """`count` pictures, each (H, W, 3), of rendered sites with their machines' classes and boxes in pixels."""
    made = 0
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        camera = sites.camera(rng)
        ground = sites.ground(camera, rng)
        for _ in range(PER_BACKGROUND):
            if made == count:
                return
            made += 1
            yield _one(ground.copy(), camera, rng)


def on_photographs(count: int, seed: int, backgrounds: Sequence[LabelledPicture]) -> Iterator[Made]:
    """At most `count` photographs with rendered machines in them; where no place is found, none is made.

    Args:
        count: how many to try.
        seed: of all choices.
        backgrounds: pictures without machines (`photographs.without_machines`).
    """
    for number in range(count):
        rng = np.random.default_rng((seed, number, 1))
        picture = backgrounds[int(rng.integers(len(backgrounds)))]
        made = _in_photograph(picture, rng)
        if made is not None:
            yield made


def _one(picture: Canvas, camera: Camera, rng: Rng) -> tuple[Picture, Labels]:
    light = sites.light(rng)
    drawn: list[_Drawn] = []
    if rng.random() >= EMPTY_SHARE:
        sizes, shares = zip(*CROWDS, strict=True)
        for _ in range(int(rng.choice(sizes, p=shares))):
            drawn = _joined(drawn, _machine(camera, rng, light))
    boxes = _overlay(picture, [_hazy(d, 520.0) for d in drawn])
    tone = picture / 255 * rng.uniform(0.55, 1.1) * (1 + rng.normal(0, 0.04, 3))
    noise = rng.normal(0, rng.uniform(0.5, 4.0), picture.shape)
    return np.clip(255 * tone.clip(0, 1) ** rng.uniform(0.8, 1.3) + noise, 0, 255).astype(np.uint8), boxes


def _in_photograph(background: LabelledPicture, rng: Rng) -> Made | None:
    bgr = photographs.read(background)
    canvas = bgr.astype(np.float32)
    own = photographs.labels_px(background, bgr.shape[:2])
    camera = photographs.perspective(own, bgr, rng)
    if camera is None:
        return None
    light = sites.light(rng)
    ground = photographs.ground_share(bgr, own)
    drawn: list[_Drawn] = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
        found = _machine(
            camera,
            rng,
            light,
            lambda box: photographs.is_free(box, own) and photographs.on_ground(ground, box),
        )
        if found is not None and found.layer.bbox_px is not None:
            around = photographs.surroundings(canvas, found.layer.bbox_px)
            drawn = _joined(drawn, _matched(found, canvas, around, rng))
    if not drawn:
        return None
    boxes = _overlay(canvas, [_hazy(d, 900.0) for d in drawn])
    finished = photographs.finished(canvas, 0.6, rng)
    added = tuple(range(len(own), len(own) + len(boxes)))
    return Made(bgr=finished, objects=own + boxes, background=background, added=added)


def _machine(
    camera: Camera, rng: Rng, light: shade.Light, allowed: Callable[[Box], bool] = lambda box: True
) -> _Drawn | None:
    """A machine in view, large enough, mostly inside the picture and where it is allowed; None if no try finds a place."""
    model = fleet.machine(fleet.any_kind(rng), rng, 0.0, 0.0)
    for number in range(1, TRIES + 1):
        if number % TRIES_OF_KIND == 0:
            model = fleet.machine(fleet.any_kind(rng), rng, 0.0, 0.0)
        elif number % TRIES_OF_POSE == 0:
            model = fleet.machine(model.kind, rng, 0.0, 0.0)
        row = fleet.FLEET[model.kind]
        # More of them far than near, on a logarithmic scale.
        away_m = row.near_m * (row.far_m / row.near_m) ** float(rng.beta(1.8, 1.0))
        across = rng.uniform(-0.55, 0.55) * camera.width_px / camera.focal_px
        yaw = math.radians(camera.yaw_deg) + math.atan(across)
        east = camera.position_enu_m[0] + away_m * math.sin(yaw)
        north = camera.position_enu_m[1] + away_m * math.cos(yaw)
        machine = fleet.moved(model, east, north)
        box = _extent(machine, camera)
        if box is None or not _worth_drawing(box, camera, rng) or not allowed(box):
            continue
        # Behind the fields' trees only what is higher than they are is seen.
        hidden_m = float(rng.uniform(3.0, 6.0)) if away_m > site.TREES_M else 0.0
        layer = shade.draw(
            machine.placed, camera, light=light, rgb=machine.rgb, fine=_fineness(box), hidden_below_m=hidden_m
        )
        if layer is not None and _large_enough(layer.bbox_px):
            return _Drawn(class_name=machine.class_name, layer=layer, away_m=away_m)
    return None


def _extent(machine: fleet.Machine, camera: Camera) -> Box | None:
    """The box around all of a machine, seen or not; None if a part is behind the camera."""
    pixels, _ = camera.project(machine.placed.world_m.reshape(-1, 3))
    if not np.isfinite(pixels).all():
        return None
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    return (float(x0), float(y0), float(x1), float(y1))


def _worth_drawing(box: Box, camera: Camera, rng: Rng) -> bool:
    """Neither too small nor too large nor mostly outside; large ones less often."""
    wide = min(box[2], camera.width_px) - max(box[0], 0.0)
    tall = min(box[3], camera.height_px) - max(box[1], 0.0)
    whole = (box[2] - box[0]) * (box[3] - box[1])
    if (
        min(wide, tall) < SMALLEST_PX[1]
        or max(wide, tall) < SMALLEST_PX[0]
        or wide * tall < SEEN_LEAST * whole
    ):
        return False
    if wide * tall > LARGEST_SHARE * camera.width_px * camera.height_px:
        return False
    return bool(rng.random() < (SMALL_PX / max(wide, tall)) ** 1.5)


def _fineness(box: Box) -> int:
    """How finely to draw what fills a box, 2 to 4 pixels for each."""
    return int(np.clip(math.sqrt(FINE_PIXELS / max(1.0, (box[2] - box[0]) * (box[3] - box[1]))), 2, 4))


def _large_enough(box: Box | None) -> bool:
    if box is None:
        return False
    sides = sorted((box[2] - box[0], box[3] - box[1]))
    return sides[1] >= SMALLEST_PX[0] and sides[0] >= SMALLEST_PX[1]


def _joined(drawn: list[_Drawn], new: _Drawn | None) -> list[_Drawn]:
    """The machines with another one, from far to near, unless one would hide too much of another."""
    if new is None:
        return drawn
    together = sorted([*drawn, new], key=lambda d: -d.away_m)
    if any(abs(new.away_m - d.away_m) < APART_M and _touch(new, d) for d in drawn):
        return drawn
    seen = _seen(together)
    return together if min(share for share, _ in seen) >= SEEN_LEAST else drawn


def _touch(a: _Drawn, b: _Drawn) -> bool:
    assert a.layer.bbox_px is not None
    assert b.layer.bbox_px is not None
    return photographs.shared_area(a.layer.bbox_px, b.layer.bbox_px) > 0


def _seen(drawn: Sequence[_Drawn]) -> list[tuple[float, Box]]:
    """For machines from far to near: which share of each is seen past the nearer ones, and that part's box."""
    right = max(d.layer.corner_px[0] + d.layer.coverage.shape[1] for d in drawn)
    bottom = max(d.layer.corner_px[1] + d.layer.coverage.shape[0] for d in drawn)
    free = np.ones((bottom, right), dtype=np.float32)
    found: list[tuple[float, Box]] = []
    for one in reversed(drawn):
        (x0, y0), coverage = one.layer.corner_px, one.layer.coverage
        window = free[y0 : y0 + coverage.shape[0], x0 : x0 + coverage.shape[1]]
        left = coverage * window
        share = float(left.sum() / max(1e-6, float(coverage.sum())))
        assert one.layer.bbox_px is not None
        box = one.layer.bbox_px
        if share < 0.995:
            rows, columns = np.flatnonzero((left > 0.25).any(axis=1)), np.flatnonzero((left > 0.25).any(axis=0))  # fmt: skip
            if not len(rows):
                return [(0.0, box)]
            box = (
                max(box[0], float(x0 + columns[0])), max(box[1], float(y0 + rows[0])),
                min(box[2], float(x0 + columns[-1] + 1)), min(box[3], float(y0 + rows[-1] + 1)),
            )  # fmt: skip
        window *= 1 - coverage
        found.append((share, box))
    return found[::-1]


def _overlay(picture: Canvas, drawn: Sequence[_Drawn]) -> Labels:
    """Lay machines, from far to near, over the picture in place; their classes and boxes."""
    for one in drawn:
        shade.overlay(picture, one.layer)
    boxes = [box for _, box in _seen(drawn)] if drawn else []
    return tuple((one.class_name, box) for one, box in zip(drawn, boxes, strict=True))


def _changed(one: _Drawn, bgr: Canvas, coverage: Canvas, ground_light: Canvas) -> _Drawn:
    layer = shade.Layer(
        corner_px=one.layer.corner_px, bgr=bgr, coverage=coverage, ground_light=ground_light,
        bbox_px=one.layer.bbox_px, fully_in_view=one.layer.fully_in_view,
    )  # fmt: skip
    return _Drawn(class_name=one.class_name, layer=layer, away_m=one.away_m)


def _hazy(one: _Drawn, clear_m: float) -> _Drawn:
    """Air between the camera and the machine."""
    veil = np.float32(1 - math.exp(-one.away_m / clear_m))
    haze = (site.HAZE * one.layer.coverage[..., None]).astype(np.float32)
    return _changed(one, one.layer.bgr * (1 - veil) + haze * veil, one.layer.coverage, one.layer.ground_light)


def _matched(one: _Drawn, canvas: Canvas, around: Canvas, rng: Rng) -> _Drawn:
    """The machine in a photograph's light: as bright as its place, in its colour, as soft as its lens."""
    bright = float(np.clip(np.median(around) / 110, 0.3, 1.2)) * float(rng.uniform(0.9, 1.1))
    flat = np.float32(rng.uniform(0.0, 0.12))
    mean = around.mean(axis=0).astype(np.float32)
    coverage = one.layer.coverage
    bgr = one.layer.bgr * (bright * photographs.cast(canvas))
    bgr = np.minimum(bgr, 255.0 * coverage[..., None])
    bgr = bgr * (1 - flat) + mean * coverage[..., None] * flat
    soft = float(rng.uniform(0.25, 0.8))
    soft_bgr = cv2.GaussianBlur(bgr.astype(np.float32), (0, 0), soft)
    soft_coverage = cv2.GaussianBlur(coverage, (0, 0), soft)
    return _changed(
        one, soft_bgr.astype(np.float32), soft_coverage.astype(np.float32), one.layer.ground_light
    )

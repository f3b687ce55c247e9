"""What the detector makes of the truth: boxes that tremble, misses, inventions. All from the seed."""

from __future__ import annotations

import random

import msgspec

from edge.tracking import Raw
from tests.sim import scene
from tests.sim.story import Thing

#: share of pixels inside a box that change from look to look
MOTION = {"working": 0.05, "stopped": 0.002, "passing": 0.09}


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """How good the detector is."""

    tremble_px: float = 1.5
    missed: float = 0.03
    invented: float = 0.002
    confused: float = 0.02

    def detect(self, things: tuple[Thing, ...], rng: random.Random) -> tuple[Raw, ...]:
        """Boxes of one look."""
        found = [self._seen(thing, rng) for thing in things if rng.random() >= self.missed]
        if rng.random() < self.invented:
            found.append(_invention(rng))
        return tuple(found)

    def _seen(self, thing: Thing, rng: random.Random) -> Raw:
        x1, y1, x2, y2 = (side + rng.gauss(0.0, self.tremble_px) for side in thing.box)
        name = thing.class_name
        if name == "excavator" and rng.random() < self.confused:
            name = "truck"
        return Raw(class_name=name, score=min(0.99, max(0.2, rng.gauss(0.82, 0.08))), xyxy=(x1, y1, x2, y2))


def _invention(rng: random.Random) -> Raw:
    x, y = rng.uniform(0, scene.SIZE_PX[0] - 150), rng.uniform(0.4, 0.8) * scene.SIZE_PX[1]
    width, height = rng.uniform(30, 150), rng.uniform(40, 120)
    name = rng.choice(("excavator", "person", "truck"))
    return Raw(class_name=name, score=rng.uniform(0.3, 0.7), xyxy=(x, y, x + width, y + height))


def motion(things: tuple[Thing, ...], box: scene.Box, rng: random.Random) -> float:
    """Share of changed pixels in a tracked box: that of the thing that it shows, else a little noise."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for thing in things:
        if thing.box[0] <= x <= thing.box[2] and thing.box[1] <= y <= thing.box[3]:
            return MOTION[thing.activity] * rng.uniform(0.6, 1.4)
    return 0.004 * rng.random()

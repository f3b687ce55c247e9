"""How materials look: colour, gloss, and how much dirt they take. Light is `models.scenes.shade`'s matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scenes.mesh import Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a material shows."""

    #: Linear red, green, blue, 0 to 1.
    rgb: tuple[float, float, float]
    #: Strength of the sun's mirror image.
    gloss: float
    #: How much dirt it takes, 0 to 1.
    dirt: float


LOOKS: dict[Material, Look] = {
    Material.PAINT: Look(rgb=(0.80, 0.40, 0.022), gloss=0.35, dirt=0.30),
    Material.PAINT_DARK: Look(rgb=(0.055, 0.053, 0.05), gloss=0.12, dirt=0.25),
    Material.STEEL: Look(rgb=(0.14, 0.125, 0.105), gloss=0.25, dirt=0.35),
    Material.TRACK: Look(rgb=(0.075, 0.066, 0.056), gloss=0.15, dirt=0.3),
    Material.TRACK_SHADE: Look(rgb=(0.02, 0.018, 0.016), gloss=0.03, dirt=0.25),
    Material.GLASS: Look(rgb=(0.035, 0.05, 0.06), gloss=0.9, dirt=0.08),
    Material.BLACK: Look(rgb=(0.02, 0.02, 0.021), gloss=0.12, dirt=0.2),
    Material.CHROME: Look(rgb=(0.5, 0.5, 0.5), gloss=0.8, dirt=0.05),
    Material.DECAL: Look(rgb=(0.03, 0.03, 0.03), gloss=0.2, dirt=0.15),
    Material.SOIL: Look(rgb=(0.12, 0.075, 0.04), gloss=0.0, dirt=0.0),
    Material.ACCENT: Look(rgb=(0.7, 0.7, 0.68), gloss=0.3, dirt=0.25),
    Material.TYRE: Look(rgb=(0.03, 0.029, 0.028), gloss=0.05, dirt=0.4),
    Material.CONCRETE: Look(rgb=(0.4, 0.39, 0.36), gloss=0.05, dirt=0.2),
    Material.ROPE: Look(rgb=(0.05, 0.05, 0.05), gloss=0.1, dirt=0.05),
}
#: Gloss and dirt of all materials, by number.
GLOSS = np.array([LOOKS[m].gloss for m in Material])
DIRT = np.array([LOOKS[m].dirt for m in Material])
#: Of the dirt, and of the sky that glass mirrors, linear.
DIRT_RGB = np.array([0.23, 0.155, 0.09])
SKY_MIRROR_RGB = np.array([0.42, 0.52, 0.62])


def painted(colours: Mapping[Material, tuple[float, float, float]]) -> NDArray[np.float64]:
    """(materials, 3) linear colours of all materials, those of `colours` in place of the usual ones."""
    return np.array([colours.get(m, LOOKS[m].rgb) for m in Material])


USUAL_PAINT = painted({})

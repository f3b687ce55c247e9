"""A tower crane: lattice mast, jib and counter-jib, with a peak and tie bars or flat on top.

Decides geometry only; measures as makers publish them for cranes of 60 to 200 tonne metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scenes.machine_parts import cab, hook, parts, ropes
from models.scenes.mesh import Material, Mesh, beams, box, disc_up, truss
from models.scenes.rig import Frame, Part, at, turn


@dataclass(frozen=True, slots=True, kw_only=True)
class TowerCrane:
    """Stands on a block; only the jib turns."""

    mast_m: float = 32.0
    jib_m: float = 42.0
    counter_m: float = 12.0
    #: Anticlockwise from the mast's front, seen from above.
    slew_deg: float = 40.0
    #: Where the trolley stands along the jib, 0 to 1.
    trolley: float = 0.6
    hook_drop_m: float = 15.0
    peak: bool = True

    def parts(self) -> list[Part]:
        """In the frame of the ground under the mast."""
        upper: Frame = (turn(self.slew_deg), at(0.0, 0.0, self.mast_m))
        # Hooks count their drop from the ground's frame.
        trolley_m = 4.0 + self.trolley * (self.jib_m - 6.0)
        hanging = hook(at(trolley_m, 0.0, self.mast_m + 0.6), self.hook_drop_m, 1.1)
        built = parts([box((-2.4, -2.4, 0.0), (2.4, 2.4, 0.9), Material.CONCRETE), self._mast()])
        built += parts([*self._top(), *self._jibs(trolley_m)], upper)
        return built + parts(hanging, (turn(self.slew_deg), np.zeros(3)))

    def _mast(self) -> Mesh:
        bays = max(5, round(self.mast_m / 1.9))
        z = np.linspace(0.8, self.mast_m, bays + 1)
        corners = np.array([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)])
        rings = np.concatenate(
            [np.broadcast_to(corners, (bays + 1, 4, 2)), np.broadcast_to(z[:, None, None], (bays + 1, 4, 1))],
            axis=2,
        )
        return truss(rings, 0.11, 0.06, Material.PAINT)

    def _top(self) -> list[Mesh]:
        meshes = [
            disc_up((0.0, 0.0, 0.15), 1.2, 0.4, Material.PAINT_DARK),
            box((-1.0, -1.0, 0.3), (1.0, 1.0, 1.1), Material.PAINT),
            *cab((0.3, -2.4, -0.9), (2.1, -1.05, 1.2), 0.3),
        ]
        if self.peak:
            feet = np.array([(-0.9, -0.8, 1.0), (0.9, -0.8, 1.0), (0.9, 0.8, 1.0), (-0.9, 0.8, 1.0)])
            top = np.array([-0.1, 0.0, 7.0])
            rings = np.stack([feet + t * (top - feet) * 0.95 for t in np.linspace(0, 1, 5)])
            meshes.append(truss(rings, 0.1, 0.05, Material.PAINT))
            ties = [at(self.jib_m * 0.72, 0.0, 2.3), at(self.jib_m * 0.35, 0.0, 2.3), at(-self.counter_m * 0.9, 0.7, 1.2), at(-self.counter_m * 0.9, -0.7, 1.2)]  # fmt: skip
            meshes.append(ropes([top] * 4, ties, 0.05))
        return meshes

    def _jibs(self, trolley_m: float) -> list[Mesh]:
        bays = max(8, round(self.jib_m / 1.6))
        x = np.linspace(0.8, self.jib_m, bays + 1)
        height = np.linspace(1.5, 1.0, bays + 1)
        rings = np.stack(
            [
                np.stack([x, np.full_like(x, -0.6), np.full_like(x, 0.7)], axis=1),
                np.stack([x, np.full_like(x, 0.6), np.full_like(x, 0.7)], axis=1),
                np.stack([x, np.zeros_like(x), 0.7 + height], axis=1),
            ],
            axis=1,
        )
        back = -self.counter_m
        deck_from = [at(-0.8, y, 0.7) for y in (-0.7, 0.7)] + [at(-0.8, y, 1.7) for y in (-0.7, 0.7)]
        deck_to = [at(back, y, 0.7) for y in (-0.7, 0.7)] + [at(back, y, 1.7) for y in (-0.7, 0.7)]
        return [
            truss(rings, 0.085, 0.045, Material.PAINT),
            beams(np.array(deck_from), np.array(deck_to), 0.09, Material.PAINT),
            box((back, -0.7, 0.6), (-0.9, 0.7, 0.72), Material.STEEL),
            *[box((back + 0.2 + 0.75 * k, -0.6, -1.4), (back + 0.85 + 0.75 * k, 0.6, 1.5), Material.CONCRETE) for k in range(3)],
            box((back + 3.6, -0.55, 0.72), (back + 5.4, 0.55, 1.7), Material.PAINT_DARK),
            box((trolley_m - 0.8, -0.65, 0.35), (trolley_m + 0.8, 0.65, 0.65), Material.PAINT_DARK),
        ]  # fmt: skip

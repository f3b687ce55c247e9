"""The shapes of a 21-tonne crawler excavator's parts, each in its own frame.

Measures follow what makers publish for machines of this class (overall 9.5 m in transport, tracks
4.45 m by 3.0 m over the shoes, tail swing 2.85 m, cab 3.0 m high, boom 5.7 m, stick 2.9 m, bucket
about 1 m³); no maker's model is copied. How the parts hang together is `models.scenes.excavator`.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from models.scenes.mesh import Flat, Material, Mesh, box, disc, disc_up, join, rod, strip

TRACK_LENGTH_M = 4.45
TRACK_WIDTH_M = 3.0
SHOE_WIDTH_M = 0.6
TRACK_HEIGHT_M = 0.95
#: Distance from one grouser of the track to the next.
SHOE_PITCH_M = 0.2
BOOM_M = 5.7
STICK_M = 2.9


@lru_cache(maxsize=8)
def stretched_rod(radius: float, material: Material) -> Mesh:
    """Half of a hydraulic cylinder, to be stretched."""
    return rod(radius, material)


@lru_cache(maxsize=32)
def tracks(phase_m: float) -> Mesh:
    """Both track chains; `phase_m` moves the grousers along."""
    upper, lower = _chain_outline(phase_m, 1.0), _chain_outline(phase_m, -1.0)
    chains = []
    for y in (TRACK_WIDTH_M / 2 - SHOE_WIDTH_M, -TRACK_WIDTH_M / 2):
        chain = strip(upper, lower, y, y + SHOE_WIDTH_M, Material.TRACK)
        shade = chain.materials.copy()
        # strip() lists eight triangles a segment: right, left, top, bottom, two each.
        segment = np.arange(len(shade)) // 8
        side = np.arange(len(shade)) % 8 < 4
        shade[(segment % 2 == 0) | side] = int(Material.TRACK_SHADE)
        chains.append(Mesh(points=chain.points, triangles=chain.triangles, materials=shade))
    return join(chains)


def _chain_outline(phase_m: float, sign: float) -> list[Flat]:
    """Rear to front over (sign 1) or under (-1) the wheels, with grousers standing out by 3 cm."""
    radius = TRACK_HEIGHT_M / 2
    straight = TRACK_LENGTH_M - TRACK_HEIGHT_M
    quarter = math.pi * radius / 2
    total = 2 * quarter + straight
    outline = []
    for s in np.linspace(0.0, total, 49):
        raised = 0.03 if ((s - sign * phase_m) / SHOE_PITCH_M) % 1.0 < 0.5 else 0.0
        r = radius - 0.03 + raised
        if s < quarter:
            a = s / radius
            x, z = -straight / 2 - r * math.cos(a), r * math.sin(a)
        elif s < quarter + straight:
            x, z = -straight / 2 + (s - quarter), r
        else:
            a = (s - quarter - straight) / radius
            x, z = straight / 2 + r * math.sin(a), r * math.cos(a)
        outline.append((float(x), float(radius + sign * z)))
    return outline


@lru_cache(maxsize=1)
def undercarriage() -> Mesh:
    """Frame, wheels and slewing ring."""
    radius, reach = TRACK_HEIGHT_M / 2, (TRACK_LENGTH_M - TRACK_HEIGHT_M) / 2
    parts = [
        box((-1.2, -0.9, 0.35), (1.2, 0.9, 0.9), Material.PAINT_DARK),
        disc_up((0.0, 0.0, 0.985), 0.75, 0.17, Material.BLACK),
    ]
    for y in (TRACK_WIDTH_M / 2, -TRACK_WIDTH_M / 2):
        parts.append(box((-1.45, y - 0.02, 0.36), (1.45, y + 0.02, 0.64), Material.PAINT_DARK))
        parts.append(disc((-reach, y, radius), 0.37, 0.06, Material.STEEL))
        parts.append(disc((-reach, y, radius), 0.17, 0.12, Material.PAINT_DARK, sides=10))
        parts.append(disc((reach, y, radius), 0.35, 0.06, Material.STEEL))
        parts.append(disc((reach, y, radius), 0.12, 0.12, Material.BLACK, sides=8))
        parts += [disc((x, y, 0.2), 0.115, 0.05, Material.STEEL, sides=8) for x in np.linspace(-1.3, 1.3, 7)]
        parts += [disc((x, y, 0.77), 0.08, 0.05, Material.STEEL, sides=6) for x in (-0.6, 0.7)]
    return join(parts)


@lru_cache(maxsize=1)
def upper_structure() -> Mesh:
    """Deck, engine, counterweight, tank, cab and rails; turns on the slewing ring."""
    paint, dark, black, glass = Material.PAINT, Material.PAINT_DARK, Material.BLACK, Material.GLASS
    parts = [
        box((-2.5, -1.32, 1.05), (1.5, 1.32, 1.3), dark),
        # engine hood with vents, and the counterweight behind it
        strip(
            [(-2.3, 2.2), (-1.9, 2.3), (-0.35, 2.3)],
            [(-2.3, 1.3), (-1.9, 1.3), (-0.35, 1.3)],
            -1.3,
            1.3,
            paint,
        ),
        box((-1.75, -1.32, 1.5), (-1.15, 1.32, 2.1), black),
        box((-1.0, -1.31, 1.4), (-0.97, 1.31, 2.25), black),
        box((-1.6, -0.9, 2.3), (-0.6, 0.9, 2.42), dark),
        strip(
            [(-2.85, 1.9), (-2.72, 2.12), (-2.2, 2.18)],
            [(-2.85, 1.22), (-2.72, 1.06), (-2.2, 1.06)],
            -1.32,
            1.32,
            paint,
        ),
        box((-2.86, -0.75, 1.45), (-2.84, 0.75, 1.75), Material.DECAL),
        box((-1.4, -0.85, 2.3), (-1.25, -0.7, 2.85), black),
        # tank and tool box on the right, with steps
        box((-0.35, -1.3, 1.3), (0.75, -0.45, 2.0), paint),
        box((0.75, -1.3, 1.3), (1.45, -0.45, 1.65), paint),
        box((-0.2, -1.32, 1.45), (0.6, -1.3, 1.85), dark),
        box((0.12, -0.34, 1.3), (0.8, 0.3, 1.85), dark),
    ]
    return join([*parts, *_cab(paint, black, glass), *_rails()])


def _cab(paint: Material, black: Material, glass: Material) -> list[Mesh]:
    y0, y1 = 0.4, 1.34
    return [
        strip(
            [(-0.3, 1.95), (1.0, 1.95), (1.62, 1.95)], [(-0.3, 1.3), (1.0, 1.3), (1.62, 1.3)], y0, y1, paint
        ),
        strip(
            [(-0.3, 2.95), (1.0, 2.98), (1.62, 2.1)], [(-0.3, 1.95), (1.0, 1.95), (1.62, 1.95)], y0, y1, black
        ),
        strip([(-0.36, 3.06), (1.05, 3.06)], [(-0.36, 2.95), (1.05, 2.95)], y0 - 0.03, y1 + 0.03, paint),
        *[
            strip([(-0.18, 2.82), (0.42, 2.84)], [(-0.18, 1.98), (0.42, 1.98)], y - 0.01, y + 0.01, glass)
            for y in (y0, y1)
        ],
        *[
            strip(
                [(0.52, 2.84), (0.96, 2.86), (1.52, 2.08)],
                [(0.52, 1.6), (0.96, 1.5), (1.52, 1.5)],
                y - 0.01,
                y + 0.01,
                glass,
            )
            for y in (y0, y1)
        ],
        strip([(1.04, 2.96), (1.65, 2.12)], [(0.95, 2.88), (1.55, 2.04)], y0 + 0.07, y1 - 0.07, glass),
        box((1.6, y0 + 0.07, 1.5), (1.64, y1 - 0.07, 2.05), glass),
        box((-0.32, y0 + 0.1, 2.05), (-0.29, y1 - 0.1, 2.8), glass),
    ]


def _rails() -> list[Mesh]:
    steel = Material.BLACK
    return [
        box((-2.2, y - 0.02, 2.3 + z), (-0.5, y + 0.02, 2.34 + z), steel)
        for y in (-1.25, 1.25)
        for z in (0.2, 0.42)
    ] + [
        box((x, y - 0.02, 2.25), (x + 0.04, y + 0.02, 2.74), steel)
        for y in (-1.25, 1.25)
        for x in (-2.2, -1.3, -0.54)
    ]


@lru_cache(maxsize=1)
def boom() -> Mesh:
    """Gooseneck boom; x from its foot to its tip."""
    upper = [(-0.25, 0.2), (1.2, 0.72), (2.4, 1.18), (3.1, 1.14), (5.2, 0.34), (5.85, 0.2)]
    lower = [(-0.25, -0.2), (1.3, 0.12), (2.5, 0.42), (3.1, 0.46), (5.2, -0.1), (5.85, -0.2)]
    decal = [(3.2, 0.92), (4.9, 0.3)], [(3.2, 0.68), (4.9, 0.12)]
    return join(
        [
            strip(upper, lower, -0.25, 0.25, Material.PAINT),
            *[strip(decal[0], decal[1], y - 0.005, y + 0.005, Material.DECAL) for y in (-0.25, 0.25)],
            disc((BOOM_M, 0.0, 0.0), 0.16, 0.6, Material.STEEL, sides=8),
            box((2.4, -0.1, 1.1), (2.7, 0.1, 1.42), Material.PAINT),
            strip([(0.3, 0.55), (2.4, 1.27)], [(0.3, 0.48), (2.4, 1.2)], 0.1, 0.16, Material.BLACK),
        ]
    )


@lru_cache(maxsize=1)
def stick() -> Mesh:
    """Stick; x from the boom's tip to the bucket's pin, z outward."""
    upper = [(-0.9, 0.28), (-0.35, 0.46), (0.4, 0.4), (STICK_M, 0.16)]
    lower = [(-0.9, 0.05), (-0.25, -0.25), (0.4, -0.2), (STICK_M, -0.14)]
    return join(
        [
            strip(upper, lower, -0.19, 0.19, Material.PAINT),
            disc((STICK_M, 0.0, 0.0), 0.13, 0.5, Material.STEEL, sides=8),
            strip([(2.2, 0.2), (2.95, 0.5)], [(2.2, 0.05), (2.95, 0.38)], -0.24, 0.24, Material.BLACK),
        ]
    )


@lru_cache(maxsize=1)
def bucket() -> Mesh:
    """Bucket; x from its pin to its teeth, z outward, so its mouth looks back at the machine."""
    back = [(-0.18, 0.12), (0.05, 0.62), (0.5, 0.82), (0.95, 0.72), (1.3, 0.3)]
    mouth = [(-0.18, -0.14), (0.05, -0.16), (0.5, -0.08), (0.95, 0.02), (1.3, 0.16)]
    teeth = [
        strip([(1.22, 0.3), (1.48, 0.12)], [(1.22, 0.2), (1.48, 0.08)], y - 0.05, y + 0.05, Material.STEEL)
        for y in np.linspace(-0.52, 0.52, 5)
    ]
    body = strip(back, mouth, -0.6, 0.6, Material.BLACK)
    materials = body.materials.copy()
    # The mouth side (bottom of each of the segments) shows what it carries.
    materials[np.arange(len(materials)) % 8 >= 6] = int(Material.SOIL)
    return join([Mesh(points=body.points, triangles=body.triangles, materials=materials), *teeth])

"""All machines that we can draw, with their classes, and a random one of a kind: size, pose and paint.

Decides what varies and how far; the shapes are each machine's own file.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scenes import excavator
from models.scenes.crane import CrawlerCrane, MobileCrane
from models.scenes.drill_rig import DirectionalDrill, PilingRig, Tool
from models.scenes.loader import Bulldozer, WheelLoader
from models.scenes.looks import painted
from models.scenes.mesh import Material
from models.scenes.rig import Frame, Part, Placed, after, assemble, heading
from models.scenes.roller import Roller
from models.scenes.tower_crane import TowerCrane

Rng = np.random.Generator
Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that stands somewhere."""

    kind: str
    #: The detector's class.
    class_name: str
    placed: Placed
    #: (materials, 3) linear colours.
    rgb: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A row of `FLEET`."""

    class_name: str
    #: Its parts around the origin, x forward.
    build: Callable[[Rng], list[Part]]
    #: How often among all.
    weight: float
    #: Distances in metres at which a camera sees it as a machine and not as a dot or a wall.
    near_m: float
    far_m: float


def _excavator(rng: Rng) -> list[Part]:
    slew = float(rng.choice([0.0, rng.uniform(-180, 180)]))
    pose = excavator.Pose(
        east_m=0.0, north_m=0.0, heading_deg=90.0, slew_deg=slew, boom_deg=float(rng.uniform(10, 58)),
        stick_deg=float(rng.uniform(-115, -45)), bucket_deg=float(rng.uniform(-175, -60)),
        track_m=float(rng.uniform(0, 0.15)),
    )  # fmt: skip
    # From a six-tonne machine to one of fifty tonnes.
    return _scaled(excavator.parts_of(pose), float(rng.choice([rng.uniform(0.6, 0.8), rng.uniform(0.9, 1.3)], p=[0.3, 0.7])))  # fmt: skip


def _scaled(built: list[Part], size: float) -> list[Part]:
    return [(mesh, (size * frame[0], size * frame[1])) for mesh, frame in built]


def _mobile_crane(rng: Rng) -> list[Part]:
    boom_m = float(rng.uniform(12, 46))
    stowed = rng.random() < 0.2
    return MobileCrane(
        axles=int(rng.integers(2, 6)), slew_deg=float(rng.uniform(-180, 180)),
        boom_deg=0.0 if stowed else float(rng.uniform(18, 78)), boom_m=boom_m,
        hook_drop_m=float(rng.uniform(0.1, 0.9)) * boom_m, outriggers=bool(rng.random() < 0.85),
    ).parts()  # fmt: skip


def _crawler_crane(rng: Rng) -> list[Part]:
    boom_m = float(rng.uniform(15, 55))
    return CrawlerCrane(
        size=float(rng.uniform(0.75, 1.4)), slew_deg=float(rng.uniform(-180, 180)),
        boom_deg=float(rng.uniform(35, 80)), boom_m=boom_m, hook_drop_m=float(rng.uniform(0.1, 0.9)) * boom_m,
    ).parts()  # fmt: skip


def _tower_crane(rng: Rng) -> list[Part]:
    mast_m = float(rng.uniform(16, 48))
    return TowerCrane(
        mast_m=mast_m, jib_m=float(rng.uniform(24, 60)), counter_m=float(rng.uniform(8, 15)),
        slew_deg=float(rng.uniform(-180, 180)), trolley=float(rng.random()),
        hook_drop_m=float(rng.uniform(0.1, 0.85)) * mast_m, peak=bool(rng.random() < 0.65),
    ).parts()  # fmt: skip


def _piling_rig(rng: Rng) -> list[Part]:
    size = float(rng.choice([rng.uniform(0.42, 0.6), rng.uniform(0.8, 1.25)], p=[0.35, 0.65]))
    tools: tuple[Tool, ...] = ("kelly", "auger", "hammer")
    return PilingRig(
        size=size, slew_deg=float(rng.choice([0.0, rng.uniform(-180, 180)])),
        mast_m=size * float(rng.uniform(13, 25)),
        lean_deg=float(rng.choice([0.0, rng.uniform(-4, 12), rng.uniform(50, 85)], p=[0.6, 0.32, 0.08])),
        drive=float(rng.random()), tool=tools[int(rng.choice(3, p=[0.55, 0.25, 0.2]))],
        lattice_mast=bool(rng.random() < 0.2),
    ).parts()  # fmt: skip


def _directional_drill(rng: Rng) -> list[Part]:
    size = float(rng.uniform(0.75, 1.35))
    return DirectionalDrill(
        size=size, frame_deg=float(rng.uniform(9, 19)), frame_m=size * float(rng.uniform(6.0, 9.0)),
        carriage=float(rng.random()), has_cab=bool(rng.random() < 0.7),
    ).parts()  # fmt: skip


def _roller(rng: Rng) -> list[Part]:
    tandem = bool(rng.random() < 0.35)
    return Roller(
        size=float(rng.uniform(0.75, 1.15)), bend_deg=float(rng.choice([0.0, rng.uniform(-28, 28)])), tandem=tandem,
        closed=bool(rng.random() < (0.25 if tandem else 0.65)), padfoot=bool(rng.random() < 0.25),
    ).parts()  # fmt: skip


def _wheel_loader(rng: Rng) -> list[Part]:
    arms = float(rng.uniform(-32, 45))
    return WheelLoader(
        size=float(rng.uniform(0.65, 1.3)), bend_deg=float(rng.choice([0.0, rng.uniform(-35, 35)])), arms_deg=arms,
        bucket_deg=float(rng.choice([rng.uniform(-5, 50), rng.uniform(-50, 0)], p=[0.75, 0.25])),
    ).parts()  # fmt: skip


def _bulldozer(rng: Rng) -> list[Part]:
    return Bulldozer(
        size=float(rng.uniform(0.7, 1.4)), blade_lift_m=float(rng.uniform(0.0, 0.7)),
        blade_turn_deg=float(rng.choice([0.0, rng.uniform(-22, 22)])), ripper=bool(rng.random() < 0.6),
    ).parts()  # fmt: skip


FLEET: Final[Mapping[str, Kind]] = MappingProxyType({
    "excavator": Kind(class_name="excavator", build=_excavator, weight=4.0, near_m=9.0, far_m=125.0),
    "mobile_crane": Kind(class_name="crane", build=_mobile_crane, weight=2.0, near_m=22.0, far_m=170.0),
    "crawler_crane": Kind(class_name="crane", build=_crawler_crane, weight=1.5, near_m=28.0, far_m=220.0),
    "tower_crane": Kind(class_name="crane", build=_tower_crane, weight=1.5, near_m=45.0, far_m=320.0),
    "piling_rig": Kind(class_name="drill_rig", build=_piling_rig, weight=2.5, near_m=18.0, far_m=150.0),
    "directional_drill": Kind(class_name="drill_rig", build=_directional_drill, weight=1.5, near_m=10.0, far_m=90.0),
    "roller": Kind(class_name="loader", build=_roller, weight=1.5, near_m=9.0, far_m=90.0),
    "wheel_loader": Kind(class_name="loader", build=_wheel_loader, weight=1.5, near_m=10.0, far_m=110.0),
    "bulldozer": Kind(class_name="loader", build=_bulldozer, weight=1.5, near_m=10.0, far_m=110.0),
})  # fmt: skip

#: Makers' liveries, sRGB hue in degrees, saturation, value: yellow, orange, red, blue, green, white, grey.
PAINTS_HSV: Final = (
    (46.0, 0.92, 0.95, 5.0), (38.0, 0.95, 0.93, 4.0), (25.0, 0.92, 0.92, 2.5), (5.0, 0.85, 0.75, 1.5),
    (212.0, 0.75, 0.62, 1.0), (150.0, 0.65, 0.55, 0.8), (60.0, 0.05, 0.92, 1.5), (210.0, 0.06, 0.6, 0.6),
)  # fmt: skip


def any_kind(rng: Rng) -> str:
    """A kind by the weights of `FLEET`."""
    weights = np.array([kind.weight for kind in FLEET.values()])
    return str(rng.choice(list(FLEET), p=weights / weights.sum()))


def machine(kind: str, rng: Rng, east_m: float, north_m: float, heading_deg: float | None = None) -> Machine:
    """A machine of this kind in a random size, pose and paint, standing there."""
    row = FLEET[kind]
    facing = float(rng.uniform(0, 360)) if heading_deg is None else heading_deg
    there: Frame = (heading(facing), np.array([east_m, north_m, 0.0]))
    placed = assemble([(mesh, after(there, frame)) for mesh, frame in row.build(rng)])
    return Machine(kind=kind, class_name=row.class_name, placed=placed, rgb=livery(rng))


def moved(machine: Machine, east_m: float, north_m: float) -> Machine:
    """The same machine, pose and paint so much further east and north."""
    placed = Placed(
        world_m=machine.placed.world_m + np.array([east_m, north_m, 0.0]),
        local_m=machine.placed.local_m,
        materials=machine.placed.materials,
    )
    return replace(machine, placed=placed)


def livery(rng: Rng) -> NDArray[np.float64]:
    """Colours of a maker, faded more or less; the second colour is white, dark, red or the first again."""
    weights = np.array([row[3] for row in PAINTS_HSV])
    first = _shade(PAINTS_HSV[int(rng.choice(len(PAINTS_HSV), p=weights / weights.sum()))], rng)
    light, dark = _shade((60.0, 0.04, 0.88, 0.0), rng), _shade((30.0, 0.1, 0.25, 0.0), rng)
    red = _shade((4.0, 0.85, 0.72, 0.0), rng)
    second = (first, light, red, dark)[int(rng.choice(4, p=[0.5, 0.2, 0.15, 0.15]))]
    under = dark if rng.random() < 0.6 else _shade((0.0, 0.0, 0.38, 0.0), rng)
    return painted({Material.PAINT: first, Material.ACCENT: second, Material.PAINT_DARK: under})


def _shade(hsv: tuple[float, float, float, float], rng: Rng) -> Rgb:
    """One of many coats of the same paint, linear."""
    hue = (hsv[0] + rng.normal(0, 3)) % 360
    faded = rng.uniform(0, 0.3)
    rgb = colorsys.hsv_to_rgb(hue / 360, hsv[1] * (1 - faded), min(1.0, max(0.05, hsv[2] * rng.uniform(0.8, 1.05))))  # fmt: skip
    return (rgb[0] ** 2.2, rgb[1] ** 2.2, rgb[2] ** 2.2)

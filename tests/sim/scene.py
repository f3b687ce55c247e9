"""The made-up place: a pipeline, its HCAs, three cameras, one edge, two teams; and what a camera makes of a thing.

Pinhole projection of boxes that stand on the ground, nothing drawn. Ground points are what the lens itself
says, as a perfect survey would; where things truly stand is `story.py`'s matter.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from models.scenes.camera import Camera as Lens
from monitor.domain.assets import Camera, City, Edge, GroundPoint, Hca, Member, PictureZone, Pipeline, Team
from monitor.domain.geometry import LocalFrame
from monitor.domain.levels import HcaGrade

Box = tuple[float, float, float, float]

EDGE: Final = "edge-sim"
FIELD, PATH, TREES = "cam-field", "cam-path", "cam-trees"
FIELD_SITE, PATH_SITE, TREES_SITE = "hca-field", "hca-path", "hca-trees"
OFFICERS: Final = ("lin", "wang", "zhao")
#: where the field camera stands, and the plane of the story
PLACE: Final = LocalFrame((121.6, 29.9))
#: the centreline runs east, so far north of the camera
LINE_NORTH_M: Final = 40.0
LENS: Final = Lens()
SIZE_PX: Final = (LENS.width_px, LENS.height_px)
STRIP_PX: Final = ((400.0, 420.0), (640.0, 420.0), (640.0, 600.0), (400.0, 600.0))

#: length across the view, depth and height of what can be seen, in metres
BULK: Final = {"excavator": (4.45, 3.0, 3.1), "truck": (8.0, 2.5, 3.2), "person": (0.5, 0.5, 1.7)}


def _survey() -> tuple[GroundPoint, ...]:
    spots = [
        (e, n) for n in (24.0, 32.0, 40.0, 52.0, 66.0) for e in (-0.36 * n, -0.12 * n, 0.12 * n, 0.36 * n)
    ]
    pixels, _ = LENS.project(np.array([(e, n, 0.0) for e, n in spots]))
    return tuple(
        GroundPoint(pixel=(round(float(x), 2), round(float(y), 2)), lonlat=PLACE.to_lonlat(spot))
        for (x, y), spot in zip(pixels, spots, strict=True)
    )


def make_city() -> City:
    """The configuration that edge and centre share."""

    def named(text: str) -> dict[str, str]:
        return {"en": text, "zh": text}

    line = tuple(PLACE.to_lonlat((float(e), LINE_NORTH_M)) for e in (-3000, -500, 0, 500, 3000))
    cameras = (
        Camera(camera_id=FIELD, edge_id=EDGE, site_id=FIELD_SITE, name=named("Field"), source="field.mp4",
               footage="simulated", position=PLACE.origin, frame_size_px=SIZE_PX, ground_points=_survey(),
               calibration_version="c1", looks_per_s=5.0),
        Camera(camera_id=PATH, edge_id=EDGE, site_id=PATH_SITE, name=named("Path"), source="path.mp4",
               footage="simulated", frame_size_px=SIZE_PX, looks_per_s=5.0,
               zones=(PictureZone(zone_id="strip", kind="on_pipe", polygon_px=STRIP_PX),)),
        Camera(camera_id=TREES, edge_id=EDGE, site_id=TREES_SITE, name=named("Trees"), source="trees.mp4",
               footage="simulated", frame_size_px=SIZE_PX, looks_per_s=2.0),
    )  # fmt: skip
    return City(
        name=named("Simville"),
        made_up=True,
        pipelines=(Pipeline(pipeline_id="p-sim", name=named("Sim line"), centreline=line),),
        hcas=(
            Hca(site_id=FIELD_SITE, pipeline_id="p-sim", name=named("F"), grade=HcaGrade.III, from_m=2500, to_m=3500),
            Hca(site_id=PATH_SITE, pipeline_id="p-sim", name=named("P"), grade=HcaGrade.I, from_m=1000, to_m=2000),
            Hca(site_id=TREES_SITE, pipeline_id="p-sim", name=named("T"), grade=HcaGrade.II, from_m=4000, to_m=5000),
        ),
        edges=(Edge(edge_id=EDGE, name=named("Sim edge")),),
        cameras=cameras,
        teams=(
            Team(team_id="east", name=named("East"), lead=OFFICERS[0], on_call=OFFICERS[:1], base=PLACE.to_lonlat((6000.0, 0.0)),
                 members=tuple(Member(user=u, name=named(u), role="officer") for u in OFFICERS[:2])),
            Team(team_id="west", name=named("West"), base=PLACE.to_lonlat((-15000.0, 0.0)),
                 members=tuple(Member(user=u, name=named(u), role="officer") for u in OFFICERS[2:])),
        ),
    )  # fmt: skip


def box_of(class_name: str, east_m: float, north_m: float, reach_m: float = 0.0) -> Box | None:
    """The box of a thing whose footprint's middle stands there; `reach_m`: how far an arm reaches to one side.

    None if it is out of the picture.
    """
    length, depth, height = BULK[class_name]
    corners = [
        (east_m + x * length / 2, north_m + y * depth / 2, z)
        for x in (-1, 1) for y in (-1, 1) for z in (0.0, height)
    ]  # fmt: skip
    if reach_m:
        corners += [(east_m + length / 2 + reach_m, north_m, z) for z in (1.0, height)]
    pixels, depth_m = LENS.project(np.array(corners))
    if (depth_m <= 1.0).any():
        return None
    (x1, y1), (x2, y2) = pixels.min(axis=0), pixels.max(axis=0)
    x1, x2 = max(0.0, float(x1)), min(float(SIZE_PX[0]), float(x2))
    y1, y2 = max(0.0, float(y1)), min(float(SIZE_PX[1]), float(y2))
    return None if x2 - x1 < 8 or y2 - y1 < 8 or math.isnan(x1 + y1) else (x1, y1, x2, y2)

"""Pictures made for training: labels that lie where the machines are, the same under the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from models.scenes import fleet, shade
from models.scenes.camera import Camera
from models.scenes.fleet import FLEET
from models.scenes.mesh import Material, Mesh, beams, disc_up
from models.training.photographs import Labels, Picture
from models.training.scenery import HEIGHT_PX, WIDTH_PX, rendered

Rendered = list[tuple[Picture, Labels]]


@pytest.fixture(scope="module")
def made() -> Rendered:
    """Eight pictures of two sites."""
    return list(rendered(8, seed=3))


def test_rendered_pictures_are_the_same_each_time(made: Rendered) -> None:
    """A run that was cut off goes on with the same pictures; another seed gives others."""
    for (picture, objects), (again, same) in zip(made[:4], rendered(4, seed=3), strict=True):
        assert objects == same
        assert np.array_equal(picture, again)
    other, _ = next(rendered(1, seed=4))
    assert not np.array_equal(other, made[0][0])


def test_rendered_boxes_lie_in_the_picture(made: Rendered) -> None:
    """Every label is one of our classes and inside the picture; most pictures have one, some several."""
    classes = {kind.class_name for kind in FLEET.values()}
    for picture, objects in made:
        assert picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
        for name, box in objects:
            assert name in classes
            assert 0 <= box[0] < box[2] <= WIDTH_PX
            assert 0 <= box[1] < box[3] <= HEIGHT_PX
    assert sum(len(objects) for _, objects in made) >= 8


@pytest.mark.parametrize("kind", sorted(FLEET))
def test_a_machine_fills_its_box(kind: str) -> None:
    """What the machine changes of a picture lies in its box and reaches all four sides of it, shadow apart."""
    rng = np.random.default_rng(11)
    machine = fleet.machine(kind, rng, 3.0, 130.0)
    camera = Camera(
        width_px=640, height_px=360, focal_px=400.0, position_enu_m=(0.0, 0.0, 12.0), pitch_down_deg=0.0
    )
    layer = shade.draw(machine.placed, camera, rgb=machine.rgb, fine=3)
    assert layer is not None
    assert layer.bbox_px is not None
    picture = np.full((360, 640, 3), 117.0, dtype=np.float32)
    bare = shade.Layer(
        corner_px=layer.corner_px, bgr=layer.bgr, coverage=layer.coverage,
        ground_light=np.ones_like(layer.ground_light), bbox_px=layer.bbox_px, fully_in_view=True,
    )  # fmt: skip
    shade.overlay(picture, bare)
    rows, columns = np.nonzero(np.abs(picture - 117.0).max(axis=2) > 0.01)
    extent = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert extent == pytest.approx(layer.bbox_px, abs=1.01)
    assert layer.fully_in_view


@pytest.mark.parametrize("kind", sorted(FLEET))
def test_a_machine_stands_on_the_ground(kind: str) -> None:
    """No machine floats: its lowest point is the ground, within 15 cm, for many sizes and poses."""
    for seed in range(12):
        machine = fleet.machine(kind, np.random.default_rng(seed), 0.0, 0.0)
        lowest = float(machine.placed.world_m[..., 2].min())
        assert lowest < 0.15, seed
        # Tracks, tyres and drums don't sink in; a bucket or a drill may.
        assert np.isfinite(machine.placed.world_m).all()
        assert machine.placed.world_m[..., 2].max() > 1.5, seed


@pytest.mark.parametrize(
    "mesh",
    [
        beams(np.zeros((1, 3)), np.array([[1.0, 2.0, 3.0]]), 0.1, Material.STEEL),
        beams(np.zeros((1, 3)), np.array([[0.0, 0.0, 3.0]]), 0.1, Material.STEEL),
        disc_up((1.0, 2.0, 3.0), 0.5, 0.2, Material.STEEL),
    ],
    ids=["slanted", "upright", "plate"],
)
def test_solids_are_closed_and_face_outwards(mesh: Mesh) -> None:
    """Every edge is gone along once each way, and the volume is positive: no face is missing or turned inside."""
    edges = {(int(t[k]), int(t[(k + 1) % 3])) for t in mesh.triangles for k in range(3)}
    # Points may be doubled where parts meet: edges go by place.
    place = [tuple(np.round(p, 6)) for p in mesh.points]
    by_place = {(place[a], place[b]) for a, b in edges if place[a] != place[b]}
    assert all((b, a) in by_place for a, b in by_place)
    corners = mesh.corners()
    assert np.einsum("tk,tk->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0


def test_machines_face_outwards() -> None:
    """Triangles wind the same way all over: a solid's volume by its faces comes out positive."""
    for kind in FLEET:
        corners = fleet.machine(kind, np.random.default_rng(1), 0.0, 0.0).placed.world_m
        volume = np.einsum("tk,tk->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
        assert volume > 1.0, kind

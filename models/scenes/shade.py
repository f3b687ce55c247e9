"""Light and colour for solids: sun, sky, own shadows, dirt; and the shadow that they cast on the ground.

Takes placed triangles and a camera, gives a small picture with transparency to lay over the
background. Deterministic: the dirt comes from one fixed noise. Geometry is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.camera import Camera
from models.scenes.looks import DIRT, DIRT_RGB, GLOSS, SKY_MIRROR_RGB, USUAL_PAINT
from models.scenes.mesh import Material
from models.scenes.raster import rasterise
from models.scenes.rig import Placed

#: Pixels of the solid's picture per pixel of the frame, each way, averaged at the end.
SUPERSAMPLING = 2
#: Towards the sun, ENU: a clear morning in the south-east, 42 degrees high, behind the camera's right shoulder.
SUN = np.array([0.52, -0.53, 0.67]) / np.linalg.norm([0.52, -0.53, 0.67])
SUN_LIGHT = np.array([1.0, 0.93, 0.82]) * 1.15
SKY_LIGHT = np.array([0.62, 0.72, 0.9]) * 0.42
#: Light that the ground throws back, from below.
GROUND_LIGHT = np.array([0.36, 0.34, 0.22]) * 0.35
#: How much of the ground's brightness stays in the shadow.
SHADOW_LEFT = 0.42
#: Cells of the sun's own view, metres.
SHADOW_CELL_M = 0.05
SHADOW_BIAS_M = 0.08
#: More of them in one direction are not worth their time.
SHADOW_CELLS_MOST = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Sun and sky; as it stands, a clear morning."""

    #: (3,) unit vector towards the sun, ENU.
    sun: NDArray[np.float64] = field(default_factory=lambda: SUN)
    #: (3,) linear red, green, blue.
    sun_rgb: NDArray[np.float64] = field(default_factory=lambda: SUN_LIGHT)
    sky_rgb: NDArray[np.float64] = field(default_factory=lambda: SKY_LIGHT)
    ground_rgb: NDArray[np.float64] = field(default_factory=lambda: GROUND_LIGHT)
    #: How much of the ground's brightness stays in the shadow.
    shadow_left: float = SHADOW_LEFT


CLEAR_MORNING = Light()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A solid drawn for one camera: lay it over the background at its corner."""

    #: Left and top in frame pixels.
    corner_px: tuple[int, int]
    #: (h, w, 3) sRGB values 0 to 255, blue-green-red, times coverage.
    bgr: NDArray[np.float32]
    #: (h, w) how much of the pixel it covers, 0 to 1.
    coverage: NDArray[np.float32]
    #: (h, w) factor on the background for its shadow, 0 to 1.
    ground_light: NDArray[np.float32]
    #: Left, top, right, bottom in frame pixels of what is visible of the solid, clipped to the frame; None if nothing is.
    bbox_px: tuple[float, float, float, float] | None
    #: Whether the frame's edge cuts nothing off.
    fully_in_view: bool


def draw(
    placed: Placed,
    camera: Camera,
    *,
    light: Light = CLEAR_MORNING,
    rgb: NDArray[np.float64] = USUAL_PAINT,
    fine: int = SUPERSAMPLING,
    hidden_below_m: float = 0.0,
) -> Layer | None:
    """Draw a solid; None if neither it nor its shadow touches the picture.

    Args:
        placed: the solid.
        camera: who looks.
        light: sun and sky.
        rgb: (materials, 3) linear colours, of `painted`.
        fine: pixels of the solid's picture per pixel of the frame, each way.
        hidden_below_m: what lies lower is hidden: by the ground, or by whatever stands before it.
    """
    tint = _Sunlit(placed, light)
    shadow_points = _on_ground_from_sun(placed.world_m.reshape(-1, 3), light.sun)
    window = _window(camera, placed.world_m.reshape(-1, 3), shadow_points)
    if window is None:
        return None
    x0, y0, x1, y1 = window
    size_hw = ((y1 - y0) * fine, (x1 - x0) * fine)
    pixels, depth = camera.project(placed.world_m.reshape(-1, 3))
    corners = ((pixels - np.array([x0, y0])) * fine).reshape(-1, 3, 2)
    eye = np.array(camera.position_enu_m)
    facing = np.einsum("tk,tk->t", tint.normals, eye - placed.world_m[:, 0]) > 0
    hits = rasterise(corners, 1.0 / depth.reshape(-1, 3), facing, size_hw)

    rows, columns = np.nonzero(hits.triangle >= 0)
    direction = camera.rays(np.stack([(columns + 0.5) / fine + x0, (rows + 0.5) / fine + y0], axis=-1))
    surface = eye + direction / hits.nearness[rows, columns][:, None]
    above = surface[:, 2] >= hidden_below_m  # what is dug in is hidden by the ground
    rows, columns = rows[above], columns[above]
    seen = _light(placed, tint, rgb, hits.triangle[rows, columns], surface[above], direction[above])
    visible = np.zeros(size_hw, dtype=np.bool_)
    visible[rows, columns] = True
    colour = np.zeros((*size_hw, 3), dtype=np.float32)
    colour[rows, columns] = 255.0 * _srgb(seen)[:, ::-1]
    coverage, bgr = _reduced(visible.astype(np.float32), fine), _reduced(colour, fine)
    bbox, inside = _bbox(visible, camera, placed, (x0, y0), fine)
    shadow = _ground_light(tint, camera, (x0, y0, x1, y1))
    return Layer(
        corner_px=(x0, y0),
        bgr=bgr,
        coverage=coverage,
        ground_light=shadow,
        bbox_px=bbox,
        fully_in_view=inside,
    )


def overlay(background_bgr: NDArray[np.float32], layer: Layer) -> None:
    """Lay a drawn solid over a background (H, W, 3), in place."""
    x0, y0 = layer.corner_px
    height, width = layer.coverage.shape
    part = background_bgr[y0 : y0 + height, x0 : x0 + width]
    part *= (layer.ground_light * (1.0 - layer.coverage))[:, :, None]
    part += layer.bgr


class _Sunlit:
    """What the sun sees of a solid: each triangle's normal, and a map of the nearest surfaces."""

    def __init__(self, placed: Placed, light: Light) -> None:
        self.light = light
        world, sun = placed.world_m, light.sun
        normals = np.cross(world[:, 1] - world[:, 0], world[:, 2] - world[:, 0])
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        right = np.cross(np.array([0.0, 0.0, 1.0]), sun)
        right /= np.linalg.norm(right)
        self._axes = np.stack([right, np.cross(sun, right), sun])
        seen = world @ self._axes.T
        low, high = seen.reshape(-1, 3).min(axis=0)[:2], seen.reshape(-1, 3).max(axis=0)[:2]
        # A tower crane gets coarser cells: the map stays small.
        self._cell_m = max(SHADOW_CELL_M, float((high - low).max()) / SHADOW_CELLS_MOST)
        self._low = low - 2 * self._cell_m
        high = high + 2 * self._cell_m
        size = np.ceil((high - self._low) / self._cell_m).astype(int)
        hits = rasterise(
            (seen[:, :, :2] - self._low) / self._cell_m,
            seen[:, :, 2],
            self.normals @ sun > 0,
            (int(size[1]), int(size[0])),
        )
        self._nearest = hits.nearness.astype(np.float32)

    def reached(self, world_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the sun, 0 to 1, that reaches points (N, 3); looks at four cells around each."""
        seen = world_m @ self._axes.T
        place = (seen[:, :2] - self._low) / self._cell_m - 0.5
        height, width = self._nearest.shape
        cell = np.floor(place).astype(np.int64)
        rest = place - cell
        lit = np.zeros(len(world_m))
        for dx in (0, 1):
            for dy in (0, 1):
                x, y = cell[:, 0] + dx, cell[:, 1] + dy
                inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
                nearest = self._nearest[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
                free = ~inside | (nearest <= seen[:, 2] + SHADOW_BIAS_M * (self._cell_m / SHADOW_CELL_M))
                weight = np.abs(1 - dx - rest[:, 0]) * np.abs(1 - dy - rest[:, 1])
                lit += free * weight
        return lit


def _light(
    placed: Placed,
    tint: _Sunlit,
    paint: NDArray[np.float64],
    triangle: NDArray[np.int32],
    world: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Linear colours (N, 3) of N points `world` (N, 3) on triangles (N,), seen along `direction` (N, 3)."""
    normal, light = tint.normals[triangle], tint.light
    sun = np.clip(normal @ light.sun, 0, None) * tint.reached(world + 0.03 * normal)
    material = placed.materials[triangle]
    noise = _dirt(_texture_m(placed, triangle, world))
    low = np.clip((1.5 - world[:, 2]) / 1.5, 0, 1)
    dirty = np.clip(DIRT[material] * (1.6 * noise + 0.9 * low - 0.2), 0, 0.85)[:, None]
    base = (paint[material] * (1 - dirty) + DIRT_RGB * dirty) * (0.86 + 0.28 * noise)[:, None]

    up = normal[:, 2:3]
    # Near the ground and under the deck less of the sky is seen.
    open_sky = np.clip(0.45 + 0.4 * world[:, 2:3], 0.45, 1.0)
    ambient = light.sky_rgb * (0.55 + 0.45 * up) * open_sky + light.ground_rgb * (0.5 - 0.5 * up)
    rgb = base * (ambient + light.sun_rgb * sun[:, None])
    view = -direction / np.linalg.norm(direction, axis=1, keepdims=True)
    half = (view + light.sun) / np.linalg.norm(view + light.sun, axis=1, keepdims=True)
    shine = GLOSS[material] * np.clip(np.einsum("nk,nk->n", half, normal), 0, 1) ** 24 * (sun > 0)
    rgb += (shine * 0.5)[:, None] * light.sun_rgb
    glass = material == int(Material.GLASS)
    grazing = np.clip(1 - np.abs(np.einsum("nk,nk->n", view, normal)), 0, 1)
    rgb[glass] += (0.08 + 0.5 * grazing[glass, None] ** 2) * SKY_MIRROR_RGB
    return np.asarray(rgb)


def _texture_m(
    placed: Placed, triangle: NDArray[np.int32], world: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N, 2) metres on the part's own surface under N points: the two axes along which the face lies."""
    corners, local = placed.world_m, placed.local_m
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    g11, g12, g22 = (np.einsum("tk,tk->t", a, b) for a, b in ((edge1, edge1), (edge1, edge2), (edge2, edge2)))
    area2 = np.maximum(g11 * g22 - g12 * g12, 1e-12)
    way = world - corners[triangle, 0]
    d1 = np.einsum("nk,nk->n", way, edge1[triangle])
    d2 = np.einsum("nk,nk->n", way, edge2[triangle])
    u = (d1 * g22[triangle] - d2 * g12[triangle]) / area2[triangle]
    v = (d2 * g11[triangle] - d1 * g12[triangle]) / area2[triangle]
    across = np.abs(np.cross(local[:, 1] - local[:, 0], local[:, 2] - local[:, 0]))
    keep = np.array([[1, 2], [0, 2], [0, 1]])[across.argmax(axis=1)]
    flat = np.take_along_axis(local, np.broadcast_to(keep[:, None, :], (len(local), 3, 2)), axis=2)[triangle]
    return np.asarray(
        flat[:, 0] + u[:, None] * (flat[:, 1] - flat[:, 0]) + v[:, None] * (flat[:, 2] - flat[:, 0])
    )


@lru_cache(maxsize=1)
def _dirt_map() -> NDArray[np.float32]:
    """A tile of 256 x 256 cells of 2.5 cm: patches and streaks, 0 to 1."""
    rng = np.random.default_rng(7)
    tile = np.zeros((256, 256), dtype=np.float32)
    for cells, weight in ((8, 0.35), (32, 0.35), (128, 0.3)):
        coarse = np.pad(rng.random((cells, cells), dtype=np.float32), 2, mode="wrap")
        scale = 256 // cells
        fine = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        tile += weight * fine[2 * scale : 2 * scale + 256, 2 * scale : 2 * scale + 256]
    return np.asarray(np.clip((tile - 0.5) * 1.6 + 0.4, 0, 1), dtype=np.float32)


def _dirt(surface_m: NDArray[np.float64]) -> NDArray[np.float64]:
    cell = np.floor(surface_m / 0.025).astype(np.int64) % 256
    return np.asarray(_dirt_map()[cell[:, 1], cell[:, 0]], dtype=np.float64)


def _ground_light(tint: _Sunlit, camera: Camera, window: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """(h, w) factor on the ground's brightness in a window of the frame: its shadow, with a soft edge."""
    x0, y0, x1, y1 = window
    grid = np.stack(np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5), axis=-1)
    places = camera.on_ground(grid)
    known = np.isfinite(places[..., 0])
    lit = np.ones(known.shape)
    points = np.concatenate([places[known], np.zeros((int(known.sum()), 1))], axis=1)
    lit[known] = tint.reached(points)
    soft = cv2.GaussianBlur(lit.astype(np.float32), (0, 0), 0.8)
    left = tint.light.shadow_left
    return np.asarray(left + (1 - left) * soft, dtype=np.float32)


def _on_ground_from_sun(world_m: NDArray[np.float64], sun: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the shadows of points (N, 3) fall: (N, 3) with up = 0."""
    high = np.clip(world_m[:, 2:3], 0, None)
    return np.asarray(world_m - sun * (high / sun[2]))


def _window(
    camera: Camera, solid: NDArray[np.float64], shadow: NDArray[np.float64]
) -> tuple[int, int, int, int] | None:
    """The part of the frame that holds all points; None if it is outside or the solid behind the camera."""
    pixels, shadow_px = camera.project(solid)[0], camera.project(shadow)[0]
    if not np.isfinite(pixels).all():
        return None
    # A long shadow may fall behind the camera: what is seen of it can be anywhere.
    if np.isfinite(shadow_px).all():
        pixels = np.concatenate([pixels, shadow_px])
    else:
        pixels = np.concatenate([pixels, [[0.0, 0.0], [camera.width_px, camera.height_px]]])
    low = np.floor(pixels.min(axis=0)).astype(int) - 3
    high = np.ceil(pixels.max(axis=0)).astype(int) + 3
    x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
    x1, y1 = min(camera.width_px, int(high[0])), min(camera.height_px, int(high[1]))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _bbox(
    visible: NDArray[np.bool_], camera: Camera, placed: Placed, corner_px: tuple[int, int], fine: int
) -> tuple[tuple[float, float, float, float] | None, bool]:
    pixels, _ = camera.project(placed.world_m.reshape(-1, 3))
    inside = bool(
        pixels.min() >= 0 and pixels[:, 0].max() <= camera.width_px and pixels[:, 1].max() <= camera.height_px
    )
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        return None, False
    s, (x0, y0) = fine, corner_px
    box = (x0 + columns[0] / s, y0 + rows[0] / s, x0 + (columns[-1] + 1) / s, y0 + (rows[-1] + 1) / s)
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3])), inside


def _reduced(picture: NDArray[np.float32], fine: int) -> NDArray[np.float32]:
    """Average of each fine x fine block."""
    height, width = picture.shape[0] // fine, picture.shape[1] // fine
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light to sRGB's curve, roughly (power 1/2.2), both 0 to 1, bright light rolled off."""
    return np.asarray(np.clip(linear / (1 + 0.15 * linear), 0, 1) ** (1 / 2.2))

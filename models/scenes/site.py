"""The place without the machine: fields, a farm track, trees, houses, sky, and the pipeline's marker posts.

Everything on the ground is a function of its east and north in metres, so it lies in true
perspective; what stands far off is painted on the horizon. Deterministic from the seed.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.camera import Camera

#: sRGB blue-green-red, 0 to 255.
GRASS = np.array([52.0, 108.0, 96.0])
GRASS_DRY = np.array([88.0, 142.0, 148.0])
GRASS_DARK = np.array([36.0, 78.0, 62.0])
SOIL = np.array([86.0, 116.0, 142.0])
SOIL_WET = np.array([52.0, 76.0, 98.0])
FIELD = np.array([72.0, 150.0, 152.0])
HAZE = np.array([214.0, 205.0, 190.0])
SKY_HIGH = np.array([218.0, 172.0, 128.0])
SKY_LOW = np.array([238.0, 226.0, 208.0])
#: The farm track runs east to west at this north, as wide as a tractor.
FARM_TRACK_NORTH_M = 22.5
FARM_TRACK_HALF_M = 1.7
#: Where the fields end and the trees begin.
TREES_M = 130.0
#: Marker posts: spacing along the centreline and height; the usual yellow plastic post.
POST_SPACING_M = 12.0
POST_HEIGHT_M = 1.4

Picture = NDArray[np.float32]


def background(camera: Camera, centreline_en_m: NDArray[np.float64], *, seed: int, fine: int = 2) -> Picture:
    """The empty scene, (H, W, 3) sRGB values 0 to 255, blue-green-red.

    Args:
        camera: who looks.
        centreline_en_m: (K, 2) the pipeline's centreline, east and north.
        seed: of all noise.
        fine: pixels drawn per pixel of the picture, each way; the time goes with its square.
    """
    big = Camera(
        width_px=camera.width_px * fine,
        height_px=camera.height_px * fine,
        focal_px=camera.focal_px * fine,
        position_enu_m=camera.position_enu_m,
        yaw_deg=camera.yaw_deg,
        pitch_down_deg=camera.pitch_down_deg,
    )
    noise = _Noise(seed)
    picture = _sky(big, noise)
    horizon = _horizon_row(big)
    _hills(picture, horizon, noise)
    _ground(picture, big, centreline_en_m, noise)
    _trees(picture, big, horizon, np.random.default_rng(seed + 1))
    _houses(picture, big)
    _posts(picture, big, centreline_en_m)
    small = cv2.resize(picture, (camera.width_px, camera.height_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


class _Noise:
    """Smooth random heights over the plane, 0 to 1, repeating every 256 cells."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._tiles = [rng.random((256, 256), dtype=np.float32) for _ in range(4)]

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64], cell: float, tile: int = 0) -> Picture:
        """(H, W) noise at (H, W) places, one cell every `cell` units."""
        u, v = np.mod(x / cell + 37.0 * tile, 256.0), np.mod(y / cell + 11.0 * tile, 256.0)
        found = cv2.remap(
            self._tiles[tile % 4],
            u.astype(np.float32),
            v.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        return np.asarray(found, dtype=np.float32)


def _horizon_row(camera: Camera) -> int:
    far, _ = camera.project(
        np.array([[*(np.array(camera.position_enu_m[:2]) + 1e5 * camera.axes()[2, :2]), 0.0]])
    )
    return round(float(far[0, 1]))


def _grid(camera: Camera, top: int, bottom: int) -> NDArray[np.float64]:
    return np.stack(np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(top, bottom) + 0.5), axis=-1)


def _sky(camera: Camera, noise: _Noise) -> Picture:
    rows = np.linspace(0, 1, max(1, _horizon_row(camera) + 40))[:, None, None]
    picture = np.zeros((camera.height_px, camera.width_px, 3), dtype=np.float32)
    count = min(len(rows), camera.height_px)
    if count:
        grid = _grid(camera, 0, count)
        x, y = grid[..., 0], grid[..., 1]
        # Clouds lie flat: longer across than they are high.
        cloud = sum(
            w * noise.at(x, y * 2.6, c, t)
            for t, (c, w) in enumerate(((620.0, 0.5), (260.0, 0.3), (90.0, 0.2)))
        )
        cover = np.clip((cloud - 0.47) * 3.2, 0, 0.75)[..., None]
        blue = SKY_HIGH + (SKY_LOW - SKY_HIGH) * rows[:count] ** 1.5
        picture[:count] = blue * (1 - cover) + np.array([246.0, 244.0, 240.0]) * cover
    return picture


def _hills(picture: Picture, horizon: int, noise: _Noise) -> None:
    columns = np.arange(picture.shape[1], dtype=np.float64)[None, :]
    for tile, (height, colour) in enumerate(((64.0, (196.0, 180.0, 158.0)), (36.0, (168.0, 160.0, 132.0)))):
        ridge = noise.at(columns, np.zeros_like(columns), 420.0, tile) * 0.7
        ridge = ridge + noise.at(columns, np.zeros_like(columns), 90.0, tile + 1) * 0.3
        top = horizon - (height * ridge[0]).astype(int)
        rows = np.arange(picture.shape[0])[:, None]
        picture[(rows >= top[None, :]) & (rows < horizon + 4)] = colour


def _ground(picture: Picture, camera: Camera, centreline: NDArray[np.float64], noise: _Noise) -> None:
    top = max(0, _horizon_row(camera) + 2)
    grid = _grid(camera, top, camera.height_px)
    places = camera.on_ground(grid)
    e, n = places[..., 0], places[..., 1]
    depth = camera.ground_depth(grid)
    # Metres of ground that one pixel covers, away from the camera; finer noise than that would flicker.
    footprint = depth**2 / (camera.focal_px * camera.position_enu_m[2])
    tone = np.zeros_like(e)
    for tile, (cell, weight) in enumerate(
        ((9.0, 0.30), (2.7, 0.26), (0.8, 0.30), (0.24, 0.38), (0.08, 0.42), (0.035, 0.34))
    ):
        fade = np.clip(1.6 - footprint / (1.5 * cell), 0, 1)
        tone += weight * fade * (noise.at(e, n, cell, tile) - 0.5)
    patches = np.clip(noise.at(e, n, 14.0, 2) * 0.6 + noise.at(e, n, 5.0, 3) * 0.4 + 0.6 * tone, 0, 1)[
        ..., None
    ]
    colour = GRASS_DARK + (GRASS - GRASS_DARK) * np.clip(patches * 2, 0, 1)
    colour = colour + (GRASS_DRY - colour) * np.clip(patches * 2 - 1.0, 0, 1)

    # Fields beyond: strips of another crop, ploughed across.
    strip = np.clip((n - 62 - 0.06 * e) / 3.0, 0, 1)[..., None]
    rows = 0.5 + 0.5 * np.sin(n * 2.2)[..., None] * np.clip(1 - footprint / 1.2, 0, 1)[..., None]
    colour = colour + (FIELD * (0.9 + 0.1 * rows) - colour) * 0.7 * strip
    strip2 = np.clip((n - 88 + 0.05 * e) / 2.0, 0, 1)[..., None]
    colour = colour + (np.array([60.0, 118.0, 98.0]) - colour) * 0.8 * strip2

    # The pipeline's right of way is mown: a lighter strip of five metres each side.
    beside = np.abs(_offset(e, n, centreline))
    mown = np.clip((5.4 + 0.8 * (patches[..., 0] - 0.5) - beside) / 0.8, 0, 1)[..., None]
    colour = colour + (GRASS_DRY * 0.96 - colour) * 0.42 * mown

    worn = _farm_track(e, n, noise)[..., None]
    soil = SOIL_WET + (SOIL - SOIL_WET) * np.clip(0.55 + 1.1 * tone, 0, 1)[..., None]
    colour = colour + (soil - colour) * worn
    colour = colour * (1 + 0.85 * tone[..., None])
    haze = (1 - np.exp(-depth / 520.0))[..., None]
    picture[top:] = np.clip(colour * (1 - haze) + HAZE * haze, 0, 255)


def _farm_track(e: NDArray[np.float64], n: NDArray[np.float64], noise: _Noise) -> NDArray[np.float64]:
    """How bare the ground is, 0 to 1: two ruts with a grassy middle."""
    wander = 0.5 * np.sin(e / 11.0) + 0.25 * np.sin(e / 4.3 + 1.0)
    across = n - FARM_TRACK_NORTH_M - wander
    edge = np.clip((FARM_TRACK_HALF_M - np.abs(across)) / 0.35 + noise.at(e, n, 0.6, 1) - 0.5, 0, 1)
    middle = np.clip(1 - np.abs(across) / 0.4, 0, 1) * (0.5 + 0.5 * noise.at(e, n, 0.3, 2))
    return np.asarray(edge * (1 - 0.75 * middle) * 0.9)


def _offset(e: NDArray[np.float64], n: NDArray[np.float64], line: NDArray[np.float64]) -> NDArray[np.float64]:
    """North in metres of places above the line at their east: near enough to the distance for a line that runs east."""
    return np.asarray(n - np.interp(e, line[:, 0], line[:, 1]))


def _houses(picture: Picture, camera: Camera) -> None:
    """A row of farm houses in the distance: wall, gable roof, dark windows."""
    for east, north, width, wall, roof in (
        (-44.0, 112.0, 11.0, (206.0, 214.0, 220.0), (84.0, 92.0, 142.0)),
        (-29.0, 118.0, 9.0, (188.0, 200.0, 214.0), (92.0, 96.0, 110.0)),
        (37.0, 115.0, 12.0, (196.0, 208.0, 214.0), (78.0, 86.0, 128.0)),
    ):
        low, high = 3.4, 5.6
        corner = [(east, 0.0), (east + width, 0.0), (east + width, low), (east, low)]
        _polygon(picture, camera, [(x, north, z) for x, z in corner], wall)
        gable = [(east - 0.5, low), (east + width + 0.5, low), (east + width - 1.2, high), (east + 1.2, high)]
        _polygon(picture, camera, [(x, north, z) for x, z in gable], roof)
        for k in range(3):
            x = east + 1.3 + k * (width - 2.6) / 2.5
            _polygon(
                picture,
                camera,
                [(x, north, 1.0), (x + 1.1, north, 1.0), (x + 1.1, north, 2.3), (x, north, 2.3)],
                (92.0, 86.0, 78.0),
            )


def _trees(picture: Picture, camera: Camera, horizon: int, rng: np.random.Generator) -> None:
    """Hedges and crowns along the fields' far edge, from back to front; each crown is many leaves of light and shade."""
    for distance, count, height, haze in ((190.0, 90, 8.0, 0.42), (TREES_M, 60, 7.0, 0.26)):
        half = camera.width_px / 2 / camera.focal_px * distance * 1.1
        for east in np.sort(rng.uniform(-half, half, count)):
            tall = height * rng.uniform(0.45, 1.25)
            _crown(picture, camera, rng, (float(east), distance, float(tall)), haze)


def _crown(
    picture: Picture,
    camera: Camera,
    rng: np.random.Generator,
    tree: tuple[float, float, float],
    haze: float,
) -> None:
    east, north, tall = tree
    per_m = camera.focal_px / north
    base = np.array([40.0, 72.0, 58.0]) * rng.uniform(0.8, 1.2) + np.array([0.0, 6.0, 8.0]) * rng.normal()
    for _ in range(60):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        dx, dz = np.cos(angle) * reach * tall * 0.42, tall * (0.52 + 0.46 * np.sin(angle) * reach)
        pixel, _ = camera.project(np.array([[east + dx, north, max(0.2, dz)]]))
        # Light from above and the right, where the sun stands.
        light = 0.72 + 0.42 * (dz / tall) + 0.10 * (dx / tall) + 0.12 * rng.normal()
        colour = (base * light) * (1 - haze) + HAZE * haze
        radius = max(1, int(per_m * tall * rng.uniform(0.06, 0.13)))
        cv2.circle(
            picture, (int(pixel[0, 0]), int(pixel[0, 1])), radius, [float(c) for c in colour], -1, cv2.LINE_8
        )


def _posts(picture: Picture, camera: Camera, line: NDArray[np.float64]) -> None:
    """Yellow marker posts with a red band, and their shadows on the grass.

    The band is low: with a dark one near the top the detector took a post for a person (0.34).
    """
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    for s in np.arange(POST_SPACING_M / 2, along[-1], POST_SPACING_M):
        e, n = float(np.interp(s, along, line[:, 0])), float(np.interp(s, along, line[:, 1]))
        w = 0.09
        shade = [(e - w, n, 0.0), (e + w, n, 0.0), (e - 1.0 + w, n + 1.05, 0.0), (e - 1.0 - w, n + 1.05, 0.0)]
        _polygon(picture, camera, shade, (34.0, 62.0, 56.0), 0.6)
        for low, high, colour in (
            (0.0, POST_HEIGHT_M, (40.0, 184.0, 228.0)),
            (0.42, 0.56, (40.0, 44.0, 196.0)),
        ):
            _polygon(
                picture,
                camera,
                [(e - w, n, low), (e + w, n, low), (e + w, n, high), (e - w, n, high)],
                colour,
            )
            _polygon(
                picture,
                camera,
                [(e - w, n, low), (e - w / 3, n, low), (e - w / 3, n, high), (e - w, n, high)],
                (colour[0] * 0.7, colour[1] * 0.7, colour[2] * 0.7),
            )


def _polygon(
    picture: Picture,
    camera: Camera,
    enu_m: list[tuple[float, float, float]],
    bgr: tuple[float, float, float],
    opacity: float = 1.0,
) -> None:
    """Fill a polygon of ENU points; what is behind the camera is left out whole."""
    pixels, _ = camera.project(np.array(enu_m, dtype=np.float64))
    if not np.isfinite(pixels).all():
        return
    corners = np.round(pixels * 16).astype(np.int32)
    if opacity >= 1:
        cv2.fillConvexPoly(picture, corners, bgr, cv2.LINE_8, 4)
        return
    mask = np.zeros(picture.shape[:2], dtype=np.float32)
    cv2.fillConvexPoly(mask, corners, [opacity], cv2.LINE_8, 4)
    picture *= (1 - mask)[:, :, None]
    picture += mask[:, :, None] * np.array(bgr, dtype=np.float32)

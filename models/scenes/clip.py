"""A story becomes pictures, a video file, and the truth to judge a detector and a position by.

`Stage.frame(index)` draws any frame by itself, the same pixels each time; `render_demo_clip`
writes the whole clip and its truth. What happens is `models.scenes.story`'s matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes import shade, site
from models.scenes.excavator import Pose, footprint_corners, place
from models.scenes.mesh import Material
from models.scenes.rig import Placed
from models.scenes.story import Activity, Story, activity, bite_and_dump, dug, pose

#: Ground points whose pixel and position the truth gives, east and north in metres: what a surveyor
#: would measure to calibrate this camera. Spread over the part of the picture that matters.
SURVEYED_EN_M: Final = (
    (-9.0, 20.0), (0.0, 19.5), (9.0, 20.0), (-12.0, 28.0), (12.0, 28.0), (0.0, 30.0),
    (-15.0, 37.0), (15.0, 37.0), (0.0, 42.0), (-20.0, 50.0), (20.0, 50.0), (3.0, 60.0),
)  # fmt: skip
#: Half the pit's and the heap's size when all is dug.
PIT_M: Final = 1.5
HEAP_M: Final = 1.7
#: Quality of the clip: x264's rate factor and preset, a key frame every two seconds, no B-frames, as
#: cameras send it.
X264: Final = {"crf": "24", "preset": "veryfast", "bf": "0", "threads": "1"}
KEY_FRAME_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTruth:
    """What a frame really shows."""

    t_s: float
    #: Whether any of the machine is visible.
    present: bool
    #: Whether the picture's edge cuts nothing off.
    fully_in_view: bool
    footprint_centre_en_m: tuple[float, float] | None
    #: Front left, front right, rear right, rear left of the rectangle over both tracks.
    footprint_corners_en_m: tuple[tuple[float, float], ...] | None
    heading_deg: float | None
    #: Left, top, right, bottom in pixels of what is visible.
    bbox_px: tuple[float, float, float, float] | None
    activity: Activity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of the clip with its truth."""

    #: (H, W, 3) uint8.
    bgr: NDArray[np.uint8]
    truth: FrameTruth


class Stage:
    """The scene of a story: the background is drawn once, the machine for each pose once."""

    def __init__(self, story: Story) -> None:
        self.story = story
        line = np.array(story.centreline_en_m)
        self._background = site.background(story.camera, line, seed=story.seed)
        self._ground = lru_cache(maxsize=2)(self._dug_ground)
        # One digging cycle of poses and some: cycles repeat, so most of the clip is drawn once.
        self._machine = lru_cache(maxsize=160)(self._draw)
        rng = np.random.default_rng(story.seed)
        shape = (story.camera.height_px + 64, story.camera.width_px + 64, 3)
        self._noise = np.asarray(rng.normal(0.0, story.sensor_noise, shape), dtype=np.float32)

    def frame(self, index: int) -> Frame:
        """Frame number `index`, from 0. Independent of which frames were drawn before."""
        story = self.story
        t_s = index / story.fps
        picture = self._ground(dug(story, t_s)).copy()
        posed = pose(story, t_s)
        layer = None if posed is None else self._machine(posed)
        if layer is not None:
            shade.overlay(picture, layer)
        # A window into one large noise picture, moved at random, is ten times cheaper than fresh noise.
        dy, dx = np.random.default_rng((story.seed, index)).integers(0, 64, 2)
        height, width = picture.shape[:2]
        picture += self._noise[dy : dy + height, dx : dx + width]
        bgr = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
        if story.label:
            _write(bgr, f"{story.label}  {t_s:05.1f} s")
        return Frame(bgr=bgr, truth=_truth(story, t_s, posed, layer))

    def _draw(self, posed: Pose) -> shade.Layer | None:
        return shade.draw(place(posed), self.story.camera)

    def _dug_ground(self, share: float) -> NDArray[np.float32]:
        """The background with as much of pit and heap as is dug."""
        picture = self._background.copy()
        if share > 0:
            pit_en, heap_en = bite_and_dump(self.story)
            _pit(picture, self.story, pit_en, PIT_M * (0.5 + 0.5 * share))
            layer = shade.draw(
                _heap(heap_en, HEAP_M * (0.35 + 0.65 * share), self.story.seed), self.story.camera
            )
            if layer is not None:
                shade.overlay(picture, layer)
        return picture


def render_demo_clip(
    out_path: Path,
    truth_path: Path,
    story: Story | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the clip (H.264, container by the name's ending) and its truth (JSON).

    Both appear only when they are complete: an interrupted run leaves nothing that looks like a clip.

    Args:
        out_path: for example demo.mp4.
        truth_path: for example demo.truth.json.
        story: the demo's own if none is given.
        progress: called with (frames done, frames in all) after each.
    """
    told = story or Story()
    partial = out_path.with_name(f".{out_path.stem}.part{out_path.suffix}")
    partial_truth = truth_path.with_name(f".{truth_path.name}.part")
    try:
        truths = list(_encode(partial, told, progress))
        partial_truth.write_text(json.dumps(truth_table(told, truths), indent=1), encoding="utf-8")
        partial_truth.replace(truth_path)
        partial.replace(out_path)
    finally:
        partial.unlink(missing_ok=True)
        partial_truth.unlink(missing_ok=True)


def _encode(path: Path, story: Story, progress: Callable[[int, int], None] | None) -> Iterator[FrameTruth]:
    stage = Stage(story)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=story.fps, options=X264)
        stream.width, stream.height = story.camera.width_px, story.camera.height_px
        stream.pix_fmt = "yuv420p"
        stream.gop_size = round(KEY_FRAME_S * story.fps)
        stream.time_base = Fraction(1, story.fps)
        for index in range(story.frames):
            frame = stage.frame(index)
            picture = av.VideoFrame.from_ndarray(frame.bgr, format="bgr24")
            picture.pts, picture.time_base = index, Fraction(1, story.fps)
            container.mux(stream.encode(picture))
            if progress is not None:
                progress(index + 1, story.frames)
            yield frame.truth
        container.mux(stream.encode(None))


def truth_table(story: Story, truths: list[FrameTruth]) -> dict[str, Any]:
    """Everything that one needs to judge a detector or a position on the clip, as plain JSON values."""
    camera, origin = story.camera, story.origin
    ground = np.array([[e, n, 0.0] for e, n in SURVEYED_EN_M])
    pixels, _ = camera.project(ground)
    return {
        "simulated": True,
        "fps": story.fps,
        "frames_total": story.frames,
        "seed": story.seed,
        "camera": {
            "width_px": camera.width_px,
            "height_px": camera.height_px,
            "focal_px": camera.focal_px,
            "position_enu_m": list(camera.position_enu_m),
            "yaw_deg": camera.yaw_deg,
            "pitch_down_deg": camera.pitch_down_deg,
            "origin_lonlat": [origin.lon_deg, origin.lat_deg],
        },
        "ground_points": [
            {"pixel": [float(x), float(y)], "east_north_m": [e, n], "lonlat": list(origin.lonlat(e, n))}
            for (x, y), (e, n) in zip(pixels, SURVEYED_EN_M, strict=True)
        ],
        "centreline": {
            "east_north_m": [list(point) for point in story.centreline_en_m],
            "lonlat": [list(origin.lonlat(e, n)) for e, n in story.centreline_en_m],
        },
        "frames": [
            {
                "t_s": t.t_s,
                "present": t.present,
                "fully_in_view": t.fully_in_view,
                "footprint_centre_en_m": t.footprint_centre_en_m,
                "footprint_corners_en_m": t.footprint_corners_en_m,
                "heading_deg": t.heading_deg,
                "bbox_px": t.bbox_px,
                "activity": t.activity,
            }
            for t in truths
        ],
    }


def _truth(story: Story, t_s: float, posed: Pose | None, layer: shade.Layer | None) -> FrameTruth:
    if posed is None or layer is None or layer.bbox_px is None:
        return FrameTruth(
            t_s=t_s,
            present=False,
            fully_in_view=False,
            footprint_centre_en_m=None,
            footprint_corners_en_m=None,
            heading_deg=None,
            bbox_px=None,
            activity=None,
        )
    return FrameTruth(
        t_s=t_s,
        present=True,
        fully_in_view=layer.fully_in_view,
        footprint_centre_en_m=(posed.east_m, posed.north_m),
        footprint_corners_en_m=tuple((float(e), float(n)) for e, n in footprint_corners(posed)),
        heading_deg=posed.heading_deg,
        bbox_px=layer.bbox_px,
        activity=activity(story, t_s),
    )


def _heap(middle_en: NDArray[np.float64], radius_m: float, seed: int) -> Placed:
    """A cone of loose earth, 40 degrees steep, uneven."""
    rng = np.random.default_rng(seed + 2)
    rings, sides = 12, 56
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    points = [[*middle_en, 0.62 * radius_m]]
    for ring in range(1, rings + 1):
        share = ring / rings
        reach = radius_m * share * (1 + 0.05 * rng.normal(size=sides))
        height = radius_m * 0.62 * (1 - share**1.3) * (1 + 0.07 * rng.normal(size=sides))
        points += np.stack(
            [middle_en[0] + reach * np.cos(angle), middle_en[1] + reach * np.sin(angle), height.clip(0)],
            axis=1,
        ).tolist()
    triangles = [(0, 1 + i, 1 + (i + 1) % sides) for i in range(sides)]
    for ring in range(rings - 1):
        inner, outer = 1 + ring * sides, 1 + (ring + 1) * sides
        for i in range(sides):
            j = (i + 1) % sides
            triangles += [(inner + i, outer + i, outer + j), (inner + i, outer + j, inner + j)]
    corners = np.array(points)[np.array(triangles)]
    return Placed(
        world_m=corners, local_m=corners, materials=np.full(len(corners), int(Material.SOIL), dtype=np.int64)
    )


def _pit(picture: NDArray[np.float32], story: Story, middle_en: NDArray[np.float64], radius_m: float) -> None:
    """Bare, dark earth around the place where it digs, in place."""
    pixels, _ = story.camera.project(
        np.array([[middle_en[0] + dx, middle_en[1] + dy, 0.0] for dx in (-4.0, 4.0) for dy in (-4.0, 4.0)])
    )
    (x0, y0), (x1, y1) = np.floor(pixels.min(axis=0)).astype(int), np.ceil(pixels.max(axis=0)).astype(int)
    x0, y0 = max(0, int(x0)), max(0, int(y0))
    part = picture[y0 : int(y1), x0 : int(x1)]
    grid = np.stack(
        np.meshgrid(np.arange(part.shape[1]) + x0 + 0.5, np.arange(part.shape[0]) + y0 + 0.5), axis=-1
    )
    away = story.camera.on_ground(grid) - middle_en
    rough = cv2.GaussianBlur(
        np.random.default_rng(story.seed + 3).normal(size=part.shape[:2]).astype(np.float32), (0, 0), 2.0
    )
    reach = np.hypot(away[..., 0], away[..., 1]) + 1.2 * rough
    bare = np.clip((radius_m * 1.5 - reach) / 0.7, 0, 0.9)[..., None]
    deep = np.clip((radius_m - reach) / 0.5, 0, 1)[..., None]
    earth = np.array([70.0, 98.0, 122.0]) * (1 - 0.6 * deep) * (1 + 0.5 * rough[..., None])
    part += (bare * (earth - part)).astype(np.float32)


def _write(bgr: NDArray[np.uint8], text: str) -> None:
    """A camera's own caption, white on black edges, top left."""
    # The edges by shifting, not by a thicker pen: in OpenCV 5 thicker letters are also wider.
    for dx, dy, grey in ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, 255)):
        at = (18 + dx, 34 + dy)
        cv2.putText(bgr, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (grey, grey, grey), 1, cv2.LINE_AA)

"""Builders for edge tests: a town with one pipeline, a rendered pinhole camera, clips made on the spot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import av
import msgspec
import numpy as np

from edge.ground import Ground
from edge.rules import Place
from edge.watcher import Look, Seen, Setup
from monitor.domain.assets import Camera, City, Edge, GroundPoint, Hca, Lens, Pipeline
from monitor.domain.events import RiskEvent
from monitor.domain.geometry import Centreline, LocalFrame
from monitor.domain.levels import HcaGrade, Level

ORIGIN = (121.5, 31.2)
FRAME = LocalFrame(ORIGIN)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # in Shanghai
NAME = {"en": "test", "zh": "测试"}


def pipeline(**changes: Any) -> Pipeline:
    """A straight line from west to east through the origin, chainage 500 m there."""
    ends = (FRAME.to_lonlat((-500.0, 0.0)), FRAME.to_lonlat((500.0, 0.0)))
    return msgspec.structs.replace(Pipeline(pipeline_id="p-1", name=NAME, centreline=ends), **changes)


HCA = Hca(site_id="hca-1", pipeline_id="p-1", name=NAME, grade=HcaGrade.III, from_m=0.0, to_m=1000.0)


class Pinhole:
    """A camera without distortion over flat ground: the independent truth for the ground projection."""

    def __init__(
        self,
        east_m: float = 0.0,
        north_m: float = -30.0,
        height_m: float = 8.0,
        pitch_deg: float = 18.0,
        heading_deg: float = 0.0,
        focal_px: float = 900.0,
        size_px: tuple[int, int] = (1280, 720),
    ) -> None:
        pitch, heading = math.radians(pitch_deg), math.radians(heading_deg)
        forward = np.array(
            [math.sin(heading) * math.cos(pitch), math.cos(heading) * math.cos(pitch), -math.sin(pitch)]
        )
        right = np.array([math.cos(heading), -math.sin(heading), 0.0])
        self.rotation = np.stack([right, np.cross(forward, right), forward])
        self.position = np.array([east_m, north_m, height_m])
        self.focal_px, self.size_px = focal_px, size_px

    def pixel(self, east_m: float, north_m: float, up_m: float = 0.0) -> tuple[float, float]:
        """Where a point of space appears; ValueError behind the camera."""
        x, y, z = self.rotation @ (np.array([east_m, north_m, up_m]) - self.position)
        if z <= 0:
            raise ValueError("behind the camera")
        return (
            float(self.size_px[0] / 2 + self.focal_px * x / z),
            float(self.size_px[1] / 2 + self.focal_px * y / z),
        )

    def camera(self, surveyed: list[tuple[float, float]] | None = None, **changes: Any) -> Camera:
        """As configured, with points surveyed where they truly are."""
        surveyed = surveyed or [(-15.0, -12.0), (15.0, -12.0), (-20.0, 25.0), (20.0, 25.0), (0.0, 5.0)]
        points = tuple(
            GroundPoint(pixel=self.pixel(e, n), lonlat=FRAME.to_lonlat((e, n))) for e, n in surveyed
        )
        camera = Camera(
            camera_id="cam-1", edge_id="edge-1", site_id="hca-1", name=NAME, source="rtsp://127.0.0.1/x",
            position=FRAME.to_lonlat((float(self.position[0]), float(self.position[1]))),
            frame_size_px=self.size_px, ground_points=points, calibration_version="1",
            lens=Lens(k1=0.0, f_px=self.focal_px),
        )  # fmt: skip
        return msgspec.structs.replace(camera, **changes)

    def box(
        self, east_m: float, north_m: float, width_m: float, height_m: float
    ) -> tuple[float, float, float, float]:
        """The box of an upright board facing the camera, standing at that point."""
        left = self.pixel(east_m - width_m / 2, north_m)
        right = self.pixel(east_m + width_m / 2, north_m)
        top = self.pixel(east_m, north_m, height_m)
        return left[0], top[1], right[0], max(left[1], right[1])


def setup(camera: Camera, **changes: Any) -> Setup:
    """A core's setup for that camera."""
    line = changes.pop("pipeline", pipeline())
    place = Place(pipeline=line, hca=HCA, centreline=Centreline.of(line.centreline, line.origin_chainage_m))
    ground = Ground(camera) if camera.ground_points else None
    return Setup(camera=camera, place=place, ground=ground, timezone=ZoneInfo("Asia/Shanghai"), **changes)


def ids() -> Callable[[], str]:
    """Ids in order: id-1, id-2, …"""
    counter = count(1)
    return lambda: f"id-{next(counter)}"


def looks(
    objects_at: Callable[[float], tuple[Seen, ...]],
    *,
    seconds: float,
    from_s: float = 0.0,
    per_s: float = 5.0,
    size_px: tuple[int, int] = (1280, 720),
) -> Iterator[Look]:
    """Looks at regular times, with what `objects_at` says."""
    for i in range(round(seconds * per_s)):
        media_s = from_s + i / per_s
        yield Look(media_s=media_s, captured_at=NOON + timedelta(seconds=media_s), frame_size_px=size_px,
                   objects=objects_at(media_s))  # fmt: skip


def city(*cameras: Camera, networks: tuple[str, ...] = ("127.0.0.0/8",)) -> City:
    """A town with these cameras on one edge."""
    return City(
        name=NAME, made_up=True, pipelines=(pipeline(),), hcas=(HCA,),
        edges=(Edge(edge_id=cameras[0].edge_id if cameras else "edge-1", name=NAME, networks=networks),),
        cameras=cameras, teams=(),
    )  # fmt: skip


def event(seq: int, epoch: str, phase: str = "onset", **changes: Any) -> RiskEvent:
    """A plausible event."""
    made = msgspec.convert(
        {
            "schema": "hcawatch.event/1", "event_id": f"e-{seq}", "edge_id": "edge-1", "epoch": epoch, "seq": seq,
            "episode_id": "ep-1", "phase": phase, "site_id": "hca-1", "camera_id": "cam-1", "captured_at": NOON,
            "violation": "on_pipe", "rule_id": "person-on-pipe", "object_class": "person", "track_id": 1,
            "confidence": 0.8, "bbox": (1.0, 2.0, 3.0, 4.0), "frame_size_px": (640, 360), "dwell_s": 3.0,
            "activity": "passing", "risk_edge": Level.III, "reason": "onset",
            "model": {"name": "m", "version": "1", "sha256": "0" * 64}, "config_version": "1",
        },
        RiskEvent,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def make_clip(
    path: Path,
    *,
    seconds: float = 4.0,
    fps: int = 10,
    size_px: tuple[int, int] = (320, 240),
    codec: str = "libx264",
) -> Path:
    """An H.264 (or H.265) clip of a noisy street with something bright that moves across it."""
    rng = np.random.default_rng(1)
    ground = cv_texture(size_px)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            codec,
            rate=fps,
            options={"preset": "ultrafast", "crf": "20", "g": str(fps), "x265-params": "log-level=none"},
        )
        stream.width, stream.height, stream.pix_fmt = *size_px, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for i in range(round(seconds * fps)):
            picture = ground.astype(np.int16) + rng.integers(-6, 7, ground.shape)
            x = round((i / (seconds * fps)) * (size_px[0] - 40))
            picture[100:160, x : x + 30] = 230
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="bgr24")
            frame.pts = i
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def cv_texture(size_px: tuple[int, int]) -> np.ndarray[Any, Any]:
    """A still scene with detail everywhere."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(40, 200, (size_px[1] // 8 + 1, size_px[0] // 8 + 1, 3))
    return np.kron(coarse, np.ones((8, 8, 1)))[: size_px[1], : size_px[0]]

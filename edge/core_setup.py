"""What a camera's decision core is set up with, by its job: place, ground, zones, hours, and the rules that its model allows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import structlog

from edge import watcher
from edge.ground import Ground, ground_of
from edge.job import CameraJob
from edge.rules import Place
from models.detector import ModelInfo
from monitor.domain.geometry import Centreline
from monitor.domain.ground.errors import CalibrationVoid
from monitor.domain.violations import rules_for

log = structlog.get_logger()


def setup_of(job: CameraJob, info: ModelInfo) -> watcher.Setup:
    """All of it."""
    return watcher.Setup(
        camera=job.camera,
        place=place_of(job), settings=job.settings, schedules={s.schedule_id: s for s in job.schedules},
        ground=_ground(job), timezone=ZoneInfo(job.timezone),
        rules=rules_for(None if info.shipped is None else frozenset(info.shipped)),
    )  # fmt: skip


def place_of(job: CameraJob) -> Place:
    """What the camera's objects stand beside."""
    line = Centreline.of(job.pipeline.centreline, job.pipeline.origin_chainage_m)
    return Place(pipeline=job.pipeline, hca=job.hca, centreline=line)


def seen_ranges(setup: watcher.Setup, size_px: tuple[int, int]) -> tuple[tuple[str, float, float], ...]:
    """Which metres of the line it really sees: pipeline, from and to as chainage."""
    if setup.ground is None:
        return ()
    ranges = setup.ground.seen_ranges(setup.place.centreline, size_px)
    return tuple((setup.place.pipeline.pipeline_id, a, b) for a, b in ranges)


def without_alarm(info: ModelInfo) -> tuple[str, ...]:
    """Classes that the model finds, that are shown, and that raise no alarm."""
    return () if info.shipped is None else tuple(name for name in info.classes if name not in info.shipped)


def _ground(job: CameraJob) -> Ground | None:
    try:
        return ground_of(job.camera)
    except CalibrationVoid as exc:  # zones in the picture still work; articles with a distance do not
        log.error("calibration_void", camera=job.camera.camera_id, error=str(exc))
        return None

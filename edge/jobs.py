"""What a change of a camera's job asks for. Pure.

Zones, rules' numbers, hours and names are taken over while a camera runs, with its tracks and episodes;
whatever its stream, its survey or its detector depends on asks for a new process of that one camera.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.job import CameraJob
from monitor.domain.levels import HcaGrade

Change = Literal["none", "take_over", "restart"]


def change(before: CameraJob, after: CameraJob) -> Change:
    """What it takes to get from one job of a camera to another. Who stays keeps the seat at the detector."""
    if (before.seat is None) is not (after.seat is None):
        return "restart"
    seated = before.seat is not None
    before, after = (msgspec.structs.replace(job, seat=None) for job in (before, after))
    if before == after:
        return "none"
    if seated and before.side_px == after.side_px:  # the shared detector changes under it; its seat stays
        before = msgspec.structs.replace(before, weights_dir=after.weights_dir)
    return "take_over" if _lasting(before) == _lasting(after) else "restart"


def _lasting(job: CameraJob) -> CameraJob:
    """A job without all that can be taken over; what is not named here asks for a restart."""
    return msgspec.structs.replace(
        job, config_version="", timezone="UTC", settings=(), schedules=(),
        camera=msgspec.structs.replace(job.camera, name={}, zones=(), rules=()),
        pipeline=msgspec.structs.replace(job.pipeline, name={}),
        hca=msgspec.structs.replace(job.hca, name={}, grade=HcaGrade.I),
    )  # fmt: skip

"""Camera processes that misbehave, for tests of the supervisor; importable, since they are spawned."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import msgspec

from edge.job import Beat, CameraJob
from monitor.domain.events import CameraState


def misbehave(job: CameraJob, beats: Connection) -> None:
    """Says once that it streams; then hangs or dies, as its camera's source says."""
    beat = Beat(camera_id=job.camera.camera_id, state=CameraState.STREAMING, since=datetime.now(UTC))
    beats.send_bytes(msgspec.msgpack.encode(beat))
    while job.camera.source == "good":
        time.sleep(0.1)
        beats.send_bytes(msgspec.msgpack.encode(beat))
    if job.camera.source == "hangs":
        time.sleep(1000)
    raise SystemExit(7)


def obey(job: CameraJob | None, beats: Connection) -> None:
    """Goes on with each job that it is given, says by which it looks, and ends when its camera is taken away."""
    while job is not None:
        beat = Beat(camera_id=job.camera.camera_id, state=CameraState.STREAMING, since=datetime.now(UTC),
                    reason=job.config_version)  # fmt: skip
        beats.send_bytes(msgspec.msgpack.encode(beat))
        if beats.poll(0.05):
            job = beats.recv()

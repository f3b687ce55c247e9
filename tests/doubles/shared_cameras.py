"""An edge's cameras at a real shared detector, without their streams: jobs with seats, and somebody who keeps it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from edge.detector_keeper import DetectorKeeper
from edge.job import CameraJob
from edge.scheduling import Occasion
from edge.shared_detector import detector_for
from edge.worker import EdgeSettings, camera_jobs
from models.detector import Detector
from monitor.domain.assets import Camera
from monitor.domain.levels import HcaGrade
from tests.doubles.edge_things import NAME, city


def jobs_for(
    folder: Path, grades: dict[str, HcaGrade], weights_dir: Path | None = None
) -> tuple[CameraJob, ...]:
    """Jobs of cameras that have no stream, by name and grade; in ONNX Runtime, which is there everywhere."""
    cameras = [
        Camera(camera_id=camera_id, edge_id="edge-1", site_id="hca-1", name=NAME, source="none")
        for camera_id in grades
    ]
    settings = EdgeSettings(
        data_dir=folder, mqtt_host="127.0.0.1", mqtt_port=1, centre_url="http://127.0.0.1:1", edge_token="t",
        weights_dir=weights_dir, backend="onnxruntime",
    )  # fmt: skip
    jobs = camera_jobs(city(*cameras), "edge-1", settings)
    return tuple(
        msgspec.structs.replace(job, hca=msgspec.structs.replace(job.hca, grade=grades[job.camera.camera_id]))
        for job in jobs
    )


class KeptDetector:
    """A shared detector, kept by a thread as the worker keeps it, and its cameras' ends."""

    def __init__(self, jobs: tuple[CameraJob, ...], keeper: DetectorKeeper | None = None) -> None:
        self.keeper = keeper or DetectorKeeper()
        self.jobs = self.keeper.seated(jobs)
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.keeper.stop()

    def _keep(self) -> None:
        while not self._stop.wait(0.05):
            with self._lock:
                self.keeper.poll()

    def change(self, jobs: tuple[CameraJob, ...]) -> None:
        """Other cameras from now on."""
        with self._lock:
            self.jobs = self.keeper.seated(jobs)

    def cameras(self, occasion: Occasion = Occasion.MOTION) -> dict[str, Detector]:
        """Each camera's detector, when the shared one serves."""
        found = {job.camera.camera_id: detector_for(job, lambda: occasion) for job in self.jobs}
        for detector in found.values():
            detector.warm_up()
        return found


def until(condition: Callable[[], object], timeout_s: float = 120.0) -> None:
    """Wait for something that a busy machine may take long for."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)

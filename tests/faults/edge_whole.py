"""Runs a seed with the whole worker: camera over RTSP, decoder, tracker, detector, evidence, and real kills.

The clip is rendered by the project itself: an excavator that digs beside the pipeline. The camera is cut by
killing the RTSP server; the clock jumps for all of the worker (`edge_clock`). What the light seeds play by themselves, restarting a camera, the worker does here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from hcawatch.demo.rtsp import RtspServer
from models.scenes.clip import render_demo_clip
from models.scenes.story import Story
from monitor.child import Child as OsChild
from monitor.domain.assets import Camera, City, GroundPoint, Hca, Pipeline
from monitor.domain.events import CameraState
from monitor.domain.geometry import LocalFrame
from monitor.domain.levels import HcaGrade
from tests.doubles.edge_things import NAME, city
from tests.faults import edge_children, edge_clock
from tests.faults.edge_disk import Disk
from tests.faults.edge_plan import Fault, FaultKind, Plan
from tests.faults.edge_processes import RESTART_S, Child
from tests.faults.edge_seed import EDGE, Run
from tests.faults.edge_whole_worker import JOURNALS

PLACE: Final = LocalFrame((121.5, 31.2))
#: digs from before the first frame to after the last one; the server plays it round and round
DIGGING: Final = Story(
    enter_s=-20.0, stop_s=-12.0, dig_s=-11.0, fold_s=60.0, leave_s=62.0, gone_s=75.0, duration_s=8.0
)
CAMERA: Final = "field"
#: imports, a detector that loads, the rule's dwell: all this on a busy machine
FIRST_EVENT_S: Final = 240.0


class _Worker:
    """The worker's process, started again when it dies, as its service manager would."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str]) -> None:
        self._command, self._log, self._env = command, log, {**os.environ, **env}
        self._process: OsChild | None = None
        self._next_s = 0.0
        self.deaths: list[int] = []

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def care(self) -> bool:
        if self._process is not None and (status := self._process.exit_code()) is not None:
            self.deaths.append(status)
            self._process, self._next_s = None, time.monotonic() + RESTART_S
        if self._process is None and time.monotonic() >= self._next_s:
            self._process = OsChild(self._command, log=self._log, cwd=Path.cwd(), env=self._env)
            return True
        return False

    def kill(self) -> bool:
        if self._process is None or self._process.exit_code() is not None:
            return False
        self._process.send(signal.SIGKILL)
        self._process.wait(10.0)
        return True

    def stop(self) -> int | None:
        if self._process is None:
            return 0
        self._process.send(signal.SIGTERM)
        status = self._process.wait(60.0)
        self._process.stop()
        self._process = None
        return status

    def cameras(self) -> list[psutil.Process]:
        """The processes of its cameras."""
        if self.pid is None:
            return []
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.pid).children(recursive=True)
            return [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        return []


class _Camera:
    """The camera's process, for which the worker cares."""

    def __init__(self, worker: _Worker) -> None:
        self._worker, self.deaths = worker, list[int]()

    @property
    def pid(self) -> int | None:
        return next((c.pid for c in self._worker.cameras()), None)

    def care(self) -> bool:
        return False

    def kill(self) -> bool:
        with contextlib.suppress(psutil.Error):
            for process in self._worker.cameras():
                process.kill()
                return True
        return False

    def stop(self) -> int | None:
        return 0


class WholeRun(Run):
    """One whole seed while it runs."""

    whole = True

    def __init__(
        self, plan: Plan, disk: Disk, folder: Path, clip: Path, truth: dict[str, Any], clock: Path | None
    ) -> None:
        super().__init__(plan, disk, folder, "")
        self._clock = clock
        self._rtsp = RtspServer(clip.parent, log=folder / "rtsp.log")
        self._rtsp.start()
        where = _town(truth, self._rtsp.url(clip.name, endless=True))
        (folder / "city.json").write_bytes(msgspec.json.encode(where))
        (folder / "settings.json").write_bytes(msgspec.json.encode({
            "data_dir": str(disk.data_dir), "mqtt_host": "127.0.0.1", "mqtt_port": self._job.mqtt_port,
            "mqtt_user": EDGE, "mqtt_password": self._job.mqtt_password, "centre_url": self._job.centre_url,
            "edge_token": "t", "backend": "onnxruntime",
        }))  # fmt: skip
        command = [sys.executable, "-m", "tests.faults.edge_whole_worker", str(folder / "city.json"),
                   str(folder / "settings.json"), EDGE]  # fmt: skip
        env = {JOURNALS: str(folder), **edge_clock.environment(clock, self._job.switches)}
        self._worker = worker = _Worker(command, folder / "worker.log", env)
        self._cameras = [_Camera(worker)]

    def _begin(self) -> None:
        """Faults strike once the whole chain has worked."""
        self._wait("no event came", lambda: self._centre.kinds["event"] > 0)

    def _all_ready(self) -> bool:
        return self._centre.states.get(CAMERA) is CameraState.STREAMING and self._cameras[0].pid is not None

    def _jump(self, fault: Fault) -> None:
        if self._clock is not None:
            super()._jump(fault)

    def _cut_camera(self, camera: int, *, cut: bool) -> None:
        if cut and self._rtsp.is_alive():
            self._rtsp.kill()
            self._count(FaultKind.CAMERA_CUT)
        elif not cut and not self._rtsp.is_alive():
            self._rtsp.start()

    def _end_cameras(self) -> None:
        """The camera is back; then the worker stops in order, and what is left leaves by a light one."""
        self._wait("the camera did not come back", self._all_ready)
        status = self._worker.stop()
        if status != 0:
            self._other.append(f"the worker ended with status {status}")
        self._died_of_itself()
        self._worker = Child(edge_children.worker, (self._job,))
        self._cameras = []

    def _died_of_itself(self) -> None:
        killed = [s for s in self._worker.deaths if s != -signal.SIGKILL]
        if killed and not any(f.kind is FaultKind.DISK_FULL for f in self._plan.faults):
            self._other.append(f"the worker died with status {killed}")

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + FIRST_EVENT_S
        while not condition():
            self._care()
            if time.monotonic() > deadline_s:
                self._other.append(f"{what} within {FIRST_EVENT_S:.0f} s")
                return
            time.sleep(0.05)

    def _close(self) -> None:
        super()._close()
        self._rtsp.stop()


def digging(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The rendered clip and its truth, made once a run."""
    clip, truth = folder / "clips" / "digging.mp4", folder / "truth.json"
    if not truth.exists():
        clip.parent.mkdir(parents=True, exist_ok=True)
        render_demo_clip(clip, truth, DIGGING)
    return clip, json.loads(truth.read_text())


def _town(truth: dict[str, Any], source: str) -> City:
    line = tuple(PLACE.to_lonlat((e, n)) for e, n in truth["centreline"]["east_north_m"])
    east, north, _ = truth["camera"]["position_enu_m"]
    field = Camera(
        camera_id=CAMERA, edge_id=EDGE, site_id="hca-1", name=NAME, source=source, footage="simulated",
        position=PLACE.to_lonlat((east, north)),
        frame_size_px=(truth["camera"]["width_px"], truth["camera"]["height_px"]),
        ground_points=tuple(
            GroundPoint(pixel=tuple(p["pixel"]), lonlat=PLACE.to_lonlat(tuple(p["east_north_m"])))
            for p in truth["ground_points"]
        ),
    )  # fmt: skip
    hca = Hca(site_id="hca-1", pipeline_id="p-1", name=NAME, grade=HcaGrade.III, from_m=0, to_m=200)
    pipeline = Pipeline(pipeline_id="p-1", name=NAME, centreline=line)
    return msgspec.structs.replace(city(field), pipelines=(pipeline,), hcas=(hca,))

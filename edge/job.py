"""What one camera's process is told, and what it says back: plain values that cross the process border."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import msgspec

from edge.seat import CameraEnd
from monitor.domain.assets import Camera, City, Hca, Pipeline
from monitor.domain.events import CameraState
from monitor.domain.hours import Schedule
from monitor.domain.rulebook import RuleSetting


class CameraJob(msgspec.Struct, frozen=True, kw_only=True):
    """All that a camera's process needs. Holds at most this camera's credential, and never shows it."""

    edge_id: str
    camera: Camera
    hca: Hca
    pipeline: Pipeline
    networks: tuple[str, ...]
    timezone: str
    config_version: str
    #: what is set of rules for this camera, the edge's own settings included
    settings: tuple[RuleSetting, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    data_dir: Path
    weights_dir: Path | None
    #: longer side of its network's input; None: the card's own is not looked at
    side_px: int | None = None
    #: what runs the detector (`models.backends`), chosen before the first camera starts
    backend: str = "onnxruntime"
    #: ONNX Runtime's execution providers beside the CPU's
    providers: tuple[str, ...] = ()
    credentials: dict[str, str]
    #: files play as if they had been live since then (Unix seconds); None: the worker remembers by itself
    files_live_since_s: float | None = None
    parent_pid: int
    #: its seat at the detector that the edge's cameras share; None: the camera has its own
    seat: CameraEnd | None = None

    def __repr__(self) -> str:
        return f"CameraJob({self.camera.camera_id!r})"

    @property
    def outbox_path(self) -> Path:
        """The outbox that all processes of this edge share."""
        return outbox_path(self.data_dir)


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A camera process's sign of life."""

    camera_id: str
    state: CameraState
    since: datetime
    reason: str = ""
    frames: int = 0
    looks: int = 0
    dropped: int = 0
    broken: int = 0
    #: looks of the detector since the process began: asked for, had, and why not
    asked: int = 0
    served: int = 0
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    detector: dict[str, str] = msgspec.field(default_factory=dict)


def outbox_path(data_dir: Path) -> Path:
    """Where the outbox lies."""
    return data_dir / "outbox.sqlite"


def evidence_dir(data_dir: Path) -> Path:
    """Where evidence waits for its upload."""
    return data_dir / "evidence"


def config_version(city: City) -> str:
    """A version for a configuration that has no number yet: the hash of what it says."""
    return "sha256-" + hashlib.sha256(msgspec.json.encode(city, order="sorted")).hexdigest()[:12]

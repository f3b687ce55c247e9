"""The edge worker: one process per camera, one publisher, one uploader, on one data folder.

Only wires them and tells the centre how things are. `run` blocks until SIGTERM or SIGINT; then the minutes
are closed and the outbox is left as it is: what was numbered is there at the next start.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import filelock
import httpx
import msgspec
import structlog
from uuid_utils import uuid7

from edge import load
from edge.backend import backend_for
from edge.configuration import of_file, own_of
from edge.configuring import Configuring
from edge.detector_keeper import DetectorKeeper
from edge.errors import AlreadyRunning, OutboxRefused, PartHopeless
from edge.evidence import EvidenceStore
from edge.job import CameraJob, config_version, evidence_dir, outbox_path
from edge.keeper import Keeper
from edge.logs import configure
from edge.model_care import ModelCare
from edge.outbox import SqliteOutbox
from edge.parts import Part
from edge.publisher import MqttAccess, Publisher
from edge.supervisor import Supervisor
from edge.taken_away import end_episodes
from edge.uploader import TIMEOUT_S, Uploader
from models.backends import AUTO
from models.errors import ModelRefused
from models.registry import find, read_card
from models.shipped import sentence
from monitor.domain.assets import City
from monitor.domain.edge_config import EdgeConfiguration
from monitor.domain.events import EdgeStatus, encode
from monitor.domain.rulebook import merged
from monitor.domain.violations import RULES, UNEXPLAINED, alarm_classes

STATUS_S: Final = 10.0
#: an orderly stop waits no longer than this for receipts and uploads
DRAIN_S: Final = 4.0
POLL_S: Final = 0.2

log = structlog.get_logger()


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs beside the configuration. Holds secrets; it never shows them."""

    data_dir: Path
    mqtt_host: str
    mqtt_port: int
    mqtt_user: str | None = None
    mqtt_password: str | None = None
    mqtt_tls_ca: str | None = None
    centre_url: str
    edge_token: str
    #: cameras' credentials by name: "user:password"
    credentials: dict[str, str] = msgspec.field(default_factory=dict)
    weights_dir: Path | None = None
    #: longer side of its network's input, by its card
    side_px: int | None = None
    #: what runs the detector: a name of `models.backends`, or "auto" for the fastest
    backend: str = AUTO
    #: ONNX Runtime's execution providers beside the CPU's, best first
    providers: tuple[str, ...] = ()
    #: version of the configuration; without one its hash is used
    config_version: str | None = None
    #: folder and hash of the edge's own file
    config_dir: Path = Path()
    file_sha256: str = ""
    #: files play as if they had been live since then (Unix seconds)
    files_live_since_s: float | None = None
    #: share of the data folder's disk that evidence may use while it waits (0..1)
    disk_share: float = 0.5

    def __repr__(self) -> str:
        return f"EdgeSettings(data_dir={str(self.data_dir)!r}, mqtt={self.mqtt_host}:{self.mqtt_port}, <secrets hidden>)"


def run(city: City, edge_id: str, settings: EdgeSettings) -> int:
    """Watch all cameras of this edge until told to stop; the exit status.

    1 if nothing can reach the centre any more, so that the service manager starts it anew.

    Raises:
        KeyError: the city has no such edge.
        AlreadyRunning: another worker owns the data folder.
        OutboxUnusable: the outbox can't be opened.
    """
    configure()
    own = own_of(city, edge_id, settings.credentials, settings.config_dir.absolute())
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(settings.data_dir / "worker.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as exc:
        raise AlreadyRunning(str(settings.data_dir)) from exc
    stop = threading.Event()
    before = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        tell_silent_classes(settings.weights_dir)
        backend = backend_for(settings.backend, settings.weights_dir, settings.providers, settings.data_dir)
        settings = msgspec.structs.replace(settings, backend=backend)
        configuring = Configuring(
            own, of_file(city, edge_id, settings.config_version or config_version(city)),
            data_dir=settings.data_dir, file_sha256=settings.file_sha256,
        )  # fmt: skip
        Worker(edge_id, configuring, settings, own.networks).run(stop)
    except PartHopeless as exc:
        log.critical("edge_hopeless", edge=edge_id, error=str(exc))
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        lock.release()
    return 0


def tell_silent_classes(weights_dir: Path | None) -> None:
    """Log each class that raises no alarm with these weights, so that nobody waits for one.

    Also those that rules want and that the card doesn't speak of: other names silence rules as surely.
    """
    try:
        card = read_card(weights_dir or find(None))
    except ModelRefused:  # each camera's own error, told when it loads them
        return
    for silent in card.shipping.silent:
        log.warning(
            "class_raises_no_alarm", object_class=silent.class_name, reason=silent.why.value,
            boxes=silent.boxes, ap50=silent.ap50, model=card.name, what=sentence(silent, "en"),
        )  # fmt: skip
    told = {silent.class_name for silent in card.shipping.silent}
    alarms = alarm_classes(card.shipping.shipped) & set(card.classes)
    wanted = frozenset().union(*(rule.classes for rule in RULES)) - {UNEXPLAINED}
    for name in sorted(wanted - alarms - told):
        known = name in card.classes
        log.warning(
            "class_raises_no_alarm", object_class=name, model=card.name, reason="not_shipped_by_name" if known else "unknown_to_model",
            what=f"{name}: {'its rule wants a card that ships it by name' if known else 'this model knows no such class'}, raises no alarm",
        )  # fmt: skip


def camera_jobs(city: City, edge_id: str, settings: EdgeSettings) -> tuple[CameraJob, ...]:
    """What each camera's process of this edge is told; KeyError if the city has no such edge."""
    own = own_of(city, edge_id, settings.credentials, settings.config_dir)
    version = settings.config_version or config_version(city)
    return jobs_of(of_file(city, edge_id, version), own.networks, settings)


def jobs_of(
    configuration: EdgeConfiguration, networks: tuple[str, ...], settings: EdgeSettings
) -> tuple[CameraJob, ...]:
    """What each camera's process is told; `networks` are those of the edge's own file."""
    edge_id, jobs = configuration.edge_id, []
    hcas = {hca.site_id: hca for hca in configuration.hcas}
    pipelines = {pipeline.pipeline_id: pipeline for pipeline in configuration.pipelines}
    for camera in configuration.cameras:
        hca = hcas[camera.site_id]
        own = {k: v for k, v in settings.credentials.items() if k == camera.credential}
        jobs.append(
            CameraJob(
                edge_id=edge_id, camera=camera, hca=hca, pipeline=pipelines[hca.pipeline_id],
                networks=networks, timezone=configuration.timezone, config_version=configuration.config_version,
                settings=merged(configuration.rules, camera.rules), schedules=configuration.schedules,
                backend=settings.backend,
                data_dir=settings.data_dir, weights_dir=settings.weights_dir, side_px=settings.side_px, credentials=own,
                providers=settings.providers,
                files_live_since_s=settings.files_live_since_s, parent_pid=os.getpid(),
            )
        )  # fmt: skip
    return tuple(jobs)


class Worker:
    """The running parts of one edge."""

    def __init__(
        self, edge_id: str, configuring: Configuring, settings: EdgeSettings, networks: tuple[str, ...]
    ) -> None:
        self._edge_id, self._started_at = edge_id, datetime.now(UTC)
        self._version = _version()
        self._configuring, self._settings, self._networks = configuring, settings, networks
        path = outbox_path(settings.data_dir)
        self._outbox = SqliteOutbox(path)
        store = EvidenceStore(evidence_dir(settings.data_dir))
        store.sweep(self._outbox.evidence.names())
        self._detector, self._load = DetectorKeeper(), load.Load()

        def client() -> httpx.Client:
            return httpx.Client(base_url=settings.centre_url, timeout=TIMEOUT_S, trust_env=False,
                                headers={"Authorization": f"Bearer {settings.edge_token}"})  # fmt: skip

        self._model = ModelCare(
            settings.data_dir, settings.weights_dir, settings.backend, lambda: configuring.force.model, client
        )
        self._supervisor = Supervisor(
            self._jobs(), heard=lambda: self._publisher.current.nudge(),
            detector_serves=lambda: self._detector.serves,
        )  # fmt: skip
        access = MqttAccess(
            host=settings.mqtt_host, port=settings.mqtt_port, user=settings.mqtt_user, password=settings.mqtt_password,
            tls_ca=Path(settings.mqtt_tls_ca) if settings.mqtt_tls_ca else None,
        )  # fmt: skip

        def opened() -> SqliteOutbox:
            return SqliteOutbox(path)

        self._publisher = Part("publisher", lambda: Publisher(
            edge_id, access, opened, hear_configuration=configuring.hear), vital=True)  # fmt: skip
        self._uploader = Part("uploader", lambda: Uploader(
            edge_id, client(), store.folder, opened, busy=lambda: self._publisher.current.busy))  # fmt: skip
        self._keeper = Part("keeper", lambda: Keeper(
            edge_id, store, path, opened, cameras=len(configuring.force.cameras), share=settings.disk_share,
            sending=lambda: self._uploader.current.sending))  # fmt: skip
        self._parts = (self._publisher, self._uploader, self._keeper, self._model.fetcher)

    def run(self, stop: threading.Event) -> None:
        """Until told to stop: care for the cameras, tell the status."""
        log.info("edge_started", edge=self._edge_id, epoch=self._outbox.epoch, version=self._version)
        self._detector.poll()  # children first: they are made before there are threads
        self._supervisor.poll(0.0)
        for part in self._parts:
            part.start()
        next_status_s = 0.0
        try:
            while not stop.is_set():
                self._detector.poll()
                changed = self._supervisor.poll(POLL_S)
                changed = self._note_load() or changed
                for part in self._parts:
                    changed = part.care() or changed
                if (news := self._configuring.take()) is not None:
                    changed = True
                    if news:
                        self._supervisor.apply(self._jobs())
                changed = self._care_for_model() or changed
                if changed or time.monotonic() >= next_status_s:
                    next_status_s = time.monotonic() + STATUS_S
                    self._end_of_removed()
                    self._tell_status()
        finally:
            self._supervisor.stop()
            self._detector.stop()
            self._drain()
            self._uploader.current.stop()
            self._keeper.current.stop()
            self._model.fetcher.current.stop()
            self._tell_status()
            self._publisher.current.stop()
            self._outbox.close()
            log.info("edge_stopped", edge=self._edge_id)

    def _end_of_removed(self) -> None:
        """End what is still told of cameras that are gone, and whose own processes could not."""
        force = self._configuring.force
        cameras = {camera.camera_id for camera in force.cameras} | self._supervisor.statuses().keys()
        try:
            end_episodes(self._outbox, cameras, config_version=force.config_version, now=datetime.now(UTC),
                         new_id=lambda: str(uuid7()))  # fmt: skip
        except OutboxRefused as exc:  # the next round tells them
            log.error("episodes_not_ended", error=str(exc))

    def _note_load(self) -> bool:
        """Note what the detector had to do; whether it became overloaded, or no longer is."""
        before = self._load.overloaded_since
        self._load = load.noted(self._load, self._supervisor.counted(), time.monotonic(), datetime.now(UTC))
        since = self._load.overloaded_since
        if since == before:
            return False
        looks = load.told(self._load, shared=self._detector.shares).cameras
        tell = log.warning if since else log.info
        tell("detector_overloaded" if since else "detector_keeps_up",
             looks={camera: f"{one.served}/{one.asked}" for camera, one in looks.items()})  # fmt: skip
        return True

    def _jobs(self) -> tuple[CameraJob, ...]:
        """What the cameras' processes are told now, each with its seat at the detector."""
        force, cameras, detector = self._configuring.force, *self._model_settings()
        seated = self._detector.seated(jobs_of(force, self._networks, detector))
        if cameras == detector:
            return seated
        # another detector loads: cameras name the one that looks
        jobs = jobs_of(force, self._networks, cameras)
        return tuple(
            msgspec.structs.replace(job, seat=seat.seat) for job, seat in zip(jobs, seated, strict=True)
        )

    def _model_settings(self) -> tuple[EdgeSettings, EdgeSettings]:
        """With the weights that cameras use, and with those that the shared detector is to have."""
        (used, used_px), (coming, coming_px) = self._model.weights, self._model.for_detector
        return (
            msgspec.structs.replace(self._settings, weights_dir=used, side_px=used_px),
            msgspec.structs.replace(self._settings, weights_dir=coming, side_px=coming_px),
        )

    def _care_for_model(self) -> bool:
        """Go on with the way from one detector to another; whether there is news. The old one looks while the new one
        loads; cameras hear of it when it serves, and one without a shared detector starts again with it."""
        serves = not self._detector.shares or self._detector.serves_as_wanted
        step = self._model.care(serves_as_wanted=serves, deaths=self._detector.restarts)
        if step == "finish":
            self._supervisor.apply(self._jobs())
        elif step != "nothing":
            self._jobs()  # the detector hears what it is to have; cameras stay as they are
        return step != "nothing"

    def _drain(self) -> None:
        """Let the last words and their evidence arrive if the centre is there; what doesn't waits on disk."""
        deadline_s = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OutboxRefused):
                summary = self._outbox.summary()
                if summary.unreceipted == 0 and summary.evidence_pending == 0:
                    return
            time.sleep(0.05)

    def _tell_status(self) -> None:
        try:
            self._publisher.current.status(encode(self.status()))
        except (
            OutboxRefused
        ) as exc:  # a full or failing disk may not even be read; the next status may be told
            log.error("status_not_told", error=str(exc))

    def status(self) -> EdgeStatus:
        """How things are."""
        summary = self._outbox.summary()
        return EdgeStatus(
            edge_id=self._edge_id, epoch=summary.epoch, at=datetime.now(UTC), started_at=self._started_at,
            version=self._version, config_version=self._configuring.force.config_version, queue_depth=summary.unreceipted,
            last_seq=summary.last_seq, evidence_pending=summary.evidence_pending,
            detector=self._supervisor.detector(), cameras=self._supervisor.statuses(),
            load=load.told(self._load, shared=self._detector.shares),
            troubles=(*(part.trouble for part in self._parts if part.trouble), *load.troubles(self._load), *self._model.troubles),
            disk={} if (disk := self._keeper.current.disk) is None else msgspec.structs.asdict(disk),
            config_number=self._configuring.number, answer=self._configuring.answer,
            model=self._model.status(),
        )  # fmt: skip


def _version() -> str:
    try:
        return importlib.metadata.version("hcawatch")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"

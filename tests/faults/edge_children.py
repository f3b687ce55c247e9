"""The edge's processes in a fault run: one plays a camera and numbers, one publishes, uploads and keeps the disk.

Outbox, loss counter, evidence store, publisher, uploader and keeper are the real ones; only waits are shorter, so
that what takes minutes beside a pipeline takes a second here. Both die by SIGKILL at any moment.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import structlog

from edge import evidence_queue as edge_queue
from edge import keeper as edge_keeper
from edge import publisher as edge_publisher
from edge import uploader as edge_uploader
from edge.errors import EvidenceRefused, OutboxRefused, OutboxUnusable
from edge.evidence import EvidenceStore
from edge.evidence_queue import PendingEvidence
from edge.job import evidence_dir, outbox_path
from edge.keeper import Keeper
from edge.losses import LossCounter
from edge.orphans import ORPHAN, die_with_parent
from edge.outbox import Make, SavedEpisode, SqliteOutbox
from edge.publisher import MqttAccess
from edge.uploader import Uploader
from monitor.domain.events import Numbered, RiskEvent, WatchRecord
from tests.doubles.edge_things import NOON, event
from tests.faults import edge_sabotage
from tests.faults.edge_shared import WORKER, Journal, Line, Switches

#: Exit statuses by which a child says what happened to it.
UNUSABLE: Final = 11
#: Waits of the real parts, and what they are here: some twenty to sixty times shorter.
SHORTER: Final[tuple[tuple[Any, str, float], ...]] = (
    (edge_publisher, "RESEND_S", 0.6),
    (edge_publisher, "LONGEST_RESEND_S", 4.0),
    (edge_publisher, "RECONNECT_S", 0.05),
    (edge_publisher, "LONGEST_RECONNECT_S", 0.3),
    (edge_uploader, "ANNOUNCED_SOON_S", 0.03),
    (edge_uploader, "FIRST_WAIT_S", 0.05),
    (edge_uploader, "IDLE_S", 0.02),
    (edge_uploader, "UNUSABLE_S", 0.05),
    (edge_publisher, "UNUSABLE_S", 0.05),
    (edge_uploader, "LONGEST_WAIT_S", 2.0),
    (edge_queue, "LONGEST_WAIT_S", 2.0),
    (edge_keeper, "ROUND_S", 0.05),
)
#: A minute of this run.
MINUTE_S: Final = 0.25
#: A camera numbers messages as fast as it can for so many, then looks for so long.
BURST: Final = (1, 8)
LOOK_S: Final = (0.005, 0.03)
END_SHARE: Final = 0.08
PICTURE_BYTES: Final = (200, 6000)
#: of a disk of 16 MB: so little that a backlog of pictures is shed now and then
DISK_SHARE: Final = 0.03


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What both processes are told."""

    seed: int
    edge_id: str
    data_dir: Path
    journals: Path
    switches: Path
    mqtt_port: int
    mqtt_password: str
    centre_url: str
    #: the process of the run: without it there is nothing to do
    run_pid: int
    #: begin of the run, in this machine's monotonic seconds
    began_s: float
    sabotage: str = ""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """How far a camera has told; kept with each message, so that a restart goes on behind the last one."""

    episode: int = 0
    told: int = 0
    running: bool = False


def _begin(job: Job, log: str) -> tuple[Switches, threading.Event]:
    """What each process does first."""
    die_with_parent(os.getppid())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module, name, value in SHORTER:
        setattr(module, name, value)
    # opened here and kept open until the process dies
    stream = (job.journals / f"{log}.log").open("a", buffering=1)
    os.dup2(stream.fileno(), sys.stderr.fileno())
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    return Switches(job.switches), stop


def _end_without(run_pid: int) -> None:
    """End at once if the run is gone: our parent is the fork server, which outlives it as long as we do."""
    if not Path(f"/proc/{run_pid}").exists():
        os._exit(ORPHAN)


class Fuse:
    """Lets this process die by SIGKILL after so many steps inside SQLite, in whichever connection they fall."""

    def __init__(self) -> None:
        self._left = 0
        self._laid: list[SqliteOutbox] = []

    def light(self, outboxes: list[SqliteOutbox], steps: int) -> None:
        """So many steps are left from now on. A connection is touched once only: while it calls back, the thread
        that uses it holds it and waits for Python's lock, which whoever sets its handler holds."""
        self._left = steps
        for outbox in outboxes:
            if not any(outbox is one for one in self._laid):
                self._laid.append(outbox)
                outbox._db.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


def worker(job: Job, life: int) -> None:
    """Publishes and uploads until told to stop, as `edge.worker` does."""
    switches, stop = _begin(job, f"worker-{life:03}")
    opened: list[SqliteOutbox] = []
    fuse = Fuse()

    def open_outbox() -> SqliteOutbox:
        opened.append(edge_sabotage.outbox(job.sabotage)(outbox_path(job.data_dir)))
        return opened[-1]

    try:
        own, store = open_outbox(), EvidenceStore(evidence_dir(job.data_dir))
        store.sweep(own.evidence.names())
    except (OutboxUnusable, OSError) as exc:  # a full disk: the worker ends, and is started again
        structlog.get_logger().error("worker_ended", error=str(exc))
        sys.exit(UNUSABLE)
    publisher = edge_sabotage.publisher(job.sabotage)(
        job.edge_id,
        MqttAccess(host="127.0.0.1", port=job.mqtt_port, user=job.edge_id, password=job.mqtt_password),
        open_outbox,
    )
    uploader = Uploader(
        job.edge_id, httpx.Client(base_url=job.centre_url, timeout=5.0, trust_env=False, headers={"Authorization": "Bearer t"}),
        store.folder, open_outbox, busy=lambda: publisher.busy, now=lambda: time.time() + switches.clock_off_s,
    )  # fmt: skip
    keeper = Keeper(
        job.edge_id, store, outbox_path(job.data_dir), open_outbox, cameras=1, share=DISK_SHARE,
        sending=lambda: uploader.sending, now=lambda: time.time() + switches.clock_off_s,
    )  # fmt: skip
    publisher.start()
    uploader.start()
    keeper.start()
    while not stop.wait(0.005):
        _end_without(job.run_pid)
        switches.connected = publisher.connected
        if life or publisher.connected:
            switches.set_ready(WORKER, True)
        if steps := switches.take_armed(WORKER):
            fuse.light(list(opened), steps)
    uploader.stop()
    keeper.stop()
    publisher.stop()


def camera(job: Job, index: int, life: int) -> None:
    """Numbers messages and journals what became durable, until told to stop."""
    name = f"camera-{index}-{life:03}"
    switches, stop = _begin(job, name)
    journal = Journal(job.journals / f"{name}.journal")
    journal.write(Line(what="began"))
    try:
        outbox = edge_sabotage.outbox(job.sabotage)(outbox_path(job.data_dir))
        store = EvidenceStore(evidence_dir(job.data_dir))
    except (OutboxUnusable, OSError) as exc:
        structlog.get_logger().error("camera_ended", error=str(exc))
        sys.exit(UNUSABLE)
    playing = _Camera(job, index, random.Random(f"{job.seed}/{name}"), switches, journal, outbox, store)
    playing.play(stop)
    journal.write(Line(what="ended"))


class _Camera:
    """One life of a camera's process."""

    def __init__(
        self,
        job: Job,
        index: int,
        rng: random.Random,
        switches: Switches,
        journal: Journal,
        outbox: SqliteOutbox,
        store: EvidenceStore,
    ) -> None:
        self._job, self._index, self._rng, self._switches = job, index, rng, switches
        self._journal, self._outbox, self._store = journal, outbox, store
        self._name = f"cam-{index}"
        self._losses, self._refused = LossCounter(outbox, job.edge_id, self._now), set[str]()
        (saved,) = outbox.episodes(self._name) or (b"",)
        self._story = msgspec.json.decode(saved, type=Story) if saved else Story()
        self._minute = self._minute_now()
        self._cut, self._fuse = False, Fuse()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._switches.clock_off_s, UTC)

    def _minute_now(self) -> datetime:
        return NOON + timedelta(minutes=int((time.monotonic() - self._job.began_s) / MINUTE_S))

    def play(self, stop: threading.Event) -> None:
        """Until told to stop; then the minutes are closed and the refusals told."""
        for saved in self._outbox.minutes(self._name):
            minute = datetime.fromisoformat(saved.decode())
            if minute < self._minute:  # the same minute goes on
                self._close(minute)
        while not stop.wait(self._rng.uniform(*LOOK_S)):
            _end_without(self._job.run_pid)
            if steps := self._switches.take_armed(self._index):
                self._fuse.light([self._outbox], steps)
            if self._switches.camera_is_cut(self._index):
                self._lose_picture()
            else:
                self._cut = False
                for _ in range(self._rng.randint(*BURST)):
                    if not self._step():
                        break
            self._tick()
            self._settle()
            self._switches.set_ready(self._index, True)
        self._close(self._minute)
        self._settle()

    def _lose_picture(self) -> None:
        if not self._cut:
            self._cut = True
            self._journal.write(Line(what="cut"))
        if self._story.running:
            self._event("end", "source_lost")

    def _step(self) -> bool:
        """The next message of the story; whether it was kept."""
        if not self._story.running:
            return self._event("onset", "onset")
        if self._rng.random() < END_SHARE:
            return self._event("end", "gone")
        return self._event("update", "heartbeat")

    def _event(self, phase: str, reason: str) -> bool:
        before = self._story
        episode = before.episode + (phase == "onset")
        after = Story(episode=episode, told=before.told + 1, running=phase != "end")
        name = f"{self._name}/{after.told}"
        kept = () if phase == "update" else self._picture(name)

        def make(epoch: str, seq: int) -> RiskEvent:
            return event(seq, epoch, phase, event_id=name, edge_id=self._job.edge_id, camera_id=self._name,
                         episode_id=f"{self._name}/ep-{episode}", captured_at=self._now(), reason=reason,
                         evidence=tuple(item.ref for item in kept))  # fmt: skip

        saved = SavedEpisode(camera_id=self._name, episode_id="story", state=msgspec.json.encode(after))
        if not self._tell(name, make, episodes=(saved,), evidence=kept):
            return False
        self._story = after
        return True

    def _picture(self, name: str) -> tuple[PendingEvidence, ...]:
        data = self._rng.randbytes(self._rng.randint(*PICTURE_BYTES))
        try:
            ref, file = self._store.keep_jpeg(data, "snapshot_clean")
        except EvidenceRefused:  # the event itself matters more than its picture
            self._journal.write(Line(what="picture_refused"))
            return ()
        return (PendingEvidence(ref=ref, name=file, event_id=name, camera_id=self._name,
                                announced_at=self._now().timestamp()),)  # fmt: skip

    def _tick(self) -> None:
        """Save the running minute; close it when it is over."""
        minute = self._minute_now()
        if minute != self._minute and not self._close(self._minute):
            return
        self._minute = minute
        with contextlib.suppress(OutboxRefused):
            self._outbox.save_minute(self._name, minute, minute.isoformat().encode())

    def _close(self, minute: datetime) -> bool:
        def make(epoch: str, seq: int) -> WatchRecord:
            return WatchRecord(
                edge_id=self._job.edge_id, epoch=epoch, seq=seq, camera_id=self._name, minute=minute, watched_s=60.0,
                span_s=60.0, frames=1, looks=1, detector_runs=1, detections=0, longest_blind_s=0.0,
                state_s={"streaming": 60.0}, calibration_version="1", config_version="1")  # fmt: skip

        return self._tell(f"{self._name}@{minute.isoformat()}", make, close_minute=(self._name, minute))

    def _tell(self, name: str, make: Make, **more: Any) -> bool:
        def noted(epoch: str, seq: int) -> Numbered:
            nonlocal message
            message = make(epoch, seq)
            return message

        message: Numbered | None = None
        try:
            row = self._outbox.append(noted, **more)
        except OutboxRefused:
            if name not in self._refused:  # tried again at the next look: counted once, as edge.telling does
                self._refused.add(name)
                self._losses.refuse()
                self._journal.write(Line(what="refused", name=name))
            return False
        self._refused.discard(name)
        assert message is not None
        evidence = tuple(item.ref.sha256 for item in more.get("evidence", ()))
        self._journal.write(Line(what="durable", name=name, epoch=message.epoch, seq=row.seq, sha256=row.sha256,
                                 kind=row.kind, evidence=evidence))  # fmt: skip
        return True

    def _settle(self) -> None:
        count = self._losses.refused
        row = self._losses.settle()
        if row is not None:
            self._journal.write(Line(what="told", epoch=self._outbox.epoch, seq=row.seq, sha256=row.sha256,
                                     kind=row.kind, count=count))  # fmt: skip

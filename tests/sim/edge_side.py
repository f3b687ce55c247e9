"""The edge worker: its cameras' processes, the publisher and the uploader, killed and started by the plan.

Tries uploads again by the real rule (`edge.uploader.later_s`); sending is `publisher_side.py`'s matter. What
survives a kill is the outbox and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from edge import watcher
from edge.evidence_queue import PendingEvidence
from edge.ground import ground_of
from edge.rules import Place
from edge.uploader import Outcome, later_s
from monitor.domain.assets import Camera, City
from monitor.domain.events import (
    CameraState,
    CameraStatus,
    EdgeStatus,
    encode,
    topic,
)
from monitor.domain.geometry import Centreline
from tests.sim import scene
from tests.sim.broker import Broker
from tests.sim.camera_side import CONFIG_VERSION, SimCamera
from tests.sim.clock import START, Agenda, Ids
from tests.sim.outbox import Killed, MortalOutbox
from tests.sim.plan import Kill, Plan
from tests.sim.publisher_side import SimPublisher
from tests.sim.story import Outage

STATUS_S = 10.0
UPLOAD_S = 1.0


class SimEdge:
    """See the module."""

    def __init__(
        self,
        city: City,
        plan: Plan,
        agenda: Agenda,
        broker: Broker,
        rng: random.Random,
        ids: Ids,
        upload: Callable[[PendingEvidence], Outcome],
        log: Callable[[str, str], None],
    ) -> None:
        self._city, self._plan, self._agenda, self._broker = city, plan, agenda, broker
        self._rng, self._ids, self._upload, self._log = rng, ids, upload, log
        self.outbox = MortalOutbox(ids(), lambda: agenda.now_s)
        self._setups = {camera.camera_id: _setup(city, camera) for camera in city.cameras}
        self._cameras: dict[str, SimCamera] = {}
        self._last_words: dict[str, CameraStatus] = {}
        self._life = 0
        self.alive = False
        self._armed: Kill | None = None
        #: when each camera was watched by a living process, in true seconds, for the ledger's truth
        self.lives: dict[str, list[Outage]] = {camera.camera_id: [] for camera in city.cameras}
        self._born_s: dict[str, float] = {}
        self._camera_life: dict[str, int] = {}
        self._uploading = False
        for kill in plan.kills:
            agenda.at(kill.at_s, lambda kill=kill: self._kill(kill))  # type: ignore[misc]
        for outage in plan.disk_full:
            agenda.at(outage.from_s, lambda: self._fill(full=True))
            agenda.at(outage.until_s, lambda: self._fill(full=False))

    # ------------------------------------------------------------------ clocks
    def offset_s(self, at_s: float) -> float:
        """By how much the edge's wall clock is off."""
        return sum(jump.by_s for jump in self._plan.jumps if jump.at_s <= at_s)

    def utc(self) -> datetime:
        """The edge's wall clock."""
        now_s = self._agenda.now_s
        return START + timedelta(seconds=now_s + self.offset_s(now_s))

    # ------------------------------------------------------------------ life and death
    def start(self) -> None:
        """The worker starts."""
        self._life += 1
        self.alive = True
        self._started_at = self.utc()
        self._publisher = SimPublisher(self.outbox, self._broker, self._agenda, self._say_status)
        self._log("edge", f"starts, {len(self.outbox.rows)} numbers wait for a receipt")
        for camera in self._city.cameras:
            self._start_camera(camera.camera_id)
        self._while_alive(STATUS_S, self._say_status)
        self._broker.join_edge(self._publisher)
        self._wake()

    def _start_camera(self, camera_id: str) -> None:
        if not self.alive or camera_id in self._cameras:
            return
        plan = self._plan
        self._cameras[camera_id] = SimCamera(
            self._city.camera(camera_id), self._setups[camera_id], self.outbox, self._agenda, plan.story,
            plan.detector, self._rng, self._ids, self.utc)  # fmt: skip
        self._born_s[camera_id] = self._agenda.now_s
        self._camera_life[camera_id] = self._camera_life.get(camera_id, 0) + 1
        self._look_after(camera_id, self._camera_life[camera_id], 0.0)

    def _look_after(self, camera_id: str, life: int, wait_s: float) -> None:
        self._agenda.after(wait_s, lambda: self._look(camera_id, life))

    def _look(self, camera_id: str, life: int) -> None:
        if self._camera_life[camera_id] != life or camera_id not in self._cameras:
            return
        camera = self._cameras[camera_id]
        depth = self.outbox.last_seq
        try:
            wait_s = camera.look()
        except Killed:
            self._carry_out()
            return
        if self._last_words.get(camera_id) != camera.status:
            self._last_words[camera_id] = camera.status
            self._log("edge", f"{camera_id} is {camera.status.state}")
            self._say_status()
        if self.outbox.last_seq != depth:
            self._wake()
        self._look_after(camera_id, life, wait_s)

    def _kill(self, kill: Kill) -> None:
        if not self.alive or (kill.camera_id is not None and kill.camera_id not in self._cameras):
            return
        self._armed, self.outbox.dies = kill, None
        if kill.when == "now":
            self._carry_out()
        else:
            self.outbox.dies = kill.when

    def _carry_out(self) -> None:
        kill = self._armed
        assert kill is not None
        self._armed = None
        self._log(
            "edge", f"kill -9 {kill.camera_id or 'of the worker'} ({kill.when}), down {kill.down_s:.1f} s"
        )
        # whoever was about to write dies, whichever process was meant: then the whole worker does
        if kill.camera_id is None or kill.when != "now":
            for camera_id in list(self._cameras):
                self._bury(camera_id)
            self.alive = False
            self._life += 1
            self._publisher.dead = True
            self._broker.drop_edge()
            self._agenda.after(kill.down_s, self.start)
        else:
            self._bury(kill.camera_id)
            word = CameraStatus(
                state=CameraState.STALLED, since=self.utc(), reason="its process ended; restarting"
            )
            self._last_words[kill.camera_id] = word
            self._say_status()
            self._agenda.after(kill.down_s, lambda: self._start_camera(kill.camera_id or ""))

    def _bury(self, camera_id: str) -> None:
        del self._cameras[camera_id]
        self.lives[camera_id].append(Outage(from_s=self._born_s[camera_id], until_s=self._agenda.now_s))

    def stop_looking(self) -> None:
        """The run is over: nothing new is numbered, what is on its way may arrive."""
        for camera_id in list(self._cameras):
            self._bury(camera_id)

    def _fill(self, *, full: bool) -> None:
        self._log("edge", f"the disk is {'full' if full else 'free again'}")
        self.outbox.full = full

    def _while_alive(self, step_s: float, do: Callable[[], None]) -> None:
        life = self._life

        def again() -> None:
            if life == self._life:
                do()
                self._agenda.after(step_s, again)

        self._agenda.after(step_s, again)

    # ------------------------------------------------------------------ what it tells
    def _wake(self) -> None:
        self._publisher.wake()
        if not self._uploading:
            self._uploading = True
            self._agenda.after(UPLOAD_S, self._upload_round)

    def _say_status(self) -> None:
        if not (self.alive and self._publisher.is_connected):
            return
        summary = self.outbox.summary()
        starting = CameraStatus(state=CameraState.STARTING, since=self._started_at)
        status = EdgeStatus(
            edge_id=scene.EDGE, epoch=summary.epoch, at=self.utc(), started_at=self._started_at, version="sim",
            config_version=CONFIG_VERSION, queue_depth=summary.unreceipted, last_seq=summary.last_seq,
            evidence_pending=summary.evidence_pending, detector={"name": "sim"},
            cameras={c.camera_id: self._last_words.get(c.camera_id, starting) for c in self._city.cameras},
        )  # fmt: skip
        self._broker.from_edge(topic("status", scene.EDGE), encode(status), retain=True)

    # ------------------------------------------------------------------ the uploader
    def _upload_round(self) -> None:
        """One item at a time; sleeps while nothing is pending."""
        self._uploading = False
        if not self.alive:
            return
        now = self.utc().timestamp()
        for item in self.outbox.evidence.due(now):
            outcome = self._upload(item)
            if outcome == "stored":
                self.outbox.evidence.done(item.ref.sha256)
            else:
                self.outbox.evidence.later(item.ref.sha256, now + later_s(outcome, item.attempts))
        if self.outbox.summary().evidence_pending:
            self._uploading = True
            self._agenda.after(UPLOAD_S, self._upload_round)


def _setup(city: City, camera: Camera) -> watcher.Setup:
    hca = city.hca(camera.site_id)
    pipeline = city.pipeline(hca.pipeline_id)
    line = Centreline.of(pipeline.centreline, pipeline.origin_chainage_m)
    return watcher.Setup(camera=camera, place=Place(pipeline=pipeline, hca=hca, centreline=line),
                         ground=ground_of(camera), timezone=ZoneInfo(city.timezone))  # fmt: skip

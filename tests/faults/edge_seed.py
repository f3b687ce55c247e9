"""Runs one light seed: a broker, a centre, real processes of the edge, and the faults of the plan.

The run plays the supervisor (what died is started again) and the bad luck. When the story is over all is
mended; then everything has to arrive, and `edge_truth` judges.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.job import outbox_path
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.doubles.edge_centre import EvidenceServer
from tests.faults import edge_children
from tests.faults.edge_book import Centre
from tests.faults.edge_children import UNUSABLE, Job
from tests.faults.edge_disk import Disk
from tests.faults.edge_plan import Fault, FaultKind, Plan
from tests.faults.edge_processes import Child, Process
from tests.faults.edge_shared import WORKER, Switches, read_journals
from tests.faults.edge_truth import Verdict, judge, shed

EDGE: Final = "edge-1"
#: when all is mended something more must have arrived each time that so long is over: evidence that was cut off
#: five times waits for a minute before it is tried again
REST_S: Final = 90.0
#: … and of an edge that is wrong on purpose nobody waits for what is lost
SABOTAGED_REST_S: Final = 4.0
#: How often a run looks in a second, at least, on a machine that lets it.
TURNS_PER_S: Final = 20
#: the centre comes back so much later than a broker with which it went
CENTRE_LATER_S: Final = 0.35
#: The story's clock while a process is still starting, against the wall's: on a busy machine that takes long.
SLOW: Final = 0.05


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one seed came to; a line of the state file."""

    seed: int
    whole: bool
    verdict: Verdict
    #: faults that really struck, by kind
    struck: dict[str, int]
    #: messages that became durable, and that the centre has, by kind; evidence likewise
    produced: dict[str, int]
    received: dict[str, int]
    came_again: int
    refused: int
    wall_s: float
    #: seconds from the mending to the last receipt
    rest_s: float
    #: pieces of evidence that went because the disk was full
    shed: int = 0


class Run:
    """One seed while it runs."""

    whole = False

    def __init__(self, plan: Plan, disk: Disk, folder: Path, sabotage: str) -> None:
        self._plan, self._disk, self._folder = plan, disk, folder
        folder.mkdir(parents=True)
        self._broker = EmbeddedBroker(folder / "broker", [EDGE])
        self._evidence = EvidenceServer("t")
        self._evidence.announced = set()
        self._broker.start()
        self._centre = Centre(EDGE, self._broker.port, self._broker.passwords["centre"], self._evidence)
        self._switches = Switches(folder / "switches", make=True)
        self._job = Job(
            seed=plan.seed, edge_id=EDGE, data_dir=disk.data_dir, journals=folder, switches=folder / "switches",
            mqtt_port=self._broker.port, mqtt_password=self._broker.passwords[EDGE], centre_url=self._evidence.url,
            run_pid=os.getpid(), began_s=time.monotonic(), sabotage=sabotage,
        )  # fmt: skip
        self._worker: Process = Child(edge_children.worker, (self._job,))
        self._cameras: Sequence[Process] = [
            Child(edge_children.camera, (self._job, i)) for i in range(plan.cameras)
        ]
        self._struck: Counter[str] = Counter()
        self._other: list[str] = []
        self._broker_down = 0

    def _pids(self) -> list[int]:
        return [c.pid for c in (self._worker, *self._cameras) if c.pid is not None]

    def play(self) -> Outcome:
        """The story, the mending, the verdict."""
        began_s = time.monotonic()
        try:
            self._centre.come()
            self._begin()
            self._story()
            self._mend()
            rest_s = self._come_to_rest()
            self._end()
        finally:
            self._close()
        return self._outcome(time.monotonic() - began_s, rest_s)

    def _close(self) -> None:
        for child in (self._worker, *self._cameras):
            child.kill()
        self._centre.end()
        self._broker.stop()
        self._evidence.__exit__()

    # the story

    def _begin(self) -> None:
        """What must have happened before the first fault; here nothing."""

    def _story(self) -> None:
        agenda: list[tuple[float, Callable[[], None]]] = []
        for fault in self._plan.faults:
            agenda += self._steps(fault)
        agenda.sort(key=lambda step: step[0])
        story_s, before_s = 0.0, time.monotonic()
        while story_s < self._plan.lasts_s or agenda:
            self._care()
            now_s = time.monotonic()
            story_s += (now_s - before_s) * (1.0 if self._all_ready() else SLOW)
            before_s = now_s
            while agenda and agenda[0][0] <= story_s:
                agenda.pop(0)[1]()
                # what a fault itself takes, a broker's start above all, is no story
                before_s = time.monotonic()
            time.sleep(0.004)

    def _care(self) -> None:
        for who, child in enumerate((self._worker, *self._cameras), WORKER):
            if child.pid is None:
                self._switches.set_ready(who, False)
                if who == WORKER:
                    self._switches.connected = False
            child.care()
        self._disk.limit(self._pids())  # new ones too; a journal may have put an old limit back

    def _all_ready(self) -> bool:
        """Everybody works; a broker that is there has the edge."""
        at_work = all(self._switches.is_ready(who) for who in range(WORKER, len(self._cameras)))
        return at_work and (self._broker_down > 0 or self._switches.connected)

    def _steps(self, fault: Fault) -> list[tuple[float, Callable[[], None]]]:
        """What to do when: the fault's beginning, and its end if it lasts."""
        camera = self._cameras[fault.camera]
        match fault.kind:
            case FaultKind.CAMERA_KILL:
                return [(fault.at_s, lambda: self._count(fault.kind, camera.kill()))]
            case FaultKind.WORKER_KILL:
                return [(fault.at_s, lambda: self._count(fault.kind, self._worker.kill()))]
            case FaultKind.CAMERA_KILL_INSIDE:
                return [(fault.at_s, lambda: self._switches.arm(fault.camera, int(fault.amount)))]
            case FaultKind.WORKER_KILL_INSIDE:
                return [(fault.at_s, lambda: self._switches.arm(WORKER, int(fault.amount)))]
            case FaultKind.CAMERA_CUT:
                return self._span(fault, lambda: self._cut_camera(fault.camera, cut=True),
                                  lambda: self._cut_camera(fault.camera, cut=False))  # fmt: skip
            case FaultKind.BROKER_CUT | FaultKind.BROKER_WIPED:
                back_s = fault.at_s + fault.for_s + CENTRE_LATER_S
                centre = [(back_s, self._centre.come)] if fault.centre_too else []
                return [*self._span(fault, lambda: self._cut_broker(fault), self._broker_back), *centre]
            case FaultKind.CENTRE_AWAY:
                return self._span(fault, lambda: self._leave(fault), self._centre.come)
            case FaultKind.UPLOAD_CUT:
                return [(fault.at_s, lambda: setattr(self._evidence, "break_after", int(fault.amount)))]
            case FaultKind.DISK_FULL:
                return self._span(fault, self._fill, lambda: self._disk.free(self._pids()))
            case FaultKind.CLOCK_JUMP:
                return [(fault.at_s, lambda: self._jump(fault))]

    @staticmethod
    def _span(
        fault: Fault, begin: Callable[[], None], end: Callable[[], None]
    ) -> list[tuple[float, Callable[[], None]]]:
        return [(fault.at_s, begin), (fault.at_s + fault.for_s, end)]

    def _count(self, kind: FaultKind, struck: bool = True) -> None:
        self._struck[kind.value] += struck

    def _cut_camera(self, camera: int, *, cut: bool) -> None:
        self._switches.cut_camera(camera, cut)  # it counts where the camera notices

    def _jump(self, fault: Fault) -> None:
        self._switches.clock_off_s += fault.amount
        self._count(fault.kind)

    def _fill(self) -> None:
        self._disk.fill(self._pids())
        self._count(FaultKind.DISK_FULL)

    def _leave(self, fault: Fault) -> None:
        self._centre.leave()
        self._count(fault.kind)

    def _cut_broker(self, fault: Fault) -> None:
        if fault.centre_too:
            self._centre.leave()
        self._broker_down += 1
        if self._broker.pid is not None:
            os.kill(self._broker.pid, signal.SIGKILL)
            self._broker.stop()
            self._count(fault.kind)
        if fault.kind is FaultKind.BROKER_WIPED:
            for path in (self._folder / "broker" / "broker").glob("*.db*"):
                path.unlink()

    def _broker_back(self) -> None:
        self._broker_down -= 1
        if self._broker_down == 0 and self._broker.pid is None:
            self._broker.start()

    # the end

    def _mend(self) -> None:
        """Everything works again; a process that was armed and did nothing may die of it still."""
        self._disk.free(self._pids())
        for i in range(len(self._cameras)):
            self._cut_camera(i, cut=False)
        self._evidence.break_after = None
        self._centre.come()
        time.sleep(0.02)
        self._care()

    def _end_cameras(self) -> None:
        """Stop them in order; one that was just killed tells its last words, too."""
        began_s = time.monotonic()
        while not self._all_ready() and time.monotonic() - began_s < REST_S:
            self._care()
            time.sleep(0.005)
        for i, camera in enumerate(self._cameras):
            status = camera.stop()
            if status not in (0, -signal.SIGKILL):  # an armed one may die as late as this
                self._other.append(f"camera {i} ended with status {status}")

    def _come_to_rest(self) -> float:
        """End the cameras, then wait until a receipt covers everything; how long it took, in seconds."""
        began_s = time.monotonic()
        self._end_cameras()
        left, moved_s, turns = self._left(), time.monotonic(), 0
        limit_s = SABOTAGED_REST_S if self._job.sabotage else REST_S
        while sum(left):
            self._worker.care()
            time.sleep(0.01)
            before, left = left, self._left()
            turns += 1
            if left != before:
                moved_s, turns = time.monotonic(), 0
            # our own turns, too: on a machine that gives us none, the edge's processes had none either
            elif time.monotonic() - moved_s > limit_s and turns > limit_s * TURNS_PER_S:
                self._other.append(f"not at rest: {left[0]} messages and {left[1]} pieces of evidence wait")
                break
        return time.monotonic() - began_s

    def _query(self, sql: str) -> Any:
        with contextlib.closing(sqlite3.connect(outbox_path(self._job.data_dir), timeout=10)) as db:
            return db.execute(sql).fetchone()

    def _left(self) -> tuple[int, int]:
        """Messages and evidence that wait."""
        messages, evidence = self._query(
            "SELECT (SELECT count(*) FROM numbered), (SELECT count(*) FROM evidence)"
        )
        return int(messages), int(evidence)

    def _end(self) -> None:
        status = self._worker.stop()
        if status not in (0, -signal.SIGKILL):
            self._other.append(f"the worker ended with status {status}")
        if self._query("PRAGMA integrity_check") != ("ok",):
            self._other.append("the outbox is damaged")

    def _outcome(self, wall_s: float, rest_s: float) -> Outcome:
        self._look_at_deaths()
        lives = list(read_journals(self._folder))
        lines = [line for life in lives for line in life]
        (epoch,) = self._query("SELECT value FROM meta WHERE key = 'epoch'")
        (last_seq,) = self._query("SELECT value FROM meta WHERE key = 'last_seq'")
        self._struck[FaultKind.UPLOAD_CUT.value] = self._evidence.breaks
        self._struck[FaultKind.CAMERA_CUT.value] += sum(line.what == "cut" for line in lines)
        evidence = {sha for line in lines for sha in line.evidence}
        produced = Counter(line.kind for line in lines if line.what in ("durable", "told"))
        gone = shed(self._centre.book)  # told by the worker, which keeps no journal
        received = Counter(self._centre.kinds)
        received["loss"] -= len(gone)
        return Outcome(
            seed=self._plan.seed, whole=self.whole,
            verdict=judge(lives, self._centre.book, last_seq={epoch: int(last_seq)},
                          evidence_stored=self._evidence.stored, other=(*self._other, *self._centre.unreadable)),
            struck={kind: n for kind, n in sorted(self._struck.items()) if n},
            produced={**produced, "evidence": len(evidence)},
            received={**received, "evidence": len(self._evidence.stored)}, shed=len(gone),
            came_again=self._centre.came_again, refused=sum(line.what == "refused" for line in lines),
            wall_s=round(wall_s, 2), rest_s=round(rest_s, 2),
        )  # fmt: skip

    def _look_at_deaths(self) -> None:
        """Killed from outside, killed inside, or of themselves: the last only because the disk was full."""
        for name, child, kinds in (
            *((f"camera {i}", c, (FaultKind.CAMERA_KILL, FaultKind.CAMERA_KILL_INSIDE)) for i, c in enumerate(self._cameras)),
            ("worker", self._worker, (FaultKind.WORKER_KILL, FaultKind.WORKER_KILL_INSIDE)),
        ):  # fmt: skip
            self._struck[kinds[1].value] += child.deaths.count(-signal.SIGKILL)
            filled = any(f.kind is FaultKind.DISK_FULL for f in self._plan.faults)
            wrong = [s for s in child.deaths if s not in (-signal.SIGKILL, UNUSABLE if filled else None)]
            self._other.extend(f"{name} died with status {status}" for status in wrong)
        for outside, inside in ((FaultKind.CAMERA_KILL, FaultKind.CAMERA_KILL_INSIDE),
                                (FaultKind.WORKER_KILL, FaultKind.WORKER_KILL_INSIDE)):  # fmt: skip
            self._struck[inside.value] = max(0, self._struck[inside.value] - self._struck[outside.value])


def play(run: Callable[[], Run], disk: Disk, folder: Path) -> Outcome:
    """Make and run one seed on an empty disk; its files stay in `folder` if it failed."""
    shutil.rmtree(folder, ignore_errors=True)
    disk.clear()
    outcome = run().play()
    if outcome.verdict.right:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome

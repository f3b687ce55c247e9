"""One run: edge, broker, database, centre and people of one plan, wired together and driven by one agenda.

`run(plan)` returns what there is to be judged; `invariants.py` judges it. All chance comes from the plan's
seed, all time from the agenda: the same plan gives the same bytes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

from psycopg import OperationalError

from edge.evidence_queue import PendingEvidence
from edge.uploader import Outcome
from tests.sim import invariants, scene
from tests.sim.broker import Broker
from tests.sim.centre_side import SimCentre
from tests.sim.clock import Agenda, Ids
from tests.sim.database import Database
from tests.sim.edge_side import SimEdge
from tests.sim.people import People
from tests.sim.plan import Plan
from tests.sim.story import Outage

CHECK_S = 120.0
SETTLE_S = 60.0

Log = Callable[[str, str], None]


class World:
    """See the module. `say` gets (simulated second, who, text)."""

    def __init__(self, plan: Plan, say: Callable[[float, str, str], None] = lambda *_: None) -> None:
        self.plan, self.agenda = plan, Agenda()
        self.city = scene.make_city()
        chance = {
            name: random.Random(f"{plan.seed} {name}")
            for name in ("ids", "broker", "db", "edge", "centre", "people")
        }
        self.ids = Ids(self.agenda, chance["ids"])
        self.faults: list[str] = []

        def log(who: str, text: str) -> None:
            say(self.agenda.now_s, who, text)

        self.log: Log = log
        self.broker = Broker(self.agenda, plan, chance["broker"], log)
        self.database = Database(self.agenda, plan, chance["db"])
        self.centre = SimCentre(
            self.city, plan, self.agenda, self.broker, self.database, chance["centre"], self.ids, log
        )
        self.people = People(self.city, plan, self.agenda, self.centre, self.database, chance["people"], log)
        self.broker.phones.append(self.people.message)
        self._web = random.Random(f"{plan.seed} web")
        self.edge = SimEdge(
            self.city, plan, self.agenda, self.broker, chance["edge"], self.ids, self._upload, log
        )

    def _upload(self, item: PendingEvidence) -> Outcome:
        """`PUT /api/v1/evidence/…`: over the same bad line, but not through the broker."""
        agenda, plan = self.agenda, self.plan
        cut = any(o.covers(agenda.now_s) for o in plan.link_outages)
        if cut or not self.centre.alive:
            return "unreachable"
        try:
            return "stored" if self.database.keep_evidence(item.ref.sha256, agenda.utc) else "not_announced"
        except OperationalError:
            return "refused"

    def run(self) -> World:
        """From the first second to the last; what is found wrong is in `faults`."""
        for permit in self.plan.permits:
            self.database.book.add_permit(permit)
        self.centre.start()
        self.edge.start()
        self.agenda.every(CHECK_S, self._check)
        self.agenda.run_until(self.plan.story.ends_s)
        self.edge.stop_looking()
        self.agenda.run_until(self.plan.story.ends_s + SETTLE_S)
        self.database.sign_head()
        self.faults += invariants.at_the_end(self)
        return self

    def nobody_could_be_sent(self) -> list[Outage]:
        """Never: two officers are enough for this place."""
        return []

    def _check(self) -> None:
        for fault in invariants.on_the_way(self):
            if fault not in self.faults:
                self.faults.append(fault)
                self.log("CHECK", fault)


def digest(world: World) -> str:
    """Hash of all that a run leaves behind, byte for byte: log, numbers, ledger, alerts, dispatches, messages."""
    rows, book = world.database.store_tables, world.database.book.tables
    left = hashlib.sha256()
    for leaf in world.database.leaves:
        left.update(leaf)
    for table in (
        rows.numbers,
        rows.watch,
        book.alerts,
        book.moves,
        book.dispatches,
        book.timers,
        book.escalations,
        book.told,
        book.outgoing,
    ):
        for key, row in table.items():
            left.update(f"{key!r} {row!r}\n".encode())
    return left.hexdigest()


def run(plan: Plan, say: Callable[[float, str, str], None] = lambda *_: None) -> World:
    """The world after this plan."""
    return World(plan, say).run()

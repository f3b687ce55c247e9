"""Officers with phones, an operator and a supervisor. They act through the engine's public face only.

A request may fail, or its answer may get lost: the phone asks again under the same key. What the loop refuses
meanwhile (recalled, gone dark) is given up. Nobody knows anything but what messages and pages tell.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import psycopg

from alerts.engine import AlertEngine
from alerts.errors import AlertsError, Conflict
from alerts.lifecycle import AlertKind, NotAllowed, State, Step
from alerts.reasons import Health
from alerts.recipients import ROOM
from alerts.values import Actor, Alert
from monitor.domain.assets import City
from monitor.domain.levels import Level
from monitor.domain.roles import Role
from tests.sim.clock import Agenda
from tests.sim.database import Database
from tests.sim.plan import Plan

AGAIN_S = 3.0
_LIE = "resolve without evidence"
_ON_THE_WAY = (State.DISPATCHED, State.ACCEPTED, State.EN_ROUTE)
POLL_S = 60.0
#: how far off who lies says that they arrived, in degrees, and when they go there after all
LIE_DEG, REPENTS_S = 0.05, 3600.0
OPERATOR = Actor(user="olga", role=Role.OPERATOR)
SUPERVISOR = Actor(user="sun", role=Role.SUPERVISOR)
#: alerts of the watching itself that clear only by hand
_BY_HAND = frozenset({Health.DEAD_LETTER, Health.LOSS, Health.SAME_NUMBER_OTHER_HASH, Health.WORK_FAILED})


class Centre(Protocol):
    """Where requests go; the engine of the running process."""

    alive: bool
    engine: AlertEngine

    def stepped(self) -> None: ...


class People:
    """All of them."""

    def __init__(
        self, city: City, plan: Plan, agenda: Agenda, centre: Centre, database: Database, rng: random.Random,
        log: Callable[[str, str], None], look_s: float = POLL_S,
    ) -> None:  # fmt: skip
        """`look_s`: how often phones look at their page."""
        self._plan, self._agenda, self._centre, self._db = plan, agenda, centre, database
        self.look_s = look_s
        self._rng, self._log = rng, log
        #: (user, how the engine answered) of those who tried to verify what they resolved
        self.refused_verifications = 0
        self.wrong_verifications: list[str] = []
        self.phones = [
            _Phone(self, Actor(user=member.user, role=Role.OFFICER, team_id=team.team_id), city)
            for team in city.teams
            for member in team.members
        ]
        self._done: set[tuple[str, str]] = set()
        self._declined: set[str] = set()
        agenda.every(POLL_S, self._operator_looks)
        agenda.every(2 * POLL_S, self._supervisor_looks)

    def message(self, topic: str, payload: bytes) -> None:
        """What the broker brings to all phones."""
        if topic.endswith(f"/{ROOM}"):
            self._rung(msgspec.json.decode(payload))
        for phone in self.phones:
            if topic.endswith(f"/{phone.actor.team_id}"):
                phone.hear(msgspec.json.decode(payload))

    def _rung(self, body: dict[str, Any]) -> None:
        """The room's telephone: who hears it looks at the alert, once a clock; a supervisor always hears."""
        if body["what"] == "shelf_ended":
            return
        if body["what"] == "escalations":
            common = {name: body[name] for name in ("officer", "idempotency_key")}
            for one in body["items"]:
                self._rung({**one, **common, "what": "escalation"})
            return
        who = OPERATOR if body["officer"] == "operator" else SUPERVISOR
        ring = f"{self._plan.seed} rung {body['idempotency_key']}"
        heard = who is SUPERVISOR or random.Random(ring).random() >= self._plan.habits.deaf
        key = (f"rung {body['party']} {body['overdue']}", body["alert_id"])
        if heard and key not in self._done:
            self._done.add(key)
            self._agenda.after(30.0, lambda: self.step(body["alert_id"], Step.ACKNOWLEDGE, who))

    # ------------------------------------------------------------------ asking the centre
    def ask(self, do: Callable[[AlertEngine], Any], then: Callable[[bool], None]) -> None:
        """Asks until there is an answer; `then` hears whether it was a yes."""
        if self._centre.alive:
            try:
                do(self._centre.engine)
            except (psycopg.OperationalError, Conflict):
                pass
            except AlertsError as exc:
                self._log("people", f"refused: {exc}")
                then(False)
                return
            else:
                then(True)
                self._centre.stepped()
                return
        self._agenda.after(AGAIN_S, lambda: self.ask(do, then))

    def look(self, do: Callable[[AlertEngine], Any]) -> Any:
        """What a page shows, or None if the centre does not answer."""
        try:
            return do(self._centre.engine) if self._centre.alive else None
        except (psycopg.OperationalError, Conflict):
            return None

    def step(
        self,
        alert_id: str,
        step: Step,
        actor: Actor,
        then: Callable[[bool], None] = lambda _: None,
        **more: Any,
    ) -> None:
        key = f"{actor.user}:{step}:{self._rng.getrandbits(48):012x}"

        def do(engine: AlertEngine) -> None:
            engine.step(alert_id, step, actor, self._agenda.utc, idempotency_key=key, **more)

        self._log("people", f"{actor.user}: {step} {alert_id[:18]}")
        self.ask(do, then)

    def once(self, what: str, alert: Alert) -> bool:
        """True the first time."""
        if (what, alert.alert_id) in self._done:
            return False
        self._done.add((what, alert.alert_id))
        return True

    # ------------------------------------------------------------------ the room
    def _operator_looks(self) -> None:
        alerts = self.look(lambda engine: engine.list_alerts(running=True))
        now, habits = self._agenda.utc, self._plan.habits
        for row in alerts or ():
            alert: Alert = row.alert
            age_s = (now - alert.opened_at).total_seconds()
            if alert.kind is AlertKind.HEALTH:
                if alert.health in _BY_HAND and age_s > 300 and self.once("clear", alert):
                    self.step(alert.alert_id, Step.CLEAR, OPERATOR)
                continue
            if alert.state is State.RESOLVED:
                continue
            if (
                alert.acknowledged_at is None
                and age_s >= habits.acknowledges_after_s
                and not self._chance("asleep", alert)
                and self.once("ack", alert)
            ):
                self.step(alert.alert_id, Step.ACKNOWLEDGE, OPERATOR)
            if alert.state in _ON_THE_WAY and self.once("recall", alert) and self._chance("recalls", alert):
                self._recall(alert.alert_id)
            mild = alert.level in (Level.III, Level.IV)
            if mild and age_s >= habits.confirms_after_s and self.once("confirm", alert):
                self.step(alert.alert_id, Step.CONFIRM, OPERATOR)

    def _recall(self, alert_id: str) -> None:
        """Back, and somebody is sent again two minutes later, or as soon as there is somebody."""

        def send_again(yes: bool) -> None:
            if yes:
                self._agenda.after(120.0, lambda: self.step(alert_id, Step.DISPATCH, OPERATOR, sent))

        def sent(yes: bool) -> None:
            view = None if yes else self.look(lambda engine: engine.view(alert_id))
            if not yes and (view is None or view.alert.state is State.OPEN):  # everybody is under way
                self._agenda.after(300.0, lambda: self.step(alert_id, Step.DISPATCH, OPERATOR, sent))

        self.step(alert_id, Step.RECALL, OPERATOR, send_again)

    def _chance(self, habit: str, alert: Alert) -> bool:
        chance: float = getattr(self._plan.habits, habit)
        return random.Random(f"{self._plan.seed} {habit} {alert.alert_id}").random() < chance

    def _supervisor_looks(self) -> None:
        rows = self.look(lambda engine: engine.list_alerts(state=State.RESOLVED))
        for row in rows or ():
            alert: Alert = row.alert
            if alert.resolved_at is None or alert.resolved_by is None:
                continue
            age_s = (self._agenda.utc - alert.resolved_at).total_seconds()
            if self.once("verify own", alert):
                self._try_own(alert)
            if age_s < self._plan.habits.verifies_after_s:
                continue
            if self.once("reopen", alert) and self._chance("reopens", alert):
                self.step(alert.alert_id, Step.REOPEN, SUPERVISOR, note="look again")
            elif self.once("verify", alert):
                self.step(alert.alert_id, Step.VERIFY, SUPERVISOR)

    def _try_own(self, alert: Alert) -> None:
        """Who resolved it also has a supervisor's login today, and tries."""
        both = Actor(user=alert.resolved_by or "", role=Role.SUPERVISOR)

        def do(engine: AlertEngine) -> None:
            try:
                engine.step(alert.alert_id, Step.VERIFY, both, self._agenda.utc)
            except NotAllowed:
                self.refused_verifications += 1
            else:
                self.wrong_verifications.append(alert.alert_id)

        self.ask(do, lambda _: None)

    # ------------------------------------------------------------------ chance
    def answers(self, dispatch_id: str) -> bool:
        """Whether the officer notices this dispatch at all."""
        return random.Random(f"{self._plan.seed} answers {dispatch_id}").random() >= self._plan.habits.silent

    def declines(self, alert_id: str) -> bool:
        """Only the first one asked may decline, so that somebody goes."""
        if alert_id in self._declined:
            return False
        self._declined.add(alert_id)
        return random.Random(f"{self._plan.seed} declines {alert_id}").random() < self._plan.habits.declines

    def lies(self, dispatch_id: str) -> bool:
        """Whether the officer says more than was done."""
        return random.Random(f"{self._plan.seed} lies {dispatch_id}").random() < self._plan.habits.lies

    def later(self, wait_s: float, do: Callable[[], None]) -> None:
        spread = (
            1.0
            if self._plan.habits.silent == self._plan.habits.declines == 0.0
            else self._rng.uniform(0.7, 1.3)
        )
        self._agenda.after(wait_s * spread, do)

    def photo(self, alert_id: str, actor: Actor) -> str:
        return hashlib.sha256(f"{alert_id} {actor.user} {self._agenda.now_s}".encode()).hexdigest()

    def keep_photo(self, alert_id: str, sha256: str, actor: Actor) -> None:
        self._db.keep_photo(alert_id, sha256, actor.user, self._agenda.utc)

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def agenda(self) -> Agenda:
        return self._agenda


class _Phone:
    """One officer's phone: hears messages, and looks at the own dispatches every minute."""

    def __init__(self, people: People, actor: Actor, city: City) -> None:
        self._people, self.actor, self._city = people, actor, city
        self._keys: set[str] = set()
        self._known: set[str] = set()
        people.agenda.every(people.look_s, self._poll)

    def hear(self, body: dict[str, Any]) -> None:
        """A dispatch, an update or a recall; the same key is the same message."""
        if body["officer"] != self.actor.user or body["idempotency_key"] in self._keys:
            return
        self._keys.add(body["idempotency_key"])
        if body["what"] == "dispatch":
            self._take(body["dispatch_id"], body["alert_id"], (body["lon"], body["lat"]))

    def _poll(self) -> None:
        views = self._people.look(lambda engine: engine.dispatches_for(self.actor.user))
        for view in views or ():
            self._take(view.dispatch.dispatch_id, view.alert.alert_id, view.alert.place or (None, None))

    def _take(self, dispatch_id: str, alert_id: str, place: tuple[float | None, float | None]) -> None:
        if dispatch_id in self._known:
            return
        self._known.add(dispatch_id)
        if not self._people.answers(dispatch_id):
            return
        first = Step.DECLINE if self._people.declines(alert_id) else Step.ACCEPT
        habits = self._people.plan.habits
        lon, lat = place
        way: list[tuple[float, str, dict[str, Any]]] = [(habits.accepts_after_s, first, {})]
        if first is Step.ACCEPT and lon is not None and self._people.lies(dispatch_id):
            way += [
                (5.0, Step.DEPART, {}),
                (5.0, Step.ARRIVE, {"lon": lon + LIE_DEG, "lat": lat}),
                (5.0, _LIE, {"reason": "rectified"}),
                (REPENTS_S, Step.COLLECT, {}),
                (habits.resolves_s, Step.RESOLVE, {"reason": "rectified"}),
            ]
        elif first is Step.ACCEPT:
            way += [
                (5.0, Step.DEPART, {}),
                (habits.drives_s, Step.ARRIVE, {"lon": lon, "lat": lat}),
                (habits.collects_s, Step.COLLECT, {}),
                (habits.resolves_s, Step.RESOLVE, {"reason": "rectified"}),
            ]
        self._go(alert_id, way)

    def _go(self, alert_id: str, way: list[tuple[float, str, dict[str, Any]]]) -> None:
        if not way:
            return
        (wait_s, step, more), rest = way[0], way[1:]

        def take() -> None:
            if step == Step.COLLECT:
                sha256 = self._people.photo(alert_id, self.actor)
                upload = lambda _engine: self._people.keep_photo(alert_id, sha256, self.actor)  # noqa: E731
                self._people.ask(upload, lambda _: ask({"attachments": (sha256,)}))
            else:
                ask(more)

        def ask(more: dict[str, Any]) -> None:
            # what the loop should refuse does not end the way
            taken = Step.RESOLVE if step == _LIE else Step(step)
            self._people.step(
                alert_id,
                taken,
                self.actor,
                lambda yes: self._go(alert_id, rest) if yes or step == _LIE else None,
                **more,
            )

        self._people.later(wait_s, take)

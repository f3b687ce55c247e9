"""Random stories for the loop: what may happen, how it is done to a book, and what must always hold."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from alerts import replay
from alerts.engine import AlertEngine
from alerts.errors import AlertsError
from alerts.lifecycle import FINAL, AlertKind, State, Step
from alerts.steps import JUDGES
from alerts.values import Actor, EvidenceItem, Permit
from alerts.views import AlertView
from monitor.domain.levels import Level
from monitor.domain.roles import Role
from tests.doubles.alert_story import CITY, NOON, OPERATOR, SUPERVISOR, at_metres, event, officer, uid

#: somebody with every right at once, to see that the table and not the name protects
_ACTORS = (
    OPERATOR, SUPERVISOR, Actor(user="ann", role=Role.SUPERVISOR), officer("ann"), officer("bo"), officer("cai"),
    Actor(user="aud", role=Role.AUDITOR),
)  # fmt: skip
_PLACED = frozenset(
    {State.DISPATCHED, State.ACCEPTED, State.EN_ROUTE, State.ON_SITE, State.EVIDENCE_COLLECTED}
)
_WITH_HOLDS = {"works_50m": "works-50m", "excavation_5m": "dig-5m", "on_pipe": "person-on-pipe"}

#: by the step's key: outcome and cause, also those that are refused
_JUDGEMENTS = (
    ("rectified", ""),
    ("false_alarm", "animal"),
    ("", ""),
    ("false_alarm", "other"),
    ("false_alarm", ""),
    ("duplicate", ""),
)

Action = tuple[Any, ...]

events = st.tuples(
    st.just("event"), st.integers(0, 4), st.sampled_from(["onset", "update", "update", "end"]),
    st.sampled_from(sorted(_WITH_HOLDS)), st.sampled_from(["passing", "stopped", "working"]),
    st.sampled_from([0.0, 40.0, 200.0]), st.sampled_from([-600.0, 0.0]),
)  # fmt: skip
steps = st.tuples(
    st.just("step"), st.integers(0, 3), st.sampled_from(Step), st.sampled_from(_ACTORS), st.integers(0, 5)
)
#: what keeps a story going: the officer does the next right thing
answers = st.tuples(st.just("answer"), st.sampled_from([0, 0, 0, 1]))
waits = st.tuples(st.just("wait"), st.sampled_from([1, 61, 121, 601, 2000]))
cameras = st.tuples(
    st.just("camera"), st.sampled_from(["c1", "c2"]), st.sampled_from(["streaming", "dark", "stalled"])
)
permits = st.tuples(st.just("permit"), st.integers(0, 1))
judgements = st.tuples(
    st.just("step"), st.sampled_from([0, 0, 1, 2]),
    st.sampled_from([Step.CONFIRM, Step.REFUTE, Step.VERIFY, Step.VERIFY, Step.DISMISS, Step.REOPEN, Step.RECALL]),
    st.sampled_from([OPERATOR, SUPERVISOR, SUPERVISOR]), st.integers(0, 5),
)  # fmt: skip
# long enough that a case can run to its end and begin again
stories = st.lists(
    st.one_of(events, events, events, steps, judgements, judgements, *[answers] * 5, waits, cameras, permits),
    min_size=20, max_size=50,
)  # fmt: skip

_RIGHT_STEP = {
    State.DISPATCHED: Step.ACCEPT,
    State.ACCEPTED: Step.DEPART,
    State.EN_ROUTE: Step.ARRIVE,
    State.ON_SITE: Step.COLLECT,
    State.EVIDENCE_COLLECTED: Step.RESOLVE,
}


@dataclass
class Teller:
    """Tells a story to a book, with ids that are the same for every book."""

    book: Any
    now: datetime = NOON
    told: int = 0
    ids: int = 0
    levels: dict[str, Level] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = AlertEngine(self.book, CITY, new_id=self._new_id)

    def _new_id(self) -> str:
        self.ids += 1
        return uid(f"id{self.ids}")

    def tell(self, action: Action) -> None:
        """One action; refusals of the loop are part of the story."""
        self.told += 1
        self.now += timedelta(seconds=1)
        getattr(self, f"_{action[0]}")(*action[1:])
        self.engine.take_work(self.now)
        self.engine.run_due(self.now)

    def _event(
        self, episode: int, phase: str, violation: str, activity: str, east_m: float, late_s: float
    ) -> None:
        one = event(
            event_id=uid(f"event{self.told}"), episode=f"ep{episode}", phase=phase, violation=violation,
            rule_id=_WITH_HOLDS[violation], activity=activity, position=at_metres(east_m, 3),
            chainage_m=9500 + east_m, captured_at=self.now + timedelta(seconds=late_s), seq=self.told,
        )  # fmt: skip
        self.book.add_event(one, self.now)

    def _step(self, which: int, step: Step, actor: Actor, key: int) -> None:
        alert_id = self._alert_id(which)
        if alert_id is None:
            return
        with contextlib.suppress(AlertsError):
            reason, cause = _JUDGEMENTS[key] if step in JUDGES else ("", "")
            self.engine.step(alert_id, step, actor, self.now, idempotency_key=f"{step}{key}" if key else None,
                             reason=reason, cause=cause, note="it is so" if key % 2 else "")  # fmt: skip

    def _answer(self, which: int) -> None:
        running = sorted(self.engine.dispatches_for(None), key=lambda one: one.alert.number)
        if not running:
            return
        alert_id = running[which % len(running)].alert.alert_id
        view = self.engine.view(alert_id)
        step = _RIGHT_STEP.get(view.alert.state)
        if step is None or view.running is None:
            return
        sha256 = f"{self.told:064x}"
        item = EvidenceItem(sha256=sha256, kind="photo", content_type="image/jpeg", bytes=1, announced_at=self.now,
                            stored_at=self.now)  # fmt: skip
        self.book.add_evidence(item, alert_id)
        self.engine.step(alert_id, step, officer(view.running.officer), self.now, attachments=(sha256,),
                         reason="rectified" if step is Step.RESOLVE else "")  # fmt: skip

    def _wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def _camera(self, camera_id: str, state: str) -> None:
        body = {"camera_id": camera_id, "edge_id": "e1", "state": state, "since": self.now, "reason": ""}
        self.book.add_work("camera_state", body, self.now)

    def _permit(self, which: int) -> None:
        number = f"P{which}-{self.told}"
        self.book.add_permit(
            Permit(permit_number=number, violation="works_50m", pipeline_id="p1", from_m=9400, to_m=9600,
                   valid_from=self.now, valid_to=self.now + timedelta(minutes=10))
        )  # fmt: skip

    def _alert_id(self, which: int) -> str | None:
        rows = sorted(self.engine.list_alerts(kind=AlertKind.VIOLATION), key=lambda row: row.alert.number)
        return rows[which % len(rows)].alert.alert_id if rows else None

    def views(self) -> list[AlertView]:
        """All alerts, by number."""
        rows = sorted(self.engine.list_alerts(limit=1000), key=lambda row: row.alert.number)
        return [self.engine.view(row.alert.alert_id) for row in rows]


def check(views: list[AlertView], known: dict[str, Level]) -> None:
    """What must hold after every action; `known` remembers levels from check to check."""
    held: set[str] = set()
    for view in views:
        alert = view.alert
        running = [dispatch for dispatch in view.dispatches if dispatch.ended_at is None]
        assert len(running) == (1 if alert.state in _PLACED else 0), alert.state
        assert [t.n for t in view.transitions] == list(range(1, alert.version + 1)), "gapless"
        assert (alert.closed_at is not None) == (alert.state in FINAL)
        episodes = {one.episode_id for one in view.events}
        assert not episodes & held, "an episode belongs to one alert"
        held |= episodes
        _check_transitions(view)
        if (before := known.get(alert.alert_id)) is not None and before.is_worse_than(alert.level):
            assert any(t.step == "fall" and t.reason == "permit_registered" for t in view.transitions)
        known[alert.alert_id] = alert.level
    running_health = [
        (v.alert.health, v.alert.subject) for v in views if v.alert.health and not v.alert.closed_at
    ]
    assert len(running_health) == len(set(running_health))


def _check_transitions(view: AlertView) -> None:
    resolved_by = None
    level = view.transitions[0].level
    for move in view.transitions:
        if level.is_worse_than(move.level):
            assert move.step == "fall", "levels never fall without a named reason"
        level = move.level
        if move.step == Step.RESOLVE:
            resolved_by = move.actor
        if move.step in (Step.VERIFY, Step.REOPEN):
            assert move.actor != resolved_by
        if move.step in (Step.CONFIRM, Step.REFUTE, Step.VERIFY, Step.DISMISS):
            assert move.role in (Role.OPERATOR, Role.SUPERVISOR), "only a person judges"
        if move.step in (Step.COLLECT,):
            assert move.attachments


def check_log(entries: Any, views: list[AlertView]) -> None:
    """The log alone gives the same cases."""
    assert replay.compare(replay.replay(entries), [view.alert for view in views]) == []


def comparable(views: list[AlertView]) -> Any:
    """Views without what books number by themselves."""
    return [
        msgspec.to_builtins(
            msgspec.structs.replace(view, alert=msgspec.structs.replace(view.alert, number=0), evidence=())
        )
        for view in views
    ]

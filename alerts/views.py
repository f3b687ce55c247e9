"""What pages show of an alert: frozen values with everything in them, so that a page only lays out."""

from datetime import datetime, timedelta

import msgspec

from alerts import texts
from alerts.clocks import Clock, clocks, party_of
from alerts.escalation import schedule
from alerts.lifecycle import TRANSITIONS, Step
from alerts.ports import AlertTx
from alerts.reporting.values import Report
from alerts.values import Alert, Dispatch, Escalation, EvidenceItem, Move, Told
from monitor.domain.assets import City, Text
from monitor.domain.events import RiskEvent
from monitor.domain.response import Milestone, Party, Response
from monitor.domain.roles import Role

#: an alert's page shows this many of its newest events
MOST_EVENTS = 200


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the onset (first picture) to each milestone; None where it did not happen yet."""

    opened_s: float
    acknowledged_s: float | None = None
    dispatched_s: float | None = None
    accepted_s: float | None = None
    arrived_s: float | None = None
    resolved_s: float | None = None
    closed_s: float | None = None


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """What an escalation does next."""

    clock: str
    at: datetime
    #: the chain's words for who is told then; nobody: the chain ends, and that nobody answered is an alert
    who: tuple[str, ...]


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """All of one alert."""

    alert: Alert
    title: Text
    article: Text | None
    transitions: tuple[Move, ...]
    events: tuple[RiskEvent, ...]
    evidence: tuple[EvidenceItem, ...]
    dispatches: tuple[Dispatch, ...]
    running: Dispatch | None
    durations: Durations
    #: both parties' clocks, those that were started
    clocks: tuple[Clock, ...] = ()
    #: whom the escalations told, oldest first
    told: tuple[Told, ...] = ()
    #: what comes next, soonest first
    coming: tuple[Coming, ...] = ()
    #: what people and devices said, oldest first; never who called
    reports: tuple[Report, ...] = ()

    def steps_for(self, role: Role) -> tuple[Step, ...]:
        """Steps that the table offers this role now. Which of them this very person may take, step() says."""
        return tuple(
            step
            for (kind, state, step), transition in TRANSITIONS.items()
            if kind is self.alert.kind and state is self.alert.state and role in transition.roles
        )


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list."""

    alert: Alert
    title: Text
    #: when the next step of a running escalation is due
    escalates_at: datetime | None = None


class DispatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A running dispatch with its alert."""

    dispatch: Dispatch
    alert: Alert
    title: Text
    article: Text | None
    #: the officer's next deadline: to accept, or to be there
    due_at: datetime | None = None


def durations(alert: Alert, dispatches: tuple[Dispatch, ...]) -> Durations:
    """Milestones as seconds since the onset."""

    def since(at: datetime | None) -> float | None:
        return None if at is None else (at - alert.onset_at).total_seconds()

    accepted = [d.accepted_at for d in dispatches if d.accepted_at is not None]
    return Durations(
        opened_s=(alert.opened_at - alert.onset_at).total_seconds(),
        acknowledged_s=since(alert.acknowledged_at),
        dispatched_s=since(min((d.dispatched_at for d in dispatches), default=None)),
        accepted_s=since(min(accepted, default=None)),
        arrived_s=since(alert.arrived_at),
        resolved_s=since(alert.resolved_at),
        closed_s=since(alert.closed_at),
    )


def alert_view(tx: AlertTx, alert: Alert, city: City, response: Response) -> AlertView:
    """Reads all of one alert."""
    dispatches = tx.dispatches(alert.alert_id)
    return AlertView(
        alert=alert, title=texts.title(alert), article=texts.article(alert), transitions=tx.moves(alert.alert_id),
        events=tx.events(alert.alert_id, MOST_EVENTS), evidence=tx.evidence(alert.alert_id), dispatches=dispatches,
        running=next((d for d in dispatches if d.ended_at is None), None), durations=durations(alert, dispatches),
        clocks=clocks(alert, dispatches, city, response), told=tx.told(alert.alert_id),
        coming=coming(tx.escalations(alert.alert_id), response), reports=tx.reports.of_alert(alert.alert_id),
    )  # fmt: skip


def coming(escalations: tuple[Escalation, ...], response: Response) -> tuple[Coming, ...]:
    """The next moment of each running chain, and whom it tells."""
    found = []
    for row in escalations:
        if row.ended_at is not None or row.next_at is None:
            continue
        party, milestone = _clock_of(row)
        chain = response.chain(party, milestone, row.level)
        offset_s = (row.next_at - row.begun_at).total_seconds()
        due = [m for m in schedule(chain) if abs(m.offset_s - offset_s) < 0.001] if chain else []
        who = tuple(dict.fromkeys(chain.steps[m.step].who.value for m in due)) if chain else ()
        found.append(Coming(clock=row.clock, at=row.next_at, who=who))
    return tuple(sorted(found, key=lambda one: (one.at, one.clock)))


def _clock_of(row: Escalation) -> tuple[Party, Milestone]:
    party, _, milestone = row.clock.partition(":")
    return ("operator_patrol" if party == "operator_patrol" else "authority"), Milestone(milestone)


def alert_row(alert: Alert, escalates_at: datetime | None = None) -> AlertRow:
    """One line of a list."""
    return AlertRow(alert=alert, title=texts.title(alert), escalates_at=escalates_at)


def _officers_deadline(dispatch: Dispatch, alert: Alert, city: City, response: Response) -> datetime | None:
    """By when this officer must accept, or be there; afterwards somebody else is sent, or rung."""
    limits = response.limit(party_of(dispatch, city), alert.level)
    if dispatch.arrived_at is not None:
        return None
    limit_s = limits.accept_s if dispatch.accepted_at is None else limits.arrive_s
    return dispatch.dispatched_at + timedelta(seconds=limit_s)


def dispatch_view(tx: AlertTx, dispatch: Dispatch, city: City, response: Response) -> DispatchView | None:
    """A dispatch with its alert."""
    alert = tx.alert(dispatch.alert_id)
    if alert is None:
        return None
    return DispatchView(
        dispatch=dispatch,
        alert=alert,
        title=texts.title(alert),
        article=texts.article(alert),
        due_at=_officers_deadline(dispatch, alert, city, response),
    )

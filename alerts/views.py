"""What pages show of an alert: frozen values with everything in them, so that a page only lays out."""

from datetime import datetime

import msgspec

from alerts import texts
from alerts.lifecycle import TRANSITIONS, Step
from alerts.ports import AlertTx
from alerts.values import Alert, Dispatch, EvidenceItem, Move
from monitor.domain.assets import Text
from monitor.domain.events import RiskEvent
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


class DispatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A running dispatch with its alert."""

    dispatch: Dispatch
    alert: Alert
    title: Text
    article: Text | None


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


def alert_view(tx: AlertTx, alert: Alert) -> AlertView:
    """Reads all of one alert."""
    dispatches = tx.dispatches(alert.alert_id)
    return AlertView(
        alert=alert, title=texts.title(alert), article=texts.article(alert), transitions=tx.moves(alert.alert_id),
        events=tx.events(alert.alert_id, MOST_EVENTS), evidence=tx.evidence(alert.alert_id), dispatches=dispatches,
        running=next((d for d in dispatches if d.ended_at is None), None), durations=durations(alert, dispatches),
    )  # fmt: skip


def alert_row(alert: Alert) -> AlertRow:
    """One line of a list."""
    return AlertRow(alert=alert, title=texts.title(alert))


def dispatch_view(tx: AlertTx, dispatch: Dispatch) -> DispatchView | None:
    """A dispatch with its alert."""
    alert = tx.alert(dispatch.alert_id)
    if alert is None:
        return None
    return DispatchView(
        dispatch=dispatch, alert=alert, title=texts.title(alert), article=texts.article(alert)
    )

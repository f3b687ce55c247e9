"""What pages show of the loop: one alert, lists of them, running dispatches. Decides and changes nothing.

The engine (engine.py) is this and what changes alerts.
"""

import uuid
from collections.abc import Sequence

from alerts.calm.running import EVERY, Chosen
from alerts.errors import NotFound
from alerts.lifecycle import AlertKind, State
from alerts.policy import Policy
from alerts.ports import AlertBook, AlertTx
from alerts.values import Alert
from alerts.views import AlertRow, AlertView, DispatchView, alert_row, alert_view, dispatch_view
from monitor.domain.assets import City


class Shown:
    """See the module. Safe to use from many threads and processes at once."""

    def __init__(self, book: AlertBook, city: City, policy: Policy) -> None:
        self._book, self._city, self._policy = book, city, policy

    @property
    def city(self) -> City:
        """What is watched."""
        return self._city

    @property
    def policy(self) -> Policy:
        """The numbers that decide here."""
        return self._policy

    def view(self, alert_id: str) -> AlertView:
        """All of one alert; NotFound."""
        with self._book.begin() as tx:
            return self.view_in(tx, alert_id)

    def list_alerts(
        self,
        state: State | None = None,
        kind: AlertKind | None = None,
        running: bool | None = None,
        limit: int = 100,
    ) -> tuple[AlertRow, ...]:
        """Alerts, newest first."""
        with self._book.begin() as tx:
            return _rows(tx, tx.list_alerts(state, kind, running, limit))

    def urgent_alerts(
        self, *, held: bool, limit: int, chosen: Chosen = EVERY, after: int = 0
    ) -> tuple[AlertRow, ...]:
        """Running alerts that ring, or that are held: worst level first, then the oldest, so that none such is cut.

        Of those `chosen`, and `after` so many of them: a list's next page.
        """
        with self._book.begin() as tx:
            return _rows(tx, tx.urgent_alerts(held=held, limit=limit, chosen=chosen, after=after))

    def dispatches_for(self, user: str | None) -> tuple[DispatchView, ...]:
        """Running dispatches of one officer; of all if `user` is None (the control room)."""
        with self._book.begin() as tx:
            views = [
                dispatch_view(tx, dispatch, self._city, self._policy.response)
                for dispatch in tx.running_dispatches(user)
            ]
            return tuple(view for view in views if view is not None)

    def view_in(self, tx: AlertTx, alert_id: str) -> AlertView:
        """The same within a transaction."""
        return alert_view(tx, found(tx, alert_id), self._city, self._policy.response)


def _rows(tx: AlertTx, alerts: Sequence[Alert]) -> tuple[AlertRow, ...]:
    """With when each escalates; a closed one's chains have ended with it."""
    escalates_at = tx.next_escalations([alert.alert_id for alert in alerts if alert.closed_at is None])
    return tuple(alert_row(alert, escalates_at.get(alert.alert_id)) for alert in alerts)


def found(tx: AlertTx, alert_id: str, *, for_update: bool = False) -> Alert:
    """The alert; NotFound."""
    try:
        uuid.UUID(alert_id)
    except ValueError:
        raise NotFound(alert_id) from None
    alert = tx.alert(alert_id, for_update=for_update)
    if alert is None:
        raise NotFound(alert_id)
    return alert

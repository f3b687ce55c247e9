"""What leaves the loop: the dispatch message of docs/contracts.md ('MQTT'). Pure."""

from datetime import datetime
from typing import Any

from alerts.texts import title
from alerts.values import Alert, Dispatch, Outgoing
from monitor.domain.events import TOPICS
from monitor.domain.geometry import format_chainage

MQTT = "mqtt"


def dispatch_message(dispatch: Dispatch, alert: Alert, what: str, key: str, now: datetime) -> Outgoing:
    """A dispatch, an update or a recall, for the officer's team. The same key is the same message."""
    idempotency_key = f"{dispatch.dispatch_id}:{key}"
    body = {
        "idempotency_key": idempotency_key,
        "dispatch_id": dispatch.dispatch_id,
        "alert_id": alert.alert_id,
        "number": alert.number,
        "officer": dispatch.officer,
        "level": alert.level.value,
        "violation": alert.violation,
        "title": title(alert),
        **place_of(alert),
        "url": f"/field/{alert.alert_id}",
        "footage": alert.footage,
        "what": what,
    }
    return Outgoing(channel=MQTT, address=f"{TOPICS}/dispatch/{dispatch.team_id}", idempotency_key=idempotency_key,
                    body=body, created_at=now)  # fmt: skip


def place_of(alert: Alert) -> dict[str, Any]:
    """Where it is, as every message says it."""
    return {
        "site_id": alert.site_id,
        "lon": alert.lon,
        "lat": alert.lat,
        "accuracy_m": alert.accuracy_m,
        "chainage": None if alert.chainage_m is None else format_chainage(alert.chainage_m),
    }

"""What leaves the loop: the dispatch message of docs/contracts.md ('MQTT'). Pure."""

from datetime import datetime
from typing import Any

from alerts.clocks import Clock
from alerts.texts import REASONS, title
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
        "officer": dispatch.officer,
        **_alert(alert),
        "url": f"/field/{alert.alert_id}",
        "what": what,
    }
    return Outgoing(channel=MQTT, address=f"{TOPICS}/dispatch/{dispatch.team_id}", idempotency_key=idempotency_key,
                    body=body, created_at=now)  # fmt: skip


def escalation_message(
    alert: Alert,
    clock: Clock,
    person: str,
    channel: str,
    address: str,
    key: str,
    now: datetime,
    *,
    in_room: bool,
) -> Outgoing:
    """A clock ran out, for one person. It waits for no other message: what it is about may be the one that waits."""
    body = {
        "idempotency_key": key,
        # whom it is for, by the name that gateways route by
        "officer": person,
        **_alert(alert),
        "url": f"/alerts/{alert.alert_id}" if in_room else f"/field/{alert.alert_id}",
        "what": "escalation",
        "text": REASONS[f"{clock.milestone.value}_overdue"],
        "party": clock.party,
        "overdue": clock.milestone.value,
        "due_at": clock.due_at.isoformat(),
    }
    return Outgoing(channel=channel, address=address, idempotency_key=key, body=body, created_at=now)


def _alert(alert: Alert) -> dict[str, Any]:
    """What every message says of its alert."""
    return {
        "alert_id": alert.alert_id,
        "number": alert.number,
        "level": alert.level.value,
        "violation": alert.violation,
        "title": title(alert),
        **place_of(alert),
        "footage": alert.footage,
        "source": alert.source,
    }


def place_of(alert: Alert) -> dict[str, Any]:
    """Where it is, as every message says it."""
    return {
        "site_id": alert.site_id,
        "lon": alert.lon,
        "lat": alert.lat,
        "accuracy_m": alert.accuracy_m,
        "chainage": None if alert.chainage_m is None else format_chainage(alert.chainage_m),
    }

"""What a piece of waiting work means: reads the facts that it needs under its locks, and asks the pure decisions."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from alerts import health
from alerts.commands import Commands
from alerts.decide import on_event
from alerts.policy import Policy
from alerts.ports import AlertTx
from alerts.reporting.devices import DeviceAlarmWork, take_alarm
from alerts.values import LastWord, Work
from monitor.domain.assets import City
from monitor.domain.events import RiskEvent


def decide_work(
    tx: AlertTx, work: Work, city: City, policy: Policy, now: datetime, new_id: Callable[[], str]
) -> Commands:
    """The commands of one piece of work."""
    if work.kind == "event":
        event = msgspec.convert(work.body, RiskEvent)
        tx.lock(f"site:{event.site_id}")
        nearby = tx.nearby(event, policy, now)
        return on_event(event, nearby, city, policy, now, new_id())
    if work.kind == "device_alarm":
        return take_alarm(
            tx, msgspec.convert(work.body, DeviceAlarmWork, strict=False), city, policy, now, new_id
        )
    body = health.read_body(work.kind, work.body)
    context = health.Context(city=city, at=work.created_at, last=_last_word(tx, body))
    return health.on_report(work.kind, body, context)


def _last_word(tx: AlertTx, body: health.Body) -> LastWord | None:
    match body:
        case health.CameraStateWork(camera_id=camera_id):
            return tx.last_word_of_camera(camera_id)
        case health.EdgeOnlineWork(edge_id=edge_id):
            return tx.last_word_of_edge(edge_id)
    return None

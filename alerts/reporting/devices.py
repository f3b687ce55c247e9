"""A device's own alarm: a report of a device opens or joins an alert; what goes on only moves its time. Pure but for
`take_alarm`, which reads and writes within the loop's transaction.

A device says that something began and that it is over. Between the two it may repeat itself: that is the same
condition, as an edge's episode is, also while and after its case is closed. A device that says nothing of the end is
taken for silent after the time within which looks join.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from alerts.calm.looking import seen_again
from alerts.commands import Commands, HoldEpisode, Touch, changed
from alerts.decide import Nearby
from alerts.policy import Policy
from alerts.ports import AlertTx
from alerts.reasons import Why
from alerts.reporting.sighting import as_event, entry_of, held_by, on_report
from alerts.reporting.values import Caller, Report, Via
from monitor.domain.assets import City
from monitor.domain.roles import Role


class DeviceAlarmWork(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest leaves (docs/contracts.md)."""

    camera_id: str
    violation: str
    #: which condition of the device this is
    device_key: str
    #: the same key is the same message
    message_key: str
    active: bool
    at: datetime
    said: str = ""


def take_alarm(
    tx: AlertTx, alarm: DeviceAlarmWork, city: City, policy: Policy, now: datetime, new_id: Callable[[], str]
) -> Commands:
    """The alarm's commands; a new report is written here. KeyError if the city has no such camera any more."""
    camera = city.camera(alarm.camera_id)
    tx.lock(f"site:{camera.site_id}")
    if tx.reports.by_key(f"device:{alarm.message_key}") is not None:
        return ()
    last = tx.reports.newest_of_device(alarm.device_key)
    if last is not None:
        found = on_known(alarm, last, tx.nearby(as_event(last), policy, now), policy, now)
        if found != "new":
            return found
    if not alarm.active:
        return ()
    report = report_of(alarm, camera.site_id, camera.footage, now, new_id())
    commands = on_report(report, tx.nearby(as_event(report), policy, now), city, policy, now, new_id())
    tx.reports.add(report, Caller())
    tx.audit(entry_of(report, held_by(commands), now))
    return commands


def on_known(
    alarm: DeviceAlarmWork, last: Report, nearby: Nearby, policy: Policy, now: datetime
) -> Commands | Literal["new"]:
    """What an alarm means for the condition that the device told of last; 'new': it is another."""
    own = next((episode for episode in nearby.episodes if episode.episode_id == last.report_id), None)
    holder = nearby.holder(last.report_id)
    if own is None or holder is None or own.ended_at is not None:
        return "new"
    if alarm.active:
        if alarm.at - holder.last_seen_at > policy.join_within:
            return "new"
        seen = msgspec.structs.replace(holder, last_seen_at=max(holder.last_seen_at, alarm.at))
        look = msgspec.structs.replace(as_event(last), captured_at=alarm.at)
        return (Touch(alert=seen), *seen_again(seen, look, nearby.quiet, policy, now))
    ended = HoldEpisode(episode=msgspec.structs.replace(own, ended_at=alarm.at))
    others_run = any(one.ended_at is None for one in nearby.episodes if one.episode_id != own.episode_id)
    if others_run or holder.condition_ended_at is not None:
        return (ended,)
    return (ended, changed(holder, "note", Why.CONDITION_ENDED, now, condition_ended_at=alarm.at))


def report_of(
    alarm: DeviceAlarmWork, site_id: str, footage: Literal["real", "simulated"], now: datetime, report_id: str
) -> Report:
    """The alarm as a report of the device: a camera's view, no place on the ground."""
    return Report(
        report_id=report_id, idempotency_key=f"device:{alarm.message_key}", source="device", via=Via.DEVICE,
        violation=alarm.violation, said=alarm.said, observed_at=alarm.at, received_at=now,
        entered_by=f"device:{alarm.camera_id}", role=Role.SYSTEM, site_id=site_id, camera_id=alarm.camera_id,
        footage=footage, device_key=alarm.device_key,
    )  # fmt: skip

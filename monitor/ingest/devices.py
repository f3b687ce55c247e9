"""A smart camera's own alarm: what an ONVIF event that it published means, by the configuration. Pure.

Nothing is dropped in silence: a camera that the configuration does not name, an event that it does not map, and what
cannot be read are dead letters, which are a health alert. The topic's camera is the one that the broker let in.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from monitor.domain.assets import Device
from monitor.domain.events import TOPICS
from monitor.domain.onvif import PAYLOAD_PREFIX, OnvifError, read_event
from monitor.ingest.judge import MAX_PAYLOAD_BYTES, DeadLetter, DeadReason
from monitor.ingest.ports import Arrived, DeviceAlarm

PREFIX: Final = f"{TOPICS}/device/"
SUBSCRIPTION: Final = f"{PREFIX}#"
#: a device's clock is believed this far; else the time of arrival counts
EARLIER: Final = timedelta(hours=24)
LATER: Final = timedelta(minutes=5)


def judge_device(arrived: Arrived, devices: Iterable[Device]) -> DeviceAlarm | DeadLetter:
    """The alarm, or why the message is none."""

    def dead(reason: DeadReason, detail: str) -> DeadLetter:
        return DeadLetter(reason=reason, detail=ascii(detail))

    camera_id, _, rest = arrived.topic.removeprefix(PREFIX).partition("/")
    prefix, _, local = rest.partition("/")
    device = next((one for one in devices if one.camera_id == camera_id), None)
    if device is None:
        return dead(DeadReason.UNKNOWN_DEVICE, f"the configuration has no device {camera_id[:100]!r}")
    if prefix != PAYLOAD_PREFIX:
        return dead(DeadReason.UNKNOWN_TOPIC, f"only {PAYLOAD_PREFIX} is read, not {prefix[:100]!r}")
    if len(arrived.payload) > MAX_PAYLOAD_BYTES:
        return dead(DeadReason.TOO_LARGE, f"{len(arrived.payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    try:
        event = read_event(local, arrived.payload)
    except OnvifError as exc:
        return dead(DeadReason.UNREADABLE, str(exc))
    violation = next((alarm.violation for alarm in device.alarms if alarm.topic == event.topic), None)
    if violation is None:
        return dead(
            DeadReason.UNMAPPED_EVENT, f"{camera_id}: no alarm of the configuration has {event.topic!r}"
        )
    at = event.at if event.at is not None and believed(event.at, arrived.received_at) else arrived.received_at
    source = "".join(f"\n{name}={text}" for name, text in sorted(event.source.items()))
    # without a time of its own, tomorrow's alarm has the bytes of today's: when it came makes it another. One that the
    # broker delivers again is then a repetition of what goes on, which only moves its time
    came = f"\n{arrived.received_at.isoformat()}" if event.at is None else ""
    said = " ".join(f"{name}={text}" for name, text in sorted({**event.source, **event.data}.items()))
    return DeviceAlarm(
        camera_id=camera_id,
        violation=violation,
        device_key=hashlib.sha256(f"{camera_id}\n{event.topic}{source}".encode()).hexdigest(),
        message_key=hashlib.sha256(f"{arrived.topic}{came}\n".encode() + arrived.payload).hexdigest(),
        active=event.active,
        at=at,
        said=f"{event.topic} {said}".strip()[:2000],
    )


def believed(at: datetime, received_at: datetime) -> bool:
    """Whether a device's clock is near enough to ours."""
    return received_at - EARLIER <= at <= received_at + LATER


def is_device(arrived: Arrived) -> bool:
    """Whether a device of somebody else's making speaks here."""
    return arrived.topic.startswith(PREFIX)

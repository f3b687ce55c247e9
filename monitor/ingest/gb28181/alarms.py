"""What an alarm of a device means, by the same table as ONVIF's events (`devices:`). Pure.

Nothing is dropped in silence: a camera that nobody named and an alarm that is not mapped are dead letters.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from monitor.domain.assets import Device, GbDevice
from monitor.domain.manscdp import GbAlarm, topics_of
from monitor.ingest.devices import believed
from monitor.ingest.judge import DeadLetter, DeadReason
from monitor.ingest.ports import DeviceAlarm


def judge_alarm(
    alarm: GbAlarm, came: str, sender: GbDevice, devices: Iterable[Device], received_at: datetime
) -> DeviceAlarm | DeadLetter:
    """The alarm as the loop takes it, or why it is none. `came`: Call-ID and CSeq of its message."""

    def dead(reason: DeadReason, detail: str) -> DeadLetter:
        return DeadLetter(reason=reason, detail=ascii(detail))

    camera_id = sender.brings.get(alarm.device_id)
    if camera_id is None:
        return dead(
            DeadReason.UNKNOWN_DEVICE,
            f"{sender.gb_id} brings no camera with the id {alarm.device_id}: name it under `gb28181: devices:`",
        )
    mapped = {row.topic: row.violation for one in devices if one.camera_id == camera_id for row in one.alarms}
    violation = next((mapped[topic] for topic in topics_of(alarm.topic) if topic in mapped), None)
    if violation is None:
        return dead(
            DeadReason.UNMAPPED_EVENT, f"{camera_id}: no alarm of the configuration has {alarm.topic!r}"
        )
    trusted = alarm.at is not None and believed(alarm.at, received_at)
    at = alarm.at if alarm.at is not None and trusted else received_at
    # SN and time name an alarm, however often it comes. A device whose clock starts in 1970 begins both anew with
    # each start: its alarm of tomorrow would be today's, so when it came makes it another
    if trusted and alarm.sn:
        named = f"{alarm.device_id}\n{alarm.sn}\n{alarm.at_text}\n{alarm.topic}"
    else:
        named = f"{came}\n{received_at.isoformat()}\n{alarm.device_id}\n{alarm.topic}"
    key = f"gb28181\n{sender.gb_id}\n"
    said = [f"{name}={text}" for name, text in (
        ("AlarmPriority", alarm.priority), ("AlarmTime", alarm.at_text), ("Longitude", alarm.lon),
        ("Latitude", alarm.lat), ("DeviceID", alarm.device_id), ("SN", alarm.sn),
    ) if text]  # fmt: skip
    return DeviceAlarm(
        camera_id=camera_id,
        violation=violation,
        device_key=hashlib.sha256(f"{key}{alarm.device_id}\n{alarm.topic}".encode()).hexdigest(),
        message_key=hashlib.sha256(f"{key}{named}".encode()).hexdigest(),
        active=True,  # the standard has no word for the end of an alarm
        at=at,
        said=" ".join(part for part in (alarm.topic, alarm.description, *said) if part)[:2000],
    )

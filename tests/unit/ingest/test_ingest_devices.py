"""A smart camera's own alarm by the configuration: mapped, or a dead letter with its reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from monitor.domain.assets import Device, DeviceAlarm
from monitor.ingest.devices import judge_device
from monitor.ingest.judge import DeadLetter, DeadReason
from monitor.ingest.ports import Arrived

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
FENCE = "RuleEngine/FieldDetector/ObjectsInside"
DEVICES = (Device(camera_id="gate", alarms=(DeviceAlarm(topic=FENCE, violation="on_pipe"),)),)


def arrived(topic: str = f"hcawatch/v1/device/gate/onvif-ej/{FENCE}/&1/Fence", **body: Any) -> Arrived:
    given = {"UtcTime": AT.isoformat(), "Source": {"Rule": "Fence"}, "Data": {"IsInside": "true"}, **body}
    return Arrived(topic=topic, payload=msgspec.json.encode(given), received_at=AT)


def test_a_mapped_event_is_an_alarm() -> None:
    """Camera by the topic, violation by the configuration, and what the device said for whoever looks."""
    alarm = judge_device(arrived(), DEVICES)
    assert not isinstance(alarm, DeadLetter)
    assert (alarm.camera_id, alarm.violation, alarm.active, alarm.at) == ("gate", "on_pipe", True, AT)
    assert "Rule=Fence" in alarm.said


def test_a_condition_is_known_again_and_another_fence_is_another() -> None:
    """Beginning and end of one fence belong together; the message of both differs."""
    begin, end = judge_device(arrived(), DEVICES), judge_device(arrived(Data={"IsInside": "false"}), DEVICES)
    other = judge_device(arrived(Source={"Rule": "Other"}), DEVICES)
    assert not isinstance(begin, DeadLetter)
    assert not isinstance(end, DeadLetter)
    assert not isinstance(other, DeadLetter)
    assert begin.device_key == end.device_key != other.device_key
    assert (begin.message_key != end.message_key, end.active) == (True, False)


@pytest.mark.parametrize(("says", "same"), [({}, True), ({"UtcTime": None}, False)])
def test_a_device_without_a_clock_alarms_more_than_once(says: dict[str, Any], same: bool) -> None:
    """Its alarm of tomorrow has the same bytes; taken for a message that came twice, it would be the last one ever."""
    today = arrived(**says)
    later = msgspec.structs.replace(today, received_at=AT + timedelta(days=1))
    one, other = judge_device(today, DEVICES), judge_device(later, DEVICES)
    assert not isinstance(one, DeadLetter)
    assert not isinstance(other, DeadLetter)
    assert (one.device_key == other.device_key, one.message_key == other.message_key) == (True, same)


@pytest.mark.parametrize(("off", "believed"), [(timedelta(hours=23), True), (timedelta(hours=25), False)])
def test_a_devices_clock_is_believed_only_so_far(off: timedelta, believed: bool) -> None:
    """A camera that woke up in 1970 does not put its alarm there."""
    alarm = judge_device(arrived(UtcTime=(AT - off).isoformat()), DEVICES)
    assert not isinstance(alarm, DeadLetter)
    assert alarm.at == (AT - off if believed else AT)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (arrived(f"hcawatch/v1/device/shed/onvif-ej/{FENCE}"), DeadReason.UNKNOWN_DEVICE),
        (arrived("hcawatch/v1/device/"), DeadReason.UNKNOWN_DEVICE),
        (arrived("hcawatch/v1/device/gate/onvif-ej/VideoSource/MotionAlarm"), DeadReason.UNMAPPED_EVENT),
        (arrived("hcawatch/v1/device/gate/other/x"), DeadReason.UNKNOWN_TOPIC),
        (arrived(Data=7), DeadReason.UNREADABLE),
        (arrived(UtcTime="0001-01-01T00:00:00+08:00"), DeadReason.UNREADABLE),
        (arrived(Source={"Ru\0le": "Fence"}), DeadReason.UNREADABLE),
        (arrived(Data={"SimpleItem": [{"Name": "Is\0Inside", "Value": "true"}]}), DeadReason.UNREADABLE),
        (arrived(Data={"x": "y" * 300_000}), DeadReason.TOO_LARGE),
    ],
)
def test_nothing_is_dropped_in_silence(message: Arrived, reason: DeadReason) -> None:
    """Each is a dead letter, which is a health alert, with its reason."""
    letter = judge_device(message, DEVICES)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.counted) == (reason, False)

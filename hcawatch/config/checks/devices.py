"""Smart cameras whose own alarms count: a camera that exists, a violation that exists, each named once."""

from collections.abc import Iterator

from hcawatch.config.checks.look import Look
from hcawatch.config.checks.names import refer
from hcawatch.config.faults import Fault
from monitor.domain.onvif import plain_topic
from monitor.domain.violations import CATALOGUE


def check(look: Look) -> Iterator[Fault]:
    """Faults of devices."""
    cameras: dict[str, int] = {}
    for index, device in enumerate(look.document.devices):
        yield from refer(look, "cameras", device.camera, "devices", index, "camera")
        if device.camera in cameras:
            line = look.line("devices", cameras[device.camera], "camera")
            yield look.fault("device_twice", "devices", index, "camera", name=device.camera, first=line)
        cameras.setdefault(device.camera, index)
        topics: dict[str, int] = {}
        for n, alarm in enumerate(device.alarms):
            path = ("devices", index, "alarms", n)
            topic = plain_topic(alarm.topic)
            if topic in topics:
                line = look.line("devices", index, "alarms", topics[topic], "topic")
                yield look.fault("device_twice", *path, "topic", name=topic, first=line)
            topics.setdefault(topic, n)
            if alarm.violation not in CATALOGUE:
                yield look.fault("device_violation_unknown", *path, "violation", name=alarm.violation,
                                 known=", ".join(CATALOGUE))  # fmt: skip

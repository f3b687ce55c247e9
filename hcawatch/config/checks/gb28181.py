"""GB/T 28181: ids that are ids and used once, devices that bring cameras, networks, passwords that can be had."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from hcawatch.config.checks.centre import secret_of
from hcawatch.config.checks.look import Look
from hcawatch.config.checks.names import is_timezone, refer
from hcawatch.config.faults import Fault, Path
from hcawatch.config.gb28181 import brought_by
from hcawatch.config.schema import GbDeviceSection, GbSection
from monitor.domain.gb_ids import CENTRE_TYPES, DEVICE_TYPES, GbIdError, read_gb_id
from monitor.domain.manscdp import TOPIC, is_topic
from monitor.domain.onvif import plain_topic


def check(look: Look) -> Iterator[Fault]:
    """Faults of the section `gb28181`, of cameras' ids, of channels of that kind and of alarms' topics."""
    document = look.document
    seen: dict[str, Path] = {}
    for index, camera in enumerate(document.cameras):
        if camera.gb_id is not None:
            path: Path = ("cameras", index, "gb_id")
            yield from _id(look, path, camera.gb_id, DEVICE_TYPES)
            yield from _once(look, seen, camera.gb_id, path)
    for index, channel in enumerate(document.channels):
        if channel.kind == "gb28181":
            yield from _channel(look, index)
    for index, device in enumerate(document.devices):
        for n, alarm in enumerate(device.alarms):
            topic = plain_topic(alarm.topic)
            if topic.split("/")[0].lower() == TOPIC and not is_topic(topic):
                yield look.fault("gb_topic", "devices", index, "alarms", n, "topic", found=alarm.topic)
    if document.gb28181 is not None and look.ok("gb28181"):
        yield from _centre(look, document.gb28181, seen)


def _channel(look: Look, index: int) -> Iterator[Fault]:
    channel, section = look.document.channels[index], look.document.gb28181
    if channel.gb_id is not None:
        yield from _id(look, ("channels", index, "gb_id"), channel.gb_id, CENTRE_TYPES)
    if channel.user is not None:
        yield from _id(look, ("channels", index, "user"), channel.user, None)
    elif section is None and look.ok("gb28181"):
        yield look.fault("gb_no_own_id", "channels", index, "kind")


def _centre(look: Look, section: GbSection, cameras: dict[str, Path]) -> Iterator[Fault]:
    here = ("gb28181",)
    yield from _id(look, (*here, "gb_id"), section.gb_id, CENTRE_TYPES)
    yield from _once(look, cameras, section.gb_id, (*here, "gb_id"))
    if section.timezone is not None and not is_timezone(section.timezone):
        yield look.fault("timezone_unknown", *here, "timezone", name=section.timezone)
    if section.listen and not _is_address(section.listen):
        yield look.fault("gb_listen", *here, "listen", found=section.listen)
    if section.devices and not section.networks:
        yield look.fault("gb_networks_none", *here)
    for n, network in enumerate(section.networks):
        yield from _network(look, (*here, "networks", n), network)
    seen: dict[str, Path] = {section.gb_id: (*here, "gb_id")}
    for index, device in enumerate(section.devices):
        path = (*here, "devices", index)
        yield from _id(look, (*path, "gb_id"), device.gb_id, None)
        yield from _once(look, seen, device.gb_id, (*path, "gb_id"))
        yield from _device(look, path, device)


def _device(look: Look, path: Path, device: GbDeviceSection) -> Iterator[Fault]:
    if device.password_env is None and device.password_file is None:
        yield look.fault("secret_none", *path, one="password_env", other="password_file")
    yield from secret_of(
        look, path, device.password_env, device.password_file, "password_env", "password_file"
    )
    for n, camera in enumerate(device.cameras):
        yield from refer(look, "cameras", camera, *path, "cameras", n)
    own: dict[str, Path] = {}
    for n, channel in enumerate(device.channels):
        yield from refer(look, "cameras", channel.camera, *path, "channels", n, "camera")
        yield from _id(look, (*path, "channels", n, "gb_id"), channel.gb_id, None)
        yield from _once(look, own, channel.gb_id, (*path, "channels", n, "gb_id"))
    ids = {camera.id: camera.gb_id for camera in look.document.cameras}
    brought = set(brought_by(device, ids).values())
    for n, camera in enumerate(device.cameras):
        if camera in ids and camera not in brought:
            yield look.fault("gb_camera_without_id", *path, "cameras", n, name=camera)
    if not device.cameras and not device.channels:
        yield look.fault("gb_brings_nothing", *path, "gb_id", id=device.gb_id)


def _id(look: Look, path: Path, text: str, types: range | None) -> Iterator[Fault]:
    try:
        found = read_gb_id(text)
    except GbIdError as exc:
        yield look.fault("gb_id_invalid", *path, found=text[:40], reason=exc)
        return
    if types is not None and found.type_code not in types:
        yield look.fault(
            "gb_id_type", *path, found=text, type=found.type_code, first=types[0], last=types[-1]
        )


def _once(look: Look, seen: dict[str, Path], text: str, path: Path) -> Iterator[Fault]:
    if text in seen:
        yield look.fault("duplicate_id", *path, id=text, first=look.line(*seen[text]))
    seen.setdefault(text, path)


def _network(look: Look, path: Path, text: str) -> Iterator[Fault]:
    try:
        network = ip_network(text)
    except ValueError as exc:
        yield look.fault("network_invalid", *path, found=text, reason=exc)
        return
    if network.prefixlen == 0:
        yield look.fault("network_everything", *path, found=text)


def _is_address(text: str) -> bool:
    try:
        return ip_address(text).version == 4
    except ValueError:
        return False

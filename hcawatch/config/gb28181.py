"""The centre's place by GB/T 28181: from the file's section to values, and the devices' passwords."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from hcawatch.config.channel_secrets import value_of
from hcawatch.config.schema import Document, GbDeviceSection
from monitor.domain.assets import GbCentre, GbDevice

log = structlog.get_logger(__name__)


def gb_centre_of(document: Document) -> GbCentre | None:
    """The section `gb28181`; None without one. The checks have seen that its ids are ids."""
    section = document.gb28181
    if section is None:
        return None
    ids = {camera.id: camera.gb_id for camera in document.cameras}
    return GbCentre(
        gb_id=section.gb_id, realm=section.realm or section.gb_id[:10], host=section.listen, port=section.port,
        networks=tuple(section.networks), timezone=section.timezone or document.city.timezone,
        silent_after_s=section.keepalive_s * section.keepalives_missed,
        devices=tuple(
            GbDevice(gb_id=one.gb_id, brings=brought_by(one, ids), digest="SHA-256" if one.digest == "sha-256" else "MD5")
            for one in section.devices
        ),
    )  # fmt: skip


def brought_by(device: GbDeviceSection, ids: Mapping[str, str | None]) -> dict[str, str]:
    """Which camera an alarm is of, by the id that it names. `ids`: of the cameras, as the file has them."""
    found = {gb_id: camera for camera in device.cameras if (gb_id := ids.get(camera)) is not None}
    found.update({channel.gb_id: channel.camera for channel in device.channels})
    if len(device.cameras) == 1:  # a camera that registers by itself names itself
        found.setdefault(device.gb_id, device.cameras[0])
    return found


def gb_passwords(
    document: Mapping[str, Any], folder: Path, env: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """By device; one that can't be had is said in the log, and that device is refused.

    `document`: as `LoadedConfig.document`; its paths are relative to `folder`.
    """
    found: dict[str, str] = {}
    for device in (document.get("gb28181") or {}).get("devices", ()):
        missing: list[str] = []
        password = value_of(device.get("password_env"), device.get("password_file"), folder, env, missing)
        if password:
            found[device["gb_id"]] = password
        else:
            what = "; ".join(missing) or "it is empty"
            log.error("gb28181.password_missing", device=device["gb_id"], what=what)
    return found

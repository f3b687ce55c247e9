"""GB/T 28181 with a peer that is not ours: SIPp as a device at our door, and as the upper platform of our channel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from alerts.channels.building import deliveries
from alerts.channels.failures import ChannelError
from alerts.channels.gb28181 import Platform
from alerts.channels.gb28181_alarm import sn_of
from alerts.channels.trial import trial
from hcawatch.config.channel_secrets import ChannelSecret
from monitor.domain.assets import Channel, City
from monitor.store.pool import Pool, make_pool
from tests.doubles.alert_story import CITY
from tests.doubles.gb_device import CAMERA_ID, CENTRE, PASSWORD, SHANGHAI, with_gb
from tests.doubles.sipp import SIPP, Sipp
from tests.integration.test_gb28181_door import CAMERA, Place

pytestmark = pytest.mark.skipif(SIPP is None, reason="SIPp is not installed (apt-get install sip-tester)")
UPPER = "34000000002000000001"


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[Pool]:
    with make_pool(postgres_dsn, "test", min_size=1, max_size=4) as found:
        yield found


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_a_device_of_somebody_elses_making(pool: Pool, tmp_path: Path, transport: str) -> None:
    """Login, sign of life, alarm, the same alarm again, and the application's answer, by UDP and TCP."""
    here = Place(pool, with_gb(CITY, CAMERA))
    at = datetime.now(SHANGHAI).strftime("%Y-%m-%dT%H:%M:%S")
    (tmp_path / "device-answers.xml").write_bytes(
        (Path(__file__).parent / "data" / "sipp" / "device-answers.xml").read_bytes()
    )
    with here.door:
        options = (
            "-m",
            "1",
            "-t",
            transport,
            "-oocsf",
            str(tmp_path / "device-answers.xml"),
            f"127.0.0.1:{here.door.port}",
        )
        with Sipp(tmp_path, "device.xml", *options, PASSWORD=PASSWORD, ALARMTIME=at) as device:
            assert device.wait() == 0, device.errors()
            said = device.messages()
        assert here.door.counts["keepalive"] == 1
        assert "<Result>OK</Result>" in said
        alert = here.alerts()["on_pipe"]
        assert (alert.source, alert.camera_id) == ("device", CAMERA)
        assert len(here.rows("SELECT 1 FROM report")) == 1


def channel(port: int, **more: object) -> Channel:
    given = {"channel_id": "province", "kind": "gb28181", "host": "127.0.0.1", "port": port, "gb_id": UPPER,
             "networks": ("127.0.0.0/8",), "timeout_s": 8.0, **more}  # fmt: skip
    return msgspec.convert(given, Channel)


def platform_of(city: City, made: Channel, password: str = PASSWORD) -> Platform:
    secrets = {made.channel_id: ChannelSecret(secret=password)}
    found = deliveries(msgspec.structs.replace(city, channels=(made,)), secrets, None, None)[made.channel_id]
    assert isinstance(found, Platform)
    return found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_upper_platform_of_somebody_elses_making(tmp_path: Path, transport: str) -> None:
    """Registered with digest (401), the alarm challenged anew, 200; what it reads is an alarm notification."""
    city = with_gb(CITY, CAMERA)
    cameras = tuple(
        msgspec.structs.replace(c, gb_id=CAMERA_ID) if c.camera_id == CAMERA else c for c in city.cameras
    )
    city = msgspec.structs.replace(city, cameras=cameras)
    with Sipp(tmp_path, "platform.xml", "-t", transport[0] + "1", PASSWORD=PASSWORD) as upper:
        made = channel(upper.port, transport=transport)
        platform = platform_of(city, made)
        try:
            trial(platform, made, "", datetime.now(UTC))
        finally:
            platform.close()
        said = upper.messages()
    assert "REGISTER sip:34000000002000000001@3400000000 SIP/2.0" in said
    assert f"<DeviceID>{CENTRE}</DeviceID>" in said
    assert "渠道测试，无需处理" in said
    assert "<AlarmMethod>7</AlarmMethod>" in said


def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    """What an operator reads after `hcawatch channels test`."""
    with Sipp(tmp_path, "platform.xml", PASSWORD=PASSWORD) as upper:
        made = channel(upper.port)
        platform = platform_of(with_gb(CITY, CAMERA), made, "wrong")
        try:
            with pytest.raises(ChannelError, match="403"):
                trial(platform, made, "", datetime.now(UTC))
        finally:
            platform.close()
    assert sn_of("a") == sn_of("a") != sn_of("b")

"""Alerts to an upper platform by GB/T 28181: registered, delivered once per key, handed over where it fails.

The platform is a fake with our own SIP code; SIPp stands in test_gb28181_sipp.py.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from alerts.channels import gb28181
from alerts.channels.failures import ChannelError, Final, NotNow
from alerts.channels.gb28181 import Platform
from alerts.channels.gb28181_alarm import alarm_xml, sn_of
from alerts.channels.parcel import Parcel
from alerts.channels.wording import wording
from alerts.lifecycle import Step
from monitor.domain import manscdp
from monitor.domain.assets import Channel, City
from monitor.store.pool import make_pool
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, NOON, SUPERVISOR
from tests.doubles.gb_device import CAMERA_ID, CENTRE, PASSWORD, SHANGHAI, with_gb
from tests.doubles.gb_platform import UPPER, FakeGbPlatform
from tests.integration.test_channels import SECRET, Town

CAMERA = CITY.cameras[0].camera_id
BODY = {
    "idempotency_key": "a:1:opened", "what": "opened", "alert_id": "a", "n": 1, "at": "2026-11-30T11:20:14+00:00", "number": 12,
    "level": "I", "violation": "on_pipe", "title": {"en": "Digging", "zh": "挖掘"}, "site_id": "s1", "lon": 121.5, "lat": 31.2,
    "accuracy_m": 2.0, "chainage": "K4+500", "url": "/alerts/a", "camera_id": CAMERA, "footage": "real", "source": "edge",
}  # fmt: skip


def town(made_up: bool = False) -> City:
    found = with_gb(CITY, CAMERA)
    cameras = tuple(
        msgspec.structs.replace(c, gb_id=CAMERA_ID) if c.camera_id == CAMERA else c for c in found.cameras
    )
    return msgspec.structs.replace(found, cameras=cameras, made_up=made_up)


def channel(port: int, **more: Any) -> Channel:
    given = {"channel_id": "province", "kind": "gb28181", "host": "127.0.0.1", "port": port, "gb_id": UPPER,
             "networks": ("127.0.0.0/8",), "timeout_s": 10.0, **more}  # fmt: skip
    return msgspec.convert(given, Channel)


@contextmanager
def platform(
    upper: FakeGbPlatform, password: str = PASSWORD, clock: Callable[[], float] = time.monotonic, **more: Any
) -> Iterator[Platform]:
    city = town()
    found = Platform(
        channel(upper.endpoint.port, **more),
        city,
        password,
        lambda p: wording(p.body, city, None, p.language),
        clock,
    )
    try:
        yield found
    finally:
        found.close()


def parcel(**changed: Any) -> Parcel:
    body = {**BODY, **changed}
    return Parcel(address="", key=str(body["idempotency_key"]), body=body, payload=msgspec.json.encode(body), language="zh",
                  now=datetime(2026, 11, 30, 11, 21, tzinfo=UTC))  # fmt: skip


@pytest.fixture
def upper() -> Iterator[FakeGbPlatform]:
    with FakeGbPlatform() as found:
        yield found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("asks", [False, True])
def test_an_alert_is_an_alarm_of_its_camera(upper: FakeGbPlatform, transport: str, asks: bool) -> None:
    """With a login where it is asked for (401, 407); registered once for many messages."""
    upper.asks_messages = asks
    with platform(upper, transport=transport) as deliver:
        deliver(parcel())
        deliver(parcel(idempotency_key="b:1:opened", level="III", source="report", camera_id=None, lon=None))
    one, other = upper.alarms
    assert one.tags["alarmpriority"] == "1"
    assert (one.device_id, one.tags["alarmmethod"], one.tags["alarmtype"]) == (CAMERA_ID, "5", "6")
    assert (one.tags["alarmtime"], one.tags["longitude"], one.tags["latitude"]) == (
        "2026-11-30T19:20:14",
        "121.500000",
        "31.200000",
    )
    assert "挖掘" in one.tags["alarmdescription"]
    assert (other.device_id, other.tags["alarmmethod"], other.tags["alarmpriority"]) == (CENTRE, "7", "3")
    assert "longitude" not in other.tags
    assert len(upper.registrations) == 1
    assert f"sip:{CENTRE}@127.0.0.1:" in upper.registrations[0]


def test_a_drill_says_so() -> None:
    """At the beginning of AlarmDescription, which is all that a duty officer of the platform reads."""
    for made_up, footage, drill in ((True, "real", True), (False, "simulated", True), (False, "real", False)):
        city = town(made_up)
        given = parcel(footage=footage)
        told = manscdp.read(alarm_xml(given, city, CENTRE, wording(given.body, city, None, "zh")))
        alarm = manscdp.alarm_of(told, SHANGHAI)
        assert alarm.description.startswith("[模拟]") is drill
    closed = parcel(what="closed")
    told = manscdp.read(alarm_xml(closed, city, CENTRE, wording(closed.body, city, None, "zh")))
    assert (told.tags["alarmmethod"], told.tags["alarmpriority"]) == ("7", "4")


def test_a_message_keeps_its_number(upper: FakeGbPlatform) -> None:
    """An answer that was lost makes the platform see it twice: the same SN says that it is the same."""
    with platform(upper) as deliver:
        deliver(parcel())
        deliver(parcel())
    assert [one.sn for one in upper.alarms] == [str(sn_of("a:1:opened"))] * 2


def test_what_udp_loses_is_sent_again(upper: FakeGbPlatform) -> None:
    """RFC 3261's timers: half a second, then one."""
    with platform(upper) as deliver:
        deliver(parcel())
        upper.deaf = 2
        deliver(parcel(idempotency_key="c"))
    assert len(upper.alarms) == 2


def test_a_platform_that_forgot_us_is_told_anew(upper: FakeGbPlatform) -> None:
    """It was restarted: registered again at once, and the message arrives with this try."""
    now = [1000.0]
    with platform(upper, clock=lambda: now[0]) as deliver:
        deliver(parcel())
        upper.registered = False
        now[0] += 10
        deliver(parcel(idempotency_key="c"))
    assert (len(upper.alarms), len(upper.registrations)) == (2, 2)


@pytest.mark.parametrize(
    ("status", "more", "error"),
    [
        (503, ("Retry-After", "30"), NotNow), (500, None, ChannelError), (480, None, ChannelError), (488, None, Final), (606, None, ChannelError),
    ],
)  # fmt: skip
def test_what_an_answer_means(
    upper: FakeGbPlatform, status: int, more: tuple[str, str] | None, error: type[ChannelError]
) -> None:
    """For good, worth another try, or wait: as of every channel."""
    with platform(upper) as deliver:
        upper.answers = [(status, more)]
        with pytest.raises(error) as caught:
            deliver(parcel())
        assert type(caught.value) is error
        assert PASSWORD not in str(caught.value)
        deliver(parcel())


def test_a_wrong_password_and_no_platform_at_all(upper: FakeGbPlatform) -> None:
    """Said in words that an operator can act on; a storm of alerts is no storm of logins."""
    with platform(upper, "wrong") as deliver:
        for _ in range(3):
            with pytest.raises(ChannelError, match=r"not registered at 127\.0\.0\.1: it answered 403"):
                deliver(parcel())
    upper.endpoint.stop()
    with platform(upper, timeout_s=1.0) as deliver, pytest.raises(TimeoutError):
        deliver(parcel())
    with platform(upper, networks=("192.0.2.0/24",)) as deliver, pytest.raises(Final, match="networks"):
        deliver(parcel())


def test_a_silent_platform_holds_each_message_only_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five at once: else each tried for the whole time after the one before, and took the courier's threads."""
    monkeypatch.setattr(
        gb28181, "REGISTER_FOR_MESSAGE_S", 1.0
    )  # shorter than a try, as it is with `timeout_s: 10`
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        made = channel(hole.getsockname()[1], timeout_s=2.0)
        deliver = Platform(made, town(), PASSWORD, lambda p: wording(p.body, CITY, None, p.language))

        def one(_: int) -> float:
            begun = time.monotonic()
            with pytest.raises((ChannelError, OSError)):
                deliver(parcel())
            return time.monotonic() - begun

        with ThreadPoolExecutor(5) as threads:
            assert max(threads.map(one, range(5))) < 5.0
        deliver.close()


@pytest.mark.parametrize("result", ["OK", "ERROR", None])
def test_a_platform_that_confirms(upper: FakeGbPlatform, result: str | None) -> None:
    """Delivered is only what it says that it has."""
    upper.confirms = result
    with platform(upper, confirms=True, timeout_s=2.0) as deliver:
        if result == "OK":
            deliver(parcel())
        elif result == "ERROR":
            with pytest.raises(Final, match="ERROR"):
                deliver(parcel())
        else:
            with pytest.raises(ChannelError, match="did not confirm"):
                deliver(parcel())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_platform_that_confirms_to_where_we_said(upper: FakeGbPlatform, transport: str) -> None:
    """To the Contact of our registration, which it may do over a connection of its own."""
    upper.confirms, upper.to_contact = "OK", True
    with platform(upper, confirms=True, transport=transport) as deliver:
        deliver(parcel())


def test_an_alarm_that_was_not_confirmed_registers_anew(
    upper: FakeGbPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`channels test` has registered our id from elsewhere, and the platform confirms to there."""
    monkeypatch.setattr(gb28181, "REGISTER_FOR_MESSAGE_S", 0.0)
    with platform(upper, confirms=True, timeout_s=2.0) as deliver:
        with pytest.raises(ChannelError, match="did not confirm"):
            deliver(parcel())
        upper.confirms, upper.to_contact = "OK", True
        upper.registrations.append(f"<sip:{CENTRE}@127.0.0.1:9>")
        deliver(parcel())


def test_it_stays_registered_between_messages(upper: FakeGbPlatform) -> None:
    """Registers by itself, says every minute that it is there, renews before it runs out, starts anew after three without answer."""
    now = [1000.0]
    with platform(upper, clock=lambda: now[0]) as deliver:
        deliver._keep()
        assert len(upper.registrations) == 1
        now[0] += 61
        deliver._keep()
        assert [told.command for told in upper.told] == ["Keepalive"]
        now[0] += 3600 * 0.8
        deliver._keep()
        assert len(upper.registrations) == 2
        upper.answers = [(500, None)] * 3
        for _ in range(3):
            now[0] += 61
            deliver._keep()
        assert not deliver.registered
        now[0] += 61
        deliver._keep()
        assert (len(upper.registrations), deliver.registered) == (3, True)
        with deliver:
            pass


def test_from_the_loop_to_the_platform(postgres_dsn: str) -> None:
    """Opened and closed by `sends: [alerts]`, behind limits, breaker and fallback as every channel."""
    with FakeGbPlatform(SECRET) as upper, make_pool(postgres_dsn, "test", min_size=1, max_size=6) as pool:
        made = channel(upper.endpoint.port, sends=("alerts",))
        here = Town(SeededPostgresBook(pool), msgspec.structs.replace(town(made_up=True), channels=(made,)))
        alert_id = here.happens()
        here.deliver()
        (alarm,) = upper.alarms
        assert (alarm.device_id, alarm.tags["alarmpriority"]) == (CAMERA_ID, "1")
        assert alarm.tags["alarmdescription"].startswith("[模拟]")
        here.engine.step(
            alert_id, Step.DISMISS, SUPERVISOR, NOON, note="deer", reason="false_alarm", cause="animal"
        )
        here.deliver()
        assert [one.tags["alarmmethod"] for one in upper.alarms] == ["5", "7"]
        (state,) = here.states.all().values()
        assert state.last_error is None

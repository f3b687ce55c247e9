"""The door for GB/T 28181 with a real database: what is answered 200 is stored, and nothing ends the door.

The device is a fake that uses our own SIP code (tests/doubles/gb_device.py); SIPp stands in test_gb28181_sipp.py.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from alerts.reasons import Health
from monitor.domain import manscdp
from monitor.domain.assets import City
from monitor.ingest.gb28181.door import GARBAGE_KEPT, GbDoor
from monitor.ingest.gb28181.ports import GbDeviceWork
from monitor.ingest.gb28181.postgres import PostgresGbStore
from monitor.ingest.gb28181.registrar import Registration
from monitor.ingest.ports import DeviceAlarm
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.sip.endpoint import Transport
from monitor.sip.messages import Request, header, serialize
from monitor.store.pool import Pool, make_pool
from tests.doubles.alert_story import CITY
from tests.doubles.gb_device import CAMERA_ID, MODERN, NVR, PASSWORDS, FakeGbDevice, alarm_xml, with_gb

CAMERA = CITY.cameras[0].camera_id


class Place:
    """A door, its database, and the loop that takes what it leaves."""

    def __init__(self, pool: Pool, city: City, **more: Any) -> None:
        self.pool, self.city = pool, city
        given = {"store": PostgresIngestStore(pool), "devices": PostgresGbStore(pool), **more}
        self.door = GbDoor(city, PASSWORDS, given["store"], given["devices"])
        self.engine = AlertEngine(PostgresAlertBook(pool), city)

    def alerts(self) -> dict[str, Any]:
        while self.engine.take_work(datetime.now(UTC)):
            pass
        return {row.alert.health or row.alert.violation or "": row.alert for row in self.engine.list_alerts()}

    def rows(self, query: str) -> list[Any]:
        with self.pool.connection() as conn:
            return conn.execute(query).fetchall()

    def letters(self) -> list[tuple[str, str]]:
        found = self.rows("SELECT topic, reason FROM dead_letter ORDER BY dead_letter_id")
        return [(row["topic"], row["reason"].split(":")[0]) for row in found]


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[Pool]:
    with make_pool(postgres_dsn, "test", min_size=1, max_size=4) as found:
        yield found


@contextmanager
def place(pool: Pool, city: City | None = None, **more: Any) -> Iterator[Place]:
    here = Place(pool, city or with_gb(CITY, CAMERA), **more)
    with here.door:
        yield here


def eventually(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, "did not become true in time"
        time.sleep(0.05)


@pytest.mark.parametrize(("transport", "who"), [("UDP", NVR), ("TCP", NVR), ("UDP", MODERN)])
def test_an_alarm_becomes_an_alert(pool: Pool, transport: Transport, who: str) -> None:
    """Registered, alive, alarm, 200 after the commit, and the application's answer; the same alarm again is the same."""
    camera_id = CAMERA_ID if who == NVR else MODERN
    with place(pool) as here, FakeGbDevice(here.door.port, who, transport=transport) as device:
        assert device.register().status == 200
        assert device.keepalive().status == 200
        body = alarm_xml(datetime.now(UTC), 7, camera_id)
        assert device.say(body).status == 200
        assert len(here.rows("SELECT 1 FROM alert_work WHERE kind = 'device_alarm'")) == 1, (
            "stored before the answer"
        )
        told = device.told.get(timeout=20)
        assert (told.root, told.command, told.sn, told.device_id, told.tags["result"]) == (
            "response",
            "Alarm",
            "7",
            camera_id,
            "OK",
        )
        assert device.say(body).status == 200
        alert = here.alerts()["on_pipe"]
        assert (alert.source, alert.camera_id) == ("device", CAMERA)
        assert len(here.rows("SELECT 1 FROM report")) == 1


def test_what_cannot_be_used_is_kept_and_said(pool: Pool) -> None:
    """Not mapped, not known, not XML, not ours: each has its answer, and its bytes are there for who looks."""
    with place(pool) as here, FakeGbDevice(here.door.port) as device:
        device.register()
        now = datetime.now(UTC)
        assert device.say(alarm_xml(now, 1, info="")).status == 200
        assert device.told.get(timeout=20).tags["result"] == "ERROR"
        assert device.say(alarm_xml(now, 2, "34020000001310000999")).status == 200
        assert device.say(b"<Notify><CmdType>Alarm").status == 400
        assert device.say(manscdp.response("Catalog", "1", NVR, "OK")).status == 200
        catalogue = manscdp.response("Catalog", "1", NVR, "OK").replace(b"Response", b"Notify")
        assert device.say(catalogue).status == 488
        odd = device.make("MESSAGE", ("Content-Type", "text/plain"))
        assert device.ask(odd).status == 415
        assert device.ask(device.make("INVITE")).status == 405
        assert header(device.ask(device.make("SUBSCRIBE")), "Allow") == "REGISTER, MESSAGE"
        place_ = f"gb28181/{NVR}"
        assert here.letters() == [
            (place_, "unmapped_event"),
            (place_, "unknown_device"),
            (place_, "unreadable"),
        ]
        assert here.alerts()[Health.DEAD_LETTER].subject == place_


def test_bytes_that_are_no_sip_from_a_device_are_kept(pool: Pool) -> None:
    """A stranger's garbage is counted, a device's is a dead letter; signs of life of routers are nothing."""
    with place(pool) as here, FakeGbDevice(here.door.port) as device:
        device.register()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for data in (b"\r\n\r\n", b"garbage", b""):
                other.sendto(data, ("127.0.0.1", here.door.port))
        eventually(lambda: here.letters() == [(f"gb28181/{NVR}", "unreadable")])
        with socket.create_connection(("127.0.0.1", here.door.port), timeout=20) as stream:
            stream.sendall(b"MESSAGE x SIP/2.0\r\nContent-Length: 9999999\r\n\r\n")
            assert stream.recv(100).startswith(b"SIP/2.0 513")
        assert device.keepalive().status == 200


def test_a_devices_garbage_fills_no_database(pool: Pool) -> None:
    """Each datagram differs, so each would be a dead letter of its own: so many in a minute, the rest is counted."""
    with place(pool) as here, FakeGbDevice(here.door.port) as device:
        device.register()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for n in range(GARBAGE_KEPT + 15):
                other.sendto(b"garbage %d" % n, ("127.0.0.1", here.door.port))
        eventually(lambda: here.door.counts["no_sip"] == GARBAGE_KEPT + 15)
        assert device.keepalive().status == 200
        # a minute may have begun anew meanwhile
        assert GARBAGE_KEPT <= len(here.letters()) < GARBAGE_KEPT + 15


def test_strangers_and_wrong_passwords(pool: Pool) -> None:
    """A person hears of it once it goes on; the right password takes it back."""
    with place(pool) as here:
        with FakeGbDevice(here.door.port, "34020000001320000099") as stranger:
            assert [stranger.register().status for _ in range(6)] == [404] * 5 + [403]
        with FakeGbDevice(here.door.port, password="guess", host="127.0.0.2") as wrong:
            assert wrong.say(alarm_xml(datetime.now(UTC))).status == 401
            assert [wrong.register().status for _ in range(5)] == [403] * 5
        assert here.alerts()[Health.DEVICE_REFUSED] is not None
        subjects = {row.alert.subject for row in here.engine.list_alerts()}
        assert subjects == {"127.0.0.1", NVR}
        with FakeGbDevice(here.door.port) as right:
            right.register()
        assert {row.alert.subject for row in here.engine.list_alerts(running=True)} >= {"127.0.0.1"}
        eventually(
            lambda: (
                NVR not in {r.alert.subject for r in here.engine.list_alerts(running=True)}
                or here.alerts() is None
            )
        )


def test_who_is_outside_of_the_networks_is_not_heard(pool: Pool) -> None:
    """No answer tells a scanner that somebody is here."""
    with place(pool, with_gb(CITY, CAMERA, networks=("192.0.2.0/24",))) as here:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.settimeout(0.5)
            device = FakeGbDevice(here.door.port)
            other.sendto(serialize(device.make("REGISTER")), ("127.0.0.1", here.door.port))
            device.endpoint.stop()
            with pytest.raises(TimeoutError):
                other.recv(100)
        with socket.create_connection(("127.0.0.1", here.door.port), timeout=20) as stream:
            assert stream.recv(100) == b""


def test_a_request_that_comes_again_is_answered_again(pool: Pool) -> None:
    """UDP loses answers: the same bytes get the same answer, and count once, also a login."""
    with place(pool) as here, FakeGbDevice(here.door.port) as device:
        device.register()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.settimeout(20)
            wire.bind(("127.0.0.1", 0))
            made = device.make("MESSAGE", body=alarm_xml(datetime.now(UTC), 3))
            data = serialize(made)
            answers = []
            for _ in range(3):
                wire.sendto(data, ("127.0.0.1", here.door.port))
                while not (came := wire.recv(4000)).startswith(b"SIP/2.0 200"):
                    pass  # the centre's own message, which it sends again until it is answered
                answers.append(came)
            assert len(set(answers)) == 1
            assert len(here.rows("SELECT 1 FROM alert_work WHERE kind = 'device_alarm'")) == 1


class Away(PostgresIngestStore):
    """A database that is away for the first tries: the error is real, the time of it is ours."""

    def __init__(self, pool: Pool, times: int) -> None:
        super().__init__(pool)
        self.times = times

    def note_device(self, alarm: DeviceAlarm, now: datetime) -> None:
        self.times -= 1
        if self.times >= 0:
            raise psycopg.OperationalError("the connection is lost")
        super().note_device(alarm, now)


def test_nothing_is_answered_while_the_database_is_away(pool: Pool) -> None:
    """200 means stored; the device sends again meanwhile, and it is one alarm."""
    with place(pool, store=Away(pool, 3)) as here, FakeGbDevice(here.door.port) as device:
        device.register()
        assert device.say(alarm_xml(datetime.now(UTC))).status == 200
        assert len(here.rows("SELECT 1 FROM alert_work WHERE kind = 'device_alarm'")) == 1


def test_an_alarm_that_the_database_refuses_is_kept_and_holds_nobody_back(pool: Pool) -> None:
    """Tried for ever it would hold back all other devices."""

    class Refuses(PostgresIngestStore):
        def note_device(self, alarm: DeviceAlarm, now: datetime) -> None:
            raise psycopg.DataError("a value that it does not take")

    with place(pool, store=Refuses(pool)) as here, FakeGbDevice(here.door.port) as device:
        device.register()
        assert device.say(alarm_xml(datetime.now(UTC))).status == 200
        assert here.letters() == [(f"gb28181/{NVR}", "refused_by_store")]
        assert device.keepalive().status == 200


def test_a_device_that_falls_silent_is_an_alert(pool: Pool) -> None:
    """As a camera that falls silent is; heard again, it clears by itself. The one that never came stays."""
    with (
        place(pool, with_gb(CITY, CAMERA, silent_after_s=2.5)) as here,
        FakeGbDevice(here.door.port) as device,
    ):
        device.register()

        def silent() -> set[str | None]:
            here.alerts()
            return {row.alert.subject for row in here.engine.list_alerts(running=True)}

        eventually(lambda: silent() == {NVR, MODERN})
        row = next(r.alert for r in here.engine.list_alerts(running=True) if r.alert.subject == NVR)
        assert (row.health, row.camera_id) == (Health.DEVICE_SILENT, CAMERA)

        def back() -> bool:
            device.keepalive()
            return silent() == {MODERN}

        eventually(back)


def test_a_restart_makes_no_strangers(pool: Pool) -> None:
    """Devices register once a day: what the door knew is in the database."""
    with place(pool) as here, FakeGbDevice(here.door.port) as device:
        device.register()
        port = here.door.port
        with FakeGbDevice(port, MODERN) as modern:
            modern.register()
            modern.register("0")
    with place(pool, with_gb(CITY, CAMERA, port=port)) as here:
        with FakeGbDevice(here.door.port) as device:
            assert device.say(alarm_xml(datetime.now(UTC))).status == 200
        with FakeGbDevice(here.door.port, MODERN) as modern:
            assert modern.keepalive().status == 401, "it had logged off"


def test_a_port_that_is_taken_keeps_nobody_from_working(pool: Pool) -> None:
    """The centre starts, says it is not well, and listens once the port is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with place(pool, with_gb(CITY, CAMERA, port=other.getsockname()[1])) as here:
            assert not here.door.healthy()
            other.close()
            eventually(here.door.healthy)


def test_the_store_of_registrations(pool: Pool) -> None:
    """The newest counts, what ran out does not."""
    store, now = PostgresGbStore(pool), datetime.now(UTC)
    one = Registration(
        gb_id=NVR,
        transport="UDP",
        host="192.0.2.1",
        port=5060,
        registered_at=now,
        expires_at=now + timedelta(hours=1),
    )
    store.register(
        Registration(gb_id=NVR, transport="TCP", host="192.0.2.9", port=1, registered_at=now, expires_at=now)
    )
    store.register(one)
    store.register(
        Registration(gb_id=MODERN, transport="UDP", host="h", port=1, registered_at=now, expires_at=now)
    )
    assert store.registrations(now) == [one]
    store.unregister(NVR)
    assert store.registrations(now) == []
    store.tell(GbDeviceWork(subject=NVR, what="silent", at=now), now)


# ---------------------------------------------------------------- fuzz
@pytest.fixture(scope="module")
def busy(request: pytest.FixtureRequest) -> Iterator[Place]:
    from tests.conftest import fresh_database

    server, template = (
        request.getfixturevalue("postgres_server_dsn"),
        request.getfixturevalue("postgres_template"),
    )
    for dsn in fresh_database(server, template):
        with make_pool(dsn, "test", min_size=1, max_size=4) as found, place(found) as here:
            yield here


HEADERS = (
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Expires",
    "Authorization",
    "Contact",
    "Content-Type",
    "Content-Length",
)
values = st.text(st.characters(codec="latin-1"), max_size=60) | st.sampled_from(
    ["SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKa", f"<sip:{NVR}@3402000000>;tag=1", "1 REGISTER", "2 MESSAGE", "0",
     f'Digest username="{NVR}",realm="3402000000",nonce="x",uri="x",response="x"', "Application/MANSCDP+xml"]
)  # fmt: skip
bodies = st.binary(max_size=200) | st.sampled_from([alarm_xml(datetime(2026, 11, 30, tzinfo=UTC)), b"<a/>"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["REGISTER", "MESSAGE", "ACK", "X"]), pairs=st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=12),
       body=bodies, raw=st.none() | st.binary(max_size=100))  # fmt: skip
def test_nothing_ends_the_door(
    busy: Place, method: str, pairs: list[tuple[str, str]], body: bytes, raw: bytes | None
) -> None:
    """Whatever comes over UDP, the worker lives and has no unforeseen error."""
    data = (
        raw
        if raw is not None
        else serialize(Request(method=method, uri="sip:x@y", headers=tuple(pairs), body=body))
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.sendto(data, ("127.0.0.1", busy.door.port))


def test_after_all_that_it_still_works(busy: Place) -> None:
    """Runs after the fuzz: no error that nobody foresaw, and a device is served."""
    with FakeGbDevice(busy.door.port, host="127.0.0.3") as device:
        assert device.register().status == 200
        assert device.say(alarm_xml(datetime.now(UTC), 99)).status == 200
    assert busy.door.healthy()
    assert busy.door.failures == 0

"""A FAKE device of GB/T 28181: speaks with our own SIP code, so it proves what the centre decides, not how makers spell.

An independent peer (SIPp) is in tests/integration/test_gb28181_sipp.py. Shapes of messages are those that public write-ups
of captures show.
"""

from __future__ import annotations

import itertools
import queue
from datetime import datetime
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

from monitor.domain import manscdp
from monitor.domain.assets import City, Device, DeviceAlarm, GbCentre, GbDevice
from monitor.domain.gb_ids import GbId
from monitor.domain.manscdp import Told
from monitor.sip.digest import credentials
from monitor.sip.endpoint import Endpoint, Peer, Transport
from monitor.sip.messages import Request, Response, headers_of, respond
from monitor.sip.requests import Way, new_call_id, request

CENTRE = "34020000002000000001"
#: registers itself, and its camera's alarms carry its own id or a channel's
NVR = "34020000001180000001"
CAMERA_ID = "34020000001310000007"
INPUT_ID = "34020000001340000001"
#: proves itself with SHA-256
MODERN = "34020000001320000009"
PASSWORD = "gb-s3cret"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def gb_centre(camera: str, **more: Any) -> GbCentre:
    """The centre's section of the tests' city; loopback only, a free port."""
    given = {
        "host": "127.0.0.1", "port": 0, "networks": ("127.0.0.0/8",), "timezone": "Asia/Shanghai",
        "devices": (
            GbDevice(gb_id=NVR, brings={CAMERA_ID: camera, INPUT_ID: camera}),
            GbDevice(gb_id=MODERN, brings={MODERN: camera}, digest="SHA-256"),
        ),
    }  # fmt: skip
    return GbCentre(**{"gb_id": CENTRE, "realm": CENTRE[:10], **given, **more})


PASSWORDS = {NVR: PASSWORD, MODERN: PASSWORD}


def mapped(camera: str) -> tuple[Device, ...]:
    """Its table: intrusion, and whatever its alarm input says."""
    rows = (
        DeviceAlarm(topic="gb28181/5/6", violation="on_pipe"),
        DeviceAlarm(topic="gb28181/2", violation="valve_operated"),
    )
    return (Device(camera_id=camera, alarms=rows),)


def with_gb(city: City, camera: str, **more: Any) -> City:
    """A city whose camera reports by GB/T 28181."""
    import msgspec

    return msgspec.structs.replace(city, gb28181=gb_centre(camera, **more), devices=mapped(camera))


def alarm_xml(at: datetime, sn: int = 1, device_id: str = CAMERA_ID, info: str = "<Info><AlarmType>6</AlarmType></Info>",
              method: int = 5) -> bytes:  # fmt: skip
    """As a camera sends it: GB 2312 declared and sent, local time, no offset."""
    text = (
        '<?xml version="1.0" encoding="GB2312"?>\r\n<Notify>\r\n<CmdType>Alarm</CmdType>\r\n'
        f"<SN>{sn}</SN>\r\n<DeviceID>{device_id}</DeviceID>\r\n<AlarmPriority>1</AlarmPriority>\r\n"
        f"<AlarmTime>{at.astimezone(SHANGHAI):%Y-%m-%dT%H:%M:%S}</AlarmTime>\r\n<AlarmMethod>{method}</AlarmMethod>\r\n"
        f"<AlarmDescription>区域入侵</AlarmDescription>\r\n{info}\r\n</Notify>\r\n"
    )
    return text.encode("gb2312")


class FakeGbDevice:
    """One device, on loopback."""

    def __init__(
        self,
        port: int,
        gb_id: str = NVR,
        password: str = PASSWORD,
        transport: Transport = "UDP",
        host: str = "127.0.0.1",
    ) -> None:
        self.gb_id, self.password, self.host = gb_id, password, host
        self.endpoint = Endpoint(self._came, host=host, transports=(transport,), listens=False)
        self.peer = Peer(transport, "127.0.0.1", port)
        #: what the centre said by itself
        self.told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._numbers, self._call_id = itertools.count(1), new_call_id()

    def __enter__(self) -> FakeGbDevice:
        self.endpoint.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.endpoint.stop()

    @property
    def way(self) -> Way:
        return Way(ours=GbId(self.gb_id), theirs=GbId(CENTRE), realm=CENTRE[:10], peer=self.peer, host=self.host,
                   port=self.endpoint.port or 5060)  # fmt: skip

    def ask(self, made: Request, timeout_s: float = 20.0) -> Response:
        return self.endpoint.ask(made, self.peer, timeout_s)

    def make(
        self, method: str, *more: tuple[str, str], body: bytes = b"", call_id: str | None = None
    ) -> Request:
        register = method == "REGISTER"
        return request(self.way, method, next(self._numbers), call_id or (self._call_id if register else new_call_id()),
                       *more, body=body, register=register)  # fmt: skip

    def register(self, expires: str = "3600") -> Response:
        """With the answer to a challenge, if one comes."""
        more = (("Contact", self.way.contact), ("Expires", expires))
        first = self.make("REGISTER", *more)
        answer = self.ask(first)
        if answer.status != 401:
            return answer
        proof = credentials(
            headers_of(answer, "WWW-Authenticate"), self.gb_id, self.password, "REGISTER", first.uri
        )
        assert proof is not None
        return self.ask(self.make("REGISTER", *more, ("Authorization", proof)))

    def say(self, body: bytes, timeout_s: float = 20.0) -> Response:
        return self.ask(self.make("MESSAGE", body=body), timeout_s)

    def keepalive(self) -> Response:
        return self.say(manscdp.keepalive(next(self._numbers), self.gb_id))

    def _came(self, came: Request, peer: Peer) -> None:
        self.endpoint.answer(came, peer, respond(came, 200, tag="dev"))
        self.told.put(manscdp.read(came.body))

"""The embedded brokers: one contract for both kinds, and where mosquitto promises more."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from monitor.child import is_alive
from monitor.ingest import embedded_broker
from monitor.ingest.broker_files import MAX_PAYLOAD_BYTES
from monitor.ingest.embedded_broker import (
    CENTRE,
    PROGRAM_PATH,
    BrokerAlreadyRunning,
    BrokerPortTaken,
    EmbeddedBroker,
    EmbeddedBrokerError,
    Kind,
)

EDGE = "edge-1"
OTHER = "edge-2"
EVENT = f"hcawatch/v1/event/{EDGE}/camera-1"
TIMEOUT_S = 10.0

HOLDER = """
import sys, time
from pathlib import Path
from monitor.ingest.embedded_broker import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]), ["edge-1"], kind=sys.argv[2])
broker.start()
print(broker.pid, broker.port, flush=True)
time.sleep(600)
"""


class Client:
    """A paho client whose callbacks become queues that a test waits on."""

    def __init__(
        self,
        broker: EmbeddedBroker,
        user: str,
        *,
        name: str,
        password: str | None = None,
        will: tuple[str, bytes] | None = None,
        manual_ack: bool = False,
        expiry_s: int = 3600,
    ) -> None:
        self.connected: queue.Queue[mqtt.ReasonCode] = queue.Queue()
        self.session_present = False
        self.messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self.published: queue.Queue[mqtt.ReasonCode] = queue.Queue()
        self.subscribed: queue.Queue[Any] = queue.Queue()
        self.paho = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5, manual_ack=manual_ack
        )
        self.paho.username_pw_set(user, password or broker.passwords[user])
        self.paho.on_connect = self._on_connect
        self.paho.on_message = lambda _client, _data, message: self.messages.put(message)
        self.paho.on_publish = lambda _client, _data, _mid, code, _props: self.published.put(code)
        self.paho.on_subscribe = lambda _client, _data, _mid, codes, _props: self.subscribed.put(codes)
        if will is not None:
            self.paho.will_set(will[0], will[1], qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = expiry_s
        self.paho.connect(broker.host, broker.port, clean_start=False, properties=properties)
        self.paho.loop_start()

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: mqtt.ReasonCode, _props: Any) -> None:
        self.session_present = bool(flags.session_present)
        self.connected.put(code)

    def wait_connected(self) -> Client:
        code = self.connected.get(timeout=TIMEOUT_S)
        assert not code.is_failure, code
        return self

    def subscribe(self, topic: str) -> None:
        self.paho.subscribe(topic, qos=1)
        self.subscribed.get(timeout=TIMEOUT_S)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, properties: Properties | None = None
    ) -> mqtt.ReasonCode:
        """Publishes at QoS 1 and answers the broker's reason code."""
        self.paho.publish(topic, payload, qos=1, retain=retain, properties=properties)
        return self.published.get(timeout=TIMEOUT_S)

    def receive(self, timeout_s: float = TIMEOUT_S) -> mqtt.MQTTMessage:
        return self.messages.get(timeout=timeout_s)

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def drop(self) -> None:
        """Breaks the connection as a cut cable would: no DISCONNECT."""
        self.paho.loop_stop()
        connection = self.paho.socket()
        assert connection is not None
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


Connect = Callable[..., Client]

KINDS = [
    pytest.param(
        "mosquitto",
        marks=pytest.mark.skipif(
            shutil.which("mosquitto", path=PROGRAM_PATH) is None, reason="no mosquitto here"
        ),
    ),
    "iotcore",
]


@pytest.fixture(params=KINDS, scope="module")
def any_broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedBroker]:
    """Each kind in turn, one for all tests of the contract (topics differ by client name)."""
    with EmbeddedBroker(tmp_path_factory.mktemp("broker"), [EDGE, OTHER], kind=request.param) as broker:
        yield broker


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients and closes them after the test."""
    clients: list[Client] = []

    def make(broker: EmbeddedBroker, user: str, **options: Any) -> Client:
        client = Client(broker, user, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of EDGE that no other test uses."""
    return f"hcawatch/v1/event/{EDGE}/{abs(hash(request.node.nodeid))}"


def test_a_message_arrives_with_its_user_properties(
    any_broker: EmbeddedBroker, connect: Connect, topic: str
) -> None:
    """Edge, epoch, seq and hash travel as user properties, in order and complete."""
    centre = connect(any_broker, CENTRE, name="c-props").wait_connected()
    centre.subscribe(topic)
    edge = connect(any_broker, EDGE, name="e-props").wait_connected()
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("edge", EDGE), ("epoch", "7"), ("seq", "1"), ("sha256", "ab" * 32)]
    assert not edge.publish(topic, b"{}", properties=properties).is_failure
    message = centre.receive()
    assert message.payload == b"{}"
    assert message.properties is not None
    assert list(message.properties.UserProperty) == properties.UserProperty


def test_the_last_retained_message_meets_a_late_subscriber(
    any_broker: EmbeddedBroker, connect: Connect
) -> None:
    """Receipts and configurations are retained for edges that come later."""
    topic = f"hcawatch/v1/receipt/{EDGE}"
    centre = connect(any_broker, CENTRE, name="c-retain").wait_connected()
    centre.publish(topic, b"old", retain=True)
    centre.publish(topic, b"new", retain=True)
    edge = connect(any_broker, EDGE, name="e-retain").wait_connected()
    edge.subscribe(topic)
    message = edge.receive()
    assert (message.payload, message.retain) == (b"new", True)


def test_the_last_will_is_published_when_the_connection_breaks(
    any_broker: EmbeddedBroker, connect: Connect
) -> None:
    """An edge that is gone says so by its will; one that leaves in order doesn't."""
    topic = f"hcawatch/v1/online/{OTHER}"
    centre = connect(any_broker, CENTRE, name="c-will").wait_connected()
    centre.subscribe(topic)
    edge = connect(any_broker, OTHER, name="e-will", will=(topic, b"gone")).wait_connected()
    edge.publish(topic, b"alive", retain=True)
    assert centre.receive().payload == b"alive"
    edge.drop()
    assert centre.receive().payload == b"gone"


def test_messages_wait_for_a_subscriber_that_is_away(
    any_broker: EmbeddedBroker, connect: Connect, topic: str
) -> None:
    """The centre restarts: its session and what came meanwhile are there (clean_start False)."""
    centre = connect(any_broker, CENTRE, name="c-session").wait_connected()
    centre.subscribe(topic)
    centre.close()
    edge = connect(any_broker, EDGE, name="e-session").wait_connected()
    for n in range(20):
        edge.publish(topic, str(n).encode())
    again = connect(any_broker, CENTRE, name="c-session").wait_connected()
    assert again.session_present
    assert [int(again.receive().payload) for _ in range(20)] == list(range(20))


def test_what_was_not_acknowledged_comes_again(
    any_broker: EmbeddedBroker, connect: Connect, topic: str
) -> None:
    """Ingest acknowledges after its commit: a crash before that must bring the message back."""
    first = connect(any_broker, CENTRE, name="c-ack", manual_ack=True).wait_connected()
    first.subscribe(topic)
    edge = connect(any_broker, EDGE, name="e-ack").wait_connected()
    for payload in (b"one", b"two"):
        edge.publish(topic, payload)
    one, two = first.receive(), first.receive()
    assert (one.payload, two.payload) == (b"one", b"two")
    first.paho.ack(one.mid, one.qos)
    time.sleep(0.3)  # until the acknowledgement is out
    first.drop()
    again = connect(any_broker, CENTRE, name="c-ack", manual_ack=True).wait_connected()
    assert again.receive().payload == b"two"
    with pytest.raises(queue.Empty):
        again.receive(timeout_s=0.5)


@pytest.mark.parametrize("user", [CENTRE, EDGE])
def test_a_wrong_password_is_refused(any_broker: EmbeddedBroker, connect: Connect, user: str) -> None:
    """And the right one of another user is a wrong one."""
    other = {CENTRE: EDGE, EDGE: CENTRE}[user]
    for password in ("guessed", any_broker.passwords[other]):
        client = connect(any_broker, user, name=f"bad-{user}-{len(password)}", password=password)
        try:
            assert client.connected.get(timeout=1).is_failure
        except queue.Empty:  # rumqttd hangs up without a word, which is a no as well
            assert not client.paho.is_connected()


def test_a_payload_at_the_limit_passes(any_broker: EmbeddedBroker, connect: Connect, topic: str) -> None:
    """A configuration with many zones is large; 256 KiB pass."""
    centre = connect(any_broker, CENTRE, name="c-size").wait_connected()
    centre.subscribe(topic)
    edge = connect(any_broker, EDGE, name="e-size").wait_connected()
    edge.publish(topic, b"x" * MAX_PAYLOAD_BYTES)
    assert len(centre.receive().payload) == MAX_PAYLOAD_BYTES


def test_a_payload_above_the_limit_does_not_pass(
    any_broker: EmbeddedBroker, connect: Connect, topic: str
) -> None:
    """Pictures never go over MQTT; nobody fills the broker's memory."""
    centre = connect(any_broker, CENTRE, name="c-over").wait_connected()
    centre.subscribe(topic)
    edge = connect(any_broker, EDGE, name="e-over").wait_connected()
    edge.paho.publish(topic, b"x" * (MAX_PAYLOAD_BYTES + 32 * 1024), qos=1)
    with pytest.raises(queue.Empty):
        centre.receive(timeout_s=1)


@pytest.mark.parametrize("kind", KINDS)
def test_it_ends_when_its_process_is_killed_with_9(tmp_path: Path, repository: Path, kind: Kind) -> None:
    """And the next start on the folder finds nothing in its way, at the same passwords."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), kind],
        stdout=subprocess.PIPE,
        text=True,
        cwd=repository,
    )
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline().split()[0])
    before = json.loads((tmp_path / "broker.json").read_text())
    with pytest.raises(BrokerAlreadyRunning, match=f"process {process.pid}"):
        EmbeddedBroker(tmp_path, [EDGE], kind=kind).start()
    process.kill()
    process.wait()
    with EmbeddedBroker(tmp_path, [EDGE], kind=kind) as broker:
        assert dict(broker.passwords) == before
    assert not is_alive(pid)


@pytest.mark.parametrize("kind", KINDS)
def test_an_orphan_that_does_not_end_by_itself_is_ended(tmp_path: Path, repository: Path, kind: Kind) -> None:
    """Its process is gone, and it hangs: the next start ends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), kind],
        stdout=subprocess.PIPE,
        text=True,
        cwd=repository,
    )
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline().split()[0])
    os.kill(pid, signal.SIGSTOP)
    process.kill()
    process.wait()
    with EmbeddedBroker(tmp_path, [EDGE], kind=kind) as broker:
        assert broker.is_alive()
        assert not is_alive(pid)


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_is_taken_meanwhile_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    """Another listener on the port is never mistaken for our broker."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        threading.Thread(target=_answer_nonsense, args=(other,), daemon=True).start()
        honest = embedded_broker.free_loopback_port
        ports = iter([taken])
        monkeypatch.setattr(embedded_broker, "free_loopback_port", lambda: next(ports, None) or honest())
        with EmbeddedBroker(tmp_path, [EDGE], kind=kind) as broker:
            assert broker.port != taken
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(BrokerPortTaken):
        EmbeddedBroker(tmp_path, [EDGE], kind=kind, port=other.getsockname()[1]).start()


def _answer_nonsense(listener: socket.socket) -> None:
    """A program that talks to whoever comes, but not MQTT."""
    kept = []
    while True:
        try:
            kept.append(listener.accept()[0])
            kept[-1].sendall(b"220 another service")
        except OSError:
            for connection in kept:
                connection.close()
            return


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_keeps_port_and_passwords(tmp_path: Path, connect: Connect, kind: Kind) -> None:
    """The broker is killed under its clients; they find the new one where the old one was."""
    broker = EmbeddedBroker(tmp_path, [EDGE], kind=kind)
    broker.start()
    client = connect(broker, EDGE, name="e-again").wait_connected()
    port = broker.port
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    broker.stop()
    assert broker.start() == port
    client.wait_connected()
    broker.stop()


def test_passwords_are_readable_by_us_alone(any_broker: EmbeddedBroker) -> None:
    """What the broker reads holds hashes where the broker can read hashes."""
    home = any_broker.folder
    files = [home / "broker.json", home / "broker.log", *(home / "broker").iterdir()]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in files if path.suffix != ".db")
    if any_broker.kind == "mosquitto":
        assert any_broker.passwords[EDGE] not in (home / "broker" / "passwords").read_text()


@pytest.mark.parametrize("name", ["", "a/b", "+", "edge#", CENTRE, "two words"])
def test_a_name_that_would_widen_an_edges_topics_is_refused(tmp_path: Path, name: str) -> None:
    """The user name stands in the pattern of the edge's topics."""
    with pytest.raises(EmbeddedBrokerError):
        EmbeddedBroker(tmp_path, [name])


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    if shutil.which("mosquitto", path=PROGRAM_PATH) is None:
        pytest.skip("no mosquitto here")
    with EmbeddedBroker(tmp_path_factory.mktemp("mosquitto"), [EDGE, OTHER], kind="mosquitto") as broker:
        yield broker


@pytest.mark.parametrize(
    ("forbidden", "why"),
    [
        (f"hcawatch/v1/event/{OTHER}/camera-1", "in another edge's name"),
        (f"hcawatch/v1/watch/{OTHER}", "coverage of another edge"),
        (f"hcawatch/v1/receipt/{EDGE}", "a receipt is the centre's word"),
        (f"hcawatch/v1/config/{EDGE}", "a configuration is the centre's word"),
        ("hcawatch/v1/dispatch/team-1", "only the centre dispatches"),
        ("elsewhere", "outside our topics"),
    ],
)
def test_mosquitto_lets_an_edge_publish_its_own_only(
    mosquitto: EmbeddedBroker, connect: Connect, forbidden: str, why: str
) -> None:
    """The broker's answer says 'not authorized', and nobody gets the message."""
    centre = connect(mosquitto, CENTRE, name="c-acl").wait_connected()
    centre.subscribe("#")
    edge = connect(mosquitto, EDGE, name="e-acl").wait_connected()
    assert str(edge.publish(forbidden, b"x")) == "Not authorized", why
    for allowed in (EVENT, f"hcawatch/v1/watch/{EDGE}", f"hcawatch/v1/status/{EDGE}"):
        assert not edge.publish(allowed, b"mine").is_failure
        assert centre.receive().topic == allowed


def test_mosquitto_lets_an_edge_hear_its_own_only(mosquitto: EmbeddedBroker, connect: Connect) -> None:
    """An edge doesn't see where the other cameras are or what they saw."""
    edge = connect(mosquitto, EDGE, name="e-hear").wait_connected()
    edge.subscribe("hcawatch/#")
    centre = connect(mosquitto, CENTRE, name="c-hear").wait_connected()
    for topic in (f"hcawatch/v1/config/{OTHER}", EVENT, f"hcawatch/v1/config/{EDGE}"):
        centre.publish(topic, b"x")
    assert edge.receive().topic == f"hcawatch/v1/config/{EDGE}"
    with pytest.raises(queue.Empty):
        edge.receive(timeout_s=0.5)


def test_mosquitto_keeps_sessions_and_retained_messages_over_a_restart(
    tmp_path: Path, connect: Connect, mosquitto: EmbeddedBroker
) -> None:
    """What waits for an absent centre is written down when the broker stops."""
    broker = EmbeddedBroker(tmp_path, [EDGE], kind="mosquitto")
    with broker:
        centre = connect(broker, CENTRE, name="c-keep").wait_connected()
        centre.subscribe(EVENT)
        centre.close()
        edge = connect(broker, EDGE, name="e-keep").wait_connected()
        edge.publish(f"hcawatch/v1/status/{EDGE}", b"state", retain=True)
        edge.publish(EVENT, b"waits")
        edge.close()
    with broker:
        centre = connect(broker, CENTRE, name="c-keep").wait_connected()
        assert centre.session_present
        assert centre.receive().payload == b"waits"
        centre.subscribe(f"hcawatch/v1/status/{EDGE}")
        assert centre.receive().payload == b"state"

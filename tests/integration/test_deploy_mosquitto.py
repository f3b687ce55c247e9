"""The production broker's own files, with a real mosquitto: TLS, users, and what an edge may not say."""

import contextlib
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from monitor.ingest.broker_files import mosquitto_passwords

MOSQUITTO = shutil.which("mosquitto") or (
    "/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None
)
pytestmark = pytest.mark.skipif(
    MOSQUITTO is None, reason="mosquitto is not installed (apt-get install mosquitto)"
)

PASSWORDS = {user: secrets.token_urlsafe(16) for user in ("centre", "edge-1", "edge-2")}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Port and certificate authority of a broker that runs with deploy/mosquitto's files."""
    assert MOSQUITTO is not None
    repository = Path(__file__).resolve().parents[2]
    folder = tmp_path_factory.mktemp("mosquitto")
    subprocess.run(
        [repository / "deploy/mosquitto/make-certs.sh", "localhost", folder / "certs"],
        check=True,
        capture_output=True,
    )
    (folder / "passwords").write_text(mosquitto_passwords(PASSWORDS))
    shutil.copy(repository / "deploy/mosquitto/acl", folder / "acl")
    (folder / "data").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = (repository / "deploy/mosquitto/mosquitto.conf").read_text()
    for there, here in (("/mosquitto/certs", "certs"), ("/mosquitto/auth/passwords", "passwords"),
                        ("/mosquitto/config/acl", "acl"), ("/mosquitto/data/", "data/")):  # fmt: skip
        assert there in text
        text = text.replace(there, str(folder / here) + ("/" if here.endswith("/") else ""))
    (folder / "mosquitto.conf").write_text(
        text.replace("listener 8883", f"listener {port} 127.0.0.1") + "user root\nlog_type information\n"
    )
    server = subprocess.Popen([MOSQUITTO, "-c", folder / "mosquitto.conf"], stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if "running" in line:
                break
        else:
            pytest.fail(f"mosquitto ended: {server.wait()}")
        yield port, folder / "certs" / "ca.crt"
    finally:
        server.kill()
        server.wait()


class Session:
    """One connected client that can be asked for the outcome of a publish or subscribe."""

    def __init__(self, port: int, authority: Path, user: str, password: str) -> None:
        self.outcome: list[object] = []
        self._event = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{user}", protocol=mqtt.MQTTv5)
        self.client.username_pw_set(user, password)
        self.client.tls_set(ca_certs=str(authority), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_connect = lambda *args: self._done(args[3])
        self.client.on_publish = lambda *args: self._done(args[3])
        self.client.on_subscribe = lambda *args: self._done(args[3][0])
        self.client.connect("localhost", port, clean_start=True)
        self.client.loop_start()
        self.connected = self.wait()

    def _done(self, reason: object) -> None:
        self.outcome.append(reason)
        self._event.set()

    def wait(self) -> str:
        """The broker's word on the last thing that was asked."""
        assert self._event.wait(timeout=20), "the broker didn't answer"
        self._event.clear()
        return str(self.outcome[-1])

    def publish(self, topic: str) -> str:
        """Whether the broker took it."""
        self.client.publish(topic, b"{}", qos=1)
        return self.wait()

    def close(self) -> None:
        """End."""
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def edge(broker: tuple[int, Path]) -> Iterator[Session]:
    """The first edge, connected by TLS."""
    session = Session(*broker, "edge-1", PASSWORDS["edge-1"])
    assert session.connected == "Success"
    yield session
    session.close()


@pytest.mark.parametrize("topic", ["event/edge-1/cam-1", "watch/edge-1", "status/edge-1", "online/edge-1"])
def test_an_edge_speaks_for_itself(edge: Session, topic: str) -> None:
    """Events, watch records and states of its own are taken."""
    assert "Not authorized" not in edge.publish(f"hcawatch/v1/{topic}")


@pytest.mark.parametrize(
    "topic", ["event/edge-2/cam-1", "watch/edge-2", "receipt/edge-1", "config/edge-1", "dispatch/team-a"]
)
def test_an_edge_speaks_for_nobody_else(edge: Session, topic: str) -> None:
    """Another edge's events, receipts, configurations and dispatches are refused."""
    assert edge.publish(f"hcawatch/v1/{topic}") == "Not authorized"


def test_the_centre_speaks_to_edges(broker: tuple[int, Path]) -> None:
    """Receipts and dispatches of the centre are taken."""
    centre = Session(*broker, "centre", PASSWORDS["centre"])
    assert "Not authorized" not in centre.publish("hcawatch/v1/receipt/edge-1")
    assert "Not authorized" not in centre.publish("hcawatch/v1/dispatch/team-a")
    centre.close()


def test_a_wrong_password_is_refused(broker: tuple[int, Path]) -> None:
    """Nobody connects with another's password."""
    session = Session(*broker, "edge-1", PASSWORDS["edge-2"])
    assert "Not authorized" in session.connected
    session.close()


def test_without_tls_nothing_is_said(broker: tuple[int, Path]) -> None:
    """A plain connection gets no answer in MQTT."""
    with socket.create_connection(("127.0.0.1", broker[0]), timeout=20) as plain:
        plain.sendall(bytes.fromhex("10100004 4d515454 05 02 003c 00 0003 616263".replace(" ", "")))
        with contextlib.suppress(ConnectionResetError):
            assert not plain.recv(16).startswith(b"\x20")

"""One MQTT 5 connection of the centre: keeps itself connected, hands over what arrives, acknowledges by hand.

A session that outlives the connection (clean_start=False), QoS 1 both ways. It decides nothing about
messages: what to store, and when to acknowledge, is the worker's matter.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from monitor.ingest import lean_properties
from monitor.ingest.buffered_client import BufferedClient
from monitor.ingest.errors import BrokerAddressError, PublishError
from monitor.ingest.ports import Arrived

log = structlog.get_logger(__name__)

lean_properties.install()

#: the broker keeps what we have not acknowledged, and no more than this is on its way to us
RECEIVE_MAXIMUM = 500
SESSION_EXPIRY_S = 14 * 24 * 3600
RECONNECT_MIN_S, RECONNECT_MAX_S = 1, 15
#: a publish that the broker does not acknowledge by then has failed
PUBLISH_S = 10.0


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker is and who we are there. TLS when a CA file is named; a client certificate is optional."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    #: names the session: two processes with one name would throw each other out
    client_id: str = "hcawatch-centre"
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    keepalive_s: int = 20

    def __repr__(self) -> str:
        """Without the password, since reprs end in logs."""
        tls = ", tls" if self.tls_ca_file else ""
        return f"MqttSettings({self.host}:{self.port}, user={self.user!r}, client_id={self.client_id!r}{tls})"


class Delivery(msgspec.Struct, frozen=True):
    """A message with what is needed to acknowledge it on the connection that it came by."""

    arrived: Arrived
    mid: int
    generation: int


class MqttConnection:
    """start() returns at once and connects in the background, for ever, until stop()."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        topics: Sequence[str],
        on_delivery: Callable[[Delivery], None],
        on_connected: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings, self._topics, self._clock = settings, tuple(topics), clock
        self._on_delivery, self._on_connected = on_delivery, on_connected
        self._lock = threading.Lock()
        self._generation = 0
        #: how often the broker let us in; whoever keeps something retained there says it again
        self.connections = 0
        self._connected = threading.Event()
        self._stopping = threading.Event()
        self._refused: dict[int, str] = {}
        self._client = self._make_client()
        self._thread = threading.Thread(target=self._keep_running, name="mqtt", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker let us in, took our subscriptions, and the connection stands."""
        return self._connected.is_set()

    @property
    def alive(self) -> bool:
        """Whether the background thread runs."""
        return self._thread.is_alive()

    def wait_connected(self, timeout_s: float) -> bool:
        """Waits until connected; False after `timeout_s`."""
        return self._connected.wait(timeout_s)

    def start(self) -> None:
        """Connects in the background."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Leaves the broker, which keeps our session and what comes meanwhile."""
        self._stopping.set()
        self._client.disconnect()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledges, in order of arrival; those of an earlier connection will be sent again by the broker."""
        with self._lock:
            for delivery in deliveries:
                if delivery.generation == self._generation:
                    self._client.ack(delivery.mid, 1)

    def send(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Hands a message to the connection without waiting; dropped when there is none."""
        if self.connected:
            self._client.publish(topic, payload, qos=1, retain=retain)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        user_properties: Sequence[tuple[str, str]] = (),
        retain: bool = False,
        timeout_s: float = PUBLISH_S,
    ) -> None:
        """Returns when the broker has acknowledged; PublishError otherwise (it may still have arrived)."""
        self.begin(topic, payload, user_properties=user_properties, retain=retain, timeout_s=timeout_s)()

    def begin(
        self,
        topic: str,
        payload: bytes,
        *,
        user_properties: Sequence[tuple[str, str]] = (),
        retain: bool = False,
        timeout_s: float = PUBLISH_S,
    ) -> Callable[[], None]:
        """Publishes, as `publish`; what it returns waits for the broker, `timeout_s` from now at most."""
        if not self.connected:
            raise PublishError(
                f"{topic}: not connected to the broker at {self._settings.host}; try again later"
            )
        properties = _properties(PacketTypes.PUBLISH)
        if user_properties:
            properties.UserProperty = list(user_properties)
        until_s = time.monotonic() + timeout_s
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)

        def wait() -> None:
            try:
                if not info.is_published():
                    info.wait_for_publish(max(0.001, until_s - time.monotonic()))
                done = info.is_published()
            except (RuntimeError, ValueError) as exc:
                raise PublishError(f"{topic}: not sent: {exc}") from exc
            if not done:
                raise PublishError(
                    f"{topic}: the broker did not acknowledge within {timeout_s:g} s; try again later"
                )
            if reason := self._refused.pop(info.mid, None):
                raise PublishError(f"{topic}: the broker refused it: {reason}; check its access list")

        return wait

    def _make_client(self) -> paho.Client:
        settings = self._settings
        client = BufferedClient(
            CallbackAPIVersion.VERSION2, settings.client_id, protocol=paho.MQTTv5, manual_ack=True
        )
        if settings.user is not None:
            client.username_pw_set(settings.user, settings.password)
        if settings.tls_ca_file is not None:
            try:
                client.tls_set(
                    str(settings.tls_ca_file),
                    str(settings.tls_cert_file) if settings.tls_cert_file else None,
                    str(settings.tls_key_file) if settings.tls_key_file else None,
                )
            except (OSError, ssl.SSLError, ValueError) as exc:
                raise BrokerAddressError(f"the TLS files of the broker cannot be used: {exc}") from exc
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.on_socket_open = _without_delay
        client.on_connect = self._note_connect
        client.on_subscribe = self._note_subscribe
        client.on_disconnect = self._note_disconnect
        client.on_message = self._note_message
        client.on_publish = self._note_published
        return client

    def _keep_running(self) -> None:
        """paho reconnects by itself; whatever else ends its loop is logged and started again."""
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        while not self._stopping.is_set():
            try:
                self._client.connect_async(
                    self._settings.host, self._settings.port, self._settings.keepalive_s,
                    clean_start=False, properties=properties,
                )  # fmt: skip
                self._client.loop_forever(retry_first_connection=True)
            except Exception:
                log.exception("mqtt.loop_failed", broker=self._settings.host)
            self._lose()
            self._stopping.wait(RECONNECT_MIN_S)

    def _lose(self) -> None:
        with self._lock:
            self._generation += 1
            self._connected.clear()

    def _note_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            log.warning(
                "mqtt.refused", broker=self._settings.host, user=self._settings.user, reason=str(reason)
            )
            return
        with self._lock:
            self._generation += 1
        # always: a broker that lost its memory has lost our subscriptions too
        result, _mid = client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._topics])
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
            log.warning("mqtt.subscribe_failed", error=paho.error_string(result))

    def _note_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: Sequence[ReasonCode], _properties: Any
    ) -> None:
        if refused := [str(reason) for reason in reasons if reason.is_failure]:
            log.error("mqtt.subscriptions_refused", reasons=refused, remedy="check the broker's access list")
            return
        self._connected.set()
        self.connections += 1
        log.info("mqtt.connected", broker=self._settings.host, port=self._settings.port)
        self._on_connected()

    def _note_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self._lose()
        if not self._stopping.is_set():
            log.warning("mqtt.disconnected", broker=self._settings.host, reason=str(reason))

    def _note_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        pairs = getattr(message.properties, "UserProperty", []) if message.properties else []
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(a topic that is not UTF-8)"
        arrived = Arrived(
            topic=topic,
            payload=bytes(message.payload),
            pairs=tuple((k, v) for k, v in pairs),
            received_at=self._clock(),
        )
        self._on_delivery(Delivery(arrived, message.mid, self._generation))

    def _note_published(
        self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any
    ) -> None:
        # called before the publisher is woken, so that it finds the reason
        if reason.is_failure:
            log.warning("mqtt.publish_refused", reason=str(reason))
            if len(self._refused) > 1000:
                self._refused.clear()
            self._refused[mid] = str(reason)


def _properties(packet_type: int) -> Any:
    return PahoProperties(packet_type)  # type: ignore[no-untyped-call]


def _without_delay(_client: paho.Client, _data: Any, connection: Any) -> None:
    """Small packets leave at once: Nagle's algorithm and delayed ACKs would add 40 ms to each receipt."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

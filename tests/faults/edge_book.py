"""The centre of a fault run: keeps each message by its number, answers with receipts, takes evidence.

It says what it has 30 ms after it has it, and all it has whenever it connects, as the real one does. It
forgets nothing: what it has not at the end is lost.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as MqttProperties

from monitor.domain.events import (
    CameraState,
    EdgeStatus,
    LossRecord,
    Numbered,
    Properties,
    Receipt,
    RiskEvent,
    WatchRecord,
    decode_numbered,
    encode,
    sha256_hex,
    topic,
)
from monitor.domain.numbers import Stored
from tests.doubles.edge_centre import EvidenceServer

RECEIPT_EVERY_S: Final = 0.03
_STATUS: Final = msgspec.json.Decoder(EdgeStatus)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it came first."""

    sha256: str
    message: Numbered


def name_of(message: Numbered) -> str:
    """What the message is about, whatever its number: two numbers with the same name are one thing told twice."""
    match message:
        case RiskEvent():
            return message.event_id
        case WatchRecord():
            return f"{message.camera_id}@{message.minute.isoformat()}"
        case LossRecord():
            about = message.sha256 or f"{message.epoch}/{message.seq}"
            return f"{message.what}/{about}"


class Centre:
    """The centre's end of the broker. Its book outlives every cut."""

    def __init__(self, edge_id: str, port: int, password: str, evidence: EvidenceServer) -> None:
        self._edge_id, self._port, self._evidence = edge_id, port, evidence
        #: (epoch, seq) → the messages under it; more than one is a duplicate
        self.book: dict[tuple[str, int], list[Entry]] = {}
        self.came_again = 0
        self.unreadable: list[str] = []
        self.kinds: Counter[str] = Counter()
        #: the newest word on each camera
        self.states: dict[str, CameraState] = {}
        self._stored: dict[str, Stored] = {}
        self._lock = threading.Lock()
        self._new, self._ended = threading.Event(), threading.Event()
        self._here = False
        self._client = self._make_client(password)
        threading.Thread(target=self._send_receipts, name="receipts", daemon=True).start()

    def _make_client(self, password: str) -> mqtt.Client:
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="fault-run-centre", protocol=mqtt.MQTTv5
        )
        client.username_pw_set("centre", password)
        client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]  # it waits fractions too
        client.on_connect, client.on_message = self._on_connect, self._on_message
        return client

    def come(self) -> None:
        """Connect; the broker has kept what came meanwhile, unless it was wiped."""
        if self._here:
            return
        self._here = True
        properties = MqttProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self._client.connect_async("127.0.0.1", self._port, clean_start=False, properties=properties)
        self._client.loop_start()

    def leave(self) -> None:
        """Hear nothing until the next `come`."""
        if not self._here:
            return
        self._here = False
        self._client.disconnect()
        self._client.loop_stop()

    def end(self) -> None:
        """Leave for good."""
        self._ended.set()
        self._new.set()
        self.leave()

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if not reason.is_failure:
            client.subscribe([(f"hcawatch/v1/{kind}/{self._edge_id}{tail}", 1) for kind, tail in (("event", "/+"), ("watch", ""), ("status", ""))])  # fmt: skip
            self._new.set()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        try:
            if message.topic == topic("status", self._edge_id):
                self.states = {i: c.state for i, c in _STATUS.decode(payload).cameras.items()}
                return
            assert message.properties is not None
            properties = Properties.from_pairs(message.properties.UserProperty)
            assert sha256_hex(payload) == properties.sha256, "the hash is another's"
            self._keep(properties, decode_numbered(payload))
        except (AssertionError, ValueError, msgspec.DecodeError) as exc:
            self.unreadable.append(f"{message.topic}: {exc}")

    def _keep(self, properties: Properties, message: Numbered) -> None:
        with self._lock:
            entries = self.book.setdefault((properties.epoch, properties.seq), [])
            if any(entry.sha256 == properties.sha256 for entry in entries):
                self.came_again += 1
            else:
                entries.append(Entry(sha256=properties.sha256, message=message))
                self.kinds[properties.kind.value] += 1
                if isinstance(message, RiskEvent) and self._evidence.announced is not None:
                    self._evidence.announced.update(ref.sha256 for ref in message.evidence)
            self._stored[properties.epoch] = self._stored.get(properties.epoch, Stored()).add(properties.seq)
        self._new.set()

    def _send_receipts(self) -> None:
        while not self._ended.is_set():
            self._new.wait()
            self._new.clear()
            if self._client.is_connected():
                with self._lock:
                    stored = dict(self._stored)
                for epoch, numbers in stored.items():
                    receipt = Receipt(edge_id=self._edge_id, epoch=epoch, stored_through=numbers.through,
                                      ranges=numbers.ranges)  # fmt: skip
                    self._client.publish(topic("receipt", self._edge_id), encode(receipt), qos=1, retain=True)
            self._ended.wait(RECEIPT_EVERY_S)

"""An edge's side of the wire for tests of ingest: publishes what it is given and collects its receipts."""

import socket
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from monitor.domain.events import Receipt, topic
from monitor.domain.numbers import Stored
from monitor.ingest.embedded_broker import EmbeddedBroker
from monitor.ingest.ports import Arrived


class EdgeSide:
    """One connection with an edge's own login; use in a `with` block."""

    def __init__(self, broker: EmbeddedBroker, edge_id: str) -> None:
        self.edge_id = edge_id
        self._receipts: list[Receipt] = []
        self._news = threading.Condition()
        self._ready = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"test-{edge_id}", protocol=paho.MQTTv5)
        self._client.username_pw_set(edge_id, broker.passwords[edge_id])
        self._client.max_inflight_messages_set(100)
        self._client.on_socket_open = lambda _c, _d, one: one.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self._client.on_message = self._note
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_connect = lambda client, *_: client.subscribe(topic("receipt", edge_id), 1)
        self._client.connect(broker.host, broker.port, clean_start=True)

    def __enter__(self) -> "EdgeSide":
        self._client.loop_start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _note(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        with self._news:
            self._receipts.append(msgspec.json.decode(message.payload, type=Receipt))
            self._news.notify_all()

    def send(self, messages: Sequence[Arrived]) -> None:
        """Publishes and waits until the broker has all of it."""
        infos = []
        for message in messages:
            properties: Any = PahoProperties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = list(message.pairs)
            infos.append(self._client.publish(message.topic, message.payload, 1, properties=properties))
        for info in infos:
            info.wait_for_publish(30)

    def say(self, name: str, payload: bytes) -> None:
        """Publishes a retained status or online message."""
        self._client.publish(f"hcawatch/v1/{name}/{self.edge_id}", payload, 1, retain=True).wait_for_publish(
            10
        )

    def stored(self, epoch: str) -> Stored:
        """What the newest receipt of this epoch says."""
        found = [one for one in self._receipts if one.epoch == epoch]
        return Stored(found[-1].stored_through, found[-1].ranges) if found else Stored()

    def wait_stored(self, epoch: str, seq: int, timeout_s: float = 60.0) -> bool:
        """Waits for a receipt that covers number `seq`."""
        with self._news:
            return self._news.wait_for(lambda: self.stored(epoch).covers(seq), timeout_s)

    def wait_through(self, epoch: str, seq: int, timeout_s: float = 60.0) -> bool:
        """Waits for a receipt without a hole up to `seq`."""
        with self._news:
            return self._news.wait_for(lambda: self.stored(epoch).through >= seq, timeout_s)

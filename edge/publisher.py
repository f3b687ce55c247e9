"""Sends what no receipt covers over MQTT 5, new onsets before the backlog, until a receipt covers it.

Decides only what to send again and when (`due`, pure); numbering is the outbox's matter, forgetting the
centre's word. The bytes are those of the outbox, never encoded again. Wakes within 50 ms of an append.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as MqttProperties

from edge.errors import NetworkThreadGone, OutboxRefused, OutboxUnusable
from edge.outbox import Row, SqliteOutbox
from monitor.domain.events import Properties, Receipt, topic

#: How often the outbox is asked whether something new is in it; a camera that has told something nudges us at once.
POLL_S: Final = 0.25
#: A message that was sent and that no receipt covers is sent again after this, then twice as late each time.
RESEND_S: Final = 15.0
LONGEST_RESEND_S: Final = 240.0
#: So many messages may be on their way to the broker, and so many wait for a receipt before the backlog pauses.
IN_FLIGHT: Final = 100
UNRECEIPTED: Final = 1000
BATCH: Final = 50
KEEPALIVE_S: Final = 10
SESSION_EXPIRY_S: Final = 7 * 24 * 3600
#: A broker that is gone is tried again after this, then twice as late each time.
RECONNECT_S: Final = 1.0
LONGEST_RECONNECT_S: Final = 30.0

#: The outbox can't be opened or read just now, usually because the disk is full: tried again after this.
UNUSABLE_S: Final = 1.0

log = structlog.get_logger()
_RECEIPT: Final = msgspec.json.Decoder(Receipt)


class MqttAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the broker."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls_ca: Path | None = None

    def __repr__(self) -> str:
        return f"MqttAccess({self.host}:{self.port})"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way; monotonic seconds."""

    at_s: float
    times: int


def due(sent: Mapping[int, Sent], now_s: float) -> frozenset[int]:
    """Numbers that were sent long enough ago to be sent again.

    >>> due({7: Sent(at_s=0.0, times=1), 8: Sent(at_s=0.0, times=2)}, 20.0)
    frozenset({7})
    """
    return frozenset(
        seq
        for seq, s in sent.items()
        if now_s - s.at_s >= min(LONGEST_RESEND_S, RESEND_S * 2.0 ** (s.times - 1))
    )


def _properties(packet_type: int) -> MqttProperties:
    return MqttProperties(packet_type)  # type: ignore[no-untyped-call]


class Publisher(threading.Thread):
    """The edge's connection to the broker, in a thread of its own."""

    def __init__(
        self,
        edge_id: str,
        access: MqttAccess,
        open_outbox: Callable[[], SqliteOutbox],
        *,
        hear_configuration: Callable[[bytes], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="publisher", daemon=True)
        self._edge_id, self._access, self._open_outbox, self._monotonic = (
            edge_id,
            access,
            open_outbox,
            monotonic,
        )
        self._hear_configuration = hear_configuration
        self._wake, self._ended = threading.Event(), threading.Event()
        self._receipts: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        #: one that the outbox had no room to apply
        self._unapplied: Receipt | None = None
        self._trouble: str | None = None
        self._status: bytes | None = None
        self._status_lock = threading.Lock()
        self._sent: dict[int, Sent] = {}
        #: on their way to the broker, by packet id; and acknowledged before we knew their id
        self._unacked: set[int] = set()
        self._acked_early: set[int] = set()
        self._acks_lock = threading.Lock()
        self._connected, self._fresh = threading.Event(), False
        self._deadline_s = 0.0
        #: messages given to the broker, again included; and those that it acknowledged
        self.published = 0
        self.acknowledged = 0
        self._client = self._make_client()

    def _make_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"hcawatch-edge-{self._edge_id}", protocol=mqtt.MQTTv5
        )
        if self._access.user is not None:
            client.username_pw_set(self._access.user, self._access.password)
        if self._access.tls_ca is not None:
            client.tls_set(ca_certs=str(self._access.tls_ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.will_set(topic("online", self._edge_id), b'{"online":false}', qos=1, retain=True)
        client.reconnect_delay_set(RECONNECT_S, LONGEST_RECONNECT_S)  # type: ignore[arg-type]  # it waits fractions too
        client.max_inflight_messages_set(IN_FLIGHT)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_message, client.on_publish = self._on_message, self._on_publish
        client.on_socket_open = _without_delay
        return client

    # paho's thread

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if reason.is_failure:
            log.error("broker_refused", reason=str(reason))
            return
        log.info("broker_connected", host=self._access.host, port=self._access.port)
        client.subscribe([(topic("receipt", self._edge_id), 1), (topic("config", self._edge_id), 1)])
        client.publish(topic("online", self._edge_id), b'{"online":true}', qos=1, retain=True)
        self._fresh = True
        self._connected.set()
        self._wake.set()

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        self._connected.clear()
        if not self._ended.is_set():
            log.warning("broker_lost", reason=str(reason))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == topic("config", self._edge_id):
            if self._hear_configuration is not None:
                self._hear_configuration(bytes(message.payload))
            return
        self._receipts.put(bytes(message.payload))
        self._wake.set()

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, *_: Any) -> None:
        with self._acks_lock:
            if mid not in self._unacked:
                self._acked_early.add(mid)
                return
            self._unacked.discard(mid)
        self.acknowledged += 1
        self._wake.set()

    # our thread

    def run(self) -> None:
        """Connect, send, hear receipts, until stopped."""
        outbox = self._opened()
        if outbox is None:
            return
        connect_props = _properties(PacketTypes.CONNECT)
        connect_props.SessionExpiryInterval = SESSION_EXPIRY_S
        self._client.connect_async(self._access.host, self._access.port, keepalive=KEEPALIVE_S, clean_start=False,
                                   properties=connect_props)  # fmt: skip
        self._client.loop_start()
        network = next(t for t in threading.enumerate() if t.name.endswith(f"hcawatch-edge-{self._edge_id}"))
        seen = -1
        try:
            while not self._ended.is_set():
                woken = self._wake.wait(POLL_S)
                self._wake.clear()
                if not network.is_alive():
                    raise NetworkThreadGone(network.name)
                try:
                    seen = self._round(outbox, seen, woken=woken)
                except OutboxRefused as exc:  # the disk may get well again: this thread never ends of it
                    self._tell_trouble(exc)
                    self._ended.wait(UNUSABLE_S)
            self._say_goodbye(outbox)
        finally:  # after a fault without a goodbye: whoever takes our place takes over the connection
            self._client.loop_stop()
            outbox.close()

    def _opened(self) -> SqliteOutbox | None:
        """The outbox, as soon as it can be had; None if we are stopped before."""
        while not self._ended.is_set():
            try:
                return self._open_outbox()
            except OutboxUnusable as exc:  # the worker has it open, so that this is a passing trouble
                self._tell_trouble(exc)
                self._ended.wait(UNUSABLE_S)
        return None

    def _tell_trouble(self, exc: OutboxRefused | OutboxUnusable) -> None:
        """Once per trouble, not at each look."""
        if str(exc) != self._trouble:
            self._trouble = str(exc)
            log.error("outbox_refuses", error=str(exc))

    def _round(self, outbox: SqliteOutbox, seen: int, *, woken: bool) -> int:
        """One look at everything that may have happened; the outbox's change counter."""
        self._hear_receipts(outbox)
        if not self._connected.is_set():
            return seen
        if self._fresh:  # what was on its way when the connection broke may be lost
            self._fresh = False
            self._sent.clear()
            with self._acks_lock:
                self._unacked.clear()
            woken = True
        self._send_status()
        changes, again = outbox.changes(), due(self._sent, self._monotonic())
        if changes != seen or again or woken:
            self._send(outbox, again)
        return changes

    def _hear_receipts(self, outbox: SqliteOutbox) -> None:
        """Apply what came; what the outbox has no room for is tried again at the next round."""
        waiting, self._unapplied = self._unapplied, None
        receipts = [] if waiting is None else [waiting]
        while not self._receipts.empty():
            receipt = self._read(self._receipts.get(), outbox.epoch)
            if receipt is not None:
                receipts.append(receipt)
        for receipt in receipts:
            try:
                outbox.apply_receipt(receipt)
            except OutboxRefused as exc:
                self._unapplied = receipt  # each says all that is stored: the newest is enough
                self._tell_trouble(exc)
                continue
            self._unapplied = self._trouble = None
            covered = [s for s in self._sent if s <= receipt.stored_through
                       or any(a <= s <= b for a, b in receipt.ranges)]  # fmt: skip
            for seq in covered:
                del self._sent[seq]

    def _read(self, payload: bytes, epoch: str) -> Receipt | None:
        """A receipt that is about this outbox; None for an earlier one's, retained by the broker."""
        try:
            receipt = _RECEIPT.decode(payload)
        except msgspec.DecodeError as exc:
            log.error("receipt_unreadable", error=str(exc))
            return None
        return receipt if receipt.edge_id == self._edge_id and receipt.epoch == epoch else None

    def _send(self, outbox: SqliteOutbox, again: frozenset[int]) -> None:
        room = min(BATCH, IN_FLIGHT - len(self._unacked))
        if room <= 0:
            return
        waiting = frozenset(self._sent) - again
        rows = outbox.unreceipted(room, waiting)
        for row in rows:
            if len(waiting) >= UNRECEIPTED and not row.onset:
                break
            self._publish(row, outbox.epoch)
        if len(rows) == room:  # there may be more
            self._wake.set()

    def _publish(self, row: Row, epoch: str) -> None:
        properties = _properties(PacketTypes.PUBLISH)
        properties.UserProperty = Properties(
            edge_id=self._edge_id, epoch=epoch, seq=row.seq, kind=row.kind, sha256=row.sha256
        ).as_pairs()
        with self._acks_lock:
            self._acked_early.clear()
        # not under the lock: the client holds one of its own while it tells us of an acknowledgement
        info = self._client.publish(row.topic, row.payload, qos=1, properties=properties)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            return
        before = self._sent.get(row.seq)
        self._sent[row.seq] = Sent(at_s=self._monotonic(), times=1 if before is None else before.times + 1)
        self.published += 1
        with self._acks_lock:
            if info.mid not in self._acked_early:  # else it was there and back before `publish` had returned
                self._unacked.add(info.mid)
                return
        self.acknowledged += 1

    def status(self, payload: bytes) -> None:
        """Keep and send this as the edge's retained status."""
        with self._status_lock:
            self._status = payload
        self._wake.set()

    def _send_status(self) -> None:
        with self._status_lock:
            payload, self._status = self._status, None
        if payload is not None:
            self._client.publish(topic("status", self._edge_id), payload, qos=1, retain=True)

    def nudge(self) -> None:
        """There may be something new in the outbox."""
        self._wake.set()

    @property
    def busy(self) -> bool:
        """Whether messages are on their way to the broker: evidence gives way to them."""
        return bool(self._unacked)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._connected.is_set()

    def stop(self, timeout_s: float = 3.0) -> None:
        """Send what is still to be sent, as far as the time goes; say goodbye and end."""
        self._deadline_s = self._monotonic() + timeout_s
        self._ended.set()
        self._wake.set()
        self.join(timeout_s + 2.0)

    def _say_goodbye(self, outbox: SqliteOutbox) -> None:
        deadline_s = self._deadline_s
        if self._connected.is_set():
            self._send_status()
            with contextlib.suppress(OutboxRefused):  # what was not sent waits on disk
                self._send_rest(outbox, deadline_s)
            info = self._client.publish(
                topic("online", self._edge_id), b'{"online":false}', qos=1, retain=True
            )
            try:
                info.wait_for_publish(max(0.1, deadline_s - self._monotonic()))
            except (RuntimeError, ValueError):
                log.warning("goodbye_unsaid")
            self._client.disconnect()

    def _send_rest(self, outbox: SqliteOutbox, deadline_s: float) -> None:
        while self._monotonic() < deadline_s:
            self._hear_receipts(outbox)
            self._send(outbox, frozenset())
            if not self._unacked:
                break
            self._wake.wait(POLL_S)
            self._wake.clear()


def _without_delay(_client: mqtt.Client, _data: Any, connection: Any) -> None:
    """A small message leaves at once instead of waiting 40 ms for the last one's acknowledgement."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

"""A centre for edge tests: hears the real broker, sends receipts, takes evidence over real HTTP."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import paho.mqtt.client as mqtt

from monitor.domain.events import (
    EdgeStatus,
    Numbered,
    Properties,
    Receipt,
    RiskEvent,
    decode_numbered,
    encode,
    sha256_hex,
    topic,
)
from monitor.domain.numbers import Stored
from monitor.ingest.embedded_broker import EmbeddedBroker

_STATUS = msgspec.json.Decoder(EdgeStatus)


class EdgeCentre:
    """What one edge says, kept by number; `receipts = False` leaves it without an answer."""

    def __init__(self, broker: EmbeddedBroker, edge_id: str) -> None:
        self.edge_id, self.receipts = edge_id, True
        self.arrived: list[tuple[float, int]] = []
        self.messages: dict[int, Numbered] = {}
        self.payloads: dict[int, set[bytes]] = {}
        self.statuses: list[EdgeStatus] = []
        self.online: list[bytes] = []
        self.stored = Stored()
        self._changed = threading.Condition()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"test-centre-{edge_id}", protocol=mqtt.MQTTv5
        )
        self._client.username_pw_set("centre", broker.passwords["centre"])
        self._client.on_message = self._on_message
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        names = (f"event/{edge_id}/+", f"watch/{edge_id}", f"status/{edge_id}", f"online/{edge_id}")
        self._client.subscribe([(f"hcawatch/v1/{name}", 1) for name in names])
        assert subscribed.wait(10)

    def __enter__(self) -> EdgeCentre:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            payload, name = bytes(message.payload), message.topic.split("/")[2]
            if name == "status":
                self.statuses.append(_STATUS.decode(payload))
            elif name == "online":
                self.online.append(payload)
            else:
                assert message.properties is not None
                properties = Properties.from_pairs(message.properties.UserProperty)
                assert sha256_hex(payload) == properties.sha256
                self.arrived.append((time.time(), properties.seq))
                self.messages[properties.seq] = decode_numbered(payload)
                self.payloads.setdefault(properties.seq, set()).add(payload)
                self.stored = self.stored.add(properties.seq)
                if self.receipts:
                    self.send_receipt(properties.epoch)
            self._changed.notify_all()

    def send_receipt(self, epoch: str) -> None:
        """Say what is stored."""
        receipt = Receipt(edge_id=self.edge_id, epoch=epoch, stored_through=self.stored.through,
                          ranges=self.stored.ranges)  # fmt: skip
        self._client.publish(topic("receipt", self.edge_id), encode(receipt), qos=1, retain=True)

    def wait(self, condition: Callable[[EdgeCentre], bool], timeout_s: float = 60.0) -> bool:
        """Wait until something that arrived makes the condition true."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)

    def events(self) -> list[RiskEvent]:
        """All events by number."""
        return [m for _, m in sorted(self.messages.items()) if isinstance(m, RiskEvent)]


class EvidenceServer:
    """PUT and HEAD /api/v1/evidence/{sha256}, as docs/contracts.md has them."""

    def __init__(self, token: str) -> None:
        self.token = token
        #: hashes that an event has named; None: all are
        self.announced: set[str] | None = None
        self.stored: dict[str, bytes] = {}
        self.partial: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        #: break the connection once after so many bytes
        self.break_after: int | None = None
        #: how often it broke
        self.breaks = 0
        self._changed = threading.Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def answer(self, status: int, **headers: str) -> None:
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_HEAD(self) -> None:
                server.head(self, self.path.rsplit("/", 1)[1])

            def do_PUT(self) -> None:
                server.put(self, self.path.rsplit("/", 1)[1])

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """An edge that was killed hangs up in mid-sentence; that is no news."""

        self._http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def __enter__(self) -> EvidenceServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def head(self, request: Any, sha256: str) -> None:
        if sha256 in self.stored:
            request.answer(200, Upload_Offset=str(len(self.stored[sha256])), Upload_Complete="?1")
        elif sha256 in self.partial:
            request.answer(200, Upload_Offset=str(len(self.partial[sha256])))
        else:
            request.answer(404)

    def put(self, request: Any, sha256: str) -> None:
        self.requests.append(("PUT", sha256, request.headers.get("Content-Range")))
        length, offset = int(request.headers["Content-Length"]), 0
        if request.headers["Authorization"] != f"Bearer {self.token}":
            request.rfile.read(length)
            request.answer(401)
            return
        if content_range := request.headers.get("Content-Range"):
            offset = int(re.match(r"bytes (\d+)-", content_range)[1])  # type: ignore[index]
        if self.break_after is not None:
            cut, self.break_after = self.break_after, None
            self.breaks += 1
            self.partial[sha256] = request.rfile.read(min(cut, length))
            request.close_connection = True
            request.connection.close()
            return
        body = self.partial.get(sha256, b"")[:offset] + request.rfile.read(length)
        if self.announced is not None and sha256 not in self.announced:
            request.answer(404)
        elif hashlib.sha256(body).hexdigest() != sha256:
            request.answer(422)
        else:
            with self._changed:
                self.stored[sha256] = body
                self._changed.notify_all()
            request.answer(201)

    def wait(self, condition: Callable[[EvidenceServer], bool], timeout_s: float = 30.0) -> bool:
        """Wait until something that was stored makes the condition true."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)

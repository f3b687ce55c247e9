"""Other ends of channels on loopback: a real HTTP server with scripted answers, a real SMTP server (aiosmtpd),
and FAKES of the vendors' robots, which check signature and limits as the vendors' pages say.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.child import free_loopback_port

LOOPBACK = ("127.0.0.0/8",)


class Got:
    """One request as it came."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path, self.headers, self.body = path, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


#: status, headers, body
Reply = tuple[int, dict[str, str], bytes]


class Receiver:
    """A real HTTP server. `answer` decides each reply; as shipped 200."""

    def __init__(
        self, answer: Callable[[Got], Reply] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.got: list[Got] = []
        self.answer = answer or (lambda _: (200, {}, b"{}"))
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got = Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                receiver.got.append(got)
                status, headers, answer = receiver.answer(got)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


# ---------------------------------------------------------------- robots: FAKES by the vendors' pages
class FakeRobot:
    """A FAKE of a vendor's robot: its signature, its limit, its answers. `clock` is its own."""

    def __init__(self, vendor: str, secret: str, per_minute: int, clock: Callable[[], datetime]) -> None:
        self._vendor, self._secret, self._per_minute, self._clock = vendor, secret, per_minute, clock
        self.taken: list[tuple[datetime, Any]] = []
        self.refused = 0

    def __call__(self, got: Got) -> Reply:
        code, words = self._judge(got)
        field = ("code", "msg") if self._vendor == "feishu" else ("errcode", "errmsg")
        return (
            200,
            {"Content-Type": "application/json"},
            json.dumps({field[0]: code, field[1]: words}).encode(),
        )

    def _judge(self, got: Got) -> tuple[int, str]:
        now = self._clock()
        if not getattr(self, f"_signed_{self._vendor}")(got, now):
            self.refused += 1
            return {"wecom": 93000, "dingtalk": 310000, "feishu": 19021}[self._vendor], "sign not match"
        lately = [at for at, _ in self.taken if now - at < timedelta(minutes=1)]
        if len(lately) >= self._per_minute:
            self.refused += 1
            return {"wecom": 45009, "dingtalk": 130101, "feishu": 11232}[self._vendor], "send too fast"
        self.taken.append((now, got.json))
        return 0, "ok"

    def _signed_wecom(self, got: Got, now: datetime) -> bool:
        return parse_qs(urlsplit(got.path).query).get("key") == [self._secret]

    def _signed_dingtalk(self, got: Got, now: datetime) -> bool:
        query = {name: values[0] for name, values in parse_qs(urlsplit(got.path).query).items()}
        signed = f"{query['timestamp']}\n{self._secret}".encode()
        wanted = base64.b64encode(hmac.new(self._secret.encode(), signed, hashlib.sha256).digest()).decode()
        fresh = abs(now.timestamp() - int(query["timestamp"]) / 1000) < 3600
        return fresh and hmac.compare_digest(query["sign"], wanted)

    def _signed_feishu(self, got: Got, now: datetime) -> bool:
        key = f"{got.json['timestamp']}\n{self._secret}".encode()
        wanted = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
        fresh = abs(now.timestamp() - int(got.json["timestamp"])) < 3600
        return fresh and hmac.compare_digest(got.json["sign"], wanted)


# ---------------------------------------------------------------- SMTP: a real server
class Mailbox:
    """A real SMTP server with STARTTLS and a login; `refuse` answers an address with that line."""

    def __init__(self, folder: Path, user: str = "hcawatch", password: str = "s3cret") -> None:
        self.certificate, key = make_certificate(folder)
        self.mails: list[Envelope] = []
        self.refuse: dict[str, str] = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)

        def login(_server: Any, _session: Any, _envelope: Any, _how: str, given: Any) -> AuthResult:
            well = isinstance(given, LoginPassword) and (given.login, given.password) == (
                user.encode(), password.encode(),
            )  # fmt: skip
            return AuthResult(success=well)

        self._controller = Controller(
            self, hostname="127.0.0.1", port=free_loopback_port(), ready_timeout=60.0, tls_context=context, require_starttls=True, authenticator=login,
            auth_required=True,
        )  # fmt: skip

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(envelope)
        return "250 taken"

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def __enter__(self) -> Mailbox:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


@contextmanager
def dribbling(line: bytes, every_s: float) -> Iterator[int]:
    """The port of a server that says one byte of `line` after another, as slowly, and then nothing."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                for byte in line:
                    if over.wait(every_s):
                        return
                    connection.sendall(bytes([byte]))

        threading.Thread(target=answer, daemon=True).start()
        try:
            yield int(server.getsockname()[1])
        finally:
            over.set()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost and 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths

"""The way to one RTSP camera: FFmpeg speaks to a door on loopback, and the door speaks to the checked address.

FFmpeg follows wherever a camera sends it (302, `source=`, multicast), and takes its password along. So it never
meets the camera: the door connects to the one address that was checked, reads what is said until the pictures
flow, and refuses what leads elsewhere. Over UDP it also takes the packets in, from that address only, and hands on
what `edge.rtp` finds whole. Once pictures flow over TCP the bytes pass through the kernel unread.
RTSP 1.0: RFC 2326; packets inside the connection: its section 10.12.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import structlog

from edge.rtp import Flow

HOST: Final = "127.0.0.1"
#: A head or a description longer than this is not RTSP.
MOST_TALK: Final = 256 * 1024
PIECE: Final = 256 * 1024
#: A picture comes in a dozen packets and more: those of so long go on together, which costs a fraction.
GATHER_S: Final = 0.03
#: Those of a dozing camera, of which one in fifty is looked at, may wait longer.
DOZING_GATHER_S: Final = 0.15
#: What the kernel holds between two rounds: a key frame of a large picture, or a busy stream's share.
PIPE_BYTES: Final = 1024 * 1024
#: A whole key frame may arrive while the detector has the core; the kernel gives less if it may not.
UDP_BUFFER: Final = 4 * 1024 * 1024
PORT_TRIES: Final = 20
#: Opens a firewall on the way: a packet that says nothing.
_KNOCK: Final = bytes([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])

_LENGTH: Final = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_NUMBER: Final = re.compile(rb"^cseq:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_TRANSPORT: Final = re.compile(rb"^transport:\s*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_CHANNELS: Final = re.compile(rb"interleaved=(\d+)-(\d+)", re.IGNORECASE)
_SERVER_PORTS: Final = re.compile(rb"server_port=(\d+)(?:-(\d+))?", re.IGNORECASE)
_VIDEO: Final = re.compile(rb"^m=video.*?(?=^m=|\Z)", re.MULTILINE | re.DOTALL)
_CODEC: Final = re.compile(rb"^a=rtpmap:\d+\s+([\w-]+)/", re.MULTILINE)

Transport = Literal["tcp", "udp"]

log = structlog.get_logger()


class Talk:
    """Cuts one direction of an RTSP connection into messages and packets."""

    def __init__(self) -> None:
        self.left = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages (with their bodies) and packets (from their `$` on) that are complete now.

        Raises:
            ValueError: this is not RTSP.
        """
        self.left += data
        whole: list[bytes] = []
        while (size := self._size()) is not None and size <= len(self.left):
            whole.append(self.left[:size])
            self.left = self.left[size:]
        return whole

    def _size(self) -> int | None:
        """Bytes of the thing that begins here; None if nobody knows yet."""
        if self.left[:1] == b"$":
            return 4 + int.from_bytes(self.left[2:4], "big") if len(self.left) >= 4 else None
        head_end = self.left.find(b"\r\n\r\n")
        if head_end < 0:
            if len(self.left) > MOST_TALK:
                raise ValueError("this is not RTSP")
            return None
        length = _LENGTH.search(self.left, 0, head_end)
        body = int(length[1]) if length else 0
        if body > MOST_TALK:
            raise ValueError("this is not RTSP: a message is too long")
        return head_end + 4 + body


class Door:
    """One connection to a camera's RTSP server. A context manager; ends its thread and its sockets."""

    def __init__(
        self,
        camera_id: str,
        url: str,
        transport: Transport,
        *,
        timeout_s: float,
        broke: Callable[[int], None] = lambda _: None,
        dozes: Callable[[], bool] = lambda: False,
    ) -> None:
        """Connect.

        Args:
            url: with the checked address as its host. timeout_s: to connect.
            broke: told how many more pictures were lost on the line (UDP), from the door's own thread.
            dozes: whether most of what comes is put aside undecoded, so that it may come in larger pieces.

        Raises:
            OSError: there is no connection.
        """
        parts = urlsplit(url)
        secure = parts.scheme == "rtsps"
        self._camera_id, self._transport, self._broke, self._dozes = camera_id, transport, broke, dozes
        #: why the door was shut, in plain words; and whether the camera only refused this transport
        self.refusal: str | None = None
        self.wrong_transport = False
        #: packets of the pictures (UDP only)
        self.flow: Flow | None = None
        self._address = parts.hostname or ""
        self._camera: socket.socket = socket.create_connection(
            (self._address, parts.port or (322 if secure else 554)), timeout_s
        )
        try:
            if secure:  # cameras sign their certificates themselves, and are reached by address
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self._camera = context.wrap_socket(self._camera)
            self._camera.settimeout(None)
            self._camera.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._listener = socket.create_server((HOST, 0), backlog=1)
        except BaseException:
            self._camera.close()
            raise
        self._listener.settimeout(timeout_s)
        userinfo = parts.netloc.rpartition("@")[0]
        where = f"{HOST}:{self._listener.getsockname()[1]}"
        #: what FFmpeg opens
        self.url = urlunsplit(
            ("rtsp", f"{userinfo}@{where}" if userinfo else where, parts.path, parts.query, "")
        )
        self._player: socket.socket | None = None
        self._asked: dict[bytes, bytes] = {}
        self._playing = False
        self._codec = ""
        #: by the interleaved channel that FFmpeg chose: our UDP socket, and the camera's port
        self._udp: dict[int, tuple[socket.socket, int]] = {}
        self._pairs: dict[bytes, tuple[int, socket.socket, socket.socket]] = {}
        self._thread = threading.Thread(target=self._run, name=f"rtsp-{camera_id}", daemon=True)

    def __enter__(self) -> Door:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shut()
        self._thread.join(2.0)

    def _shut(self) -> None:
        for one in (self._player, self._camera, self._listener):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._player, _ = self._listener.accept()
            self._player.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass_on(self._player)
        except (OSError, ValueError) as exc:  # either side hung up, or said what is not RTSP
            if isinstance(exc, ValueError) and not isinstance(exc, OSError):
                self.refusal = self.refusal or str(exc)
        finally:
            self._shut()
            udp = [one for _, rtp, rtcp in self._pairs.values() for one in (rtp, rtcp)]
            for one in (self._player, self._camera, self._listener, *udp):
                if one is not None:
                    one.close()

    def _pass_on(self, player: socket.socket) -> None:
        """Both ways until one side is done."""
        asking, answering = Talk(), Talk()
        with selectors.DefaultSelector() as ready:
            ready.register(player, selectors.EVENT_READ)
            ready.register(self._camera, selectors.EVENT_READ)
            while True:
                if self._playing and self._transport == "tcp":
                    player.sendall(answering.left)
                    self._camera.sendall(asking.left)
                    self._stream(ready, player)
                    return
                for key, _ in ready.select():
                    if key.fileobj is player:
                        if not (data := player.recv(PIECE)):
                            return
                        for item in asking.feed(data):
                            self._ask(item, ready)
                    elif key.fileobj is self._camera:
                        if not (data := self._received()):
                            return
                        for item in answering.feed(data):
                            player.sendall(self._answer(item))
                            if self.refusal is not None:
                                return
                    else:
                        self._take_packets(key.fileobj, key.data, player)

    def _received(self) -> bytes:
        data = self._camera.recv(PIECE)
        while isinstance(self._camera, ssl.SSLSocket) and self._camera.pending():
            data += self._camera.recv(PIECE)
        return data

    def _stream(self, ready: selectors.BaseSelector, player: socket.socket) -> None:
        """Nothing is read any more: what comes in at one side goes out at the other."""
        inner, outer = os.pipe()
        with contextlib.suppress(OSError):  # a machine may allow less: then more rounds are made
            fcntl.fcntl(outer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            while True:
                for key, _ in ready.select():
                    to_player = key.fileobj is self._camera
                    if isinstance(self._camera, ssl.SSLSocket):
                        data = self._received() if to_player else player.recv(PIECE)
                        if not data:
                            return
                        (player if to_player else self._camera).sendall(data)
                        continue
                    source, sink = (self._camera, player) if to_player else (player, self._camera)
                    left = os.splice(source.fileno(), outer, PIECE)
                    if not left:
                        return
                    while left:
                        left -= os.splice(inner, sink.fileno(), left)
                time.sleep(DOZING_GATHER_S if self._dozes() else GATHER_S)
        finally:
            os.close(inner)
            os.close(outer)

    def _ask(self, item: bytes, ready: selectors.BaseSelector) -> None:
        """One message or packet of FFmpeg's goes to the camera."""
        if item[:1] == b"$":
            if self._transport == "tcp":
                self._camera.sendall(item)
            elif (to := self._udp.get(item[1])) is not None:
                with contextlib.suppress(OSError):  # a report that does not arrive is no loss
                    to[0].sendto(item[4:], (self._address, to[1]))
            return
        method, number = item.split(b" ", 1)[0].upper(), _NUMBER.search(item)
        if number:
            self._asked[number[1]] = method
        if (
            self._transport == "udp"
            and method == b"SETUP"
            and number
            and (channels := _CHANNELS.search(item))
        ):
            rtp, rtcp = self._bind()
            self._pairs[number[1]] = (int(channels[1]), rtp, rtcp)
            for offset, one in enumerate((rtp, rtcp)):
                ready.register(one, selectors.EVENT_READ, data=int(channels[1]) + offset)
            port = rtp.getsockname()[1]
            item = _TRANSPORT.sub(
                b"Transport: RTP/AVP/UDP;unicast;client_port=%d-%d" % (port, port + 1), item, count=1
            )
        self._camera.sendall(item)

    def _bind(self) -> tuple[socket.socket, socket.socket]:
        """Two neighbouring ports, the first one even, on the address that the camera sees of us."""
        ours = self._camera.getsockname()
        for _ in range(PORT_TRIES):
            rtp, rtcp = (socket.socket(self._camera.family, socket.SOCK_DGRAM) for _ in range(2))
            try:
                rtp.bind((ours[0], 0, *ours[2:]))
                port = rtp.getsockname()[1]
                if port % 2 == 0 and port < 65535:
                    rtcp.bind((ours[0], port + 1, *ours[2:]))
                    rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER)
                    for one in (rtp, rtcp):
                        one.setblocking(False)
                    return rtp, rtcp
            except OSError:
                pass
            rtp.close()
            rtcp.close()
        raise OSError("no two neighbouring UDP ports are free")

    def _answer(self, item: bytes) -> bytes:
        """One message or packet of the camera's, as FFmpeg is to see it. Sets `refusal` if it is to see no more."""
        if item[:1] == b"$" or not item.startswith(b"RTSP/"):
            return item
        status = int(item.split(b" ", 2)[1])
        number = _NUMBER.search(item)
        method = self._asked.pop(number[1], b"") if number else b""
        if 300 <= status < 400:
            self.refusal = (
                f"the camera sends us on to another address (answer {status}), which is not followed: "
                "name that address as its source if it is meant"
            )
            return b""
        if method == b"DESCRIBE" and status == 200 and (video := _VIDEO.search(item)):
            codec = _CODEC.search(video[0])
            self._codec = codec[1].decode() if codec else ""
        elif method == b"SETUP" and status not in (401, 407):
            return self._set_up(item, status, number[1] if number else b"")
        elif method == b"PLAY" and status == 200:
            self._playing = True
        return item

    def _set_up(self, item: bytes, status: int, number: bytes) -> bytes:
        """The camera's word on the transport, held against what was asked."""
        answer = _TRANSPORT.search(item)
        said = answer[1].lower() if answer else b""
        if status == 200 and self._transport == "tcp" and _CHANNELS.search(said):
            return item
        ports, pair = _SERVER_PORTS.search(said), self._pairs.get(number)
        if status == 200 and self._transport == "udp" and ports and pair and b"multicast" not in said:
            channel, rtp, rtcp = pair
            first = int(ports[1])
            self._udp |= {channel: (rtp, first), channel + 1: (rtcp, int(ports[2] or first + 1))}
            self.flow = Flow(self._codec)
            for one, port in (self._udp[channel], self._udp[channel + 1]):
                with contextlib.suppress(OSError):
                    one.sendto(_KNOCK, (self._address, port))
            return _TRANSPORT.sub(
                b"Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d" % (channel, channel + 1), item, count=1
            )
        self.wrong_transport = True
        if status not in (200, 461):  # a fault that FFmpeg names better
            return item
        other = "udp" if self._transport == "tcp" else "tcp"
        self.refusal = (
            f"the camera does not send over {self._transport.upper()} (answer {status}): "
            f"write `transport: {other}` for it, or auto"
        )
        return b""

    def _take_packets(self, one: Any, channel: int, player: socket.socket) -> None:
        """What has come over UDP: pictures sorted and whole, reports as they are."""
        handed: list[bytes] = []
        before = self.flow.broken if self.flow is not None else 0
        while True:
            try:
                packet, sender = one.recvfrom(65536)
            except BlockingIOError:
                break
            except ConnectionError:  # an answer to our own report: nobody listens there
                continue
            if sender[0].split("%", 1)[0] != self._address or self.flow is None:
                continue
            whole = [packet] if channel % 2 else self.flow.take(packet, time.monotonic())
            handed += (b"$" + bytes([channel]) + len(p).to_bytes(2, "big") + p for p in whole)
        if self.flow is not None and self.flow.broken > before:
            self._broke(self.flow.broken - before)
        if handed:
            player.sendall(b"".join(handed))

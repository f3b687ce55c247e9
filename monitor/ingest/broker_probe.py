"""One MQTT 5 log-in over a plain socket: does the broker on this port know our password?

The packets are written by hand, since a client library would bring threads and retries to a
question that is asked every 20 ms while a broker starts.
"""

from __future__ import annotations

import socket
import struct
import uuid


def log_in(host: str, port: int, user: str, password: str, timeout_s: float = 2.0) -> bool:
    """True when the broker answers CONNACK with success; False for anything else."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(_connect_packet(f"probe-{uuid.uuid4().hex[:12]}", user, password))
            answer = connection.recv(64)
            connection.sendall(b"\xe0\x00")  # DISCONNECT, normal
    except OSError:
        return False
    # CONNACK: type 2, length, flags, reason code 0.
    return len(answer) >= 4 and answer[0] == 0x20 and answer[3] == 0


def _connect_packet(client_id: str, user: str, password: str) -> bytes:
    """CONNECT of MQTT 5 (OASIS, section 3.1): clean start, user name and password."""
    clean_start_with_login = 0b1100_0010
    keep_alive_s = 30
    body = _text("MQTT") + bytes([5, clean_start_with_login]) + struct.pack(">H", keep_alive_s)
    body += b"\x00"  # no properties
    body += _text(client_id) + _text(user) + _text(password)
    assert len(body) < 16_384
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
    return b"\x10" + length + body


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded

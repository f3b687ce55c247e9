"""The settings files of the embedded brokers, as text."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

# Events carry no pictures; the largest are configurations with many zones.
MAX_PAYLOAD_BYTES: Final = 256 * 1024
# Topic, properties and header around the payload.
PACKET_OVERHEAD_BYTES: Final = 16 * 1024

# What an edge, whose user name is its id, may say and hear (design.md, Contracts); a smart camera, whose user name
# is the camera's id, says its own alarms.
EDGE_WRITES: Final = ("event/%u/#", "watch/%u", "status/%u", "online/%u", "device/%u/#")
EDGE_READS: Final = ("receipt/%u", "config/%u")
HASH_ROUNDS: Final = 101
ROOT_TOPIC: Final = "hcawatch/v1"


def mosquitto_conf(host: str, port: int) -> str:
    """Names are relative to the folder in which the broker is started.

    `autosave_interval 1` writes the sessions each second; `autosave_on_changes true` would lose
    nothing at a kill, but rewrites the whole file for each change (some 930 messages/s instead of
    6,400), and our receipts make up for that second.
    """
    return f"""\
listener {port} {host}
set_tcp_nodelay true
allow_anonymous false
password_file passwords
acl_file acl
persistence true
persistence_location ./
autosave_interval 1
autosave_on_changes false
persistent_client_expiration 14d
max_queued_messages 100000
max_inflight_messages 100
message_size_limit {MAX_PAYLOAD_BYTES}
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
"""


def mosquitto_acl(centre: str) -> str:
    lines = [f"user {centre}", f"topic readwrite {ROOT_TOPIC}/#", ""]
    lines += [f"pattern write {ROOT_TOPIC}/{topic}" for topic in EDGE_WRITES]
    lines += [f"pattern read {ROOT_TOPIC}/{topic}" for topic in EDGE_READS]
    return "\n".join(lines) + "\n"


def mosquitto_passwords(passwords: Mapping[str, str]) -> str:
    """Lines as mosquitto_passwd writes them: user:$7$rounds$salt$PBKDF2-HMAC-SHA512.

    Written here because that program needs a way to the file, which the broker's account may not
    have. The passwords are random, so that mosquitto's own 101 rounds are enough.
    """
    lines = []
    for user, password in passwords.items():
        salt = secrets.token_bytes(12)
        digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, HASH_ROUNDS)
        lines.append(f"{user}:$7${HASH_ROUNDS}${b64encode(salt).decode()}${b64encode(digest).decode()}")
    return "\n".join(lines) + "\n"


def iotcore_toml(host: str, port: int, passwords: Mapping[str, str]) -> str:
    """rumqttd's settings; a listener under `v5` is what speaks MQTT 5."""
    # JSON strings are TOML basic strings for the characters that we use.
    users = "\n".join(f"{json.dumps(user)} = {json.dumps(password)}" for user, password in passwords.items())
    return f"""\
id = 0
[router]
id = 0
max_connections = 1010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5-1"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = {MAX_PAYLOAD_BYTES + PACKET_OVERHEAD_BYTES}
max_inflight_count = 100
dynamic_filters = true
[v5.1.connections.auth]
{users}
"""

"""Where the parts of one installation find each other: database, broker, centre, tokens.

`hcawatch up` writes it to `<data>/runtime.json` (mode 0600) for its children; in production the same
values come from the environment, as docker-compose.yml and the systemd units set them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hcawatch.config.credentials import CredentialsRefused, read_credentials


class RuntimeIncomplete(Exception):
    """The runtime's file or environment lacks something; the message says what and where."""


class MqttAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the broker as one user."""

    host: str
    port: int
    user: str
    password: str
    tls_ca: str | None = None


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a process needs beside the configuration."""

    database_url: str
    data_dir: str
    centre_url: str
    http_host: str = "127.0.0.1"
    http_port: int = 8420
    mqtt: dict[str, MqttAccess]  # by user: "centre", or an edge's id
    edge_tokens: dict[str, str] = {}
    credentials: dict[str, str] = {}  # cameras' credentials by name, "user:password"
    #: files of the cameras play as if they had been live since then (seconds since 1970); None: from the start
    files_live_since_s: float | None = None
    public_url: str | None = None

    def save(self, path: Path) -> None:
        """Write it for children of this user only."""
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(msgspec.json.encode(self))
        part.rename(path)

    @staticmethod
    def load(path: Path) -> "Runtime":
        """Read what `save` wrote; RuntimeIncomplete if it is missing or damaged."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=Runtime)
        except FileNotFoundError as exc:
            raise RuntimeIncomplete(
                f"{path} does not exist: is `hcawatch up` running with this data folder?"
            ) from exc
        except msgspec.DecodeError as exc:
            raise RuntimeIncomplete(
                f"{path} is damaged ({exc}): stop hcawatch, remove it and start again"
            ) from exc


def from_environment(env: Mapping[str, str], edge_ids: tuple[str, ...] = ()) -> Runtime:
    """The runtime of a production process, from HCAWATCH_* variables or the files that *_FILE names.

    RuntimeIncomplete lists every variable that is missing, at once.
    """
    missing: list[str] = []

    def need(name: str, default: str | None = None) -> str:
        value = env.get(name)
        if value is None and (file := env.get(f"{name}_FILE")):
            try:
                value = Path(file).read_text().strip()
            except OSError as exc:
                missing.append(f"{name}_FILE ({exc})")
                return ""
        if value is None:
            value = default
        if value is None:
            missing.append(f"{name} (or {name}_FILE)")
            return ""
        return value

    edge_id = env.get("HCAWATCH_EDGE_ID")
    user = need("HCAWATCH_MQTT_USER", edge_id or "centre")
    mqtt = MqttAccess(
        host=need("HCAWATCH_MQTT_HOST"), port=_number(need("HCAWATCH_MQTT_PORT", "8883"), missing),
        user=user, password=need("HCAWATCH_MQTT_PASSWORD"), tls_ca=env.get("HCAWATCH_MQTT_TLS_CA"),
    )  # fmt: skip
    runtime = Runtime(
        database_url=need("HCAWATCH_DATABASE_URL", "" if edge_id else None),
        data_dir=need("HCAWATCH_DATA_DIR", "/var/lib/hcawatch"),
        centre_url=need("HCAWATCH_CENTRE_URL", None if edge_id else ""),
        http_host=need("HCAWATCH_HTTP_HOST", "0.0.0.0"),  # noqa: S104 - inside a container; a proxy stands before it
        http_port=_number(need("HCAWATCH_HTTP_PORT", "8420"), missing),
        mqtt={edge_id or "centre": mqtt},
        edge_tokens={e: need(f"HCAWATCH_EDGE_TOKEN_{e.upper().replace('-', '_')}") for e in edge_ids}
        if edge_id is None else {edge_id: need("HCAWATCH_EDGE_TOKEN")},
        credentials=_credentials(env.get("HCAWATCH_CREDENTIALS_FILE"), missing),
        public_url=env.get("HCAWATCH_PUBLIC_URL"),
    )  # fmt: skip
    if missing:
        raise RuntimeIncomplete("the environment lacks: " + "; ".join(missing))
    return runtime


def _credentials(file: str | None, missing: list[str]) -> dict[str, str]:
    """The cameras' credentials; an edge without any needs no file."""
    if not file:
        return {}
    try:
        return read_credentials(Path(file))
    except CredentialsRefused as exc:
        missing.append(f"cameras' credentials: {exc}")
        return {}


def _number(text: str, missing: list[str]) -> int:
    try:
        return int(text)
    except ValueError:
        missing.append(f"a port that is a number, not {text!r}")
        return 0

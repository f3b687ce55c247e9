"""How the centre runs: secrets that can be had, a broker with TLS, risk levels in order."""

import stat
from collections.abc import Iterator
from ipaddress import ip_address

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, Path
from hcawatch.config.schema import DatabaseSection, MqttSection
from monitor.domain.risk import Weights


def check(look: Look) -> Iterator[Fault]:
    """Faults of the sections `centre` and `risk`."""
    centre = look.document.centre
    if isinstance(centre.database, DatabaseSection):
        yield from _database(look, centre.database)
    if isinstance(centre.mqtt, MqttSection):
        yield from _mqtt(look, centre.mqtt)
    yield from _levels(look)


def _database(look: Look, database: DatabaseSection) -> Iterator[Fault]:
    path = ("centre", "database")
    if database.url_env is None and database.url_file is None:
        yield look.fault("secret_none", *path, one="url_env", other="url_file")
    yield from secret_of(look, path, database.url_env, database.url_file, "url_env", "url_file")
    url = look.around.env.get(database.url_env or "")
    if url and not url.startswith(("postgresql://", "postgres://")):
        yield look.fault("database_url", *path, "url_env", name=database.url_env)


def _mqtt(look: Look, mqtt: MqttSection) -> Iterator[Fault]:
    path = ("centre", "mqtt")
    yield from secret_of(look, path, mqtt.password_env, mqtt.password_file, "password_env", "password_file")
    if (
        mqtt.ca_file is not None
        and look.around.has_secrets
        and (reason := _why_unreadable(look, mqtt.ca_file))
    ):
        yield look.fault("secret_file_unreadable", *path, "ca_file", file=mqtt.ca_file, reason=reason)
    if not mqtt.tls and not _is_loopback(mqtt.host):
        yield look.fault("mqtt_plain", *path, host=mqtt.host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def secret_of(
    look: Look, path: Path, env: str | None, file: str | None, env_key: str, file_key: str
) -> Iterator[Fault]:
    """Faults of one secret, which comes from the environment or a file."""
    if env is not None and file is not None:
        yield look.fault("secret_twice", *path, file_key, one=env_key, other=file_key)
    if not look.around.has_secrets:
        return
    if env is not None and not look.around.env.get(env):
        yield look.fault("env_not_set", *path, env_key, name=env)
    if file is None:
        return
    if reason := _why_unreadable(look, file):
        yield look.fault("secret_file_unreadable", *path, file_key, file=file, reason=reason)
    elif stat.S_IMODE(look.around.resolve(file).stat().st_mode) & 0o004:
        yield look.fault("secret_file_open", *path, file_key, file=file)


def _why_unreadable(look: Look, file: str) -> str:
    try:
        with look.around.resolve(file).open("rb"):
            return ""
    except OSError as exc:
        return exc.strerror or str(exc)
    except ValueError as exc:
        return str(exc)


def _levels(look: Look) -> Iterator[Fault]:
    risk = look.document.risk
    if risk is None:
        return
    points = {**Weights().level_from, **risk.level_from.model_dump(exclude_none=True)}
    for worse, milder in (("I", "II"), ("II", "III")):
        if points[worse] < points[milder]:
            yield look.fault("levels_unordered", "risk", "level_from", worse=worse, milder=milder)

"""The channels' secrets, from the environment or files, when the centre starts or a channel is tested.

Apart from `settings`, since what runs may be a version of the database that names a secret which is not here: that
channel then says so with each message, and the centre runs on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alerts.webpush.sealing import load_or_create


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSecret:
    """What a channel keeps from everybody: never shown."""

    url: str | None = field(default=None, repr=False)
    #: the signing secret or the password
    secret: str | None = field(default=None, repr=False)
    #: by which its gateway signs officers' answers
    replies: str | None = field(default=None, repr=False)
    #: what could not be had, in words
    missing: tuple[str, ...] = ()


def channel_secrets(
    document: Mapping[str, Any], folder: Path, env: Mapping[str, str]
) -> dict[str, ChannelSecret]:
    """By channel. `document`: as `LoadedConfig.document`; its paths are relative to `folder`."""
    found = {}
    for channel in document.get("channels", ()):
        missing: list[str] = []
        url = value_of(channel.get("url_env"), channel.get("url_file"), folder, env, missing)
        secret = value_of(channel.get("secret_env"), channel.get("secret_file"), folder, env, missing)
        replies = value_of(channel.get("replies_env"), channel.get("replies_file"), folder, env, missing)
        found[channel["id"]] = ChannelSecret(url=url, secret=secret, replies=replies, missing=tuple(missing))
    return found


def with_push_key(
    document: Mapping[str, Any], secrets: Mapping[str, ChannelSecret], folder: Path
) -> dict[str, ChannelSecret]:
    """The same, with a key for Web Push that is made in `folder` and kept, where the configuration names none."""
    found = dict(secrets)
    for channel in document.get("channels", ()):
        given = found[channel["id"]]
        if channel["kind"] == "webpush" and given.secret is None and not given.missing:
            found[channel["id"]] = replace(given, secret=load_or_create(folder / "push-key"))
    return found


def value_of(
    variable: str | None, file: str | None, folder: Path, env: Mapping[str, str], missing: list[str]
) -> str | None:
    """A secret from the environment or a file; why it can't be had goes to `missing`."""
    if variable is not None:
        if not env.get(variable):
            missing.append(f"the environment variable {variable} is not set")
        return env.get(variable)
    if file is None:
        return None
    try:
        return (folder / Path(file).expanduser()).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as exc:
        missing.append(f"the file {file} can't be read: {getattr(exc, 'strerror', None) or exc}")
        return None

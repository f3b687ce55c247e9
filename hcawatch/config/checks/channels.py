"""Channels and contacts: each kind has what it needs, fallbacks end, and addresses are of their channel's kind."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from string import Formatter
from typing import Final
from urllib.parse import urlsplit

from hcawatch.config.checks.centre import secret_of
from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, Path, some_of
from hcawatch.config.schema import ChannelSection

#: the broker, which is always there
MQTT: Final = "mqtt"
_COMMON: Final = frozenset({
    "id", "kind", "language", "per_minute", "timeout_s", "fallback", "failures_until_open", "open_s", "sends", "levels",
})  # fmt: skip
_URL: Final = frozenset({"url", "url_env", "url_file"})
_HIDDEN_URL: Final = frozenset({"url_env", "url_file"})
_SECRET: Final = frozenset({"secret_env", "secret_file"})
_NETWORKS: Final = frozenset({"networks"})
_REPLIES: Final = frozenset({"replies_env", "replies_file"})
#: what each kind needs (one of each group), and what it may have beside that and the common keys
KINDS: Final[dict[str, tuple[tuple[frozenset[str], ...], frozenset[str]]]] = {
    "mqtt": ((), frozenset()),
    "webhook": ((_SECRET,), _URL | _NETWORKS | {"to"}),
    "email": ((frozenset({"host"}), frozenset({"sender"})), _SECRET | {"port", "security", "user", "to"}),
    "sms": ((_URL, frozenset({"request"})), _SECRET | _NETWORKS | _REPLIES | {"to"}),
    "voice": ((_URL, frozenset({"request"})), _SECRET | _NETWORKS | {"to"}),
    "webpush": ((frozenset({"sender"}),), _SECRET | _NETWORKS | {"to"}),
    "wecom": ((_HIDDEN_URL,), _NETWORKS),
    "dingtalk": ((_HIDDEN_URL,), _SECRET | _NETWORKS),
    "feishu": ((_HIDDEN_URL,), _SECRET | _NETWORKS),
    "cap": ((_URL, frozenset({"sender"})), _SECRET | _NETWORKS),
    "gb28181": (
        (frozenset({"host"}), frozenset({"gb_id"}), _SECRET, _NETWORKS),
        frozenset({"port", "user", "transport", "confirms"}),
    ),
}
#: facts of a message that a gateway's request may name
FACTS: Final = ("to", "text", "key", "secret", "level", "number")

#: how an address of each kind looks; kinds that are not here have none of their own
_ADDRESS: Final = {
    "email": (re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,255}"), "name@example.org", "name@example.org"),
    "sms": (re.compile(r"\+?[0-9][0-9 ()-]{3,24}"), "a telephone number", "电话号码"),
    "voice": (re.compile(r"\+?[0-9][0-9 ()-]{3,24}"), "a telephone number", "电话号码"),
    "webpush": (re.compile(r"[^\s:/@]{1,100}"), "a user name", "用户名"),
    "webhook": (re.compile(r"https?://[^\s@/?#]+([/?#]\S*)?"), "https://…", "https://…"),
}  # fmt: skip


def check(look: Look) -> Iterator[Fault]:
    """Faults of the sections `channels` and `contacts`, and of members' contacts."""
    for index, channel in enumerate(look.document.channels):
        # a stand-in of a faulty entry says nothing of the file
        if look.ok("channels", index, "id") and look.ok("channels", index, "kind"):
            yield from _channel(look, index, channel)
    pushing = [index for index, channel in enumerate(look.document.channels) if channel.kind == "webpush"]
    for index in pushing[1:]:
        yield look.fault("channel_push_twice", "channels", index, "kind")
    yield from _circles(look)
    for index, team in enumerate(look.document.teams):
        for n, member in enumerate(team.members):
            yield from _addresses(look, ("teams", index, "members", n, "contacts"), member.contacts)
    for index, contact in enumerate(look.document.contacts):
        yield from _addresses(look, ("contacts", index, "addresses"), contact.addresses)


def _channel(look: Look, index: int, channel: ChannelSection) -> Iterator[Fault]:
    path: Path = ("channels", index)
    if (channel.id == MQTT) != (channel.kind == MQTT):
        yield look.fault("channel_mqtt", *path, "id")
        return
    needs, may = KINDS[channel.kind]
    # not `model_fields_set`: a version of the database has every default written out
    given = {
        name
        for name, field in ChannelSection.model_fields.items()
        if field.is_required() or getattr(channel, name) != field.get_default()
    }
    for group in needs:
        if not given & group:
            yield look.fault("channel_key_missing", *path, kind=channel.kind, name=" / ".join(sorted(group)))
    known = _COMMON.union(may, *needs)
    for key in sorted(given - known):
        yield look.fault(
            "channel_key_foreign", *path, key, kind=channel.kind, name=key,
            known=some_of(known - _COMMON, most=20),
        )  # fmt: skip
    yield from secret_of(look, path, channel.url_env, channel.url_file, "url_env", "url_file")
    yield from secret_of(look, path, channel.secret_env, channel.secret_file, "secret_env", "secret_file")
    yield from secret_of(look, path, channel.replies_env, channel.replies_file, "replies_env", "replies_file")
    yield from _where_to(look, path, channel)
    if (
        channel.kind == "webpush"
        and channel.sender
        and not channel.sender.startswith(("mailto:", "https://"))
    ):
        yield look.fault("channel_push_sender", *path, "sender", found=channel.sender)
    others = {*look.ids("channels")} - {MQTT, channel.id}
    if channel.fallback == MQTT:
        yield look.fault("channel_fallback_mqtt", *path, "fallback")
    elif channel.fallback is not None and channel.fallback not in look.ids("channels"):
        yield look.fault("channel_unknown", *path, "fallback", name=channel.fallback, known=some_of(others))
    for n, address in enumerate(channel.to):
        yield from _address(look, (*path, "to", n), channel.kind, channel.id, address)
    if channel.request is not None:
        for part in ("headers", "body"):
            for name, value in getattr(channel.request, part).items():
                yield from _facts(look, (*path, "request", part, name), value)


def _where_to(look: Look, path: Path, channel: ChannelSection) -> Iterator[Fault]:
    networks = []
    for n, network in enumerate(channel.networks):
        try:
            networks.append(ip_network(network))
        except ValueError as exc:
            yield look.fault("network_invalid", *path, "networks", n, found=network, reason=exc)
            continue
        if networks[-1].prefixlen == 0:
            yield look.fault("network_everything", *path, "networks", n, found=network)
    if channel.url is not None and not is_url(channel.url, plain=bool(networks)):
        # without what may be a password
        yield look.fault("channel_url", *path, "url", found=channel.url.rpartition("@")[2])


def is_url(url: str, *, plain: bool) -> bool:
    """Whether a channel may post there; `plain` allows http://."""
    try:
        parts = urlsplit(url)
        well = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    allowed = ("https", "http") if plain else ("https",)
    return well and parts.scheme in allowed and parts.username is None and parts.password is None


def _facts(look: Look, path: Path, template: str) -> Iterator[Fault]:
    try:
        names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError:
        names = [template[:20]]
    for name in names:
        if name not in FACTS:
            yield look.fault("request_unknown_fact", *path, name=name,
                             known=", ".join(FACTS))  # fmt: skip


def _circles(look: Look) -> Iterator[Fault]:
    follows = {c.id: c.fallback for c in look.document.channels if c.fallback is not None}
    for index, channel in enumerate(look.document.channels):
        seen, here = {channel.id}, follows.get(channel.id)
        while here is not None and here not in seen:
            seen.add(here)
            here = follows.get(here)
        if here == channel.id and look.ok("channels", index, "fallback"):
            yield look.fault("channel_fallback_circle", "channels", index, "fallback", name=channel.id)
            return


def _addresses(look: Look, path: Path, addresses: dict[str, str]) -> Iterator[Fault]:
    kinds = {channel.id: channel.kind for channel in look.document.channels}
    for name, address in addresses.items():
        if name in kinds:
            yield from _address(look, (*path, name), kinds[name], name, address)
        elif name not in look.ids("channels"):
            yield look.fault("channel_unknown", *path, name, name=name, known=some_of(look.ids("channels")))


def _address(look: Look, path: Path, kind: str, name: str, address: str) -> Iterator[Fault]:
    row = _ADDRESS.get(kind)
    if row is None:
        yield look.fault("contact_without_address", *path, name=name, kind=kind)
        return
    pattern, expected, expected_zh = row
    if not pattern.fullmatch(address):
        yield look.fault(
            "contact_bad", *path, found=address, kind=kind, expected=expected, expected_zh=expected_zh
        )

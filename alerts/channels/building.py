"""Channels of a configuration, ready to send: each kind with its secrets, its addresses and its words."""

from collections.abc import Callable, Mapping
from typing import Protocol

from alerts.channels.cap import Cap
from alerts.channels.failures import ChannelError
from alerts.channels.gateway import Gateway
from alerts.channels.gb28181 import Platform
from alerts.channels.mail import Mail
from alerts.channels.parcel import Deliver, Parcel
from alerts.channels.posting import Poster
from alerts.channels.robots import VENDORS, Robot
from alerts.channels.webhook import Webhook
from alerts.channels.wording import Wording, wording
from alerts.webpush.delivery import Browsers, WebPush
from alerts.webpush.sealing import PushKeyError, Sender
from monitor.domain.assets import Channel, City


class Secret(Protocol):
    """What a channel keeps from everybody."""

    @property
    def url(self) -> str | None:
        """Its URL, if that holds a token."""
        ...

    @property
    def secret(self) -> str | None:
        """What it signs or logs in with."""
        ...

    @property
    def missing(self) -> tuple[str, ...]:
        """What of it could not be had, in words."""
        ...


Publish = Callable[[str, bytes, bool], None]


def deliveries(
    city: City,
    secrets: Mapping[str, Secret],
    public_url: str | None,
    publish: Publish | None,
    browsers: Browsers | None = None,
) -> dict[str, Deliver]:
    """How to deliver, by channel. `publish`: the broker, for a channel of kind mqtt (a fallback for it, a limit).

    `browsers`: who is notified where, for Web Push.
    """
    found: dict[str, Deliver] = {}
    for channel in city.channels:
        if channel.kind != "mqtt":
            secret = secrets[channel.channel_id]
            found[channel.channel_id] = (
                _unready(secret.missing)
                if secret.missing
                else _of(channel, city, secret, public_url, browsers)
            )
        elif publish is not None:
            found[channel.channel_id] = _broker(publish)
    return found


def running_of(kinds: Mapping[str, Deliver]) -> tuple[Platform, ...]:
    """Those that have something to do between messages: `with` each of them."""
    return tuple(deliver for deliver in kinds.values() if isinstance(deliver, Platform))


def _broker(publish: Publish) -> Deliver:
    return lambda parcel: publish(parcel.address, parcel.payload, False)


def _unready(missing: tuple[str, ...]) -> Deliver:
    """The messages wait, go to the fallback or are complained of, as with any other failure."""

    def refuse(parcel: Parcel) -> None:
        raise ChannelError(f"its secret can't be had: {'; '.join(missing)}")

    return refuse


def _of(
    channel: Channel, city: City, secret: Secret, public_url: str | None, browsers: Browsers | None
) -> Deliver:
    def words(parcel: Parcel) -> Wording:
        return wording(parcel.body, city, public_url, parcel.language)

    poster = Poster(channel.networks, channel.timeout_s)
    url = secret.url or channel.url or ""
    match channel.kind:
        case "webhook":
            return Webhook(url or None, secret.secret or "", poster)
        case "email":
            return Mail(channel, secret.secret, words)
        case "sms" | "voice":
            return Gateway(channel, url, secret.secret or "", words, poster)
        case "webpush":
            if browsers is None:
                return _unready(("the browsers are known to a running centre only",))
            try:
                sender = Sender.of_pem(secret.secret or "", channel.sender or "")
            except PushKeyError as exc:
                return _unready((str(exc),))
            return WebPush(sender, browsers, words, poster)
        case "gb28181":
            return Platform(channel, city, secret.secret or "", words)
        case "cap":
            return Cap(channel, city, url, secret.secret, public_url, poster)
        case _:
            return Robot(VENDORS[channel.kind], url, secret.secret, words, poster)

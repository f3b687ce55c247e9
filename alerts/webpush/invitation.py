"""What a page needs in order to offer notifications: the key to subscribe with, and a test of each new browser."""

import uuid
from collections.abc import Mapping
from datetime import datetime

import msgspec

from alerts.channels.parcel import Deliver, Parcel
from alerts.channels.trial import trial_body
from alerts.webpush.delivery import WebPush
from alerts.webpush.subscriptions import Subscription, Subscriptions
from monitor.domain.assets import City


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """The city's channel of kind webpush, as pages use it."""

    channel: WebPush
    browsers: Subscriptions

    @property
    def public(self) -> str:
        """base64url; browsers subscribe with it."""
        return self.channel.sender.public

    def subscribe(self, user: str, browser: Subscription, language: str, now: datetime) -> bool:
        """Whether the browser was new: it is then sent a test, and forgotten again if that fails (as the channel does)."""
        if not self.browsers.add(user, browser, now):
            return False
        key = f"test-{uuid.uuid4()}"
        body = {**trial_body(key, now), "url": "/field"}
        test = Parcel(
            address=user,
            key=key,
            body=body,
            payload=b"",
            language="zh" if language == "zh" else "en",
            now=now,
        )
        try:
            self.channel.try_out(browser, test)
        except Exception:
            self.browsers.remove(user, browser.endpoint, now)
            raise
        self.browsers.keep_newest(user, now)
        return True


def push_of(city: City, kinds: Mapping[str, Deliver], browsers: Subscriptions) -> Push | None:
    """None where no such channel is set up, or its key can't be had: the channel says so with each message."""
    for channel in city.channels:
        deliver = kinds.get(channel.channel_id)
        if channel.kind == "webpush" and isinstance(deliver, WebPush):
            return Push(channel=deliver, browsers=browsers)
    return None

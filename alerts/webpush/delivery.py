"""Delivers one message to all browsers of one person."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec
import structlog

from alerts.channels.failures import ChannelError
from alerts.channels.failures import Final as Refused
from alerts.channels.parcel import Parcel
from alerts.channels.posting import Poster, judge
from alerts.channels.wording import Wording
from alerts.webpush.sealing import MOST_BYTES, Sender, b64, seal
from alerts.webpush.subscriptions import Subscription

log = structlog.get_logger(__name__)

#: seconds that a push service keeps a message for a phone that is off; a dispatch is somebody else's by then
KEPT_S: Final = 3600
#: messages that may not wait for the phone to wake by itself (RFC 8030, 5.3)
_URGENT: Final = frozenset({"dispatch", "recall", "escalation", "escalations"})
#: the service does not know the browser any more (RFC 8030, 7.3)
_GONE: Final = (404, 410)


class Browsers(Protocol):
    """Who is notified where."""

    def of(self, user: str) -> tuple[Subscription, ...]:
        """The browsers of one person."""
        ...

    def forget(self, endpoint: str, now: datetime) -> None:
        """Its push service does not know it any more."""
        ...


class WebPush:
    """One channel; an address is a user name."""

    def __init__(
        self, sender: Sender, browsers: Browsers, words: Callable[[Parcel], Wording], poster: Poster
    ) -> None:
        self.sender, self._browsers, self._words, self._poster = sender, browsers, words, poster

    def __call__(self, parcel: Parcel) -> None:
        """Returns when one browser's service has it; the failure of the last one otherwise."""
        if not parcel.address:
            raise Refused("a notification needs a person")
        message, browsers = notification(parcel, self._words(parcel)), self._browsers.of(parcel.address)
        # at the same time, so that all of them take no longer than one may
        with ThreadPoolExecutor(max(1, len(browsers)), "push") as pool:
            came = list(pool.map(lambda browser: self._came_of(browser, message, parcel), browsers))
        if True in came:
            return
        for one in came:
            if isinstance(one, Exception):
                raise one
        raise Refused("no browser of this person takes notifications: they turn them on in My dispatches")

    def _came_of(self, browser: Subscription, message: bytes, parcel: Parcel) -> bool | Exception:
        try:
            return self._took(browser, message, parcel)
        except (ChannelError, OSError) as exc:
            return exc

    def try_out(self, browser: Subscription, parcel: Parcel) -> None:
        """To one browser only; raises what its service says."""
        if not self._took(browser, notification(parcel, self._words(parcel)), parcel):
            raise Refused("its push service does not know this browser")

    def _took(self, browser: Subscription, message: bytes, parcel: Parcel) -> bool:
        """Whether its service took it; a browser that is gone is forgotten."""
        headers = {
            "Authorization": self.sender.authorization(browser.endpoint, parcel.now),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEPT_S),
            "Urgency": "high" if parcel.body.get("what") in _URGENT else "normal",
            # a phone that was off shows the newest word of an alert, not all of them
            "Topic": b64(sha256(tag_of(parcel.body).encode()).digest())[:32],
        }
        answer = self._poster.post(browser.endpoint, headers, seal(message, browser.keys))
        host = urlsplit(browser.endpoint).hostname or ""
        if answer.status in _GONE:
            self._browsers.forget(browser.endpoint, parcel.now)
            log.info("push.browser_gone", user=parcel.address, service=host, status=answer.status)
            return False
        judge(answer, host, parcel.now)
        return True


def tag_of(body: dict[str, Any]) -> str:
    """Messages of one alert replace each other on the screen."""
    return str(body.get("alert_id") or body.get("idempotency_key") or "")


def notification(parcel: Parcel, words: Wording) -> bytes:
    """What the service worker (monitor/web/static/sw.js) shows; cut to what a push may carry."""
    url = str(parcel.body.get("url") or "")
    shown: dict[str, Any] = {
        "key": parcel.key,
        "tag": tag_of(parcel.body),
        "title": words.headline[:200],
        "body": "\n".join(f"{label}: {value}" if label else value for label, value in words.lines)[:700],
        # a path of ours, or nothing
        "url": url if url.startswith("/") and not url.startswith("//") else "/field",
        "urgent": parcel.body.get("what") in _URGENT,
        "language": parcel.language,
    }
    while (
        len(message := msgspec.json.encode(shown)) > MOST_BYTES
    ):  # each of 900 characters may take six bytes
        shown["title"], shown["body"] = shown["title"][:100], shown["body"][: len(shown["body"]) // 2]
    return message

"""Which browsers notify whom. Whoever subscribes gives an address that the centre will post to: it is checked there."""

from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import msgspec

from alerts.webpush.sealing import BrowserKeys
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.store.pool import Pool
from monitor.store.queries import Queries

QUERIES = Queries("alerts.webpush")
#: browsers of one person; the oldest goes
MOST_BROWSERS: Final = 5
MOST_ENDPOINT: Final = 1000


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One browser of one person."""

    #: a secret: whoever has it may post there
    endpoint: str
    p256dh: str
    auth: str

    @property
    def keys(self) -> BrowserKeys:
        """What messages are sealed with."""
        return BrowserKeys.read(self.p256dh, self.auth)


class Subscriptions:
    """In the database; a person who is removed takes their browsers along."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def of(self, user: str) -> tuple[Subscription, ...]:
        """The browsers of one person."""
        with self._pool.connection() as conn:
            rows = conn.execute(QUERIES["subscriptions_of"], {"user": user}).fetchall()
        return tuple(Subscription(**row) for row in rows)

    def add(self, user: str, browser: Subscription, now: datetime) -> bool:
        """Whether it was not known; with its audit entry then."""
        given = {"user": user, **msgspec.structs.asdict(browser), "now": now}
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["subscribe"], given).fetchone()
            conn.execute(QUERIES["forget_oldest"], {"user": user, "most": MOST_BROWSERS})
            new = bool(row and row["new"])
            if new:
                append(conn, _entry("push.subscribed", user, browser.endpoint, now))
        return new

    def remove(self, user: str, endpoint: str, now: datetime) -> bool:
        """Whether it was one of theirs."""
        with self._pool.connection() as conn:
            gone = conn.execute(QUERIES["unsubscribe"], {"user": user, "endpoint": endpoint}).rowcount > 0
            if gone:
                append(conn, _entry("push.unsubscribed", user, endpoint, now))
        return gone

    def forget(self, endpoint: str) -> None:
        """Its push service does not know it any more."""
        with self._pool.connection() as conn:
            conn.execute(QUERIES["forget"], {"endpoint": endpoint})


def _entry(kind: str, user: str, endpoint: str, now: datetime) -> Entry:
    browser = sha256(endpoint.encode()).hexdigest()[:16]
    body = {"service": urlsplit(endpoint).hostname or "", "browser": browser}
    return Entry(kind=kind, subject=f"user:{user}", actor=f"user:{user}", at=now, body=body)

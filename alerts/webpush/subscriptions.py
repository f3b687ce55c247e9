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
        """Whether it was not known, was somebody else's, or had other keys; with its audit entries then."""
        given = {"user": user, **msgspec.structs.asdict(browser), "now": now}
        with self._pool.connection() as conn:
            known = conn.execute(QUERIES["subscription"], given).fetchone()
            conn.execute(QUERIES["subscribe"], given)
            if known == {"user_name": user, "p256dh": browser.p256dh, "auth": browser.auth}:
                return False
            if known is not None and known["user_name"] != user:
                append(
                    conn,
                    _entry("push.taken_over", known["user_name"], browser.endpoint, now, by=f"user:{user}"),
                )
            append(conn, _entry("push.subscribed", user, browser.endpoint, now))
        return True

    def keep_newest(self, user: str, now: datetime) -> None:
        """Nobody has more than MOST_BROWSERS: the oldest go."""
        with self._pool.connection() as conn:
            for row in conn.execute(
                QUERIES["forget_oldest"], {"user": user, "most": MOST_BROWSERS}
            ).fetchall():
                append(conn, _entry("push.too_many", user, row["endpoint"], now, by="system"))

    def remove(self, user: str, endpoint: str, now: datetime) -> bool:
        """Whether it was one of theirs."""
        with self._pool.connection() as conn:
            gone = conn.execute(QUERIES["unsubscribe"], {"user": user, "endpoint": endpoint}).rowcount > 0
            if gone:
                append(conn, _entry("push.unsubscribed", user, endpoint, now))
        return gone

    def forget(self, endpoint: str, now: datetime) -> None:
        """Its push service does not know it any more."""
        with self._pool.connection() as conn:
            for row in conn.execute(QUERIES["forget"], {"endpoint": endpoint}).fetchall():
                append(conn, _entry("push.gone", row["user_name"], endpoint, now, by="system"))


def _entry(kind: str, user: str, endpoint: str, now: datetime, by: str = "") -> Entry:
    browser = sha256(endpoint.encode()).hexdigest()[:16]
    body = {"service": urlsplit(endpoint).hostname or "", "browser": browser}
    return Entry(kind=kind, subject=f"user:{user}", actor=by or f"user:{user}", at=now, body=body)

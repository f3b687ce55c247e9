"""How often somebody may try to log in, or a code. Pure decision over past failures, which the database keeps.

Counted per name and address together, per address, and per name. The limit per name alone is wide, so that a stranger
elsewhere can't easily lock a colleague out. A try counts as failed before it is made, under a lock of what it is counted
by, so that neither several server processes nor many tries at the same moment get more than the limit; the right
password takes it back.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from monitor.store.pool import Conn, Pool
from monitor.web.sql import QUERIES


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """So many failures within the window are free; after that, wait until the window lets go."""

    failures: int
    window_s: float


NAME_AND_ADDRESS = Limit(failures=5, window_s=300)
ADDRESS = Limit(failures=30, window_s=300)
NAME = Limit(failures=50, window_s=900)
#: of codes, by address
CODES = Limit(failures=5, window_s=300)
#: of files that come with objections, by notice: each is looked at, which costs, whatever comes of it
FILES = Limit(failures=6, window_s=900)
LONGEST_S: Final = 900.0

#: what a try is counted by, each with its limit
Counted = tuple[tuple[str, Limit], ...]


def of_login(user: str, address: str) -> Counted:
    """A login is counted by name and address, by address, and by name."""
    return ((f"{user}\n{address}", NAME_AND_ADDRESS), (f"\n{address}", ADDRESS), (f"{user}\n", NAME))


def of_code(address: str) -> Counted:
    """A code is counted by the address that it comes from."""
    return ((f"\n{address}", CODES),)


def of_file(notice_id: str) -> Counted:
    """A company's file is counted by its notice."""
    return ((notice_id, FILES),)


def wait_s(failures: list[datetime], limit: Limit, now: datetime) -> float:
    """Seconds until the next try is free; 0 if it is free now. `failures` in order, oldest first."""
    since = now - timedelta(seconds=limit.window_s)
    recent = [at for at in failures if at > since]
    if len(recent) < limit.failures:
        return 0.0
    return (recent[-limit.failures] - since).total_seconds()


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """A try that was counted, or how long it has to wait."""

    wait_s: float = 0.0
    ids: tuple[int, ...] = ()


class Throttle:
    """Remembers failed tries of one kind, for all processes that share the database."""

    def __init__(self, pool: Pool, kind: str) -> None:
        self._pool, self._kind = pool, kind

    def wait_s(self, counted: Counted, now: datetime) -> float:
        """Seconds that the next try has to wait."""
        with self._pool.connection() as conn:
            return self._wait_s(conn, counted, now)

    def take(self, counted: Counted, now: datetime) -> Try:
        """Counts a try as failed, unless it has to wait; committed when this returns."""
        keys = [who for who, _ in counted]
        with self._pool.connection() as conn:
            conn.execute(QUERIES["lock_tries"], {"keys": [f"{self._kind} {who}" for who in keys]})
            if (wait := self._wait_s(conn, counted, now)) > 0:
                return Try(wait_s=wait)
            conn.execute(QUERIES["sweep_tries"], {"before": now - timedelta(seconds=LONGEST_S)})
            rows = conn.execute(
                QUERIES["add_tries"], {"kind": self._kind, "keys": keys, "now": now}
            ).fetchall()
            return Try(ids=tuple(row["try_id"] for row in rows))

    def succeeded(self, conn: Conn, counted: Counted, ids: Iterable[int]) -> None:
        """It was right after all, in the caller's transaction: the narrowest count (the first) starts afresh."""
        conn.execute(QUERIES["forget_tries"], {"kind": self._kind, "who": counted[0][0], "ids": list(ids)})

    def _wait_s(self, conn: Conn, counted: Counted, now: datetime) -> float:
        found: dict[str, list[datetime]] = {}
        given = {
            "kind": self._kind,
            "keys": [who for who, _ in counted],
            "since": now - timedelta(seconds=LONGEST_S),
        }
        for row in conn.execute(QUERIES["recent_tries"], given):
            found.setdefault(row["who"], []).append(row["at"])
        return max(wait_s(sorted(found.get(who, [])), limit, now) for who, limit in counted)

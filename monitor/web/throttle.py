"""How often somebody may try to log in. Pure decision over past failures, and a small memory of them.

Counted per name and address together, per address, and per name. The limit per name alone is wide, so
that a stranger elsewhere can't easily lock a colleague out. The memory is the process's own: it is
forgotten on restart, which frees nobody for longer than a restart takes.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """So many failures within the window are free; after that, wait until the window lets go."""

    failures: int
    window_s: float


NAME_AND_ADDRESS = Limit(failures=5, window_s=300)
ADDRESS = Limit(failures=30, window_s=300)
NAME = Limit(failures=50, window_s=900)


def wait_s(failures: list[datetime], limit: Limit, now: datetime) -> float:
    """Seconds until the next try is free; 0 if it is free now. `failures` in order, oldest first."""
    since = now - timedelta(seconds=limit.window_s)
    recent = [at for at in failures if at > since]
    if len(recent) < limit.failures:
        return 0.0
    return (recent[-limit.failures] - since).total_seconds()


class LoginThrottle:
    """Remembers failures by key, at most `keys` of them (the ones that failed last)."""

    def __init__(self, keys: int = 10_000) -> None:
        self._failures: OrderedDict[tuple[str, str], list[datetime]] = OrderedDict()
        self._keys = keys
        self._lock = threading.Lock()

    @staticmethod
    def _limits(user: str, address: str) -> tuple[tuple[tuple[str, str], Limit], ...]:
        return (((user, address), NAME_AND_ADDRESS), (("", address), ADDRESS), ((user, ""), NAME))

    def wait_s(self, user: str, address: str, now: datetime) -> float:
        """Seconds that this user at this address has to wait."""
        with self._lock:
            return max(
                wait_s(self._failures.get(key, []), limit, now) for key, limit in self._limits(user, address)
            )

    def failed(self, user: str, address: str, now: datetime) -> None:
        """A try failed."""
        with self._lock:
            for key, limit in self._limits(user, address):
                self._failures[key] = [*self._failures.get(key, []), now][-limit.failures :]
                self._failures.move_to_end(key)
            while len(self._failures) > self._keys:
                self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """The right password was given: this user at this address starts afresh."""
        with self._lock:
            self._failures.pop((user, address), None)

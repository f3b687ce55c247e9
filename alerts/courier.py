"""Delivers the loop's outgoing messages, each at least once, and says so when one cannot be delivered.

A message is marked as sent only after its channel took it, so a death in between sends it again under the
same key. Backing off is a pure function; who takes the messages (MQTT, later webhooks) is passed in.
"""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec
import structlog

from alerts.commands import Problem
from alerts.engine import AlertEngine
from alerts.policy import Policy
from alerts.ports import AlertBook
from alerts.reasons import Health
from alerts.values import Outgoing
from monitor.domain.risk import Reason

log = structlog.get_logger(__name__)

#: address, payload, retain. Returns when the other side has it; raises otherwise.
Send = Callable[[str, bytes, bool], None]

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0


def wait_s(attempts: int, jitter: float) -> float:
    """Seconds until the next try after `attempts` (starts at 1) failures; `jitter` in [0, 1).

    Doubles from about a second to five minutes; half of it is jitter, so that many messages spread.
    """
    whole = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20))
    return whole * (0.5 + 0.5 * jitter)


class Courier:
    """Takes messages that are due and hands them to their channels. Many couriers may work at once."""

    def __init__(
        self,
        book: AlertBook,
        channels: Mapping[str, Send],
        engine: AlertEngine,
        policy: Policy | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._book, self._channels, self._engine = book, channels, engine
        self._policy, self._jitter = policy or Policy(), jitter

    def deliver(self, now: datetime, limit: int = 100) -> int:
        """Tries up to `limit` messages that are due, one transaction each; returns how many it tried."""
        tried = 0
        while tried < limit and self._one(now):
            tried += 1
        return tried

    def _one(self, now: datetime) -> bool:
        with self._book.begin() as tx:
            taken = tx.take_outgoing(now, 1)
            if not taken:
                return False
            (message,) = taken
            error = self._send(message)
            # also what an earlier courier said and died before it could take back
            over = error is None and tx.running_health(Health.UNDELIVERABLE, message.address) is not None
            if error is None:
                tx.outgoing_sent(message.outgoing_id, now)
            else:
                again_at = now + timedelta(seconds=wait_s(message.attempts + 1, self._jitter()))
                tx.outgoing_failed(message.outgoing_id, error, again_at)
        if error is not None:
            self._complain(message, error, now)
        elif over:
            self._engine.clear_problem(Health.UNDELIVERABLE, message.address, now)
        return True

    def _send(self, message: Outgoing) -> str | None:
        send = self._channels.get(message.channel)
        if send is None:
            return f"no channel {message.channel!r} is set up; there are {sorted(self._channels)}"
        try:
            send(message.address, msgspec.json.encode(message.body), False)
        except Exception as exc:  # noqa: BLE001 - a channel is anybody's code; the message stays and is counted
            return f"{type(exc).__name__}: {exc}"[:500]
        return None

    def _complain(self, message: Outgoing, error: str, now: datetime) -> None:
        """A health alert per address from the tenth failure on; it clears with the next delivery."""
        attempts = message.attempts + 1
        log.warning(
            "courier.not_delivered",
            address=message.address,
            key=message.idempotency_key,
            attempts=attempts,
            error=error,
        )
        if attempts >= self._policy.attempts_until_alert:
            reason = Reason(key="undeliverable", points=0, detail=error)
            self._engine.raise_problem(
                Problem(health=Health.UNDELIVERABLE, subject=message.address, at=now, reasons=(reason,)), now
            )

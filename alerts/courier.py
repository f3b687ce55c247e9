"""Delivers the loop's outgoing messages, each at least once, and says so when one cannot be delivered.

A message is marked as sent only after its channel took it, so a death in between sends it again under the
same key. Several are taken and marked in one transaction, so that a commit serves many; how they are sent without
one receiver's delaying another is sending.py's. What becomes of a message otherwise is decided in delivery.py; who
takes the messages (MQTT, and the channels of alerts/channels) is passed in.
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from alerts.commands import Problem
from alerts.delivery import Handed, Outcome, Postponed, Sent, TryAgain, outcome, shown, subject_of
from alerts.engine import AlertEngine
from alerts.policy import Policy
from alerts.ports import AlertBook, AlertTx
from alerts.reasons import Health
from alerts.sending import Send, send_all, send_in_turn
from alerts.values import Outgoing
from monitor.domain.risk import Reason

log = structlog.get_logger(__name__)

#: Seconds for all messages of one transaction. Above the longest `timeout_s` (20), below what makes a courier's thread
#: unwell (30) and far below the 60 s after which the database ends a transaction that does nothing: then none would
#: be marked, and all would go out again without end.
SENDING_S = 25.0
#: as many as deliver (worker.COURIERS): what is slow for one of them must not keep the others from beginning
_SHARES = 3


class Desk(Protocol):
    """Who knows the channels beside their sending (alerts/channels/desk.py)."""

    def held(self, now: datetime) -> Collection[str]:
        """Channels that may not be used now; their messages wait where they are."""
        ...

    def fallback(self, message: Outgoing) -> tuple[str, str] | None:
        """Channel and address that would take the message over."""
        ...


class NoDesk:
    """Nothing is held, and nobody takes over."""

    def held(self, now: datetime) -> Collection[str]:
        return ()

    def fallback(self, message: Outgoing) -> tuple[str, str] | None:
        return None


class Courier:
    """Takes messages that are due and hands them to their channels. Many couriers may work at once."""

    def __init__(
        self,
        book: AlertBook,
        channels: Mapping[str, Send],
        engine: AlertEngine,
        policy: Policy | None = None,
        jitter: Callable[[], float] = random.random,
        desk: Desk | None = None,
        at_once: int = 1,
        sending_s: float = SENDING_S,
    ) -> None:
        """`at_once`: messages of one transaction, each with a thread of its own where their receivers are slow.

        `sending_s`: seconds that they have together.
        """
        self._book, self._channels, self._engine = book, channels, engine
        self._policy, self._jitter, self._desk = policy or Policy(), jitter, desk or NoDesk()
        self.at_once, self._sending_s = at_once, sending_s
        self._senders = ThreadPoolExecutor(_SHARES * at_once, "sender") if at_once > 1 else None

    def deliver(self, now: datetime, limit: int = 100) -> int:
        """Tries up to `limit` messages that are due; returns how many it tried."""
        tried = 0
        # until nothing comes: what was sent may have let its successor go
        while tried < limit and (some := self.deliver_some(now, limit - tried)):
            tried += some
        return tried

    def deliver_some(self, now: datetime, limit: int = 100) -> int:
        """One transaction of it: up to `at_once` messages. Only when there were none, nothing is due at `now`."""
        limit = min(self.at_once, limit)
        held = self._desk.held(now)
        with self._book.begin() as tx:
            taken = tx.take_outgoing(now, limit, held)
            if not taken:
                return 0
            became = [
                (message, self._became(message, error, now))
                for message, error in zip(taken, self._send_all(taken), strict=True)
            ]
            said = self._note(tx, became, now)
            # also what an earlier courier said and died before it could take back
            over = said & {subject_of(message) for message, what in became if isinstance(what, Sent)}
        for message, what in became:
            if isinstance(what, TryAgain):
                self._complain(message, what, now)
        for subject in sorted(over):
            self._engine.clear_problem(Health.UNDELIVERABLE, subject, now)
        return len(taken)

    def _send_all(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """What went wrong with each."""
        if self._senders is None:
            return send_in_turn(self._send, messages)
        return send_all(self._send, messages, self._senders, self._sending_s)

    def _send(self, message: Outgoing) -> Callable[[], None] | None:
        send = self._channels.get(message.channel)
        if send is None:
            there = sorted(self._channels)
            raise LookupError(f"no channel {message.channel!r} is set up; there are {there}")
        body = {"idempotency_key": message.idempotency_key, **message.body}
        return send(message.address, msgspec.json.encode(body), False)

    def _became(self, message: Outgoing, error: Exception | None, now: datetime) -> Outcome:
        fallback = None if error is None else self._desk.fallback(message)
        return outcome(message, error, fallback, self._policy, now, self._jitter())

    def _note(self, tx: AlertTx, became: Sequence[tuple[Outgoing, Outcome]], now: datetime) -> frozenset[str]:
        """Where it is said that nothing can be delivered, if anything was."""
        said: frozenset[str] = frozenset()
        if sent := [message.outgoing_id for message, what in became if isinstance(what, Sent)]:
            said = tx.outgoing_sent(sent, now)
        for message, what in became:
            match what:
                case Postponed(until=until, reason=reason):
                    tx.outgoing_postponed(message.outgoing_id, reason, until)
                case Handed(message=other, error=error):
                    tx.add_outgoing(other)
                    tx.outgoing_handed(message.outgoing_id, error, other.channel, now)
                    log.warning("courier.handed_over", by=message.channel, to=other.channel,
                                key=message.idempotency_key, error=error)  # fmt: skip
                case TryAgain(until=until, error=error):
                    tx.outgoing_failed(message.outgoing_id, error, until)
        return said

    def _complain(self, message: Outgoing, became: TryAgain, now: datetime) -> None:
        """A health alert per channel and address, once trying alone does not help; the next delivery clears it."""
        log.warning(
            "courier.not_delivered",
            channel=message.channel,
            address=shown(message.address),
            key=message.idempotency_key,
            attempts=message.attempts + 1,
            error=became.error,
        )
        if became.complain:
            reason = Reason(key="undeliverable", points=0, detail=became.error)
            problem = Problem(
                health=Health.UNDELIVERABLE, subject=subject_of(message), at=now, reasons=(reason,)
            )
            self._engine.raise_problem(problem, now)

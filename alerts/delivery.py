"""What becomes of a message after a try: sent, later, handed to another channel, or tried again. Pure."""

from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import msgspec

from alerts.channels.failures import ChannelError, Final, NotNow, OutOfOrder, OwnLimit
from alerts.policy import Policy
from alerts.values import Outgoing

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0
#: nobody takes a message that was refused for good until a person mends something, so it is tried seldom
REFUSED_WAIT_S = 900.0
#: a message that is older and is still told to wait goes to the fallback, else a person hears of it
LATE_AFTER = timedelta(minutes=10)


class Sent(msgspec.Struct, frozen=True):
    """The other side has it."""


class Postponed(msgspec.Struct, frozen=True):
    """Not tried."""

    until: datetime
    reason: str


class Handed(msgspec.Struct, frozen=True):
    """The fallback takes it, as this message."""

    message: Outgoing
    error: str


class TryAgain(msgspec.Struct, frozen=True):
    """It failed; `complain`: a person should hear of it."""

    until: datetime
    error: str
    complain: bool


Outcome = Sent | Postponed | Handed | TryAgain


def wait_s(attempts: int, jitter: float) -> float:
    """Seconds until the next try after `attempts` (starts at 1) failures; `jitter` in [0, 1).

    Doubles from about a second to five minutes; half of it is jitter, so that many messages spread.
    """
    whole = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20))
    return whole * (0.5 + 0.5 * jitter)


def outcome(
    message: Outgoing,
    error: Exception | None,
    fallback: tuple[str, str] | None,
    policy: Policy,
    now: datetime,
    jitter: float,
) -> Outcome:
    """What becomes of `message`. `fallback`: channel and address that could take it over.

    It does so at once where this channel never will or is out of order, else when a person would be told: after many
    failures, or when the other side only ever says "not now".
    """
    if error is None:
        return Sent()
    attempts = message.attempts + 1
    said = describe(error)
    hopeless = isinstance(error, ChannelError) and error.complain_now
    late_at = message.created_at + LATE_AFTER
    often = now >= late_at if isinstance(error, NotNow) else attempts >= policy.attempts_until_alert
    if fallback is not None and (hopeless or often or isinstance(error, OutOfOrder)):
        return Handed(handed_over(message, fallback, now), said)
    if isinstance(error, NotNow):
        until = now + timedelta(seconds=max(0.05, error.wait_s))
        if often and not isinstance(error, OwnLimit):
            return TryAgain(until, said, complain=True)
        # who asks for an hour is not waited for that long before somebody else gets it, or hears of it
        return Postponed(until if often else min(until, late_at), said)
    wait = REFUSED_WAIT_S * (0.5 + 0.5 * jitter) if isinstance(error, Final) else wait_s(attempts, jitter)
    return TryAgain(now + timedelta(seconds=wait), said, complain=hopeless or often)


def handed_over(message: Outgoing, fallback: tuple[str, str], now: datetime) -> Outgoing:
    """The same message for another channel: a row of its own, the receiver's key unchanged."""
    channel, address = fallback
    key = message.body.get("idempotency_key", message.idempotency_key)
    return Outgoing(
        channel=channel, address=address, idempotency_key=f"{message.idempotency_key}>{channel}", created_at=now,
        body={**message.body, "idempotency_key": key, "handed_over_by": message.channel},
    )  # fmt: skip


def describe(error: Exception) -> str:
    """What failed, for the room; errors of ours are sentences already."""
    text = str(error) if isinstance(error, ChannelError) else f"{type(error).__name__}: {error}"
    return text[:500]


def subject_of(message: Outgoing) -> str:
    """What a health alert about this message's way is about: the topic, or channel and address."""
    if message.channel == "mqtt":
        return message.address
    return f"{message.channel} {shown(message.address)}".strip()


def shown(address: str) -> str:
    """An address as pages, logs and the audit log may have it: of a URL, whose path may hold a token, its host.

    The number behind it tells two addresses of one host apart.
    """
    if "://" not in address:
        return address
    try:
        host = urlsplit(address).hostname or "?"
    except ValueError:
        host = "?"
    return f"{host} #{sha256(address.encode()).hexdigest()[:8]}"

"""When a channel may be used: a token bucket, a circuit breaker, and what the other side asked for. Pure.

The bucket delays and never drops. The breaker opens after failures in a row, rests, and lets one message probe;
its answer closes it or lets it rest again.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from monitor.domain.assets import Channel

#: vendors count by the second as well (Feishu: 5), so robots never send more than this at once
ROBOTS_BURST = 5
ROBOTS = ("wecom", "dingtalk", "feishu")
#: a probe that was never answered for counts as failed after its own time and this
PROBE_GRACE = timedelta(seconds=5)


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a channel, shared by all couriers of all processes."""

    channel: str
    #: messages that may go now, as of `filled_at`; None: never used
    tokens: float | None = None
    filled_at: datetime | None = None
    #: failures in a row
    failures: int = 0
    #: rests until then; None: closed, in order
    open_until: datetime | None = None
    #: one message is trying it until then
    probing_until: datetime | None = None
    #: the other side asked to wait until then
    hold_until: datetime | None = None
    delivered: int = 0
    failed: int = 0
    last_ok_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


class Why(StrEnum):
    """Why a channel may not be used now."""

    RATE = "rate"  # its messages per minute are used up
    RESTS = "rests"  # the breaker is open
    ASKED = "asked"  # the other side asked to wait


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Not now."""

    why: Why
    until: datetime


class Mode(StrEnum):
    """How a channel stands, in one word for people."""

    OK = "ok"
    WAITING = "waiting"  # a limit, its own or the other side's
    FAILING = "failing"  # failed lately, still tried
    OUT_OF_ORDER = "out_of_order"
    UNUSED = "unused"


def burst(channel: Channel) -> int:
    """Messages that may go at once.

    A quarter of a minute's, so that with the refill no minute ever sees more than `per_minute`.
    """
    assert channel.per_minute is not None
    most = max(1, channel.per_minute // 4)
    return min(most, ROBOTS_BURST) if channel.kind in ROBOTS else most


def refill_per_s(channel: Channel) -> float:
    """Tokens a second: what a minute allows beside the burst."""
    assert channel.per_minute is not None
    return max(1, channel.per_minute - burst(channel)) / 60.0


def filled(channel: Channel, state: ChannelState, now: datetime) -> float:
    """Tokens at `now`; a clock that went back adds none."""
    if state.tokens is None or state.filled_at is None:
        return float(burst(channel))
    passed_s = max(0.0, (now - state.filled_at).total_seconds())
    return min(float(burst(channel)), state.tokens + passed_s * refill_per_s(channel))


def refusal(channel: Channel, state: ChannelState, now: datetime) -> Refusal | None:
    """Why the channel may not be used at `now`, and until when; None: it may."""
    if state.open_until is not None:
        if now < state.open_until:
            return Refusal(why=Why.RESTS, until=state.open_until)
        if state.probing_until is not None and now < state.probing_until:
            return Refusal(why=Why.RESTS, until=state.probing_until)
    if state.hold_until is not None and now < state.hold_until:
        return Refusal(why=Why.ASKED, until=state.hold_until)
    if channel.per_minute is not None and (missing := 1.0 - filled(channel, state, now)) > 1e-9:
        return Refusal(why=Why.RATE, until=now + timedelta(seconds=missing / refill_per_s(channel)))
    return None


def granted(channel: Channel, state: ChannelState, now: datetime) -> ChannelState:
    """The state once a message is on its way; ask `refusal` first."""
    if channel.per_minute is not None:
        tokens = filled(channel, state, now) - 1.0
        state = msgspec.structs.replace(state, tokens=max(0.0, tokens), filled_at=now)
    if state.open_until is not None:
        probing_until = now + timedelta(seconds=channel.timeout_s) + PROBE_GRACE
        state = msgspec.structs.replace(state, probing_until=probing_until)
    return state


def delivered(state: ChannelState, now: datetime) -> ChannelState:
    """After a delivery: in order again."""
    return msgspec.structs.replace(
        state, failures=0, open_until=None, probing_until=None, hold_until=None, delivered=state.delivered + 1,
        last_ok_at=now,
    )  # fmt: skip


def counted(state: ChannelState, count: int, now: datetime) -> ChannelState:
    """Deliveries that are only written now: they say nothing of failures since."""
    return msgspec.structs.replace(state, delivered=state.delivered + count, last_ok_at=now)


def failed(channel: Channel, state: ChannelState, error: str, now: datetime) -> ChannelState:
    """After a failure: one more in a row; from `failures_until_open` on, or after a probe, it rests."""
    failures = state.failures + 1
    rests = failures >= channel.failures_until_open or state.probing_until is not None
    return msgspec.structs.replace(
        state, failures=failures, probing_until=None, failed=state.failed + 1, last_error=error[:500], last_error_at=now,
        open_until=now + timedelta(seconds=channel.open_s) if rests else state.open_until,
    )  # fmt: skip


def refused(state: ChannelState, error: str, now: datetime) -> ChannelState:
    """The other side answered and will not have this one message: the channel itself is in order."""
    return msgspec.structs.replace(
        state, failures=0, open_until=None, probing_until=None, failed=state.failed + 1, last_error=error[:500],
        last_error_at=now,
    )  # fmt: skip


def held(state: ChannelState, wait_s: float, error: str, now: datetime) -> ChannelState:
    """The other side asks to wait; it answered, so a probe closes the breaker."""
    until = now + timedelta(seconds=wait_s)
    return msgspec.structs.replace(
        state,
        hold_until=until,
        open_until=None,
        probing_until=None,
        last_error=error[:500],
        last_error_at=now,
    )


def mode(channel: Channel, state: ChannelState | None, now: datetime) -> Mode:
    """How the channel stands."""
    if state is None or (state.last_ok_at is None and state.last_error_at is None):
        return Mode.UNUSED
    if state.open_until is not None:
        return Mode.OUT_OF_ORDER
    no = refusal(channel, state, now)
    if no is not None:
        return Mode.WAITING
    return Mode.FAILING if state.failures else Mode.OK

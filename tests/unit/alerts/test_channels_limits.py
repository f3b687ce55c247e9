"""Limits of channels: what a vendor forbids never happens, and nothing waits for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels import limits
from alerts.channels.failures import ChannelError, Down, Final, NotNow, OutOfOrder, OwnLimit
from alerts.channels.limits import ChannelState, Mode, Why
from alerts.delivery import Handed, Postponed, Sent, TryAgain, outcome, shown, subject_of
from alerts.policy import Policy
from alerts.values import Outgoing
from monitor.domain.assets import Channel

NOON = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
ROBOT = Channel(channel_id="wecom", kind="wecom", per_minute=20, failures_until_open=3, open_s=60.0)
HOOK = Channel(channel_id="hook", kind="webhook", failures_until_open=3, open_s=60.0)
NEW = ChannelState(channel="c")
MESSAGE = Outgoing(
    channel="hook", address="", idempotency_key="k@hook", body={"idempotency_key": "k"}, created_at=NOON
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@given(
    per_minute=st.integers(1, 40), kind=st.sampled_from(["wecom", "feishu", "webhook"]),
    waits=st.lists(st.sampled_from([0.0, 0.4, 1.0, 1.7]), min_size=60, max_size=100),
)  # fmt: skip
def test_no_minute_sees_more_than_its_limit(per_minute: int, kind: str, waits: list[float]) -> None:
    """Whenever messages come, the vendor never counts more than `per_minute` within 60 s (else ten minutes' silence)."""
    channel = Channel(channel_id="c", kind=kind, per_minute=per_minute)  # type: ignore[arg-type]
    state, now, sent = NEW, NOON, []
    for wait_s in waits:
        now += timedelta(seconds=wait_s)
        if limits.refusal(channel, state, now) is None:
            state = limits.granted(channel, state, now)
            sent.append(now)
    for first in sent:
        assert sum(first <= one < first + timedelta(minutes=1) for one in sent) <= per_minute


def test_a_limit_delays_and_says_until_when() -> None:
    """After the burst the next may go exactly when the refusal says, not a moment later."""
    state = NEW
    for _ in range(5):
        assert limits.refusal(ROBOT, state, NOON) is None
        state = limits.granted(ROBOT, state, NOON)
    no = limits.refusal(ROBOT, state, NOON)
    assert no is not None
    assert (no.why, no.until) == (Why.RATE, at(4))
    assert limits.refusal(ROBOT, state, no.until) is None
    assert limits.refusal(ROBOT, state, no.until - timedelta(milliseconds=50)) is not None


def test_the_breaker_opens_probes_once_and_closes() -> None:
    """A dead server is not tried with every message; one message tries it, and its answer lets all go."""
    state = NEW
    for n in range(3):
        assert limits.refusal(HOOK, state, at(n)) is None
        state = limits.failed(HOOK, state, "boom", at(n))
    assert limits.mode(HOOK, state, at(3)) is Mode.OUT_OF_ORDER
    no = limits.refusal(HOOK, state, at(61.9))
    assert no is not None
    assert (no.why, no.until) == (Why.RESTS, at(62))
    probing = limits.granted(HOOK, state, at(62))
    assert limits.refusal(HOOK, probing, at(62)) is not None, "a second probe at the same time"
    assert limits.refusal(HOOK, probing, at(62 + 16)) is None, "a probe whose courier died blocks nobody"
    assert limits.refusal(HOOK, limits.failed(HOOK, probing, "boom", at(63)), at(64)) is not None
    closed = limits.delivered(probing, at(63))
    assert limits.refusal(HOOK, closed, at(63)) is None
    assert limits.mode(HOOK, closed, at(63)) is Mode.OK


def test_an_address_that_is_wrong_does_not_close_the_channel_for_others() -> None:
    """404 for one number says nothing of the gateway."""
    state = NEW
    for n in range(10):
        state = limits.refused(state, "no such number", at(n))
    assert limits.refusal(HOOK, state, at(11)) is None
    assert state.failed == 10


def test_who_asks_to_wait_is_left_alone_that_long() -> None:
    """429 with Retry-After."""
    state = limits.held(NEW, 30.0, "429", NOON)
    assert limits.refusal(HOOK, state, at(29)) is not None
    assert limits.refusal(HOOK, state, at(30)) is None


def test_what_becomes_of_a_message() -> None:
    """One row a case: who takes over at once, who only at the tenth failure, who just waits."""
    other = ("email", "a@b")
    tenth = msgspec.structs.replace(MESSAGE, attempts=9)
    rows = [
        (MESSAGE, None, other, Sent),
        (MESSAGE, Final("404"), other, Handed),
        (MESSAGE, Final("404"), None, TryAgain),
        (MESSAGE, OutOfOrder("rests", 60.0), other, Handed),
        (MESSAGE, OutOfOrder("rests", 60.0), None, Postponed),
        (MESSAGE, NotNow("429", 30.0), other, Postponed),
        (MESSAGE, ConnectionRefusedError("no"), other, TryAgain),
        (MESSAGE, ChannelError("503"), other, TryAgain),
        (tenth, ChannelError("503"), other, Handed),
        (tenth, NotNow("429", 30.0), other, Postponed),
        (MESSAGE, Down("failed 12 times"), None, TryAgain),
    ]
    for message, error, fallback, expected in rows:
        became = outcome(message, error, fallback, Policy(), NOON, 0.5)
        assert isinstance(became, expected), error
    refused = outcome(MESSAGE, Final("404"), None, Policy(), NOON, 0.5)
    assert isinstance(refused, TryAgain)
    assert refused.complain, "nobody would hear of it for ten attempts of a quarter of an hour"
    down = outcome(MESSAGE, Down("x"), None, Policy(), NOON, 0.5)
    assert isinstance(down, TryAgain)
    assert down.complain


def test_who_only_ever_says_not_now_is_not_waited_for_without_end() -> None:
    """After ten minutes the fallback has the message, else a person knows; our own limit is nobody's fault."""
    other, late = ("email", "a@b"), NOON + timedelta(minutes=10)
    hour = outcome(MESSAGE, NotNow("429", 3600.0), other, Policy(), NOON, 0.5)
    assert isinstance(hour, Postponed)
    assert hour.until == late, "an hour would be waited for before anybody else got it"
    assert isinstance(outcome(MESSAGE, NotNow("429", 60.0), other, Policy(), late, 0.5), Handed)
    alone = outcome(MESSAGE, NotNow("429", 60.0), None, Policy(), late, 0.5)
    assert isinstance(alone, TryAgain)
    assert alone.complain
    assert alone.until == late + timedelta(seconds=60), "it is asked no earlier than it allowed"
    assert isinstance(outcome(MESSAGE, OwnLimit("rate", 3.0), None, Policy(), late, 0.5), Postponed)


def test_a_token_in_an_address_is_shown_nowhere() -> None:
    """The audit log, alerts and logs are read by more people than may post to that address."""
    url = "https://hooks.example/services/T0/very-secret?key=also-secret"
    said = subject_of(msgspec.structs.replace(MESSAGE, address=url))
    assert "secret" not in said
    assert "hooks.example" in said
    assert said != subject_of(msgspec.structs.replace(MESSAGE, address=url + "2")), (
        "two receivers are told apart"
    )
    assert shown("https://[broken/secret").startswith("? #")
    assert shown("+86 755 1234") == "+86 755 1234"


def test_who_takes_over_keeps_the_receivers_key() -> None:
    """One command under two keys would be taken for two commands."""
    handed = outcome(MESSAGE, Final("404"), ("email", "a@b"), Policy(), NOON, 0.5)
    assert isinstance(handed, Handed)
    assert handed.message.body["idempotency_key"] == "k"
    assert handed.message.idempotency_key == "k@hook>email"


def test_every_mode_has_its_words() -> None:
    """The console and the command line say each in both languages."""
    from alerts.channels.overview import MODES

    assert set(MODES) == set(Mode)
    assert all(set(text) == {"en", "zh"} and all(text.values()) for text in MODES.values())

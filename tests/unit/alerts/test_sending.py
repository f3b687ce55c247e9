"""Several messages at once: quick receivers share a thread, a slow one delays nobody, nothing is left unsaid."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from alerts.channels.failures import ChannelError, OwnLimit
from alerts.sending import send_all, send_in_turn


@pytest.fixture
def senders() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_quick_receivers_cost_one_thread(senders: ThreadPoolExecutor) -> None:
    """Two dozen threads that wait for each other made a storm's dispatches seconds late."""
    by: set[int] = set()

    def send(_: int) -> None:
        by.add(threading.get_ident())

    assert send_all(send, range(24), senders, 5.0, in_turn_s=5.0) == [None] * 24
    assert len(by) == 1


def test_a_slow_receiver_delays_no_other(senders: ThreadPoolExecutor) -> None:
    """The first hangs until all the others are there."""
    others = threading.Semaphore(0)

    def send(n: int) -> None:
        if n == 0:
            for _ in range(5):
                assert others.acquire(timeout=10.0)
        else:
            others.release()

    assert send_all(send, range(6), senders, 20.0) == [None] * 6


def test_the_next_is_sent_while_the_first_is_waited_for(senders: ThreadPoolExecutor) -> None:
    """A broker's acknowledgement takes a journey; eight messages wait for it together, not one after the other."""
    said: list[str] = []

    def send(n: int) -> Callable[[], None]:
        said.append(f"sent {n}")
        return lambda: said.append(f"there {n}")

    assert send_all(send, range(2), senders, 5.0, in_turn_s=5.0) == [None, None]
    assert said == ["sent 0", "sent 1", "there 0", "there 1"]


def test_what_is_there_is_not_counted_with_what_hangs(senders: ThreadPoolExecutor) -> None:
    """The broker had it at once; the receiver after it never answers. The dispatch would be sent again, and again."""
    goes_on = threading.Event()

    def send(n: int) -> Callable[[], None] | None:
        if n == 0:
            return lambda: None
        goes_on.wait(20.0)
        return None

    first, second = send_all(send, range(2), senders, 1.0)
    goes_on.set()
    assert first is None
    assert isinstance(second, ChannelError)


def test_what_fails_is_said_of_the_message_that_failed(senders: ThreadPoolExecutor) -> None:
    """Whether it fails while it is sent or while it is waited for."""

    def refused() -> None:
        raise ChannelError("refused")

    def send(n: int) -> Callable[[], None] | None:
        if n == 1:
            raise LookupError("no channel")
        return refused if n == 2 else None

    for came in (send_all(send, range(4), senders, 5.0), send_in_turn(send, range(4))):
        assert [type(error) for error in came] == [type(None), LookupError, ChannelError, type(None)]


def test_what_takes_too_long_is_told_from_what_was_not_begun() -> None:
    """The one may have arrived, and counts as an attempt; the other was not tried."""
    goes_on = threading.Event()
    begun: list[int] = []

    def send(n: int) -> None:
        begun.append(n)
        goes_on.wait(20.0)

    with ThreadPoolExecutor(1) as one:
        began_s = time.monotonic()
        first, second = send_all(send, range(2), one, 0.3, in_turn_s=0.05)
        assert time.monotonic() - began_s < 10.0
        goes_on.set()
    assert type(first) is ChannelError
    assert "within 0.3 s" in str(first)
    assert isinstance(second, OwnLimit)
    assert begun == [0]  # nor later, when the thread is free again


def test_nothing_to_send() -> None:
    """An empty turn ends at once."""
    with ThreadPoolExecutor(1) as one:
        assert send_all(lambda _: None, (), one, 5.0) == []

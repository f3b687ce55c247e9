"""Sends several messages without one receiver's delaying another, and without a thread for each where none is slow.

One thread sends them in turn. Where it does not get on for a moment, or not fast enough, each that is left gets a
thread of its own: so a storm to a quick receiver does not pay for two dozen threads that wait for each other, and a
slow one still holds up nobody for longer than that moment.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

from alerts.channels.failures import ChannelError, OwnLimit

T = TypeVar("T")
One = TypeVar("One")

#: waits until the other side has it; raises if it does not take it
Finish = Callable[[], None]
#: address, payload, retain. Raises if the message can't be sent; returns None when the other side has it, or what
#: waits for that: meanwhile the next is sent.
Send = Callable[[str, bytes, bool], Finish | None]

#: one thread is enough while one message is sent in as long as this, and all of them in as long as that; a receiver
#: that answers at once takes milliseconds
IN_TURN_S, ALL_IN_TURN_S = 0.05, 0.25


def send_in_turn(send: Callable[[T], Finish | None], messages: Sequence[T]) -> list[Exception | None]:
    """One after the other; what went wrong with each."""
    batch = _Batch(send, messages)
    batch.drain()
    return batch.came_of(0.0)


def send_all(
    send: Callable[[T], Finish | None],
    messages: Sequence[T],
    senders: Executor,
    within_s: float,
    in_turn_s: float = IN_TURN_S,
) -> list[Exception | None]:
    """What went wrong with each, after `within_s` seconds at most.

    What is not done by then counts as failed (ChannelError), though it may still arrive: then twice, under the same
    key. What was not begun, since others have all the threads, is OwnLimit: nothing was tried.
    """
    batch = _Batch(send, messages)
    began_s = time.monotonic()
    senders.submit(batch.drain)
    left = len(messages) - 1  # while the first is sent
    while not batch.done.wait(min(in_turn_s, within_s)):
        now_left = batch.left
        if now_left == left or time.monotonic() - began_s > ALL_IN_TURN_S:
            for _ in range(now_left + 1):  # and one for those that are sent and waited for
                senders.submit(batch.drain)
            batch.done.wait(max(0.0, within_s - (time.monotonic() - began_s)))
            break
        left = now_left
    return batch.came_of(within_s)


class _Batch(Generic[T]):
    """Messages that several threads send, and what came of them."""

    def __init__(self, send: Callable[[T], Finish | None], messages: Sequence[T]) -> None:
        self._send, self._count = send, len(messages)
        self._left = deque(enumerate(messages))
        #: what is sent and must be waited for: by any thread, as the one that sent it may hang in the next message
        self._finishes: deque[tuple[int, Finish]] = deque()
        self._came: dict[int, Exception | None] = {}
        self._lock = threading.Lock()
        self.done = threading.Event()
        if not messages:
            self.done.set()

    @property
    def left(self) -> int:
        """How many nobody has begun."""
        return len(self._left)

    def drain(self) -> None:
        """Sends until nothing is left, then waits for what was sent; any number of threads at once."""
        while (taken := _first(self._left)) is not None:
            n, message = taken
            finish = self._tried(n, lambda message=message: self._send(message))  # type: ignore[misc]
            if finish is not None:
                self._finishes.append((n, finish))
        while (waiting := _first(self._finishes)) is not None:
            self._tried(*waiting)

    def came_of(self, within_s: float) -> list[Exception | None]:
        """What went wrong with each so far; what nobody began is begun no more."""
        not_begun = set()
        while (taken := _first(self._left)) is not None:
            not_begun.add(taken[0])
        with self._lock:
            came = dict(self._came)
        for n in range(self._count):
            if n in not_begun:
                came[n] = OwnLimit("other messages took all the time", 1.0)
            elif n not in came:
                came[n] = ChannelError(f"its channel did not answer within {within_s:g} s")
        return [came[n] for n in range(self._count)]

    def _tried(self, n: int, work: Callable[[], Finish | None]) -> Finish | None:
        """Notes how it ended, unless there is something left to wait for."""
        error: Exception | None = None
        try:
            if (finish := work()) is not None:
                return finish
        except Exception as exc:  # noqa: BLE001 - a channel is anybody's code; the message stays and is counted
            error = exc
        with self._lock:
            self._came[n] = error
            if len(self._came) == self._count:
                self.done.set()
        return None


def _first(some: deque[One]) -> One | None:
    """Takes it out, if there is any; two threads never get the same."""
    try:
        return some.popleft()
    except IndexError:
        return None

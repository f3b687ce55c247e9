"""Where the states of channels are kept: one row each, changed under its lock, so that limits hold for all couriers."""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from alerts.channels.limits import ChannelState
from alerts.postgres_rows import QUERIES, value
from monitor.store.pool import Pool

T = TypeVar("T")

#: the state as it is; the state to keep, and what the caller wants to know
Changing = Callable[[ChannelState], tuple[ChannelState, T]]


class ChannelStates(Protocol):
    """States of channels, shared by all couriers."""

    def all(self) -> Mapping[str, ChannelState]:
        """All that were ever used."""
        ...

    def change(self, channel: str, changing: Changing[T]) -> T:
        """Changes one state; nobody else changes it meanwhile."""
        ...


class PostgresChannelStates:
    """ChannelStates in the database; each change is a transaction of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def all(self) -> Mapping[str, ChannelState]:
        with self._pool.connection() as conn:
            rows = conn.execute(QUERIES["channel_states"]).fetchall()
        return {row["channel"]: value(row, ChannelState) for row in rows}

    def change(self, channel: str, changing: Changing[T]) -> T:
        with self._pool.connection() as conn:
            conn.execute(QUERIES["begin_channel_state"], {"channel": channel})
            row = conn.execute(QUERIES["channel_state_for_update"], {"channel": channel}).fetchone()
            assert row is not None
            before = value(row, ChannelState)
            after, answer = changing(before)
            if after != before:
                conn.execute(QUERIES["update_channel_state"], msgspec.structs.asdict(after))
        return answer


class MemoryChannelStates:
    """ChannelStates of one process: for a single sending by hand, and for tests."""

    def __init__(self) -> None:
        self._states: dict[str, ChannelState] = {}
        self._lock = threading.Lock()

    def all(self) -> Mapping[str, ChannelState]:
        with self._lock:
            return dict(self._states)

    def change(self, channel: str, changing: Changing[T]) -> T:
        with self._lock:
            self._states[channel], answer = changing(self._states.get(channel, ChannelState(channel=channel)))
        return answer

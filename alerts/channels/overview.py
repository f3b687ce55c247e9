"""How the channels of a city stand, for the console and the command line."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from alerts.channels.limits import ChannelState, Mode, mode
from alerts.postgres_rows import QUERIES, value
from monitor.domain.assets import City, Text

MODES: dict[Mode, Text] = {
    Mode.OK: {"en": "in order", "zh": "正常"},
    Mode.WAITING: {"en": "waits for its limit", "zh": "受频率限制，等待中"},
    Mode.FAILING: {"en": "failing, still tried", "zh": "发送失败，仍在尝试"},
    Mode.OUT_OF_ORDER: {"en": "out of order", "zh": "故障"},
    Mode.UNUSED: {"en": "not used yet", "zh": "尚未使用"},
}


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One channel."""

    channel: str
    kind: str
    mode: Mode
    fallback: str | None = None
    #: messages that wait for it, and since when the oldest
    waiting: int = 0
    oldest_at: datetime | None = None
    delivered: int = 0
    failed: int = 0
    last_ok_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None

    @property
    def well(self) -> bool:
        """Whether nobody needs to look at it."""
        return self.mode not in (Mode.OUT_OF_ORDER, Mode.FAILING)


def overview(conn: psycopg.Connection[Any], city: City, now: datetime) -> tuple[ChannelRow, ...]:
    """The broker first, then the configuration's channels in their order."""
    with conn.cursor(row_factory=dict_row) as cursor:
        states = {
            row["channel"]: value(row, ChannelState) for row in cursor.execute(QUERIES["channel_states"])
        }
        waiting = {row["channel"]: row for row in cursor.execute(QUERIES["channels_waiting"])}
    return rows_of(city, states, waiting, now)


def rows_of(
    city: City, states: Mapping[str, ChannelState], waiting: Mapping[str, Mapping[str, Any]], now: datetime
) -> tuple[ChannelRow, ...]:
    """The same of what was read. Pure."""
    rows = []
    if all(channel.kind != "mqtt" for channel in city.channels):
        rows.append(ChannelRow(channel="mqtt", kind="mqtt", mode=Mode.OK, **_waits(waiting, "mqtt")))
    for channel in city.channels:
        state = states.get(channel.channel_id)
        known = state or ChannelState(channel=channel.channel_id)
        rows.append(
            ChannelRow(
                channel=channel.channel_id, kind=channel.kind, mode=mode(channel, state, now), fallback=channel.fallback,
                **_waits(waiting, channel.channel_id), delivered=known.delivered, failed=known.failed,
                last_ok_at=known.last_ok_at, last_error=known.last_error, last_error_at=known.last_error_at,
            )
        )  # fmt: skip
    return tuple(rows)


def _waits(waiting: Mapping[str, Mapping[str, Any]], channel: str) -> dict[str, Any]:
    row = waiting.get(channel)
    return {} if row is None else {"waiting": row["waiting"], "oldest_at": row["oldest_at"]}

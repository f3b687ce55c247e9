"""Grafana's macros are expanded as Grafana does, and no others pass unseen."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitor.grafana.errors import UnknownMacro
from monitor.grafana.macros import expand

SINCE = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
UNTIL = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_time_filter_names_its_column() -> None:
    """The column, with or without a table, stands before BETWEEN; times are UTC with milliseconds."""
    wanted = "a.at BETWEEN '2026-11-24T00:00:00.123Z' AND '2026-11-24T09:00:00.000Z'"
    assert expand("$__timeFilter(a.at)", since=SINCE, until=UNTIL) == wanted


def test_ends_of_the_time_shown() -> None:
    """From and to stand alone as literals."""
    assert expand("$__timeFrom() $__timeTo()", since=SINCE, until=UNTIL) == (
        "'2026-11-24T00:00:00.123Z' '2026-11-24T09:00:00.000Z'"
    )


@pytest.mark.parametrize("sql", ["$__interval", "$__timeGroup(at, '1h')", "$__timeFilter(now())"])
def test_other_macros_are_refused(sql: str) -> None:
    """What isn't expanded would fail in the database with a worse message."""
    with pytest.raises(UnknownMacro):
        expand(sql, since=SINCE, until=UNTIL)


def test_time_without_zone_is_refused() -> None:
    """A plain time could be any hour."""
    with pytest.raises(ValueError, match="zone"):
        expand("$__timeFrom()", since=datetime(2026, 1, 1), until=UNTIL)  # noqa: DTZ001 - meant

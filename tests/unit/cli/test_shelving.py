"""When a shelf ends, as people write it on the command line."""

from datetime import UTC, datetime

import pytest

from hcawatch.commands.common import CommandError
from hcawatch.commands.shelving import _end
from tests.doubles.alert_story import CITY

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "lasts"),
    [("0001-01-01T00:00", ""), ("9999-12-31T23:59-14:00", ""), ("soon", ""), ("", "9e99d"), ("", "")],
)
def test_an_end_that_no_clock_shows_is_refused_in_words(until: str, lasts: str) -> None:
    """Whoever mistypes a year gets a sentence to mend it by, no traceback."""
    with pytest.raises(CommandError):
        _end(until, lasts, CITY, NOW)

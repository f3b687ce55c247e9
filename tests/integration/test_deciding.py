"""The process that decides beside the centre: it is started again when it dies, and never outlives the centre."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg

from alerts.policy import Policy
from alerts.worker import WORK_CHANNEL
from hcawatch.deciding import Deciding
from monitor.child import is_alive
from monitor.store.pool import make_pool
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, at_metres, event, uid

_CENTRE = """
import sys, time
from alerts.policy import Policy
from hcawatch.deciding import Deciding
from tests.doubles.alert_story import CITY

if __name__ == "__main__":
    with Deciding(sys.argv[1], CITY, Policy()) as deciding:
        assert deciding.wait_well()
        print(deciding.pid, flush=True)
        time.sleep(600)
"""


def _eventually(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, "did not become true in time"
        time.sleep(0.02)


def test_who_decides_is_started_again_after_a_kill(postgres_dsn: str) -> None:
    """An event that comes while it is dead is an alert when it is back, and one only."""

    def dispatches() -> int:
        with psycopg.connect(postgres_dsn) as conn:
            row = conn.execute("SELECT count(*) FROM dispatch").fetchone()
        assert row is not None
        return int(row[0])

    with (
        make_pool(postgres_dsn, "test", min_size=1, max_size=4) as pool,
        Deciding(postgres_dsn, CITY, Policy()) as deciding,
    ):
        book = SeededPostgresBook(pool)

        def put(n: int) -> None:
            seen = event(episode=f"e{n}", position=at_metres(200.0 * n, 3), event_id=uid(f"event{n}"))
            book.add_event(seen, datetime.now(UTC))
            book.run(f"NOTIFY {WORK_CHANNEL}")

        assert deciding.wait_well()
        put(0)
        _eventually(lambda: dispatches() == 1)
        first = deciding.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        _eventually(lambda: not deciding.healthy(), 5.0)
        put(1)
        _eventually(lambda: dispatches() == 2)
        assert deciding.wait_well()
        last = deciding.pid
        assert last not in (None, first)
    assert last is not None
    assert not is_alive(last)


def test_who_decides_ends_with_a_centre_that_was_killed(postgres_dsn: str) -> None:
    """Otherwise two configurations would decide about the same alerts."""
    centre = subprocess.Popen(
        [sys.executable, "-c", _CENTRE, postgres_dsn], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert centre.stdout is not None
        decides = int(centre.stdout.readline())
        assert is_alive(decides)
    finally:
        centre.kill()
        centre.wait()
    _eventually(lambda: not is_alive(decides))

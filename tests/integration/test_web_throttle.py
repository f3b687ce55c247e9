"""Failed tries count together: over names and addresses, over server processes, and when they come all at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from monitor.store.pool import make_pool
from monitor.web.throttle import ADDRESS, NAME_AND_ADDRESS, Throttle, of_login

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
OLGA, ELSEWHERE = of_login("olga", "203.0.113.9"), of_login("olga", "10.0.0.5")


@pytest.fixture
def throttle(postgres_dsn: str) -> Iterator[Throttle]:
    with make_pool(postgres_dsn, "test", min_size=1, max_size=8) as pool:
        yield Throttle(pool, "login")


def rows(dsn: str) -> int:
    with make_pool(dsn, "test") as pool, pool.connection() as conn:
        found = conn.execute("SELECT count(*) AS n FROM failed_try").fetchone()
        assert found is not None
        return int(found["n"])


def test_a_stranger_elsewhere_does_not_lock_a_colleague_out(throttle: Throttle) -> None:
    """Failures for a name from one address leave the same name at another address free."""
    for _ in range(NAME_AND_ADDRESS.failures):
        assert throttle.take(OLGA, NOW).wait_s == 0
    assert throttle.take(OLGA, NOW).wait_s > 0
    assert throttle.wait_s(ELSEWHERE, NOW) == 0


def test_many_names_from_one_address_are_throttled_too(throttle: Throttle) -> None:
    """Trying one password on many names does not get around the limit."""
    for i in range(ADDRESS.failures):
        assert throttle.take(of_login(f"user{i}", "203.0.113.9"), NOW).wait_s == 0
    assert throttle.take(of_login("somebody-new", "203.0.113.9"), NOW).wait_s > 0


def test_the_right_password_starts_afresh_and_counts_for_nobody(
    throttle: Throttle, postgres_dsn: str
) -> None:
    """After a success the few failures before are forgotten; a whole shift behind one address can log in."""
    for _ in range(4):
        throttle.take(OLGA, NOW)
    with make_pool(postgres_dsn, "test") as pool:
        for i in range(ADDRESS.failures + 5):
            one = throttle.take(of_login(f"user{i}", "203.0.113.9"), NOW)
            assert one.wait_s == 0
            with pool.connection() as conn:
                throttle.succeeded(conn, of_login(f"user{i}", "203.0.113.9"), one.ids)
        fifth = throttle.take(OLGA, NOW)
        with pool.connection() as conn:
            throttle.succeeded(conn, OLGA, fifth.ids)
    assert throttle.take(OLGA, NOW).wait_s == 0


def test_old_failures_are_swept(throttle: Throttle, postgres_dsn: str) -> None:
    """Invented names fill the table for a quarter of an hour at most."""
    for i in range(20):
        throttle.take(of_login(f"user{i}", f"10.0.0.{i}"), NOW)
    throttle.take(OLGA, NOW + timedelta(minutes=16))
    assert rows(postgres_dsn) == 3


def test_tries_at_the_same_moment_get_no_more_than_the_limit(throttle: Throttle) -> None:
    """Twenty at once: five are free."""
    with ThreadPoolExecutor(8) as threads:
        waits = [one.wait_s for one in threads.map(lambda _: throttle.take(OLGA, NOW), range(20))]
    assert sum(1 for wait in waits if wait == 0) == NAME_AND_ADDRESS.failures


@contextmanager
def serving(dsn: str, folder: Path) -> Iterator[str]:
    """A server process; its address."""
    command = [sys.executable, "-m", "tests.doubles.web_process", dsn, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}"
        child.communicate("", timeout=60)


def test_two_server_processes_count_together(postgres_dsn: str, tmp_path: Path) -> None:
    """Five wrong passwords and five wrong codes, by turns at two processes: the sixth waits at both of them."""
    with ExitStack() as stack:
        bases = [stack.enter_context(serving(postgres_dsn, tmp_path / name)) for name in "ab"]
        logins, codes = [], []
        for n in range(7):
            base = bases[n % 2]
            guess = {"user": "operator", "password": "guess"}
            logins.append(httpx.post(f"{base}/api/v1/login", json=guess, timeout=30).status_code)
            codes.append(httpx.get(f"{base}/notice/ABCDEFGH234{n + 2}", timeout=30).status_code)
    assert logins == [401] * 5 + [429] * 2
    assert codes == [404] * 5 + [429] * 2

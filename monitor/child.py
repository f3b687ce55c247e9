"""Programs that we run beside us and that end when we end, even by kill -9.

Decides how such a child is started, watched and stopped, and who may use a folder. What it runs,
and what its log means, is left to those who start it (the embedded database, the broker, the
demo's cameras).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.account import OsUser

# prctl(2): the kernel sends this signal to the calling process when its parent thread ends.
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class FolderInUse(Exception):
    """Another process holds the lock of a folder."""

    def __init__(self, lock: Path, pid: int | None) -> None:
        self.lock = lock
        self.pid = pid
        super().__init__(f"{lock} is held by process {pid or '(unknown)'}")


class FolderLock:
    """One process a folder, by a lock that dies with its holder: a kill leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        """Takes the lock or raises FolderInUse; OSError when the file can't be made."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip()
            os.close(self._fd)
            raise FolderInUse(path, int(holder) if holder.isdigit() else None) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)


class Child:
    """One running program, in a session of its own so that Ctrl-C reaches us alone.

    The kernel ties a parent-death signal to the *thread* that forked, so each child is started
    and awaited by a thread of its own, which lives as long as the child does.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        death_signal: signal.Signals = signal.SIGKILL,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: OsUser | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Starts `command`; its output is appended to `log`, which we open, not the child's user.

        `death_signal` is what the child gets when we end without stopping it. Raises OSError
        when the program or the folder can't be used.
        """
        self.command = tuple(command)
        self.log = log
        self._death_signal = death_signal
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._process: subprocess.Popen[bytes] | None = None
        threading.Thread(
            target=self._keep,
            args=(cwd, dict(env) if env is not None else None, user, tuple(pass_fds)),
            name=f"child {Path(command[0]).name}",
            daemon=True,
        ).start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def _keep(
        self,
        cwd: Path | None,
        env: dict[str, str] | None,
        user: OsUser | None,
        pass_fds: tuple[int, ...],
    ) -> None:
        parent_pid = os.getpid()
        death_signal = int(self._death_signal)

        def bind_to_parent() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
            # The parent may have died before the line above took effect.
            if os.getppid() != parent_pid:
                os._exit(1)

        try:
            # Logs may quote data.
            log_fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(log_fd, "ab") as log:
                process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=env,
                    user=user.uid if user else None,
                    group=user.gid if user else None,
                    extra_groups=[] if user else None,
                    pass_fds=pass_fds,
                    start_new_session=True,
                    # After setuid, which would clear the death signal.
                    preexec_fn=bind_to_parent,
                )
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it
            self._failure = error
            self._started.set()
            return
        self._process = process
        self._started.set()
        process.wait()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return self._running.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._running.poll()

    def wait(self, timeout_s: float) -> int | None:
        """The exit code, or None when it still runs after `timeout_s`."""
        try:
            return self._running.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal; nothing happens when the child has ended."""
        self._running.send_signal(number)

    def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Asks politely first: each signal in turn, with the seconds it gets, at last SIGKILL."""
        for number, timeout_s in (*steps, (signal.SIGKILL, 10.0)):
            self.send(number)
            if self.wait(timeout_s) is not None:
                return

    def log_tail(self, lines: int = 15) -> str:
        return log_tail(self.log, lines)


def log_tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for an error message; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def stop_pids(pids: Sequence[int], *steps: tuple[signal.Signals, float]) -> list[int]:
    """Ends processes that are not our children; answers those that outlived even SIGKILL."""
    alive = list(pids)
    for number, timeout_s in (*steps, (signal.SIGKILL, 5.0)):
        for pid in alive:
            try:
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)  # a stopped one can't follow
            except ProcessLookupError:
                continue
        deadline_s = time.monotonic() + timeout_s
        while alive and time.monotonic() < deadline_s:
            alive = [pid for pid in alive if is_alive(pid)]
            time.sleep(0.02)
        if not alive:
            break
    return alive


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # The state follows the command's name in brackets, which may itself hold brackets.
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def free_loopback_port() -> int:
    """A TCP port that nobody listens on now; whoever binds it later must still be ready to lose it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_in(folder: Path, *names: str) -> list[int]:
    """Numbers of the running programs of these names whose working folder is `folder`."""
    try:
        wanted = folder.stat()
    except OSError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            here = (entry / "cwd").stat()
            name = (entry / "comm").read_text().strip()
        except OSError:
            continue  # ended meanwhile, or another's
        if (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino) and name in names:
            found.append(int(entry.name))
    return sorted(found)

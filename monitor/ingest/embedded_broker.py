"""A real MQTT 5 broker on loopback: Debian's mosquitto when it is there, else the wheel iotcore.

Decides which broker runs, where it keeps its things, who may log in and who may publish where.
What is said over it is left to monitor/domain/events.py.

    <folder>/broker.json    the passwords, readable by us alone
    <folder>/broker.lock    held while a broker of ours runs on the folder
    <folder>/broker.log     what the broker says
    <folder>/broker/        what the broker itself reads and writes

Two kinds, and they differ (docs/decisions/0100-setup.md):
- mosquitto keeps sessions and retained messages over a restart (its last second excepted) and
  holds each edge to its own topics;
- iotcore forgets everything when it ends, and everybody who can log in may publish anywhere.
Neither matters to what must not be lost: an edge forgets a message only on a receipt from the
database, and the centre republishes all receipts when it connects.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from monitor.account import OsUser, own_account
from monitor.child import Child, FolderInUse, FolderLock, free_loopback_port, processes_in, stop_pids
from monitor.ingest.broker_files import iotcore_toml, mosquitto_acl, mosquitto_conf, mosquitto_passwords
from monitor.ingest.broker_probe import log_in

logger = logging.getLogger(__name__)

Kind = Literal["mosquitto", "iotcore"]
CENTRE: Final = "centre"
HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 15.0
PORT_TRIES: Final = 5
LOG_KEPT_BYTES: Final = 10_000_000
# A plain user's PATH on Debian has no sbin.
PROGRAM_PATH: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))

# rumqttd logs each packet as an error; only what iotcore itself says is kept.
IOTCORE_PROGRAM: Final = (
    "import logging, sys; logging.basicConfig(level='WARNING');"
    "logging.getLogger('rumqttd').setLevel('CRITICAL');"
    "from iotcore import IotCoreBroker; IotCoreBroker(config_path=sys.argv[1]).run_forever()"
)


class EmbeddedBrokerError(Exception):
    """The embedded broker can't be had; the message says why and what to do."""


class BrokerAlreadyRunning(EmbeddedBrokerError):
    """Another process of ours runs the broker of this folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.folder = folder
        self.pid = pid
        super().__init__(
            f"The broker in {folder} is in use by process {pid or '(unknown)'}. "
            "Stop that one first, or choose another folder."
        )


class BrokerPortTaken(EmbeddedBrokerError):
    """The port that the user asked for is another's."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(f"Port {port} of {HOST} is taken. Name another, or none for a free one.")


def available_kind() -> Kind:
    """mosquitto where Debian's is installed, else iotcore."""
    return "mosquitto" if shutil.which("mosquitto", path=PROGRAM_PATH) else "iotcore"


class EmbeddedBroker:
    """One broker on one folder, with a user for the centre and one for each edge.

    It ends by itself when this process dies. Started again on its folder it has the same
    passwords, and by the same object the same port, so that clients find it again.
    """

    def __init__(
        self, folder: Path, edges: Sequence[str], *, kind: Kind | None = None, port: int | None = None
    ) -> None:
        """`edges` are edge ids, which are their user names; `port` None takes a free one."""
        for edge in edges:
            if not edge or edge == CENTRE or any(character in edge for character in "+#/: \n"):
                raise EmbeddedBrokerError(f"{edge!r} can't be an edge's name: it stands in topics.")
        self.folder = Path(folder).expanduser().resolve()
        self.edges = tuple(edges)
        self.kind: Kind = kind or available_kind()
        self.host = HOST
        self.passwords: Mapping[str, str] = {}
        self._wanted_port = port
        self._port: int | None = None
        self._lock: FolderLock | None = None
        self._broker: Child | None = None

    @property
    def port(self) -> int:
        """The port of the running broker (after a stop, the one it had)."""
        if self._port is None:
            raise EmbeddedBrokerError(f"The broker in {self.folder} is not started.")
        return self._port

    @property
    def pid(self) -> int | None:
        return self._broker.pid if self._broker else None

    @property
    def holds_edges_to_their_topics(self) -> bool:
        """Whether an edge's login keeps it from publishing in another's name."""
        return self.kind == "mosquitto"

    @property
    def _home(self) -> Path:
        return self.folder / "broker"

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"

    def is_alive(self) -> bool:
        return self._broker is not None and self._broker.exit_code() is None

    def start(self) -> int:
        """Starts the broker and answers its port; raises EmbeddedBrokerError."""
        began_s = time.monotonic()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.folder / "broker.lock")
        except FolderInUse as error:
            raise BrokerAlreadyRunning(self.folder, error.pid) from error
        except OSError as error:
            raise EmbeddedBrokerError(f"The broker can't use {self.folder}: {error}") from error
        try:
            self._end_orphans()
            self.passwords = self._read_or_make_passwords()
            self._run()
        except OSError as error:
            self.stop()
            raise EmbeddedBrokerError(f"The broker can't use {self.folder}: {error}") from error
        except BaseException:
            self.stop()
            raise
        logger.info("%s ready on port %d after %.2f s", self.kind, self.port, time.monotonic() - began_s)
        return self.port

    def stop(self) -> None:
        """Ends the broker; mosquitto writes down its sessions first."""
        if self._broker is not None:
            self._broker.stop((signal.SIGTERM, 10.0))
            self._broker = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> EmbeddedBroker:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _end_orphans(self) -> None:
        """We hold the lock, so a broker that stands in our folder has lost its process."""
        orphans = processes_in(self._home, "mosquitto", Path(sys.executable).resolve().name, "python")
        if orphans:
            logger.warning("broker: ending processes %s of an earlier start", orphans)
            if left := stop_pids(orphans, (signal.SIGTERM, 10.0)):
                raise EmbeddedBrokerError(f"Processes {left} hold {self.folder} and can't be ended.")

    def _read_or_make_passwords(self) -> dict[str, str]:
        """Those of earlier starts stay, since edges have them in their own files."""
        path = self.folder / "broker.json"
        known: dict[str, str] = {}
        if path.exists():
            try:
                known = dict(json.loads(path.read_text()))
            except ValueError:
                logger.warning("broker: %s was unreadable, new passwords are made", path)
        passwords = {user: known.get(user) or secrets.token_urlsafe(24) for user in (CENTRE, *self.edges)}
        if passwords != known:
            partial = path.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as file:
                json.dump(passwords, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        return passwords

    def _run(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_KEPT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        for attempt in range(PORT_TRIES):
            port = self._wanted_port or (attempt == 0 and self._port) or free_loopback_port()
            self._broker = self._launch(port)
            if self._wait_ready(self._broker, port):
                self._port = port
                return
            said = self._broker.log_tail()
            self._broker.stop()
            self._broker = None
            if not _is_port_taken(port):
                raise EmbeddedBrokerError(f"{self.kind} did not start. The end of {self.log}:\n{said}")
            if self._wanted_port is not None:
                raise BrokerPortTaken(port)
            logger.warning("broker: port %d was taken meanwhile, taking another", port)
        raise EmbeddedBrokerError(f"No free port was found on {HOST}.")

    def _wait_ready(self, broker: Child, port: int) -> bool:
        """Whether what listens on the port lets our own user in; another's listener would not."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if broker.exit_code() is not None:
                return False
            if log_in(HOST, port, CENTRE, self.passwords[CENTRE]):
                # One more look: ours may just have failed beside an old one with our password.
                return broker.exit_code() is None
            time.sleep(0.02)
        return False

    def _launch(self, port: int) -> Child:
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self.kind == "iotcore":
            self._write("broker.toml", iotcore_toml(HOST, port, self.passwords), None)
            # As ourselves even for root: another account may not reach this Python.
            return Child(
                [sys.executable, "-P", "-c", IOTCORE_PROGRAM, "broker.toml"],
                log=self.log,
                cwd=self._home,
                death_signal=signal.SIGKILL,
            )
        mosquitto = shutil.which("mosquitto", path=PROGRAM_PATH)
        if mosquitto is None:
            raise EmbeddedBrokerError("mosquitto is not installed (apt-get install mosquitto).")
        user = own_account()
        if user is not None:
            # Relative names in its settings, so that it needs no way to the folder (see account.py).
            os.chown(self._home, user.uid, user.gid)
        self._write("mosquitto.conf", mosquitto_conf(HOST, port), user)
        self._write("acl", mosquitto_acl(CENTRE), user)
        self._write("passwords", mosquitto_passwords(self.passwords), user)
        return Child(
            [mosquitto, "-c", "mosquitto.conf"],
            log=self.log,
            cwd=self._home,
            death_signal=signal.SIGTERM,
            user=user,
        )

    def _write(self, name: str, text: str, user: OsUser | None) -> None:
        path = self._home / name
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            if user is not None:
                os.fchown(file.fileno(), user.uid, user.gid)
            file.write(text)


def _is_port_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False

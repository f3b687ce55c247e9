"""All parts of one installation in one process group: database, broker, centre, edges.

Decides the order of starting and ending, and where each part's log is. Used by `hcawatch up` and by the
demo. Children die with this process, even by kill -9; what was numbered survives in the outboxes.

    <data>/hcawatch.lock     held while it runs
    <data>/runtime.json      how the parts find each other (0600)
    <data>/secrets/          passwords and tokens (0700)
    <data>/logs/             one log for each part
    <data>/centre/           evidence, signed heads
    <data>/edges/<edge>/     outbox and evidence of each edge
"""

import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import httpx
import msgspec

from hcawatch.people import ensure_edges, ensure_people
from hcawatch.runtime import MqttAccess, Runtime
from hcawatch.texts import text
from hcawatch.vault import Vault
from monitor.child import Child, FolderInUse, FolderLock, free_loopback_port
from monitor.domain.assets import City
from monitor.ingest.embedded_broker import CENTRE, EmbeddedBroker
from monitor.store.embedded import EmbeddedPostgres
from monitor.store.migrate import migrate
from monitor.store.pool import make_pool

HTTP_HOST = "127.0.0.1"
DEFAULT_PORT = 8420
CENTRE_READY_S = 40.0
#: a moment that has not come yet: files begin anew
_FILES_WAIT_S = 86_400.0


class StackError(Exception):
    """A part could not be started or has ended; the message says which, why and where its log is."""


Say = Callable[[str], None]


class Stack:
    """Start with `start()`, end with `stop()`; or use it in a `with` block."""

    def __init__(
        self,
        *,
        config: Path,
        city: City,
        data_dir: Path,
        say: Say,
        http_port: int | None = None,
        database_url: str | None = None,
        broker: MqttAccess | None = None,
        credentials: dict[str, str] | None = None,
        files_live_since_s: float | None = None,
    ) -> None:
        """`http_port` None takes 8420, or a free one if that is taken; `database_url` and `broker` None
        start embedded ones."""
        self.config, self.city, self.data_dir = config, city, data_dir.expanduser().resolve()
        self._say, self._wanted_port = say, http_port
        self._database_url, self._outside_broker = database_url, broker
        self._credentials = credentials or {}
        self.files_live_since_s = files_live_since_s
        self.children: dict[str, Child] = {}
        self.passwords: dict[str, str] = {}
        self.runtime: Runtime | None = None
        self._lock: FolderLock | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._broker: EmbeddedBroker | None = None

    def __enter__(self) -> "Stack":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------ starting

    def start(self) -> None:
        """Everything but the edges. Raises StackError, or the embedded parts' own errors, each one clear line."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            (self.data_dir / "logs").mkdir(exist_ok=True)
            self._lock = FolderLock(self.data_dir / "hcawatch.lock")
        except FolderInUse as exc:
            raise StackError(
                f"{self.data_dir} is in use by process {exc.pid or '(unknown)'}: stop that hcawatch first, "
                "or name another folder with --data-dir"
            ) from exc
        except OSError as exc:
            raise StackError(
                f"the data folder {self.data_dir} cannot be used: {exc.strerror or exc}"
            ) from exc
        port = self._http_port()
        database_url = self._start_database()
        mqtt = self._start_broker()
        vault = Vault(self.data_dir / "secrets")
        with make_pool(database_url, "up", max_size=1) as pool, pool.connection() as conn:
            self.passwords = ensure_people(conn, self.city, vault, datetime.now(UTC))
            tokens = ensure_edges(conn, self.city, vault)
        self.runtime = Runtime(
            database_url=database_url, data_dir=str(self.data_dir), centre_url=f"http://{HTTP_HOST}:{port}",
            http_host=HTTP_HOST, http_port=port, mqtt=mqtt, edge_tokens=tokens,
            credentials=self._credentials, files_live_since_s=self.files_live_since_s,
        )  # fmt: skip
        self.runtime.save(self._runtime_path)
        self._start_centre()

    @property
    def _runtime_path(self) -> Path:
        return self.data_dir / "runtime.json"

    @property
    def url(self) -> str:
        """Where the console is."""
        assert self.runtime is not None
        return self.runtime.centre_url

    @property
    def database_url(self) -> str:
        """Where the database is."""
        assert self.runtime is not None
        return self.runtime.database_url

    def _http_port(self) -> int:
        wanted = self._wanted_port
        if wanted is not None:
            if not _is_free(wanted):
                raise StackError(
                    f"port {wanted} on {HTTP_HOST} is taken: stop what listens there, or name another with --port"
                )
            return wanted
        return DEFAULT_PORT if _is_free(DEFAULT_PORT) else free_loopback_port()

    def _start_database(self) -> str:
        if self._database_url is not None:
            self._say(text("database_named"))
            url = self._database_url
        else:
            self._say(text("database_embedded"))
            self._postgres = EmbeddedPostgres(self.data_dir)
            url = self._postgres.start()
        migrate(url)
        return url

    def _start_broker(self) -> dict[str, MqttAccess]:
        edges = [edge.edge_id for edge in self.city.edges]
        if self._outside_broker is not None:
            self._say(text("broker_named"))
            return {CENTRE: self._outside_broker, **dict.fromkeys(edges, self._outside_broker)}
        self._broker = EmbeddedBroker(self.data_dir, edges)
        self._say(text("broker_embedded", kind=self._broker.kind))
        port = self._broker.start()
        return {
            user: MqttAccess(
                host=self._broker.host, port=port, user=user, password=self._broker.passwords[user]
            )
            for user in (CENTRE, *edges)
        }

    def _start_centre(self) -> None:
        self._say(text("centre"))
        self._spawn("centre", "centre")
        deadline_s = time.monotonic() + CENTRE_READY_S
        while not _answers(f"{self.url}/readyz"):
            self.must_run("centre")
            if time.monotonic() > deadline_s:
                raise StackError(
                    f"the centre was not ready after {CENTRE_READY_S:.0f} s; {self._tail('centre')}"
                )
            time.sleep(0.1)

    def start_edge(self, edge_id: str) -> None:
        """Start (again) one edge worker."""
        self._spawn(f"edge-{edge_id}", "edge", "--edge", edge_id)

    def _spawn(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "hcawatch", arguments[0], str(self.config), *arguments[1:],
                   "--runtime", str(self._runtime_path)]  # fmt: skip
        self.children[name] = Child(command, log=self.data_dir / "logs" / f"{name}.log")

    # ------------------------------------------------------------------ while it runs

    def must_run(self, name: str) -> None:
        """StackError with the end of its log if that part has ended."""
        child = self.children[name]
        if child.exit_code() is not None:
            raise StackError(f"{name} ended with status {child.exit_code()}; {self._tail(name)}")

    def ended(self) -> list[str]:
        """The parts that have ended by themselves."""
        return [name for name, child in self.children.items() if child.exit_code() is not None]

    def _tail(self, name: str) -> str:
        child = self.children[name]
        return f"{child.log} ends:\n{child.log_tail(8)}"

    def files_begin_anew(self) -> None:
        """The next worker plays the cameras' files from their beginning, whatever was played before."""
        self.start_file_clock(time.time() + _FILES_WAIT_S)

    def start_file_clock(self, since_s: float) -> None:
        """The cameras' files count as live since then: a worker that comes back goes on where they are now."""
        assert self.runtime is not None
        self.files_live_since_s = since_s
        self.runtime = msgspec.structs.replace(self.runtime, files_live_since_s=since_s)
        self.runtime.save(self._runtime_path)

    def edge_folder(self, edge_id: str) -> Path:
        """Where an edge keeps its outbox and its evidence."""
        return self.data_dir / "edges" / edge_id

    @property
    def broker_kind(self) -> str:
        """Which broker runs."""
        return self._broker.kind if self._broker is not None else "named"

    def restart(self, name: str) -> None:
        """Start a part again that has ended."""
        if name == "centre":
            self._spawn("centre", "centre")
        else:
            self.start_edge(name.removeprefix("edge-"))

    def stop_edge(self, edge_id: str, timeout_s: float = 15.0) -> None:
        """End one edge worker in order: it closes its minutes and leaves the outbox safe."""
        child = self.children.pop(f"edge-{edge_id}", None)
        if child is not None:
            child.stop((signal.SIGTERM, timeout_s))

    def kill_edge(self, edge_id: str) -> None:
        """SIGKILL one edge worker, as a power cut would."""
        child = self.children.pop(f"edge-{edge_id}")
        child.stop()

    def stop(self) -> None:
        """End everything: edges first, so that their last words are stored, the database last."""
        for name in sorted(self.children, key=lambda n: n == "centre"):
            self.children.pop(name).stop((signal.SIGTERM, 15.0))
        if self._broker is not None:
            self._broker.stop()
            self._broker = None
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None
        if self._lock is not None:  # without it the folder is another's
            self._runtime_path.unlink(missing_ok=True)
            self._lock.release()
            self._lock = None


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HTTP_HOST, port))
        except OSError:
            return False
    return True

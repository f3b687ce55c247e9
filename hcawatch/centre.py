"""The centre's process: ingest, the couriers, the audit log's sequencer and the web, wired together; the alert
loop's decisions are a process beside it (deciding.py).

Each part runs in threads of its own and says whether it is well; `/readyz` shows it. Everything that must
not be lost is in the database before anything is acknowledged, so the process can be killed at any time.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import structlog
import uvicorn
from psycopg_pool import PoolTimeout

from alerts.channels.building import deliveries, running_of
from alerts.channels.desk import Desk
from alerts.channels.parcel import Deliver
from alerts.channels.states import PostgresChannelStates
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.feedback.desk import FeedbackDesk
from alerts.policy import Policy
from alerts.postgres_book import PostgresAlertBook
from alerts.sending import Send
from alerts.webpush.invitation import Push, push_of
from alerts.webpush.subscriptions import Subscriptions
from alerts.worker import COURIERS, AlertWorker, utc_now
from hcawatch.config import LoadedConfig, versions
from hcawatch.config.channel_secrets import channel_secrets, with_push_key
from hcawatch.config.gb28181 import gb_passwords
from hcawatch.config.surveys import ConfigSurveys
from hcawatch.config.thresholds import ConfigThresholds
from hcawatch.deciding import Deciding
from hcawatch.edge_configs import EdgeConfigs, of_version
from hcawatch.garbage import leave_out_what_is_there
from hcawatch.looking import Looking
from hcawatch.runtime import Runtime
from monitor.audit import sequencer
from monitor.audit.note import Signer
from monitor.ingest.gb28181.door import GbDoor
from monitor.ingest.gb28181.postgres import PostgresGbStore
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.logs import set_up_logs
from monitor.store.migrate import migrate
from monitor.store.pool import FIRST_IN_ORDER, Pool, make_pool
from monitor.web.app import WebDeps, create_app

log = structlog.get_logger(__name__)

_SEQUENCE_EVERY_S = 0.5
#: that one courier sends at the same time
MESSAGES_AT_ONCE = 24
#: a thread of the alert module holds at most one, as do ingest, the sequencer and each of some pages' requests
_CONNECTIONS = 20
#: a log's name, first line of its checkpoints; it must not change during the log's life
LOG_ORIGIN = "hcawatch/audit"


def run(loaded: LoadedConfig, runtime: Runtime) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status."""
    set_up_logs()
    migrate(runtime.database_url)
    with versions.connect(runtime.database_url) as conn:
        newest = versions.begin(conn, loaded, now=datetime.now(UTC))
    log.info("centre.configuration", version=newest.sha256[:12], number=newest.number)
    if newest.sha256 != loaded.sha256:
        log.warning(
            "centre.file_is_older", file=str(loaded.path), what="`hcawatch config export` writes what runs"
        )
        loaded = of_version(newest, loaded.path) or loaded
    data_dir = Path(runtime.data_dir)
    dsn = runtime.database_url
    with (
        make_pool(dsn, "centre", min_size=2, max_size=_CONNECTIONS) as pool,
        make_pool(dsn, "couriers", min_size=2, max_size=COURIERS, planner=FIRST_IN_ORDER) as couriers,
    ):
        _serve(loaded, runtime, pool, couriers, data_dir)
    return 0


def _serve(loaded: LoadedConfig, runtime: Runtime, pool: Pool, couriers: Pool, data_dir: Path) -> None:
    book = PostgresAlertBook(pool)
    settings = loaded.settings
    policy = Policy(
        weights=settings.weights,
        response=settings.response,
        supervision=settings.supervision,
        calm=settings.calm,
    )
    engine = AlertEngine(book, loaded.city, policy)
    ingest = IngestWorker(PostgresIngestStore(pool), _mqtt(runtime), devices=loaded.city.devices)
    door = _door(loaded, pool)
    browsers = Subscriptions(pool)
    kinds, push = _channels(loaded, runtime, browsers, ingest)
    platforms = running_of(kinds)
    courier = _courier(loaded, pool, couriers, engine, ingest, kinds)
    deciding = Deciding(runtime.database_url, loaded.city, policy)
    delivering = AlertWorker(None, courier, runtime.database_url)
    thresholds = ConfigThresholds(loaded.path)
    looking = Looking(FeedbackDesk(pool, loaded.city.timezone, thresholds).run_due)
    sequencing = Sequencing(pool, _signer(data_dir), data_dir / "centre" / "heads")
    configs = EdgeConfigs(pool, loaded.path, ingest.publish, lambda: ingest.connections)
    deps = WebDeps(
        pool=pool, engine=engine, city=loaded.city, data_dir=data_dir / "centre",
        surveys=ConfigSurveys(dsn=runtime.database_url, path=loaded.path), rule_book=thresholds, thresholds=thresholds,
        public_url=runtime.public_url, cookie_secure=(runtime.public_url or "").startswith("https://"),
        push=push, reply_secrets=_reply_secrets(loaded),
        checks={"ingest": ingest.healthy, "alerts": lambda: deciding.healthy() and delivering.healthy(),
                "audit": sequencing.healthy, "configs": configs.healthy,
                **({"gb28181": door.healthy} if door is not None else {})},
    )  # fmt: skip
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(deps),
            host=runtime.http_host,
            port=runtime.http_port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
            lifespan="on",
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    leave_out_what_is_there()
    with contextlib.ExitStack() as beside, ingest:
        for platform in platforms:
            beside.enter_context(platform)
        with deciding, delivering, sequencing, configs, looking, door or contextlib.nullcontext():
            log.info("centre.started", url=runtime.centre_url, config=loaded.version)
            server.run()
    log.info("centre.stopped")


def _mqtt(runtime: Runtime) -> MqttSettings:
    access = runtime.mqtt["centre"]
    return MqttSettings(
        host=access.host, port=access.port, user=access.user, password=access.password,
        tls_ca_file=Path(access.tls_ca) if access.tls_ca else None,
    )  # fmt: skip


def _door(loaded: LoadedConfig, pool: Pool) -> GbDoor | None:
    """The door for devices of GB/T 28181, where the configuration names any."""
    if loaded.city.gb28181 is None or not loaded.city.gb28181.devices:
        return None
    passwords = gb_passwords(loaded.document, loaded.path.absolute().parent)
    return GbDoor(loaded.city, passwords, PostgresIngestStore(pool), PostgresGbStore(pool))


def _channels(
    loaded: LoadedConfig, runtime: Runtime, browsers: Subscriptions, ingest: IngestWorker
) -> tuple[dict[str, Deliver], Push | None]:
    """How to deliver by each channel of the configuration, and what pages need in order to offer notifications."""
    secrets = channel_secrets(loaded.document, loaded.path.absolute().parent, os.environ)
    secrets = with_push_key(loaded.document, secrets, Path(runtime.data_dir) / "secrets")
    for channel, secret in secrets.items():
        for what in secret.missing:
            log.error("centre.channel_unready", channel=channel, what=what)
    kinds = deliveries(loaded.city, secrets, runtime.public_url, _publisher(ingest), browsers)
    return kinds, push_of(loaded.city, kinds, browsers)


def _reply_secrets(loaded: LoadedConfig) -> dict[str, str]:
    """By channel: the secret by which its gateway signs officers' answers."""
    secrets = channel_secrets(loaded.document, loaded.path.absolute().parent, os.environ)
    return {channel: secret.replies for channel, secret in secrets.items() if secret.replies}


def _courier(
    loaded: LoadedConfig,
    pool: Pool,
    couriers: Pool,
    engine: AlertEngine,
    ingest: IngestWorker,
    kinds: dict[str, Deliver],
) -> Courier:
    """MQTT is always there; the configuration's channels stand behind their limits."""
    desk = Desk(loaded.city, kinds, PostgresChannelStates(pool), utc_now)
    sends: dict[str, Send] = {"mqtt": ingest.begin_publish, **desk.sends}
    return Courier(PostgresAlertBook(couriers), sends, engine, desk=desk, at_once=MESSAGES_AT_ONCE)


def _publisher(ingest: IngestWorker) -> Callable[[str, bytes, bool], None]:
    def publish(topic: str, payload: bytes, retain: bool) -> None:
        ingest.publish(topic, payload, retain=retain)

    return publish


def _signer(data_dir: Path) -> Signer:
    folder = data_dir / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Signer.load_or_create(folder / "audit-key", LOG_ORIGIN)


class Sequencing:
    """Numbers and signs what waits in the audit log, twice a second."""

    def __init__(self, pool: Pool, signer: Signer, heads_dir: Path) -> None:
        self._pool, self._signer, self._heads_dir = pool, signer, heads_dir
        self._stopping = threading.Event()
        self._well = True
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def healthy(self) -> bool:
        """Whether the last turn went well."""
        return self._well and self._thread.is_alive()

    def __enter__(self) -> "Sequencing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stopping.wait(_SEQUENCE_EVERY_S):
            try:
                with self._pool.connection() as conn:
                    sequencer.run_once(conn, self._signer, datetime.now(UTC), heads_dir=self._heads_dir)
                self._well = True
            except (psycopg.Error, PoolTimeout, OSError) as exc:
                if self._well:  # say it once, until it is well again
                    log.warning("audit.sequencer_waits", error=str(exc))
                self._well = False
            except Exception:
                self._well = False
                log.exception("audit.sequencer_failed")

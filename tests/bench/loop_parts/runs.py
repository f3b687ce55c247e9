"""One run of ours, and one of Alertmanager: alerts at a steady rate, and when the receiver took each."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
import psycopg

from alerts.channels.webhook import IDEMPOTENCY_KEY, SIGNATURE, TIMESTAMP, signature
from monitor.domain.events import RiskEvent
from monitor.ingest.embedded_broker import CENTRE, EmbeddedBroker
from monitor.ingest.mqtt import MqttSettings
from monitor.store.embedded import EmbeddedPostgres
from monitor.store.migrate import migrate
from tests.bench.loop_parts import alertmanager
from tests.bench.loop_parts.centre import centre
from tests.bench.loop_parts.edges import edges, packet_of
from tests.bench.loop_parts.open_alerts import open_alerts
from tests.bench.loop_parts.receiver import Receiver
from tests.bench.loop_parts.town import EDGES, WEBHOOK, WEBHOOK_SECRET, onset, places, warm_up_places
from tests.doubles.ingest_messages import arrived

RATE_PER_S: Final = 200
WARM_UP: Final = 100
#: alerts that did not arrive by then count as this late
GIVE_UP_S: Final = 60.0
#: what a dispatch's body has in it; checks that are taken along and the like send others
DISPATCH: Final = b'"what":"dispatch"'


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from an alert's publish to the receiver's 2xx; one that never came counts as GIVE_UP_S."""

    ms: tuple[float, ...]
    missing: int
    twice: int
    #: how late our own publisher was, which is not in `ms`
    publisher_late_ms_p99: float
    #: CPU seconds of the centre's processes, of the database and of the broker, per alert in milliseconds
    cpu_ms: dict[str, float] = {}
    #: alerts, dispatches, sent messages in the database, where they are not as many as onsets
    short_of: tuple[int, int, int] | None = None

    def p(self, percent: float) -> float:
        """A percentile, by nearest rank."""
        return percentile(self.ms, percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank; 0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def ours(receiver: Receiver, count: int, seed: int, already_open: int = 0) -> Latencies:
    """`count` onsets through broker, ingest, database, alert worker, courier and channel."""
    with (
        tempfile.TemporaryDirectory(prefix="loop-bench-") as name,
        EmbeddedPostgres(Path(name) / "pg") as server,
        EmbeddedBroker(Path(name) / "mqtt", EDGES) as broker,
    ):
        folder = Path(name)
        migrate(server.dsn)
        if already_open:
            open_alerts(server.dsn, already_open)
        settings = MqttSettings(
            host=broker.host, port=broker.port, user=CENTRE, password=broker.passwords[CENTRE]
        )
        with (
            centre(server.dsn, settings, receiver.url, folder / "centre") as process,
            edges(broker.host, broker.port, {edge: broker.passwords[edge] for edge in EDGES}) as publishers,
        ):
            begin_s = time.time() + 1.0
            warm = _planned(warm_up_places(WARM_UP), begin_s, f"warm-{seed}")
            _steadily(warm, lambda n: publishers.send(*warm[n][1:]))
            _wait(receiver, WARM_UP, DISPATCH)
            receiver.take()
            events = _planned(places(count, seed), time.time() + 2.0 + count * 0.0004, f"run-{seed}")
            sent_s, late_ms = _steadily(events, lambda n: publishers.send(*events[n][1:]))
            _wait(receiver, count, DISPATCH)
            got = receiver.take()
            ended = process.stop()
            cpu_s = {
                "centre": ended["cpu_s"],
                "deciding": ended["deciding_cpu_s"],
                "database": _cpu_s(server.pid),
                "broker": _cpu_s(broker.pid),
            }
        short_of = _short_of(server.dsn, count + WARM_UP)
    by_place = {_key(event): n for n, (event, _, _) in enumerate(events)}
    taken: list[list[float]] = [[] for _ in events]
    for at_s, head, body in got:
        message = json.loads(body)
        assert signed(head, body), "what came is not signed as docs/channels.md says"
        # not what else is told meanwhile, as of checks that are taken along
        place = by_place.get((message.get("lon"), message.get("lat")))
        if message["what"] == "dispatch" and place is not None:
            taken[place].append(at_s)
    cpu_ms = {name: round(1000 * spent / (count + WARM_UP), 2) for name, spent in cpu_s.items()}
    return msgspec.structs.replace(_latencies(sent_s, taken, late_ms), cpu_ms=cpu_ms, short_of=short_of)


def theirs(receiver: Receiver, binary: Path, count: int, group_wait: str) -> Latencies:
    """`count` alerts posted to Alertmanager at the same rate."""
    with (
        tempfile.TemporaryDirectory(prefix="loop-bench-am-") as name,
        alertmanager.running(binary, Path(name), group_wait, f"{receiver.url}/theirs") as server,
    ):
        bodies = [alertmanager.alert(n) for n in range(count)]
        receiver.take()
        sent_s, late_ms = _steadily(bodies, lambda n: server.post(bodies[n]))
        _wait(receiver, count)
        got = receiver.take()
    taken: list[list[float]] = [[] for _ in range(count)]
    for at_s, _, body in got:
        for n in alertmanager.place_of(body):
            taken[n].append(at_s)
    return _latencies(sent_s, taken, late_ms)


# ---------------------------------------------------------------- parts of a run
#: an event, its edge, and the packet that it goes out in
Message = tuple[RiskEvent, str, bytes]


def _planned(where: Sequence[tuple[int, float]], begin_s: float, epoch: str) -> list[Message]:
    """Encoded beforehand, so that publishing costs little; captured when they are due to be sent."""
    made = []
    for n, (site, metres) in enumerate(where):
        edge, seq = EDGES[n % len(EDGES)], n // len(EDGES) + 1
        event = onset(site, metres, edge, seq, epoch, begin_s + n / RATE_PER_S)
        made.append((event, edge, packet_of(seq, arrived(event))))
    return made


def _steadily(what: Sequence[Any], send: Callable[[int], None]) -> tuple[list[float], float]:
    """Sends at RATE_PER_S whatever becomes of it; when each was sent, and the p99 of being late with it."""
    began_s, sent_s, late_ms = time.monotonic() + 0.05, [], []
    for n in range(len(what)):
        due_s = began_s + n / RATE_PER_S
        if (wait_s := due_s - time.monotonic()) > 0:
            time.sleep(wait_s)
        at_s = time.monotonic()
        sent_s.append(at_s)
        late_ms.append((at_s - due_s) * 1000)
        send(n)
    return sent_s, percentile(late_ms, 99)


def _wait(receiver: Receiver, count: int, with_text: bytes = b"") -> None:
    end_s = time.monotonic() + GIVE_UP_S
    while receiver.count(with_text) < count and time.monotonic() < end_s:
        time.sleep(0.1)


def signed(head: Mapping[str, str], body: bytes) -> bool:
    """Whether a receiver would take it: our signature over its time and bytes, and a key to know it again by."""
    wanted = signature(WEBHOOK_SECRET, head.get(TIMESTAMP.lower(), ""), body)
    return head.get(SIGNATURE.lower()) == wanted and bool(head.get(IDEMPOTENCY_KEY.lower()))


def _key(event: RiskEvent) -> tuple[float, float]:
    assert event.position is not None
    return event.position.lon, event.position.lat


def _latencies(sent_s: Sequence[float], taken: Sequence[list[float]], late_ms: float) -> Latencies:
    ms = [(min(at) - sent if at else GIVE_UP_S) * 1000 for sent, at in zip(sent_s, taken, strict=True)]
    return Latencies(
        ms=tuple(ms), missing=sum(not at for at in taken), twice=sum(len(at) > 1 for at in taken),
        publisher_late_ms_p99=round(late_ms, 1),
    )  # fmt: skip


def _cpu_s(pid: int | None) -> float:
    """CPU seconds so far of a process, and of its children, ended ones included."""
    if pid is None:
        return 0.0
    server = psutil.Process(pid)
    alive = []
    for one in (server, *server.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # a connection that ends just then
            alive.append(one.cpu_times())
    ended = server.cpu_times()
    return sum(t.user + t.system for t in alive) + ended.children_user + ended.children_system


def _short_of(dsn: str, count: int) -> tuple[int, int, int] | None:
    """Whether what arrived is what the database says: an alert, a dispatch and a sent message of it for each onset."""
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "SELECT (SELECT count(*) FROM alert WHERE kind = 'violation' AND state = 'dispatched'),"
            " (SELECT count(*) FROM dispatch),"
            " (SELECT count(*) FROM outgoing WHERE sent_at IS NOT NULL AND body ->> 'what' = 'dispatch' AND channel = %s)",
            (WEBHOOK,),
        ).fetchone()
    assert row is not None
    return None if row == (count, count, count) else (row[0], row[1], row[2])

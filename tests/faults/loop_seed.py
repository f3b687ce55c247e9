"""Plays one seed: a database of its own, two workers, a receiver, events, people and bad luck; then the verdict."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql
from psycopg_pool import PoolTimeout

from alerts import replay
from alerts.engine import AlertEngine
from alerts.errors import AlertsError
from alerts.lifecycle import AlertKind
from alerts.lifecycle import Step as LifeStep
from alerts.worker import WORK_CHANNEL
from monitor.store.embedded import EmbeddedPostgres
from monitor.store.migrate import migrate
from monitor.store.pool import Pool, make_pool
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, OPERATOR, at_metres, event, officer
from tests.faults.loop_plan import WORKERS, Coming, Death, Fault, FaultKind, Plan, Step
from tests.faults.loop_truth import Interval, Verdict, both_ready, late, twice
from tests.faults.loop_worker import ACCEPT_S, POLICY, Job, serve

#: what is committed has so long to arrive when all is mended
ARRIVES_WITHIN_S: Final = 60.0
TURN_S: Final = 0.05
#: a sleep that took so much longer was the machine's fault: whatever is late then, nobody could run
STALL_S: Final = 0.25
_AWAY: Final = (psycopg.Error, PoolTimeout)
#: a database that is migrated and empty
_EMPTY: Final = "loop_empty"
#: workers begin as copies of a process that has imported everything: they die often, and that takes a second of CPU
_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.loop_worker"])


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed came to; a line of the state file."""

    seed: int
    verdict: Verdict
    #: deaths of workers, and faults by kind
    struck: dict[str, int]
    alerts: int
    messages: int
    came_again: int
    timers: int
    #: seconds in which both workers were ready and nothing was wrong, and of which lateness is judged
    judged_s: float
    wall_s: float


class Receiver:
    """Answers 200 and remembers; or refuses, or takes a message and never answers."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.mode: FaultKind | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.mode is not FaultKind.RECEIVER_REFUSES:
                    outer.got.append(json.loads(body))
                if outer.mode is FaultKind.RECEIVER_HANGS:
                    time.sleep(3)
                    return
                self.send_response(503 if outer.mode else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Worker:
    """One worker, life after life; `ready` are its intervals of being well."""

    def __init__(self, number: int, folder: Path, dsn: str, port: int, deaths: tuple[Death, ...]) -> None:
        self._number, self._folder, self._dsn, self._port = number, folder, dsn, port
        self._deaths = [*deaths]
        self.ready: list[Interval] = []
        self.since_s: float | None = None
        self.died = 0
        self._process: ForkServerProcess | None = None

    def keep_alive(self) -> None:
        """Starts it again if it is dead."""
        if self._process is not None and self._process.is_alive():
            return
        if self._process is not None:
            self.died += 1
            self._close(time.monotonic())
        death = self._deaths.pop(0) if self._deaths else Death()
        job = Job(dsn=self._dsn, receiver_port=self._port, death=death)
        ours, theirs = _FORKS.Pipe()
        log = self._folder / f"worker-{self._number}.log"
        self._process = _FORKS.Process(target=serve, args=(job, theirs, log), daemon=True)
        self._process.start()
        theirs.close()
        threading.Thread(target=self._listen, args=(self._process, ours), daemon=True).start()

    def _listen(self, process: ForkServerProcess, pipe: Connection) -> None:
        with pipe, contextlib.suppress(EOFError, OSError):
            while True:
                word, at_s = pipe.recv()
                if process is self._process:
                    if word == "ready":
                        self.since_s = at_s
                    else:
                        self._close(at_s)

    def _close(self, at_s: float) -> None:
        if self.since_s is not None:
            self.ready.append((self.since_s, at_s))
        self.since_s = None

    def mend(self) -> None:
        """No more deaths of its own."""
        self._deaths.clear()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._close(time.monotonic())


class Run:
    """One seed on a server that several seeds share, one after the other."""

    def __init__(self, plan: Plan, server: EmbeddedPostgres, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._plan, self._server, self._folder = plan, server, folder
        self._name = f"loop_seed_{plan.seed}"
        self._disturbed: list[Interval] = []
        self._struck: Counter[str] = Counter()
        self._away_until_s: dict[str, float] = {}
        self._stopped = threading.Event()

    def play(self) -> Outcome:
        """Everything; the database is dropped at the end."""
        began_s = time.monotonic()
        with psycopg.connect(self._server.dsn, autocommit=True) as conn:
            conn.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._name))
            )
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(self._name), sql.Identifier(_EMPTY)
                )
            )
        dsn = self._server.dsn_of(self._name)
        receiver = Receiver()
        workers = [Worker(n, self._folder, dsn, receiver.port, self._plan.deaths[n]) for n in range(WORKERS)]
        threading.Thread(target=self._feel_stalls, daemon=True).start()
        try:
            with make_pool(dsn, "story", max_size=3, acquire_timeout_s=1.0) as pool:
                self._story(SeededPostgresBook(pool), workers, receiver)
                committed = self._mended(pool, workers, receiver)
                self._arrive(pool, workers, receiver, committed)
                for worker in workers:
                    worker.kill()
                return self._judge(pool, workers, receiver, committed, began_s)
        finally:
            self._stopped.set()
            for worker in workers:
                worker.kill()
            receiver.close()

    # ------------------------------------------------------------ the story
    def _story(self, book: SeededPostgresBook, workers: list[Worker], receiver: Receiver) -> None:
        for worker in workers:
            worker.keep_alive()
        self._wait(lambda: all(w.since_s is not None or w.died for w in workers), 60, workers)
        coming, steps, faults = [*self._plan.coming], [*self._plan.steps], [*self._plan.faults]
        engine, begin_s = AlertEngine(book, CITY, POLICY), time.monotonic()
        while (
            coming or steps or faults or self._away_until_s or time.monotonic() < begin_s + self._plan.lasts_s
        ):
            at_s = time.monotonic() - begin_s
            while faults and faults[0].at_s <= at_s:
                self._strike(faults.pop(0), workers, receiver, begin_s)
            self._mend(at_s, receiver)
            with contextlib.suppress(*_AWAY):
                while coming and coming[0].at_s <= at_s and "database" not in self._away_until_s:
                    _happens(book, coming[0])
                    coming.pop(0)
            if steps and steps[0].at_s <= at_s:
                _steps(engine, steps.pop(0))
            for worker in workers:
                worker.keep_alive()
            time.sleep(TURN_S)

    def _strike(self, fault: Fault, workers: list[Worker], receiver: Receiver, begin_s: float) -> None:
        self._struck[fault.kind] += 1
        match fault.kind:
            case FaultKind.KILL_TIME:
                workers[fault.worker].kill()
            case FaultKind.DATABASE_RESTART | FaultKind.DATABASE_KILL if "database" not in self._away_until_s:
                if fault.kind is FaultKind.DATABASE_KILL and self._server.pid is not None:
                    os.kill(self._server.pid, signal.SIGKILL)
                self._server.stop()
                self._away_until_s["database"] = fault.at_s + fault.lasts_s
            case FaultKind.CONNECTIONS_CUT if "database" not in self._away_until_s:
                with contextlib.suppress(*_AWAY), psycopg.connect(self._server.dsn, autocommit=True) as conn:
                    conn.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                        (self._name,),
                    )
            case FaultKind.RECEIVER_REFUSES | FaultKind.RECEIVER_HANGS:
                receiver.mode = fault.kind
                self._away_until_s["receiver"] = fault.at_s + fault.lasts_s
        now_s = time.monotonic()
        # what is cut off needs its moment to find out and to begin again
        self._disturbed.append((now_s, max(now_s, begin_s + fault.at_s + fault.lasts_s) + 1.0))

    def _mend(self, at_s: float, receiver: Receiver) -> None:
        for what in [what for what, until_s in self._away_until_s.items() if until_s <= at_s]:
            del self._away_until_s[what]
            if what == "receiver":
                receiver.mode = None
            else:
                began_s = time.monotonic()
                self._server.start()
                self._disturbed.append((began_s, time.monotonic() + 1.0))

    def _feel_stalls(self) -> None:
        at_s = time.monotonic()
        while not self._stopped.wait(TURN_S):
            now_s = time.monotonic()
            if now_s - at_s > TURN_S + STALL_S:
                self._disturbed.append((at_s, now_s + 0.5))
            at_s = now_s

    # ------------------------------------------------------------ afterwards
    def _mended(self, pool: Pool, workers: list[Worker], receiver: Receiver) -> frozenset[str]:
        """Nothing is wrong any more and all work is done: the keys of all messages that were committed by then."""
        for worker in workers:
            worker.mend()
        self._wait(lambda: _count(pool, "SELECT count(*) FROM alert_work WHERE done_at IS NULL") == 0,
                   ARRIVES_WITHIN_S, workers)  # fmt: skip
        with pool.connection() as conn:
            return frozenset(
                row["idempotency_key"] for row in conn.execute("SELECT idempotency_key FROM outgoing")
            )

    def _arrive(
        self, pool: Pool, workers: list[Worker], receiver: Receiver, committed: frozenset[str]
    ) -> None:
        self._wait(
            lambda: committed <= {m["idempotency_key"] for m in [*receiver.got]}, ARRIVES_WITHIN_S, workers
        )
        time.sleep(ACCEPT_S)  # some more escalations, in peace

    def _wait(self, until: Any, most_s: float, workers: list[Worker] | None = None) -> None:
        end_s = time.monotonic() + most_s
        while time.monotonic() < end_s:
            for worker in workers or ():
                worker.keep_alive()
            with contextlib.suppress(*_AWAY):
                if until():
                    return
            time.sleep(2 * TURN_S)

    def _judge(
        self, pool: Pool, workers: list[Worker], receiver: Receiver, committed: frozenset[str], began_s: float
    ) -> Outcome:
        ready = both_ready(workers[0].ready, workers[1].ready, self._disturbed)
        offset_s = time.time() - time.monotonic()
        with pool.connection() as conn:
            undone = [
                str(row["body"])[:80]
                for row in conn.execute("SELECT body FROM alert_work WHERE done_at IS NULL")
            ]
            alerts = conn.execute("SELECT * FROM alert WHERE state <> 'resolved'").fetchall()
            moves = conn.execute("SELECT * FROM alert_transition ORDER BY alert_id, n").fetchall()
            timers = conn.execute("SELECT what, due_at, done_at FROM timer").fetchall()
            held = {str(row["episode_id"]) for row in conn.execute("SELECT episode_id FROM alert_episode")}
            happened = {str(row["episode_id"]) for row in conn.execute("SELECT episode_id FROM risk_event")}
            broken = [str(one) for one in replay.check(conn)]
        arrived = Counter(message["idempotency_key"] for message in receiver.got)
        due = [
            (
                t["what"],
                t["due_at"].timestamp() - offset_s,
                t["done_at"] and t["done_at"].timestamp() - offset_s,
            )
            for t in timers
        ]
        verdict = Verdict(
            undelivered=tuple(sorted(committed - set(arrived))),
            twice_without_key=twice(receiver.got, alerts, moves),
            late=late(due, ready, time.monotonic()),
            other=(*(f"not done: {body}" for body in undone), *(f"no alert holds {e}" for e in happened - held), *broken),
        )  # fmt: skip
        return Outcome(
            seed=self._plan.seed, verdict=verdict,
            struck={**self._struck, "worker_died": sum(worker.died for worker in workers)},
            alerts=len(alerts), messages=len(arrived), came_again=sum(n - 1 for n in arrived.values()),
            timers=sum(t["done_at"] is not None for t in timers),
            judged_s=round(sum(b - a for a, b in ready), 1), wall_s=round(time.monotonic() - began_s, 1),
        )  # fmt: skip


def _happens(book: SeededPostgresBook, one: Coming) -> None:
    """As ingest leaves it."""
    happens = event(
        episode=one.episode, phase=one.phase, activity=one.activity, reason=one.phase, captured_at=datetime.now(UTC),
        position=at_metres(200.0 * one.place, 3), chainage_m=200.0 * one.place,
    )  # fmt: skip
    book.add_event(happens, datetime.now(UTC))
    book.run("SELECT pg_notify(%s, '')", WORK_CHANNEL)


def _steps(engine: AlertEngine, step: Step) -> None:
    """A person does what the alert allows, or nothing."""
    with contextlib.suppress(AlertsError, *_AWAY):
        rows = engine.list_alerts(kind=AlertKind.VIOLATION, running=True)
        if not rows:
            return
        alert = rows[-1 - step.alert % len(rows)].alert
        running = engine.view(alert.alert_id).dispatches
        who = officer(running[-1].officer) if step.step in ("accept", "resolve") and running else OPERATOR
        engine.step(
            alert.alert_id,
            LifeStep(step.step),
            who,
            datetime.now(UTC),
            reason={"dismiss": "duplicate", "resolve": "rectified"}.get(step.step, ""),
            note="seen twice" if step.step == "dismiss" else "",
        )


def _count(pool: Pool, query: str) -> int:
    with pool.connection() as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return int(row["count"])


@contextlib.contextmanager
def database(folder: Path) -> Iterator[EmbeddedPostgres]:
    """The server that the seeds share, with a database as each begins with."""
    with EmbeddedPostgres(folder / "postgres") as server:
        with psycopg.connect(server.dsn, autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_EMPTY)))
        migrate(server.dsn_of(_EMPTY))
        yield server

"""What changed, as it changes: NOTIFYs of the database to server-sent events of every open page.

One thread listens on one connection and hands each change to the queues of those whom it concerns. The
events carry ids only; pages ask the API for the rest. A reader that falls behind, or a listener that lost
its connection for a moment, gets `resync`: ask for everything anew. `tick` comes every ten seconds, so
that a page knows that silence means a broken line.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import anyio.to_thread
import psycopg
import structlog
from fastapi import APIRouter, Depends, Request
from psycopg.rows import dict_row
from sse_starlette import EventSourceResponse, ServerSentEvent

from monitor.domain.roles import Right, may
from monitor.web import people
from monitor.web.access import Guard, session_token
from monitor.web.deps import Web, web_of
from monitor.web.people import Principal
from monitor.web.sql import QUERIES

log = structlog.get_logger(__name__)
router = APIRouter()

TICK_S = 10.0
#: a session that ended elsewhere closes its stream after at most this
SESSION_CHECK_S = 60.0
QUEUE = 200
_RETRY_S = (0.5, 1.0, 2.0, 5.0)
Event = tuple[str, dict[str, Any]]
RESYNC: Event = ("resync", {})


@dataclass(eq=False, slots=True)
class Reader:
    """One open page."""

    principal: Principal
    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[Event | None]" = field(default_factory=lambda: asyncio.Queue(QUEUE))

    def put(self, event: Event | None) -> None:
        """From the reader's own loop: queue it, or replace everything by `resync` when it doesn't fit."""
        if event is None or self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            event = RESYNC if event is not None else None
        self.queue.put_nowait(event)


def events_for(change: str, principal: Principal, teams: Sequence[str]) -> list[Event]:
    """What one reader hears of one change ('alert:<uuid>' or 'camera:<id>').

    The room hears all; the field hears of alerts that were sent to its own team. What can't be read says
    nothing.
    """
    what, _, subject = change.partition(":")
    room = may(principal.role, Right.SEE_CONSOLE)
    if what == "camera" and subject and room:
        return [("camera", {"camera_id": subject})]
    if what != "alert":
        return []
    try:
        alert_id = str(UUID(subject))
    except ValueError:
        return []
    events: list[Event] = [("alert", {"alert_id": alert_id})] if room else []
    if may(principal.role, Right.SEE_FIELD) and (room or principal.team_id in teams):
        events.append(("dispatch", {"alert_id": alert_id}))
    return events


class Hub:
    """The listening thread and the readers."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._readers: set[Reader] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web-stream", daemon=True)
        #: whether changes are being heard
        self.listening = threading.Event()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close every stream."""
        self._stop.set()
        self._tell(lambda _: [None])
        self._thread.join(timeout=5)

    def join(self, reader: Reader) -> None:
        """A page opened."""
        with self._lock:
            self._readers.add(reader)

    def leave(self, reader: Reader) -> None:
        """A page closed."""
        with self._lock:
            self._readers.discard(reader)

    def _tell(self, events: Callable[[Principal], Sequence[Event | None]]) -> None:
        with self._lock:
            readers = list(self._readers)
        for reader in readers:
            for event in events(reader.principal):
                with suppress(RuntimeError):  # the loop is closed: so is the page
                    reader.loop.call_soon_threadsafe(reader.put, event)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._listen()
                failures = 0
            except psycopg.Error as exc:
                self.listening.clear()
                wait_s = _RETRY_S[min(failures, len(_RETRY_S) - 1)]
                failures += 1
                log.warning(
                    "web.stream_lost_database", error=str(exc).strip(), retry_s=wait_s, failures=failures
                )
                self._stop.wait(wait_s)

    def _listen(self) -> None:
        with psycopg.connect(
            self._conninfo,
            autocommit=True,
            row_factory=dict_row,
            application_name="hcawatch stream",
            connect_timeout=5,
        ) as conn:
            conn.execute("LISTEN hcawatch_change")
            self.listening.set()
            # whatever happened while nobody listened
            self._tell(lambda _: [RESYNC])
            while not self._stop.is_set():
                # The generator holds the connection's lock: let it end before asking on the same connection.
                for notify in list(conn.notifies(timeout=0.5, stop_after=1)):
                    self._pass_on(conn, notify.payload)

    def _pass_on(self, conn: psycopg.Connection[Any], change: str) -> None:
        teams: list[str] = []
        what, _, subject = change.partition(":")
        if what == "alert":
            with suppress(psycopg.DataError):
                teams = [
                    row["team_id"]
                    for row in conn.execute(QUERIES["alert_teams"], {"alert": subject}).fetchall()
                ]
        self._tell(lambda principal: events_for(change, principal, teams))


def _session_runs(web: Web, token: str) -> bool:
    with web.deps.pool.connection() as conn:
        return people.of_session(conn, token, now=web.deps.clock()) is not None


async def _events(web: Web, reader: Reader, token: str) -> AsyncIterator[ServerSentEvent]:
    web.hub.join(reader)
    checked_at_s = reader.loop.time()
    try:
        yield ServerSentEvent("{}", event="hello", retry=2000)
        while True:
            try:
                event = await asyncio.wait_for(reader.queue.get(), TICK_S)
            except TimeoutError:
                event = (
                    "tick",
                    {"now": web.deps.clock().isoformat(), "listening": web.hub.listening.is_set()},
                )
            if event is None:
                return
            if reader.loop.time() - checked_at_s > SESSION_CHECK_S:
                checked_at_s = reader.loop.time()
                if not await anyio.to_thread.run_sync(_session_runs, web, token):
                    return
            yield ServerSentEvent(json.dumps(event[1]), event=event[0])
    finally:
        web.hub.leave(reader)


@router.get("/api/v1/stream")
async def stream(
    request: Request, me: Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE, Right.SEE_FIELD))]
) -> EventSourceResponse:
    """Server-sent events: alert, camera, dispatch with ids."""
    web = web_of(request)
    reader = Reader(me, asyncio.get_running_loop())
    # sse-starlette's own comments keep proxies awake; ours tell the page
    return EventSourceResponse(
        _events(web, reader, session_token(request) or ""),
        ping=30,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )

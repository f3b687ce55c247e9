"""Bytes of evidence: edges bring what they announced, people look at what they may.

An upload is resumable: `HEAD` tells the offset, `PUT` with `Content-Range` goes on from there, and a
connection that breaks leaves what arrived. Only bytes whose SHA-256 was announced by the very edge are
kept, and only pictures and films. Who needs no faces is shown a blurred copy (`monitor.domain.roles`). Each
view is an entry in the audit log, which says of which; a browser may show the same session its copy again
for five minutes, which counts as the same view.
"""

import asyncio
import errno
import functools
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import IO, Annotated, Any

import anyio.to_thread
import structlog
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

from monitor.domain.roles import Right, Role, Sight, sight
from monitor.store.pool import Conn
from monitor.web import trail
from monitor.web.access import Guard
from monitor.web.copies import NoCopyError
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, Forbidden, NotFound, TooLarge, Unusable, WebError
from monitor.web.people import Principal
from monitor.web.sql import QUERIES
from monitor.web.uploads import (
    JPEG,
    MP4,
    Finish,
    PartFile,
    TakenOverError,
    hash_and_head,
    path_of,
    shown_path_of,
)

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api/v1/evidence")

Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Uploader = Annotated[Principal, Depends(Guard(Right.UPLOAD_EVIDENCE))]
Reader = Annotated[Principal, Depends(Guard(Right.SEE_EVIDENCE))]

_RANGE = re.compile(r"^bytes (\d{1,15})-(\d{1,15})/(\d{1,15})$")
_VIEW_CACHE = "private, max-age=300"
#: one browser, two people: what the one was shown is never served to the other from the browser's cache
_VIEW_VARY = "Cookie, Authorization"
_SAME_VIEW = timedelta(minutes=5)
_FIELD = (Role.OFFICER, Role.PATROL)


class DiskFull(WebError):
    """The centre has no room; the edge keeps its copy and comes again."""

    status = 507

    def __init__(self) -> None:
        super().__init__("disk_full", headers={"Retry-After": "60"})


def _row(conn: Conn, sha256: str) -> dict[str, Any] | None:
    return conn.execute(QUERIES["evidence_row"], {"sha256": sha256}).fetchone()


def _announced_by(web: Web, sha256: str, edge_id: str) -> dict[str, Any]:
    """What this edge announced; NotFound also for what another edge announced."""
    with web.deps.pool.connection() as conn:
        row = _row(conn, sha256)
        if row is None or row["edge_id"] != edge_id:
            raise NotFound("not_announced")
        if row["stored_at"] is None and path_of(web.deps.data_dir, sha256).is_file():
            # a crash between the rename and the commit
            found, _ = hash_and_head(path_of(web.deps.data_dir, sha256))
            if found == sha256:
                _mark_stored(web, conn, row, edge_id)
                row = _row(conn, sha256)
                assert row is not None
        return row


def _mark_stored(web: Web, conn: Conn, row: dict[str, Any], edge_id: str) -> None:
    now = web.deps.clock()
    sha256 = row["sha256"]
    if conn.execute(QUERIES["evidence_stored"], {"sha256": sha256, "now": now}).rowcount != 1:
        return
    trail.record(
        conn,
        trail.EVIDENCE_STORED,
        sha256,
        f"edge:{edge_id}",
        now,
        bytes=row["bytes"],
        evidence_kind=row["kind"],
    )
    conn.execute("SELECT pg_notify('hcawatch_evidence', %(sha256)s)", {"sha256": sha256})
    holders = conn.execute(
        QUERIES["evidence_alerts"], {"episode": row["episode_id"], "sha256": sha256}
    ).fetchall()
    for holder in holders:
        conn.execute("SELECT pg_notify('hcawatch_change', %(what)s)", {"what": f"alert:{holder['alert_id']}"})


@router.head("/{sha256}")
def offset(request: Request, sha256: Sha256, edge: Uploader) -> Response:
    """How much of it is here."""
    web = web_of(request)
    row = _announced_by(web, sha256, edge.user)
    done = row["stored_at"] is not None
    at = row["bytes"] if done else min(web.parts.of(sha256).offset(), row["bytes"])
    return Response(
        headers={
            "Upload-Offset": str(at),
            "Upload-Length": str(row["bytes"]),
            "Upload-Complete": "?1" if done else "?0",
        }
    )


def first_byte(content_range: str | None, length: int | None, total: int) -> int:
    """Where a body of `length` bytes begins in the whole of `total`. Unusable if that can't be."""
    if content_range is None:
        begin, expected = 0, total
    else:
        match = _RANGE.match(content_range)
        if match is None:
            raise Unusable("bad_range", status=400)
        begin, last, named_total = (int(text) for text in match.groups())
        expected = last - begin + 1
        if named_total != total or expected < 1 or last >= total:
            raise Unusable("bad_range", status=416)
    if length is not None and length != expected:
        raise Unusable("other_length", expected=expected, got=length)
    return begin


@router.put("/{sha256}")
async def upload(request: Request, sha256: Sha256, edge: Uploader) -> Response:
    """Bring it, or the rest of it."""
    web = web_of(request)
    row = await anyio.to_thread.run_sync(_announced_by, web, sha256, edge.user)
    if row["stored_at"] is not None:
        return JSONResponse({"sha256": sha256, "stored": True}, 200)
    if row["bytes"] > web.deps.max_evidence_bytes:
        raise TooLarge("too_large", limit=web.deps.max_evidence_bytes)
    said = request.headers.get("content-length")
    length = int(said) if said is not None and said.isdigit() else None
    begin = first_byte(request.headers.get("content-range"), length, row["bytes"])
    part = web.parts.of(sha256)
    try:
        taken = await anyio.to_thread.run_sync(part.take, begin)
        if taken is None:
            raise Conflict("upload_offset", headers={"Upload-Offset": str(part.offset())})
        owner, file = taken
        try:
            await receive(
                request, part, owner, file, room=row["bytes"] - begin, stall_s=web.deps.upload_stall_s
            )
            at = part.offset()
            if at < row["bytes"]:
                return JSONResponse(
                    {"sha256": sha256, "stored": False}, 202, headers={"Upload-Offset": str(at)}
                )
            end = await anyio.to_thread.run_sync(part.finish, owner, file, sha256, row["content_type"])
        finally:
            file.close()
    except TakenOverError as exc:
        raise Conflict("upload_taken_over") from exc
    except OSError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.error("web.evidence_disk_full", sha256=sha256, edge=edge.user)
        raise DiskFull from exc
    if end is not Finish.STORED:
        log.warning("web.evidence_refused", sha256=sha256, edge=edge.user, why=end)
        raise Unusable("other_hash") if end is Finish.OTHER_HASH else Unusable("evidence_type", status=415)
    await anyio.to_thread.run_sync(_commit, web, row, edge.user)
    web.parts.forget(part)
    return JSONResponse({"sha256": sha256, "stored": True}, 201)


def _commit(web: Web, row: dict[str, Any], edge_id: str) -> None:
    with web.deps.pool.connection() as conn:
        _mark_stored(web, conn, row, edge_id)


async def receive(
    request: Request, part: PartFile, owner: int, file: IO[bytes], *, room: int, stall_s: float
) -> None:
    """Write what comes. A broken or silent connection leaves what arrived, for the next try."""
    chunks = request.stream()
    while (chunk := await _next_chunk(chunks, stall_s)) is not None:
        room -= len(chunk)
        if room < 0:
            raise TooLarge("longer_than_announced")
        if chunk:
            await anyio.to_thread.run_sync(functools.partial(part.write, owner, file, chunk))


async def _next_chunk(chunks: AsyncIterator[bytes], stall_s: float) -> bytes | None:
    try:
        return await asyncio.wait_for(anext(chunks), stall_s)
    except StopAsyncIteration:
        return None
    except (TimeoutError, ClientDisconnect) as exc:
        raise WebError("upload_broken", status=408) from exc


@router.get("/{sha256}")
def see(
    request: Request,
    sha256: Sha256,
    reader: Reader,
    original: Annotated[bool, Query(description="the original instead of the blurred copy")] = False,
) -> Response:
    """What this reader is shown of it: the original, or the copy on which faces and plates are hidden.

    Of a photo "original" is the copy that was encoded anew; its sealed bytes leave only in an export.
    """
    web = web_of(request)
    with web.deps.pool.connection() as conn:
        row = _row(conn, sha256)
        if row is None or not _may_see(conn, reader, row):
            raise NotFound("no_evidence")
        if row["stored_at"] is None:
            raise NotFound("evidence_lost" if row["lost_reason"] else "evidence_not_here_yet")
        whole = shown_path_of if row["kind"] == "photo" else path_of
        if not whole(web.deps.data_dir, sha256).is_file():
            log.error("web.evidence_file_missing", sha256=sha256)
            raise NotFound("evidence_file_missing")
        clear = _sees_clearly(reader, row, asked=original)
    path = whole(web.deps.data_dir, sha256) if clear else _copy(web, row)
    copy = "original" if clear else "blurred"
    with web.deps.pool.connection() as conn:
        _note_view(conn, request, sha256, reader, copy, web.deps.clock())
    film = row["content_type"] == MP4 and row["kind"] != "photo"
    return FileResponse(
        path,
        media_type=MP4 if film else JPEG,
        filename=None if clear else f"blurred-{sha256[:16]}{path.suffix}",
        content_disposition_type="inline",
        headers={"Cache-Control": _VIEW_CACHE, "Vary": _VIEW_VARY, "Evidence-Copy": copy},
    )


def _sees_clearly(reader: Principal, row: dict[str, Any], *, asked: bool) -> bool:
    """Whether this reader gets the original. Forbidden if it was asked for by a role that never does."""
    how = sight(reader.role)
    if row["uploaded_by"] == reader.user:  # who took a photo has seen what it shows
        return True
    if asked and how is Sight.BLURRED:
        raise Forbidden("original_not_yours", role=reader.role)
    return how is Sight.CLEAR or (how is Sight.ON_REQUEST and asked)


def _copy(web: Web, row: dict[str, Any]) -> FilePath:
    """The blurred copy's file; WebError if it is not there yet or can't be made: never the original."""
    sha256 = row["sha256"]
    try:
        if row["kind"] == "photo" or row["content_type"] != MP4:
            return web.copies.picture(sha256, photo=row["kind"] == "photo")
        path = web.copies.film(sha256)
    except NoCopyError as exc:
        log.error("web.no_blurred_copy", sha256=sha256, error=str(exc))
        raise NotFound("no_blurred_copy") from exc
    if path is None:
        raise WebError("blurred_copy_coming", status=503, headers={"Retry-After": "5"})
    return path


def _note_view(
    conn: Conn, request: Request, sha256: str, reader: Principal, copy: str, now: datetime
) -> None:
    """An entry for each view. A player asks for a film in many ranges: what follows a view is part of it."""
    if not request.headers.get("range", "bytes=0-").startswith("bytes=0-"):
        seen = conn.execute(
            QUERIES["evidence_viewed_since"],
            {"sha256": sha256, "kind": trail.EVIDENCE_VIEWED, "user": reader.user, "copy": copy,
             "since": now - _SAME_VIEW},
        )  # fmt: skip
        if seen.fetchone() is not None:
            return
    trail.record(conn, trail.EVIDENCE_VIEWED, sha256, reader.user, now, role=reader.role, copy=copy)


def _may_see(conn: Conn, reader: Principal, row: dict[str, Any]) -> bool:
    """The room and the auditor see all; the field sees what belongs to its own dispatches."""
    if reader.role not in _FIELD:
        return True
    holders = conn.execute(
        QUERIES["evidence_alerts"], {"episode": row["episode_id"], "sha256": row["sha256"]}
    ).fetchall()
    return any(is_dispatched_to(conn, holder["alert_id"], reader) for holder in holders)


def is_dispatched_to(conn: Conn, alert_id: object, reader: Principal, *, running: bool = False) -> bool:
    """Whether an alert was sent to this person or team (and still is, if `running`)."""
    found = conn.execute(
        QUERIES["is_dispatched_to"],
        {"alert": alert_id, "user": reader.user, "team": reader.team_id, "running": running},
    )
    return found.fetchone() is not None

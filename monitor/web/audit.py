"""The auditor's page and API: the newest checkpoint, entries, and the export that verifies elsewhere.

Each export is an entry itself, written before the bundle is made, so that the bundle may already hold it.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from monitor.audit import export
from monitor.audit.errors import AuditError
from monitor.domain.roles import Right, may
from monitor.store.pool import Conn
from monitor.web import trail
from monitor.web.access import Guard
from monitor.web.console import names_of
from monitor.web.deps import web_of
from monitor.web.errors import NotFound, Unusable, WebError
from monitor.web.people import Principal
from monitor.web.rendering import render
from monitor.web.sql import QUERIES

log = structlog.get_logger(__name__)
router = APIRouter()
Auditor = Annotated[Principal, Depends(Guard(Right.SEE_AUDIT))]
Exporter = Annotated[Principal, Depends(Guard(Right.EXPORT_AUDIT))]

PAGE = 50
MOST_ENTRIES = 1000
_BIGINT = 2**63 - 1


def newest_head(conn: Conn) -> dict[str, Any] | None:
    """The newest signed tree head."""
    return conn.execute(QUERIES["newest_head"]).fetchone()


def _alert_of(conn: Conn, search: str) -> tuple[str, int | None]:
    """What to search for, and the alert's number if an alert is meant (by its number or its id)."""
    if search.isdecimal() and int(search) <= _BIGINT:
        row = conn.execute(QUERIES["alert_by_number"], {"number": int(search)}).fetchone()
    else:
        row = conn.execute(QUERIES["alert_by_id"], {"alert": _uuid(search)}).fetchone()
    return (str(row["alert_id"]), row["number"]) if row else (search, None)


def _numbers_of(conn: Conn, subjects: list[str]) -> dict[str, int]:
    ids = [found for subject in subjects if (found := _uuid(subject)) is not None]
    rows = conn.execute(QUERIES["numbers_of_alerts"], {"ids": ids}).fetchall()
    return {row["alert_id"]: row["number"] for row in rows}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@router.get("/audit")
def audit_page(
    request: Request,
    me: Auditor,
    search: Annotated[str, Query(max_length=100)] = "",
    before: Annotated[int | None, Query(ge=1, le=_BIGINT)] = None,
) -> Response:
    """Checkpoint, entries by subject and page by page, export."""
    deps = web_of(request).deps
    search = search.replace("\x00", "").strip()
    with deps.pool.connection() as conn:
        wanted, number = _alert_of(conn, search)
        found = conn.execute(
            QUERIES["audit_newest"], {"search": wanted, "before": before, "limit": PAGE + 1}
        ).fetchall()
        entries = found[:PAGE]
        waiting = conn.execute(QUERIES["audit_waiting"]).fetchone()
        values = {
            "head": newest_head(conn),
            "waiting": waiting["waiting"] if waiting else 0,
            "names": names_of(conn, [entry["actor"] for entry in entries]),
            "numbers": _numbers_of(conn, [entry["subject"] for entry in entries]),
        }
    here = request.url.remove_query_params("before").replace(scheme="", netloc="")
    older = str(here.include_query_params(before=entries[-1]["entry_id"])) if len(found) > PAGE else None
    return render(
        request, "audit.html",
        **values,
        entries=entries,
        search=search,
        alert_number=number,
        older=older,
        newer=str(here) if before is not None else None,
        may_export=may(me.role, Right.EXPORT_AUDIT),
    )  # fmt: skip


@router.get("/api/v1/audit/head")
def head(request: Request, me: Auditor) -> dict[str, Any]:
    """The newest checkpoint."""
    with web_of(request).deps.pool.connection() as conn:
        found = newest_head(conn)
    if found is None:
        raise NotFound("no_head")
    return {
        "size": found["size"],
        "root": found["root"],
        "checkpoint": found["checkpoint"],
        "signed_at": found["signed_at"],
    }


@router.get("/api/v1/audit/entries")
def entries(
    request: Request,
    me: Auditor,
    from_: Annotated[int, Query(alias="from", ge=0, le=_BIGINT)] = 0,
    to: Annotated[int | None, Query(ge=0, le=_BIGINT)] = None,
) -> dict[str, Any]:
    """Sequenced entries by their index in the tree: `from` included, `to` not; at most 1,000 at once."""
    last = from_ + MOST_ENTRIES if to is None else to
    if last <= from_:
        raise Unusable("bad_page")
    with web_of(request).deps.pool.connection() as conn:
        found = conn.execute(
            QUERIES["audit_range"], {"from": from_, "to": min(last, _BIGINT), "limit": MOST_ENTRIES}
        ).fetchall()
    return {"entries": found}


@router.get("/api/v1/audit/bundle")
def bundle(request: Request, me: Exporter) -> Response:
    """A zip with everything, which `hcawatch audit verify` checks on any machine."""
    deps = web_of(request).deps
    now = deps.clock()
    with tempfile.NamedTemporaryFile(prefix="hcawatch-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
    try:
        with deps.pool.connection() as conn:
            if newest_head(conn) is None:
                raise NotFound("no_head")
            trail.record(conn, trail.EXPORT, "audit", me.user, now, what="bundle")
        with deps.pool.connection() as conn:
            export.bundle(conn, path)
    except AuditError as exc:
        path.unlink(missing_ok=True)
        log.error("web.export_failed", error=str(exc))
        raise WebError("export_failed", status=500) from exc
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    name = f"hcawatch-audit-{now:%Y%m%d-%H%M%S}.zip"
    return FileResponse(
        path,
        media_type="application/zip",
        filename=name,
        background=BackgroundTask(path.unlink, missing_ok=True),
    )

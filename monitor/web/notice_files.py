"""Pictures on the company's page, and what the company sends with its objection.

The company sees blurred copies of its own case's pictures, never an original; each look is an entry of the audit log that
names the notice. What it sends is checked, sealed by its hash, and shown to the supervisor as copies encoded anew.
"""

import math
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated
from urllib.parse import quote

import anyio.to_thread
import structlog
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.datastructures import UploadFile

from alerts.visiting.checks import CheckRefused
from alerts.visiting.notices import CompanyFile, Notice, NoticeDesk
from monitor.domain.events import sha256_hex
from monitor.domain.roles import Right
from monitor.web import notices, trail
from monitor.web.access import Guard
from monitor.web.checks import refusal
from monitor.web.copies import NoCopyError
from monitor.web.deps import Web, web_of
from monitor.web.errors import NotFound, Unusable, WebError
from monitor.web.pdf_pages import pages_of
from monitor.web.people import Principal
from monitor.web.photos import shown_copy
from monitor.web.throttle import of_file
from monitor.web.uploads import JPEG, MP4, PDF, path_of, shown_path_of, sniff, write_whole

log = structlog.get_logger(__name__)
router = APIRouter()
Decider = Annotated[Principal, Depends(Guard(Right.DECIDE_OBJECTION))]
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]

_CACHE = "private, max-age=300"


# ---------------------------------------------------------------- what the company sees
@router.get("/notice/{code}/pictures/{sha256}")
def picture(request: Request, code: str, sha256: Sha256) -> Response:
    """The blurred copy of one picture of the notice's own case."""
    web, notice = web_of(request), notices.view_of(request, code).notice
    found = NoticeDesk(web.deps.pool).picture(notice, sha256)
    if found is None:
        raise NotFound("no_evidence")
    try:
        path = web.copies.picture(sha256, photo=found.kind == "photo")
    except NoCopyError as exc:
        log.error("web.no_blurred_copy", sha256=sha256, error=str(exc))
        raise NotFound("no_blurred_copy") from exc
    with web.deps.pool.connection() as conn:
        notices.note_look(
            conn, notice, trail.EVIDENCE_VIEWED, sha256, web.deps.clock(), role="company", copy="blurred"
        )
    headers = {"Cache-Control": _CACHE, "Evidence-Copy": "blurred"}
    name = f"blurred-{sha256[:16]}.jpg"
    return FileResponse(
        path, media_type=JPEG, filename=name, content_disposition_type="inline", headers=headers
    )


# ---------------------------------------------------------------- what the company sends
@router.post("/notice/{code}/objection")
async def objection_form(request: Request, code: str) -> Response:
    """Object, with a picture or a PDF if there is one; a refusal is said on the page, and what was typed stays there."""
    view = await anyio.to_thread.run_sync(notices.view_of, request, code)
    # read after the code was found right: nobody without one makes us read a file
    async with request.form(max_files=1, max_fields=4) as form:
        text, file = form.get("text"), form.get("file")
        words = text.replace("\x00", "")[:8000] if isinstance(text, str) else ""
        original = await file.read() if isinstance(file, UploadFile) else b""
    try:
        await _object(web_of(request), view.notice, words, original)
    except CheckRefused as exc:
        return await anyio.to_thread.run_sync(notices.page, request, code, view, words, refusal(exc))
    except WebError as exc:
        return await anyio.to_thread.run_sync(notices.page, request, code, view, words, exc)
    return RedirectResponse(f"/notice/{quote(code)}", 303)


async def _object(web: Web, notice: Notice, text: str, original: bytes) -> None:
    desk = NoticeDesk(web.deps.pool)
    file = None
    if original:
        await anyio.to_thread.run_sync(desk.may_object, notice, text)
        with web.turns.queued():
            await anyio.to_thread.run_sync(_count, web, notice)
            file = await web.turns.run(partial(_keep, web.deps.data_dir, original))
    await anyio.to_thread.run_sync(desk.object, notice, text, web.deps.clock(), file)


def _count(web: Web, notice: Notice) -> None:
    """Before it is looked at, and not taken back: a file that is refused costs as much as one that is kept."""
    wait_s = web.files.take(of_file(notice.notice_id), web.deps.clock()).wait_s
    if wait_s > 0:
        seconds = math.ceil(wait_s)
        raise WebError(
            "file_throttled",
            status=429,
            headers={"Retry-After": str(seconds)},
            minutes=math.ceil(seconds / 60),
        )


def _keep(data_dir: FilePath, original: bytes) -> CompanyFile:
    """Checked, sealed, and with its copies on the disk; Unusable if it is neither a picture nor a PDF that we take."""
    sha256 = sha256_hex(original)
    if sniff(original[:16]) == PDF:
        content_type, copies = PDF, pages_of(original)
    elif sniff(original[:16]) in (None, MP4):
        raise Unusable("company_file", status=415)
    else:
        content_type, copy = shown_copy(original)
        copies = [copy]
    write_whole(path_of(data_dir, sha256), original)
    for number, copy in enumerate(copies, 1):
        write_whole(_copy_path(data_dir, sha256, number), copy)
    return CompanyFile(sha256=sha256, content_type=content_type, bytes=len(original), pages=len(copies))


def _copy_path(data_dir: FilePath, sha256: str, number: int) -> FilePath:
    """Where a copy to look at is; apart from the field's photos, which other people may see."""
    return shown_path_of(data_dir, f"{sha256}-company-{number}")


@router.get("/objections/{objection_id}/file/{number}")
def company_file(request: Request, objection_id: int, number: int, me: Decider) -> Response:
    """One copy of what the company sent: a picture encoded anew, or a PDF's page drawn."""
    web = web_of(request)
    file = NoticeDesk(web.deps.pool).file_of(objection_id) if 0 < objection_id < 2**63 else None
    path = _copy_path(web.deps.data_dir, file.sha256, number) if file and 1 <= number <= file.pages else None
    if file is None or path is None:
        raise NotFound("no_evidence")
    if not path.is_file():
        log.error("web.evidence_file_missing", sha256=file.sha256)
        raise NotFound("evidence_file_missing")
    with web.deps.pool.connection() as conn:
        trail.record(
            conn, trail.EVIDENCE_VIEWED, file.sha256, me.user, web.deps.clock(), role=me.role, copy="encoded anew",
            objection=objection_id, page=number,
        )  # fmt: skip
    return FileResponse(
        path, media_type=JPEG, headers={"Cache-Control": _CACHE, "Vary": "Cookie, Authorization"}
    )

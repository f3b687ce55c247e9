"""The field's photos come in: whole as a form, or by their hash in parts that a broken link does not undo.

A phone that could hash its photo sends `PUT …/photos/{sha256}` with `Content-Range`, piece by piece: the answer names
the byte to go on from, `bytes */N` only asks for it. The same photo again is the same photo. When and where it was
taken is what the phone says; a time that cannot be is not kept.
"""

import errno
import hashlib
import re
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import Annotated, Any, Final

import anyio.to_thread
import structlog
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import UploadFile

from alerts.values import Dispatch
from alerts.views import AlertView
from monitor.domain.events import sha256_hex
from monitor.domain.roles import Right
from monitor.web import trail
from monitor.web.access import Guard
from monitor.web.alerts import view_for
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, Forbidden, TooLarge, Unusable
from monitor.web.evidence import DiskFull, first_byte, is_dispatched_to, receive
from monitor.web.people import Principal
from monitor.web.photos import shown_copy
from monitor.web.sql import QUERIES
from monitor.web.uploads import PartFile, TakenOverError, path_of, shown_path_of, write_whole

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api/v1")
Photographer = Annotated[Principal, Depends(Guard(Right.UPLOAD_PHOTO))]
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]

#: a phone's clock may be a little ahead of the centre's
AHEAD: Final = timedelta(minutes=2)
#: unfinished photos of one person; the one that waited longest goes first, and is begun anew
MOST_PARTS: Final = 60
_ASKS = re.compile(r"^bytes \*/(\d{1,15})$")


class TakenBody(BaseModel):
    """When and where a photo was taken, as the phone says."""

    model_config = ConfigDict(extra="ignore")

    taken_at: AwareDatetime | None = None
    lon: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)

    @model_validator(mode="after")
    def _whole(self) -> "TakenBody":
        if (self.lon is None) != (self.lat is None):
            raise ValueError("a position has both lon and lat")
        return self


Taken = Annotated[TakenBody, Query()]


def believed(said: datetime | None, sent: tuple[Dispatch, ...], now: datetime) -> datetime | None:
    """The phone's time of a photo if it can be: after the first of these dispatches, and not to come. Else None.

    A clock that is a little ahead is put back to `now`.
    """
    if said is None or not sent or said < min(one.dispatched_at for one in sent) or said > now + AHEAD:
        return None
    return min(said, now)


# ---------------------------------------------------------------- whole, as a form
@router.post("/alerts/{alert_id}/photos", status_code=201)
async def upload_photo(request: Request, alert_id: str, me: Photographer) -> JSONResponse:
    """Take a photo of the site: the original is sealed by its hash, pages show a copy encoded anew."""
    # the form is read here and not by a parameter: only after the guard let the sender in
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Unusable("photo_missing")
        try:
            taken = TakenBody.model_validate({k: v for k, v in form.items() if v and isinstance(v, str)})
        except ValidationError as exc:
            raise Unusable("bad_values") from exc
        original = await file.read()
    web = web_of(request)
    view = await anyio.to_thread.run_sync(view_for, web, alert_id, me)
    status, sha256 = await anyio.to_thread.run_sync(_keep, web, view, me, original, taken)
    return JSONResponse({"sha256": sha256}, status)


# ---------------------------------------------------------------- in parts, by its hash
@router.put("/alerts/{alert_id}/photos/{sha256}")
async def upload_part(
    request: Request, alert_id: str, sha256: Sha256, me: Photographer, taken: Taken
) -> JSONResponse:
    """Bring a photo, or the next part of it; 202 and 409 name the byte to go on from (`Upload-Offset`)."""
    web = web_of(request)
    view = await anyio.to_thread.run_sync(view_for, web, alert_id, me)
    if await anyio.to_thread.run_sync(_is_here, web, view, me, sha256):
        return JSONResponse({"sha256": sha256, "stored": True}, 200)
    said = request.headers.get("content-range", "")
    asks = _ASKS.match(said)
    total = (
        int(said.rpartition("/")[2]) if asks or re.fullmatch(r"bytes \d{1,15}-\d{1,15}/\d{1,15}", said) else 0
    )
    if not total:
        raise Unusable("bad_range", status=400)
    if total > web.deps.max_photo_bytes:
        raise TooLarge("too_large", limit=web.deps.max_photo_bytes)
    part = web.parts.at(_part_path(web, view, me, sha256))
    if asks and part.offset() < total:
        return _goes_on(sha256, part)
    length = request.headers.get("content-length", "")
    try:
        if asks:
            # all of it came, and the centre ended before it was stored: nobody can send a piece more
            original = await anyio.to_thread.run_sync(_left_full, part, total)
        else:
            begin = first_byte(said, int(length) if length.isdigit() else None, total)
            original = await _receive(request, web, part, begin, total)
    except TakenOverError as exc:
        raise Conflict("upload_taken_over") from exc
    except OSError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.error("web.photo_disk_full", sha256=sha256, user=me.user)
        raise DiskFull from exc
    if original is None:
        return _goes_on(sha256, part)
    web.parts.forget(part)
    if sha256_hex(original) != sha256:
        raise Unusable("other_hash")
    status, _ = await anyio.to_thread.run_sync(_keep, web, view, me, original, taken)
    return JSONResponse({"sha256": sha256, "stored": True}, status)


def _goes_on(sha256: str, part: PartFile) -> JSONResponse:
    headers = {"Upload-Offset": str(part.offset())}
    return JSONResponse({"sha256": sha256, "stored": False}, 202, headers=headers)


async def _receive(request: Request, web: Web, part: PartFile, begin: int, total: int) -> bytes | None:
    """Write what comes; the whole photo once its last byte is here."""
    if begin == 0:
        await anyio.to_thread.run_sync(_make_room, part.path.parent)
    taken = await anyio.to_thread.run_sync(part.take, begin)
    if taken is None:
        raise Conflict("upload_offset", headers={"Upload-Offset": str(part.offset())})
    owner, file = taken
    try:
        await receive(request, part, owner, file, room=total - begin, stall_s=web.deps.upload_stall_s)
        if part.offset() < total:
            return None
        return await anyio.to_thread.run_sync(part.take_out, owner)
    finally:
        file.close()


def _left_full(part: PartFile, total: int) -> bytes | None:
    taken = part.take(total)
    if taken is None:
        return None
    owner, file = taken
    file.close()
    return part.take_out(owner)


def _part_path(web: Web, view: AlertView, me: Principal, sha256: str) -> FilePath:
    """Where a person's unfinished photo grows: nobody goes on with another's."""
    whose = hashlib.sha256(me.user.encode()).hexdigest()[:16]
    return web.deps.data_dir / "photo-parts" / whose / f"{view.alert.alert_id}-{sha256}.part"


def _make_room(folder: FilePath) -> None:
    parts = sorted(folder.glob("*.part"), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
    for path in parts[: max(0, len(parts) - MOST_PARTS + 1)]:
        path.unlink(missing_ok=True)


# ---------------------------------------------------------------- kept
def _row(web: Web, sha256: str) -> dict[str, Any] | None:
    with web.deps.pool.connection() as conn:
        return conn.execute(QUERIES["evidence_row"], {"sha256": sha256}).fetchone()


def _is_here(web: Web, view: AlertView, me: Principal, sha256: str) -> bool:
    """Whether the photo is stored for this alert: its phone did not hear the answer, and may have been recalled since.

    Conflict if it belongs to another alert, Forbidden if it is new and the dispatch is over.
    """
    row = _row(web, sha256)
    if row is not None:
        if str(row["alert_id"]) != view.alert.alert_id:
            raise Conflict("photo_elsewhere")
        return True
    with web.deps.pool.connection() as conn:
        if not is_dispatched_to(conn, view.alert.alert_id, me, running=True):
            raise Forbidden("no_running_dispatch")
    return False


def _keep(web: Web, view: AlertView, me: Principal, original: bytes, taken: TakenBody) -> tuple[int, str]:
    """Seals the original, makes the copy that pages show, writes row and entry: (HTTP status, SHA-256)."""
    sha256 = sha256_hex(original)
    if _is_here(web, view, me, sha256):
        return 200, sha256
    content_type, copy = shown_copy(original)
    # files first: a row never names what isn't there, and a file without a row hurts nobody
    write_whole(path_of(web.deps.data_dir, sha256), original)
    write_whole(shown_path_of(web.deps.data_dir, sha256), copy)
    now = web.deps.clock()
    mine = tuple(one for one in view.dispatches if one.officer == me.user or one.team_id == me.team_id)
    place = {"taken_at": believed(taken.taken_at, mine, now), "lon": taken.lon, "lat": taken.lat}
    with web.deps.pool.connection() as conn:
        new = conn.execute(
            QUERIES["insert_photo"],
            {"sha256": sha256, "content_type": content_type, "bytes": len(original), "alert": view.alert.alert_id,
             "user": me.user, "footage": view.alert.footage, "now": now, **place},
        ).rowcount  # fmt: skip
        if new:
            said = {name: value for name, value in place.items() if value is not None}
            trail.record(
                conn, trail.PHOTO_STORED, sha256, me.user, now, alert_id=view.alert.alert_id, bytes=len(original), **said
            )  # fmt: skip
            conn.execute("SELECT pg_notify('hcawatch_evidence', %(sha256)s)", {"sha256": sha256})
            conn.execute(
                "SELECT pg_notify('hcawatch_change', %(what)s)", {"what": f"alert:{view.alert.alert_id}"}
            )
    if not new:  # sent twice at the same moment, perhaps for two alerts
        _is_here(web, view, me, sha256)
    return (201 if new else 200), sha256

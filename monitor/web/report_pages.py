"""The pages of reports: the form, the list, and one report with its caller. They lay out.

A form that is not taken comes back with all that was typed, and with what is wrong beside each field. Photos are
read and checked before the report is taken, so that a broken one keeps back nothing that was said.
"""

import secrets
from datetime import datetime
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from alerts.errors import NotFound as NoSuchReport
from alerts.reporting.desk import KeyUsed, Taken
from alerts.reporting.fields import ACTIVITIES, FIELDS, MACHINES, REQUIRED, SIDES, VIAS
from alerts.reporting.texts import fault_text
from alerts.reporting.values import Figures, ReportRow
from monitor.domain.assets import City
from monitor.domain.events import sha256_hex
from monitor.domain.geometry import format_chainage
from monitor.domain.roles import Right, Role, may
from monitor.domain.violations import CATALOGUE
from monitor.web import showing, trail
from monitor.web.access import Guard
from monitor.web.console import names_of
from monitor.web.deps import Web, web_of
from monitor.web.errors import NotFound, WebError
from monitor.web.people import Principal
from monitor.web.photos import shown_copy
from monitor.web.problems import sentence
from monitor.web.rendering import reader_texts, render
from monitor.web.reports import actor_of, desk_of, read_of
from monitor.web.sql import QUERIES
from monitor.web.texts import Texts
from monitor.web.uploads import path_of, shown_path_of, write_whole

router = APIRouter()
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
Reporter = Annotated[Principal, Depends(Guard(Right.REPORT))]
CallerReader = Annotated[Principal, Depends(Guard(Right.SEE_CALLER))]

MOST_PHOTOS = 5
MOST_SHOWN = 200
_FIELD = (Role.OFFICER, Role.PATROL)


@router.get("/report")
def form_page(request: Request, me: Reporter, camera: str = "") -> Response:
    """The empty form; from a camera's place it names the camera."""
    known = any(one.camera_id == camera for one in web_of(request).deps.city.cameras)
    return _form(request, me, {"camera": camera} if known else {}, {}, secrets.token_urlsafe(12))


@router.post("/report")
async def report_form(request: Request, me: Reporter) -> Response:
    """Take a report by form, or say what is wrong and keep what was typed."""
    async with request.form(max_files=MOST_PHOTOS + 1, max_fields=60) as form:
        texts = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [one for one in form.getlist("photos") if isinstance(one, UploadFile)]
        photos = [data for one in files if (data := await one.read())]
    return await anyio.to_thread.run_sync(_take, request, me, texts, photos)


def _take(request: Request, me: Principal, texts: dict[str, str], photos: list[bytes]) -> Response:
    web = web_of(request)
    t = reader_texts(request)
    key = texts.get("key", "")
    if not (1 <= len(key) <= 100 and key.isprintable()):
        key = secrets.token_urlsafe(12)
    # longer texts than any field takes are cut, and so refused
    given: dict[str, str] = {
        str(name): texts[name].replace("\x00", "�")[:3000] for name in FIELDS if name in texts
    }
    read = read_of(web, given, me, key)
    faults = {fault.field: fault_text(fault, t.language) for fault in read.faults}
    copies = _copies(request, photos, faults)
    if read.report is None or faults:
        return _form(request, me, given, faults, key, had_photos=bool(photos))
    try:
        taken = desk_of(web).take(read.report, read.caller, web.deps.clock())
    except KeyUsed as exc:
        used = t("error.report_form_used", number=exc.number)
        fresh = secrets.token_urlsafe(12)
        return _form(request, me, given, {}, fresh, had_photos=bool(photos), problem=used)
    _keep(web, copies, taken, me)
    if me.role in _FIELD:
        return RedirectResponse(f"/field?reported={taken.view.alert.number}", 303)
    return RedirectResponse(f"/alerts/{taken.view.alert.alert_id}", 303)


def _copies(request: Request, photos: list[bytes], faults: dict[str, str]) -> list[tuple[bytes, str, bytes]]:
    """Each photo with its content type and the copy that pages show; what cannot be taken is a fault."""
    t = reader_texts(request)
    if len(photos) > MOST_PHOTOS:
        faults["photos"] = t("error.report_photos", most=MOST_PHOTOS)
        return []
    found = []
    for n, original in enumerate(photos, 1):
        try:
            if len(original) > web_of(request).deps.max_photo_bytes:
                raise WebError("too_large", limit=web_of(request).deps.max_photo_bytes)
            found.append((original, *shown_copy(original)))
        except WebError as exc:
            faults["photos"] = t("error.report_photo", n=n, why=sentence(request, exc))
    return found


def _keep(web: Web, copies: list[tuple[bytes, str, bytes]], taken: Taken, me: Principal) -> None:
    """Files first: a row never names what isn't there. A photo that is here already stays where it is."""
    alert, now = taken.view.alert, web.deps.clock()
    for original, content_type, copy in copies:
        sha256 = sha256_hex(original)
        write_whole(path_of(web.deps.data_dir, sha256), original)
        write_whole(shown_path_of(web.deps.data_dir, sha256), copy)
        row = {"sha256": sha256, "content_type": content_type, "bytes": len(original), "alert": alert.alert_id,
               "user": me.user, "footage": alert.footage, "now": now, "taken_at": None, "lon": None, "lat": None}  # fmt: skip
        with web.deps.pool.connection() as conn:
            if conn.execute(QUERIES["insert_photo"], row).rowcount:
                trail.record(conn, trail.PHOTO_STORED, sha256, me.user, now, alert_id=alert.alert_id,
                             bytes=len(original), report_id=taken.report.report_id)  # fmt: skip
                conn.execute("SELECT pg_notify('hcawatch_evidence', %(sha256)s)", {"sha256": sha256})
                conn.execute("SELECT pg_notify('hcawatch_change', %(what)s)", {"what": f"alert:{alert.alert_id}"})  # fmt: skip


def _form(
    request: Request, me: Principal, given: dict[str, str], faults: dict[str, str], key: str, *, had_photos: bool = False,
    problem: str = "",
) -> Response:  # fmt: skip
    city, t = web_of(request).deps.city, reader_texts(request)
    if faults:
        problem = t("error.report_faulty")
    return render(
        request, "report_form.html", 422 if problem else 200, problem=problem,
        given=given, faults=faults, key=key, required=REQUIRED, had_photos=had_photos, field=me.role in _FIELD,
        via_options=[(one, t(f"via.{one}")) for one in VIAS], violations=[(code, t.of(row.title), t.article(row.article) if row.article else "") for code, row in CATALOGUE.items()],
        pipelines=[(one.pipeline_id, t.of(one.name)) for one in city.pipelines],
        cameras=[(one.camera_id, t.of(one.name)) for one in _cameras_of(me, city)],
        side_options=[(one, t(f"report_form.side_{one}")) for one in SIDES],
        activity_options=[(one, t(f"activity.{one}")) for one in ACTIVITIES],
        machine_options=[(one, t(f"object.{one}")) for one in MACHINES], most_photos=MOST_PHOTOS,
        may_map=may(me.role, Right.SEE_CONSOLE),
    )  # fmt: skip


def _cameras_of(me: Principal, city: City) -> list[Any]:
    """Cameras that this person may name: the field its team's."""
    team = city.team(me.team_id or "")
    if me.role not in _FIELD or team is None or not team.sites:
        return list(city.cameras)
    return [camera for camera in city.cameras if camera.site_id in team.sites]


# ---------------------------------------------------------------- list and one report
@router.get("/reports")
def list_page(request: Request, me: Room) -> Response:
    """People's reports, newest first, with their cases, and what each source's alerts turned out to be."""
    web = web_of(request)
    city, t = web.deps.city, reader_texts(request)
    rows, figures = desk_of(web).list(MOST_SHOWN, web.deps.clock())
    with web.deps.pool.connection() as conn:
        names = names_of(conn, {row.report.entered_by for row in rows})
    return render(
        request, "reports.html",
        rows=[{**report_row(row, city, t), "by": names.get(row.report.entered_by, row.report.entered_by)} for row in rows],
        figures=[_figure(one) for one in figures], may_report=may(me.role, Right.REPORT),
        may_caller=may(me.role, Right.SEE_CALLER), most=MOST_SHOWN,
    )  # fmt: skip


def report_row(row: ReportRow, city: City, t: Texts) -> dict[str, Any]:
    """One report in words."""
    report = row.report
    known = CATALOGUE.get(report.violation)
    camera = next(
        (t.of(c.name) for c in city.cameras if c.camera_id == report.camera_id), report.camera_id or ""
    )
    hca = next((t.of(one.name) for one in city.hcas if one.site_id == report.site_id), report.site_id)
    place = t("report.at_camera", camera=camera)
    if report.chainage_m is not None:
        offset = showing.offset_text(report.offset_m, t) or t("report.side_unknown")
        place = f"{format_chainage(report.chainage_m)} · {offset}"
    return {
        "report": report, "alert_id": row.alert_id, "number": row.number, "level": row.level, "state": row.state,
        "confirmation": row.confirmation, "closing_reason": row.closing_reason, "place": place, "hca": hca,
        "title": t.of(known.title) if known else report.violation,
    }  # fmt: skip


def _figure(one: Figures) -> dict[str, Any]:
    judged = one.confirmed + one.false_alarms
    return {"of": one, "share": round(100 * one.false_alarms / judged) if judged else None}


@router.get("/reports/{report_id}")
def report_page(request: Request, report_id: str, me: CallerReader) -> Response:
    """One report with its caller; that this page was opened stands in the audit log."""
    web = web_of(request)
    city, t = web.deps.city, reader_texts(request)
    now: datetime = web.deps.clock()
    try:
        row, caller = desk_of(web).show(report_id, actor_of(me), now)
    except NoSuchReport as exc:
        raise NotFound("no_report") from exc
    with web.deps.pool.connection() as conn:
        names = names_of(conn, {row.report.entered_by})
    return render(request, "report.html", **report_row(row, city, t), caller=caller,
                  by=names.get(row.report.entered_by, row.report.entered_by))  # fmt: skip

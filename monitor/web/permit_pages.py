"""The pages of permits: the list, one permit, the forms to ask for one and to decide. They lay out."""

import secrets
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from alerts.permitting.desk import SOON
from alerts.permitting.fields import ACTIVITIES, REQUIRED, hours_text, read_permit, written
from alerts.permitting.questions import QuestionDesk
from alerts.permitting.steps import (
    NEEDS_NOTE,
    TABLE,
    Ask,
    PermitError,
    PermitStep,
    steps_for,
)
from alerts.permitting.texts import fault_text
from alerts.values import Permit, PermitState
from monitor.domain.assets import City
from monitor.domain.geometry import Centreline, format_chainage
from monitor.domain.roles import Right, Role, may
from monitor.domain.violations import CATALOGUE
from monitor.web.access import Guard
from monitor.web.console import names_of
from monitor.web.deps import web_of
from monitor.web.errors import NotFound, Unusable, WebError
from monitor.web.notices import stands
from monitor.web.people import Principal
from monitor.web.permits import VIEWS, Reader, View, Words, actor_of, desk_of, new_end, refusal, storable
from monitor.web.problems import sentence
from monitor.web.rendering import reader_texts, render
from monitor.web.sql import QUERIES
from monitor.web.texts import Texts

router = APIRouter()
Asker = Annotated[Principal, Depends(Guard(Right.REQUEST_PERMIT, Right.DECIDE_PERMIT))]

MOST_SHOWN = 200
STRIP_WIDTH = 1000
#: narrower than this nobody sees it
STRIP_LEAST = 8
_PROLONGATION = (PermitStep.ASK_PROLONGATION, PermitStep.PROLONG)


async def form_of(request: Request) -> dict[str, str]:
    """The form's texts; what is ticked more than once is put together."""
    async with request.form(max_files=0, max_fields=100) as form:
        names = dict.fromkeys(name for name, _ in form.multi_items())
        return {
            name: " ".join(text for text in form.getlist(name) if isinstance(text, str)) for name in names
        }


Form = Annotated[dict[str, str], Depends(form_of)]


def strip(permit: Permit, city: City) -> dict[str, Any] | None:
    """The permit on its pipeline, drawn from end to end: HCAs and the permit's stretch, x from 0 to 1000."""
    pipeline = next((one for one in city.pipelines if one.pipeline_id == permit.pipeline_id), None)
    if pipeline is None:
        return None
    chainages = Centreline.of(pipeline.centreline, pipeline.origin_chainage_m).chainages_m
    begin_m, length_m = chainages[0], chainages[-1] - chainages[0]

    def part(from_m: float, to_m: float) -> dict[str, float]:
        low = min(max((from_m - begin_m) / length_m, 0.0), 1.0) * STRIP_WIDTH
        high = min(max((to_m - begin_m) / length_m, 0.0), 1.0) * STRIP_WIDTH
        width = max(high - low, STRIP_LEAST)
        return {"x": round(min(low, STRIP_WIDTH - width), 1), "width": round(width, 1)}

    hcas = [part(hca.from_m, hca.to_m) for hca in city.hcas if hca.pipeline_id == permit.pipeline_id]
    return {"hcas": hcas, "permit": part(permit.from_m, permit.to_m), "begin": format_chainage(begin_m),
            "end": format_chainage(chainages[-1])}  # fmt: skip


def permit_row(permit: Permit, city: City, t: Texts, now: datetime) -> dict[str, Any]:
    """One permit in words."""
    pipelines = {one.pipeline_id: t.of(one.name) for one in city.pipelines}
    running = permit.state is PermitState.APPROVED and permit.valid_from <= now <= permit.valid_to
    return {
        "permit": permit, "strip": strip(permit, city), "pipeline": pipelines.get(permit.pipeline_id, permit.pipeline_id),
        "place": f"{format_chainage(permit.from_m)} – {format_chainage(permit.to_m)}",
        "works": [t.of(CATALOGUE[code].title) if code in CATALOGUE else code for code in permit.kinds],
        "window": t("permit.window", begin=minute(permit.valid_from, t), end=minute(permit.valid_to, t)),
        "running": running, "ending": running and permit.valid_to - now <= SOON,
        "coming": permit.state is PermitState.APPROVED and now < permit.valid_from,
        "ends_in": t.lasting((permit.valid_to - now).total_seconds()),
        "starts_in": t.lasting((permit.valid_from - now).total_seconds()),
        "prolong_to": minute(permit.prolong_to, t) if permit.prolong_to else "",
    }  # fmt: skip


def minute(at: datetime, t: Texts) -> str:
    """A time in the city's zone, to the minute."""
    return t.time(at)[:16]


@router.get("/permits")
def permits_page(request: Request, me: Reader, view: View = "", text: Words = "") -> Response:
    """Permits by what runs, comes, ends soon, waits for a decision or was breached; a holder's own."""
    web = web_of(request)
    city, t, now = web.deps.city, reader_texts(request), web.deps.clock()
    desk = desk_of(web)
    found = desk.list_permits(actor_of(me), now, view, text.strip(), MOST_SHOWN + 1)
    breached = desk.breached(now)
    return render(
        request, "permits.html",
        rows=[
            {**permit_row(permit, city, t, now), "breached": permit.permit_number in breached}
            for permit in found[:MOST_SHOWN]
        ],
        more=len(found) > MOST_SHOWN, most=MOST_SHOWN, view=view, views=VIEWS, text=text, mine=me.role is Role.HOLDER,
        may_ask=may(me.role, Right.REQUEST_PERMIT), may_decide=may(me.role, Right.DECIDE_PERMIT),
    )  # fmt: skip


@router.get("/permits/{number}")
def permit_page(request: Request, number: str, me: Reader) -> Response:
    """One permit: what it allows, its history, its alerts, and what the reader may do."""
    return page(request, number, me)


def page(
    request: Request, number: str, me: Principal, problem: WebError | None = None, asked: str = ""
) -> Response:
    """The permit's page; `problem` is why a step was refused, `asked` what was typed as a question."""
    web = web_of(request)
    city, t, now = web.deps.city, reader_texts(request), web.deps.clock()
    try:
        view = desk_of(web).view(storable(number), actor_of(me))
    except PermitError as exc:
        raise refusal(exc) from exc
    permit = view.permit
    desk = QuestionDesk(web.deps.pool)
    questions = desk.of_permit(permit.permit_number)
    people = {move.actor for move in view.moves} | {one.answered_by for one in questions} | {permit.holder}
    with web.deps.pool.connection() as conn:
        names = names_of(conn, {one for one in people if one})
    low, high = permit.from_offset_m, permit.to_offset_m
    offsets = {"begin": "…" if low is None else f"{low:g}", "end": "…" if high is None else f"{high:g}"}
    change = TABLE.get((permit.state, PermitStep.CHANGE))
    return render(
        request, "permit.html", problem.status if problem else 200,
        **permit_row(permit, city, t, now),
        hours=hours_text(permit.hours), offset=t("permit.offset_range", **offsets) if (low, high) != (None, None) else "",
        lowers=[CATALOGUE[code].permit == "approval" for code in permit.kinds if code in CATALOGUE],
        moves=view.moves, names=names,
        alerts=[
            {"alert": alert, "breaks": alert.breaks(permit.permit_number),
             "title": t.of(CATALOGUE[alert.violation].title) if alert.violation in CATALOGUE else alert.violation,
             "stands": "record" if alert.state == "supervised" else stands(alert.state, alert.closing_reason)}
            for alert in view.alerts
        ],
        looks=desk.looks(permit.permit_number), questions=questions, asked=asked,
        may_question=may(me.role, Right.ASK_ABOUT_PERMIT), mine=me.role is Role.HOLDER,
        steps=[step.value for step in steps_for(permit, actor_of(me), now)],
        needs_note=NEEDS_NOTE, with_until=_PROLONGATION, key=secrets.token_urlsafe(12),
        until=(permit.prolong_to or permit.valid_to).astimezone(t.zone).strftime("%Y-%m-%dT%H:%M"),
        may_change=change is not None and me.role in change[1], may_console=may(me.role, Right.SEE_CONSOLE),
        problem=sentence(request, problem) if problem else "",
    )  # fmt: skip


@router.post("/permits/{number}/steps")
def step_form(request: Request, number: str, me: Asker, form: Form) -> Response:
    """Take a step by form; a refusal is said on the permit's page."""
    web = web_of(request)
    t = reader_texts(request)
    try:
        step = PermitStep(form.get("step", ""))
        version = int(form.get("version", "")[:9])
    except ValueError as exc:
        raise Unusable("bad_values") from exc
    note, key = form.get("note", ""), form.get("key", "")
    if not (_clean(note, 2000) and 1 <= len(key) <= 100 and key.isprintable()) or step is PermitStep.CHANGE:
        raise Unusable("bad_values")
    try:
        until = new_end(form.get("until", "")[:40], t.zone) if step in _PROLONGATION else None
    except Unusable as exc:
        return page(request, number, me, exc)
    ask = Ask(step=step, actor=actor_of(me), note=note, until=until, version=version, idempotency_key=key)
    try:
        desk_of(web).ask(storable(number), ask, web.deps.clock())
    except PermitError as exc:
        problem = refusal(exc)
        if isinstance(problem, NotFound):
            raise problem from exc
        return page(request, number, me, problem)
    return RedirectResponse(f"/permits/{quote(number)}", 303)


# ---------------------------------------------------------------- the form
@router.get("/permit-request")
def request_page(request: Request, me: Asker) -> Response:
    """The empty form."""
    return _form(request, me, {}, {})


@router.post("/permit-request")
def request_form(request: Request, me: Asker, form: Form) -> Response:
    """Ask for a permit or register one; faults are said beside their fields."""
    web = web_of(request)
    register = may(me.role, Right.DECIDE_PERMIT)
    given = _given(form)
    content, faults = read_permit(given, web.deps.city)
    t = reader_texts(request)
    if content is None:
        return _form(request, me, given, {f.field: fault_text(f, t.language) for f in faults})
    step = PermitStep.REGISTER if register else PermitStep.REQUEST
    try:
        permit, _ = desk_of(web).create(Ask(step=step, actor=actor_of(me), content=content), web.deps.clock())
    except PermitError as exc:
        field = "holder" if exc.key == "field_holder" else "number"
        return _form(request, me, given, {field: sentence(request, refusal(exc))})
    return RedirectResponse(f"/permits/{quote(permit.permit_number)}", 303)


@router.get("/permits/{number}/change")
def change_page(request: Request, number: str, me: Asker) -> Response:
    """The form, filled with what stands there."""
    web = web_of(request)
    try:
        permit = desk_of(web).view(storable(number), actor_of(me)).permit
    except PermitError as exc:
        raise refusal(exc) from exc
    given = {**written(permit, reader_texts(request).zone), "version": str(permit.version)}
    return _form(request, me, given, {}, number)


@router.post("/permits/{number}/change")
def change_form(request: Request, number: str, me: Asker, form: Form) -> Response:
    """Change a permit: all its fields at once."""
    web = web_of(request)
    t = reader_texts(request)
    given = {**_given(form), "number": number}
    content, faults = read_permit(given, web.deps.city)
    given["version"] = form.get("version", "")
    if content is None:
        return _form(request, me, given, {f.field: fault_text(f, t.language) for f in faults}, number)
    try:
        version = int(given["version"][:9])
    except ValueError as exc:
        raise Unusable("bad_values") from exc
    ask = Ask(step=PermitStep.CHANGE, actor=actor_of(me), content=content, version=version)
    try:
        desk_of(web).ask(storable(number), ask, web.deps.clock())
    except PermitError as exc:
        problem = refusal(exc)
        if isinstance(problem, NotFound):
            raise problem from exc
        return _form(request, me, given, {"number": sentence(request, problem)}, number)
    return RedirectResponse(f"/permits/{quote(number)}", 303)


def _form(
    request: Request, me: Principal, given: dict[str, str], faults: dict[str, str], number: str = ""
) -> Response:
    web = web_of(request)
    city, t = web.deps.city, reader_texts(request)
    with web.deps.pool.connection() as conn:
        holders = conn.execute(QUERIES["holders"]).fetchall() if may(me.role, Right.DECIDE_PERMIT) else []
    return render(
        request, "permit_form.html", 422 if faults else 200,
        given=given, faults=faults, number=number, required=REQUIRED, register=may(me.role, Right.DECIDE_PERMIT),
        pipelines=[(one.pipeline_id, t.of(one.name)) for one in city.pipelines], holders=holders,
        works=[(code, t.of(row.title), row.permit == "approval")
               for code, row in sorted(CATALOGUE.items(), key=lambda item: item[1].permit != "approval") if row.article],
        activities=ACTIVITIES, chosen=given.get("works", "").split(), active=given.get("activities", "").split(),
    )  # fmt: skip


def _given(form: dict[str, str]) -> dict[str, str]:
    """The form's fields as the desk reads them; longer texts than any field takes are cut, and so refused."""
    return {name: text.replace("\x00", "\ufffd")[:2000] for name, text in form.items() if name != "version"}


def _clean(text: str, most: int) -> bool:
    return "\x00" not in text and len(text) <= most

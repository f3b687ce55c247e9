"""Shelves: the page where they are begun, seen and ended, and the same as an API. What may be shelved is
alerts.calm's."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from alerts import errors as loop_errors
from alerts.calm.desk import ShelfDesk, ShelfView
from alerts.calm.messages import title
from alerts.calm.shelves import (
    Scope,
    Shelf,
    ShelfAsk,
    ShelfForbidden,
    ShelfNotFound,
    ShelfReason,
    ShelfRefused,
    may_shelve,
    most_s,
)
from alerts.postgres_book import PostgresAlertBook
from alerts.values import Actor, Alert
from monitor.domain.levels import Level
from monitor.domain.roles import Right
from monitor.domain.violations import CATALOGUE
from monitor.web import showing
from monitor.web.access import Guard
from monitor.web.console import names_of
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, Forbidden, NotFound, Unusable, WebError
from monitor.web.people import Principal
from monitor.web.permit_pages import Form
from monitor.web.problems import sentence
from monitor.web.rendering import reader_texts, render

router = APIRouter()
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
Shelver = Annotated[Principal, Depends(Guard(Right.SHELVE))]
Text = Annotated[str, Query(max_length=100, pattern="^[^\\x00]*$")]

#: the state of things is another than the caller believes
_CONFLICTS = frozenset(
    {"shelf_stands_already", "shelf_is_over", "shelf_alert_closed", "shelf_alert_under_way"}
)
#: fields of the form
_EMPTY = dict.fromkeys(("camera_id", "violation", "worst", "reason", "note"), "")
#: hours that the form offers first
_FIRST_H = 2


def desk_of(web: Web) -> ShelfDesk:
    """The shelves' desk over the web's database."""
    return ShelfDesk(PostgresAlertBook(web.deps.pool), web.deps.city, web.deps.engine.policy)


def refusal(exc: ShelfRefused) -> WebError:
    """Why nothing was shelved or ended, as a sentence (`error.<key>`)."""
    if isinstance(exc, ShelfNotFound):
        return NotFound("shelf_unknown")
    if isinstance(exc, ShelfForbidden):
        return Forbidden(exc.key, **exc.facts)
    return Conflict(exc.key, **exc.facts) if exc.key in _CONFLICTS else Unusable(exc.key, **exc.facts)


def _actor(me: Principal) -> Actor:
    return Actor(user=me.user, role=me.role, team_id=me.team_id)


class ShelfBody(BaseModel):
    """A shelf as it is asked for."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope
    camera_id: str | None = Field(None, max_length=100)
    violation: str | None = Field(None, max_length=100)
    alert_id: str | None = Field(None, max_length=100)
    worst: Level = Level.III
    reason: ShelfReason
    note: str = Field(max_length=2000)
    #: with a zone, or the city's time
    until: str = Field(max_length=40)


def _ask(body: ShelfBody, me: Principal, request: Request) -> ShelfAsk:
    texts = (body.camera_id, body.violation, body.alert_id, body.note, body.until)
    if any("\x00" in text for text in texts if text):
        raise Unusable("bad_values")
    try:
        until = datetime.fromisoformat(body.until)
        if until.tzinfo is None:
            until = until.replace(tzinfo=reader_texts(request).zone)
        until = until.astimezone(web_of(request).deps.clock().tzinfo)
    except (ValueError, OverflowError) as exc:
        raise Unusable("shelf_bad_time") from exc
    return ShelfAsk(
        actor=_actor(me), scope=body.scope, camera_id=body.camera_id or None, violation=body.violation or None,
        alert_id=body.alert_id or None, worst=body.worst, reason=body.reason, note=body.note, until_at=until,
    )  # fmt: skip


# ---------------------------------------------------------------- the API
def shelf_json(view: ShelfView) -> dict[str, Any]:
    """A shelf with the alerts that it holds, or held last."""
    names = (
        "alert_id",
        "number",
        "kind",
        "level",
        "state",
        "violation",
        "health",
        "held_by",
        "rung_at",
        "closed_at",
    )
    alerts = [{name: showing.plain(getattr(alert, name)) for name in names} for alert in view.alerts]
    return {**showing.plain(view.shelf), "alerts": alerts}


@router.get("/api/v1/shelves")
def list_shelves(request: Request, me: Room) -> dict[str, Any]:
    """What stands, and what ended lately with what came meanwhile."""
    web = web_of(request)
    desk = desk_of(web)
    return {
        "now": web.deps.clock(), "running": [shelf_json(view) for view in desk.running()],
        "ended": [shelf_json(view) for view in desk.ended()],
    }  # fmt: skip


@router.post("/api/v1/shelves", status_code=201)
def begin_api(request: Request, body: ShelfBody, me: Shelver) -> JSONResponse:
    """Shelve a source; level I goes through it."""
    web = web_of(request)
    shelf = _begin(web, _ask(body, me, request))
    return JSONResponse(shelf_json(desk_of(web).view(shelf.shelf_id)), 201)


class EndBody(BaseModel):
    """Why it ends before its time."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=500, pattern="^[^\\x00]*$")


@router.post("/api/v1/shelves/{shelf_id}/end")
def end_api(request: Request, shelf_id: str, body: EndBody, me: Shelver) -> dict[str, Any]:
    """End it now: what is still there rings."""
    web = web_of(request)
    _end(web, shelf_id, me, body.note)
    return shelf_json(desk_of(web).view(shelf_id))


def _begin(web: Web, ask: ShelfAsk) -> Shelf:
    try:
        return desk_of(web).shelve(ask, web.deps.clock())
    except ShelfRefused as exc:
        raise refusal(exc) from exc
    except loop_errors.Conflict as exc:
        raise Conflict("changed_meanwhile") from exc


def _end(web: Web, shelf_id: str, me: Principal, note: str) -> None:
    try:
        desk_of(web).end(shelf_id, _actor(me), note, web.deps.clock())
    except ShelfRefused as exc:
        raise refusal(exc) from exc
    except loop_errors.Conflict as exc:
        raise Conflict("changed_meanwhile") from exc


# ---------------------------------------------------------------- the page
@router.get("/shelves")
def shelves_page(request: Request, me: Room, camera: Text = "", alert: Text = "") -> Response:
    """What is shelved, by whom, why and until when; the form; and what came while others stood."""
    return _page(request, me, {"camera_id": camera, "alert_id": alert})


@router.post("/shelves")
def begin_form(request: Request, me: Shelver, form: Form) -> Response:
    """Shelve by form; a refusal is said beside what was written."""
    web = web_of(request)
    given = {name: text.replace("\x00", "\ufffd")[:2000] for name, text in form.items()}
    try:
        scope = "alert" if given.get("alert_id") else "rule" if given.get("violation") else "camera"
        try:
            body = ShelfBody.model_validate({**{n: t for n, t in given.items() if t}, "scope": scope})
        except ValueError as exc:
            raise Unusable("bad_values") from exc
        _begin(web, _ask(body, me, request))
    except WebError as exc:
        return _page(request, me, given, exc)
    return RedirectResponse("/shelves", 303)


@router.post("/shelves/{shelf_id}/end")
def end_form(request: Request, shelf_id: str, me: Shelver, form: Form) -> Response:
    """End a shelf by form."""
    web = web_of(request)
    try:
        _end(web, shelf_id, me, form.get("note", "").replace("\x00", "\ufffd"))
    except Conflict as exc:
        return _page(request, me, {}, exc)
    return RedirectResponse("/shelves", 303)


def _page(
    request: Request, me: Principal, given: dict[str, str], problem: WebError | None = None
) -> Response:
    web = web_of(request)
    city, t, now = web.deps.city, reader_texts(request), web.deps.clock()
    desk, calm = desk_of(web), web.deps.engine.policy.calm
    running, ended = desk.running(), desk.ended()
    one = _alert_of(web, given.get("alert_id", ""))
    worst = [level for level in (Level.IV, Level.III, Level.II) if may_shelve(me.role, level)]
    allowed = bool(worst) and (one is None or may_shelve(me.role, one.level))
    longest = {level.value: f"{most_s(level, calm) / 3600:g}" for level in (Level.II, Level.III, Level.IV)}
    until = (now + timedelta(hours=_FIRST_H)).astimezone(t.zone)
    with web.deps.pool.connection() as conn:
        people = {v.shelf.shelved_by for v in (*running, *ended)} | {v.shelf.ended_by or "" for v in ended}
        names = names_of(conn, people)
    return render(
        request, "shelves.html", problem.status if problem else 200,
        running=[_row(view, t.of(title(view.shelf, city)), me) for view in running],
        ended=[_row(view, t.of(title(view.shelf, city)), me) for view in ended],
        names=names, given={**_EMPTY, "until": until.strftime("%Y-%m-%dT%H:%M"), **{n: x for n, x in given.items() if x}},
        alert=one, allowed=allowed, worst=[level.value for level in worst], longest=longest,
        cameras=[(camera.camera_id, t.of(camera.name, camera.camera_id)) for camera in city.cameras],
        violations=sorted((code, t.of(row.title)) for code, row in CATALOGUE.items()),
        reasons=[reason.value for reason in ShelfReason],
        whats={code: t.of(row.title) for code, row in CATALOGUE.items()},
        problem=sentence(request, problem) if problem else "",
    )  # fmt: skip


def _alert_of(web: Web, alert_id: str) -> Alert | None:
    if not alert_id:
        return None
    try:
        return web.deps.engine.view(alert_id).alert
    except loop_errors.NotFound as exc:
        raise NotFound("no_alert") from exc


def _row(view: ShelfView, name: str, me: Principal) -> dict[str, Any]:
    alerts = sorted(view.alerts, key=lambda alert: alert.number)
    return {
        "shelf": view.shelf, "title": name, "may_end": may_shelve(me.role, view.shelf.worst),
        "held": [alert for alert in alerts if alert.held_by is not None and alert.closed_at is None],
        "rang": [alert for alert in alerts if alert.held_by is None and alert.closed_at is None],
        "closed": [alert for alert in alerts if alert.closed_at is not None],
    }  # fmt: skip

"""The API of alerts: the map, lists, one alert, and steps.

What a step means is the alert module's decision; here its refusals become sentences. The field sees and
touches only alerts that were sent to its own team.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts import errors as loop_errors
from alerts.lifecycle import AlertKind, IllegalStep, Incomplete, NotAllowed, State, Step
from alerts.steps import FIELD_STEPS
from alerts.values import Actor
from alerts.views import AlertView
from alerts.visiting.checks import asked_before_resolving
from alerts.visiting.desk import VisitDesk
from monitor.domain.roles import Right, Role, may
from monitor.web import geo, showing
from monitor.web.access import Guard
from monitor.web.cameras import cameras
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, Forbidden, NotFound, Unusable, WebError
from monitor.web.evidence import is_dispatched_to
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts
from monitor.web.running import MOST_RUNNING

router = APIRouter(prefix="/api/v1")

Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
Anybody = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE, Right.SEE_FIELD))]
FieldReader = Annotated[Principal, Depends(Guard(Right.SEE_FIELD))]
Stepper = Annotated[Principal, Depends(Guard(Right.TAKE_STEP))]

_FIELD = (Role.OFFICER, Role.PATROL)


def view_for(web: Web, alert_id: str, me: Principal) -> AlertView:
    """The alert if this reader may see it; else NotFound, so that ids can't be probed."""
    try:
        view = web.deps.engine.view(alert_id)
    except loop_errors.NotFound as exc:
        raise NotFound("no_alert") from exc
    if not may(me.role, Right.SEE_CONSOLE):
        with web.deps.pool.connection() as conn:
            if not is_dispatched_to(conn, view.alert.alert_id, me):
                raise NotFound("no_alert")
    return view


@router.get("/map")
def city_map(request: Request, me: Room) -> dict[str, Any]:
    """Pipelines, HCAs, cameras with their state and running alerts."""
    deps = web_of(request).deps
    features = geo.assets(deps.city)
    with deps.pool.connection() as conn:
        known = {camera["camera_id"]: camera for camera in cameras(conn, deps.city, deps.clock())}
    for camera in deps.city.cameras:
        place, surveyed = geo.camera_place(camera, deps.city)
        state = known[camera.camera_id]
        features.append(
            geo.feature(geo.point(place), kind="camera", id=camera.camera_id, name=camera.name, surveyed=surveyed,
                        state=state["state"], watching=state["watching"], site_id=camera.site_id,
                        footage=camera.footage)
        )  # fmt: skip
    shown = [
        row for held in (True, False) for row in deps.engine.urgent_alerts(held=held, limit=MOST_RUNNING)
    ]
    for item in sorted(shown, key=lambda row: -row.alert.number):
        fields = showing.plain(item.alert)
        found = geo.alert_place(fields, deps.city)
        if found is not None:
            features.append(
                geo.feature(geo.point(found[0]), kind="alert", placed_by=found[1], title=item.title,
                            **{name: fields[name] for name in ("alert_id", "number", "level", "state", "footage")},
                            alert_kind=fields["kind"])
            )  # fmt: skip
    return {
        **geo.collection(features),
        "name": deps.city.name,
        "made_up": deps.city.made_up,
        "now": deps.clock(),
    }


@router.get("/alerts")
def list_alerts(
    request: Request,
    me: Room,
    state: State | None = None,
    kind: AlertKind | None = None,
    running: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Alerts, newest first."""
    deps = web_of(request).deps
    rows = deps.engine.list_alerts(state=state, kind=kind, running=running, limit=limit)
    return {"now": deps.clock(), "alerts": [showing.row_json(item) for item in rows]}


@router.get("/alerts/{alert_id}")
def one_alert(request: Request, alert_id: str, me: Anybody) -> dict[str, Any]:
    """All of one alert."""
    web = web_of(request)
    view = view_for(web, alert_id, me)
    desk = VisitDesk(web.deps.pool, web.deps.city, web.deps.engine)
    return {
        "now": web.deps.clock(),
        **showing.alert_json(view, me, web.deps.city),
        "checklist": [showing.plain(line) for line in desk.lines(view.alert)],
        "along": [showing.plain(one) for one in desk.checks_of(view.alert.alert_id)],
    }


@router.get("/dispatches")
def dispatches(request: Request, me: FieldReader) -> dict[str, Any]:
    """Running dispatches of the caller, or all for the room."""
    deps = web_of(request).deps
    found = deps.engine.dispatches_for(me.user if me.role in _FIELD else None)
    return {"now": deps.clock(), "dispatches": [showing.dispatch_json(item) for item in found]}


class StepBody(BaseModel):
    """A step as it is asked for."""

    model_config = ConfigDict(extra="ignore")

    step: Step
    note: str = Field("", max_length=2000)
    lon: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)
    attachments: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field([], max_length=50)
    reason: str = Field("", max_length=40)
    #: of a false alarm
    cause: str = Field("", max_length=40)
    #: items of the checklist that stay open when the case is put right; the note says why
    left_open: list[Annotated[str, Field(max_length=120)]] = Field([], max_length=100)
    #: the dispatch that the step was meant for, if it was pressed without a link: it may be another one by now
    dispatch: str = Field("", max_length=40)

    @model_validator(mode="after")
    def _whole(self) -> "StepBody":
        if (self.lon is None) != (self.lat is None):
            raise ValueError("a position has both lon and lat")
        if "\x00" in self.note + self.reason + self.cause:
            raise ValueError("text without NUL characters")
        return self


@router.post("/alerts/{alert_id}/steps")
def take_step(
    request: Request,
    alert_id: str,
    body: StepBody,
    me: Stepper,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Take a step; 409 says in a sentence why it can't be taken now."""
    web = web_of(request)
    if idempotency_key is not None and not (
        1 <= len(idempotency_key) <= 100 and idempotency_key.isprintable()
    ):
        raise Unusable("bad_key", status=400)
    before = view_for(web, alert_id, me)
    _same_dispatch(before, body, idempotency_key)
    _ask_for_checklist(request, before, body, idempotency_key)
    try:
        after = web.deps.engine.step(
            before.alert.alert_id, body.step, Actor(user=me.user, role=me.role, team_id=me.team_id), web.deps.clock(),
            note=body.note.strip(), lon=body.lon, lat=body.lat, attachments=tuple(body.attachments),
            reason=body.reason, cause=body.cause, idempotency_key=idempotency_key,
        )  # fmt: skip
    except (IllegalStep, NotAllowed, loop_errors.AlertsError) as exc:
        raise refusal(exc, body.step, view_for(web, alert_id, me), me) from exc
    return {"now": web.deps.clock(), **showing.alert_json(after, me, web.deps.city)}


def _known(view: AlertView, key: str | None) -> bool:
    """Whether the step of that key was taken: it is answered as it was then."""
    return bool(key) and any(move.idempotency_key == key for move in view.transitions)


def _same_dispatch(view: AlertView, body: StepBody, key: str | None) -> None:
    """What was pressed on one visit says nothing of the next: the case may have been reopened meanwhile."""
    running = view.running
    if (
        body.dispatch
        and running is not None
        and running.dispatch_id != body.dispatch
        and not _known(view, key)
    ):
        raise Conflict("other_dispatch", step=body.step)


def _ask_for_checklist(request: Request, view: AlertView, body: StepBody, key: str | None) -> None:
    """Before a case counts as put right: its checklist is answered, or left open by name and with a reason."""
    if body.step is not Step.RESOLVE or not body.reason or _known(view, key):
        return
    web, t = web_of(request), reader_texts(request)
    desk = VisitDesk(web.deps.pool, web.deps.city, web.deps.engine)
    asked = asked_before_resolving(desk.lines(view.alert), body.reason, body.left_open, body.note)
    if asked and view.alert.state is State.EVIDENCE_COLLECTED:
        gap = "; " if t.language == "en" else "；"
        raise Conflict("checklist_open", items=gap.join(t.of(item.text) for item in asked))


def refusal(exc: Exception, step: Step, view: AlertView, me: Principal) -> WebError:
    """Why a step was refused, as a sentence."""
    alert = view.alert
    if isinstance(exc, Incomplete):
        key = {
            Step.COLLECT: "collect_needs_photo",
            Step.DISPATCH: "nobody_to_send",
            Step.REOPEN: "nobody_to_send",
        }
        return Conflict(exc.key or key.get(step, "incomplete_step"), step=step)
    if isinstance(exc, IllegalStep):
        return Conflict("illegal_step", state=alert.state, step=step)
    if isinstance(exc, NotAllowed):
        if step in (Step.VERIFY, Step.REOPEN) and me.user == alert.resolved_by:
            return Forbidden("own_resolution")
        if step is Step.DISMISS and me.role is Role.OPERATOR:
            return Forbidden("dismiss_supervisor", level=alert.level)
        return Forbidden(
            "not_your_dispatch" if step in FIELD_STEPS and me.role in _FIELD else "not_allowed_step"
        )
    if isinstance(exc, loop_errors.NotFound):
        return NotFound("no_alert")
    if isinstance(exc, loop_errors.Conflict):
        return Conflict("changed_meanwhile")
    if isinstance(exc, loop_errors.Unusable):
        return Unusable("bad_values")
    raise exc

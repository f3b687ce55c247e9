"""The field's pages, for a phone held in one hand: the officer's dispatches, and one of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from alerts.steps import FIELD_STEPS
from alerts.views import AlertView, DispatchView
from monitor.domain.roles import Right, Role, may
from monitor.web import showing
from monitor.web.access import Guard
from monitor.web.alerts import view_for
from monitor.web.console import alert_values, names_of
from monitor.web.deps import web_of
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts, render

router = APIRouter()
FieldReader = Annotated[Principal, Depends(Guard(Right.SEE_FIELD))]
_FIELD = (Role.OFFICER, Role.PATROL)
#: from arrival on, photos are taken
_PHOTO_STATES = ("on_site", "evidence_collected")


@router.get("/field")
def dispatches_page(request: Request, me: FieldReader) -> Response:
    """The officer's running dispatches; all of them for the room."""
    deps = web_of(request).deps
    t = reader_texts(request)
    found = deps.engine.dispatches_for(me.user if me.role in _FIELD else None)
    rows = [showing.dispatch_row(item, deps.city, t) for item in found]
    with deps.pool.connection() as conn:
        names = names_of(conn, [row["officer"] for row in rows])
    push_key = deps.push.public if deps.push is not None else ""
    return render(request, "field.html", rows=rows, names=names, push_key=push_key)


def _due_at(view: AlertView, running: Iterable[DispatchView]) -> datetime | None:
    """The deadline of the officer who is on the way to this alert."""
    return next((one.due_at for one in running if one.alert.alert_id == view.alert.alert_id), None)


@router.get("/field/{alert_id}")
def dispatch_page(request: Request, alert_id: str, me: FieldReader) -> Response:
    """One dispatch: where, what, and the next step as a big button."""
    web = web_of(request)
    view = view_for(web, alert_id, me)
    with web.deps.pool.connection() as conn:
        values = alert_values(view, web.deps.city, conn, request, me)
    mine = view.running is not None and view.running.officer == me.user
    return render(
        request, "field_alert.html",
        **values,
        next_steps=[step for step in values["steps"] if step in FIELD_STEPS],
        mine=mine or view.running is None,
        due_at=_due_at(view, web.deps.engine.dispatches_for(view.running.officer)) if view.running else None,
        officer=view.running.officer if view.running else "",
        may_photo=mine and may(me.role, Right.UPLOAD_PHOTO) and view.alert.state in _PHOTO_STATES,
        may_lie_within=any(reason.key == "may_lie_within" for reason in view.alert.reasons),
    )  # fmt: skip

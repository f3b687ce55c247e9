"""The field's pages, for a phone held in one hand: the officer's dispatches, and one of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerts.steps import FIELD_STEPS
from alerts.values import Alert
from alerts.views import AlertView, DispatchView
from alerts.visiting.texts import LOOKED
from monitor.domain.datums import to_gcj02
from monitor.domain.roles import Right, Role, may
from monitor.web import checks, showing
from monitor.web.access import Guard
from monitor.web.alerts import view_for
from monitor.web.console import alert_values, names_of
from monitor.web.deps import web_of
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts, render

router = APIRouter()
FieldReader = Annotated[Principal, Depends(Guard(Right.SEE_FIELD))]
_FIELD = (Role.OFFICER, Role.PATROL)
#: from arrival on, photos are taken and the checklist is filled in
_ON_SITE = ("on_site", "evidence_collected")
#: an officer's steps in their order, each with the state that it starts from: a phone without a link goes on with them
CHAIN = (
    ("accept", "dispatched"), ("depart", "accepted"), ("arrive", "en_route"), ("collect", "on_site"),
    ("resolve", "evidence_collected"),
)  # fmt: skip
_ON_THE_WAY = tuple(step for step, since in CHAIN if since not in _ON_SITE)
_WAY_STATES = tuple(since for _, since in CHAIN if since not in _ON_SITE)


def ahead_of(state: str) -> tuple[tuple[str, str], ...]:
    """(step, state that it starts from) of all that an officer has still to do; empty if nothing runs.

    >>> ahead_of("on_site")
    (('collect', 'on_site'), ('resolve', 'evidence_collected'))
    """
    at = next((n for n, (_, since) in enumerate(CHAIN) if since == state), len(CHAIN))
    return CHAIN[at:]


@router.get("/field")
def dispatches_page(
    request: Request, me: FieldReader, reported: Annotated[int | None, Query(ge=1, le=2**62)] = None
) -> Response:
    """The officer's running dispatches; all of them for the room."""
    deps = web_of(request).deps
    t = reader_texts(request)
    found = deps.engine.dispatches_for(me.user if me.role in _FIELD else None)
    rows = [
        {**showing.dispatch_row(item, deps.city, t), "along": checks.is_taken_along(item.dispatch.choice)}
        for item in found
    ]
    with deps.pool.connection() as conn:
        names = names_of(conn, [row["officer"] for row in rows])
    push_key = deps.push.public if deps.push is not None else ""
    return render(
        request, "field.html", rows=rows, names=names, push_key=push_key, reported=reported,
        may_report=may(me.role, Right.REPORT),
    )  # fmt: skip


def _due_at(view: AlertView, running: Iterable[DispatchView]) -> datetime | None:
    """The deadline of the officer who is on the way to this alert."""
    return next((one.due_at for one in running if one.alert.alert_id == view.alert.alert_id), None)


def map_links(alert: Alert, name: str) -> list[tuple[str, str]]:
    """(key of its name, address) of map apps, each given the position in the datum that it uses."""
    if alert.lon is None or alert.lat is None:
        return []
    wgs = f"{alert.lat:.6f},{alert.lon:.6f}"
    gcj_lon, gcj_lat = to_gcj02((alert.lon, alert.lat))
    called = quote(name[:60])
    return [
        ("map_app.geo", f"geo:{wgs}?q={wgs}({called})"),
        # both shift it themselves when they are told that it is WGS84
        ("map_app.amap", f"https://uri.amap.com/navigation?to={alert.lon:.6f},{alert.lat:.6f},{called}&mode=car&coordinate=wgs84&src=hcawatch"),
        ("map_app.baidu", f"https://api.map.baidu.com/marker?location={wgs}&title={called}&content={called}&coord_type=wgs84&output=html&src=hcawatch"),
        # takes GCJ-02 only
        ("map_app.tencent", f"https://apis.map.qq.com/uri/v1/marker?marker=coord:{gcj_lat:.6f},{gcj_lon:.6f};title:{called}&referer=hcawatch"),
    ]  # fmt: skip


@router.get("/field/{alert_id}")
def dispatch_page(request: Request, alert_id: str, me: FieldReader) -> Response:
    """One dispatch: where, what, the checklist, what else is at the site, and the next step as a big button."""
    web, t = web_of(request), reader_texts(request)
    view = view_for(web, alert_id, me)
    desk = checks.desk_of(web)
    with web.deps.pool.connection() as conn:
        values = alert_values(view, web.deps.city, conn, request, me)
    running = view.running
    mine = running is not None and running.officer == me.user
    state = view.alert.state.value
    taken_along = running is not None and checks.is_taken_along(running.choice)
    return render(
        request, "field_alert.html",
        **values,
        next_steps=[step for step in values["steps"] if step in FIELD_STEPS],
        ahead=ahead_of(state) if mine and running is not None and may(me.role, Right.TAKE_STEP) else (),
        on_the_way=_ON_THE_WAY, way_states=_WAY_STATES, dispatch_id=running.dispatch_id if running else "",
        mine=mine or running is None,
        due_at=_due_at(view, web.deps.engine.dispatches_for(running.officer)) if running else None,
        officer=running.officer if running else "",
        lines=checks.line_rows(desk.lines(view.alert), t),
        may_check=mine and may(me.role, Right.FILL_CHECKLIST) and bool(ahead_of(state)),
        on_site=state in _ON_SITE,
        along=checks.along_rows(desk, view.alert.alert_id, t),
        looked=list(LOOKED), taken_along=taken_along,
        visit_of=desk.visit_of(view.alert.alert_id) if taken_along else None,
        may_notice=may(me.role, Right.FILL_CHECKLIST) and state in (*_ON_SITE, "resolved"),
        maps=map_links(view.alert, values["where"]),
    )  # fmt: skip

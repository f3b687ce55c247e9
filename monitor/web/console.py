"""The control room's pages: the console and one alert. They lay out; what is so is decided elsewhere."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from alerts.calm.flood import flood_now
from alerts.calm.running import running_now, totals
from alerts.calm.shelves import may_shelve
from alerts.channels.overview import MODES, overview
from alerts.feedback.causes import FalseCause, Outcome
from alerts.lifecycle import State
from alerts.views import AlertView
from alerts.visiting.notices import NoticeDesk
from monitor.domain.assets import City
from monitor.domain.risk import Weights
from monitor.domain.roles import Right, may, sight
from monitor.domain.violations import CATALOGUE, LAW
from monitor.store.pool import Conn
from monitor.web import checks, showing
from monitor.web.access import Guard
from monitor.web.alerts import view_for
from monitor.web.cameras import cameras, overloaded
from monitor.web.deps import web_of
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts, render
from monitor.web.running import (
    MOST_RUNNING,
    AskedOf,
    by_urgency,
    choices,
    group_rows,
    split,
    urgent_elsewhere,
)
from monitor.web.sql import QUERIES

router = APIRouter()
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
CLOSED_SHOWN = 12


def names_of(conn: Conn, users: Iterable[str]) -> dict[str, str]:
    """How these users are called."""
    rows = conn.execute(QUERIES["names_of_users"], {"users": sorted(set(users))}).fetchall()
    return {row["user_name"]: row["display_name"] for row in rows}


@router.get("/")
def console(request: Request, me: Room, asked: AskedOf) -> Response:
    """Map, live alerts, cameras. In a flood the list is grouped; `view` has it either way."""
    deps = web_of(request).deps
    t = reader_texts(request)
    closed = deps.engine.list_alerts(running=False, limit=CLOSED_SHOWN)
    with deps.pool.connection() as conn:
        known = cameras(conn, deps.city, deps.clock())
        loads = overloaded(conn)
        channels = overview(conn, deps.city, deps.clock())
        flood = flood_now(conn, deps.engine.policy.calm, deps.clock())
        rings, quiet = split(running_now(conn))
    chosen, every = asked.chosen, totals(rings)
    mine = [one for one in rings if chosen.takes(one)]
    in_groups = flood.on and chosen.all if not asked.view else asked.view == "groups"
    # groups show the worst and oldest; a page of its own has what a group leaves out
    asked = msgspec.structs.replace(asked, page=1) if in_groups else asked.within(totals(mine).all)
    whole = totals(mine).all <= MOST_RUNNING
    # each with its own limit: what is held takes no place from what rings
    running = by_urgency(
        deps.engine.urgent_alerts(held=False, limit=MOST_RUNNING, chosen=chosen, after=asked.after),
        whole=whole,
    )
    held = by_urgency(deps.engine.urgent_alerts(held=True, limit=MOST_RUNNING))
    watching = sum(1 for camera in known if camera["watching"])
    # the plain first page has the worst anyway
    elsewhere = None if chosen.all and asked.page == 1 else urgent_elsewhere(rings, running)
    return render(
        request, "console.html", elsewhere=elsewhere,
        running=[showing.row(item, deps.city, t) for item in running],
        held=[showing.row(item, deps.city, t) for item in held],
        flood=flood, in_groups=in_groups, groups=group_rows(mine, running, deps.city, asked, t) if in_groups else [],
        held_all=totals(quiet).all, every=every.all, most=MOST_RUNNING, listed=totals(mine).all, whole=whole, asked=asked,
        last=asked.after + len(running), choices=choices(rings, asked, deps.city, t),
        closed=[showing.row(item, deps.city, t) for item in closed],
        # who does not watch comes first: the row scrolls
        cameras=[
            {**camera, "says": showing.camera_reason(camera["reason"], t)}
            for camera in sorted(known, key=lambda camera: bool(camera["watching"]))
        ],
        watching=watching,
        overloads=[
            (t.of(edge.name), since)
            for edge in deps.city.edges
            if edge.edge_id in loads and (since := loads[edge.edge_id].overloaded_since) is not None
        ],
        channels=channels,
        channels_bad=sum(1 for row in channels if not row.well),
        channel_modes=MODES,
        may_report=may(me.role, Right.REPORT),
        counters=[("running", every.all, "busy"), ("awaiting", every.awaiting, "wait"), ("blind", len(known) - watching, "bad")],
    )  # fmt: skip


def alert_values(view: AlertView, city: City, conn: Conn, request: Request, me: Principal) -> dict[str, Any]:
    """What the pages of one alert (room and field) both show."""
    t = reader_texts(request)
    alert = view.alert
    title = t.of(view.title)
    hca = next((hca for hca in city.hcas if hca.site_id == alert.site_id), None)
    users = {move.actor for move in view.transitions} | {dispatch.officer for dispatch in view.dispatches}
    users |= {report.entered_by for report in view.reports}
    return {
        "alert": alert,
        "title": title,
        "where": showing.where(alert, city, t),
        "camera_name": showing.camera_name(alert, city, t),
        "hca_name": t.of(hca.name) if hca else (alert.site_id or ""),
        "hca_grade": hca.grade.value if hca else None,
        "snapshot": showing.snapshot_of(view.evidence),
        "photos": showing.photos_of(view.evidence),
        "reports": view.reports,
        "may_caller": may(me.role, Right.SEE_CALLER),
        "violation": CATALOGUE.get(alert.violation or ""),
        "names": names_of(conn, users),
        "steps": [step.value for step in showing.steps_for(view, me)],
        "sight": sight(me.role).value,
        "outcomes": [outcome.value for outcome in Outcome],
        "causes": [cause.value for cause in FalseCause],
        "clocks": showing.clock_rows(view, web_of(request).deps.clock()),
    }


@router.get("/alerts/{alert_id}")
def alert_page(request: Request, alert_id: str, me: Room) -> Response:
    """One alert with everything that belongs to it."""
    web = web_of(request)
    city, t = web.deps.city, reader_texts(request)
    view = view_for(web, alert_id, me)
    alert, visits = view.alert, checks.desk_of(web)
    with web.deps.pool.connection() as conn:
        values = alert_values(view, city, conn, request, me)
    pipeline = next(
        (pipeline for pipeline in city.pipelines if pipeline.pipeline_id == alert.pipeline_id), None
    )
    return render(
        request, "alert.html",
        **values,
        pipeline_name=t.of(pipeline.name) if pipeline else (alert.pipeline_id or ""),
        offset=showing.offset_text(alert.offset_m, t),
        gauge=showing.gauge(alert, t),
        reason_details=[showing.reason_detail(reason, t, values["title"]) for reason in alert.reasons],
        moves=view.transitions,
        events=view.events,
        no_fix=view.events[0].no_fix if view.events and alert.chainage_m is None else None,
        next_steps=showing.next_steps(alert, view.events, t),
        evidence=sorted(view.evidence, key=lambda item: item.announced_at),
        dispatches=sorted(view.dispatches, key=lambda dispatch: dispatch.dispatched_at, reverse=True),
        told=view.told,
        coming=view.coming,
        chosen={d.dispatch_id: showing.why_chosen(d.chosen, t) for d in view.dispatches},
        team_names={team.team_id: t.of(team.name) for team in city.teams},
        health_text=t(f"health_text.{alert.health}") if alert.health else "",
        with_outcome=showing.WITH_OUTCOME,
        needs_note=showing.NEEDS_NOTE,
        weights=Weights(),
        law=LAW,
        lines=checks.line_rows(visits.lines(alert), t), along=checks.along_rows(visits, alert.alert_id, t),
        notices=NoticeDesk(web.deps.pool).of_alert(alert.alert_id),
        may_audit=may(me.role, Right.SEE_AUDIT),
        may_shelve=alert.state in (State.OPEN, State.ACKNOWLEDGED) and may_shelve(me.role, alert.level),
    )  # fmt: skip

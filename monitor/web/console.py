"""The control room's pages: the console and one alert. They lay out; what is so is decided elsewhere."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerts.calm.flood import flood_now, grouped
from alerts.calm.shelves import may_shelve
from alerts.channels.overview import MODES, overview
from alerts.feedback.causes import FalseCause, Outcome
from alerts.lifecycle import AlertKind, State
from alerts.views import AlertRow, AlertView
from alerts.visiting.notices import NoticeDesk
from monitor.domain.assets import City
from monitor.domain.risk import Weights
from monitor.domain.roles import Right, may, sight
from monitor.domain.violations import CATALOGUE, LAW
from monitor.store.pool import Conn
from monitor.web import checks, showing
from monitor.web.access import Guard
from monitor.web.alerts import MOST_RUNNING, view_for
from monitor.web.cameras import cameras, overloaded
from monitor.web.deps import web_of
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts, render
from monitor.web.sql import QUERIES
from monitor.web.texts import Texts

router = APIRouter()
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
CLOSED_SHOWN = 12


def by_urgency(rows: Iterable[AlertRow]) -> list[AlertRow]:
    """Worst level first; within a level the newest first."""
    return sorted(rows, key=lambda item: (item.alert.level.rank, -item.alert.opened_at.timestamp()))


def group_rows(rows: Iterable[AlertRow], city: City, t: Texts) -> list[dict[str, Any]]:
    """The running alerts by place and kind, in words; each group holds all of its rows."""
    by_id = {item.alert.alert_id: item for item in rows}
    places = {hca.site_id: t.of(hca.name) for hca in city.hcas}
    return [
        {
            "group": group, "id": f"group-{group.site_id or 'none'}-{group.what}",
            "title": t.of(by_id[group.alerts[0].alert_id].title),
            "place": places.get(group.site_id or "", group.site_id or t("calm.group_elsewhere")),
            "rows": [showing.row(by_id[alert.alert_id], city, t) for alert in group.alerts],
        }
        for group in grouped([item.alert for item in by_id.values()])
    ]  # fmt: skip


def names_of(conn: Conn, users: Iterable[str]) -> dict[str, str]:
    """How these users are called."""
    rows = conn.execute(QUERIES["names_of_users"], {"users": sorted(set(users))}).fetchall()
    return {row["user_name"]: row["display_name"] for row in rows}


@router.get("/")
def console(
    request: Request, me: Room, view: Annotated[str, Query(pattern="^(|groups|single)$")] = ""
) -> Response:
    """Map, live alerts, cameras. In a flood the list is grouped; `view` has it either way."""
    deps = web_of(request).deps
    t = reader_texts(request)
    # each with its own limit: what is held takes no place from what rings
    running = by_urgency(deps.engine.urgent_alerts(held=False, limit=MOST_RUNNING))
    held = by_urgency(deps.engine.urgent_alerts(held=True, limit=MOST_RUNNING))
    closed = deps.engine.list_alerts(running=False, limit=CLOSED_SHOWN)
    with deps.pool.connection() as conn:
        known = cameras(conn, deps.city, deps.clock())
        loads = overloaded(conn)
        channels = overview(conn, deps.city, deps.clock())
        flood = flood_now(conn, deps.engine.policy.calm, deps.clock())
    in_groups = flood.on if not view else view == "groups"
    watching = sum(1 for camera in known if camera["watching"])
    awaiting = sum(
        1 for item in running if item.alert.state is State.OPEN and item.alert.kind is AlertKind.VIOLATION
    )
    return render(
        request, "console.html",
        running=[showing.row(item, deps.city, t) for item in running],
        held=[showing.row(item, deps.city, t) for item in held],
        flood=flood, in_groups=in_groups, groups=group_rows(running, deps.city, t) if in_groups else [],
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
        counters=[("running", len(running), "busy"), ("awaiting", awaiting, "wait"), ("blind", len(known) - watching, "bad")],
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

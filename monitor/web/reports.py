"""The API of reports: open an alert by hand, list what was reported. What it means is alerts.reporting's."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from alerts.engine import new_uuid7
from alerts.reading import FieldFault
from alerts.reporting.desk import KeyUsed, ReportDesk, Taken
from alerts.reporting.fields import ReadReport, read_report
from alerts.reporting.texts import fault_text
from alerts.values import Actor
from monitor.domain.roles import Right
from monitor.web import showing
from monitor.web.access import Guard
from monitor.web.deps import Web, web_of
from monitor.web.errors import Unusable, WebError
from monitor.web.people import Principal
from monitor.web.problems import sentence
from monitor.web.rendering import reader_texts

router = APIRouter(prefix="/api/v1")
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
Reporter = Annotated[Principal, Depends(Guard(Right.REPORT))]


def desk_of(web: Web) -> ReportDesk:
    """The reports' desk over the web's engine."""
    return ReportDesk(web.deps.engine)


def actor_of(me: Principal) -> Actor:
    """Who reports."""
    return Actor(user=me.user, role=me.role, team_id=me.team_id)


def read_of(web: Web, fields: dict[str, Any], me: Principal, key: str) -> ReadReport:
    """The fields as a report of this person, or their faults. A key is one person's: nobody uses up another's."""
    own_key = f"{me.user}:{key}" if key else ""
    return read_report(fields, web.deps.city, actor_of(me), web.deps.clock(), new_uuid7(), own_key)


class ReportBody(BaseModel):
    """A report as it is made: the fields of docs/reports.md."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[Annotated[str, Field(max_length=40)], str | int | float | None] = Field(max_length=40)


@router.post("/reports", status_code=201)
def create(
    request: Request, body: ReportBody, me: Reporter, idempotency_key: Annotated[str | None, Header()] = None
) -> JSONResponse:
    """Report a suspicion; the same again under its key is the same report (200). 422 names every faulty field, or says
    that the key was used for another report."""
    web = web_of(request)
    key = idempotency_key or ""
    if idempotency_key is not None and not (1 <= len(key) <= 100 and key.isprintable()):
        raise Unusable("bad_key", status=400)
    read = read_of(web, body.fields, me, key)
    if read.report is None:
        return faulty(request, read.faults)
    try:
        taken = desk_of(web).take(read.report, read.caller, web.deps.clock())
    except KeyUsed as exc:
        raise Unusable("report_key_used", number=exc.number) from exc
    return JSONResponse(_taken_json(taken), 201 if taken.new else 200)


def faulty(request: Request, faults: tuple[FieldFault, ...]) -> JSONResponse:
    """All faults at once, each with its field."""
    t = reader_texts(request)
    error = WebError("report_faulty", status=422)
    body = {
        "type": "urn:hcawatch:problem:report_faulty",
        "title": t("status.422"),
        "status": 422,
        "detail": sentence(request, error),
        "faults": [
            {"field": fault.field, "key": fault.key, "text": fault_text(fault, t.language)}
            for fault in faults
        ],
    }
    return JSONResponse(body, 422, media_type="application/problem+json")


def _taken_json(taken: Taken) -> dict[str, Any]:
    alert = taken.view.alert
    return {
        "report_id": taken.report.report_id,
        "alert_id": alert.alert_id,
        "number": alert.number,
        "level": alert.level.value,
        "state": alert.state.value,
        "confirmation": alert.confirmation.value,
        "new": taken.new,
        "opened": taken.opened,
    }


@router.get("/reports")
def list_reports(
    request: Request, me: Room, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> dict[str, Any]:
    """People's reports, newest first, and what alerts of the last 30 days turned out to be, by source."""
    web = web_of(request)
    now = web.deps.clock()
    rows, figures = desk_of(web).list(limit, now)
    return {"now": now, "reports": showing.plain(rows), "figures": showing.plain(figures)}

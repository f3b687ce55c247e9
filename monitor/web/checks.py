"""The API of checklists and of what a visit takes along. What may be answered is alerts.visiting's decision."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from alerts.values import Actor, Alert
from alerts.visiting.bundling import SAME_VISIT
from alerts.visiting.checks import Answer, CheckRefused, Line, TickAsk
from alerts.visiting.desk import VisitDesk
from monitor.domain.roles import Right
from monitor.domain.violations import CATALOGUE
from monitor.web.access import Guard
from monitor.web.alerts import view_for
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, Forbidden, Unusable, WebError
from monitor.web.people import Principal
from monitor.web.showing import plain
from monitor.web.texts import Texts

router = APIRouter(prefix="/api/v1")
Anybody = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE, Right.SEE_FIELD))]
Filler = Annotated[Principal, Depends(Guard(Right.FILL_CHECKLIST))]
Key = Annotated[str | None, Header(min_length=1, max_length=100, pattern=r"^[ -~]+$")]
Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


#: refusals that what was written causes, not the state of things
_WRITE_IT_ANEW = frozenset({
    "check_needs_metres", "check_needs_note", "permit_look_note", "notice_company", "objection_text", "objection_reason",
})  # fmt: skip


def desk_of(web: Web) -> VisitDesk:
    """The visits' desk of this installation."""
    return VisitDesk(web.deps.pool, web.deps.city, web.deps.engine)


def actor_of(me: Principal) -> Actor:
    """Who answers."""
    return Actor(user=me.user, role=me.role, team_id=me.team_id)


def refusal(exc: CheckRefused) -> WebError:
    """Why an answer was refused, as a sentence."""
    if exc.key == "check_not_yours":
        return Forbidden(exc.key)
    kind = Unusable if exc.key in _WRITE_IT_ANEW else Conflict
    return kind(exc.key, **exc.facts)


class TickBody(BaseModel):
    """An answer as a phone sends it."""

    model_config = ConfigDict(extra="ignore")

    item: str = Field(max_length=120)
    answer: Answer
    value_m: float | None = Field(None, allow_inf_nan=False)
    note: Note = ""
    done_at: AwareDatetime | None = None
    lon: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)

    @model_validator(mode="after")
    def _whole(self) -> "TickBody":
        if (self.lon is None) != (self.lat is None):
            raise ValueError("a position has both lon and lat")
        return self


class LookBody(BaseModel):
    """How a permit's work was found."""

    outcome: str = Field(max_length=40)
    note: Note = ""


@router.get("/alerts/{alert_id}/checks")
def checklist(request: Request, alert_id: str, me: Anybody) -> dict[str, Any]:
    """The alert's checklist with its answers, all answers ever, and what its visits take along."""
    web = web_of(request)
    alert = view_for(web, alert_id, me).alert
    return _shown(web, alert)


@router.post("/alerts/{alert_id}/checks")
def tick(
    request: Request, alert_id: str, body: TickBody, me: Filler, idempotency_key: Key = None
) -> dict[str, Any]:
    """Answer one item; the same key again is the same answer."""
    web = web_of(request)
    alert = view_for(web, alert_id, me).alert
    ask = TickAsk(actor=actor_of(me), idempotency_key=idempotency_key, **body.model_dump())
    try:
        desk_of(web).tick(alert.alert_id, ask, web.deps.clock())
    except CheckRefused as exc:
        raise refusal(exc) from exc
    return _shown(web, alert)


@router.post("/visits/{dispatch_id}/permits/{number}")
def look(request: Request, dispatch_id: str, number: str, body: LookBody, me: Filler) -> dict[str, Any]:
    """Say how a permit's work was found during a visit."""
    web = web_of(request)
    try:
        alert_id = desk_of(web).look(
            _uuid(dispatch_id), number, body.outcome, body.note, actor_of(me), web.deps.clock()
        )
    except CheckRefused as exc:
        raise refusal(exc) from exc
    return _shown(web, view_for(web, alert_id, me).alert)


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Conflict("no_visit_check") from None


def _shown(web: Web, alert: Alert) -> dict[str, Any]:
    desk = desk_of(web)
    return {
        "now": web.deps.clock(),
        "article": row.article if (row := CATALOGUE.get(alert.violation or "")) else "",
        "lines": [plain(line) for line in desk.lines(alert)],
        "history": [plain(one) for one in desk.history(alert.alert_id)],
        "along": [plain(one) for one in desk.checks_of(alert.alert_id)],
    }


def line_rows(lines: tuple[Line, ...], t: Texts) -> list[dict[str, Any]]:
    """A checklist in words."""
    return [
        {
            "key": line.item.key, "text": t.of(line.item.text), "required": line.item.required,
            "measured": line.item.measured, "answer": line.tick.answer.value if line.tick else "",
            "value_m": line.tick.value_m if line.tick else None, "note": line.tick.note if line.tick else "",
            "who": line.tick.who if line.tick else "", "done_at": line.tick.done_at if line.tick else None,
            "at": line.tick.at if line.tick else None,
        }
        for line in lines
    ]  # fmt: skip


def along_rows(desk: VisitDesk, alert_id: str, t: Texts) -> list[dict[str, Any]]:
    """What the visits of an alert take along, in words."""
    rows = []
    for one in desk.checks_of(alert_id):
        row = CATALOGUE.get(one.violation or "")
        title = t.of(row.title) if row else (one.violation or one.ref)
        if one.kind == "permit":
            title = t("visit.permit", number=one.ref, company=one.company or "–")
        rows.append({"one": one, "title": title, "running": one.ended_at is None})
    return rows


def is_taken_along(choice: str) -> bool:
    """Whether a dispatch is part of another's visit."""
    return choice == SAME_VISIT

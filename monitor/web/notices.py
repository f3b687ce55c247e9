"""Notices: the officer gives one, the company looks at its case by its code, rates the visit and objects; the
supervisor decides. Nothing here names an officer, a caller or another case to the company.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from alerts.lifecycle import FINAL, State
from alerts.permitting.questions import QuestionDesk
from alerts.visiting.checks import CheckRefused
from alerts.visiting.notices import MOST_OF_ALL, MOST_PICTURES, Notice, NoticeDesk, NoticeView, normal
from monitor.domain.geometry import format_chainage
from monitor.domain.roles import Right
from monitor.domain.violations import CATALOGUE, LAW
from monitor.store.pool import Conn
from monitor.web import trail
from monitor.web.access import Guard
from monitor.web.alerts import view_for
from monitor.web.checks import Filler, Key, Note, actor_of, refusal
from monitor.web.console import names_of
from monitor.web.deps import Web, address_of, web_of
from monitor.web.errors import NotFound, WebError
from monitor.web.people import Principal
from monitor.web.problems import sentence
from monitor.web.qr import qr_of
from monitor.web.rendering import reader_texts, render
from monitor.web.sessions import Throttled
from monitor.web.sql import QUERIES
from monitor.web.throttle import of_code

router = APIRouter()
Decider = Annotated[Principal, Depends(Guard(Right.DECIDE_OBJECTION))]
Code = Annotated[str, Form(max_length=40)]
Words = Annotated[str, Form(max_length=8000)]
#: a reload within this is the same look
_SAME_LOOK = timedelta(minutes=5)


class NoticeBody(BaseModel):
    """A notice as the officer gives it."""

    company: str = Field(max_length=200, pattern=r"^[^\x00]*$")
    said: Note = ""
    advice: bool = False


@router.post("/api/v1/alerts/{alert_id}/notices", status_code=201)
def issue(
    request: Request, alert_id: str, body: NoticeBody, me: Filler, idempotency_key: Key = None
) -> dict[str, Any]:
    """Give the visited company a notice; its code is shown this once."""
    web = web_of(request)
    alert = view_for(web, alert_id, me).alert
    try:
        code = NoticeDesk(web.deps.pool).issue(
            alert.alert_id, body.company, body.said, actor_of(me), web.deps.clock(), advice=body.advice,
            key=idempotency_key,
        )  # fmt: skip
    except CheckRefused as exc:
        raise refusal(exc) from exc
    url = address_of(request, f"/notice/{code}")
    drawn = qr_of(url)
    return {"code": code, "url": url, "qr": {"size": drawn.size, "path": drawn.path}}


# ---------------------------------------------------------------- the company's side: no login, a code
def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def view_of(request: Request, code: str) -> NoticeView:
    """The notice of a code. Five wrong ones in five minutes from one address are free, then all wait: NotFound, Throttled."""
    web, counted = web_of(request), of_code(_address(request))
    now, view = web.deps.clock(), NoticeDesk(web_of(request).deps.pool).view(code[:40])
    # whoever has to wait is not told which code was right
    wait_s = web.guesses.wait_s(counted, now) if view else web.guesses.take(counted, now).wait_s
    if wait_s > 0:
        raise Throttled(wait_s)
    if view is None:
        raise NotFound("notice_unknown")
    return view


@router.get("/notice")
def codepage(request: Request) -> Response:
    """Where a code is typed in."""
    return render(request, "notice_code.html", problem="")


@router.post("/notice")
def code_form(request: Request, code: Code = "") -> Response:
    """To the notice of a code; a wrong one is said beside the field."""
    try:
        view_of(request, code)
    except (NotFound, Throttled) as exc:
        return render(request, "notice_code.html", exc.status, exc.headers, problem=sentence(request, exc))
    return RedirectResponse(f"/notice/{quote(normal(code) or '')}", 303)


@router.get("/notice/{code}")
def noticepage(request: Request, code: str, pictures: Annotated[str, Query(max_length=10)] = "") -> Response:
    """What concerns the company: act, article, place, day, pictures, how the case stands, its own words and answers.

    `?pictures=all` shows more pictures than a page has at first.
    """
    web, view = web_of(request), view_of(request, code)
    with web.deps.pool.connection() as conn:
        note_look(conn, view.notice, trail.NOTICE_LOOK, view.notice.notice_id, web.deps.clock())
    return page(request, code, view, most=MOST_OF_ALL if pictures == "all" else MOST_PICTURES)


@router.post("/notice/{code}/rating")
def rate_form(
    request: Request, code: str, rating: Annotated[int, Form(ge=1, le=5)], note: Words = ""
) -> Response:
    """Rate the visit; the first rating counts."""
    view = view_of(request, code)
    NoticeDesk(web_of(request).deps.pool).rate(
        view.notice, rating, _clean(note)[:2000], web_of(request).deps.clock()
    )
    return RedirectResponse(f"/notice/{quote(code)}", 303)


def _clean(text: str) -> str:
    return text.replace("\x00", "")


def note_look(conn: Conn, notice: Notice, kind: str, subject: str, now: datetime, **body: str) -> None:
    """An entry for the company's look; what follows within five minutes is part of it."""
    given = {"subject": subject, "kind": kind, "notice": notice.notice_id, "since": now - _SAME_LOOK}
    if conn.execute(QUERIES["company_looked_since"], given).fetchone() is None:
        trail.record(conn, kind, subject, "company", now, notice_id=notice.notice_id, **body)


def page(
    request: Request,
    code: str,
    view: NoticeView,
    text: str = "",
    problem: WebError | None = None,
    most: int = MOST_PICTURES,
) -> Response:
    """The company's page; `problem` is why what it sent was refused."""
    city, t = web_of(request).deps.city, reader_texts(request)
    alert, row = view.alert, CATALOGUE.get(view.alert.violation or "")
    line = next((one for one in city.pipelines if one.pipeline_id == alert.pipeline_id), None)
    hca = next((one for one in city.hcas if one.site_id == alert.site_id), None)
    where = [t.of(line.name) if line else "", format_chainage(alert.chainage_m) if alert.chainage_m is not None else "",
             t.of(hca.name) if hca else ""]  # fmt: skip
    return render(
        request, "notice.html", problem.status if problem else 200, problem.headers if problem else None,
        code=code, notice=view.notice, objections=view.objections, stands=stands(alert.state, alert.closing_reason), row=row, law=LAW,
        where=" · ".join(part for part in where if part), seen_at=alert.onset_at, arrived_at=alert.arrived_at,
        pictures=NoticeDesk(web_of(request).deps.pool).pictures(view.notice, most), all_asked=most > MOST_PICTURES, text=text, problem=sentence(request, problem) if problem else "",
    )  # fmt: skip


def stands(state: str, closing_reason: str | None) -> str:
    """How a case stands, as far as it is a company's business: a key of `notice.stands`."""
    if state in FINAL:
        return f"closed_{closing_reason}" if closing_reason in _TOLD else "closed"
    return "resolved" if state == State.RESOLVED else "running"


_TOLD = frozenset({"rectified", "referred", "permitted_work", "false_alarm"})


# ---------------------------------------------------------------- the supervisor's side
@router.get("/objections")
def objectionspage(request: Request, me: Decider) -> Response:
    """What waits for a decision, and what was decided last."""
    return objections(request)


@router.post("/objections/{objection_id}")
def decide_form(
    request: Request,
    objection_id: int,
    me: Decider,
    state: Annotated[str, Form(max_length=20)] = "",
    decision: Words = "",
) -> Response:
    """Uphold or reject, with a reason."""
    web = web_of(request)
    try:
        NoticeDesk(web.deps.pool).decide(
            objection_id, state, _clean(decision)[:4000], actor_of(me), web.deps.clock()
        )
    except CheckRefused as exc:
        return objections(request, refusal(exc))
    return RedirectResponse("/objections", 303)


def objections(request: Request, problem: WebError | None = None) -> Response:
    """The supervisor's page: visited companies' objections, and what permits' holders ask."""
    web = web_of(request)
    found, questions = NoticeDesk(web.deps.pool).open_objections(), QuestionDesk(web.deps.pool).tasks()
    with web.deps.pool.connection() as conn:
        names = names_of(
            conn,
            {who for one in found if (who := one.decided_by)}
            | {who for one in questions for who in (one.asked_by, one.answered_by) if who},
        )
    return render(
        request, "objections.html", problem.status if problem else 200,
        objections=found, questions=questions, names=names, problem=sentence(request, problem) if problem else "",
    )  # fmt: skip


def notices_of(web: Web, alert_id: str) -> tuple[tuple[Notice, Any], ...]:
    """The alert's notices with their objections."""
    return NoticeDesk(web.deps.pool).of_alert(alert_id)

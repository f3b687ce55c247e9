"""Questions and objections of permits' holders, by form: asked on the permit's page, answered under Objections."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts.permitting.questions import QuestionDesk
from alerts.permitting.steps import PermitError
from monitor.domain.roles import Right
from monitor.web import notices, permit_pages
from monitor.web.access import Guard
from monitor.web.deps import web_of
from monitor.web.errors import NotFound
from monitor.web.people import Principal
from monitor.web.permits import actor_of, refusal, storable

router = APIRouter()
Holder = Annotated[Principal, Depends(Guard(Right.ASK_ABOUT_PERMIT))]
Decider = Annotated[Principal, Depends(Guard(Right.DECIDE_OBJECTION))]
Words = Annotated[str, Form(max_length=8000)]


def _clean(text: str) -> str:
    return text.replace("\x00", "")


@router.post("/permits/{number}/questions")
def ask_form(
    request: Request,
    number: str,
    me: Holder,
    text: Words = "",
    alert: Annotated[str, Form(max_length=20)] = "",
    key: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Ask about the permit, or object to one alert that names it; a refusal is said on the permit's page."""
    web = web_of(request)
    about = int(alert) if alert.isascii() and alert.isdigit() else None
    try:
        if alert and (about is None or about >= 2**63):
            raise PermitError("question_alert")
        QuestionDesk(web.deps.pool).ask(
            storable(number), _clean(text), about, actor_of(me), _clean(key) or None, web.deps.clock()
        )
    except PermitError as exc:
        problem = refusal(exc)
        if isinstance(problem, NotFound):
            raise problem from exc
        return permit_pages.page(request, number, me, problem, asked=_clean(text))
    return RedirectResponse(f"/permits/{quote(number)}#questions-title", 303)


@router.post("/objections/permits/{question_id}")
def answer_form(
    request: Request,
    question_id: int,
    me: Decider,
    state: Annotated[str, Form(max_length=20)] = "",
    answer: Words = "",
) -> Response:
    """Answer, uphold or reject, with a reason that the holder reads."""
    web = web_of(request)
    try:
        QuestionDesk(web.deps.pool).answer(
            question_id if 0 < question_id < 2**63 else 0,
            state,
            _clean(answer),
            actor_of(me),
            web.deps.clock(),
        )
    except PermitError as exc:
        return notices.objections(request, refusal(exc))
    return RedirectResponse("/objections", 303)

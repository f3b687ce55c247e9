"""The API of permits: ask for one, decide, prolong, withdraw, list. What may be done is alerts.permitting's."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from alerts.permitting.desk import PermitDesk
from alerts.permitting.fields import read_end, read_permit
from alerts.permitting.steps import (
    LONGEST_PROLONGATION,
    Ask,
    PermitError,
    PermitForbidden,
    PermitNotFound,
    PermitStep,
    steps_for,
)
from alerts.permitting.texts import fault_text
from alerts.reading import FieldFault
from alerts.values import Actor, Permit
from monitor.domain.roles import Right, Role
from monitor.web import showing
from monitor.web.access import Guard
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, Forbidden, NotFound, Unusable, WebError
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts

router = APIRouter(prefix="/api/v1")
Reader = Annotated[Principal, Depends(Guard(Right.SEE_PERMITS))]
Asker = Annotated[Principal, Depends(Guard(Right.REQUEST_PERMIT, Right.DECIDE_PERMIT))]

#: the state of things is another than the caller believes
_CONFLICTS = frozenset(
    {
        "permit_wrong_state",
        "permit_moved",
        "permit_number_taken",
        "permit_is_over",
        "permit_nothing_asked",
        "question_gone",
        "question_many",
        "question_own",
    }
)
VIEWS = ("", "running", "coming", "ending", "asked", "breached", "over")
View = Annotated[str, Query(pattern="^(running|coming|ending|asked|breached|over)?$")]
Words = Annotated[str, Query(max_length=100, pattern="^[^\\x00]*$")]
Key = Annotated[str | None, Header()]


def desk_of(web: Web) -> PermitDesk:
    """The permits' desk over the web's database."""
    return PermitDesk(web.deps.pool, web.deps.city)


def actor_of(me: Principal) -> Actor:
    """Who asks, as the desk takes it."""
    return Actor(user=me.user, role=me.role)


def refusal(exc: PermitError) -> WebError:
    """Why a step was refused, as a sentence (`error.<key>`)."""
    if isinstance(exc, PermitNotFound):
        return NotFound("no_permit")
    if isinstance(exc, PermitForbidden):
        return Forbidden("permit_not_yours")
    return Conflict(exc.key, **exc.facts) if exc.key in _CONFLICTS else Unusable(exc.key, **exc.facts)


def checked_key(key: str | None) -> str | None:
    """The idempotency key, if it is one."""
    if key is not None and not (1 <= len(key) <= 100 and key.isprintable()):
        raise Unusable("bad_key", status=400)
    return key


def new_end(text: str, zone: ZoneInfo) -> datetime | None:
    """The end that is written, or None if none is: a decision then takes the one that was asked for.

    What cannot be read is refused, since nobody who wrote another date means that one.
    """
    until = read_end(text, zone)
    if until is None and text.strip():
        raise Unusable("permit_bad_until", days=LONGEST_PROLONGATION.days)
    return until


def permit_json(permit: Permit, me: Principal, web: Web) -> dict[str, Any]:
    """A permit as the API gives it, with the steps that the reader may take now."""
    steps = steps_for(permit, actor_of(me), web.deps.clock())
    return {**showing.plain(permit), "steps": [step.value for step in steps]}


def faulty(request: Request, faults: tuple[FieldFault, ...]) -> JSONResponse:
    """All faults of the fields at once, each with what to write."""
    t = reader_texts(request)
    told = [{"field": f.field, "key": f.key, "text": fault_text(f, t.language)} for f in faults]
    body = {
        "type": "urn:hcawatch:problem:permit_faulty", "title": t("status.422"), "status": 422,
        "detail": "; ".join(f"{one['field']}: {one['text']}" for one in told), "faults": told,
    }  # fmt: skip
    return JSONResponse(body, 422, media_type="application/problem+json")


@router.get("/permits")
def list_permits(
    request: Request,
    me: Reader,
    view: View = "",
    text: Words = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Permits, those that end first on top; a holder's own."""
    web = web_of(request)
    now = web.deps.clock()
    found = desk_of(web).list_permits(actor_of(me), now, view, text, limit)
    return {"now": now, "permits": [permit_json(permit, me, web) for permit in found]}


@router.get("/permits/{number}")
def one_permit(request: Request, number: str, me: Reader) -> dict[str, Any]:
    """One permit with its history and the alerts that name it."""
    web = web_of(request)
    try:
        view = desk_of(web).view(storable(number), actor_of(me))
    except PermitError as exc:
        raise refusal(exc) from exc
    mine = me.role is Role.HOLDER
    alerts = [{**showing.plain(alert), "breaks": alert.breaks(number)} for alert in view.alerts]
    return {
        "now": web.deps.clock(),
        **permit_json(view.permit, me, web),
        "moves": [
            # a company is told which office decided, not who sat there
            {**showing.plain(move), **({"actor": move.role} if mine and move.role != Role.HOLDER else {})}
            for move in view.moves
        ],
        "alerts": alerts,
    }


def storable(number: str) -> str:
    """The number, unless no permit can have it."""
    if "\x00" in number or len(number) > 200 or not number.isprintable():
        raise NotFound("no_permit")
    return number


class PermitBody(BaseModel):
    """A permit as it is asked for: the columns of the CSV (docs/permits.md)."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[Annotated[str, Field(max_length=40)], str | int | float | None] = Field(max_length=40)
    #: an approval that exists on paper: in force at once; supervisors only
    approved: bool = False


@router.post("/permits", status_code=201)
def create(request: Request, body: PermitBody, me: Asker, idempotency_key: Key = None) -> JSONResponse:
    """Ask for a permit, or register one; the same again is the same permit (200)."""
    web = web_of(request)
    content, faults = read_permit(body.fields, web.deps.city)
    if content is None:
        return faulty(request, faults)
    step = PermitStep.REGISTER if body.approved else PermitStep.REQUEST
    ask = Ask(step=step, actor=actor_of(me), content=content, idempotency_key=checked_key(idempotency_key))
    try:
        permit, new = desk_of(web).create(ask, web.deps.clock())
    except PermitError as exc:
        raise refusal(exc) from exc
    return JSONResponse(permit_json(permit, me, web), 201 if new else 200)


class PermitStepBody(BaseModel):
    """A step as it is asked for."""

    model_config = ConfigDict(extra="forbid")

    step: PermitStep
    note: str = Field("", max_length=2000)
    #: the new end, of steps about a prolongation; without a zone the city's time
    until: str = Field("", max_length=40)
    #: the version that the caller has seen
    version: int | None = Field(None, ge=1, le=2**31 - 1)
    #: all fields, of the step 'change'
    fields: dict[Annotated[str, Field(max_length=40)], str | int | float | None] | None = Field(
        None, max_length=40
    )


@router.post("/permits/{number}/steps")
def take_step(
    request: Request, number: str, body: PermitStepBody, me: Asker, idempotency_key: Key = None
) -> JSONResponse:
    """Take a step; 409 says in a sentence why it can't be taken now."""
    web = web_of(request)
    if "\x00" in body.note:
        raise Unusable("bad_values")
    content: Permit | None = None
    if body.step is PermitStep.CHANGE:
        fields = {**(body.fields or {}), "number": number}
        content, faults = read_permit(fields, web.deps.city)
        if content is None:
            return faulty(request, faults)
    ask = Ask(
        step=body.step, actor=actor_of(me), note=body.note, version=body.version, content=content,
        until=new_end(body.until, reader_texts(request).zone), idempotency_key=checked_key(idempotency_key),
    )  # fmt: skip
    try:
        permit = desk_of(web).ask(storable(number), ask, web.deps.clock())
    except PermitError as exc:
        raise refusal(exc) from exc
    return JSONResponse(permit_json(permit, me, web))

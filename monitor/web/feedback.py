"""Feedback, as pages and as API: how often cameras are right, and the thresholds that are proposed.

What is counted, proposed and decided is alerts.feedback's; here it is laid out, and refusals become sentences.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from alerts.feedback.desk import FeedbackDesk
from alerts.feedback.judged import WEEKS, Counts, Precision, Week, as_json, looks_needed
from alerts.feedback.ports import FeedbackError
from alerts.feedback.proposals import Proposal, ProposalState
from alerts.feedback.texts import REMEDIES
from alerts.values import Actor
from monitor.domain.assets import City
from monitor.domain.roles import Right, may
from monitor.domain.violations import CATALOGUE, RULES
from monitor.web import showing
from monitor.web.access import Guard
from monitor.web.console import names_of
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, Forbidden, NotFound, Unusable, WebError
from monitor.web.people import Principal
from monitor.web.permit_pages import Form
from monitor.web.problems import sentence
from monitor.web.rendering import reader_texts, render
from monitor.web.texts import Texts

router = APIRouter()
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
Decider = Annotated[Principal, Depends(Guard(Right.DECIDE_FEEDBACK))]
Weeks = Annotated[int, Query(ge=1, le=104)]
ProposalId = Annotated[int, Path(ge=1, le=2**62)]

PERIODS = (4, WEEKS, 26)
#: the drawing of the weeks, in its own units
WEEK_X, WEEKS_HEIGHT = 22, 44
_VIOLATIONS = {rule.rule_id: rule.violation for rule in RULES}
_CONFLICTS = frozenset(
    {"proposal_wrong_state", "proposal_moved", "proposal_not_safe", "proposal_own_numbers"}
)

StepName = Literal["approve", "refuse", "revert"]


def desk_of(web: Web) -> FeedbackDesk:
    """The feedback desk over the web's database."""
    return FeedbackDesk(web.deps.pool, web.deps.city.timezone, web.deps.rule_book)


def refusal(exc: FeedbackError) -> WebError:
    """Why it was refused, as a sentence (`error.<key>`)."""
    if exc.key == "proposal_unknown":
        return NotFound(exc.key, **exc.facts)
    if exc.key == "proposal_not_yours":
        return Forbidden(exc.key)
    return (Conflict if exc.key in _CONFLICTS else Unusable)(exc.key, **exc.facts)


def _period(web: Web, weeks: int) -> tuple[datetime, datetime]:
    now = web.deps.clock()
    return now - timedelta(weeks=weeks), now


# ---------------------------------------------------------------- the API
@router.get("/api/v1/feedback/precision")
def precision_json(request: Request, me: Room, weeks: Weeks = WEEKS) -> dict[str, Any]:
    """How often each camera and rule was right, week by week, with intervals."""
    web = web_of(request)
    since, until = _period(web, weeks)
    found = desk_of(web).precision(since, until)
    return {"since": since, "until": until, "rules": [as_json(one) for one in found]}


@router.get("/api/v1/feedback/proposals")
def proposals_json(request: Request, me: Room, state: ProposalState | None = None) -> dict[str, Any]:
    """Thresholds that are or were proposed."""
    web = web_of(request)
    return {
        "now": web.deps.clock(),
        "proposals": [showing.plain(one) for one in desk_of(web).proposals(state)],
    }


class DecisionBody(BaseModel):
    """A decision as it is asked for."""

    model_config = ConfigDict(extra="forbid")

    step: StepName
    note: str = Field("", max_length=500, pattern=r"^[^\x00]*$")


@router.post("/api/v1/feedback/proposals/{proposal_id}/steps")
def decide_json(request: Request, proposal_id: ProposalId, body: DecisionBody, me: Decider) -> dict[str, Any]:
    """Approve, refuse or take back; 409 says in a sentence why not."""
    web = web_of(request)
    try:
        proposal = _decide(web, proposal_id, body.step, body.note, me)
    except FeedbackError as exc:
        raise refusal(exc) from exc
    plain: dict[str, Any] = showing.plain(proposal)
    return plain


def _decide(web: Web, proposal_id: int, step: StepName, note: str, me: Principal) -> Proposal:
    desk, actor, now = desk_of(web), Actor(user=me.user, role=me.role), web.deps.clock()
    do = {"approve": desk.approve, "refuse": desk.refuse, "revert": desk.revert}[step]
    return do(proposal_id, actor, note.strip(), now)


# ---------------------------------------------------------------- pages
def percent(value: float) -> str:
    """As people write it."""
    return f"{100 * value:.0f} %"


def names(camera_id: str, rule_id: str, city: City, t: Texts) -> dict[str, str]:
    """A camera and a row of the table in words."""
    camera = next((one for one in city.cameras if one.camera_id == camera_id), None)
    row = CATALOGUE.get(_VIOLATIONS.get(rule_id, ""))
    return {"camera": t.of(camera.name, camera_id) if camera else camera_id, "camera_id": camera_id,
            "rule": t.of(row.title) if row else rule_id, "rule_id": rule_id}  # fmt: skip


def counts_row(counts: Counts, t: Texts) -> dict[str, Any]:
    """Counted, in words and as a drawing from 0 to 100."""
    known = counts.precision
    said = (
        t(
            "feedback.precision_of",
            share=percent(known.share),
            low=percent(known.low),
            high=percent(known.high),
        )
        if known.share is not None
        else t("feedback.nothing_judged")
    )
    return {"right": counts.right, "false": counts.false, "lawful": counts.lawful, "unjudged": counts.unjudged,
            "said": said, "share": known.share, "low": known.low, "high": known.high}  # fmt: skip


def week_row(n: int, week: Week, t: Texts) -> dict[str, Any]:
    """One week, with its place in the drawing."""

    def y(share: float) -> float:
        return round(2 + (1 - share) * (WEEKS_HEIGHT - 4), 1)

    row = counts_row(week.counts, t)
    drawn = (
        {} if row["share"] is None else {"y": y(row["share"]), "top": y(row["high"]), "bottom": y(row["low"])}
    )
    return {**row, "begins": week.begins, "x": n * WEEK_X + WEEK_X / 2, "drawn": drawn}


def precision_row(one: Precision, city: City, t: Texts) -> dict[str, Any]:
    """One camera and rule in words."""
    return {
        **names(one.camera_id, one.rule_id, city, t), **counts_row(one.counts, t),
        "weeks": [week_row(n, week, t) for n, week in enumerate(one.weeks)],
        "width": WEEK_X * len(one.weeks),
        "causes": [(t(f"cause.{cause}"), count) for cause, count in one.causes],
        "hints": [(remedy, count, t.of(REMEDIES[remedy])) for remedy, count in looks_needed(one)],
    }  # fmt: skip


@router.get("/feedback")
def feedback_page(request: Request, me: Room, weeks: Weeks = WEEKS) -> Response:
    """How often cameras are right; the least trusted first."""
    web = web_of(request)
    t, desk = reader_texts(request), desk_of(web)
    found = desk.precision(*_period(web, weeks))
    totals = {
        name: sum(getattr(one.counts, name) for one in found)
        for name in ("right", "false", "lawful", "unjudged")
    }
    return render(
        request, "feedback.html",
        rows=[precision_row(one, web.deps.city, t) for one in found], totals=totals, weeks=weeks, periods=PERIODS,
        weeks_height=WEEKS_HEIGHT, waiting=len(desk.proposals(ProposalState.PROPOSED)),
    )  # fmt: skip


def proposal_row(one: Proposal, city: City, t: Texts) -> dict[str, Any]:
    """One proposal in words."""
    unit = " s" if one.number == "dwell_s" else ""
    return {**names(one.camera_id, one.rule_id, city, t), "proposal": one, "number": t(f"feedback_number.{one.number}"),
            "change": f"{one.from_value:g}{unit} → {one.to_value:g}{unit}", "unit": unit,
            "why": t(f"feedback_why.{one.why}")}  # fmt: skip


@router.get("/feedback/proposals")
def proposals_page(request: Request, me: Room) -> Response:
    """What waits for a decision, then what was decided."""
    web = web_of(request)
    t = reader_texts(request)
    rows = [proposal_row(one, web.deps.city, t) for one in desk_of(web).proposals()]
    return render(request, "proposals.html", rows=rows)


@router.get("/feedback/proposals/{proposal_id}")
def proposal_page(request: Request, proposal_id: ProposalId, me: Room) -> Response:
    """One proposal with the pictures of the alerts that it would have changed, and what the reader may do."""
    return _proposal_page(request, proposal_id, me)


def _proposal_page(
    request: Request, proposal_id: int, me: Principal, problem: WebError | None = None
) -> Response:
    web = web_of(request)
    t = reader_texts(request)
    try:
        one = desk_of(web).proposal(proposal_id)
    except FeedbackError as exc:
        raise refusal(exc) from exc
    with web.deps.pool.connection() as conn:
        people = names_of(conn, [user for user in (one.decided_by, one.reverted_by) if user])
    facts = one.facts
    return render(
        request, "proposal.html", problem.status if problem else 200,
        **proposal_row(one, web.deps.city, t),
        causes=[(t(f"cause.{cause}"), count) for cause, count in facts.causes],
        groups=[("missed", facts.missed), ("avoided", facts.avoided), ("kept", facts.kept), ("left", facts.left)],
        days=(facts.until.date() - facts.since.date()).days if facts.since and facts.until else 0,
        steps=_steps(one, me), names=people, may_see=may(me.role, Right.SEE_EVIDENCE),
        problem=sentence(request, problem) if problem else "",
    )  # fmt: skip


def _steps(one: Proposal, me: Principal) -> list[StepName]:
    if not may(me.role, Right.DECIDE_FEEDBACK):
        return []
    if one.state is ProposalState.PROPOSED:
        return ["approve", "refuse"]
    return ["revert"] if one.state is ProposalState.APPROVED and one.kind == "raise" else []


@router.post("/feedback/proposals/{proposal_id}/steps")
def decide_form(request: Request, proposal_id: ProposalId, me: Decider, form: Form) -> Response:
    """Decide by form; a refusal is said on the proposal's page."""
    step, note = form.get("step", ""), form.get("note", "")
    if step not in ("approve", "refuse", "revert") or "\x00" in note or len(note) > 500:
        raise Unusable("bad_values")
    try:
        _decide(web_of(request), proposal_id, step, note, me)  # type: ignore[arg-type]
    except FeedbackError as exc:
        problem = refusal(exc)
        if isinstance(problem, NotFound):
            raise problem from exc
        return _proposal_page(request, proposal_id, me, problem)
    return RedirectResponse(f"/feedback/proposals/{proposal_id}", 303)

"""Thresholds of one camera, as a page and as API: what holds and where it comes from, a form to set it, the edge's answer.

What may be set, and what becomes of it, is alerts.thresholds'; here it is laid out, and refusals become sentences.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from alerts.thresholds.cells import ALL, SET_HERE, WHEN, Cell, Value, cell_of, changed
from alerts.thresholds.desk import ROWS, Change, Row, Shown, ThresholdsDesk, answer_of
from alerts.thresholds.ports import ConfigurationRefused, Said, ThresholdsError
from alerts.values import Actor
from monitor.domain.answers import sentence as reason_sentence
from monitor.domain.assets import Camera
from monitor.domain.roles import Right, may
from monitor.domain.rulebook import LIMITS, most
from monitor.domain.violations import CATALOGUE, Rule
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
Setter = Annotated[Principal, Depends(Guard(Right.SET_THRESHOLDS))]
ChangeId = Annotated[int, Path(ge=1, le=2**62)]
RuleId = Annotated[str, Query(max_length=63)]

MOST_REASON = 200
_NOT_FOUND = frozenset({"thresholds_no_camera", "thresholds_no_rule", "thresholds_no_change"})
_CONFLICTS = frozenset({"thresholds_moved", "thresholds_changed_since", "thresholds_taken_back_already"})


def desk_of(web: Web) -> ThresholdsDesk:
    """The desk over the web's database; NotFound where thresholds are not set by hand."""
    if web.deps.thresholds is None:
        raise NotFound("no_such_page")
    return ThresholdsDesk(web.deps.pool, web.deps.thresholds)


def refusal(exc: ThresholdsError, t: Texts) -> WebError:
    """Why it was refused, as a sentence (`error.<key>`)."""
    facts = (
        {**exc.facts, "what": exc.said[t.language]} if isinstance(exc, ConfigurationRefused) else exc.facts
    )
    if exc.key == "thresholds_not_yours":
        return Forbidden(exc.key)
    kind = NotFound if exc.key in _NOT_FOUND else Conflict if exc.key in _CONFLICTS else Unusable
    return kind(exc.key, **facts)


# ---------------------------------------------------------------- what is said
def answer_said(said: Said | None, wanted: int, t: Texts) -> dict[str, Any]:
    """The edge's answer to a version, in words."""
    answer = answer_of(said, wanted)
    reasons = (
        []
        if said is None or answer != "refused"
        else [reason_sentence(one, t.language) for one in said.reasons]
    )
    return {"answer": answer, "wanted": wanted, "in_force": None if said is None else said.in_force,
            "text": t(f"threshold_answer.{answer}", wanted=wanted), "reasons": reasons}  # fmt: skip


def _origin(value: Value, names: dict[str, str], t: Texts) -> str:
    step = value.origin.step
    by = "" if step is None else names.get(step.by, step.by)
    return t(f"threshold_origin.{value.origin.kind}", number=step.number if step else "", by=by)


def _cell(cell: Cell, row: Row, names: dict[str, str], t: Texts) -> dict[str, Any]:
    value, rule = row.cells[cell], row.rule
    step = value.origin.step
    return {
        "name": str(cell), "number": cell.number, "value": value.value, "own": value.own,
        "origin": value.origin.kind, "origin_said": _origin(value, names, t),
        "proposal": step.number if step is not None and step.kind == "feedback" else None,
        "least": LIMITS[cell.number].least, "most": most(rule, cell.number),
    }  # fmt: skip


def rule_row(row: Row, names: dict[str, str], t: Texts) -> dict[str, Any]:
    """One rule with all its cells."""
    rule = row.rule
    violation = CATALOGUE[rule.violation]
    scopes = [
        {
            "who": who, "name": t("thresholds.all_classes") if who == ALL else t(f"object.{who}"),
            "own": any(row.cells[Cell(who, when, number)].own for when in WHEN for number in SET_HERE),
            "by": [{"when": when, "cells": [_cell(Cell(who, when, number), row, names, t) for number in SET_HERE]}
                   for when in WHEN],
        }
        for who in (ALL, *(sorted(rule.classes) if len(rule.classes) > 1 else ()))
    ]  # fmt: skip
    kinds = {value.origin.kind for value in row.cells.values()} - {"shipped"}
    return {
        "rule": rule.rule_id, "title": t.of(violation.title), "article": violation.article, "on": row.on,
        "reason": row.reason, "where": _where(rule, t), "guard": rule.guard[t.language], "scopes": scopes,
        "origins": [t(f"thresholds.tag_{kind}") for kind in ("hand", "feedback", "file", "edge") if kind in kinds],
        "day": [row.cells[Cell(ALL, "day", number)].value for number in SET_HERE],
    }  # fmt: skip


def _where(rule: Rule, t: Texts) -> str:
    return (
        t("thresholds.band", m=rule.band_m) if rule.band_m is not None else t(f"thresholds.zone_{rule.zone}")
    )


def change_row(change: Change, names: dict[str, str], t: Texts) -> dict[str, Any]:
    """One change by hand, number by number."""
    lines = [
        {"what": cell_said(cell, t), "from": _number(old, cell, t), "to": _number(new, cell, t)}
        for cell, (old, new) in changed(change.before, change.after).items()
    ]
    return {"change": change, "title": t.of(CATALOGUE[ROWS[change.rule_id].violation].title) if change.rule_id in ROWS
            else change.rule_id, "lines": lines, "by": names.get(change.changed_by, change.changed_by),
            "reverted_by": names.get(change.reverted_by or "", change.reverted_by)}  # fmt: skip


def cell_said(cell: Cell, t: Texts) -> str:
    """A cell in words."""
    who = "" if cell.who == ALL else t(f"object.{cell.who}") + ", "
    night = t("thresholds.night") + ", " if cell.when == "night" else ""
    known = t.has(f"threshold.{cell.number}")
    return f"{who}{night}{t(f'threshold.{cell.number}') if known else cell.number}"


def _number(value: float | None, cell: Cell, t: Texts) -> str:
    return "–" if value is None else f"{value:g}{' s' if cell.number == 'dwell_s' else ''}"


# ---------------------------------------------------------------- the API
@router.get("/api/v1/cameras/{camera_id}/thresholds")
def thresholds_json(request: Request, camera_id: str, me: Room) -> dict[str, Any]:
    """Every number of every rule at the camera, with where it comes from, and the edge's answer."""
    web, t = web_of(request), reader_texts(request)
    shown = _shown(request, web, camera_id)
    names = _names(web, shown)
    return {"camera_id": camera_id, "edge_id": shown.edge_id, "version": shown.number,
            "edge": answer_said(shown.said, shown.number, t),
            "rules": [rule_row(row, names, t) for row in shown.rows]}  # fmt: skip


@router.get("/api/v1/cameras/{camera_id}/thresholds/answer")
def answer_json(request: Request, camera_id: str, me: Room) -> dict[str, Any]:
    """The edge's answer to the newest version."""
    try:
        number, said = desk_of(web_of(request)).said(camera_id)
    except ThresholdsError as exc:
        raise refusal(exc, reader_texts(request)) from exc
    return answer_said(said, number, reader_texts(request))


Number = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class SetBody(BaseModel):
    """Numbers by cell (`enter_score`, `night.dwell_s`, `excavator.enter_score`); null empties one."""

    model_config = ConfigDict(extra="forbid")

    rule: str = Field(max_length=63)
    numbers: dict[Annotated[str, Field(max_length=100)], Number | None] = Field(max_length=100)
    reason: str = Field(min_length=3, max_length=MOST_REASON, pattern=r"^[^\x00]*$")
    #: version that was looked at
    seen: int | None = Field(default=None, ge=1, le=2**62)


class BackBody(BaseModel):
    """Why a change is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=MOST_REASON, pattern=r"^[^\x00]*$")


@router.post("/api/v1/cameras/{camera_id}/thresholds")
def set_json(request: Request, camera_id: str, body: SetBody, me: Setter) -> dict[str, Any]:
    """Set numbers of one rule; 409 and 422 say in a sentence why not."""
    try:
        cells = {cell_of(name, _rule(body.rule)): value for name, value in body.numbers.items()}
        change = _set(web_of(request), camera_id, body.rule, cells, me, body.reason, body.seen)
    except ThresholdsError as exc:
        raise refusal(exc, reader_texts(request)) from exc
    return {"change": change.change_id, "version": change.version}


@router.post("/api/v1/cameras/{camera_id}/thresholds/{change_id}/back")
def back_json(
    request: Request, camera_id: str, change_id: ChangeId, body: BackBody, me: Setter
) -> dict[str, Any]:
    """Take a change back."""
    try:
        change = _back(web_of(request), change_id, me, body.reason)
    except ThresholdsError as exc:
        raise refusal(exc, reader_texts(request)) from exc
    return {"change": change.change_id, "version": change.reverted_version}


def _rule(rule_id: str) -> Rule:
    if rule_id not in ROWS:
        raise ThresholdsError("thresholds_no_rule", rule=rule_id[:63], known=", ".join(ROWS))
    return ROWS[rule_id]


def _set(
    web: Web, camera_id: str, rule_id: str, cells: dict[Cell, float | None], me: Principal, reason: str,
    seen: int | None,
) -> Change:  # fmt: skip
    actor = Actor(user=me.user, role=me.role)
    return desk_of(web).set(
        camera_id, rule_id, cells, actor=actor, reason=reason, now=web.deps.clock(), seen=seen
    )


def _back(web: Web, change_id: int, me: Principal, reason: str) -> Change:
    actor = Actor(user=me.user, role=me.role)
    return desk_of(web).take_back(change_id, actor=actor, reason=reason, now=web.deps.clock())


# ---------------------------------------------------------------- pages
@router.get("/cameras/{camera_id}/thresholds")
def thresholds_page(request: Request, camera_id: str, me: Room, rule: RuleId = "") -> Response:
    """The rules of one camera, and the form of the one that is chosen."""
    return _page(request, camera_id, rule, me)


@router.post("/cameras/{camera_id}/thresholds")
def set_form(request: Request, camera_id: str, me: Setter, form: Form) -> Response:
    """Set by form; a refusal is said on the page, with what was typed."""
    rule_id, reason, seen = form.get("rule", ""), form.get("reason", ""), form.get("seen", "")
    if "\x00" in "".join(form.values()) or len(reason) > MOST_REASON or not seen.isdigit() or len(seen) > 18:
        raise Unusable("bad_values")
    try:
        rule = _rule(rule_id)
        typed = {name: text.strip() for name, text in form.items() if "." in name}
        cells = {cell_of(name, rule): _typed(text) for name, text in typed.items()}
        _set(web_of(request), camera_id, rule_id, cells, me, reason, int(seen))
    except ThresholdsError as exc:
        problem = refusal(exc, reader_texts(request))
        if isinstance(problem, NotFound):
            raise problem from exc
        return _page(request, camera_id, rule_id, me, problem, form)
    return RedirectResponse(f"/cameras/{camera_id}/thresholds?rule={rule_id}", 303)


@router.post("/cameras/{camera_id}/thresholds/{change_id}/back")
def back_form(request: Request, camera_id: str, change_id: ChangeId, me: Setter, form: Form) -> Response:
    """Take back by form."""
    reason, rule_id = form.get("reason", ""), form.get("rule", "")
    if "\x00" in reason or len(reason) > MOST_REASON or len(rule_id) > 63:
        raise Unusable("bad_values")
    try:
        change = _back(web_of(request), change_id, me, reason)
    except ThresholdsError as exc:
        problem = refusal(exc, reader_texts(request))
        if isinstance(problem, NotFound):
            raise problem from exc
        return _page(request, camera_id, rule_id, me, problem)
    return RedirectResponse(f"/cameras/{change.camera_id}/thresholds?rule={change.rule_id}", 303)


def _typed(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise ThresholdsError("thresholds_no_number", value=text[:20]) from None
    if not 0 <= value <= 100_000:  # NaN as well
        raise ThresholdsError("thresholds_no_number", value=text[:20])
    return value


def _page(
    request: Request, camera_id: str, rule_id: str, me: Principal, problem: WebError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    web, t = web_of(request), reader_texts(request)
    shown = _shown(request, web, camera_id)
    names = _names(web, shown)
    rows = [rule_row(row, names, t) for row in shown.rows]
    chosen = next((row for row in rows if row["rule"] == rule_id), rows[0])
    return render(
        request, "thresholds.html", problem.status if problem else 200,
        camera=_camera(web, camera_id), shown=shown, rows=rows, chosen=chosen, typed=typed or {},
        changes=[change_row(one, names, t) for one in shown.changes], said=answer_said(shown.said, shown.number, t),
        may_set=may(me.role, Right.SET_THRESHOLDS), problem=sentence(request, problem) if problem else "",
    )  # fmt: skip


def _shown(request: Request, web: Web, camera_id: str) -> Shown:
    try:
        return desk_of(web).of_camera(camera_id)
    except ThresholdsError as exc:
        raise refusal(exc, reader_texts(request)) from exc


def _names(web: Web, shown: Shown) -> dict[str, str]:
    users = {
        step.by
        for row in shown.rows
        for value in row.cells.values()
        if (step := value.origin.step) is not None
    }
    users |= {user for one in shown.changes for user in (one.changed_by, one.reverted_by) if user}
    with web.deps.pool.connection() as conn:
        return names_of(conn, users)


def _camera(web: Web, camera_id: str) -> Camera | None:
    """None: it came with a configuration that this centre has not begun to run yet."""
    return next((one for one in web.deps.city.cameras if one.camera_id == camera_id), None)

"""A permit's holder asks and objects, the supervisor answers; what is seen of it names no person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from alerts.permitting.questions import MOST_OPEN
from tests.doubles.web_town import PEOPLE, Town, town
from tests.integration.test_visits import entries, login
from tests.integration.test_web_permits import API, FIELDS

FORM = {"origin": "http://testserver"}
#: a crane is not among the permit's machines
CRANE: dict[str, Any] = {
    "chainage_m": 4600, "offset_m": 20, "violation": "works_50m", "rule_id": "works-50m", "object_class": "crane",
}  # fmt: skip
URL = "/permits/P-7/questions"


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as client:
        supervisor = login(client, "supervisor")
        fields = {**FIELDS, "holder": "holder"}
        assert (
            client.post(API, json={"fields": fields, "approved": True}, headers=supervisor).status_code == 201
        )
        other = {**FIELDS, "number": "OTHER-1", "from": "K10+000", "to": "K10+300"}
        assert (
            client.post(API, json={"fields": other, "approved": True}, headers=supervisor).status_code == 201
        )
        yield client


def ask(client: TestClient, text: str, **more: str) -> int:
    data = {"text": text, "key": text[:20], **more}
    return client.post(URL, data=data, headers={**login(client, "holder"), **FORM}).status_code


def test_a_question_and_an_objection_are_answered_on_the_permits_page(client: TestClient, here: Town) -> None:
    """Asked once, seen by the supervisor, decided with a reason; permit and alert stay as they are."""
    here.sees(**CRANE)
    alert = here.newest().alert
    assert ask(client, "May we work on <b>Sunday</b>?") == 303
    assert ask(client, "May we work on <b>Sunday</b>?") == 303
    assert ask(client, "It was parked", alert=str(alert.number)) == 303
    holder, supervisor = login(client, "holder"), login(client, "supervisor")
    tasks = client.get("/objections", headers=supervisor).text
    assert (tasks.count("&lt;b&gt;Sunday"), tasks.count("It was parked")) == (1, 1)
    post = {**supervisor, **FORM}
    assert (
        client.post(
            "/objections/permits/1", data={"state": "upheld", "answer": "no"}, headers=post
        ).status_code
        == 422
    )
    assert (
        client.post(
            "/objections/permits/1", data={"state": "answered", "answer": " "}, headers=post
        ).status_code
        == 422
    )
    objection = tasks.split("/objections/permits/")[2].split('"')[0]
    for number, state in (("1", "answered"), (objection, "rejected")):
        said = {"state": state, "answer": f"answer {number}"}
        assert client.post(f"/objections/permits/{number}", data=said, headers=post).status_code == 303
        assert client.post(f"/objections/permits/{number}", data=said, headers=post).status_code == 409
    page = client.get("/permits/P-7", headers=holder).text
    assert ("answer 1" in page, f"answer {objection}" in page, "rejected" in page) == (True, True, True)
    assert here.newest().alert == alert
    assert [one["body"]["state"] for one in entries(here, "permit.answer")] == ["answered", "rejected"]
    assert [one["actor"] for one in entries(here, "permit.question")] == ["holder"] * 2


def test_nobody_asks_about_what_is_not_theirs(client: TestClient, here: Town) -> None:
    """Not of another's permit, not against an alert that does not name it, not without words, not without end."""
    here.sees()
    stranger = here.newest().alert.number
    headers = {**login(client, "holder"), **FORM}
    assert client.post("/permits/OTHER-1/questions", data={"text": "x"}, headers=headers).status_code == 404
    for wrong in (str(stranger), "9999", "x", "9" * 19):
        assert ask(client, "mine?", alert=wrong) == 422
    assert ask(client, "  ") == 422
    for n in range(MOST_OPEN):
        assert ask(client, f"question {n}") == 303
    assert ask(client, "one more") == 409
    assert "one more" not in client.get("/objections", headers=login(client, "supervisor")).text
    for user in ("supervisor", "operator"):
        assert (
            client.post(URL, data={"text": "x"}, headers={**login(client, user), **FORM}).status_code == 403
        )


def test_whoever_resolved_the_alert_does_not_decide_on_the_objection(client: TestClient, here: Town) -> None:
    """As with visited companies."""
    here.sees(**CRANE)
    assert ask(client, "It was parked", alert=str(here.newest().alert.number)) == 303
    with here.pool.connection() as conn:
        conn.execute("UPDATE alert SET resolved_by = 'supervisor'")
    post = {**login(client, "supervisor"), **FORM}
    said = {"state": "upheld", "answer": "yes"}
    assert client.post("/objections/permits/1", data=said, headers=post).status_code == 409


def test_the_holder_sees_what_was_seen_and_no_official(client: TestClient, here: Town) -> None:
    """Inside and outside with how it stands, and visits' looks; neither who decided nor what an officer wrote."""
    here.sees(**CRANE)
    here.sees(**{**CRANE, "object_class": "excavator", "chainage_m": 4750})
    here.sees("village")  # somebody is sent there
    with here.pool.connection() as conn:
        conn.execute(
            "INSERT INTO visit_check (dispatch_id, kind, ref, why, added_at, looked_at, looked_by, outcome, note)"
            " SELECT dispatch_id, 'permit', 'P-7', 'permit_ends', now(), now(), 'li.wei', 'as_permitted', 'Wang was there'"
            " FROM dispatch"
        )
    holder = login(client, "holder")
    page = client.get("/permits/P-7", headers=holder).text
    assert ("nobody was sent" in page, "tag-bad" in page, "Looked at on site" in page) == (True, True, True)
    people = [name for user, (_, name, _) in PEOPLE.items() if user != "holder"]
    assert not [name for name in (*people, "Wang", "li.wei") if name in page]
    shown = client.get(f"{API}/P-7", headers=holder).json()
    assert {move["actor"] for move in shown["moves"]} == {"supervisor"}
    assert "Sun Supervisor" in client.get("/permits/P-7", headers=login(client, "operator")).text

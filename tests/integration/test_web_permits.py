"""Permits over HTTP: a company asks for its own, a supervisor decides, and nobody sees another's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.doubles.web_town import NOON, PASSWORD, Town, town

#: NOON is 14:00 on 2026-11-24 in the city
FIELDS: dict[str, Any] = {
    "number": "P-7", "company": "Example Roads Ltd", "pipeline": "a", "from": "K4+500", "to": 4800,
    "valid_from": "2026-11-20", "valid_to": "2026-11-30", "works": "works_50m", "machines": "excavator:1",
}  # fmt: skip
API = "/api/v1/permits"


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as client:
        yield client


def login(client: TestClient, user: str) -> dict[str, str]:
    token = client.post("/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
    return {"authorization": f"Bearer {token}"}


def kinds(here: Town) -> list[str]:
    with here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT convert_from(body, 'UTF8')::jsonb->>'kind' AS kind FROM audit_entry ORDER BY entry_id"
        )
        return [row["kind"] for row in rows if row["kind"].startswith("permit.")]


def test_from_the_request_to_a_prolongation(client: TestClient, here: Town) -> None:
    """The company asks, the supervisor approves, the company asks for more time in one step."""
    holder, supervisor = login(client, "holder"), login(client, "supervisor")
    asked = client.post(API, json={"fields": FIELDS}, headers=holder)
    assert (asked.status_code, asked.json()["state"], asked.json()["holder"]) == (201, "requested", "holder")
    assert client.post(API, json={"fields": FIELDS}, headers=holder).status_code == 200
    assert client.post(f"{API}/P-7/steps", json={"step": "approve"}, headers=holder).status_code == 403
    approved = client.post(f"{API}/P-7/steps", json={"step": "approve", "version": 1}, headers=supervisor)
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    again = client.post(f"{API}/P-7/steps", json={"step": "approve"}, headers=supervisor)
    assert (again.status_code, "approved" in again.json()["detail"]) == (409, True)
    step = {"step": "ask_prolongation", "until": "2026-12-10 19:00"}
    key = {"idempotency-key": "phone-1"}
    for _ in range(2):
        more = client.post(f"{API}/P-7/steps", json=step, headers={**holder, **key})
        assert (more.status_code, more.json()["prolong_to"]) == (200, "2026-12-10T11:00:00Z")
    given = client.post(f"{API}/P-7/steps", json={"step": "prolong"}, headers=supervisor).json()
    assert (given["valid_to"], given["prolong_to"]) == ("2026-12-10T11:00:00Z", None)
    assert kinds(here) == ["permit.request", "permit.approve", "permit.ask_prolongation", "permit.prolong"]


def test_a_date_that_cannot_be_read_grants_nothing(client: TestClient) -> None:
    """The supervisor meant a shorter end than the company asked for: his slip must not give it all."""
    supervisor = login(client, "supervisor")
    client.post(API, json={"fields": FIELDS, "approved": True}, headers=supervisor)
    ask = {"step": "ask_prolongation", "until": "2026-12-30"}
    assert client.post(f"{API}/P-7/steps", json=ask, headers=supervisor).status_code == 200
    slip = {"step": "prolong", "until": "2026-12-32"}
    refused = client.post(f"{API}/P-7/steps", json=slip, headers=supervisor)
    assert (refused.status_code, "The new end" in refused.json()["detail"]) == (422, True)
    page = client.post("/permits/P-7/steps", data={**slip, "version": "2", "key": "k"}, headers=supervisor)
    assert (page.status_code, "The new end must be" in page.text) == (422, True)
    assert client.get(f"{API}/P-7", headers=supervisor).json()["valid_to"].startswith("2026-11-30")


def test_a_holder_sees_his_own_permits_only(client: TestClient) -> None:
    """Neither in the list nor by guessing a number, nor by a step."""
    holder, supervisor = login(client, "holder"), login(client, "supervisor")
    client.post(API, json={"fields": {**FIELDS, "number": "OTHER-1"}, "approved": True}, headers=supervisor)
    client.post(API, json={"fields": FIELDS}, headers=holder)
    assert [p["permit_number"] for p in client.get(API, headers=holder).json()["permits"]] == ["P-7"]
    assert len(client.get(API, headers=supervisor).json()["permits"]) == 2
    assert client.get(f"{API}/OTHER-1", headers=holder).status_code == 404
    assert client.get("/permits/OTHER-1", headers=holder).status_code == 404
    refused = client.post(f"{API}/OTHER-1/steps", json={"step": "withdraw", "note": "x"}, headers=holder)
    assert refused.status_code == 404
    assert "OTHER-1" not in client.get("/permits", headers=holder).text
    assert client.post(API, json={"fields": FIELDS, "approved": True}, headers=holder).status_code in (
        403,
        409,
    )


def test_faulty_fields_are_all_told_at_once_in_the_readers_language(client: TestClient) -> None:
    """What is wrong, in which field, and what to write."""
    headers = {**login(client, "holder"), "accept-language": "zh"}
    answer = client.post(
        API, json={"fields": {**FIELDS, "from": "here", "machines": "excavator"}}, headers=headers
    )
    assert answer.status_code == 422
    assert [(f["field"], f["key"]) for f in answer.json()["faults"]] == [
        ("from", "field_chainage"), ("machines", "field_machines"),
    ]  # fmt: skip
    assert "K12+345" in answer.json()["faults"][0]["text"]
    assert "里程" in answer.json()["faults"][0]["text"]


def test_the_forms_do_the_same_without_any_script(client: TestClient) -> None:
    """Ask, see the fault beside its field, send again, change, and have it decided."""
    holder, supervisor = login(client, "holder"), login(client, "supervisor")
    form = {**FIELDS, "valid_from": "2026-11-20T00:00", "valid_to": "2026-11-30T19:00"}
    faulty = client.post("/permit-request", data={**form, "to": "K1"}, headers=holder)
    assert (faulty.status_code, "no chainage" in faulty.text, "Example Roads Ltd" in faulty.text) == (
        422,
        True,
        True,
    )
    assert client.post("/permit-request", data=form, headers=holder).headers["location"] == "/permits/P-7"
    assert "Withdraw" in client.get("/permits/P-7", headers=holder).text
    assert 'value="excavator:1"' in client.get("/permits/P-7/change", headers=holder).text
    wider = client.post("/permits/P-7/change", data={**form, "to": "4900", "version": "1"}, headers=holder)
    assert wider.status_code == 303
    step = {"step": "approve", "version": "1", "key": "k1"}
    stale = client.post("/permits/P-7/steps", data=step, headers=supervisor)
    assert (stale.status_code, "changed meanwhile" in stale.text) == (409, True)
    assert (
        client.post("/permits/P-7/steps", data={**step, "version": "2"}, headers=supervisor).status_code
        == 303
    )
    for view, there in (
        ("running", True),
        ("ending", True),
        ("coming", False),
        ("asked", False),
        ("over", False),
    ):
        assert ("P-7" in client.get(f"/permits?view={view}", headers=supervisor).text) is there, view


def test_a_permit_names_the_alerts_that_it_covered_and_that_broke_it(client: TestClient, here: Town) -> None:
    """Within its hours a record, after its withdrawal a case: both stand on the permit's page, and it on theirs."""
    supervisor, holder = login(client, "supervisor"), login(client, "holder")
    client.post(API, json={"fields": {**FIELDS, "holder": "holder"}, "approved": True}, headers=supervisor)
    works = {"violation": "works_50m", "rule_id": "works-50m"}
    here.sees(chainage_m=4600, offset_m=20, **works)
    (record,) = client.get("/api/v1/alerts", headers=supervisor).json()["alerts"]
    assert record["state"] == "supervised"
    assert "/permits/P-7" in client.get(f"/alerts/{record['alert_id']}", headers=supervisor).text
    here.now += timedelta(minutes=40)
    withdraw = {"step": "withdraw", "note": "finished"}
    assert client.post(f"{API}/P-7/steps", json=withdraw, headers=holder).status_code == 200
    here.now += timedelta(seconds=5)
    here.sees(chainage_m=4600, offset_m=20, **works)
    shown = client.get(f"{API}/P-7", headers=holder).json()["alerts"]
    assert [alert["breaks"] for alert in shown] == [["permit_withdrawn"], []]
    assert "P-7" in client.get("/permits?view=breached", headers=supervisor).text
    assert here.now > NOON


@pytest.mark.parametrize("number", ["%00", "x" * 300, "..", "%F0%9F%9A%A7"])
def test_a_number_that_nobody_has_is_simply_not_there(client: TestClient, number: str) -> None:
    """No stack trace, no 500."""
    supervisor = login(client, "supervisor")
    assert client.get(f"{API}/{number}", headers=supervisor).status_code in (404, 200)
    assert client.get(f"/permits/{number}", headers=supervisor).status_code in (404, 200)

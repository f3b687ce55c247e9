"""Reports over HTTP: the form, the API, who may see the caller, and what becomes of photos."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from monitor.web.texts import CATALOGUES
from tests.doubles.web_town import PASSWORD, Town, picture, town

API = "/api/v1/reports"
FIELDS: dict[str, Any] = {
    "violation": "excavation_5m", "said": "digger at the bridge", "pipeline": "a", "stake": "K5+000", "offset_m": 3,
    "side": "right", "activity": "working", "machine": "excavator", "caller_name": "Frau Wang", "caller_phone": "138 0000",
}  # fmt: skip


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


def form(**changes: Any) -> dict[str, str]:
    return {
        name: str(text) for name, text in {"key": "form-1", **FIELDS, **changes}.items() if text is not None
    }


def test_a_call_becomes_a_dispatch(client: TestClient, here: Town) -> None:
    """One POST, and the officer's list has it; the officer reads what was said and not who said it."""
    operator, officer = login(client, "operator"), login(client, "li.wei")
    made = client.post(API, json={"fields": FIELDS}, headers={**operator, "idempotency-key": "k"})
    assert (made.status_code, made.json()["level"], made.json()["state"]) == (201, "I", "dispatched")
    again = client.post(API, json={"fields": FIELDS}, headers={**operator, "idempotency-key": "k"})
    assert (again.status_code, again.json()["alert_id"]) == (200, made.json()["alert_id"])
    alert_id = made.json()["alert_id"]
    for url in (f"/api/v1/alerts/{alert_id}", f"/field/{alert_id}", "/field", "/api/v1/dispatches"):
        seen = client.get(url, headers=officer)
        assert seen.status_code == 200
        assert "Wang" not in seen.text
        assert "138 0000" not in seen.text
    assert "digger at the bridge" in client.get(f"/field/{alert_id}", headers=officer).text
    assert client.get(f"/api/v1/alerts/{alert_id}", headers=operator).json()["source"] == "report"


def test_every_fault_is_told_at_once(client: TestClient) -> None:
    """422 with field, key and words in the reader's language; nothing was reported."""
    operator = login(client, "operator")
    fields = {**FIELDS, "stake": "K99+000", "machines": "many", "said": ""}
    answer = client.post(API, json={"fields": fields}, headers={**operator, "accept-language": "zh"})
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["faults"]} == {"stake", "machines", "said"}
    assert answer.json()["detail"] == CATALOGUES["zh"]["error.report_faulty"]
    assert client.get("/api/v1/alerts", headers=operator).json()["alerts"] == []


def test_a_form_that_is_refused_keeps_what_was_typed(client: TestClient) -> None:
    """The fault stands beside its field, the rest is as it was, the key is the same: a second try is one report."""
    operator = login(client, "operator")
    answer = client.post("/report", data=form(stake="K5000"), headers=operator)
    assert answer.status_code == 422
    for kept in ("digger at the bridge", "K5000", "Frau Wang", 'value="form-1"', 'id="stake-says"'):
        assert kept in answer.text
    taken = client.post("/report", data=form(), headers=operator)
    assert taken.status_code == 303
    assert (
        client.post("/report", data=form(), headers=operator).headers["location"] == taken.headers["location"]
    )
    assert len(client.get("/api/v1/alerts", headers=operator).json()["alerts"]) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_second_report_in_the_form_of_the_first_is_asked_about(
    client: TestClient, here: Town, language: str
) -> None:
    """Who goes back in the browser and types the next emergency is told that it is not taken yet; sent again, it is."""
    operator = {**login(client, "operator"), "cookie": f"hcawatch_language={language}"}
    assert client.post("/report", data=form(), headers=operator).status_code == 303
    number = here.newest().alert.number
    fire = form(violation="fire_5m", said="a fire at K1", stake="K1+000", activity=None, machine=None)
    asked = client.post("/report", data=fire, headers=operator)
    assert asked.status_code == 422
    said = CATALOGUES[language]["error.report_form_used"].format(number=number)
    assert said in html.unescape(asked.text)
    assert "a fire at K1" in asked.text
    key = asked.text.partition('name="key" value="')[2].partition('"')[0]
    assert key not in ("", "form-1")
    assert client.post("/report", data={**fire, "key": key}, headers=operator).status_code == 303
    assert len(client.get("/api/v1/alerts", headers=operator).json()["alerts"]) == 2
    refused = client.post(
        API, json={"fields": {**FIELDS, "said": "more"}}, headers={**operator, "idempotency-key": "form-1"}
    )
    assert refused.status_code == 422
    assert refused.json()["detail"] == CATALOGUES[language]["error.report_key_used"].format(number=number)


def test_only_the_room_reads_the_caller_and_it_is_an_entry(client: TestClient, here: Town) -> None:
    """Auditor, admin, officers: 403; the room: name and number, and a line in the log that has neither."""
    operator = login(client, "operator")
    report_id = client.post(API, json={"fields": FIELDS}, headers=operator).json()["report_id"]
    for user in ("auditor", "admin", "li.wei", "chen.jie", "holder"):
        assert client.get(f"/reports/{report_id}", headers=login(client, user)).status_code == 403
    page = client.get(f"/reports/{report_id}", headers=operator)
    assert "Frau Wang" in page.text
    assert client.get("/reports/nobody", headers=operator).status_code == 404
    with here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT kind, convert_from(body, 'UTF8') AS body FROM audit_entry ORDER BY entry_id"
        ).fetchall()
    assert "report.caller_seen" in {row["kind"] for row in rows}
    assert not any("Wang" in row["body"] or "138 0000" in row["body"] for row in rows)
    listed = client.get("/reports", headers=login(client, "auditor"))
    assert "digger at the bridge" in listed.text
    assert "Wang" not in listed.text


def test_the_patrol_reports_from_its_page_and_only_on_its_own_sites(client: TestClient, here: Town) -> None:
    """What they saw counts as confirmed and is sent; a site of another team is refused with what to do."""
    patrol = login(client, "chen.jie")
    assert "/report" in client.get("/field", headers=patrol).text
    theirs = form(pipeline="b", stake="K9+500", violation="marker_damaged", activity=None, machine=None)
    taken = client.post("/report", data=theirs, headers=patrol)
    assert (taken.status_code, taken.headers["location"].startswith("/field?reported=")) == (303, True)
    alert = here.newest().alert
    assert (alert.confirmation, alert.state, alert.level) == ("confirmed", "dispatched", "IV")
    assert str(alert.number) in client.get(taken.headers["location"], headers=patrol).text
    refused = client.post("/report", data=form(key="other"), headers=patrol)
    assert refused.status_code == 422
    assert CATALOGUES["en"]["error.report_not_your_site"].format(site="s1") in html.unescape(refused.text)


def test_one_persons_key_is_not_anothers(client: TestClient, here: Town) -> None:
    """Two operators whose programs count from 1 do not swallow each other's reports."""
    for user, stake in (("operator", "K5+000"), ("supervisor", "K5+900")):
        made = client.post(
            API, json={"fields": {**FIELDS, "stake": stake}}, headers={**login(client, user), "idempotency-key": "1"}
        )  # fmt: skip
        assert (made.status_code, made.json()["new"]) == (201, True)


def test_photos_come_with_the_report(client: TestClient, here: Town) -> None:
    """They are evidence of the alert, sealed by hash; a file that is no photo is told, and nothing is taken."""
    operator = login(client, "operator")
    photo = picture("report")
    broken = [("photos", ("a.jpg", photo, "image/jpeg")), ("photos", ("b.jpg", b"no picture", "image/jpeg"))]
    answer = client.post("/report", data=form(), files=broken, headers=operator)
    assert answer.status_code == 422
    assert 'id="photos-says"' in answer.text
    assert client.get("/api/v1/alerts", headers=operator).json()["alerts"] == []
    for _ in range(2):
        taken = client.post("/report", data=form(), files=broken[:1], headers=operator)
        assert taken.status_code == 303
    view = here.newest()
    assert [(item.kind, item.uploaded_by) for item in view.evidence] == [("photo", "operator")]
    sha256 = view.evidence[0].sha256
    assert f"/api/v1/evidence/{sha256}" in client.get(taken.headers["location"], headers=operator).text
    assert client.get(f"/api/v1/evidence/{sha256}", headers=operator).status_code == 200
    too_many = [("photos", (f"{n}.jpg", picture(str(n), (64, 48)), "image/jpeg")) for n in range(6)]
    assert client.post("/report", data=form(key="x"), files=too_many, headers=operator).status_code == 422


def test_reports_and_cameras_are_counted_apart(client: TestClient, here: Town) -> None:
    """The list shows what each source's alerts turned out to be."""
    supervisor = login(client, "supervisor")
    here.sees("village")
    alert_id = client.post(API, json={"fields": FIELDS}, headers=supervisor).json()["alert_id"]
    body = {"step": "dismiss", "reason": "false_alarm", "cause": "wrong_place", "note": "nobody"}
    assert client.post(f"/api/v1/alerts/{alert_id}/steps", json=body, headers=supervisor).status_code == 200
    figures = {one["source"]: one for one in client.get(API, headers=supervisor).json()["figures"]}
    assert (figures["report"]["false_alarms"], figures["edge"]["false_alarms"]) == (1, 0)
    here.now += timedelta(days=31)
    assert client.get(API, headers=login(client, "supervisor")).json()["figures"] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_say_where_it_comes_from(client: TestClient, here: Town, language: str) -> None:
    """Console, alert and field page name the source, in both languages; no key is shown as such."""
    supervisor = {**login(client, "supervisor"), "cookie": f"hcawatch_language={language}"}
    camera_only = {
        **FIELDS,
        "stake": None,
        "pipeline": None,
        "offset_m": None,
        "side": None,
        "camera": "school",
    }
    made = client.post(
        API, json={"fields": {**FIELDS, "offset_m": None, "side": None}}, headers=supervisor
    ).json()
    shown = client.post(API, json={"fields": camera_only}, headers=supervisor).json()
    word = CATALOGUES[language]["source.report"]
    for url in ("/", "/reports", f"/alerts/{made['alert_id']}", f"/alerts/{shown['alert_id']}", "/report", "/field",
                f"/field/{made['alert_id']}"):  # fmt: skip
        page = client.get(url, headers=supervisor)
        assert page.status_code == 200, url
        assert word in page.text or url == "/report", url
    said = CATALOGUES[language]["risk.by_report"]
    page = html.unescape(client.get(f"/alerts/{made['alert_id']}", headers=supervisor).text)
    assert said[1:] in page

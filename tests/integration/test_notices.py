"""A visited company, without a login: sees by its code what concerns it and nobody else, rates, objects, gets an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from alerts.visiting.notices import MOST_OBJECTIONS
from tests.doubles.web_town import PEOPLE, Town, town
from tests.integration.test_visits import arrive, collect, entries, fill, login, step

FORM = {"origin": "http://testserver"}
COMPANY: dict[str, Any] = {
    "company": "Example Roads Ltd",
    "said": "Fill the pit until Friday",
    "advice": True,
}


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as client:
        yield client


def noticed(client: TestClient, here: Town) -> tuple[str, str]:
    """An alert whose officer is on site, and the code of the notice that they gave."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    mine = login(client, "li.wei")
    early = client.post(f"/api/v1/alerts/{alert_id}/notices", json=COMPANY, headers=mine)
    assert early.status_code == 409
    arrive(client, alert_id, mine)
    given = client.post(f"/api/v1/alerts/{alert_id}/notices", json=COMPANY, headers=mine)
    assert given.status_code == 201, given.text
    return alert_id, given.json()["code"]


def test_the_company_sees_its_case_and_no_person(client: TestClient, here: Town) -> None:
    """Act, article, place, how it stands; no officer, no note of the room, no other case; the code as it is typed."""
    alert_id, code = noticed(client, here)
    here.step(alert_id, _step("confirm"), "operator", note="a caller named Zhao rang twice")
    page = client.get(f"/notice/{code.lower().replace('-', ' ')}", headers={"accept-language": "en"})
    assert page.status_code == 200
    for word in (
        "Example Roads Ltd",
        "Article 30(2)",
        "K5+100",
        "Fill the pit until Friday",
        "being handled",
        "before any penalty",
    ):
        assert word in page.text
    people = [name for _, name, _ in PEOPLE.values()] + ["li.wei", "chen.jie"]
    assert not [name for name in (*people, "Zhao", alert_id) if name in page.text]
    assert "告知书" in client.get(f"/notice/{code}", headers={"accept-language": "zh"}).text
    typed = client.post("/notice", data={"code": f" {code.lower()} "}, headers=FORM)
    assert (typed.status_code, typed.headers["location"]) == (303, f"/notice/{code.replace('-', '')}")
    assert code not in str(entries(here, "notice.issue"))
    with here.pool.connection() as conn:
        assert code.replace("-", "") not in str(conn.execute("SELECT * FROM notice").fetchall())


def test_codes_cannot_be_guessed_and_a_right_one_is_no_guess(client: TestClient, here: Town) -> None:
    """Five wrong ones, then a wait; who has the right code is not counted."""
    _, code = noticed(client, here)
    for _ in range(9):
        assert client.get(f"/notice/{code}").status_code == 200
    wrong = [client.get(f"/notice/ABCDEFGH234{n}").status_code for n in range(2, 9)]
    assert wrong == [404] * 5 + [429] * 2
    assert client.get(f"/notice/{code}").status_code == 429
    tried = client.post("/notice", data={"code": "ABCD"}, headers=FORM)
    assert (tried.status_code, "retry-after" in tried.headers) == (429, True)


def test_an_objection_is_a_task_with_its_own_record(client: TestClient, here: Town) -> None:
    """Written once, seen by the supervisor, answered with a reason that the company reads; the alert stays as it is."""
    alert_id, code = noticed(client, here)
    url = f"/notice/{code}/objection"
    assert client.post(url, data={"text": "  "}, headers=FORM).status_code == 422
    for _ in range(2):
        sent = client.post(url, data={"text": "We have <b>a permit</b>, P-9"}, headers=FORM)
        assert sent.status_code == 303
    supervisor = login(client, "supervisor")
    tasks = client.get("/objections", headers=supervisor)
    assert tasks.text.count("We have &lt;b&gt;a permit") == 1
    assert client.get("/objections", headers=login(client, "operator")).status_code == 403
    empty = client.post(
        "/objections/1", data={"state": "rejected", "decision": ""}, headers={**supervisor, **FORM}
    )
    assert empty.status_code == 422
    decided = {"state": "upheld", "decision": "The permit covers it"}
    before = here.engine.view(alert_id).alert
    assert client.post("/objections/1", data=decided, headers={**supervisor, **FORM}).status_code == 303
    assert client.post("/objections/1", data=decided, headers={**supervisor, **FORM}).status_code == 409
    assert here.engine.view(alert_id).alert == before
    assert "The permit covers it" in client.get(f"/notice/{code}").text
    assert "We have &lt;b&gt;" in client.get(f"/alerts/{alert_id}", headers=supervisor).text
    for n in range(1, MOST_OBJECTIONS):
        assert client.post(url, data={"text": f"and {n}"}, headers=FORM).status_code == 303
    assert client.post(url, data={"text": "one more"}, headers=FORM).status_code == 409
    kinds = [entry["actor"] for entry in entries(here, "notice.objection")]
    assert kinds == ["company"] * MOST_OBJECTIONS
    assert [entry["body"]["state"] for entry in entries(here, "notice.decision")] == ["upheld"]


def test_the_first_rating_counts_and_stands_beside_what_was_found(client: TestClient, here: Town) -> None:
    """1 to 5, once; the month's page shows it by company, with the visit that the notice names."""
    alert_id, code = noticed(client, here)
    url = f"/notice/{code}/rating"
    assert client.post(url, data={"rating": "6"}, headers=FORM).status_code == 422
    assert client.post(url, data={"rating": "4", "note": "polite"}, headers=FORM).status_code == 303
    assert client.post(url, data={"rating": "1"}, headers=FORM).status_code == 303
    mine = login(client, "li.wei")
    collect(client, alert_id, mine)
    fill(client, alert_id, mine)
    assert step(client, alert_id, "resolve", mine, reason="rectified").status_code == 200
    supervisor = login(client, "supervisor")
    (company,) = client.get("/api/v1/visits?month=2026-11", headers=supervisor).json()["companies"]
    assert (company["company"], company["visits"], company["found"]) == (
        "Example Roads Ltd",
        1,
        {"rectified": 1},
    )
    assert "4.0" in client.get("/visits?month=2026-11", headers=supervisor).text


def test_a_notice_is_the_officers_who_was_there(client: TestClient, here: Town) -> None:
    """Not another team's, not without a company; the same press once."""
    alert_id, _ = noticed(client, here)
    url = f"/api/v1/alerts/{alert_id}/notices"
    assert client.post(url, json=COMPANY, headers=login(client, "chen.jie")).status_code == 404
    mine = login(client, "li.wei")
    assert client.post(url, json={**COMPANY, "company": " "}, headers=mine).status_code == 422
    key = {**mine, "idempotency-key": "n1"}
    assert [client.post(url, json=COMPANY, headers=key).status_code for _ in range(2)] == [201, 409]


def test_a_printed_code_has_the_address_that_people_use(here: Town) -> None:
    """Whoever printed the label came by the machine's number in the room's own net: nobody outside reaches that."""
    with TestClient(here.app(public_url="https://hcawatch.example/"), follow_redirects=False) as client:
        room = {**login(client, "supervisor"), "host": "10.0.0.5:8420"}
        assert "https://hcawatch.example/s/s1" in client.get("/sites/s1/label", headers=room).text
        here.sees()
        alert_id = here.newest().alert.alert_id
        mine = {**login(client, "li.wei"), "host": "10.0.0.5:8420"}
        arrive(client, alert_id, mine)
        given = client.post(f"/api/v1/alerts/{alert_id}/notices", json=COMPANY, headers=mine).json()
        assert given["url"].startswith("https://hcawatch.example/notice/")


def test_the_code_at_the_site_opens_its_page_after_the_login(client: TestClient, here: Town) -> None:
    """What the printed code says is read back by a reader; a stranger is led to the login and on from there."""
    here.sees()
    label = client.get("/sites/s1/label", headers=login(client, "supervisor")).text
    assert "http://testserver/s/s1" in label
    drawn = label.split('class="label-qr" viewBox="0 0 ')[1]
    size, path = drawn.split('"')[0], drawn.split('<path d="')[1].split('"')[0]
    assert _read(int(size.split()[0]), path) == "http://testserver/s/s1"
    stranger = client.get("/s/s1")
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/login?next=%2Fs%2Fs1")
    page = client.get("/s/s1", headers=login(client, "li.wei")).text
    assert here.newest().alert.alert_id in page
    assert here.newest().alert.alert_id not in client.get("/s/s1", headers=login(client, "chen.jie")).text
    assert client.get("/s/nowhere", headers=login(client, "li.wei")).status_code == 404


def _read(size: int, path: str) -> str:
    """What a reader makes of the drawn code."""
    picture = np.full((size, size), 255, dtype=np.uint8)
    for part in path.split("M")[1:]:
        x, rest = part.split(" ", 1)
        y, rest = rest.split("h", 1)
        width = int(rest.split("v", 1)[0])
        picture[int(y), int(x) : int(x) + width] = 0
    big = cv2.copyMakeBorder(
        np.kron(picture, np.ones((8, 8), np.uint8)), 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255
    )
    return str(cv2.QRCodeDetector().detectAndDecode(big)[0])


def _step(name: str) -> Any:
    from alerts.lifecycle import Step

    return Step(name)

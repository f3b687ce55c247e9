"""Shelves and floods over HTTP: who may, what is said, and that nothing disappears from the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from alerts.calm.desk import ShelfDesk
from alerts.postgres_book import PostgresAlertBook
from tests.doubles.web_town import CITY, NOON, PASSWORD, Town, town

API = "/api/v1/shelves"
ORANGE: dict[str, Any] = {
    "violation": "works_50m",
    "rule_id": "works-50m",
    "offset_m": 20.0,
    "object_class": "crane",
}


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


def body(**changes: Any) -> dict[str, Any]:
    until = (NOON + timedelta(hours=2)).isoformat()
    given = {"scope": "camera", "camera_id": "old-town", "worst": "II", "reason": "maintenance",
             "note": "the mast is painted", "until": until}  # fmt: skip
    return {**given, **changes}


def test_from_the_shelf_to_its_end(client: TestClient, here: Town) -> None:
    """Shelved, shown, ended: the alert is in the console all the time, apart from what rings."""
    supervisor = login(client, "supervisor")
    made = client.post(API, json=body(), headers=supervisor)
    assert made.status_code == 201, made.text
    here.sees("old-town", **ORANGE)
    alert = here.newest().alert
    assert alert.held_by == "shelf"
    console = client.get("/", headers=supervisor).text
    assert "Kept from ringing (1)" in console
    assert f"/alerts/{alert.alert_id}" in console
    page = client.get(f"/alerts/{alert.alert_id}", headers={**supervisor, "accept-language": "zh"}).text
    assert "暂不告警" in page
    shelves = client.get("/shelves", headers=supervisor).text
    assert "the mast is painted" in shelves
    assert "Sun Supervisor" in shelves
    shelf_id = made.json()["shelf_id"]
    ended = client.post(f"{API}/{shelf_id}/end", json={"note": "done"}, headers=supervisor).json()
    assert (ended["end_reason"], ended["alerts"][0]["held_by"]) == ("by_hand", None)
    assert client.post(f"{API}/{shelf_id}/end", json={}, headers=supervisor).status_code == 409
    assert client.get(API, headers=supervisor).json()["running"] == []


def test_red_is_never_shelved_and_roles_have_their_levels(client: TestClient, here: Town) -> None:
    """The operator's form offers III and IV; what is asked beyond is refused with a sentence."""
    operator, supervisor = login(client, "operator"), login(client, "supervisor")
    refused = client.post(API, json=body(), headers=operator)
    assert (refused.status_code, "level II" in refused.json()["detail"]) == (403, True)
    assert client.post(API, json=body(worst="I"), headers=supervisor).status_code == 422
    long = client.post(API, json=body(until="2026-12-01T00:00"), headers=supervisor)
    assert (long.status_code, "4 hours" in long.json()["detail"]) == (422, True)
    here.sees("old-town")
    red = here.newest().alert
    one = client.post(API, json=body(scope="alert", alert_id=red.alert_id), headers=supervisor)
    assert one.status_code in (409, 422)
    for user in ("auditor", "admin", "li.wei", "holder"):
        assert client.post(API, json=body(), headers=login(client, user)).status_code == 403


@pytest.mark.parametrize(
    "changes", [{"until": "soon"}, {"note": "\x00\x00\x00"}, {"camera_id": "nowhere"}, {"scope": "city"}, {"note": "x"},
                {"scope": "alert", "alert_id": "no-uuid"}, {"scope": "rule"}, {"until": "9999-12-31T23:59:59"}],
)  # fmt: skip
def test_bad_values_are_refused_and_nothing_is_shelved(client: TestClient, changes: dict[str, Any]) -> None:
    supervisor = login(client, "supervisor")
    assert client.post(API, json=body(**changes), headers=supervisor).status_code == 422
    assert client.get(API, headers=supervisor).json()["running"] == []


def test_the_form_says_what_is_wrong_and_keeps_what_was_written(client: TestClient) -> None:
    """A shelf until yesterday: the note is still there."""
    supervisor = login(client, "supervisor")
    form = {"camera_id": "village", "worst": "III", "reason": "nuisance", "note": "a flag in the wind",
            "until": "2026-11-23T08:00"}  # fmt: skip
    page = client.post("/shelves", data=form, headers=supervisor)
    assert page.status_code == 422
    assert "a flag in the wind" in page.text
    assert 'id="shelf-problem"' in page.text
    again = client.post("/shelves", data={**form, "until": "2026-11-24T16:00"}, headers=supervisor)
    assert (again.status_code, again.headers["location"]) == (303, "/shelves")
    page = client.get("/shelves", headers=login(client, "operator")).text
    (action,) = re.findall(r'action="(/shelves/[0-9a-f-]+/end)"', page)
    assert client.post(action, data={"note": ""}, headers=login(client, "operator")).status_code == 303


def test_a_shelf_that_is_due_ends_by_itself_after_a_restart(client: TestClient, here: Town) -> None:
    """Its end is in the database: another process ends it."""
    made = client.post(API, json=body(), headers=login(client, "supervisor")).json()
    other = ShelfDesk(PostgresAlertBook(here.pool), CITY)
    assert other.run_due(NOON + timedelta(hours=1, minutes=59)) == 0
    assert other.run_due(NOON + timedelta(hours=2)) == 1
    assert other.view(made["shelf_id"]).shelf.end_reason == "due"


def test_a_flood_groups_the_console_and_loses_nothing(client: TestClient, here: Town) -> None:
    """Twelve alerts in ten minutes: grouped by place and kind, each of them still there; half an hour later one by one."""
    operator = login(client, "operator")
    for n in range(12):
        here.now += timedelta(seconds=20)
        here.sees("old-town" if n % 2 else "school", chainage_m=None, position=None, zone_id=f"z{n}", offset_m=None,
                  no_fix="not_calibrated", **{k: v for k, v in ORANGE.items() if k != "offset_m"})  # fmt: skip
    rows = client.get("/api/v1/alerts?running=true&kind=violation", headers=operator).json()["alerts"]
    assert len(rows) == 12
    page = client.get("/", headers=operator).text
    assert "Flood: " in page
    assert page.count('class="alert-group') >= 2
    for row in rows:
        assert f"/alerts/{row['alert_id']}" in page
    single = client.get("/?view=single", headers=operator).text
    assert 'class="alert-group' not in single
    here.now += timedelta(minutes=30)
    assert "Flood: " not in client.get("/", headers=operator).text
    assert client.get("/?view=other", headers=operator).status_code == 422

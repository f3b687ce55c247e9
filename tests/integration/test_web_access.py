"""Every route with every role, with nobody, and with an edge. Who may do what is written down here once more,
by hand from docs/contracts.md, so that a wrong guard and a wrong table can't agree.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from monitor.domain.roles import Right, may
from monitor.web.access import check_all_guarded, guard_of
from monitor.web.app import ROUTERS
from tests.doubles.web_town import EDGE_TOKENS, PASSWORD, PEOPLE, town

NOBODYS_ID = "019a0000-0000-7000-8000-00000000dead"
SHA = "a" * 64

ROOM = {"operator", "supervisor"}
CONSOLE = {*ROOM, "auditor", "admin"}
FIELD = {"li.wei", "chen.jie"}
AUDIT = {"auditor", "supervisor"}
SURVEYORS = {"supervisor", "admin"}
PERMITS = {*CONSOLE, "holder"}
ASKERS = {"holder", "supervisor"}
EVERYBODY = {"operator", "supervisor", "auditor", "admin", "holder", "li.wei", "chen.jie", "edge", "nobody"}

EXPECTED: dict[tuple[str, str], set[str]] = {
    ("GET", "/"): CONSOLE,
    ("GET", "/alerts/{alert_id}"): CONSOLE,
    ("GET", "/field"): ROOM | FIELD,
    ("GET", "/field/{alert_id}"): ROOM | FIELD,
    ("GET", "/sw.js"): EVERYBODY,
    ("GET", "/api/v1/push/key"): ROOM | FIELD,
    ("POST", "/api/v1/push/browsers"): ROOM | FIELD,
    ("DELETE", "/api/v1/push/browsers"): ROOM | FIELD,
    ("GET", "/visits"): CONSOLE,
    ("POST", "/api/v1/alerts/{alert_id}/notices"): FIELD,
    ("POST", "/api/v1/replies/{channel_id}"): set(),
    ("GET", "/notice"): EVERYBODY,
    ("POST", "/notice"): EVERYBODY,
    ("GET", "/notice/{code}"): EVERYBODY,
    ("GET", "/notice/{code}/pictures/{sha256}"): EVERYBODY,
    ("POST", "/notice/{code}/rating"): EVERYBODY,
    ("POST", "/notice/{code}/objection"): EVERYBODY,
    ("GET", "/objections"): {"supervisor"},
    ("POST", "/objections/{objection_id}"): {"supervisor"},
    ("GET", "/objections/{objection_id}/file/{number}"): {"supervisor"},
    ("POST", "/objections/permits/{question_id}"): {"supervisor"},
    ("GET", "/sites/{site_id}/label"): CONSOLE,
    ("GET", "/s/{site_id}"): ROOM | FIELD,
    ("GET", "/visits.csv"): CONSOLE,
    ("GET", "/api/v1/visits"): CONSOLE,
    ("GET", "/api/v1/alerts/{alert_id}/checks"): CONSOLE | FIELD,
    ("POST", "/api/v1/alerts/{alert_id}/checks"): FIELD,
    ("POST", "/api/v1/visits/{dispatch_id}/permits/{number}"): FIELD,
    ("GET", "/audit"): AUDIT,
    ("GET", "/api/v1/map"): CONSOLE,
    ("GET", "/api/v1/alerts"): CONSOLE,
    ("GET", "/api/v1/alerts/{alert_id}"): CONSOLE | FIELD,
    ("GET", "/api/v1/dispatches"): ROOM | FIELD,
    ("POST", "/api/v1/alerts/{alert_id}/steps"): ROOM | FIELD,
    ("POST", "/api/v1/alerts/{alert_id}/photos"): FIELD,
    ("PUT", "/api/v1/alerts/{alert_id}/photos/{sha256}"): FIELD,
    ("PUT", "/api/v1/evidence/{sha256}"): {"edge"},
    ("GET", "/api/v1/models/{name}"): {"edge"},
    ("GET", "/api/v1/models/{name}/files/{file_name}"): {"edge"},
    ("HEAD", "/api/v1/evidence/{sha256}"): {"edge"},
    ("GET", "/api/v1/evidence/{sha256}"): ROOM | FIELD | {"auditor"},
    ("GET", "/api/v1/cameras"): CONSOLE,
    ("GET", "/api/v1/stream"): CONSOLE | FIELD,
    ("GET", "/api/v1/audit/head"): AUDIT,
    ("GET", "/api/v1/audit/entries"): AUDIT,
    ("GET", "/api/v1/audit/bundle"): {"auditor"},
    ("GET", "/cameras/{camera_id}/survey"): CONSOLE,
    ("GET", "/api/v1/cameras/{camera_id}/survey"): CONSOLE,
    ("PUT", "/api/v1/cameras/{camera_id}/survey"): SURVEYORS,
    ("POST", "/api/v1/cameras/{camera_id}/survey/trial"): SURVEYORS,
    ("GET", "/api/v1/cameras/{camera_id}/survey/picture"): CONSOLE,
    ("POST", "/api/v1/cameras/{camera_id}/survey/picture"): SURVEYORS,
    ("GET", "/permits"): PERMITS,
    ("GET", "/permits/{number}"): PERMITS,
    ("POST", "/permits/{number}/steps"): ASKERS,
    ("POST", "/permits/{number}/questions"): {"holder"},
    ("GET", "/permit-request"): ASKERS,
    ("POST", "/permit-request"): ASKERS,
    ("GET", "/permits/{number}/change"): ASKERS,
    ("POST", "/permits/{number}/change"): ASKERS,
    ("GET", "/api/v1/permits"): PERMITS,
    ("GET", "/api/v1/permits/{number}"): PERMITS,
    ("POST", "/api/v1/permits"): ASKERS,
    ("POST", "/api/v1/permits/{number}/steps"): ASKERS,
    ("GET", "/feedback"): CONSOLE,
    ("GET", "/feedback/proposals"): CONSOLE,
    ("GET", "/feedback/proposals/{proposal_id}"): CONSOLE,
    ("POST", "/feedback/proposals/{proposal_id}/steps"): {"supervisor"},
    ("GET", "/api/v1/feedback/precision"): CONSOLE,
    ("GET", "/api/v1/feedback/proposals"): CONSOLE,
    ("POST", "/api/v1/feedback/proposals/{proposal_id}/steps"): {"supervisor"},
    ("GET", "/cameras/{camera_id}/thresholds"): CONSOLE,
    ("POST", "/cameras/{camera_id}/thresholds"): {"supervisor"},
    ("POST", "/cameras/{camera_id}/thresholds/{change_id}/back"): {"supervisor"},
    ("GET", "/api/v1/cameras/{camera_id}/thresholds"): CONSOLE,
    ("GET", "/api/v1/cameras/{camera_id}/thresholds/answer"): CONSOLE,
    ("POST", "/api/v1/cameras/{camera_id}/thresholds"): {"supervisor"},
    ("POST", "/api/v1/cameras/{camera_id}/thresholds/{change_id}/back"): {"supervisor"},
    ("GET", "/shelves"): CONSOLE,
    ("POST", "/shelves"): ROOM,
    ("POST", "/shelves/{shelf_id}/end"): ROOM,
    ("GET", "/api/v1/shelves"): CONSOLE,
    ("POST", "/api/v1/shelves"): ROOM,
    ("POST", "/api/v1/shelves/{shelf_id}/end"): ROOM,
    ("GET", "/figures"): CONSOLE,
    ("GET", "/figures/month"): CONSOLE,
    ("GET", "/api/v1/figures"): CONSOLE,
    ("GET", "/api/v1/figures/month"): CONSOLE,
    ("GET", "/report"): ROOM | FIELD,
    ("POST", "/report"): ROOM | FIELD,
    ("GET", "/reports"): CONSOLE,
    ("GET", "/reports/{report_id}"): ROOM,
    ("POST", "/api/v1/reports"): ROOM | FIELD,
    ("GET", "/api/v1/reports"): CONSOLE,
    ("GET", "/login"): EVERYBODY,
    ("POST", "/login"): EVERYBODY,
    ("POST", "/api/v1/login"): EVERYBODY,
    ("POST", "/logout"): EVERYBODY,
    ("GET", "/language/{language}"): EVERYBODY,
    ("GET", "/nothing-yet"): EVERYBODY,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
}


def all_routes() -> list[APIRoute]:
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@pytest.fixture
def client(postgres_dsn: str, tmp_path: Path) -> Iterator[TestClient]:
    with town(postgres_dsn, tmp_path) as here, TestClient(here.app(), follow_redirects=False) as client:
        yield client


def tokens(client: TestClient) -> dict[str, str]:
    found = {"edge": EDGE_TOKENS["e1"]}
    for user in PEOPLE:
        answer = client.post("/api/v1/login", json={"user": user, "password": PASSWORD})
        found[user] = answer.json()["token"]
    return found


def test_this_file_knows_every_route() -> None:
    """A new route is not served before somebody wrote down who may use it."""
    known = {(method, route.path) for route in all_routes() for method in route.methods or set()}
    assert known == set(EXPECTED)


def test_every_route_with_every_role(client: TestClient) -> None:
    """401 (or the login page) for nobody, 403 for the wrong role, neither for the right one."""
    given = tokens(client)
    wrong: list[str] = []
    for (method, path), allowed in EXPECTED.items():
        url = path.format(
            alert_id=NOBODYS_ID,
            sha256=SHA,
            language="zh",
            camera_id="no-such",
            number="no-such",
            name=SHA,
            file_name="model.onnx",
            proposal_id=999_999,
            dispatch_id=NOBODYS_ID,
            code="ABCDEFGH2345",
            channel_id="sms",
            objection_id=1,
            question_id=1,
            site_id="s1",
            shelf_id=NOBODYS_ID,
            change_id=999_999,
            report_id=NOBODYS_ID,
        )
        for who in sorted(EVERYBODY):
            if path == "/api/v1/stream" and who in allowed:
                continue  # does not end by itself; test_web_stream.py reads it
            headers = {"authorization": f"Bearer {given[who]}"} if who != "nobody" else {}
            body = {"json": {"step": "acknowledge"}} if path.endswith("/steps") else {}
            status = client.request(method, url, headers=headers, **body).status_code
            let_in = status not in (401, 403) and not (
                status == 303 and path not in ("/login", "/logout", "/language/{language}", "/nothing-yet")
            )
            if path in ("/login", "/api/v1/login") and method == "POST":
                let_in = status != 403 or who == "nobody"  # a form without an origin is refused
            if let_in is not (who in allowed):
                wrong.append(f"{method} {path} {who}: {status}")
    assert wrong == []


def test_guards_and_the_table_of_rights_agree() -> None:
    """What each route's guard lets in by `monitor.domain.roles` is what is expected here."""
    for route in all_routes():
        guard = guard_of(route)
        if guard is None:
            continue
        for method in route.methods or set():
            users = {
                user
                for user, (role, _, _) in PEOPLE.items()
                if any(may(role, right) for right in guard.rights)
            }
            assert users == EXPECTED[(method, route.path)] - {"edge"}, (method, route.path)


def test_an_unguarded_route_is_never_served() -> None:
    """Forgetting the guard stops the app from starting."""
    router = APIRouter()
    router.get("/forgotten")(lambda: "secret")
    with pytest.raises(RuntimeError, match="/forgotten"):
        check_all_guarded(router.routes)


def test_nobody_is_led_to_the_login_and_back(client: TestClient) -> None:
    """A page asks to log in and remembers where one wanted to go; the API says 401."""
    answer = client.get("/audit?search=3")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Faudit%3Fsearch%3D3")
    answer = client.get("/api/v1/map")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"type", "title", "detail"}


def test_a_right_that_nobody_has_lets_nobody_in() -> None:
    """Denied unless listed."""
    assert not any(may(role, "no_such_right") for role, _, _ in PEOPLE.values())  # type: ignore[arg-type]
    assert Right.MANAGE not in {
        right for route in all_routes() if (guard := guard_of(route)) for right in guard.rights
    }


@pytest.mark.parametrize(
    "path", ["/", "/login", "/static/base.css", "/api/v1/map", "/no/such/page", "/healthz"]
)
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    """Pages, files, API answers and errors alike."""
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "cache-control" in headers

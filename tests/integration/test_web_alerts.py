"""Alerts through the API and on pages: what the room and the field see, do, and are refused."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from alerts.commands import StepRequest
from alerts.lifecycle import IllegalStep, NotAllowed, Step
from alerts.steps import JUDGES, StepFacts, on_step
from alerts.values import Actor
from monitor.domain.events import CameraLoad, CameraState, DetectorLoad
from monitor.domain.roles import Role
from monitor.web import showing
from monitor.web.people import Principal
from tests.doubles.web_town import PASSWORD, PEOPLE, Town, picture, town

XSS = "<script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False, raise_server_exceptions=False) as one:
        yield one


def as_(client: TestClient, user: str, language: str = "en") -> dict[str, str]:
    token = client.post("/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
    return {"authorization": f"Bearer {token}", "accept-language": language}


def take(client: TestClient, alert_id: str, step: str, headers: dict[str, str], **body: Any) -> Any:
    return client.post(f"/api/v1/alerts/{alert_id}/steps", json={"step": step, **body}, headers=headers)


def test_the_map_shows_the_city_and_what_runs_in_it(here: Town, client: TestClient) -> None:
    """Pipelines, HCAs by grade, cameras with their state, and running alerts with level and number."""
    here.cameras_are("e1", old_town=CameraState.STREAMING, village=CameraState.FROZEN)
    here.sees()
    drawn = client.get("/api/v1/map", headers=as_(client, "operator")).json()["features"]
    kinds = [f["properties"]["kind"] for f in drawn]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "pipeline": 2,
        "hca": 4,
        "camera": 3,
        "alert": 2,
    }
    cameras = {f["properties"]["id"]: f["properties"] for f in drawn if f["properties"]["kind"] == "camera"}
    assert (cameras["old-town"]["watching"], cameras["village"]["watching"]) == (True, False)
    assert cameras["village"]["state"] == "frozen"
    assert (cameras["school"]["state"], cameras["school"]["surveyed"]) == ("unknown", False)
    alert = next(f["properties"] for f in drawn if f["properties"].get("alert_kind") == "violation")
    assert (alert["level"], alert["placed_by"], alert["footage"]) == ("I", "fix", "simulated")


def test_the_list_is_newest_first_and_can_be_narrowed(here: Town, client: TestClient) -> None:
    """By kind, by state, and no longer than asked for."""
    here.sees()
    here.now += timedelta(minutes=1)
    here.cameras_are("e2", school=CameraState.OBSCURED)
    room = as_(client, "operator")
    rows = client.get("/api/v1/alerts", headers=room).json()["alerts"]
    assert [row["kind"] for row in rows] == ["health", "violation"]
    assert [
        row["kind"] for row in client.get("/api/v1/alerts?kind=violation", headers=room).json()["alerts"]
    ] == ["violation"]
    assert [
        row["state"] for row in client.get("/api/v1/alerts?state=open", headers=room).json()["alerts"]
    ] == ["open"]
    assert len(client.get("/api/v1/alerts?limit=1", headers=room).json()["alerts"]) == 1
    assert client.get("/api/v1/alerts?limit=0", headers=room).status_code == 422
    assert client.get("/api/v1/alerts?state=nonsense", headers=room).status_code == 422


def test_one_alert_has_all_that_belongs_to_it(here: Town, client: TestClient) -> None:
    """Reasons that add up, transitions, events, dispatch, the map around it, and my next steps."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    alert = client.get(f"/api/v1/alerts/{alert_id}", headers=as_(client, "operator")).json()
    assert sum(reason["points"] for reason in alert["reasons"]) >= 90
    assert [move["step"] for move in alert["transitions"]] == ["open", "dispatch"]
    assert len(alert["events"]) == 1
    assert alert["running"]["officer"] == "li.wei"
    assert {f["properties"]["kind"] for f in alert["around"]["features"]} >= {
        "band",
        "pipeline",
        "place",
        "sigma",
    }
    assert set(alert["steps"]) == {"acknowledge", "confirm", "refute", "recall", "hand_over"}


def test_a_step_is_taken_once_however_often_it_is_sent(here: Town, client: TestClient) -> None:
    """A phone that repeats a request after a broken connection does not repeat the step."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    headers = {**as_(client, "li.wei"), "idempotency-key": "k1"}
    first = take(client, alert_id, "accept", headers)
    again = take(client, alert_id, "accept", headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["state"] == again.json()["state"] == "accepted"
    assert [move["step"] for move in again.json()["transitions"]].count("accept") == 1


def test_refusals_are_sentences(here: Town, client: TestClient) -> None:
    """What can't be done now says why, in the reader's language, with 409 or 403."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    officer = as_(client, "li.wei")
    illegal = take(client, alert_id, "resolve", officer)
    assert illegal.status_code == 409
    assert (
        illegal.json()["detail"]
        == "This alert is now “dispatched”. “resolve” is not possible any more; look at the page again."
    )
    assert illegal.json()["type"] == "urn:hcawatch:problem:illegal_step"
    chinese = take(client, alert_id, "resolve", as_(client, "li.wei", "zh")).json()["detail"]
    assert "已派遣" in chinese
    assert "处置完成" in chinese
    for step in ("accept", "depart", "arrive"):
        assert take(client, alert_id, step, officer).status_code == 200
    assert "photo" in take(client, alert_id, "collect", officer).json()["detail"]
    assert take(client, alert_id, "verify", officer).status_code in (403, 409)
    dismissed = take(client, alert_id, "dismiss", as_(client, "operator"))
    assert dismissed.status_code in (403, 409)
    assert take(client, "nonsense", "confirm", as_(client, "operator")).status_code == 404


def test_only_a_supervisor_dismisses_the_worst(here: Town, client: TestClient) -> None:
    """The operator is told who can; the reason is kept with the closing."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    refused = take(client, alert_id, "dismiss", as_(client, "operator"), reason="false_alarm")
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "Only a supervisor dismisses an alert of level I.",
    )
    closed = take(
        client,
        alert_id,
        "dismiss",
        as_(client, "supervisor"),
        reason="permitted_work",
        note="seen the papers",
    )
    assert (closed.status_code, closed.json()["closing_reason"]) == (200, "permitted_work")


def test_the_field_sees_its_own_dispatches_only(here: Town, client: TestClient) -> None:
    """Another team's alert does not exist for an officer: not in lists, not by its id, not on pages."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    mine, other = as_(client, "li.wei"), as_(client, "chen.jie")
    assert [d["alert_id"] for d in client.get("/api/v1/dispatches", headers=mine).json()["dispatches"]] == [
        alert_id
    ]
    assert client.get("/api/v1/dispatches", headers=other).json()["dispatches"] == []
    assert len(client.get("/api/v1/dispatches", headers=as_(client, "operator")).json()["dispatches"]) == 1
    for url in (f"/api/v1/alerts/{alert_id}", f"/field/{alert_id}"):
        assert client.get(url, headers=mine).status_code == 200
        assert client.get(url, headers=other).status_code == 404
    assert take(client, alert_id, "accept", other).status_code == 404
    assert take(client, alert_id, "accept", mine).status_code == 200


@pytest.mark.parametrize("page", ["/alerts/{}", "/field/{}", "/audit?search={}"])
def test_what_people_write_stays_text(here: Town, client: TestClient, page: str) -> None:
    """A note, a name and a camera's words can't become markup on anybody's screen."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    take(client, alert_id, "confirm", as_(client, "operator"), note=XSS)
    with here.pool.connection() as conn:
        conn.execute("UPDATE app_user SET display_name = %s", (XSS,))
    text = client.get(page.format(alert_id), headers=as_(client, "supervisor")).text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_alerts_page_tells_the_whole_story(here: Town, client: TestClient, language: str) -> None:
    """Level with reasons, article, place, people and what I can do, in both languages."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    text = client.get(f"/alerts/{alert_id}", headers=as_(client, "operator", language)).text
    wanted = {
        "en": [
            "Article 30(2)",
            "Article 52",
            "K5+100",
            "2.1 m right",
            "Suspected violation",
            "Li Wei",
            "North team",
            ">100<",
        ],
        "zh": ["第30条第2项", "第52条", "K5+100", "右侧 2.1 米", "疑似违规", "北队", ">100<"],
    }
    assert [words for words in wanted[language] if words not in text] == []
    assert "SIMULATED 模拟" in text


def test_an_alert_without_a_fix_says_so(here: Town, client: TestClient) -> None:
    """No invented place: the pages name the camera instead."""
    here.sees(
        "school", violation="valve_operated", rule_id="person-at-valve", object_class="person", position=None,
        no_fix="not_calibrated", chainage_m=None, offset_m=None, within_band=None, pipeline_id=None, zone_id="z1",
    )  # fmt: skip
    alert_id = here.newest().alert.alert_id
    room = as_(client, "operator")
    assert "no ground fix" in client.get(f"/alerts/{alert_id}", headers=room).text
    assert "seen by Harbour School gate" in client.get("/", headers=room).text
    assert (
        client.get(f"/api/v1/alerts/{alert_id}", headers=room).json()["around"]["features"][-1]["properties"][
            "placed_by"
        ]
        == "site"
    )


def test_the_console_explains_an_empty_list(here: Town, client: TestClient) -> None:
    """No alert with cameras watching is good; no alert with none watching is not."""
    room = as_(client, "operator")
    assert "nothing can be seen" in client.get("/", headers=room).text
    here.cameras_are("e1", old_town=CameraState.STREAMING)
    assert "1 of 3 cameras are watching" in client.get("/", headers=room).text


def test_cameras_tell_what_they_watched(here: Town, client: TestClient) -> None:
    """A minute without a record is unwatched; the running minute and the one before don't count yet."""
    minute = here.now.replace(second=0, microsecond=0)
    here.watches("old-town", minute - timedelta(minutes=2), 60)
    here.watches("old-town", minute - timedelta(minutes=61), 30)
    here.watches("old-town", minute - timedelta(minutes=62), 60)
    here.watches("old-town", minute - timedelta(minutes=1), 60)
    rows = client.get("/api/v1/cameras", headers=as_(client, "operator")).json()["cameras"]
    camera = next(row for row in rows if row["camera_id"] == "old-town")
    assert (camera["watched_s"], camera["unwatched_s"]) == (90, 3510)
    assert (camera["minutes"][0], camera["minutes"][-1], sum(camera["minutes"])) == (0.5, 1.0, 1.5)


def test_a_camera_is_not_blamed_for_the_time_before_it_was_there(here: Town, client: TestClient) -> None:
    """Heard of twelve minutes ago: what is not watched of these counts, the hour before does not."""
    end = here.now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    came, here.now = here.now, end - timedelta(minutes=12)
    here.cameras_are("e1", old_town=CameraState.STREAMING)
    here.now = came
    here.watches("old-town", end - timedelta(minutes=5), 60)
    rows = client.get("/api/v1/cameras", headers=as_(client, "operator")).json()["cameras"]
    camera = next(row for row in rows if row["camera_id"] == "old-town")
    assert (camera["watched_s"], camera["unwatched_s"]) == (60, 660)


def test_a_fault_gives_no_stack_trace(
    here: Town, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours is a sentence for the API and a page for people, with all headers."""
    room = as_(client, "operator")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(here.engine, "list_alerts", broken)
    for url, kind in (("/api/v1/alerts", "application/problem+json"), ("/", "text/html; charset=utf-8")):
        answer = client.get(url, headers=room)
        assert (answer.status_code, answer.headers["content-type"]) == (500, kind)
        assert "secret detail" not in answer.text
        assert "Traceback" not in answer.text
        assert answer.headers["content-security-policy"]


STORY = [
    ("acknowledge", "operator", {}), ("confirm", "operator", {}), ("accept", "li.wei", {}), ("depart", "li.wei", {}),
    ("arrive", "li.wei", {}), ("collect", "li.wei", {}), ("resolve", "li.wei", {"reason": "rectified"}), ("verify", "supervisor", {}),
]  # fmt: skip


def test_no_button_leads_to_a_refusal_and_none_is_missing(here: Town, client: TestClient) -> None:
    """Through the whole life of an alert, each person is offered exactly the steps that would be taken."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    photo = client.post(
        f"/api/v1/alerts/{alert_id}/photos", files={"file": picture("site")}, headers=as_(client, "li.wei")
    )
    photos = (photo.json()["sha256"],)
    hidden = {Step.ACKNOWLEDGE, Step.CONFIRM, Step.REFUTE}  # possible again, but without effect
    for step, user, more in [*STORY, ("", "", {})]:
        view = here.newest()
        for somebody, (role, name, team) in PEOPLE.items():
            me = Principal(user=somebody, role=role, display_name=name, team_id=team)
            offered = set(showing.steps_for(view, me))
            taken = {one for one in Step if _would_be_taken(here, alert_id, one, somebody, photos)}
            assert offered <= taken, (view.alert.state, somebody)
            assert taken - offered <= hidden, (view.alert.state, somebody)
            assert offered == set() or role is not Role.AUDITOR
        if step:
            attachments = photos if step == "collect" else ()
            here.step(alert_id, Step(step), user, attachments=attachments, **more)
    assert here.newest().alert.state == "verified"


def _would_be_taken(here: Town, alert_id: str, step: Step, user: str, photos: tuple[str, ...]) -> bool:
    """What the loop would decide; nothing is carried out."""
    view = here.newest()
    role, _, team = PEOPLE[user]
    request = StepRequest(
        step=step, actor=Actor(user=user, role=role, team_id=team), at=here.now, attachments=photos,
        reason="duplicate" if step in JUDGES else "", note="seen twice",
    )  # fmt: skip
    try:
        on_step(view.alert, request, StepFacts(running=view.running, photos=frozenset(photos)))
    except (IllegalStep, NotAllowed):
        return False
    return True


@pytest.mark.parametrize(
    ("language", "edge", "camera"),
    [
        ("en", "Edge one: its detector cannot keep up", "Detector busy: 61 of 300 looks in the last minute"),
        ("zh", "Edge one：检测器超负荷", "检测器繁忙：近一分钟完成 61/300 次分析"),
    ],
)
def test_an_overloaded_edge_is_seen_on_the_console(
    here: Town, client: TestClient, language: str, edge: str, camera: str
) -> None:
    """The room sees which edge it is and how many looks each camera had; when it keeps up again, nothing is left."""
    looks = {"village": CameraLoad(asked=300, served=61), "old-town": CameraLoad(asked=300, served=280)}
    busy = DetectorLoad(shared=True, overloaded_since=here.now - timedelta(minutes=3), cameras=looks)
    here.cameras_are("e1", load=busy, village=CameraState.UNANALYSED, old_town=CameraState.STREAMING)
    here.cameras_are("e2", load=DetectorLoad(shared=True, cameras=looks), school=CameraState.STREAMING)
    room = as_(client, "operator", language)
    page = client.get("/", headers=room).text
    assert edge in page
    assert camera in page
    assert page.count('class="overload"') == 1
    known = {c["camera_id"]: c for c in client.get("/api/v1/cameras", headers=room).json()["cameras"]}
    assert known["village"]["overload"] == {"asked": 300, "served": 61}
    assert (known["village"]["watching"], known["school"]["overload"]) == (False, None)
    here.cameras_are("e1", load=DetectorLoad(shared=True, cameras=looks), village=CameraState.STREAMING)
    assert 'class="overload"' not in client.get("/", headers=room).text

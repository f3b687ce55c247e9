"""Checklists and visits over HTTP and PostgreSQL: what an officer ticks is kept, what is open is asked for, and what
else is to be looked at at a site is done while somebody is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from alerts import replay
from alerts.calm.desk import ShelfDesk
from alerts.calm.shelves import Scope, ShelfAsk, ShelfReason
from alerts.engine import AlertEngine
from alerts.lifecycle import State, Step
from alerts.policy import Policy
from alerts.postgres_book import PostgresAlertBook
from alerts.reasons import Why
from alerts.values import Actor
from alerts.visiting.book import read_month
from alerts.visiting.desk import LOOK_EVERY, VisitDesk
from hcawatch.commands.visits import told
from monitor.domain.levels import Level
from monitor.domain.risk import Weights
from monitor.domain.roles import Role
from monitor.domain.supervision import Supervision, SupervisionRule, Then
from tests.doubles.web_town import CITY, NOON, PASSWORD, Town, picture, town

#: a level III that waits for a confirmation, in the Old Town beside the pipe
MILD: dict[str, Any] = {
    "violation": "planting_5m", "rule_id": "by-hand", "object_class": "person", "activity": "stopped", "dwell_s": 5.0,
    "chainage_m": 5600, "offset_m": 3.0,
}  # fmt: skip
WORKS: dict[str, Any] = {"violation": "works_50m", "rule_id": "works-50m", "chainage_m": 4600, "offset_m": 20}
PERMIT: dict[str, Any] = {
    "number": "P-7", "company": "Example Roads Ltd", "pipeline": "a", "from": 4500, "to": 4800,
    "valid_from": "2026-11-20", "valid_to": "2026-11-30", "works": "works_50m",
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
    return {"authorization": f"Bearer {token}", "accept-language": "en"}


def step(
    client: TestClient, alert_id: str, step: str, headers: dict[str, str], **more: Any
) -> httpx.Response:
    return client.post(f"/api/v1/alerts/{alert_id}/steps", json={"step": step, **more}, headers=headers)


def arrive(client: TestClient, alert_id: str, headers: dict[str, str]) -> None:
    for one in ("accept", "depart", "arrive"):
        assert step(client, alert_id, one, headers).status_code == 200


def collect(client: TestClient, alert_id: str, headers: dict[str, str], text: str = "site") -> None:
    photo = client.post(f"/api/v1/alerts/{alert_id}/photos", files={"file": picture(text)}, headers=headers)
    answer = step(client, alert_id, "collect", headers, attachments=[photo.json()["sha256"]])
    assert answer.status_code == 200, answer.text


def tick(
    client: TestClient, alert_id: str, headers: dict[str, str], item: str, **more: Any
) -> httpx.Response:
    body = {"item": item, "answer": "done", **more}
    return client.post(f"/api/v1/alerts/{alert_id}/checks", json=body, headers=headers)


def fill(client: TestClient, alert_id: str, headers: dict[str, str]) -> None:
    for line in client.get(f"/api/v1/alerts/{alert_id}/checks", headers=headers).json()["lines"]:
        if line["item"]["required"]:
            metres = {"value_m": 2.4} if line["item"]["measured"] else {}
            answer = tick(client, alert_id, headers, line["item"]["key"], **metres)
            assert answer.status_code == 200, answer.text


def entries(here: Town, kind: str) -> list[dict[str, Any]]:
    with here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT convert_from(body, 'UTF8')::jsonb AS entry FROM audit_entry WHERE kind = %s ORDER BY entry_id",
            (kind,),
        )
        return [row["entry"] for row in rows]


# ---------------------------------------------------------------- checklists
def test_the_list_is_ticked_on_site_and_kept_with_who_when_and_where(client: TestClient, here: Town) -> None:
    """Not before the arrival, not by anybody else, not without its metres; the newest answer counts, all are kept."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    mine = login(client, "li.wei")
    assert "on site" in tick(client, alert_id, mine, "place").json()["detail"]
    arrive(client, alert_id, mine)
    done_at = (here.now + timedelta(seconds=20)).isoformat()
    here.now += timedelta(seconds=50)
    said = tick(
        client, alert_id, {**mine, "idempotency-key": "k1"}, "place", lon=121.47, lat=31.21, done_at=done_at
    )
    assert said.status_code == 200
    tick(client, alert_id, {**mine, "idempotency-key": "k1"}, "place")
    assert "metres" in tick(client, alert_id, mine, "distance").json()["detail"]
    assert tick(client, alert_id, mine, "distance", value_m=2.4).status_code == 200
    assert "why" in tick(client, alert_id, mine, "pit", answer="not_possible").json()["detail"]
    assert tick(client, alert_id, mine, "no-such").status_code == 409
    assert tick(client, alert_id, login(client, "chen.jie"), "place").status_code == 404
    shown = client.get(f"/api/v1/alerts/{alert_id}/checks", headers=mine).json()
    answers = {line["item"]["key"]: line["tick"] for line in shown["lines"]}
    assert (answers["place"]["who"], answers["place"]["lon"], answers["distance"]["value_m"]) == (
        "li.wei",
        121.47,
        2.4,
    )
    assert answers["place"]["done_at"] != answers["place"]["at"]
    assert answers["pit"] is None
    assert shown["article"] == "30(2)"
    assert [one["item"] for one in shown["history"]] == ["place", "distance"]
    assert [entry["body"]["item"] for entry in entries(here, "checklist.tick")] == ["place", "distance"]
    tick(client, alert_id, mine, "place", answer="open")
    lines = client.get(f"/api/v1/alerts/{alert_id}", headers=mine).json()["checklist"]
    assert next(line["tick"] for line in lines if line["item"]["key"] == "place") is None
    assert "2.4 m" in client.get(f"/alerts/{alert_id}", headers=login(client, "auditor")).text


def test_a_phone_cannot_have_ticked_before_it_was_sent_or_in_the_future(
    client: TestClient, here: Town
) -> None:
    """A wrong clock does not make evidence: the centre's time is taken then."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    mine = login(client, "li.wei")
    arrive(client, alert_id, mine)
    for n, at in enumerate((here.now - timedelta(days=1), here.now + timedelta(hours=1))):
        tick(client, alert_id, {**mine, "idempotency-key": f"k{n}"}, "place", done_at=at.isoformat())
    history = client.get(f"/api/v1/alerts/{alert_id}/checks", headers=mine).json()["history"]
    assert [one["done_at"] == one["at"] for one in history] == [True, True]


def test_putting_right_asks_for_what_is_still_open(client: TestClient, here: Town) -> None:
    """By name; left open only by name and with a reason. A false alarm has nothing to tick."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    mine = login(client, "li.wei")
    arrive(client, alert_id, mine)
    collect(client, alert_id, mine)
    refused = step(client, alert_id, "resolve", mine, reason="rectified")
    assert (refused.status_code, "machine is off" in refused.json()["detail"]) == (409, True)
    lines = client.get(f"/api/v1/alerts/{alert_id}/checks", headers=mine).json()["lines"]
    required = [line["item"]["key"] for line in lines if line["item"]["required"]]
    assert step(client, alert_id, "resolve", mine, reason="rectified", left_open=required).status_code == 409
    assert (
        step(
            client, alert_id, "resolve", mine, reason="rectified", left_open=required[1:], note="dark"
        ).status_code
        == 409
    )
    tick(client, alert_id, mine, required[0])
    done = step(
        client,
        alert_id,
        "resolve",
        {**mine, "idempotency-key": "r"},
        reason="rectified",
        left_open=required[1:],
        note="dark",
    )
    assert (done.status_code, done.json()["state"]) == (200, "resolved")
    assert (
        step(client, alert_id, "resolve", {**mine, "idempotency-key": "r"}, reason="rectified").status_code
        == 200
    )
    assert tick(client, alert_id, mine, required[1]).status_code == 403

    here.sees(chainage_m=4200)
    second = here.newest().alert.alert_id
    arrive(client, second, mine)
    collect(client, second, mine, "second")
    assert (
        step(client, second, "resolve", mine, reason="false_alarm", cause="animal").json()["state"]
        == "resolved"
    )


def test_a_case_that_was_reopened_is_checked_anew(client: TestClient, here: Town) -> None:
    """The first visit's answers say nothing of the second; the history keeps them."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    mine = login(client, "li.wei")
    arrive(client, alert_id, mine)
    collect(client, alert_id, mine)
    fill(client, alert_id, mine)
    assert step(client, alert_id, "resolve", mine, reason="rectified").status_code == 200
    shown = client.get(f"/api/v1/alerts/{alert_id}/checks", headers=mine).json()
    assert any(line["tick"] for line in shown["lines"])
    here.now += timedelta(minutes=1)
    here.step(alert_id, Step.REOPEN, "supervisor", note="it digs again")
    here.now += timedelta(minutes=1)
    arrive(client, alert_id, mine)
    collect(client, alert_id, mine, "again")
    assert step(client, alert_id, "resolve", mine, reason="rectified").status_code == 409
    anew = client.get(f"/api/v1/alerts/{alert_id}/checks", headers=mine).json()
    assert not any(line["tick"] for line in anew["lines"])
    assert anew["history"] == shown["history"]
    fill(client, alert_id, mine)
    assert step(client, alert_id, "resolve", mine, reason="rectified").status_code == 200


# ---------------------------------------------------------------- one visit, several checks
def desk(here: Town) -> VisitDesk:
    return VisitDesk(here.pool, CITY, here.engine)


def test_one_visit_does_what_waits_at_the_site(client: TestClient, here: Town) -> None:
    """Planned with the dispatch and told; handed over on arrival; each closed by its own outcome; counted."""
    supervisor, mine = login(client, "supervisor"), login(client, "li.wei")
    client.post("/api/v1/permits", json={"fields": PERMIT, "approved": True}, headers=supervisor)
    here.sees(**MILD)
    waits = here.newest().alert
    assert (waits.state, waits.level.value) == (State.OPEN, "III")
    here.now += timedelta(minutes=2)
    here.sees()
    red = here.newest().alert.alert_id
    visits = desk(here)
    visits.run_due(here.now)
    desk(here).run_due(here.now)  # another worker: nothing twice
    with here.pool.connection() as conn:
        sent = conn.execute("SELECT body FROM outgoing WHERE body->>'what' = 'update'").fetchall()
    (message,) = [row["body"] for row in sent]
    assert [one["why"] for one in message["also"]] == ["awaits_confirmation", "permit_ends"]
    assert "P-7" in message["text"]["en"]
    assert here.engine.view(waits.alert_id).alert.state is State.OPEN
    page = client.get(f"/field/{red}", headers=mine).text
    assert "Also at this site" in page

    arrive(client, red, mine)
    here.now += LOOK_EVERY
    visits.run_due(here.now)
    here.now += LOOK_EVERY
    visits.run_due(here.now)
    taken = here.engine.view(waits.alert_id)
    assert (taken.alert.state, taken.dispatches[0].choice) == (State.DISPATCHED, "same_visit")
    assert taken.clocks[0].milestone == "acknowledge"
    assert len(taken.dispatches) == 1
    arrive(client, waits.alert_id, mine)
    collect(client, waits.alert_id, mine, "tree")
    fill(client, waits.alert_id, mine)
    assert step(client, waits.alert_id, "resolve", mine, reason="referred").json()["state"] == "resolved"

    (visit,) = [d.dispatch_id for d in here.engine.view(red).dispatches]
    look = f"/api/v1/visits/{visit}/permits/P-7"
    assert client.post(look, json={"outcome": "not_as_permitted"}, headers=mine).status_code == 422
    found = {"outcome": "not_as_permitted", "note": "three excavators"}
    assert client.post(look, json=found, headers=mine).status_code == 200
    assert client.post(look, json={"outcome": "as_permitted"}, headers=mine).status_code == 200
    assert client.post(look, json=found, headers=login(client, "chen.jie")).status_code == 403
    assert [e["body"]["outcome"] for e in entries(here, "visit.permit")] == ["not_as_permitted"]
    along = client.get(f"/api/v1/alerts/{red}", headers=mine).json()["along"]
    assert {(one["kind"], one["state"] or one["outcome"]) for one in along} == {
        ("alert", "resolved"), ("permit", "not_as_permitted"),
    }  # fmt: skip
    shown = client.get("/api/v1/visits?month=2026-11", headers=supervisor).json()
    assert (shown["visits"], shown["taken_along"], shown["avoided"]["same_visit"]) == (1, 1, [1, 0])
    assert "three excavators" in client.get("/visits?month=2026-11", headers=supervisor).text
    with here.pool.connection() as conn:
        assert replay.check(conn) == []
        conn.execute("UPDATE visit_check SET outcome = 'as_permitted' WHERE kind = 'permit'")
        (difference,) = replay.check(conn)
        assert (difference.kind, difference.what, difference.log) == ("visit", "outcome", "not_as_permitted")


def test_what_was_only_taken_along_waits_on_as_before(client: TestClient, here: Town) -> None:
    """Not begun, the officer gone: nobody else is sent for it, nobody is rung, and it still waits for its word."""
    mine = login(client, "li.wei")
    here.sees(**MILD)
    waits = here.newest().alert.alert_id
    here.sees()
    red = here.newest().alert.alert_id
    visits = desk(here)
    visits.run_due(here.now)
    arrive(client, red, mine)
    here.now += LOOK_EVERY
    visits.run_due(here.now)
    assert here.engine.view(waits).alert.state is State.DISPATCHED
    here.now += timedelta(hours=2)  # the officer is busy with the other one
    here.engine.run_due(here.now)
    assert here.engine.view(waits).alert.state is State.DISPATCHED
    here.step(red, Step.RECALL, "operator", note="enough")
    here.now += timedelta(minutes=1)
    here.engine.run_due(here.now)
    view = here.engine.view(waits)
    assert view.alert.state is State.OPEN
    assert [one.end_reason for one in view.dispatches] == ["visit_over"]
    with here.pool.connection() as conn:
        recalls = conn.execute("SELECT body FROM outgoing WHERE body->>'what' = 'recall'").fetchall()
    assert [row["body"]["alert_id"] for row in recalls] == [red]
    assert not [one for one in view.told if "accept" in one.clock]
    again = here.step(waits, Step.CONFIRM, "operator")
    assert again.alert.state is State.DISPATCHED
    assert again.transitions[-1].reason == Why.CONFIRMED


def test_a_visit_that_comes_to_nothing_takes_nothing(client: TestClient, here: Town) -> None:
    """Recalled on the way: what was planned is open as ever, and the next visit plans it anew."""
    here.sees(**MILD)
    waits = here.newest().alert.alert_id
    here.sees()
    red = here.newest().alert.alert_id
    visits = desk(here)
    visits.run_due(here.now)
    here.step(red, Step.RECALL, "operator", note="wrong road")
    here.now += LOOK_EVERY
    visits.run_due(here.now)
    assert here.engine.view(waits).alert.state is State.OPEN
    here.step(red, Step.DISPATCH, "operator")
    here.now += LOOK_EVERY
    visits.run_due(here.now)
    planned = [one for one in visits.checks_of(red) if one.ref == waits]
    assert len(planned) == 2
    assert visits.visit_of(waits) == (red, here.engine.view(red).alert.number)


def test_what_was_shelved_on_the_way_is_not_handed_over(client: TestClient, here: Town) -> None:
    """Planned, then shelved as a known nuisance: the officer is not bothered, and it is planned no more."""
    mine = login(client, "li.wei")
    here.sees(**MILD)
    nuisance = here.newest().alert.alert_id
    here.sees()
    red = here.newest().alert.alert_id
    visits = desk(here)
    visits.run_due(here.now)
    assert [one.ref for one in visits.checks_of(red)] == [nuisance]
    ask = ShelfAsk(
        actor=Actor(user="operator", role=Role.OPERATOR), scope=Scope.ALERT, alert_id=nuisance,
        reason=ShelfReason.NUISANCE, note="the gardener", until_at=here.now + timedelta(hours=4),
    )  # fmt: skip
    ShelfDesk(PostgresAlertBook(here.pool), CITY).shelve(ask, here.now)
    arrive(client, red, mine)
    here.now += LOOK_EVERY
    visits.run_due(here.now)
    view = here.engine.view(nuisance)
    assert (view.alert.state, view.alert.held_by, view.dispatches) == (State.OPEN, "shelf", ())
    assert [one.taken_at for one in visits.checks_of(red)] == [here.now]


# ---------------------------------------------------------------- counted
def test_lawful_work_that_was_left_in_peace_is_counted_with_its_company(
    client: TestClient, here: Town
) -> None:
    """From stored reasons: the permit, the joined episode, the refuted one; and a spreadsheet gets the same."""
    supervisor = login(client, "supervisor")
    client.post("/api/v1/permits", json={"fields": PERMIT, "approved": True}, headers=supervisor)
    here.sees(**WORKS)
    assert here.newest().alert.state is State.SUPERVISED
    here.sees()
    here.sees(episode_id="019a0000-0000-7000-8000-0000000000aa")
    here.sees(**MILD)
    here.step(
        here.newest().alert.alert_id,
        Step.DISMISS,
        "operator",
        reason="false_alarm",
        cause="other",
        note="a scarecrow",
    )
    with here.pool.connection() as conn:
        month = read_month(conn, "2026-11", CITY.timezone, Weights())
    counted = {kind: n for kind, (n, _) in month.avoided.items()}
    assert counted == {"permit": 1, "joined": 1, "refuted": 1, "same_visit": 0, "rule": 0}
    (company,) = [one for one in month.companies if one.company]
    assert (company.company, company.spared, company.visits) == ("Example Roads Ltd", 1, 0)
    assert (month.dispatches, month.visits) == (1, 0)
    for tongue, word in (("en", "by a permit"), ("zh", "因许可")):
        lines = told(month, tongue)
        assert word in lines
        assert "Example Roads Ltd" in lines
    csv = client.get("/visits.csv?month=2026-11", headers=supervisor)
    assert csv.headers["content-disposition"].endswith('"visits-2026-11.csv"')
    assert [line.split(",")[0] for line in csv.text.splitlines()[1:]] == [
        "not_arrived", "avoided_permit", "avoided_joined", "avoided_refuted",
    ]  # fmt: skip
    assert client.get("/visits?month=2026-13", headers=supervisor).status_code == 422
    assert "2026-12" not in client.get("/visits?month=2026-11", headers=supervisor).text  # it has not begun
    assert "2026-11 →" in client.get("/visits?month=2026-10", headers=supervisor).text
    for language, word in (("en", "Spared by a permit"), ("zh", "因许可免除")):
        page = client.get("/visits", headers={**supervisor, "accept-language": language}).text
        assert word in page
    assert here.now == NOON


def test_a_case_that_a_rule_kept_is_one_visit_avoided(client: TestClient, here: Town) -> None:
    """Confirmed twice it is still one; looked at during another's visit it is that visit's, and not the rule's."""
    rule = SupervisionRule(
        rule_id="clean", name={"en": "Clean"}, levels=(Level.III, Level.IV), then=Then.BUNDLED, clean_months=1
    )
    policy = Policy(supervision=Supervision(rules=(rule,)))
    here.engine = AlertEngine(PostgresAlertBook(here.pool), CITY, policy)
    with here.pool.connection() as conn:
        conn.execute(
            "INSERT INTO config_version (sha256, body, author, reason, created_at) VALUES ('x', '{}', 'a', 'b', %s)",
            (NOON - timedelta(days=400),),
        )
    here.sees(**MILD)
    kept = here.newest().alert.alert_id
    for _ in range(2):
        here.step(kept, Step.CONFIRM, "operator")
    view = here.engine.view(kept)
    assert [move.reason for move in view.transitions].count(Why.KEPT_FOR_VISIT) == 1

    def avoided() -> dict[str, int]:
        with here.pool.connection() as conn:
            month = read_month(conn, "2026-11", CITY.timezone, Weights())
        return {kind: n for kind, (n, _) in month.avoided.items() if n}

    assert avoided() == {"rule": 1}
    here.sees()
    red = here.newest().alert.alert_id
    mine = login(client, "li.wei")
    visits = desk(here)
    visits.run_due(here.now)
    arrive(client, red, mine)
    here.now += LOOK_EVERY
    visits.run_due(here.now)
    arrive(client, kept, mine)
    assert avoided() == {"same_visit": 1}

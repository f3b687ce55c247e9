"""The figures over HTTP and on the command line, from a real database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from alerts.lifecycle import Step
from hcawatch.cli import run
from monitor.domain.events import CameraState
from tests.doubles.web_town import NOON, PASSWORD, Town, town


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as client:
        token = client.post("/api/v1/login", json={"user": "operator", "password": PASSWORD}).json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def week(here: Town) -> Town:
    """Two alerts: one is answered and put right, one is a false alarm; a camera misses ten minutes."""
    here.sees("old-town")
    red = here.newest().alert
    here.sees("school", violation="works_50m", rule_id="works-50m", offset_m=20, activity="stopped")
    false = here.newest().alert
    here.now += timedelta(minutes=2)
    here.step(red.alert_id, Step.ACKNOWLEDGE, "operator")
    here.step(red.alert_id, Step.ACCEPT, "li.wei")
    here.step(red.alert_id, Step.DEPART, "li.wei")
    here.now += timedelta(minutes=20)
    here.step(red.alert_id, Step.ARRIVE, "li.wei")
    here.step(
        false.alert_id,
        Step.DISMISS,
        "supervisor",
        reason="false_alarm",
        cause="shadow_light",
        note="a shadow",
    )
    begin = NOON - timedelta(minutes=60)
    for n in range(30):
        here.watches("old-town", begin + timedelta(minutes=n), 0.0 if 10 <= n < 20 else 60.0)
    here.now += timedelta(minutes=1)
    return here


def test_the_figures_of_a_week(week: Town, client: TestClient) -> None:
    """Acknowledged after two minutes, arrived after 22; the page, JSON and CSV say the same."""
    found = client.get("/api/v1/figures?period=7d").json()
    level_one = found["levels"][0]["took"]
    assert [(t["milestone"], t["n"], t["p50_s"]) for t in level_one] == [
        ("acknowledge", 1, 120.0), ("arrive", 1, 1320.0), ("cure", 0, None),
    ]  # fmt: skip
    assert level_one[2]["waiting"] == 1
    assert found["load"]["alarms"] == 2
    teams = {row["of"]: row for row in found["teams"]}
    assert teams["north"]["took"][0]["p50_s"] == 120.0
    answer = client.get("/api/v1/figures?period=7d&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert {"group": "level", "of": "I", "figure": "arrive_p50", "value": "1320"}.items() <= next(
        r.items() for r in rows if r["of"] == "I" and r["figure"] == "arrive_p50"
    )
    page = client.get("/figures", headers={"accept-language": "zh"})
    assert (page.status_code, "处置闭环指标" in page.text) == (200, True)
    empty = client.get("/api/v1/figures?from=2026-01-01&to=2026-01-02").json()
    assert (empty["load"]["alarms"], empty["load"]["benchmarks"][0]["stands"]) == (0, "within")


def test_the_monthly_list(week: Town, client: TestClient) -> None:
    """The ten minutes in which nobody looked, and the false alarm with who said so."""
    found = client.get("/api/v1/figures/month?month=2026-11").json()
    points = {point["point"]: point for point in found["points"]}
    (dark,) = points["old-town"]["findings"]
    assert (dark["what"], dark["minutes"], points["old-town"]["minutes"]) == ("off_scan", 10, 30)
    assert points["old-town"]["unwatched_s"] == 600.0
    (false,) = points["school"]["findings"]
    assert (false["what"], false["name"], false["note"]) == ("false_alarm", "Sun Supervisor", "a shadow")
    assert points["school"]["judged"] == 1
    page = client.get("/figures/month?month=2026-11").text
    assert "Sun Supervisor" in page
    assert "a shadow" in page
    sheet = client.get("/api/v1/figures/month?month=2026-11&format=csv").text
    assert [row["what"] for row in csv.DictReader(io.StringIO(sheet.lstrip("\ufeff")))].count("off_scan") == 1
    assert client.get("/api/v1/figures/month?month=2026-10").json()["points"][0]["findings"] == []


@pytest.mark.parametrize(
    "path", ["/figures?from=2026-13-01", "/figures?period=forever", "/figures/month?month=2026-99",
             "/api/v1/figures?to=0001-01-03", "/figures?to=0001-01-03T00:00%2B00:00", "/figures/month?month=0001-01",
             "/api/v1/figures/month?month=0001-01", "/api/v1/figures?from=2026-11-30&to=2026-11-01", "/api/v1/figures?from=%00", "/api/v1/figures/month?month=0"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_a_sentence(client: TestClient, path: str) -> None:
    """Never a fault of ours."""
    answer = client.get(path)
    assert answer.status_code == 422, answer.text[:300]


def test_the_commands_print_the_same(
    week: Town, postgres_dsn: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As text, JSON and CSV, for a script that files the month's list."""
    given = ["--config", str(repository / "examples" / "city.yaml"), "--database", postgres_dsn]
    assert run(["alerts", "figures", "--from", "2026-11-20", "--to", "2026-11-25", "--json", *given]) == 0
    assert json.loads(capsys.readouterr().out)["load"]["alarms"] == 2
    assert (
        run(["alerts", "figures", "--from", "2026-11-20", "--to", "2026-11-25", "--lang", "zh", *given]) == 0
    )
    assert "每日警情数" in capsys.readouterr().out
    assert run(["alerts", "report", "--month", "2026-11", "--csv", *given]) == 0
    assert "false_alarm" in capsys.readouterr().out
    assert run(["alerts", "report", "--month", "2026-11", "--lang", "en", *given]) == 0
    assert "a shadow" in capsys.readouterr().out
    assert run(["alerts", "report", "--month", "11/2026", *given]) == 1
    assert "2026-11" in capsys.readouterr().err


def test_what_was_kept_from_ringing_is_named_and_not_counted(here: Town, client: TestClient) -> None:
    """A shelf with who and why, and an alert of a covered camera; neither is an alarm of the room's load."""
    works = {"violation": "works_50m", "rule_id": "works-50m", "offset_m": 20.0, "object_class": "crane"}
    body = {"scope": "camera", "camera_id": "village", "worst": "III", "reason": "nuisance", "note": "a flag",
            "until": (NOON + timedelta(hours=3)).isoformat()}  # fmt: skip
    assert client.post("/api/v1/shelves", json=body).status_code == 201
    here.cameras_are("e2", school=CameraState.OBSCURED)
    here.now += timedelta(seconds=10)
    here.sees("school", captured_at=here.now, **works)
    inhibited = here.newest().alert
    assert inhibited.held_by == "inhibited"
    here.now += timedelta(minutes=30)
    found = client.get("/api/v1/figures/month?month=2026-11").json()
    points = {point["point"]: point for point in found["points"]}
    (shelf,) = points["village"]["findings"]
    assert (shelf["what"], shelf["name"], shelf["why"], round(shelf["minutes"])) == (
        "shelved", "Olga Operator", "nuisance", 30,
    )  # fmt: skip
    (held,) = points["school"]["findings"]
    assert (held["what"], held["number"], held["why"]) == ("inhibited", inhibited.number, "obscured")
    assert "a flag" in client.get("/figures/month?month=2026-11").text
    # only the health alert of the covered camera rang
    assert client.get("/api/v1/figures?period=24h").json()["load"]["alarms"] == 1


def test_what_rang_stays_counted_when_it_is_shelved_later(here: Town, client: TestClient) -> None:
    """The month's load, and how long people took, are as they were: a shelf rewrites no figure that was true."""
    token = client.post("/api/v1/login", json={"user": "supervisor", "password": PASSWORD}).json()["token"]
    client.headers["authorization"] = f"Bearer {token}"
    here.sees("school", violation="works_50m", rule_id="works-50m", offset_m=20.0, activity="stopped")
    alert = here.newest().alert

    def found(until: timedelta | None = None) -> tuple[int, list[float | None]]:
        to = NOON + until if until else here.now
        answer = client.get("/api/v1/figures", params={"from": "2026-11-01", "to": to.isoformat()}).json()
        took = [row["took"][0] for row in answer["levels"] if row["count"]]
        return answer["load"]["alarms"], [one["p50_s"] for one in took]

    here.now += timedelta(minutes=1)
    assert found() == (1, [None])
    body = {"scope": "alert", "alert_id": alert.alert_id, "reason": "other", "note": "looked at later",
            "until": (here.now + timedelta(hours=2)).isoformat()}  # fmt: skip
    shelf = client.post("/api/v1/shelves", json=body)
    assert shelf.status_code == 201, shelf.text
    assert found() == (1, [None])
    here.now += timedelta(minutes=89)
    assert (
        client.post(f"/api/v1/shelves/{shelf.json()['shelf_id']}/end", json={"note": ""}).status_code == 200
    )
    here.now += timedelta(minutes=1)
    assert here.newest().alert.rung_at is not None
    assert found(timedelta(minutes=30)) == (1, [None])
    here.step(alert.alert_id, Step.ACKNOWLEDGE, "supervisor")
    here.now += timedelta(minutes=1)
    assert found() == (1, [91 * 60.0])


def test_the_month_says_how_long_something_was_inhibited(here: Town, client: TestClient) -> None:
    """Also when its grade got worse meanwhile, and until it rang."""
    here.cameras_are("e2", school=CameraState.OBSCURED)
    here.now += timedelta(seconds=10)
    works = {"violation": "works_50m", "rule_id": "works-50m", "offset_m": 20.0, "object_class": "crane"}
    here.sees("school", captured_at=here.now, **works)
    alert = here.newest().alert
    with here.pool.connection() as conn:  # graded again: the reasons are others
        conn.execute("UPDATE alert SET reasons = '[]' WHERE alert_id = %s", (alert.alert_id,))
    here.now += timedelta(minutes=10)
    here.step(alert.alert_id, Step.CONFIRM, "supervisor")
    points = {p["point"]: p for p in client.get("/api/v1/figures/month?month=2026-11").json()["points"]}
    (held,) = points["school"]["findings"]
    assert (held["what"], held["number"]) == ("inhibited", alert.number)
    since, until = (datetime.fromisoformat(held[key]) for key in ("from_at", "to_at"))
    assert until - since >= timedelta(minutes=10)

"""Per way in which somebody does not answer: who hears of it, who goes instead, and the case still ends verified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from monitor.domain.hours import WEEK, Hours
from monitor.domain.shifts import Shift
from tests.doubles.stories import Stage
from tests.doubles.web_town import CITY, town

RED: dict[str, Any] = {
    "violation": "excavation_5m", "pipeline": "a", "offset_m": 2, "side": "right", "machine": "excavator",
    "activity": "working",
}  # fmt: skip


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    from tests.conftest import fresh_database

    dsn = fresh_database(
        request.getfixturevalue("postgres_server_dsn"), request.getfixturevalue("postgres_template")
    )
    folder: Path = tmp_path_factory.mktemp("escalations")
    for name in dsn:
        with town(name, folder) as here, TestClient(here.app(), follow_redirects=False) as client:
            yield Stage(here, client)


def clocks(alert: dict[str, Any]) -> set[str]:
    """Whose clock told somebody."""
    return {one["clock"] for one in alert["told"]}


def test_the_room_does_not_look(stage: Stage) -> None:
    """A patrol's report that nobody acknowledges: operators hear after five minutes, then the supervisor."""
    # the patrol's own team has nobody else: its member is asked, and the room's clock runs
    alert_id = stage.tell("chen.jie", **{**RED, "pipeline": "b", "stake": "K9+300"})
    stage.after(minutes=5)
    stage.after(minutes=5)
    told = stage.alert(alert_id)["told"]
    room = [one["who"] for one in told if one["clock"] == "operator_patrol:acknowledge"]
    assert room[0] == "operator"
    assert "supervisor" in room
    stage.to_verified(alert_id)


def test_the_officer_does_not_accept_and_is_taken_for_dark(stage: Stage) -> None:
    """Called back after ten minutes, the next one is sent (here the same, since nobody else covers the site)."""
    alert_id = stage.tell(**RED, stake="K4+200")
    stage.after(minutes=10)
    stage.after(seconds=30)
    alert = stage.alert(alert_id)
    assert ("go_dark", "accept_overdue") in stage.steps(alert)
    assert [one["end_reason"] for one in alert["dispatches"]] == ["went_dark", None]
    assert "authority:accept" in clocks(alert)
    told = stage.to_verified(alert_id)
    assert ("escalate", "accept_overdue") in stage.steps(told)


def test_the_officer_accepts_and_does_not_leave(stage: Stage) -> None:
    """Went dark before leaving: recalled, and somebody is sent again."""
    alert_id = stage.tell(**RED, stake="K4+500")
    stage.step(alert_id, "accept", "li.wei")
    stage.after(minutes=15)
    alert = stage.alert(alert_id)
    assert ("go_dark", "depart_overdue") in stage.steps(alert)
    assert alert["state"] == "dispatched"
    stage.to_verified(alert_id)


def test_the_officer_is_late_and_then_there(stage: Stage) -> None:
    """An hour on the way: the clock tells the chain, the officer goes on, and the case is late but whole."""
    alert_id = stage.tell(**RED, stake="K4+800")
    for step in ("accept", "depart"):
        stage.step(alert_id, step, "li.wei")
    stage.after(minutes=60)
    alert = stage.alert(alert_id)
    assert ("escalate", "arrive_overdue") in stage.steps(alert)
    assert "authority:arrive" in clocks(alert)
    assert alert["running"]["officer"] == "li.wei"
    told = stage.to_verified(alert_id)
    assert [one["end_reason"] for one in told["dispatches"]] == ["resolved"]
    assert told["coming"] == []


def test_it_is_not_put_right_in_time(stage: Stage) -> None:
    """On site for eight hours: the chain rings until it is resolved."""
    alert_id = stage.tell(**RED, stake="K5+100")
    for step in ("accept", "depart"):
        stage.step(alert_id, step, "li.wei")
    stage.step(alert_id, "arrive", "li.wei", lon=121.47, lat=31.21)
    stage.after(minutes=480)
    alert = stage.alert(alert_id)
    assert ("escalate", "cure_overdue") in stage.steps(alert)
    assert "authority:cure" in clocks(alert)
    assert stage.to_verified(alert_id)["coming"] == []


def test_it_is_not_verified_in_time(stage: Stage) -> None:
    """Resolved and forgotten: a day later the room hears of it."""
    alert_id = stage.tell(**RED, stake="K5+400")
    for step in ("accept", "depart", "arrive"):
        stage.step(alert_id, step, "li.wei")
    stage.step(alert_id, "collect", "li.wei", attachments=[stage.photo(alert_id, "li.wei")])
    stage.resolve(alert_id, "li.wei")
    stage.after(hours=24)
    alert = stage.alert(alert_id)
    assert "operator_patrol:verify" in clocks(alert)
    assert stage.step(alert_id, "verify", "supervisor")["state"] == "verified"


def test_everybody_was_told_and_nobody_answered(stage: Stage) -> None:
    """The chain has an end, and that end is a health alert of its own, until somebody acts."""
    alert_id = stage.tell("chen.jie", **{**RED, "pipeline": "b", "stake": "K9+900"})
    stage.step(alert_id, "accept", "chen.jie")
    stage.step(alert_id, "depart", "chen.jie")
    for _ in range(9):
        stage.after(minutes=15)
    room = stage.ask("GET", "/api/v1/alerts?kind=health&running=true", "operator")["alerts"]
    assert "nobody_answered" in {one["health"] for one in room}
    stage.to_verified(alert_id)


def test_nobody_is_on_shift(stage: Stage) -> None:
    """A health alert says that nobody can be sent; when the shift begins somebody is, by itself."""
    local = stage.town.now.hour * 60 + stage.town.now.minute + 8 * 60 + 5
    begin = local % (24 * 60)
    late = Shift(shift_id="late", hours=Hours(days=WEEK, from_min=begin, to_min=(begin + 120) % (24 * 60)))
    teams = tuple(msgspec.structs.replace(team, shifts=(late,)) for team in CITY.teams)
    city = msgspec.structs.replace(CITY, teams=teams)
    whole = stage.town.engine
    stage.town.engine = AlertEngine(PostgresAlertBook(stage.town.pool), city)
    with TestClient(stage.town.app(city=city), follow_redirects=False) as client:
        quiet = Stage(stage.town, client)
        alert_id = quiet.tell(**RED, stake="K5+800")
        alert = quiet.alert(alert_id)
        assert (alert["state"], alert["dispatches"]) == ("open", [])
        quiet.after(minutes=1)
        room = quiet.ask("GET", "/api/v1/alerts?kind=health&running=true", "operator")["alerts"]
        assert "nobody_to_dispatch" in {one["health"] for one in room}
        quiet.after(minutes=6)
        assert quiet.alert(alert_id)["state"] == "dispatched"
        room = quiet.ask("GET", "/api/v1/alerts?kind=health&running=true", "operator")["alerts"]
        assert "nobody_to_dispatch" not in {one["health"] for one in room}
        quiet.to_verified(alert_id)
    stage.town.engine = whole


def test_the_log_explains_all_of_it(stage: Stage) -> None:
    """Every case of this file, rebuilt from the audit log alone."""
    assert stage.explained()

"""Per way in which work can lie outside its permit: the report names the permit and ends verified.

Each story has a month of its own and no other story's permits, so that none is nearer. They are asked for and decided
through the API, as companies and supervisors do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from tests.doubles.stories import Stage
from tests.doubles.web_town import CITY, town

#: lawful work at K5+000, 20 m to the right, by one excavator
WORK: dict[str, Any] = {
    "violation": "works_50m", "pipeline": "a", "stake": "K5+000", "offset_m": 20, "side": "right",
    "machine": "excavator", "activity": "working",
}  # fmt: skip
#: name of the breach: what the permit says otherwise, what the report says otherwise
BREACHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "permit_outside_time": ({"valid_from": -3, "valid_to": -1}, {}),
    "permit_outside_hours": ({"hours": "mon-sun 08:00-10:00"}, {}),
    "permit_outside_place": ({}, {"stake": "K5+400"}),
    "permit_outside_offset": ({"from_offset_m": 30, "to_offset_m": 45}, {}),
    "permit_outside_kind": ({"works": "crossing_works"}, {}),
    "permit_outside_activity": ({"activities": "stopped"}, {}),
    "permit_outside_machine": ({"machines": "crane:1"}, {}),
    "permit_too_many_machines": ({"machines": "excavator:1"}, {"machines": 2}),
    "permit_withdrawn": ({}, {}),
    "permit_not_approved": ({}, {}),
    "permit_refused": ({}, {}),
}


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    from tests.conftest import fresh_database

    dsn = fresh_database(
        request.getfixturevalue("postgres_server_dsn"), request.getfixturevalue("postgres_template")
    )
    folder: Path = tmp_path_factory.mktemp("breaches")
    for name in dsn:
        with town(name, folder) as here, TestClient(here.app(), follow_redirects=False) as client:
            yield Stage(here, client)


def register(stage: Stage, number: str, **changes: Any) -> None:
    """A permit of today in K4+950 to K5+050, as the breach wants it."""
    today = stage.town.now.astimezone(ZoneInfo(CITY.timezone)).date()
    fields: dict[str, Any] = {
        "number": number, "company": "Example Roads Ltd", "pipeline": "a", "from": 4950, "to": 5050,
        "valid_from": 0, "valid_to": 0, "works": "works_50m", **changes,
    }  # fmt: skip
    for name in ("valid_from", "valid_to"):
        fields[name] = str(today + timedelta(days=fields[name]))
    asked = number.endswith(("not_approved", "refused"))
    stage.ask("POST", "/api/v1/permits", "holder" if asked else "supervisor", 201,
              json={"fields": fields, "approved": not asked})  # fmt: skip


def next_month(stage: Stage) -> None:
    stage.after(days=31)  # further apart than repeats count
    with stage.town.pool.connection() as conn:
        conn.execute("TRUNCATE permit, permit_move, permit_due")


def test_work_within_its_permit_disturbs_nobody(stage: Stage) -> None:
    """A neighbour calls about lawful work: a supervised record that names the permit, and no officer."""
    next_month(stage)
    register(stage, "P-lawful")
    alert = stage.alert(stage.tell(**WORK))
    assert (alert["state"], alert["dispatches"]) == ("supervised", [])
    assert stage.reasons(alert)["permit"] == "P-lawful"
    stage.after(minutes=10)
    assert stage.alert(alert["alert_id"])["dispatches"] == []


def test_a_permit_that_the_law_does_not_know_lowers_nothing(stage: Stage) -> None:
    """Digging within 5 m: the approval is shown, the level is whole, an officer goes."""
    next_month(stage)
    register(stage, "P-within-5m", works="works_50m excavation_5m")
    dug = {**WORK, "violation": "excavation_5m", "offset_m": 2}
    alert = stage.alert(stage.tell(**dug))
    assert (alert["level"], alert["state"]) == ("I", "dispatched")
    assert stage.reasons(alert)["permit_not_known_to_law"] == "P-within-5m"
    stage.to_verified(alert["alert_id"])


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_names_its_permit_and_ends_verified(stage: Stage, breach: str) -> None:
    """The level is whole, the reason is the limit, the permit is named; then the case goes its way."""
    next_month(stage)
    of_permit, of_report = BREACHES[breach]
    number = f"P-{breach.removeprefix('permit_')}"
    register(stage, number, **of_permit)
    if breach in ("permit_withdrawn", "permit_refused"):
        step = "withdraw" if breach == "permit_withdrawn" else "refuse"
        stage.ask("POST", f"/api/v1/permits/{number}/steps", "supervisor", json={"step": step, "note": "why"})
        stage.after(minutes=1)
    alert_id = stage.tell(**{**WORK, **of_report})
    alert = stage.alert(alert_id)
    assert alert["level"] == "II"
    assert stage.reasons(alert)[breach] == number
    assert not {"permit", "permit_not_known_to_law"} & set(stage.reasons(alert))
    seen = stage.ask("GET", f"/api/v1/permits/{number}", "supervisor")["alerts"]
    assert [breach in one["breaks"] for one in seen if one["alert_id"] == alert_id] == [True]
    stage.after(minutes=2)
    told = stage.to_verified(alert_id)
    assert ("dispatch", "level_ii_unrefuted") in stage.steps(told)


def test_the_log_explains_all_of_it(stage: Stage) -> None:
    """Every case of this file, rebuilt from the audit log alone."""
    assert stage.explained()

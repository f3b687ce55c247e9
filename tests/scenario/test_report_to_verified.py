"""Per row of the law's table (docs/reports.md): from a call to a verified case, through the real parts.

PostgreSQL, the engine, and the web's API for every step of every person. One database for all rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from monitor.domain.violations import CATALOGUE
from tests.doubles.stories import Stage
from tests.doubles.web_town import town

#: violation, article, level of a bare call at the pipe in the Old Town (HCA III, by day), and who is sent when
ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("excavation_5m", "30(2)", "II", "level_ii_unrefuted"),
    ("fire_5m", "30(2)", "II", "level_ii_unrefuted"),
    ("building_5m", "30(3)", "III", "confirmed"),
    ("planting_5m", "30(1)", "III", "confirmed"),
    ("lines_over_facility", "29", "III", "confirmed"),
    ("heavy_vehicle_on_track", "28(4)", "III", "confirmed"),
    ("on_pipe", "28(5)", "III", "confirmed"),
    ("marker_damaged", "28(3)", "IV", "confirmed"),
    ("valve_operated", "28(1)", "III", "confirmed"),
    ("theft", "28(2)", "II", "level_ii_unrefuted"),
    ("river_works_500m", "32", "II", "level_ii_unrefuted"),
    ("tunnel_works_1000m", "33(1)", "II", "level_ii_unrefuted"),
    ("crossing_works", "35(1)", "III", "confirmed"),
    ("works_50m", "35(2)", "II", "level_ii_unrefuted"),
    ("engineering_200m", "35(3)", "III", "confirmed"),
    ("unexplained_change", "", "IV", "confirmed"),
)


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One town for all rows: they stand beside each other, as in a real database."""
    from tests.conftest import fresh_database

    dsn = fresh_database(
        request.getfixturevalue("postgres_server_dsn"), request.getfixturevalue("postgres_template")
    )
    folder: Path = tmp_path_factory.mktemp("rows")
    for name in dsn:
        with town(name, folder) as here, TestClient(here.app(), follow_redirects=False) as client:
            yield Stage(here, client)


def test_every_row_of_the_law_has_its_story() -> None:
    """A row that is added to the catalogue needs one here."""
    assert [row[0] for row in ROWS] == list(CATALOGUE)
    assert {code: row.article for code, row in CATALOGUE.items()} == {row[0]: row[1] for row in ROWS}


@pytest.mark.parametrize(("violation", "article", "level", "why"), ROWS, ids=[row[0] for row in ROWS])
def test_from_a_call_to_verified(stage: Stage, violation: str, article: str, level: str, why: str) -> None:
    """The call is graded by what was said, somebody is sent when the policy says so, and it ends verified."""
    at_m = 4100 + 100 * [row[0] for row in ROWS].index(violation)
    alert_id = stage.tell(
        violation=violation, pipeline="a", stake=str(at_m), offset_m=2, side="left", caller_name="Wang"
    )  # fmt: skip
    alert = stage.alert(alert_id)
    assert (alert["source"], alert["level"], alert["state"]) == ("report", level, "open")
    assert "by_report" in stage.reasons(alert)
    if article:
        assert f"Article {article};" in alert["article"]["en"]
    if why == "level_ii_unrefuted":
        stage.after(minutes=2)
        assert stage.alert(alert_id)["state"] == "dispatched"
    told: dict[str, Any] = stage.to_verified(alert_id, "referred" if violation == "theft" else "rectified")
    history = stage.steps(told)
    assert ("dispatch", why) in history
    assert [step for step, _ in history if step not in ("confirm", "join")] == [
        "open", "dispatch", "accept", "depart", "arrive", "collect", "resolve", "verify",
    ]  # fmt: skip
    assert "Wang" not in str(told)


def test_the_log_explains_all_of_it(stage: Stage) -> None:
    """Every case of this file, rebuilt from the audit log alone."""
    assert stage.explained()

"""A camera's own alarm by GB/T 28181, from the first REGISTER to a verified case, through the real parts.

PostgreSQL, the door on loopback, the engine, and the web's API for every step of every person. The camera is a fake.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from monitor.ingest.gb28181.door import GbDoor
from monitor.ingest.gb28181.postgres import PostgresGbStore
from tests.doubles.gb_device import PASSWORDS, FakeGbDevice, alarm_xml, with_gb
from tests.doubles.stories import Stage
from tests.doubles.web_town import CITY, town


@pytest.fixture
def stage(postgres_dsn: str, tmp_path: Path) -> Iterator[Stage]:
    with town(postgres_dsn, tmp_path) as here, TestClient(here.app(), follow_redirects=False) as client:
        yield Stage(here, client)


def test_from_a_sip_alarm_to_verified(stage: Stage) -> None:
    """Intrusion at the River Village: confirmed by the room, sent, on site, evidence, put right, verified by another."""
    here = stage.town
    city = with_gb(CITY, "village")
    with (
        GbDoor(city, PASSWORDS, here.store, PostgresGbStore(here.pool), clock=lambda: here.now) as door,
        FakeGbDevice(door.port) as camera,
    ):
        assert camera.register().status == 200
        assert camera.say(alarm_xml(here.now)).status == 200
        assert camera.told.get(timeout=20).tags["result"] == "OK"
        here.engine.take_work(here.now)
        # it goes on: the camera says so again, which is no second case
        stage.after(minutes=1)
        assert camera.say(alarm_xml(here.now, 2)).status == 200
        here.engine.take_work(here.now)
    (row,) = here.engine.list_alerts()
    alert = stage.alert(row.alert.alert_id)
    assert (alert["source"], alert["camera_id"], alert["violation"], alert["state"]) == (
        "device",
        "village",
        "on_pipe",
        "open",
    )
    assert "by_device" in stage.reasons(alert)
    told = stage.to_verified(alert["alert_id"])
    assert [step for step, _ in stage.steps(told) if step not in ("confirm", "join")] == [
        "open", "dispatch", "accept", "depart", "arrive", "collect", "resolve", "verify",
    ]  # fmt: skip
    assert ("dispatch", "confirmed") in stage.steps(told)
    assert stage.explained()

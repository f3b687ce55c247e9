"""More alerts than one page shows: the console's numbers are of all of them, and each of them can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from alerts.calm.running import Chosen, running_now, tallies, totals
from alerts.engine import new_uuid7
from alerts.lifecycle import State
from alerts.postgres_book import PostgresAlertBook
from alerts.values import Alert
from monitor.domain.levels import Level
from tests.doubles.web_town import PASSWORD, Town, town

#: a page shows 500
N_MILD, N_RED = 520, 30


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as client:
        yield client


def login(client: TestClient, language: str = "en") -> dict[str, str]:
    token = client.post("/api/v1/login", json={"user": "operator", "password": PASSWORD}).json()["token"]
    return {"authorization": f"Bearer {token}", "accept-language": language}


def many(here: Town) -> list[Alert]:
    """A city in trouble: 520 mild ones at the school, an hour later 30 red ones at the Old Town; three are held."""
    here.sees(
        "school", offset_m=30.0, violation="works_50m", rule_id="works-50m", activity="passing", dwell_s=1.0
    )
    school = here.newest().alert
    here.now += timedelta(hours=1)
    here.sees("old-town")
    red = here.newest().alert
    here.now += timedelta(minutes=1)
    with PostgresAlertBook(here.pool).begin() as tx:
        for n in range(N_MILD - 1):
            tx.insert_alert(_again(school, n, held_by="shelf" if n < 3 else None))
        for n in range(N_RED - 1):
            tx.insert_alert(_again(red, n, state=State.OPEN if n < 9 else State.DISPATCHED))
    return [row.alert for row in here.engine.list_alerts(running=True, limit=5000)]


def _again(alert: Alert, n: int, **changes: Any) -> Alert:
    later = alert.opened_at + timedelta(milliseconds=n + 1)
    return msgspec.structs.replace(alert, alert_id=new_uuid7(), opened_at=later, **changes)


def shown(page: str) -> list[str]:
    """Alerts in the list of what rings."""
    listed = page.partition('id="alert-list"')[2].partition('id="held-list"')[0]
    return re.findall(r'data-alert="([0-9a-f-]+)"', listed.partition("alerts-closed")[0])


def test_the_counters_count_all_and_every_alert_is_on_some_page(here: Town, client: TestClient) -> None:
    """The pages one after the other show each alert that rings once, the worst first; none is only a number."""
    alerts = [alert for alert in many(here) if alert.held_by is None]
    operator = login(client)
    first = client.get("/?view=single", headers=operator).text
    assert f'<dd id="count-running">{len(alerts)}</dd>' in first
    awaiting = sum(a.state is State.OPEN and a.violation is not None for a in alerts)
    assert f'<dd id="count-awaiting">{awaiting}</dd>' in first
    assert f"{len(alerts) - 500} more" in first
    assert "Kept from ringing (3)" in first
    assert f"500 worst and oldest of {len(alerts)}" in first
    (following,) = set(re.findall(r'href="([^"]+)" rel="next"', first))
    second = client.get(following.replace("&amp;", "&"), headers=operator).text
    assert 'rel="next"' not in second
    listed = shown(first) + shown(second)
    assert sorted(listed) == sorted(alert.alert_id for alert in alerts)
    level = {alert.alert_id: alert.level.rank for alert in alerts}
    assert [level[one] for one in listed] == sorted(level.values())
    # whoever stands on a page that is gone since the flood ebbed sees the last one there is, not an empty list
    beyond = client.get("/?view=single&page=9", headers=operator)
    assert (beyond.status_code, shown(beyond.text)) == (200, shown(second))


def test_a_page_that_is_not_the_first_or_not_all_says_what_level_one_it_leaves_out(
    here: Town, client: TestClient
) -> None:
    """On page 2, or among one place's alerts, the operator would not hear of a new red one anywhere else."""
    alerts = many(here)
    operator = login(client)

    def said(page: str) -> list[str]:
        return re.findall(r'id="elsewhere" data-n="(\d+)"', client.get(page, headers=operator).text)

    for page in ("/?view=single&page=2", "/?level=III", "/?what=on_pipe", "/?view=groups&level=III"):
        assert said(page) == [str(N_RED)], page
    for page in ("/", "/?view=single", "/?level=I"):
        assert said(page) == [], page
    others = sum(a.level is Level.I and a.state is not State.DISPATCHED for a in alerts)
    assert said("/?state=dispatched") == [str(others)], "those that are listed are not elsewhere"


def test_a_flood_counts_in_its_groups_what_the_page_does_not_list(here: Town, client: TestClient) -> None:
    """The line, the groups and the levels have the same sum as the database; a group leads to all of its alerts."""
    alerts = [alert for alert in many(here) if alert.held_by is None]
    operator = login(client)
    page = client.get("/", headers=operator).text
    assert f"Flood: {N_RED}" in page
    assert f"; {len(alerts)} run now" in page
    groups = [int(n) for n in re.findall(r'class="group-count">(\d+)<', page)]
    assert sum(groups) == len(alerts)
    mild = sum(alert.level is not Level.I for alert in alerts if alert.violation)
    (link,) = re.findall(r'class="more"><a href="([^"]+)"', page)
    whole = client.get(link.replace("&amp;", "&"), headers=operator).text
    assert f"1 to 500 of {mild}" in whole
    assert re.search(rf"level=I\"[^>]*>[^<]*I <b>{N_RED}</b>", page)


def test_what_is_chosen_is_all_that_is_shown(here: Town, client: TestClient) -> None:
    """By level, state and place; numbers beside it say what each link leads to; nothing such is said as such."""
    alerts = [alert for alert in many(here) if alert.held_by is None]
    operator = login(client, "zh")
    page = client.get("/?level=I&state=dispatched", headers=operator).text
    wanted = {a.alert_id for a in alerts if a.level is Level.I and a.state is State.DISPATCHED}
    assert wanted
    assert set(shown(page)) == wanted
    assert f'<dd id="count-running">{len(alerts)}</dd>' in page, "the counters are of all"
    for state in ("open", "dispatched"):
        n = sum(a.level is Level.I and a.state == state for a in alerts)
        assert re.search(rf"<b>{n}</b>", page), state
    assert f"当前 {len(alerts)} 条告警中无此类" in client.get("/?what=on_pipe", headers=operator).text
    for bad in ("level=V", "state=odd", "page=0", "page=99999999", "site=%00"):
        assert client.get(f"/?{bad}", headers=operator).status_code == 422, bad


def test_the_statement_counts_as_the_pure_sum_does(here: Town) -> None:
    """The database's tallies of everything are those of the alerts themselves, held ones and health alerts with them."""
    alerts = many(here)
    with here.pool.connection() as conn:
        counted = running_now(conn)
    assert set(counted) == set(tallies(alerts))
    sums = totals(counted)
    assert sums.all == len(alerts)
    assert sums.by_level == {
        level: n for level in Level if (n := sum(alert.level is level for alert in alerts))
    }
    reds = Chosen(level=Level.I, site_id="")
    rows = here.engine.urgent_alerts(held=False, limit=5000, chosen=reds)
    assert {row.alert.alert_id for row in rows} == {
        a.alert_id for a in alerts if reds.takes(a) and a.held_by is None
    }

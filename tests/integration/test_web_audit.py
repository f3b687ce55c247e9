"""The auditor's page, API and export."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from alerts.lifecycle import Step
from monitor.audit.verify import verify_bundle
from tests.doubles.web_town import PASSWORD, Town, town


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as one:
        token = one.post("/api/v1/login", json={"user": "auditor", "password": PASSWORD}).json()["token"]
        one.headers["authorization"] = f"Bearer {token}"
        yield one


def test_an_empty_log_says_so(client: TestClient) -> None:
    """Before the first checkpoint the page explains, the API says 404."""
    assert "Nothing was signed yet" in client.get("/audit").text
    assert client.get("/api/v1/audit/head").status_code == 404
    assert client.get("/api/v1/audit/bundle").status_code == 404


def test_the_export_verifies_offline(here: Town, client: TestClient, tmp_path: Path) -> None:
    """What the auditor carries home passes the verifier, and the export itself is an entry."""
    here.sees()
    here.sequence()
    answer = client.get("/api/v1/audit/bundle")
    assert answer.headers["content-type"] == "application/zip"
    assert "attachment" in answer.headers["content-disposition"]
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(answer.content)
    assert verify_bundle(bundle).ok
    assert (
        client.get("/api/v1/audit/head").json()["checkpoint"]
        in zipfile.ZipFile(io.BytesIO(answer.content)).read("checkpoint").decode()
    )
    assert "Export" in client.get("/audit?search=export").text
    here.sequence()
    kinds = [entry["kind"] for entry in client.get("/api/v1/audit/entries").json()["entries"]]
    assert kinds.count("export") == 1


def test_one_alerts_history_by_its_number_or_id(here: Town, client: TestClient) -> None:
    """The number that people say finds the same entries as the id, and nothing of other alerts."""
    here.sees()
    alert = here.newest().alert
    here.step(alert.alert_id, Step.CONFIRM, "operator", note="seen")
    here.sees("village")
    for search in (str(alert.number), alert.alert_id):
        text = client.get(f"/audit?search={search}").text
        assert f"History of alert no. {alert.number}" in text
        assert "Alert: confirm" in text
        assert here.newest().alert.alert_id not in text


def test_entries_come_page_by_page(here: Town, client: TestClient) -> None:
    """Each entry once, newest first on the page, by index in the API."""
    for _ in range(60):
        client.post("/api/v1/login", json={"user": "auditor", "password": PASSWORD})
    here.sequence()
    first = client.get("/audit").text
    assert first.count("<summary>") == 50
    older = first.partition("/audit?before=")[2].partition('"')[0]
    second = client.get(f"/audit?before={older}").text
    assert 10 <= second.count("<summary>") <= 20
    found = client.get("/api/v1/audit/entries?from=5&to=8").json()["entries"]
    assert [entry["leaf_index"] for entry in found] == [5, 6, 7]
    assert client.get("/api/v1/audit/entries?from=8&to=5").status_code == 422

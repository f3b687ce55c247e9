"""Whatever somebody sends: an answer of 4xx at worst, never a fault of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from alerts.lifecycle import Step
from tests.doubles.web_town import PASSWORD, Town, town

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXT = st.text(max_size=60) | st.sampled_from(
    ["\x00", "\ud800", "'; DROP TABLE alert; --", "{{7*7}}", "%s", "../../etc"]
)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
STEP = st.fixed_dictionaries(
    {},
    optional={
        "step": st.sampled_from([*Step, "nonsense"]) | JSON,
        "note": TEXT | JSON,
        "lon": st.floats() | JSON,
        "lat": st.floats() | JSON,
        "attachments": st.lists(TEXT | st.just("a" * 64), max_size=3) | JSON,
        "reason": TEXT | st.sampled_from(["false_alarm", "x" * 41]) | JSON,
        "unknown": JSON,
    },
)


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        one.sees()
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as one:  # faults are raised into the test
        yield one


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode("utf-8", "surrogatepass")


def bearer(client: TestClient, user: str) -> dict[str, str]:
    token = client.post("/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


def test_steps(here: Town, client: TestClient) -> None:
    """Fields of every type, NUL and half surrogates in texts, positions beyond the world."""
    url = f"/api/v1/alerts/{here.newest().alert.alert_id}/steps"
    headers = bearer(client, "supervisor")

    @QUICK
    @given(STEP | JSON)
    def run(body: Any) -> None:
        assert client.post(url, content=dumped(body), headers=headers).status_code < 500

    run()


def test_raw_bodies(here: Town, client: TestClient) -> None:
    """Bytes that are no JSON, as any content type."""
    url = f"/api/v1/alerts/{here.newest().alert.alert_id}/steps"
    headers = bearer(client, "supervisor")

    @QUICK
    @given(
        st.binary(max_size=200),
        st.sampled_from(
            ["application/json", "text/plain", "multipart/form-data", "", "application/json; charset=utf-16"]
        ),
    )
    def run(body: bytes, content_type: str) -> None:
        assert (
            client.post(url, content=body, headers={**headers, "content-type": content_type}).status_code
            < 500
        )
        assert (
            client.post("/api/v1/login", content=body, headers={"content-type": content_type}).status_code
            < 500
        )

    run()


def test_logins(client: TestClient) -> None:
    """Names and passwords of every kind."""

    @QUICK
    @given(st.fixed_dictionaries({"user": TEXT | JSON, "password": TEXT | JSON}))
    def run(body: Any) -> None:
        status = client.post(
            "/api/v1/login", content=dumped(body), headers={"content-type": "application/json"}
        ).status_code
        assert status in (401, 422, 429)

    run()


def test_paths_and_queries(here: Town, client: TestClient) -> None:
    """Ids that are none, searches with signs, pages beyond the end."""
    headers = bearer(client, "supervisor")
    headers.pop("content-type")
    safe = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

    @QUICK
    @given(safe, safe | st.integers().map(str))
    def run(text: str, number: str) -> None:
        for url, query in (
            ("/audit", {"search": text, "before": number}),
            ("/audit", {"search": number}),
            ("/api/v1/audit/entries", {"from": number, "to": text}),
            ("/api/v1/audit/entries", {"from": "0", "to": number}),
            ("/api/v1/alerts", {"state": text, "limit": number}),
            ("/login", {"next": text}),
            ("/language/zh", {"next": text}),
        ):
            assert client.get(url, params=query, headers=headers).status_code < 500, (url, query)
        for prefix in (
            "/alerts/",
            "/field/",
            "/api/v1/alerts/",
            "/api/v1/evidence/",
            "/static/",
            "/language/",
        ):
            assert client.get(prefix + quote(text, safe=""), headers=headers).status_code < 500, (
                prefix,
                text,
            )

    run()


@pytest.mark.parametrize("key", ["", "x" * 101, "a\tb"])
def test_idempotency_keys(here: Town, client: TestClient, key: str) -> None:
    """A key that can't be one is refused before anything is done."""
    url = f"/api/v1/alerts/{here.newest().alert.alert_id}/steps"
    headers = {**bearer(client, "operator"), "idempotency-key": key}
    assert client.post(url, json={"step": "acknowledge"}, headers=headers).status_code == 400
    assert here.newest().alert.acknowledged_at is None

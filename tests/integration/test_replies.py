"""Officers answer by text message: the right number, the right signature, once; everybody else gets nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unicodedata import normalize

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from alerts.channels.webhook import signature
from alerts.lifecycle import Step
from alerts.visiting.replies import CODES, Reply, hint, read_reply, sender_of
from monitor.domain.assets import Channel, City, GatewayRequest
from tests.doubles.web_town import CITY, Town, town

SECRET = "the-gateway-signs-with-this"
NUMBER = "+86 138 0013 8000"


def _with_numbers(city: City) -> City:
    north, south = city.teams
    (li,), (chen,) = north.members, south.members
    replace = msgspec.structs.replace
    north = replace(north, members=(replace(li, contacts={"sms": NUMBER}),))
    south = replace(south, members=(replace(chen, contacts={"sms": "+86 139 0000 0001"}),))
    sms = Channel(channel_id="sms", kind="sms", request=GatewayRequest(body={"to": "{to}"}), replies=True)
    return replace(city, teams=(north, south), channels=(sms,))


HERE = _with_numbers(CITY)


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    app = here.app(city=HERE, reply_secrets={"sms": SECRET})
    with TestClient(app, follow_redirects=False) as client:
        yield client


def post(client: TestClient, here: Town, text: str, message_id: str = "m1", **changes: Any) -> httpx.Response:
    given = {"id": message_id, "from": changes.get("sender", NUMBER), "text": text}
    body = msgspec.json.encode(given)
    timestamp = str(int((here.now + timedelta(seconds=changes.get("late_s", 0))).timestamp()))
    signed = changes.get("signature", signature(changes.get("secret", SECRET), timestamp, body))
    headers = {
        "hcawatch-timestamp": timestamp,
        "hcawatch-signature": signed,
        "content-type": "application/json",
    }
    return client.post(f"/api/v1/replies/{changes.get('channel', 'sms')}", content=body, headers=headers)


def answers(here: Town) -> list[str]:
    with here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT body, address FROM outgoing WHERE body->>'what' = 'reply' ORDER BY outgoing_id"
        )
        return [row["body"]["text"]["en"] for row in rows]


def test_an_officer_accepts_leaves_and_arrives_by_text_message(client: TestClient, here: Town) -> None:
    """Each message is one step however often the gateway posts it, and each is answered once."""
    here.sees()
    alert = here.newest().alert
    for n, (code, state) in enumerate((("A", "accepted"), ("g", "en_route"), ("3", "on_site"))):
        for _ in range(2):
            answer = post(client, here, f" {code} {alert.number}", f"m{n}")
            assert (answer.status_code, answer.json()["taken"]) == (200, True), answer.text
        assert here.engine.view(alert.alert_id).alert.state == state
    moves = here.engine.view(alert.alert_id).transitions
    assert [(m.step, m.actor) for m in moves[2:]] == [
        ("accept", "li.wei"),
        ("depart", "li.wei"),
        ("arrive", "li.wei"),
    ]
    assert moves[-1].reason == "arrived_without_position"
    assert answers(here) == [f"{alert.number}: accept", f"{alert.number}: depart", f"{alert.number}: arrive"]


def test_what_cannot_be_done_is_answered_with_the_reason(client: TestClient, here: Town) -> None:
    """Help for what is no code; the state for what is too early; nothing of another team's alert."""
    here.sees()
    number = here.newest().alert.number
    post(client, here, "where is it?", "m1")
    post(client, here, f"Z {number}", "m2")
    post(client, here, f"A {number}", "m3", sender="+86 139 0000 0001")
    post(client, here, "A 99999", "m4")
    said = answers(here)
    assert "A 4711" in said[0]
    assert "the alert is dispatched" in said[1]
    assert said[2:] == [f"{number} is not dispatched to you.", "99999 is not dispatched to you."]
    assert here.newest().alert.state == "dispatched"


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "guessed"}, {"signature": ""}, {"signature": "v1=00"}, {"late_s": -301}, {"late_s": 301},
        {"channel": "fax"},
    ],
)  # fmt: skip
def test_without_the_gateways_signature_nothing_happens(
    client: TestClient, here: Town, changes: dict[str, Any]
) -> None:
    """Whoever knows an officer's number and an alert's can still do nothing."""
    here.sees()
    refused = post(client, here, f"A {here.newest().alert.number}", **changes)
    assert refused.status_code == 403
    assert here.newest().alert.state == "dispatched"


def test_a_strangers_message_is_not_answered_and_leaves_a_trace(client: TestClient, here: Town) -> None:
    """No step and no message at the city's cost; the log has that it came, without the number."""
    here.sees()
    taken = post(client, here, f"A {here.newest().alert.number}", sender="+1 555 0100 999")
    assert taken.json() == {"taken": False}
    assert answers(here) == []
    with here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT convert_from(body, 'UTF8') AS b FROM audit_entry WHERE kind = 'reply.stranger'"
        )
        assert [("0100" in row["b"], "999" in row["b"]) for row in rows] == [(False, True)]
    assert post(client, here, "A\x00 1").status_code == 422


@pytest.mark.parametrize(
    "text",
    ["A4711", "Ａ 4711", "A：4711", "A\u30004711", "A  4711。", "ａ４７１１", "1 4711", "1：4711", "1-4711."],
)
def test_a_chinese_keyboard_is_understood(text: str) -> None:
    """Full-width letters and signs, no space, a full stop behind: it means the same."""
    assert read_reply(text) == Reply(step=Step.ACCEPT, number=4711)


@pytest.mark.parametrize("text", ["14711", "4711", "A 4711 好的", "AA 4711", "A 47 11", "X4711"])
def test_what_could_mean_something_else_is_not_guessed(text: str) -> None:
    """A digit and a number without anything between are another number."""
    assert read_reply(text) is None


@given(text=st.text(max_size=40))
def test_any_text_is_read_or_not_and_never_breaks(text: str) -> None:
    """What is read has one of the codes and a number."""
    reply = read_reply(text)
    if reply is not None:
        assert reply.step in CODES.values()
        assert str(reply.number) in normalize("NFKC", text)


@given(
    number=st.integers(1, 10**9), code=st.sampled_from(sorted(CODES)), language=st.sampled_from(["en", "zh"])
)
def test_what_the_hint_says_is_understood(number: int, code: str, language: str) -> None:
    """The codes that a dispatch prints are those that are read."""
    reply = read_reply(f"{code.lower()} {number}")
    assert reply is not None
    assert (reply.number, reply.step) == (number, CODES[code])
    said = hint(number, language)
    assert all(f"{letter} {number}" in said for letter in "AGZN")


@pytest.mark.parametrize(
    ("number", "user"),
    [
        (NUMBER, "li.wei"), ("8613800138000", "li.wei"), ("008613800138000", "li.wei"), ("13800138000", "li.wei"),
        ("3800138000", None), ("", None), ("+86 138 0013 8001", None),
    ],
)  # fmt: skip
def test_a_number_is_an_officers_whole_number_or_nobodys(number: str, user: str | None) -> None:
    """As gateways write it: with or without the country's code; never by its last digits only."""
    found = sender_of(number, "sms", HERE)
    assert (found[0].user if found else None) == user
    assert Step.ACCEPT in CODES.values()

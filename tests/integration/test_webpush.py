"""Web Push from the officer's browser to the notification, against a real database and a FAKE push service."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from alerts.channels.building import deliveries
from alerts.channels.desk import Desk
from alerts.channels.failures import ChannelError
from alerts.channels.states import PostgresChannelStates
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from alerts.webpush.invitation import Push, push_of
from alerts.webpush.sealing import new_key_pem
from alerts.webpush.subscriptions import MOST_BROWSERS, Subscriptions
from hcawatch.config.channel_secrets import ChannelSecret
from monitor.domain.assets import Channel
from tests.doubles.push_service import FakePushService
from tests.doubles.receivers import LOOPBACK, Got, Receiver, Reply
from tests.doubles.web_town import CITY, PASSWORD, Town, town

API = "/api/v1/push/browsers"
PUSH = Channel(
    channel_id="push",
    kind="webpush",
    sender="mailto:room@example.org",
    networks=LOOPBACK,
    sends=("dispatches",),
)
TALKING = msgspec.structs.replace(CITY, channels=(PUSH,))


class Pushing:
    """A town with the channel: a page's client, a courier, and the fake service."""

    def __init__(self, here: Town, networks: tuple[str, ...] = LOOPBACK) -> None:
        self.here, self.service = here, FakePushService()
        city = msgspec.structs.replace(CITY, channels=(msgspec.structs.replace(PUSH, networks=networks),))
        here.engine = AlertEngine(PostgresAlertBook(here.pool), city)
        browsers = Subscriptions(here.pool)
        kinds = deliveries(city, {"push": ChannelSecret(secret=new_key_pem())}, None, None, browsers)
        push = push_of(city, kinds, browsers)
        assert push is not None
        self.push: Push = push
        self.service.sender_public = push.public
        self.desk = desk = Desk(city, kinds, PostgresChannelStates(here.pool), lambda: here.now)
        self.courier = Courier(
            PostgresAlertBook(here.pool), {"mqtt": lambda *_: None, **desk.sends}, here.engine, desk=desk
        )

    def browser(self, receiver: Receiver, n: int = 0) -> dict[str, Any]:
        return {"endpoint": f"{receiver.url}/send/{n}", "expirationTime": None, "keys": self.service.keys}


@pytest.fixture
def pushing(postgres_dsn: str, tmp_path: Path) -> Iterator[Pushing]:
    with town(postgres_dsn, tmp_path) as here:
        yield Pushing(here)


@pytest.fixture
def client(pushing: Pushing) -> Iterator[TestClient]:
    with TestClient(pushing.here.app(push=pushing.push), follow_redirects=False) as client:
        yield client


@pytest.fixture
def receiver(pushing: Pushing) -> Iterator[Receiver]:
    with Receiver(pushing.service) as one:
        yield one


def login(client: TestClient, user: str) -> dict[str, str]:
    token = client.post("/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
    return {"authorization": f"Bearer {token}"}


def test_a_dispatch_is_on_the_officers_screen(
    pushing: Pushing, client: TestClient, receiver: Receiver
) -> None:
    """Turned on, tried out, dispatched, recalled: the officer sees each, in one notification."""
    officer = login(client, "li.wei")
    assert client.get("/api/v1/push/key", headers=officer).json() == {"key": pushing.push.public}
    browser = pushing.browser(receiver)
    assert client.post(API, json=browser, headers=officer).status_code == 201
    assert client.post(API, json=browser, headers=officer).status_code == 200, "each page says it again"
    assert len(pushing.service.shown) == 1, "one test"
    here = pushing.here
    here.sees()
    here.engine.take_work(here.now)
    pushing.courier.deliver(here.now)
    shown = pushing.service.shown[-1]
    alert = here.engine.list_alerts()[0].alert
    assert (shown["url"], shown["tag"], shown["urgent"]) == (f"/field/{alert.alert_id}", alert.alert_id, True)
    assert "派" in shown["title"] or "前往" in shown["title"]
    headers = pushing.service.headers[-1]
    assert (headers["urgency"], headers["ttl"]) == ("high", "3600")


def test_a_browser_that_is_gone_is_forgotten_and_the_fallback_hears_of_it(
    pushing: Pushing, client: TestClient, receiver: Receiver
) -> None:
    """410 means for ever; the next dispatch fails at once, so that another channel takes it over."""
    officer = login(client, "li.wei")
    client.post(API, json=pushing.browser(receiver), headers=officer)
    pushing.service.answers = [410]
    here = pushing.here
    here.sees()
    here.engine.take_work(here.now)
    pushing.courier.deliver(here.now)
    assert Subscriptions(here.pool).of("li.wei") == ()
    with here.pool.connection() as conn:
        (row,) = conn.execute("SELECT last_error FROM outgoing WHERE channel = 'push'").fetchall()
    assert "My dispatches" in row["last_error"]


def test_a_new_browser_whose_service_refuses_is_not_kept(
    pushing: Pushing, client: TestClient, receiver: Receiver
) -> None:
    """The officer learns it now and not by a dispatch that never came."""
    officer = login(client, "li.wei")
    pushing.service.answers = [403]
    answer = client.post(API, json=pushing.browser(receiver), headers=officer)
    assert (answer.status_code, "403" in answer.json()["detail"]) == (422, True)
    assert Subscriptions(pushing.here.pool).of("li.wei") == ()


def test_nobody_makes_the_centre_post_into_its_own_network(postgres_dsn: str, tmp_path: Path) -> None:
    """An endpoint is whatever a browser's owner says it is."""
    with town(postgres_dsn, tmp_path) as here:
        pushing = Pushing(here, networks=())
        with TestClient(here.app(push=pushing.push)) as client, Receiver(pushing.service) as receiver:
            officer = login(client, "li.wei")
            assert client.post(API, json=pushing.browser(receiver), headers=officer).status_code == 422
            for endpoint in (
                "file:///etc/passwd",
                "https://a b",
                "https://" + "a" * 2000,
                "javascript:alert(1)",
            ):
                wrong = {**pushing.browser(receiver), "endpoint": endpoint}
                assert client.post(API, json=wrong, headers=officer).status_code == 422, endpoint
            assert receiver.got == []


def test_who_may_and_whose_it_is(pushing: Pushing, client: TestClient, receiver: Receiver) -> None:
    """A shared phone notifies who logged in last; nobody turns off another's; the log names no address."""
    browser = pushing.browser(receiver)
    for user in ("auditor", "holder", "admin"):
        assert client.post(API, json=browser, headers=login(client, user)).status_code == 403
    assert client.post(API, json=browser).status_code == 401
    first, second = login(client, "li.wei"), login(client, "chen.jie")
    client.post(API, json=browser, headers=first)
    client.post(API, json=browser, headers=second)
    assert [len(Subscriptions(pushing.here.pool).of(user)) for user in ("li.wei", "chen.jie")] == [0, 1]
    gone = {"endpoint": browser["endpoint"]}
    assert client.request("DELETE", API, json=gone, headers=first).json() == {"gone": False}
    assert client.request("DELETE", API, json=gone, headers=second).json() == {"gone": True}
    with pushing.here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT convert_from(body, 'UTF8') AS body FROM audit_entry WHERE kind LIKE 'push.%%'"
        )
        entries = [row["body"] for row in rows]
    assert [kind for entry in entries for kind in [json.loads(entry)["kind"]]] == [
        "push.subscribed", "push.taken_over", "push.subscribed", "push.unsubscribed",
    ]  # fmt: skip
    assert not any("/send/" in entry for entry in entries)


def test_the_oldest_browser_goes(pushing: Pushing, client: TestClient, receiver: Receiver) -> None:
    """Nobody makes a dispatch a hundred posts; a browser that fails its test takes no other's place."""
    officer = login(client, "li.wei")
    for n in range(MOST_BROWSERS + 1):
        pushing.here.now += timedelta(seconds=1)
        assert client.post(API, json=pushing.browser(receiver, n), headers=officer).status_code == 201
    browsers = Subscriptions(pushing.here.pool)
    kept = [one.endpoint for one in browsers.of("li.wei")]
    assert (len(kept), kept[-1].endswith("/send/1")) == (MOST_BROWSERS, True)
    pushing.service.answers = [500]
    assert client.post(API, json=pushing.browser(receiver, 99), headers=officer).status_code == 422
    assert [one.endpoint for one in browsers.of("li.wei")] == kept


def test_one_persons_push_service_silences_nobody_else(
    pushing: Pushing, client: TestClient, receiver: Receiver
) -> None:
    """429 for an hour, or a service that is down, is that browser's: other officers' phones go on."""
    client.post(API, json=pushing.browser(receiver), headers=login(client, "li.wei"))
    here, push = pushing.here, pushing.desk.sends["push"]
    for answer in (429, *[503] * 8):
        pushing.service.answers = [answer]
        with pytest.raises(ChannelError):
            push("li.wei", b'{"idempotency_key": "k", "what": "dispatch"}', False)
    assert "push" not in pushing.desk.held(here.now)
    push("li.wei", b'{"idempotency_key": "k", "what": "dispatch"}', False)
    assert pushing.service.shown[-1]["key"] == "k"


def test_all_browsers_of_a_person_take_no_longer_than_one(pushing: Pushing, client: TestClient) -> None:
    """Three services that hang would otherwise hold the message until it counts as failed, though the phone has it."""

    def slow(got: Got) -> Reply:
        time.sleep(1.0)
        return pushing.service(got)

    officer = login(client, "li.wei")
    with Receiver(slow) as receiver:
        for n in range(4):
            client.post(API, json=pushing.browser(receiver, n), headers=officer)
        began_s = time.monotonic()
        pushing.desk.sends["push"]("li.wei", b'{"idempotency_key": "k", "what": "dispatch"}', False)
        assert time.monotonic() - began_s < 3.0

"""Web Push from the officer's browser to the notification, against a real database and a FAKE push service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from alerts.channels.building import deliveries
from alerts.channels.desk import Desk
from alerts.channels.states import PostgresChannelStates
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from alerts.webpush.invitation import Push, push_of
from alerts.webpush.sealing import new_key_pem
from alerts.webpush.subscriptions import MOST_BROWSERS, Subscription, Subscriptions
from hcawatch.config.channel_secrets import ChannelSecret
from monitor.domain.assets import Channel
from tests.doubles.push_service import FakePushService
from tests.doubles.receivers import LOOPBACK, Receiver
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
        desk = Desk(city, kinds, PostgresChannelStates(here.pool), lambda: here.now)
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
    assert len(entries) == 2
    assert not any("/send/" in entry for entry in entries)


def test_the_oldest_browser_goes(pushing: Pushing) -> None:
    """Nobody makes a dispatch a hundred posts."""
    browsers = Subscriptions(pushing.here.pool)
    for n in range(MOST_BROWSERS + 2):
        keys = pushing.service.keys
        browsers.add("li.wei", Subscription(endpoint=f"https://p.example/{n}", **keys), pushing.here.now)
    assert len(browsers.of("li.wei")) == MOST_BROWSERS

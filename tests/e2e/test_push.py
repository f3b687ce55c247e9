"""Notifications in a real browser: turned on from the officer's page, shown while no page of ours is open, and opened.

Headless Chromium has no push service: subscribing is answered by a stand-in, and the message is handed to the real
service worker by the debugger, as a push service's would be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from monitor.web.texts import Texts
from tests.doubles.receivers import Receiver
from tests.doubles.web_town import Town, town
from tests.e2e.test_console import CHROMIUM, Server, browser, complaints, eventually, fits, log_in, watched
from tests.integration.test_webpush import Pushing

__all__ = ["browser", "complaints"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]

_STAND_IN = """
(() => {
  const given = %s;
  let kept = null;
  const made = { endpoint: given.endpoint, toJSON: () => given, unsubscribe: async () => { kept = null; return true; } };
  PushManager.prototype.subscribe = async function (asked) { window.askedWith = asked.applicationServerKey; kept = made; return made; };
  PushManager.prototype.getSubscription = async () => kept;
})();
"""


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        yield one


def test_notifications_are_turned_on_shown_and_opened(
    here: Town, browser: Browser, complaints: list[str]
) -> None:
    """A test comes at once; a dispatch shows its level and place, and a tap opens it."""
    pushing = Pushing(here)
    server = Server(here)
    server.start(push=pushing.push)
    base, t = f"http://127.0.0.1:{server.port}", Texts("zh")
    try:
        with (
            Receiver(pushing.service) as receiver,
            browser.new_context(
                base_url=base,
                viewport={"width": 390, "height": 844},
                locale="zh-CN",
                permissions=["notifications"],
            ) as context,
        ):
            context.add_init_script(_STAND_IN % json.dumps(pushing.browser(receiver)))
            page = watched(context, complaints)
            log_in(page, "li.wei")
            page.goto("/field")
            button = page.locator("#push-button")
            expect(button).to_have_text(t("js.push_on"))
            button.click()
            expect(page.locator("#push-said")).to_have_text(t("js.push_is_on"))
            expect(button).to_have_text(t("js.push_off"))
            assert page.evaluate("window.askedWith") == pushing.push.public
            assert [shown["language"] for shown in pushing.service.shown] == ["zh"]
            assert fits(page)
            if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
                page.screenshot(path=Path(folder) / "push-390-zh.png", full_page=True)
            here.sees()
            here.engine.take_work(here.now)
            pushing.courier.deliver(here.now)
            message = pushing.service.shown[-1]
            session = context.new_cdp_session(page)
            registrations: list[str] = []
            session.on(
                "ServiceWorker.workerRegistrationUpdated",
                lambda told: registrations.extend(r["registrationId"] for r in told["registrations"]),
            )
            session.send("ServiceWorker.enable")
            page.wait_for_function("navigator.serviceWorker.controller !== undefined")
            page.wait_for_timeout(200)
            session.send(
                "ServiceWorker.deliverPushMessage",
                {"origin": base, "registrationId": registrations[-1], "data": json.dumps(message)},
            )
            shown = eventually(
                page,
                "async () => { const [n] = await (await navigator.serviceWorker.ready).getNotifications();"
                " return n ? { title: n.title, body: n.body, url: n.data.url } : null; }",
            )
            assert shown == {"title": message["title"], "body": message["body"], "url": message["url"]}
            button.click()
            expect(button).to_have_text(t("js.push_on"))
            assert pushing.push.browsers.of("li.wei") == ()
    finally:
        server.stop()
    assert not complaints

"""The officer's pages on a link that is gone, in a real browser with its real service worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.doubles.web_town import Town, town
from tests.e2e.test_console import CHROMIUM, Server, browser, eventually, log_in

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]
_KEPT = (
    "async () => (await (await caches.open('hcawatch-field')).keys()).map((one) => new URL(one.url).pathname)"
)


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        yield one


def test_a_dispatch_stays_readable_without_a_link(here: Town, browser: Browser) -> None:
    """Behind the last mast the officer opens the page again: it is there, says that it is old, and catches up later."""
    here.sees()
    here.engine.take_work(here.now)
    alert = here.engine.list_alerts()[0].alert
    server = Server(here)
    server.start()
    try:
        with browser.new_context(
            base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 390, "height": 844}, locale="en-GB"
        ) as context:
            page = context.new_page()
            page.set_default_timeout(15_000)
            log_in(page, "li.wei")
            page.goto("/field")
            page.evaluate("navigator.serviceWorker.ready")
            page.goto(f"/field/{alert.alert_id}")
            eventually(page, f"() => ({_KEPT})().then((paths) => paths.includes('/static/live.js'))")
            page.reload()
            eventually(page, f"() => ({_KEPT})().then((paths) => paths.includes('/field/{alert.alert_id}'))")
            server.stop()
            page.reload()
            expect(page.locator("#field-alert")).to_be_visible()
            expect(page.locator("#lost")).to_be_visible()
            expect(page.locator("#lost")).to_contain_text("may be old")
            if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
                page.screenshot(path=Path(folder) / "offline-390-en.png")
            server.start()
            expect(page.locator("#lost")).to_be_hidden()
            page.goto("/field")
            page.locator("form[action='/logout'] button").click()
            page.wait_for_url("**/login**")
            eventually(
                page, f"() => ({_KEPT})().then((paths) => !paths.some((path) => path.startsWith('/field')))"
            )
    finally:
        server.stop()


def test_the_next_person_on_the_phone_sees_nothing_of_the_one_before(here: Town, browser: Browser) -> None:
    """A session that ended by itself, without 'Log out': what was kept goes with it."""
    here.sees()
    here.engine.take_work(here.now)
    path = f"/field/{here.engine.list_alerts()[0].alert.alert_id}"
    server = Server(here)
    server.start()
    try:
        with browser.new_context(base_url=f"http://127.0.0.1:{server.port}", locale="en-GB") as context:
            page = context.new_page()
            log_in(page, "li.wei")
            page.goto("/field")
            page.evaluate("navigator.serviceWorker.ready")
            page.goto(path)
            eventually(page, f"() => ({_KEPT})().then((paths) => paths.includes('{path}'))")
            context.clear_cookies()
            page.goto(path)
            page.wait_for_url("**/login**")
            eventually(page, f"() => ({_KEPT})().then((paths) => !paths.includes('{path}'))")
    finally:
        server.stop()


def test_what_was_pressed_without_a_link_goes_out_from_the_list(here: Town, browser: Browser) -> None:
    """Accepted behind the last mast, then back to the list: it says what waits, and sends it when the link is back."""
    here.sees()
    here.engine.take_work(here.now)
    alert = here.engine.list_alerts()[0].alert
    path = f"/field/{alert.alert_id}"
    server = Server(here)
    server.start()
    try:
        with browser.new_context(
            base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 390, "height": 844}, locale="en-GB"
        ) as context:
            page = context.new_page()
            page.set_default_timeout(15_000)
            log_in(page, "li.wei")
            page.goto("/field")
            page.evaluate("navigator.serviceWorker.ready")
            page.reload()
            eventually(page, f"() => ({_KEPT})().then((paths) => paths.includes('/static/outbox.js'))")
            page.goto(path)
            context.set_offline(True)
            # two looks for news at once, as a step and its echo ask for: neither may end as an unhandled error
            page.evaluate(
                "import('/static/live.js').then((live) => Promise.all([live.refresh(), live.refresh()]))"
            )
            page.locator("#step-accept").click()
            expect(page.locator("#outbox")).to_contain_text("1 not sent yet")
            page.goto("/field")
            expect(page.locator("#outbox")).to_contain_text("1 not sent yet")
            context.set_offline(False)
            expect(page.locator("#outbox")).to_be_hidden()
            assert here.engine.view(alert.alert_id).alert.state == "accepted"
    finally:
        server.stop()

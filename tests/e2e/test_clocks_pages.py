"""Clocks and escalations in a real browser: who was told, what comes next, and the officer's own deadline."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from alerts.lifecycle import Step
from tests.doubles.web_town import PASSWORD, Town, town
from tests.e2e.test_console import CHROMIUM, Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC) - timedelta(minutes=12)) as one:
        yield one


@pytest.fixture
def base(here: Town) -> Iterator[str]:
    server = Server(here)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield one
        one.close()


def page_of(browser: Browser, base: str, user: str, width: int, locale: str) -> Page:
    page = browser.new_context(viewport={"width": width, "height": 900}, locale=locale).new_page()
    page.goto(f"{base}/login")
    page.locator("input[name=user]").fill(user)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form button[type=submit], form button").last.click()
    page.wait_for_url(lambda url: "login" not in url)
    return page


def test_the_room_sees_who_was_told_and_the_officer_sees_the_deadline(
    here: Town, base: str, browser: Browser, tmp_path: Path
) -> None:
    """Nobody looked for twelve minutes: the page says whom the chain rang, whom it rings next, and both clocks."""
    here.sees("old-town")
    began = here.now
    alert_id = here.newest().alert.alert_id
    for minutes in (5, 7, 9, 10.1):
        here.engine.run_due(began + timedelta(minutes=minutes))
    for locale, width, says in (("en-US", 1440, "Who was told"), ("zh-CN", 390, "已通知人员")):
        page = page_of(browser, base, "operator", width, locale)
        page.goto(f"{base}/alerts/{alert_id}")
        expect(page.get_by_text(says)).to_be_visible()
        expect(page.locator(".told li").first).to_be_visible()
        expect(page.locator(".told-next").first).to_be_visible()
        expect(page.locator(".clock-overdue").first).to_be_visible()
        page.screenshot(path=tmp_path / f"alert-{width}.png", full_page=True)
        page.goto(base)
        expect(page.locator(f"#alert-{alert_id} .tag-bad")).to_be_visible()
        page.screenshot(path=tmp_path / f"console-{width}.png")
    here.now = began + timedelta(minutes=12)
    here.step(alert_id, Step.ACCEPT, "li.wei")
    phone = page_of(browser, base, "li.wei", 390, "zh-CN")
    phone.goto(f"{base}/field/{alert_id}")
    expect(phone.get_by_text("到场时限")).to_be_visible()
    phone.screenshot(path=tmp_path / "field-390.png")

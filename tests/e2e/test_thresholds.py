"""Thresholds in a real browser: a supervisor sets a number, sees it refused, then taken by the edge, and takes it back;
in both languages, on a wall screen and on a phone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.web.texts import Texts
from tests.doubles.feedback_town import FeedbackTown, feedback_town
from tests.e2e.test_console import CHROMIUM, Server, browser, complaints, fits, log_in, watched
from tests.integration.test_thresholds import says

__all__ = ["browser", "complaints"]  # fixtures
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]
expect.set_options(timeout=30_000)  # the server works beside other tests
URL = "/cameras/old-town/thresholds"


@pytest.fixture
def place(postgres_dsn: str, tmp_path: Path) -> Iterator[FeedbackTown]:
    with feedback_town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def base(place: FeedbackTown) -> Iterator[str]:
    server = Server(place)  # type: ignore[arg-type]  # it only asks for an app
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def _shot(page: Page, name: str) -> None:
    """For whoever wants to look: HCAWATCH_TEST_SHOTS names a folder."""
    if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _opened(browser: Browser, base: str, width: int, language: str, said: list[str]) -> Iterator[Page]:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with browser.new_context(
        base_url=base, viewport={"width": width, "height": 900}, locale=locale
    ) as context:
        yield watched(context, said)


def _cell(page: Page, name: str) -> str:
    return f'[id="{name}"]'


def test_a_number_is_set_taken_by_the_edge_and_taken_back(
    place: FeedbackTown, base: str, browser: Browser, complaints: list[str]
) -> None:
    """Nothing but typing and clicks; the edge's answer appears by itself."""
    t = Texts("en")
    for page in _opened(browser, base, 1440, "en", complaints):
        log_in(page, "supervisor")
        page.goto("/")
        page.locator(".camera-thresholds").first.click()
        expect(page).to_have_url(f"{base}{URL}")
        page.locator(_cell(page, "all.day.enter_score")).fill("0.8")
        page.locator(_cell(page, "all.night.dwell_s")).fill("8")
        page.locator("#reason").fill("headlights on the bridge")
        page.locator("#set").click()
        expect(page.locator("#problem")).to_contain_text("would silence")
        expect(page.locator(_cell(page, "all.night.dwell_s"))).to_have_value("8")
        page.locator(_cell(page, "all.day.enter_score")).fill("0.6")
        page.locator(".classes summary").click()
        page.locator(_cell(page, "loader.day.enter_score")).fill("0.65")
        page.locator("#set").click()
        expect(page.locator(".change")).to_contain_text("0.65")
        expect(page.locator("#edge-text")).to_have_text(t("threshold_answer.unheard", wanted=2))
        says(place, 2, number=2, taken=True)
        expect(page.locator("#edge-text")).to_have_text(t("threshold_answer.taken", wanted=2))
        _shot(page, "thresholds-1440-en")
        assert fits(page)
    complaints[:] = [said for said in complaints if "422" not in said]  # the refusal
    for language, width in (("zh", 390), ("en", 390), ("zh", 1440)):
        for page in _opened(browser, base, width, language, complaints):
            log_in(page, "supervisor")
            page.goto(f"{URL}?rule=works-50m")
            assert fits(page)
            page.goto(URL)
            _shot(page, f"thresholds-{width}-{language}")
            assert fits(page)
            if (language, width) == ("zh", 1440):
                page.locator(".take-back input[name=reason]").fill("漏报一次")
                page.locator(".take-back button").click()
                expect(page.locator(".change.is-back")).to_contain_text("漏报一次")
                _shot(page, "thresholds-back-1440-zh")
    assert place.told().cameras[0].rules == ()
    assert complaints == []

"""Calm in a real browser: a camera is shelved, a flood is grouped, the figures fit; both languages, wall and phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.web.texts import Texts
from tests.doubles.web_town import Town
from tests.e2e.test_console import CHROMIUM, base, browser, complaints, fits, here, log_in, server, watched
from tests.e2e.test_permits import _shot as shot

__all__ = ["base", "browser", "complaints", "here", "server"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]
WORKS: dict[str, Any] = {"violation": "works_50m", "rule_id": "works-50m", "object_class": "crane", "chainage_m": None,
                         "position": None, "offset_m": None, "no_fix": "not_calibrated",
                         "activity": "passing", "dwell_s": 1.0}  # fmt: skip


def _page(browser: Browser, base: str, width: int, language: str, said: list[str]) -> Iterator[Page]:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with browser.new_context(
        base_url=base, viewport={"width": width, "height": 844}, locale=locale
    ) as context:
        yield watched(context, said)


def _one_marker_for_all(page: Page, here: Town) -> None:
    """Twelve alerts at one camera do not hide behind the last of them; a thirteenth leaves the list open."""
    page.locator(".marker-alert", has_text="II × 12").click()
    expect(page.locator(".map-list a")).to_have_count(12)
    page.locator(".map-list a").nth(3).focus()
    chosen = page.evaluate("document.activeElement.getAttribute('href')")
    here.sees("school", zone_id="z13", **WORKS)
    expect(page.locator(".marker-alert", has_text="II × 13")).to_be_visible()
    expect(page.locator(".map-list li")).to_have_count(13)
    assert page.evaluate("document.activeElement.getAttribute('href')") == chosen
    shot(page, "flood-map-1440-en")
    page.locator(".leaflet-popup-close-button").click()
    expect(page.locator(".map-list a")).to_have_count(0)


def test_a_flood_with_a_shelf(here: Town, base: str, browser: Browser, complaints: list[str]) -> None:
    """Shelved by clicks with the reason beside it; what it holds is one click away; a flood is grouped and whole."""
    for page in _page(browser, base, 1440, "en", complaints):
        log_in(page, "supervisor")
        page.goto("/shelves?camera=village")
        page.select_option("#worst", "II")
        page.select_option("#reason", "nuisance")
        page.fill("#note", "a flag in the wind")
        page.get_by_role("button", name=Texts("en")("calm.shelve")).click()
        expect(page.locator(".shelf")).to_contain_text(["a flag in the wind"])
    here.now = datetime.now(UTC)  # the page's clock, which went on
    here.sees("village", zone_id="held", **WORKS)
    assert here.newest().alert.held_by == "shelf"
    here.now -= timedelta(seconds=65)
    for n in range(12):
        here.now += timedelta(seconds=5)
        here.sees("school", zone_id=f"z{n}", **WORKS)
    for width, language in ((390, "zh"), (1440, "en")):
        t = Texts(language)
        for page in _page(browser, base, width, language, complaints):
            log_in(page, "supervisor")
            page.goto("/")
            expect(page.locator(".flood")).to_be_visible()
            shot(page, f"flood-{width}-{language}")
            if width > 1000:
                _one_marker_for_all(page, here)
            page.locator(".alert-group summary").first.click()
            expect(page.locator(".alert-group .alert-row").first).to_be_visible()
            page.locator("#held-list summary").click()
            shot(page, f"flood-open-{width}-{language}")
            assert fits(page)
            page.locator("#held-list .alert-row").first.click()
            expect(page.locator(".held")).to_contain_text(t("calm.held_shelf"))
            shot(page, f"held-alert-{width}-{language}")
            assert fits(page)
            for path in ("/shelves", "/figures", "/figures/month"):
                page.goto(path)
                expect(page.locator("h1")).to_be_visible()
                shot(page, f"{path[1:].replace('/', '-')}-{width}-{language}")
                assert fits(page), path
    assert complaints == []

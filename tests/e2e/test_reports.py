"""A report in a real browser: the room clicks on the map, an officer stands there with a phone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.domain.assets import LonLat
from monitor.domain.geometry import Centreline
from monitor.web.texts import Texts
from tests.doubles.web_town import CITY, LINE_A, Town
from tests.e2e.test_console import CHROMIUM, base, browser, complaints, fits, here, log_in, server, watched

__all__ = ["base", "browser", "complaints", "here", "server"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]


def _shot(page: Page, name: str) -> None:
    """For whoever wants to look: HCAWATCH_TEST_SHOTS names a folder."""
    if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _beside(chainage_m: float, offset_m: float) -> LonLat:
    return Centreline.of(LINE_A).beside(chainage_m, offset_m)


@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (390, "zh")])
def test_the_room_reports_what_a_caller_says(
    here: Town, base: str, browser: Browser, complaints: list[str], width: int, language: str
) -> None:
    """From the console's button: a slip is told and nothing that was typed is gone; a click gives the place."""
    t = Texts(language)
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with browser.new_context(
        base_url=base, viewport={"width": width, "height": 900}, locale=locale
    ) as context:
        page = watched(context, complaints)
        log_in(page, "operator")
        page.get_by_role("link", name=t("reports.new")).click()
        page.select_option("#violation", "excavation_5m")
        page.fill("#said", "An excavator digs at the bridge\nsince seven o'clock")
        page.select_option("#activity", "working")
        page.select_option("#machine", "excavator")
        page.fill("#machines", "0")
        page.fill("#caller_name", "Wang Li")
        page.fill("#caller_phone", "138 0000 0000")
        expect(page.locator("#report-map[data-ready]")).to_be_visible()
        _shot(page, f"report-form-{width}-{language}")
        assert fits(page)
        page.locator("#report-map").scroll_into_view_if_needed()
        box = page.locator("#report-map").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator(".report-pin")).to_be_visible()
        assert page.input_value("#lon").startswith("121.")
        # the middle of the whole city is nowhere near a pipe: the officer of the story knows it better
        lon, lat = _beside(5000, 3)
        page.fill("#lon", f"{lon:.6f}")
        page.fill("#lat", f"{lat:.6f}")
        page.get_by_role("button", name=t("report_form.send")).click()
        expect(page.locator("#machines-says.field-fault")).to_be_visible()
        expect(page.locator("#said")).to_have_value("An excavator digs at the bridge\nsince seven o'clock")
        _shot(page, f"report-fault-{width}-{language}")
        assert fits(page)
        page.fill("#machines", "1")
        page.get_by_role("button", name=t("report_form.send")).click()
        expect(page.locator(".alert-head .tag-source")).to_have_text(t("source.report"))
        expect(page.locator(".reports-card")).to_contain_text("since seven o'clock")
        expect(page.locator("#alert .state-dispatched").first).to_be_visible()
        _shot(page, f"report-alert-{width}-{language}")
        assert fits(page)
        page.get_by_role("link", name=t("reports.caller")).click()
        expect(page.locator("main")).to_contain_text("Wang Li")
        _shot(page, f"report-caller-{width}-{language}")
        assert fits(page)
        page.goto("/reports")
        expect(page.locator(".report-row")).to_contain_text(t("state.dispatched").capitalize())
        _shot(page, f"report-list-{width}-{language}")
        assert fits(page)
        page.goto("/")
        expect(page.locator("#alert-list .tag-source")).to_have_text(t("source.report"))
        _shot(page, f"report-console-{width}-{language}")
    # the one refusal is the form's
    assert [one for one in complaints if "422" not in one] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_officer_reports_from_where_they_stand(
    here: Town, base: str, browser: Browser, complaints: list[str], language: str
) -> None:
    """The phone gives the place; what an officer saw is confirmed and sent; the page says under which number."""
    t = Texts(language)
    lon, lat = _beside(5600, -12)
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with browser.new_context(
        base_url=base, viewport={"width": 390, "height": 844}, locale=locale, permissions=["geolocation"],
        geolocation={"longitude": lon, "latitude": lat, "accuracy": 8},
    ) as context:  # fmt: skip
        page = watched(context, complaints)
        log_in(page, "li.wei")
        page.get_by_role("link", name=t("field.report")).click()
        page.select_option("#violation", "building_5m")
        page.fill("#said", "A pigsty is being built over the pipe")
        page.get_by_role("button", name=t("report_form.here")).click()
        expect(page.locator("#lat")).to_have_value(f"{lat:.6f}")
        _shot(page, f"report-field-{language}")
        assert fits(page)
        page.get_by_role("button", name=t("report_form.send")).click()
        expect(page.locator(".field-reported")).to_be_visible()
        expect(page.locator(".field-row .tag-source")).to_have_text(t("source.report"))
        _shot(page, f"report-field-list-{language}")
        page.locator(".field-row").click()
        expect(page.locator("#field-alert")).to_contain_text("A pigsty is being built")
        _shot(page, f"report-field-alert-{language}")
        assert fits(page)
    alert = here.newest().alert
    assert (alert.confirmation, alert.site_id) == ("confirmed", CITY.hcas[0].site_id)
    assert complaints == []

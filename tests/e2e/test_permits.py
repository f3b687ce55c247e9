"""A permit in a real browser: the company asks, the supervisor approves, the company asks for more time; in both
languages, on a wall screen and on a phone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.web.texts import Texts
from tests.doubles.web_town import Town
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


def _opened(browser: Browser, base: str, width: int, language: str, said: list[str]) -> Iterator[Page]:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with browser.new_context(
        base_url=base, viewport={"width": width, "height": 844}, locale=locale
    ) as context:
        yield watched(context, said)


def test_a_permit_from_the_request_to_its_prolongation(
    here: Town, base: str, browser: Browser, complaints: list[str]
) -> None:
    """Nothing but clicks; what is wrong stands beside its field; each sees what is his to see."""
    for width, language, km in ((390, "en", 4), (1440, "zh", 5)):
        number = f"P-{width}"
        t = Texts(language)
        day = here.now.astimezone(t.zone)
        for page in _opened(browser, base, width, language, complaints):
            log_in(page, "holder")
            expect(page).to_have_url(f"{base}/permits")
            page.get_by_role("link", name=t("permits.request")).click()
            page.fill("#number", number)
            page.fill("#company", "Example Roads Ltd")
            page.fill("#from", f"K{km}+500")
            page.fill("#to", f"K{km}+100")
            page.fill("#valid_from", day.strftime("%Y-%m-%dT00:00"))
            page.fill("#valid_to", (day + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M"))
            page.check("input[value=works_50m]")
            page.fill("#machines", "excavator:1")
            page.fill("#hours", "mon-sun 00:00-24:00")
            _shot(page, f"form-{width}-{language}")
            page.get_by_role("button", name=t("permit_form.send")).click()
            expect(page.locator(".field-fault")).to_have_count(1)
            _shot(page, f"form-fault-{width}-{language}")
            assert fits(page)
            page.fill("#to", f"K{km}+800")
            page.get_by_role("button", name=t("permit_form.send")).click()
            expect(page.locator(".permit-state-requested")).to_be_visible()
        for page in _opened(browser, base, width, language, complaints):
            log_in(page, "supervisor")
            page.goto("/permits?view=asked")
            page.get_by_role("link", name=number).click()
            _shot(page, f"asked-{width}-{language}")
            page.get_by_role("button", name=t("permit_do.approve"), exact=True).click()
            expect(page.locator(".permit-state-approved")).to_be_visible()
            assert fits(page)
        here.sees(
            chainage_m=km * 1000 + 600,
            offset_m=20,
            violation="works_50m",
            rule_id="works-50m",
            object_class="crane",
        )
        for page in _opened(browser, base, width, language, complaints):
            log_in(page, "holder")
            page.get_by_role("link", name=number).click()
            later = day + timedelta(days=40)
            page.fill("#until-ask_prolongation", later.strftime("%Y-%m-%dT18:00"))
            page.get_by_role("button", name=t("permit_do.ask_prolongation")).click()
            expect(page.locator(".alert-sub")).to_contain_text(later.strftime("%Y-%m-%d 18:00"))
            expect(page.locator(".tag-bad")).to_contain_text(t("risk.permit_outside_machine"))
            page.locator("#question-about").select_option(index=1)
            page.fill("#question-text", f"The crane was only parked ({number})")
            page.get_by_role("button", name=t("permit.send_question")).click()
            expect(page.locator(".permit-question")).to_contain_text(f"({number})")
            _shot(page, f"permit-{width}-{language}")
            assert fits(page)
            page.goto("/permits")
            expect(page.locator(".permit-row")).to_contain_text([number])
            _shot(page, f"list-{width}-{language}")
            assert fits(page)
        for page in _opened(browser, base, width, language, complaints):
            log_in(page, "supervisor")
            page.goto("/objections")
            task = page.locator(".notice-task").filter(has_text=f"({number})")
            task.locator("textarea").fill("A crane is not in the permit.")
            _shot(page, f"questions-{width}-{language}")
            assert fits(page)
            task.get_by_role("button", name=t("objections.reject")).click()
            expect(task.locator(".notice-answer")).to_be_visible()
    for page in _opened(browser, base, 1440, "en", complaints):
        log_in(page, "operator")
        page.goto("/permits?view=breached")
        _shot(page, "list-operator")
        page.goto(f"/alerts/{here.newest().alert.alert_id}")
        expect(page.locator(".reasons a")).to_contain_text(["P-"])
        _shot(page, "alert")
    # the one refusal is the form's
    assert [one for one in complaints if "422" not in one] == []

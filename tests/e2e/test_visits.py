"""A visit in a real browser: the checklist, a link that goes away and comes back, what else is at the site, and the
month's page; in both languages, on a wall screen and on a phone.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from alerts.lifecycle import Step
from alerts.visiting.desk import VisitDesk
from monitor.domain.events import sha256_hex
from monitor.web.texts import Texts
from tests.doubles.web_town import CITY, EDGE_TOKENS, Town, picture, snapshot
from tests.e2e.test_console import (
    CHROMIUM,
    base,
    browser,
    complaints,
    eventually,
    fits,
    here,
    log_in,
    server,
    watched,
)
from tests.integration.test_visits import MILD, PERMIT, WORKS

__all__ = ["base", "browser", "complaints", "here", "server"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]


def _shot(page: Page, name: str) -> None:
    """For whoever wants to look: HCAWATCH_TEST_SHOTS names a folder."""
    if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _opened(
    browser: Browser, base: str, width: int, language: str, said: list[str], **more: Any
) -> Iterator[Page]:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with browser.new_context(
        base_url=base, viewport={"width": width, "height": 844}, locale=locale, **more
    ) as context:
        yield watched(context, said)


def _permit(here: Town) -> None:
    from alerts.permitting.desk import PermitDesk
    from alerts.permitting.fields import read_permit
    from alerts.permitting.steps import Ask, PermitStep
    from tests.doubles.alert_story import SUPERVISOR

    day = here.now.astimezone(Texts("en", CITY.timezone).zone)
    dates = {
        "valid_from": f"{day - timedelta(days=9):%Y-%m-%d}",
        "valid_to": f"{day + timedelta(days=5):%Y-%m-%d}",
    }
    content, faults = read_permit({name: str(value) for name, value in {**PERMIT, **dates}.items()}, CITY)
    assert not faults
    PermitDesk(here.pool, CITY).create(
        Ask(step=PermitStep.REGISTER, actor=SUPERVISOR, content=content), here.now
    )


def test_a_visit_with_its_list_and_without_a_link(
    here: Town, base: str, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    """Accepted, left and arrived without a link, ticked without a link; back again all is there, in order, once."""
    _permit(here)
    here.sees(**MILD)
    waits = here.newest().alert.alert_id
    data = picture("excavator 0.91")
    here.sees(evidence=[snapshot(data)])
    red = here.newest().alert.alert_id
    desk = VisitDesk(here.pool, CITY, here.engine)
    desk.run_due(here.now)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture("pit"))
    where = {"geolocation": {"longitude": 121.4705, "latitude": 31.2093}, "permissions": ["geolocation"]}
    t = Texts("zh")
    for page in _opened(browser, base, 390, "zh", complaints, **where):
        page.request.put(
            f"/api/v1/evidence/{sha256_hex(data)}", data=data,
            headers={"authorization": f"Bearer {EDGE_TOKENS['e1']}", "content-type": "image/jpeg"},
        )  # fmt: skip
        log_in(page, "li.wei")
        page.goto(f"/field/{red}")
        expect(page.locator(".field-maps a")).to_have_count(4)
        expect(page.locator("#along")).to_contain_text("P-7")
        expect(page.locator("#check-later")).to_be_visible()
        _shot(page, "field-before-zh-390")
        assert fits(page)
        page.context.set_offline(True)
        for step in ("accept", "depart", "arrive"):
            page.locator(f"#step-{step}").click()
            expect(page.locator(f"#step-{step}")).to_be_hidden()
        place = page.locator('.check-line[data-item="place"]')
        place.locator(".check-do[data-answer=done]").click()
        expect(place).to_have_attribute("data-answer", "done")
        expect(page.locator("#outbox")).to_contain_text(t("js.outbox_waits", n=4))
        _shot(page, "field-offline-zh-390")
        assert here.engine.view(red).alert.state == "dispatched"
        page.context.set_offline(False)
        expect(page.locator("#outbox")).to_be_hidden()
        expect(page.locator(".field-head .state")).to_have_text(t("state.on_site"))
        moves = here.engine.view(red).transitions
        assert [move.step for move in moves] == ["open", "dispatch", "accept", "depart", "arrive"]
        (tick,) = desk.history(red)
        assert (tick.item, tick.lon) == ("place", 121.4705)

        distance = page.locator('.check-line[data-item="distance"]')
        distance.locator(".check-do[data-answer=done]").click()
        expect(page.locator("#step-problem")).to_have_text(t("js.check_metres"))
        distance.locator(".check-metres").fill("2.4")
        distance.locator(".check-do[data-answer=done]").click()
        expect(distance).to_have_attribute("data-answer", "done")
        pit = page.locator('.check-line[data-item="pit"]')
        pit.locator(".check-do[data-answer=not_possible]").click()
        pit.locator(".check-why").fill("坑内积水")
        pit.locator(".check-do[data-answer=not_possible]").click()
        expect(pit).to_contain_text("坑内积水")
        desk._next_look = None
        desk.run_due(here.now)
        page.locator("#photo").set_input_files(photo)
        page.locator("#step-collect").click()
        expect(page.locator("#step-resolve")).to_be_visible()
        page.locator("#field-outcome").select_option("rectified")
        page.locator("#step-resolve").click()
        expect(page.locator("#step-problem")).to_contain_text("检查表未完成")
        _shot(page, "field-asked-zh-390")
        page.locator("#field-note").fill("天黑，明日复查")
        page.locator("#step-resolve").click()
        expect(page.locator(".field-done")).to_be_visible()

        page.goto(f"/field/{waits}")
        expect(page.locator(".field-along-note")).to_be_visible()
        _shot(page, "field-along-zh-390")
        page.locator("#step-begin").click()
        expect(page.locator("#photo-label")).to_be_visible()
        expect(page.locator("#outbox")).to_be_hidden()
        assert here.engine.view(waits).alert.state == "on_site"
        assert fits(page)

        # recalled while the phone had no link: what it says then is refused with its reason, and not tried again
        photo.write_bytes(picture("another pit"))
        page.locator("#photo").set_input_files(photo)
        expect(page.locator("#photo-count")).to_have_attribute("data-photos", sha256_hex(photo.read_bytes()))
        page.context.set_offline(True)
        first = page.locator(".check-line").first
        first.locator(".check-do[data-answer=done]").click()
        here.step(waits, Step.RECALL, "operator", note="enough")
        page.context.set_offline(False)
        expect(page.locator("#outbox")).to_contain_text(t("error.check_not_yours"))
        _shot(page, "field-refused-zh-390")
        page.locator("#outbox button").click()
        expect(page.locator("#outbox")).to_be_hidden()
    expected = (
        "net::ERR_INTERNET_DISCONNECTED",
        "net::ERR_FAILED",
        "status of 403",
        "status of 409",
        "refresh failed",
    )
    assert [one for one in complaints if not any(text in one for text in expected)] == []


def test_the_month_and_the_rooms_side(here: Town, base: str, browser: Browser, complaints: list[str]) -> None:
    """Lawful work left in peace, beside visits made: numbers, companies, reasons; and the list on the alert's page."""
    _permit(here)
    here.sees(**WORKS)
    here.sees()
    red = here.newest().alert.alert_id
    for step in (Step.ACCEPT, Step.DEPART, Step.ARRIVE):
        here.step(red, step, "li.wei")
    here.sees(episode_id="019a0000-0000-7000-8000-0000000000aa")
    for width, language in ((390, "en"), (1440, "en"), (390, "zh"), (1440, "zh")):
        t = Texts(language)
        for page in _opened(browser, base, width, language, complaints):
            log_in(page, "supervisor")
            page.goto("/visits")
            expect(page.locator(".bar-row")).to_have_count(6)
            expect(page.locator("#companies-title + .table-scroll")).to_contain_text("Example Roads Ltd")
            assert fits(page)
            _shot(page, f"visits-{language}-{width}")
            page.goto(f"/alerts/{red}")
            expect(page.locator("#checklist-title")).to_contain_text(t("check.title"))
            assert fits(page)
            _shot(page, f"alert-{language}-{width}")
    assert complaints == []


def test_a_notice_from_the_officer_to_the_supervisors_answer(
    here: Town, base: str, browser: Browser, complaints: list[str], tmp_path: Path
) -> None:
    """The officer makes a code, the company opens it without a login, looks at its pictures and objects with a document,
    the supervisor answers; the site's label and page."""
    data = picture("excavator 0.91")
    here.sees(evidence=[snapshot(data)])
    red = here.newest().alert.alert_id
    for step in (Step.ACCEPT, Step.DEPART, Step.ARRIVE):
        here.step(red, step, "li.wei")
    contract = tmp_path / "contract.pdf"
    drawn = Image.open(io.BytesIO(picture("contract")))
    drawn.save(contract, "PDF", save_all=True, append_images=[drawn])
    code = ""
    for page in _opened(browser, base, 390, "en", complaints):
        sent = page.request.put(
            f"/api/v1/evidence/{sha256_hex(data)}", data=data,
            headers={"authorization": f"Bearer {EDGE_TOKENS['e1']}", "content-type": "image/jpeg"},
        )  # fmt: skip
        assert sent.ok
        log_in(page, "li.wei")
        page.goto("/s/s1")
        expect(page.locator(".field-row")).to_have_count(1)
        _shot(page, "site-en-390")
        assert fits(page)
        page.locator(".field-row").click()
        page.locator("#notice-give summary").click()
        page.locator("#notice-company").fill("Example Roads Ltd")
        page.locator("#notice-said").fill("Fill the pit until Friday")
        page.locator("#notice-advice").check()
        page.locator("#notice-send").click()
        expect(page.locator("#notice-code .qr")).to_be_visible()
        code = page.locator("#notice-code .notice-code").inner_text()
        _shot(page, "field-notice-en-390")
        assert fits(page)
    for width, language in ((390, "zh"), (1440, "zh"), (390, "en"), (1440, "en")):
        t = Texts(language)
        for page in _opened(browser, base, width, language, complaints):
            page.goto("/notice")
            _shot(page, f"notice-code-{language}-{width}")
            page.locator("#code").fill(code.lower())
            page.get_by_role("button", name=t("notice.look")).click()
            expect(page.locator(".notice")).to_contain_text("Example Roads Ltd")
            shown = page.locator(".notice-pictures img")
            shown.scroll_into_view_if_needed()
            eventually(page, "() => document.querySelector('.notice-pictures img').naturalWidth > 100")
            page.locator("#objection").fill(f"We have a permit ({language} {width})")
            page.locator("#file").set_input_files(contract)
            page.get_by_role("button", name=t("notice.send_objection")).click()
            expect(page.locator(".notice-objection").last).to_contain_text(f"({language} {width})")
            _shot(page, f"notice-{language}-{width}")
            assert fits(page)
            log_in(page, "supervisor")
            page.goto("/objections")
            task = page.locator(".notice-task").filter(has_text=f"({language} {width})")
            task.locator("textarea").fill("The permit is for another place.")
            expect(task.locator("img")).to_have_count(2)
            task.locator("img").last.scroll_into_view_if_needed()
            _shot(page, f"objections-{language}-{width}")
            assert fits(page)
            task.get_by_role("button", name=t("objections.reject")).click()
            expect(
                page.locator(".notice-task").filter(has_text=f"({language} {width})").locator("textarea")
            ).to_have_count(0)
            page.goto("/sites/s1/label")
            expect(page.locator(".label-qr")).to_be_visible()
            _shot(page, f"label-{language}-{width}")
            assert fits(page)
    assert complaints == []

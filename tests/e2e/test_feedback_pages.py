"""Feedback in a real browser: an alert is dismissed with its cause, precision is read, a threshold is decided; in both
languages, on a wall screen and on a phone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.web.texts import Texts
from tests.doubles.feedback_town import FeedbackTown, feedback_town
from tests.e2e.test_console import CHROMIUM, Server, browser, complaints, fits, log_in, watched

__all__ = ["browser", "complaints"]  # fixtures
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]
expect.set_options(timeout=30_000)  # the server works beside other tests


@pytest.fixture
def place(postgres_dsn: str, tmp_path: Path) -> Iterator[FeedbackTown]:
    with feedback_town(postgres_dsn, tmp_path, datetime.now(UTC) - timedelta(hours=20)) as one:
        for score in (0.51, 0.52, 0.53):
            one.false_alarm(score, show=True)
        for score in (0.91, 0.92):
            one.false_alarm(score, "wrong_zone", show=True)
        for score in (0.85, 0.9):
            one.confirmed(score, show=True)
        one.desk.look(one.now)
        one.seen(0.95, show=True)
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
        # pictures load when they are scrolled to
        page.evaluate(
            "Promise.all([...document.images].map((img) => { img.loading = 'eager'; return img.decode(); }))"
        )
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _opened(browser: Browser, base: str, width: int, language: str, said: list[str]) -> Iterator[Page]:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    with browser.new_context(
        base_url=base, viewport={"width": width, "height": 900}, locale=locale
    ) as context:
        yield watched(context, said)


def test_from_a_dismissal_to_a_threshold(
    place: FeedbackTown, base: str, browser: Browser, complaints: list[str]
) -> None:
    """Nothing but clicks. No outcome is chosen for anybody, and a false alarm asks for its cause."""
    newest = place.here.newest().alert.alert_id
    for page in _opened(browser, base, 1440, "en", complaints):
        t = Texts("en")
        log_in(page, "supervisor")
        page.goto(f"/alerts/{newest}")
        page.locator("#step-dismiss").click()
        expect(page.locator("#step-outcome")).to_have_value("")
        expect(page.locator("#step-cause-field")).to_be_hidden()
        page.locator("#step-outcome").select_option("false_alarm")
        page.locator("#step-note").fill("A cow.")
        page.locator("#step-send").click()
        expect(page.locator("#step-dialog")).to_be_visible()  # the cause is asked for
        page.locator("#step-cause").select_option("animal")
        _shot(page, "dismiss-1440-en")
        page.locator("#step-send").click()
        expect(page.locator("#case-title + dl")).to_contain_text(t("cause.animal"))

        page.goto("/feedback")
        expect(page.locator(".feedback-row")).to_contain_text("25 % right (7 % to 59 %)")
        expect(page.locator(".next-step")).to_contain_text("zones")
        page.locator("details summary").click()
        _shot(page, "feedback-1440-en")
        assert fits(page)
        page.get_by_role("link", name=t("feedback.proposals_waiting", n=1)).click()
        _shot(page, "proposals-1440-en")
        page.locator(".proposal-row").click()
        expect(page.locator("h1")).to_contain_text("0.5 → 0.54")
        # whether it is for the night or the day alone depends on the hour at which the tests run
        facts = place.desk.proposal(1).facts
        assert (len(facts.avoided), len(facts.left), len(facts.kept) + facts.untouched) == (3, 2, 2)
        assert page.locator(".proposal-alerts img").count() == 5 + len(facts.kept)
        _shot(page, "proposal-1440-en")
        page.get_by_role("button", name=t("feedback.do_approve")).click()
        expect(page.locator(".alert-sub .proposal-approved")).to_be_visible()
    for page in _opened(browser, base, 390, "zh", complaints):
        t = Texts("zh")
        log_in(page, "supervisor")
        for url, name in (
            ("/feedback", "feedback"),
            ("/feedback/proposals", "proposals"),
            ("/feedback/proposals/1", "proposal"),
        ):
            page.goto(url)
            _shot(page, f"{name}-390-zh")
            assert fits(page), url
        page.locator("#note-revert").fill("漏报一次")
        page.get_by_role("button", name=t("feedback.do_revert")).click()
        expect(page.locator(".alert-sub .proposal-reverted")).to_be_visible()
        _shot(page, "proposal-reverted-390-zh")
    assert place.told().cameras[0].rules == ()
    assert complaints == []

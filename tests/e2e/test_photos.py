"""Photos and the conclusion without a link, in a real browser: kept over a closed browser, sent in their order once the
link is back, and what the centre does not take is said and given back.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from alerts.lifecycle import Step
from monitor.domain.assets import SiteCheck
from monitor.domain.events import sha256_hex
from monitor.web.texts import Texts
from tests.doubles.web_town import CITY, Town, picture, town
from tests.e2e.test_console import CHROMIUM, Server, browser, eventually, fits, log_in
from tests.e2e.test_offline import _KEPT

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]
PLACE = {"longitude": 121.4705, "latitude": 31.2093}
WITHIN_MS = 15_000


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        one.sees()
        one.engine.take_work(one.now)
        yield one


def noise(path: Path) -> bytes:
    """A photo of several pieces."""
    out = io.BytesIO()
    Image.effect_noise((1400, 900), 90).convert("RGB").save(out, "JPEG", quality=92)
    path.write_bytes(out.getvalue())
    assert len(out.getvalue()) > 600_000
    return out.getvalue()


def _shot(page: Page, name: str) -> None:
    if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@contextmanager
def phone(browser: Browser, folder: Path, server: Server, language: str = "en-GB") -> Iterator[Page]:
    """A phone's browser that can be closed and opened again: what it keeps is in the folder."""
    context: BrowserContext = browser.browser_type.launch_persistent_context(
        folder, executable_path=str(CHROMIUM), base_url=f"http://127.0.0.1:{server.port}", locale=language,
        viewport={"width": 390, "height": 844}, geolocation=PLACE, permissions=["geolocation"],
    )  # fmt: skip
    try:
        page = context.pages[0]
        page.set_default_timeout(WITHIN_MS)
        yield page
    finally:
        context.close()


def is_kept(page: Page, path: str) -> None:
    """The page with its scripts is on the phone: it opens without a link."""
    page.goto("/field")
    page.evaluate("navigator.serviceWorker.ready")
    page.goto(path)
    eventually(page, f"() => ({_KEPT})().then((paths) => paths.includes('/static/live.js'))")
    page.reload()
    for one in (path, "/static/sending.js", "/static/field_photos.js"):
        eventually(page, f"() => ({_KEPT})().then((paths) => paths.includes('{one}'))")


def test_a_whole_visit_without_a_link_survives_a_closed_browser(
    here: Town, browser: Browser, tmp_path: Path
) -> None:
    """From the acceptance to the conclusion, photos with it; the browser is closed; then all goes out, in order, once."""
    big, fake = tmp_path / "big.jpg", tmp_path / "fake.jpg"
    data, alert_id = noise(big), here.newest().alert.alert_id
    fake.write_bytes(b"no picture at all")
    path, server = f"/field/{alert_id}", Server(here)
    server.start()
    ranges: list[str] = []

    def breaks(route: Route) -> None:
        said = route.request.headers.get("content-range", "")
        if sha256_hex(data) in route.request.url:
            ranges.append(said)
        if said.startswith("bytes 262144-") and ranges.count(said) == 1:
            return route.abort()
        return route.continue_()

    try:
        with phone(browser, tmp_path / "phone", server) as page:
            log_in(page, "li.wei")
            is_kept(page, path)
            server.stop()
            page.reload()
            for step in ("accept", "depart", "arrive"):
                page.locator(f"#step-{step}").click()
                expect(page.locator(f"#step-{step}")).to_be_hidden(timeout=WITHIN_MS)
            expect(page.locator("#step-collect")).to_be_hidden()
            rows = page.locator(".photo-waits")
            for n, file in enumerate((big, fake), start=1):
                page.locator("#photo").set_input_files(file)
                expect(rows).to_have_count(n, timeout=WITHIN_MS)
            expect(rows.first).to_contain_text(sha256_hex(data)[:16])
            expect(rows.first).to_contain_text("31.20930, 121.47050")
            assert eventually(page, "() => document.querySelector('.photo-waits img')?.naturalWidth > 0")
            _shot(page, "photos-waiting-en-390")
            assert fits(page)
            page.locator("#step-collect").click()
            expect(page.locator("#step-resolve")).to_be_visible(timeout=WITHIN_MS)
            page.locator("#step-resolve").click()
            expect(page.locator("#step-problem")).to_contain_text("choose the outcome")
            page.locator("#field-outcome").select_option("no_access")
            page.locator("#field-note").fill("gate locked")
            page.locator("#step-resolve").click()
            expect(page.locator("#field-kept")).to_be_visible(timeout=WITHIN_MS)
        with phone(browser, tmp_path / "phone", server) as page:
            page.goto(path)
            expect(page.locator(".photo-waits")).to_have_count(2, timeout=WITHIN_MS)
            expect(page.locator("#field-kept")).to_be_visible()
            expect(page.locator("#outbox")).to_contain_text("7 not sent yet")
            _shot(page, "photos-kept-en-390")
            assert here.engine.view(alert_id).alert.state == "dispatched"
            page.context.route("**/photos/**", breaks)
            server.start()
            page.goto(path)
            # the piece that broke is tried again by itself
            expect(page.locator("#outbox")).to_contain_text("Only JPEG, PNG and WebP", timeout=60_000)
            expect(page.locator(".photo-waits")).to_have_count(0)
            eventually(page, "() => document.querySelector('.state-resolved') !== null")
            _shot(page, "photos-refused-en-390")
    finally:
        server.stop()
    view = here.engine.view(alert_id)
    assert [one.step for one in view.transitions][2:] == ["accept", "depart", "arrive", "collect", "resolve"]
    assert (view.transitions[-1].reason, "gate locked" in view.transitions[-1].note) == ("no_access", True)
    assert view.transitions[-2].attachments == (sha256_hex(data),)
    (item,) = view.evidence
    assert item.taken_at is not None
    assert (item.taken_at < item.announced_at, item.lon, item.lat) == (True, 121.4705, 31.2093)
    assert ranges.count("bytes 0-262143/" + str(len(data))) == 1, ranges


def test_what_the_centre_does_not_take_is_said_and_given_back(
    here: Town, browser: Browser, tmp_path: Path
) -> None:
    """Recalled meanwhile: reasons for photo and conclusion, the photo can be saved; nobody leaves without being told."""
    photo, t = tmp_path / "photo.jpg", Texts("zh")
    photo.write_bytes(picture("pit"))
    alert_id, server = here.newest().alert.alert_id, Server(here)
    for one in (Step.ACCEPT, Step.DEPART, Step.ARRIVE):
        here.step(alert_id, one, "li.wei")
    server.start()
    try:
        with phone(browser, tmp_path / "phone", server, "zh-CN") as page:
            log_in(page, "li.wei")
            page.goto(f"/field/{alert_id}")
            page.context.set_offline(True)
            # no room: said, not kept
            page.evaluate("navigator.storage.estimate = async () => ({quota: 1000, usage: 900})")
            page.locator("#photo").set_input_files(photo)
            expect(page.locator("#step-problem")).to_have_text(t("js.photo_no_room"))
            page.evaluate("navigator.storage.estimate = async () => ({quota: 1e9, usage: 0})")
            page.locator("#photo").set_input_files(photo)
            expect(page.locator(".photo-waits")).to_have_count(1)
            page.set_viewport_size({"width": 1440, "height": 900})
            _shot(page, "photos-waiting-zh-1440")
            assert fits(page)
            page.set_viewport_size({"width": 390, "height": 844})
            page.locator("#step-collect").click()
            page.locator("#field-outcome").select_option("false_alarm")
            page.locator("#field-cause").select_option("animal")
            page.locator("#field-note").fill("一群羊")
            page.locator("#step-resolve").click()
            expect(page.locator("#field-kept")).to_be_visible()
            page.locator("form[action='/logout'] button").click()
            expect(page.locator("#leave")).to_contain_text(t("js.leave_waits", n=3, photos=1))
            _shot(page, "photos-leave-zh-390")
            page.get_by_role("button", name=t("js.leave_stay")).click()
            here.step(alert_id, Step.RECALL, "operator", note="enough")
            page.context.set_offline(False)
            expect(page.locator("#outbox")).to_contain_text(t("error.no_running_dispatch"), timeout=WITHIN_MS)
            expect(page.locator("#outbox .problem")).to_have_count(2)
            _shot(page, "photos-recalled-zh-390")
            with page.expect_download() as got:
                page.locator("#outbox button").first.click()
            assert Path(got.value.path()).read_bytes() == photo.read_bytes()
            page.get_by_role("button", name=t("js.outbox_seen")).click()
            expect(page.locator("#outbox")).to_be_hidden()
            assert (
                page.evaluate("import('/static/pictures.js').then((p) => p.list()).then((l) => l.length)")
                == 0
            )
            page.locator("form[action='/logout'] button").click()
            page.wait_for_url("**/login**")
    finally:
        server.stop()
    assert here.engine.view(alert_id).alert.outcome is None


def test_a_conclusion_that_the_list_outgrew_is_given_back(
    here: Town, browser: Browser, tmp_path: Path
) -> None:
    """The site's list got an item while the phone had no link: it is named, outcome and note stand there to press again."""
    alert_id, server = here.newest().alert.alert_id, Server(here)
    for one in (Step.ACCEPT, Step.DEPART, Step.ARRIVE):
        here.step(alert_id, one, "li.wei")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture("pit"))
    server.start()
    try:
        with phone(browser, tmp_path / "phone", server) as page:
            log_in(page, "li.wei")
            page.goto(f"/field/{alert_id}")
            page.locator("#photo").set_input_files(photo)
            page.locator("#step-collect").click()
            expect(page.locator("#outbox")).to_be_hidden(timeout=WITHIN_MS)
            server.stop()
            page.locator("#field-outcome").select_option("rectified")
            page.locator("#step-resolve").click()
            expect(page.locator("#step-problem")).to_contain_text("Still open")
            page.locator("#field-note").fill("dark, tomorrow")
            page.locator("#step-resolve").click()
            expect(page.locator("#field-kept")).to_be_visible(timeout=WITHIN_MS)
            lid = SiteCheck(check_id="valve-lid", text={"en": "The lid is closed", "zh": "盖已关"})
            server.start(city=msgspec.structs.replace(CITY, site_checks={"s1": (lid,)}))
            expect(page.locator("#outbox")).to_contain_text("The lid is closed", timeout=60_000)
            expect(page.locator("#field-outcome")).to_have_value("rectified")
            expect(page.locator("#field-note")).to_have_value(re.compile("^dark, tomorrow"))
            expect(page.locator('.check-line[data-item="site.valve-lid"]')).to_be_visible(timeout=WITHIN_MS)
            _shot(page, "photos-list-grew-en-390")
            for _ in range(2):
                page.locator("#step-resolve").click()
                page.wait_for_timeout(300)
            eventually(page, "() => document.querySelector('.state-resolved') !== null")
    finally:
        server.stop()
    view = here.engine.view(alert_id)
    assert [one.step for one in view.transitions].count("resolve") == 1

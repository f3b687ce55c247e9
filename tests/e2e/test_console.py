"""The console in a real browser: an alert appears by itself, is opened, verified, read in Chinese, and
answered on a phone. Real PostgreSQL, real ingest store and engine, real uvicorn; only the edge is missing.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from alerts.lifecycle import Step
from monitor.domain.events import CameraState, sha256_hex
from tests.doubles.web_town import EDGE_TOKENS, PASSWORD, Town, picture, snapshot, town

CHROMIUM = Path(os.environ.get("HCAWATCH_TEST_CHROMIUM", "/usr/bin/chromium"))
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        yield one


class Server:
    """The web on one port, which can go away and come back."""

    def __init__(self, here: Town) -> None:
        self._here = here
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self, **changes: Any) -> None:
        app = self._here.app(clock=lambda: datetime.now(UTC), **changes)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, host="127.0.0.1", port=self.port, log_level="error", timeout_graceful_shutdown=1
            )
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        waiting = threading.Event()
        while not self._server.started:
            waiting.wait(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def server(here: Town) -> Iterator[Server]:
    one = Server(here)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def base(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield chromium
        chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains of: broken scripts, refusals by the Content-Security-Policy."""
    return []


@pytest.fixture
def room(browser: Browser, base: str, complaints: list[str]) -> Iterator[Page]:
    with browser.new_context(
        base_url=base, viewport={"width": 1440, "height": 900}, locale="en-GB"
    ) as context:
        yield watched(context, complaints)


@pytest.fixture
def phone(browser: Browser, base: str, complaints: list[str]) -> Iterator[Page]:
    with browser.new_context(
        base_url=base, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="zh-CN",
        geolocation={"longitude": 121.4705, "latitude": 31.2093}, permissions=["geolocation"],
    ) as context:  # fmt: skip
        yield watched(context, complaints)


def watched(context: BrowserContext, complaints: list[str]) -> Page:
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda message: message.type in ("error", "warning") and complaints.append(message.text)
    )
    return page


def log_in(page: Page, user: str) -> None:
    page.goto("/login")
    page.locator("#user").fill(user)
    page.locator("#password").fill(PASSWORD)
    page.locator("button[type=submit]").click()
    page.wait_for_url(lambda url: "/login" not in url)


def eventually(page: Page, script: str, timeout_s: float = 20.0) -> Any:
    """What an async script returns once it is truthy; Playwright's wait_for_function takes the promise itself for true."""
    end_s = time.monotonic() + timeout_s
    while not (found := page.evaluate(script)):
        assert time.monotonic() < end_s, script
        page.wait_for_timeout(50)
    return found


def fill_checklist(page: Page) -> None:
    """Tick all that is required, item by item; what is measured gets its metres."""
    expect(page.locator("#step-resolve")).to_be_visible()
    for item in page.evaluate(
        "[...document.querySelectorAll('.check-line[data-required]')].map(e => e.dataset.required && e.dataset.item)"
    ):
        line = page.locator(f'.check-line[data-item="{item}"]')
        if not item:
            continue
        if line.get_attribute("data-measured"):
            line.locator(".check-metres").fill("2.4")
        line.locator(".check-do[data-answer=done]").click()
        expect(line).to_have_attribute("data-answer", "done")


def fits(page: Page) -> bool:
    """Nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_the_whole_story_in_a_browser(
    here: Town, base: str, room: Page, phone: Page, complaints: list[str], tmp_path: Path
) -> None:
    """Empty list, alert by itself, snapshot, phone to the end of the case, supervisor verifies, Chinese."""
    here.cameras_are("e1", old_town=CameraState.STREAMING, village=CameraState.STREAMING)
    log_in(room, "supervisor")
    expect(room.locator(".empty")).to_contain_text("2 of 3 cameras are watching")
    expect(room.locator("#link")).to_have_attribute("data-state", "live")
    expect(room.locator(".marker-camera")).to_have_count(3)
    log_in(phone, "li.wei")
    expect(phone.locator(".empty")).to_be_visible()

    # it appears in the room and on the phone, without anybody reloading
    data = picture("excavator 0.91")
    room.evaluate("window.stayed = true")
    here.sees(evidence=[snapshot(data)])
    row = room.locator(".alert-row.level-edge-I")
    expect(row).to_contain_text("Machine excavation within 5 m")
    expect(row).to_contain_text("SIMULATED 模拟")
    expect(room.locator(".marker-alert.level-I")).to_contain_text("I · ")
    expect(room.locator("#announcer")).to_contain_text("New alert, level I")
    assert room.evaluate("window.stayed") is True
    expect(phone.locator(".field-row")).to_contain_text("管道中心线5米内机械挖掘")

    # its page shows the snapshot as soon as the edge has brought it
    row.click()
    expect(room.locator("h1")).to_have_text("Machine excavation within 5 m of the centreline")
    expect(room.locator(".no-picture")).to_be_visible()
    token = {"authorization": f"Bearer {EDGE_TOKENS['e1']}"}
    assert (
        httpx.put(f"{base}/api/v1/evidence/{sha256_hex(data)}", content=data, headers=token).status_code
        == 201
    )
    picture_shown = room.locator(".snapshot-frame img")
    expect(picture_shown).to_be_visible()
    assert picture_shown.evaluate("img => img.decode().then(() => img.naturalWidth)") == 1280
    expect(room.locator("#detail-map path.band")).to_have_count(3)

    # the officer, with one thumb
    phone.locator(".field-row").click()
    expect(phone.locator("#distance-text")).to_contain_text("距您")
    for step in ("accept", "depart", "arrive"):
        phone.locator(f"#step-{step}").click()
        expect(phone.locator(f"#step-{step}")).to_have_count(0)
        assert fits(phone), step
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture("pit"))
    phone.locator("#photo").set_input_files(photo)
    expect(phone.locator("#photo-count")).to_have_text("照片：1 张")
    phone.locator("#field-note").fill("挖掘机已停工 <b>停</b>")
    phone.locator("#step-collect").click()
    fill_checklist(phone)
    phone.locator("#field-outcome").select_option("rectified")
    phone.locator("#step-resolve").click()
    expect(phone.locator(".field-done")).to_be_visible()
    assert fits(phone)

    # the room saw every step, with place and photo, and closes the case
    timeline = room.locator(".timeline")
    expect(timeline).to_contain_text("挖掘机已停工 <b>停</b>")
    expect(timeline).to_contain_text("at the place")
    expect(timeline.locator(".photos img")).to_have_count(1)
    room.locator("#step-verify").click()
    room.locator("#step-note").fill("Pit is filled.")
    room.locator("#step-send").click()
    expect(room.locator(".alert-sub .state")).to_have_text("Verified")
    expect(room.locator("#actions-title + p")).to_have_text("This case is closed.")

    # and in Chinese
    room.locator(".switch").click()
    expect(room.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(room.locator("h1")).to_have_text("管道中心线5米内机械挖掘")
    expect(room.locator(".alert-sub .state")).to_have_text("已核实")
    assert complaints == []


def test_a_conflict_is_a_sentence(here: Town, room: Page) -> None:
    """While the dialog is open somebody else acts; what comes back says so, and the page is up to date."""
    here.sees()
    alert_id = here.newest().alert.alert_id
    log_in(room, "supervisor")
    room.goto(f"/alerts/{alert_id}")
    room.locator("#step-recall").click()
    here.step(alert_id, Step.DISMISS, "supervisor", reason="duplicate", note="seen twice")
    room.locator("#step-note").fill("come back")
    room.locator("#step-send").click()
    expect(room.locator("#step-problem")).to_contain_text("This alert is now “dismissed”")
    expect(room.locator("#step-recall")).to_have_count(0)


def test_a_lost_connection_is_shown_and_taken_up_again(here: Town, server: Server, room: Page) -> None:
    """The bar says so, with the time since when; back again, what was missed is there without a reload."""
    log_in(room, "operator")
    expect(room.locator("#link")).to_have_attribute("data-state", "live")
    server.stop()
    expect(room.locator("#lost")).to_contain_text("has been lost since")
    expect(room.locator("#link")).to_have_attribute("data-state", "lost")
    here.sees()
    server.start()
    expect(room.locator("#lost")).to_be_hidden()
    expect(room.locator(".alert-row.level-edge-I")).to_be_visible()


def test_without_leaflet_the_page_still_works(here: Town, room: Page) -> None:
    """A clear note in place of the map; the list and the alert's page are whole."""
    here.sees()
    room.route("**/vendor/leaflet/**", lambda route: route.fulfill(status=404))
    log_in(room, "operator")
    expect(room.locator("#map")).to_contain_text("map library is not installed")
    room.locator(".alert-row").first.click()
    expect(room.locator("#detail-map")).to_contain_text("map library is not installed")
    expect(room.locator(".gauge")).to_be_visible()
    expect(room.locator("#step-recall")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/audit", "/visits", "/field", "/alerts/{}", "/field/{}"])
def test_every_page_fits_a_phone_and_works_by_keyboard(
    here: Town, browser: Browser, base: str, path: str
) -> None:
    """At 390 px nothing sticks out, and what can be pressed can be reached and has a name."""
    here.sees()
    with browser.new_context(base_url=base, viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        log_in(page, "supervisor")
        page.goto(path.format(here.newest().alert.alert_id))
        page.wait_for_load_state("load")
        assert fits(page)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, img, [role=img]')]
            .filter(e => e.offsetParent !== null && !(e.innerText || e.getAttribute('aria-label') || e.title || e.alt || e.labels?.length))
            .map(e => e.outerHTML)"""
        )
        assert nameless == []
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"

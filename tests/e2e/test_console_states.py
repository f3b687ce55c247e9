"""Each state of a camera, each remark and each missing position in a real browser, in both languages: what a
controller reads when a camera does not watch, and what to do then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from monitor.domain.assets import Camera
from monitor.domain.events import CameraState, CameraStatus, EdgeStatus, NoFix
from monitor.domain.levels import Level
from monitor.domain.remarks import Remark, told
from monitor.web.showing import camera_reason
from monitor.web.texts import Texts
from tests.doubles.web_town import CITY, Town, picture, snapshot, town
from tests.e2e.test_console import CHROMIUM, Server, browser, complaints, fits, log_in, watched

__all__ = ["browser", "complaints"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]

#: Each state with what its watchdog says of it.
SAID = {
    CameraState.STARTING: "",
    CameraState.STREAMING: "; ".join(
        told(remark, fact)
        for remark, fact in ((Remark.INFRARED, None), (Remark.STREAM_SLOW, 3), (Remark.STREAM_FAST, 4),
                             (Remark.CLOCK_AHEAD, 40), (Remark.CLOCK_BEHIND, 12))
    ),
    CameraState.STALLED: told(Remark.NO_PICTURE, 5),
    CameraState.FROZEN: told(Remark.SAME_PIXELS, 15),
    CameraState.OBSCURED: "; ".join((told(Remark.DETAIL_GONE, 92), told(Remark.NOTHING_TO_SEE))),
    CameraState.BLURRED: told(Remark.SHAPES_ONLY),
    CameraState.DARK: told(Remark.BLACK),
    CameraState.OVEREXPOSED: "; ".join((told(Remark.WHITE), told(Remark.GLARE, 84))),
    CameraState.MOVED: told(Remark.OTHER_SCENE),
    CameraState.UNANALYSED: told(Remark.DETECTOR_BUSY),
    CameraState.ENDED: "end of file",
    CameraState.UNREACHABLE: "401 Unauthorized",
    CameraState.BLOCKED: "10.9.8.7 is outside the allowed networks",
}  # fmt: skip
CAMERAS = tuple(
    Camera(camera_id=f"cam-{state}", edge_id="e1", site_id="s1", source="a.mp4", position=(121.455 + 0.002 * i, 31.2112),
           name={"en": f"Mast {i + 1}, Old Town", "zh": f"老城区 {i + 1} 号杆"})
    for i, state in enumerate(CameraState)
)  # fmt: skip
MANY = msgspec.structs.replace(CITY, cameras=(*CITY.cameras, *CAMERAS))


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        one.engine = AlertEngine(PostgresAlertBook(one.pool), MANY)
        yield one


@pytest.fixture
def base(here: Town) -> Iterator[str]:
    server = Server(here)
    server.start(city=MANY, engine=here.engine)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def _states(here: Town) -> None:
    cameras = {
        f"cam-{state}": CameraStatus(state=state, since=here.now, reason=reason)
        for state, reason in SAID.items()
    }
    status = EdgeStatus(
        edge_id="e1", epoch="ep", at=here.now, started_at=here.now, version="1", config_version="1", queue_depth=0,
        last_seq=0, evidence_pending=0, detector={}, cameras=cameras,
    )  # fmt: skip
    here.store.note_status(status, here.now)
    here.engine.take_work(here.now)


def _shot(page: Page, name: str) -> None:
    """For whoever wants to look: HCAWATCH_TEST_SHOTS names a folder."""
    if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


VIEWS = [(1440, "en"), (1440, "zh"), (390, "en"), (390, "zh")]


def _page(browser: Browser, base: str, width: int, language: str, complaints: list[str]) -> Iterator[Page]:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    viewport = {"width": width, "height": 900 if width > 1000 else 844}
    with browser.new_context(base_url=base, viewport=viewport, locale=locale) as context:  # type: ignore[arg-type]
        yield watched(context, complaints)


def test_every_state_says_what_it_means_and_what_to_do(
    here: Town, base: str, browser: Browser, complaints: list[str]
) -> None:
    """In the list of cameras, on the map's markers and on the alert's page; wide and narrow, both languages."""
    assert set(SAID) == set(CameraState)
    _states(here)
    alerts = {item.alert.camera_id: item.alert.alert_id for item in here.engine.list_alerts(running=True)}
    for width, language in VIEWS:
        t = Texts(language)
        for page in _page(browser, base, width, language, complaints):
            log_in(page, "supervisor")
            for state, reason in SAID.items():
                card = page.locator(f"#camera-cam-{state}")
                expect(card.locator(".camera-state")).to_contain_text(t(f"camera.{state}"))
                said = camera_reason(reason, t)
                if said:
                    expect(card.locator(".camera-says")).to_have_text(said[0].upper() + said[1:])
                if state not in (CameraState.STREAMING, CameraState.STARTING):
                    expect(card.locator(".camera-do")).to_contain_text(t(f"camera_do.{state}"))
            # on the map a camera tells the same when it is pointed at
            at = len(CITY.cameras) + list(CameraState).index(CameraState.FROZEN)
            page.locator(".marker-holder:has(.marker-camera)").nth(at).dispatch_event("mouseover")
            expect(page.locator(".leaflet-tooltip", has_text=t("camera.frozen"))).to_contain_text(
                camera_reason(SAID[CameraState.FROZEN], t)
            )
            _shot(page, f"console-{width}-{language}")
            assert fits(page), (width, language)
            page.evaluate(
                "document.querySelector('#camera-list').style.cssText = 'grid-auto-flow: row; grid-template-columns: repeat(auto-fill, minmax(232px, 1fr))'"
            )
            _shot(page, f"cards-{width}-{language}")
            for state in (CameraState.MOVED, CameraState.OVEREXPOSED):
                page.goto(f"/alerts/{alerts[f'cam-{state}']}")
                expect(page.locator(".next-step")).to_contain_text(t(f"camera_do.{state}"))
                expect(page.locator(".alert-sub")).to_contain_text(t(f"camera.{state}"))
                expect(page.locator(".facts").first).to_contain_text(camera_reason(SAID[state], t))
                assert fits(page)
                _shot(page, f"alert-{state}-{width}-{language}")
    assert complaints == []


def test_a_missing_position_says_why_and_what_to_do(
    here: Town, base: str, browser: Browser, complaints: list[str]
) -> None:
    """Each reason for 'no ground fix', and an unexplained change with its two pictures and without an article."""
    found: list[tuple[NoFix | None, str]] = []
    for reason in NoFix:
        here.sees("old-town", position=None, no_fix=reason, chainage_m=None, offset_m=None, within_band=None,
                  zone_id=f"zone-{reason}", violation="on_pipe", rule_id="person-on-pipe", object_class="person")  # fmt: skip
        found.append((reason, here.newest().alert.alert_id))
    data = picture("before | now", size=(1920, 540))
    here.sees("village", violation="unexplained_change", rule_id="unexplained-50m", object_class="unexplained",
              offset_m=14.0, activity="stopped", dwell_s=130.0, confidence=0.5, risk_edge=Level.IV,
              evidence=(snapshot(data),))  # fmt: skip
    alert = here.newest().alert
    assert alert.level is Level.IV
    assert here.newest().running is None
    found.append((None, alert.alert_id))
    for width, language in VIEWS:
        t = Texts(language)
        for page in _page(browser, base, width, language, complaints):
            log_in(page, "operator")
            _shot(page, f"list-{width}-{language}")
            for reason, alert_id in found:
                page.goto(f"/alerts/{alert_id}")
                if reason is not None:
                    expect(page.locator(".alert-main")).to_contain_text(t(f"no_fix.{reason}"))
                    expect(page.locator(".next-step")).to_contain_text(t(f"no_fix_do.{reason}"))
                else:
                    expect(page.locator(".alert-side")).to_contain_text(t("law.no_article"))
                    expect(page.locator("tbody")).to_contain_text([t("object.unexplained")])
                assert fits(page)
                _shot(page, f"alert-{reason or 'unexplained'}-{width}-{language}")
    assert complaints == []

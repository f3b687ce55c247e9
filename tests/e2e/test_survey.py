"""Registering a camera in a real browser: points are clicked in the demo's rendered picture, the bands come back
into it, and saving writes the next configuration. Only the edge is missing; the renderer knows the truth.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from edge.ground import ground_of
from hcawatch.config import versions
from hcawatch.demo.setting import FIELD
from monitor.domain.events import CameraState, CameraStatus, EdgeStatus
from tests.doubles.survey_town import SurveyTown, picture, survey_town
from tests.e2e.test_console import CHROMIUM, Server, browser, fits, log_in, watched

__all__ = ["browser"]  # a fixture

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]
expect.set_options(timeout=30_000)  # the server works things out beside other tests
#: which of the renderer's surveyed points are clicked: the corners of the ground that matters
CORNERS = (0, 2, 9, 10)


@pytest.fixture
def place(postgres_dsn: str, tmp_path: Path) -> Iterator[SurveyTown]:
    with survey_town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        one.sends(picture())
        yield one


@pytest.fixture
def base(place: SurveyTown) -> Iterator[str]:
    server = Server(place)  # type: ignore[arg-type]  # it only asks for an app
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def new_page(
    browser: Browser,
    base: str,
    complaints: list[str],
    *,
    width: int = 1440,
    height: int = 900,
    language: str = "en-GB",
) -> Page:
    context = browser.new_context(base_url=base, viewport={"width": width, "height": height}, locale=language)
    return watched(context, complaints)


def on_stage(page: Page, pixel: list[float]) -> tuple[float, float]:
    """Where a pixel of the frame lies on the screen."""
    stage = page.locator("#stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    return box["x"] + pixel[0] / 1280 * box["width"], box["y"] + pixel[1] / 720 * box["height"]


def row(page: Page, number: int) -> Locator:
    return page.locator(".point-row").nth(number - 1)


def click_point(page: Page, place: SurveyTown, index: int) -> None:
    """Click the renderer's point, and paste its longitude and latitude."""
    known = place.surveyed[index]
    page.mouse.click(*on_stage(page, known["pixel"]))
    lon, lat = known["lonlat"]
    page.locator(".point-row.is-selected [name=lonlat]").fill(f"{lon}, {lat}")


def test_four_clicks_show_the_bands_and_become_a_version(
    place: SurveyTown, browser: Browser, base: str, tmp_path: Path
) -> None:
    """From the console to a saved survey that puts the edge's own ground where the renderer has it."""
    complaints: list[str] = []
    page = new_page(browser, base, complaints)
    log_in(page, "supervisor")
    page.locator(f"#camera-{FIELD} .camera-survey").click()
    expect(page.locator("h1")).to_contain_text("Field north")
    expect(page.locator("#verdict")).to_have_text("No point yet.")
    for index in CORNERS[:3]:
        click_point(page, place, index)
    expect(page.locator("#verdict")).to_contain_text("3 points with a place; at least 4")
    expect(page.locator("#save")).to_be_disabled()
    click_point(page, place, CORNERS[3])
    expect(page.locator("#verdict")).to_have_text("The points give a ground plane.")
    expect(page.locator("#notes")).to_contain_text("Four points always fit")

    # the bands: the centreline and 5 m on both sides are in this picture, nothing is drawn above the horizon
    for side in ("on", "left", "right"):
        expect(page.locator(f"polyline.line[data-side={side}]:not(.line-guess)").first).to_be_attached()
    highest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('#lines polyline.line')].flatMap(l => l.getAttribute('points').split(' ').map(p => +p.split(',')[1])))"
    )
    assert highest > 720 / 2 - 1250 * 0.1853  # tan(10.5 degrees): the renderer's horizon
    expect(page.locator("#sure tbody tr").first).to_contain_text("25 m")
    expect(page.locator("#seen")).to_contain_text("Centreline seen and surveyed")

    # a fifth point at a wrong place contradicts them; deleted, the four are good again
    page.mouse.click(*on_stage(page, place.surveyed[5]["pixel"]))
    lon, lat = place.surveyed[5]["lonlat"]
    page.locator(".point-row.is-selected [name=lonlat]").fill(f"{lat}, {lon}")
    expect(row(page, 5).locator(".point-told")).to_contain_text("Longitude comes first")
    page.locator(".point-row.is-selected [name=lonlat]").fill(f"{lon + 0.0002}, {lat}")
    expect(page.locator("#verdict")).to_contain_text("contradict each other")
    expect(page.locator("#save")).to_be_disabled()
    row(page, 5).locator(".point-delete").click()
    expect(page.locator("#verdict")).to_have_text("The points give a ground plane.")

    # chainage and offset are the same place: the other fields were filled in
    page.locator("[name=mode][value=chainage]").check()
    expect(row(page, 1).locator("[name=chainage]")).to_have_value(re.compile(r"^\d+\.\d\d$"))
    row(page, 1).locator("[name=side]").select_option("left")
    expect(page.locator("#verdict")).not_to_have_text("Working it out …")
    row(page, 1).locator("[name=side]").select_option("right")
    expect(page.locator("#verdict")).to_have_text("The points give a ground plane.")

    page.locator("#reason").fill("surveyed by GNSS")
    page.locator("#save").click()
    expect(page.locator("#saved")).to_contain_text("Saved as version 2")
    expect(page.locator("#yaml")).to_contain_text("ground_points:")
    assert complaints == []

    with versions.connect(place.dsn) as conn:
        version = versions.read(conn)
    assert (version.number, version.author, version.reason) == (2, "supervisor", "surveyed by GNSS")
    now = place.surveys.current(FIELD)
    assert now is not None
    ground = ground_of(now.camera)
    assert ground is not None
    middle = place.surveyed[5]
    fix = ground.at(*middle["pixel"])
    lon, lat = fix.lonlat  # type: ignore[union-attr]
    assert (lon, lat) == pytest.approx(middle["lonlat"], abs=1e-5)  # a metre: four clicks, unknown lens

    page.reload()
    expect(page.locator(".point-row")).to_have_count(4)
    expect(page.locator("polyline.line-on").first).to_be_attached()
    page.context.close()


def test_a_moved_camera_is_registered_again_by_dragging_on_a_phone(
    place: SurveyTown, browser: Browser, base: str
) -> None:
    """Reached from the state 'moved'; places stay, a point is moved by drag and by keys; nothing sticks out."""
    lon, lat = place.surveyed[0]["lonlat"]
    now = place.here.now
    status = EdgeStatus(
        edge_id="edge-demo", epoch="ep", at=now, started_at=now, version="1", config_version="1", queue_depth=0,
        last_seq=0, evidence_pending=0, detector={},
        cameras={FIELD: CameraStatus(state=CameraState.MOVED, since=now, reason="")},
    )  # fmt: skip
    place.here.store.note_status(status, now)
    complaints: list[str] = []
    page = new_page(browser, base, complaints, width=390, height=844, language="zh-CN")
    log_in(page, "admin")
    link = page.locator(f"#camera-{FIELD} .camera-survey")
    expect(link).to_have_text("重新配准")
    link.click()
    expect(page.locator(".notice-bad")).to_contain_text("该摄像机已移位")
    assert fits(page)
    page.mouse.click(*on_stage(page, [400.0, 600.0]))
    page.locator("[name=lonlat]").fill(f"{lon}，{lat}")
    expect(page.locator(".point-told")).to_contain_text("米")
    before = page.locator(".point").get_attribute("aria-label")
    page.locator(".point").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".point")).not_to_have_attribute("aria-label", before or "")
    from_x, from_y = on_stage(page, [401.0, 600.0])
    page.mouse.move(from_x, from_y)
    page.mouse.down()
    page.mouse.move(from_x + 40, from_y - 20, steps=4)
    page.mouse.up()
    expect(page.locator(".point")).to_have_count(1)
    moved_to = re.findall(r"\d+", page.locator(".point").get_attribute("aria-label") or "")
    assert int(moved_to[1]) > 480
    assert fits(page)
    assert complaints == []
    page.context.close()


def test_who_only_looks_can_change_nothing(place: SurveyTown, browser: Browser, base: str) -> None:
    """The auditor sees what the registration is worth, without a field to type in or a button to save."""
    complaints: list[str] = []
    page = new_page(browser, base, complaints)
    log_in(page, "auditor")
    page.goto(f"/cameras/{FIELD}/survey")
    expect(page.locator("#stage image")).to_be_attached()
    page.mouse.click(*on_stage(page, [400.0, 600.0]))
    expect(page.locator(".point")).to_have_count(0)
    assert page.locator("#save, #file").count() == 0
    assert complaints == []
    page.context.close()

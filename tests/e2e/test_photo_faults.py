"""Photos when something breaks at the centre, in a real browser: the phone lets go of a photo only once it is stored, and
one photo that the centre stumbles over does not hold up the visit for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from alerts.lifecycle import Step
from monitor.domain.events import sha256_hex
from tests.doubles.web_town import Town, picture, town
from tests.e2e.test_console import CHROMIUM, Server, browser, eventually, log_in
from tests.e2e.test_photos import WITHIN_MS, _shot, noise, phone

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]
_FLUSH = "import('/static/outbox.js').then((outbox) => outbox.flush()).then(() => true)"


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        one.sees()
        one.engine.take_work(one.now)
        for step in (Step.ACCEPT, Step.DEPART, Step.ARRIVE):
            one.step(one.newest().alert.alert_id, step, "li.wei")
        yield one


def left(here: Town, data: bytes, part: bytes) -> None:
    """What the centre has of li.wei's photo after it ended in the middle."""
    whose = hashlib.sha256(b"li.wei").hexdigest()[:16]
    path = here.data_dir / "photo-parts" / whose / f"{here.newest().alert.alert_id}-{sha256_hex(data)}.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(part)


def test_a_photo_stays_on_the_phone_until_the_centre_has_stored_it(
    here: Town, browser: Browser, tmp_path: Path
) -> None:
    """A part that is full, and one that a power cut made zeros: both photos arrive; 'all bytes are here' is not enough."""
    full, torn = tmp_path / "full.jpg", tmp_path / "torn.jpg"
    full.write_bytes(picture("pit"))
    data = noise(torn)
    left(here, full.read_bytes(), full.read_bytes())
    left(here, data, bytes(300_000))
    alert_id, server = here.newest().alert.alert_id, Server(here)
    asked: list[str] = []

    def only_has_it(route: Route) -> None:
        """Stands for a centre that says that it has every byte, and not that the photo is stored."""
        asked.append(route.request.headers["content-range"])
        headers = {"Upload-Offset": asked[-1].rpartition("/")[2]}
        route.fulfill(status=202, json={"sha256": "", "stored": False}, headers=headers)

    server.start()
    try:
        with phone(browser, tmp_path / "phone", server) as page:
            log_in(page, "li.wei")
            page.goto(f"/field/{alert_id}")
            page.context.route("**/photos/**", only_has_it)
            page.locator("#photo").set_input_files(full)
            expect(page.locator(".photo-waits")).to_have_count(1)
            page.evaluate(_FLUSH)
            assert asked
            expect(page.locator(".photo-waits")).to_have_count(1)
            page.context.unroute("**/photos/**")
            page.locator("#photo").set_input_files(torn)
            expect(page.locator(".photo-waits")).to_have_count(0, timeout=WITHIN_MS)
            expect(page.locator("#outbox")).to_be_hidden()
    finally:
        server.stop()
    stored = {item.sha256 for item in here.engine.view(alert_id).evidence}
    assert stored == {sha256_hex(full.read_bytes()), sha256_hex(data)}


def test_a_photo_that_the_centre_stumbles_over_does_not_hold_up_the_visit(
    here: Town, browser: Browser, tmp_path: Path
) -> None:
    """After twenty faults it is given back with its reason; the step goes on with the other photo."""
    odd, good = tmp_path / "odd.jpg", tmp_path / "good.jpg"
    odd.write_bytes(picture("odd"))
    good.write_bytes(picture("pit"))
    alert_id, server = here.newest().alert.alert_id, Server(here)
    tries: list[str] = []

    def stumbles(route: Route) -> None:
        """Stands for a fault of the centre over this one photo; at first there is only no time for it."""
        tries.append(route.request.url)
        problem = {"type": "urn:hcawatch:problem:fault", "detail": "the server made a mistake"}
        route.fulfill(status=503 if len(tries) <= 25 else 500, json=problem)

    server.start()
    try:
        with phone(browser, tmp_path / "phone", server) as page:
            log_in(page, "li.wei")
            page.goto(f"/field/{alert_id}")
            page.context.route(f"**/photos/{sha256_hex(odd.read_bytes())}**", stumbles)
            for file in (odd, good):
                page.locator("#photo").set_input_files(file)
            expect(page.locator(".photo-waits")).to_have_count(1, timeout=WITHIN_MS)
            page.locator("#step-collect").click()
            while len(tries) < 44:
                page.evaluate(_FLUSH)
            expect(page.locator(".photo-waits")).to_have_count(1)
            assert here.engine.view(alert_id).alert.state == "on_site"
            page.evaluate(_FLUSH)
            expect(page.locator("#outbox")).to_contain_text("the server made a mistake", timeout=WITHIN_MS)
            eventually(page, "() => document.querySelector('.state-evidence_collected') !== null")
            _shot(page, "photo-fault-en-390")
            with page.expect_download() as got:
                page.locator("#outbox button").first.click()
            assert Path(got.value.path()).read_bytes() == odd.read_bytes()
    finally:
        server.stop()
    assert here.engine.view(alert_id).transitions[-1].attachments == (sha256_hex(good.read_bytes()),)

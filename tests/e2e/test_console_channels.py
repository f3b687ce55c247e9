"""A channel that is out of order, in a real browser: what the room reads without looking for it, and the details."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from alerts.channels import limits
from alerts.channels.states import PostgresChannelStates
from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from alerts.values import Outgoing
from monitor.domain.assets import Channel
from monitor.web.texts import Texts
from tests.doubles.web_town import CITY, Town, town
from tests.e2e.test_console import CHROMIUM, Server, browser, complaints, fits, log_in, watched

__all__ = ["browser", "complaints"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"),
]

HOOK = Channel(
    channel_id="webhook", kind="webhook", url="https://a.example", fallback="sms", failures_until_open=1
)
SMS = Channel(channel_id="sms", kind="sms", url="https://b.example")
TALKING = msgspec.structs.replace(CITY, channels=(HOOK, SMS))


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path, datetime.now(UTC)) as one:
        one.engine = AlertEngine(PostgresAlertBook(one.pool), TALKING)
        yield one


def test_the_room_sees_that_a_channel_is_out_of_order(
    here: Town, browser: Browser, complaints: list[str]
) -> None:
    """Wide and narrow, both languages: how many are not in order; opened: which, what waits, who takes over, and why."""
    now = here.now
    states = PostgresChannelStates(here.pool)
    error = "a.example answered 503: Service Unavailable, " + "come back later, " * 8
    states.change("webhook", lambda s: (limits.failed(HOOK, s, error, now), None))
    states.change("sms", lambda s: (limits.delivered(s, now), None))
    with PostgresAlertBook(here.pool).begin() as tx:
        tx.add_outgoing(Outgoing(channel="webhook", address="", idempotency_key="k", body={}, created_at=now - timedelta(minutes=3)))  # fmt: skip
    server = Server(here)
    server.start(city=TALKING, engine=here.engine)
    try:
        for width, language, locale in ((1440, "en", "en-GB"), (390, "zh", "zh-CN")):
            t = Texts(language)
            viewport = {"width": width, "height": 900}
            with browser.new_context(
                base_url=f"http://127.0.0.1:{server.port}",
                viewport=viewport,
                locale=locale,  # type: ignore[arg-type]
            ) as context:
                page = watched(context, complaints)
                log_in(page, "supervisor")
                summary = page.locator("#channels-summary")
                expect(summary).to_contain_text(t("channels.some_bad", count=1))
                summary.click()
                row = page.locator(".channel-out_of_order")
                expect(row).to_contain_text("webhook")
                expect(row).to_contain_text(t("channels.waiting", count=1))
                expect(row).to_contain_text(t("channels.fallback", channel="sms"))
                expect(row).to_contain_text("answered 503")
                assert fits(page)
                if folder := os.environ.get("HCAWATCH_TEST_SHOTS"):
                    page.screenshot(path=Path(folder) / f"channels-{width}-{language}.png", full_page=True)
    finally:
        server.stop()
    assert complaints == []

"""Pictures for README from a running demo: `make demo` in one terminal, this in another.

    .venv/bin/python deploy/screenshots.py ~/.local/share/hcawatch/demo/live docs/images

Waits until a level I alert has an officer on site, then takes console, alert and field page. Needs Chromium.
"""

import json
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
STATES = ("on_site", "evidence_collected")


def log_in(browser: Browser, base: str, secrets: Path, user: str, width: int, height: int) -> Page:
    """A page of somebody who has logged in."""
    page = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB").new_page()
    page.goto(f"{base}/login")
    page.fill("input[name=user]", user)
    page.fill("input[name=password]", (secrets / f"password-{user}").read_text().strip())
    page.click("button[type=submit]")
    return page


def level_one(page: Page) -> str:
    """The alert, once its officer is on site."""
    for _ in range(600):
        found = page.evaluate("fetch('/api/v1/alerts').then(r => r.json())")
        alerts = found["alerts"] if isinstance(found, dict) else found
        for alert in alerts:
            if alert["level"] == "I" and alert["state"] in STATES:
                return str(alert["alert_id"])
        time.sleep(0.5)
    raise SystemExit("no level I alert with an officer on site within five minutes")


def main(data_dir: Path, out: Path) -> None:
    """Take them."""
    base = json.loads((data_dir / "runtime.json").read_text())["centre_url"]
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        console = log_in(browser, base, data_dir / "secrets", "operator", 1440, 900)
        field = log_in(browser, base, data_dir / "secrets", "officer-lin", 390, 844)
        alert_id = level_one(console)
        field.goto(f"{base}/field/{alert_id}")
        time.sleep(2)
        console.screenshot(path=out / "console.png")
        field.screenshot(path=out / "field.png")
        console.goto(f"{base}/alerts/{alert_id}")
        time.sleep(2)
        console.screenshot(path=out / "alert.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]).expanduser(), Path(sys.argv[2]))

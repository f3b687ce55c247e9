"""A simulated officer's phone: answers each dispatch through the public API, step after step, to resolved.

What to do next follows from the alert's state alone, and each step has a key made of dispatch and step, so
the program can be killed at any moment and simply started again.

    python -m hcawatch.demo.phone --url http://127.0.0.1:8080 --user li.wei --password-file FILE
"""

import argparse
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from hcawatch.demo.client import Api, ApiError, AwayError, RefusedError
from hcawatch.demo.photo import photo_of_dispatch

log = structlog.get_logger(__name__)

PAUSE_S = 1.5
POLL_S = 0.5
LONGEST_WAIT_S = 5.0
#: the officer stands about four metres east of the alert
_BESIDE_DEG = 0.00004

#: what an officer does in which state of the alert
NEXT_STEP = {
    "dispatched": "accept",
    "accepted": "depart",
    "en_route": "arrive",
    "on_site": "collect",
    "evidence_collected": "resolve",
}

NOTES = {
    "accept": "Simulated officer / 模拟人员：收到",
    "resolve": "Simulated: work stopped, pit filled in, advice given / 模拟：已制止施工，回填，现场告知",
}


class Phone:
    """One officer's phone. `clock_s` is passed in, so that tests need not wait."""

    def __init__(
        self,
        api: Api,
        pause_s: float = PAUSE_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._pause_s, self._clock_s = api, pause_s, clock_s
        self._first_seen_s: dict[str, float] = {}

    def run(self, stopping: threading.Event) -> None:
        """Answer dispatches until told to stop; a centre that is away is asked again, less and less often."""
        wait_s = POLL_S
        while not stopping.wait(wait_s):
            try:
                self.turn()
                wait_s = POLL_S
            except AwayError as exc:
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
                log.info("phone.centre_away", user=self._api.user, error=str(exc))
            except ApiError as exc:
                wait_s = LONGEST_WAIT_S
                log.warning("phone.refused", user=self._api.user, error=str(exc))

    def turn(self) -> int:
        """Answer every dispatch of mine whose pause is over; returns how many steps were taken."""
        taken = 0
        for dispatch in self._api.dispatches():
            step = NEXT_STEP.get(dispatch["state"])
            if step is None or not self._paused_enough(dispatch, step):
                continue
            try:
                self._answer(dispatch, step)
            except RefusedError as exc:
                # recalled or given to somebody else in between: the next turn sees how it stands
                log.info("phone.step_refused", user=self._api.user, step=step, error=str(exc))
                continue
            log.info("phone.step", user=self._api.user, alert=dispatch["number"], step=step)
            taken += 1
        return taken

    def _paused_enough(self, dispatch: dict[str, Any], step: str) -> bool:
        """Whether this step was the next one for the length of a pause."""
        now_s = self._clock_s()
        first_seen_s = self._first_seen_s.setdefault(f"{dispatch['dispatch_id']}:{step}", now_s)
        return now_s >= first_seen_s + self._pause_s

    def _answer(self, dispatch: dict[str, Any], step: str) -> None:
        alert_id, dispatch_id = dispatch["alert_id"], dispatch["dispatch_id"]
        body: dict[str, Any] = {"step": step, "note": NOTES.get(step, "")}
        place = _beside(dispatch)
        if place is not None and step in ("arrive", "collect", "resolve"):
            body |= {"lon": place[0], "lat": place[1]}
        if step == "resolve":
            body["reason"] = "rectified"
        if step == "collect":
            taken_at = datetime.fromisoformat(dispatch["accepted_at"] or dispatch["dispatched_at"])
            jpeg = photo_of_dispatch(dispatch["number"], dispatch_id, place, taken_at)
            body["attachments"] = [self._api.upload_photo(alert_id, jpeg)]
        if step == "resolve":
            self._fill_checklist(dispatch, place)
        self._api.step(alert_id, f"{dispatch_id}:{step}", **body)

    def _fill_checklist(self, dispatch: dict[str, Any], place: tuple[float, float] | None) -> None:
        """Ticks all items; what is to be measured is what the camera said, since nobody is there."""
        where = {} if place is None else {"lon": place[0], "lat": place[1]}
        for item in self._api.open_checks(dispatch["alert_id"]):
            measured = {"value_m": round(abs(dispatch.get("offset_m") or 0.0), 1)} if item["measured"] else {}
            self._api.answer_check(
                dispatch["alert_id"], f"{dispatch['dispatch_id']}:check:{item['key']}", item=item["key"],
                answer="done", note="" if item["required"] else "Simulated / 模拟", **measured, **where,
            )  # fmt: skip


def _beside(dispatch: dict[str, Any]) -> tuple[float, float] | None:
    if dispatch["lon"] is None or dispatch["lat"] is None:
        return None
    return dispatch["lon"] + _BESIDE_DEG, dispatch["lat"]


def stop_on_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def parser(about: str) -> argparse.ArgumentParser:
    """The arguments that all simulated people share."""
    arguments = argparse.ArgumentParser(description=about)
    arguments.add_argument("--url", required=True, help="the centre's address")
    arguments.add_argument("--user", required=True, help="login")
    arguments.add_argument("--password-file", required=True, type=Path, help="file with the password")
    arguments.add_argument("--pause", type=float, default=PAUSE_S, help="seconds before each step")
    return arguments


def main() -> None:
    """See the module."""
    options = parser("A simulated officer's phone.").parse_args()
    Phone(Api(options.url, options.user, options.password_file), options.pause).run(stop_on_signals())


if __name__ == "__main__":
    main()

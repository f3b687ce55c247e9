"""A simulated person of the control room: looks at what is new, decides by a small script, verifies.

An operator acknowledges everything, confirms machines and refutes walkers of levels III and IV; a
supervisor dismisses what was refuted of levels I and II and verifies what the field resolved. What the
centre refuses is not asked again.

    python -m hcawatch.demo.room --url http://127.0.0.1:8080 --user operator --password-file FILE
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from hcawatch.demo.client import Api, ApiError, AwayError, RefusedError
from hcawatch.demo.phone import LONGEST_WAIT_S, PAUSE_S, parser, stop_on_signals

log = structlog.get_logger(__name__)

POLL_S = 1.0
#: mild alerts about these are confirmed; others are refuted and dismissed
CONFIRMED_CLASSES = frozenset({"excavator", "loader", "drill_rig", "crane", "truck"})
_MILD = frozenset({"III", "IV"})

Step = tuple[str, dict[str, Any]]

_DISMISS: Step = (
    "dismiss",
    {
        "reason": "false_alarm",
        "cause": "other",
        "note": "Simulated: a walker, nothing touched / 模拟：行人路过，未触碰管道",
    },
)


def operators_step(alert: dict[str, Any]) -> Step | None:
    """What the operator does next with this running alert, or nothing."""
    if alert["kind"] == "health":
        return ("acknowledge", {}) if alert["state"] == "open" else None
    if alert["state"] == "open" and alert["level"] in _MILD:
        if alert["object_class"] in CONFIRMED_CLASSES:
            return ("confirm", {}) if alert["confirmation"] != "confirmed" else None
        return ("refute", {}) if alert["confirmation"] == "pending" else _DISMISS
    if alert["acknowledged_at"] is None and alert["state"] in (
        "open",
        "dispatched",
        "accepted",
        "en_route",
        "on_site",
    ):
        return ("acknowledge", {})
    return None


def supervisors_step(alert: dict[str, Any]) -> Step | None:
    """What the supervisor does next with this running alert, or nothing."""
    if alert["kind"] == "violation" and alert["state"] == "resolved":
        return ("verify", {"reason": "rectified", "note": "Simulated supervisor / 模拟主管：已核实"})
    if alert["state"] == "open" and alert["confirmation"] == "refuted" and alert["level"] not in _MILD:
        return _DISMISS
    return None


class RoomPerson:
    """One person at a console. `clock_s` is passed in, so that tests need not wait."""

    def __init__(
        self,
        api: Api,
        script: Callable[[dict[str, Any]], Step | None],
        pause_s: float = PAUSE_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._script, self._pause_s, self._clock_s = api, script, pause_s, clock_s
        self._first_seen_s: dict[str, float] = {}
        self._refused: set[str] = set()

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop; a centre that is away is asked again."""
        wait_s = POLL_S
        while not stopping.wait(wait_s):
            try:
                self.turn()
                wait_s = POLL_S
            except AwayError as exc:
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
                log.info("room.centre_away", user=self._api.user, error=str(exc))
            except ApiError as exc:
                wait_s = LONGEST_WAIT_S
                log.warning("room.refused", user=self._api.user, error=str(exc))

    def turn(self) -> int:
        """One look at the running alerts; returns how many steps were taken."""
        taken = 0
        for alert in self._api.alerts(running=True, limit=200):
            step = self._script(alert)
            if step is None:
                continue
            name, body = step
            # the version makes a step after a reopening another one
            key = f"{self._api.user}:{name}:{alert['version']}"
            known = f"{alert['alert_id']}:{key}"
            now_s = self._clock_s()
            first_seen_s = self._first_seen_s.setdefault(known, now_s)
            if known in self._refused or now_s < first_seen_s + self._pause_s:
                continue
            taken += self._take(alert, name, key, known, body)
        return taken

    def _take(self, alert: dict[str, Any], name: str, key: str, known: str, body: dict[str, Any]) -> int:
        try:
            self._api.step(alert["alert_id"], key, step=name, **body)
        except RefusedError as exc:
            self._refused.add(known)
            log.info("room.step_refused", user=self._api.user, step=name, error=str(exc))
            return 0
        log.info("room.step", user=self._api.user, alert=alert["number"], step=name)
        return 1


SCRIPTS = {"operator": operators_step, "supervisor": supervisors_step}


def main() -> None:
    """See the module."""
    arguments = parser("A simulated person of the control room.")
    arguments.add_argument("--script", choices=sorted(SCRIPTS), help="default: by the login's name")
    options = arguments.parse_args()
    script = SCRIPTS[options.script or ("supervisor" if "supervisor" in options.user else "operator")]
    RoomPerson(Api(options.url, options.user, options.password_file), script, options.pause).run(
        stop_on_signals()
    )


if __name__ == "__main__":
    main()

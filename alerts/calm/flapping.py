"""A camera or an edge that is lost, comes back and is lost again: one alert stays open and counts. Pure.

From the n-th time within m minutes on, its alert does not clear when it is back, but when it stayed back for m
minutes. A violation that comes and goes needs no such rule: its episodes join one case as long as that is open, and
the case counts how often it came back.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.commands import Commands, SetTimer, Touch, changed
from alerts.lifecycle import State, Step
from alerts.reasons import Health, Why
from alerts.values import Alert, LastWord, Timer, TimerKind
from monitor.domain.calm import Calm
from monitor.domain.events import CameraState

#: what clears by itself, and whose newest state the database knows
FLAPS: Final = frozenset({Health.CAMERA_NOT_WATCHING, Health.EDGE_OFFLINE})
_WELL: Final = frozenset({CameraState.STREAMING.value, "online"})


def flaps(health: str | None, lost_before: int, calm: Calm) -> bool:
    """Whether this loss, after so many alerts of the same subject within the window, is one too many."""
    return health in FLAPS and lost_before + 1 >= calm.flap_times


def on_back(running: Alert, calm: Calm, now: datetime) -> Commands:
    """It is back, but flaps: count, and look again once it could have stayed back long enough."""
    due_at = now + timedelta(seconds=calm.flap_within_s)
    timer = Timer(alert_id=running.alert_id, what=TimerKind.FLAPS, due_at=due_at)
    counted = msgspec.structs.replace(running, came_back=(running.came_back or 0) + 1)
    return (Touch(alert=counted), SetTimer(timer=timer, once=True))


def on_flap_timer(alert: Alert, word: LastWord | None, calm: Calm, now: datetime) -> Commands:
    """Clears what stayed back long enough; else looks again when it may have. `word`: its newest state."""
    if alert.closed_at is not None or alert.flapping_since is None:
        return ()
    if word is None or word.state not in _WELL:
        return ()  # lost: its return sets the next timer
    # the edge's clock may be ahead: no wait is longer than the window
    stayed = min(max(timedelta(0), now - word.since), timedelta(seconds=calm.flap_within_s))
    left = timedelta(seconds=calm.flap_within_s) - stayed
    if left > timedelta(0):
        timer = Timer(alert_id=alert.alert_id, what=TimerKind.FLAPS, due_at=now + left)
        return (SetTimer(timer=timer, once=True),)
    return (changed(alert, Step.CLEAR, Why.STAYED_BACK, now, to=State.CLEARED, closed_at=now,
                    condition_ended_at=now, closing_reason=Why.STAYED_BACK.value),)  # fmt: skip

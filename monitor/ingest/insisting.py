"""Doing a step until it succeeds: what is in hand is neither lost nor acknowledged while the database is away."""

import random
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

BACKOFF_MIN_S, BACKOFF_MAX_S = 0.2, 5.0


def insist(
    step: Callable[[], Result], stopping: threading.Event, failed: Callable[[Exception, float], None]
) -> Result | None:
    """What `step` returns at last; None if `stopping` is set before.

    `failed` hears of each failure, with the seconds until about which it is tried again; what it raises ends the trying.
    """
    backoff_s = BACKOFF_MIN_S
    while not stopping.is_set():
        try:
            return step()
        except Exception as exc:  # noqa: BLE001 - `failed` says what may be tried again
            failed(exc, backoff_s)
        stopping.wait(backoff_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
    return None

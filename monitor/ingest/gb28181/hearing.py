"""Which devices have fallen silent. Pure but for its memory; `now` is passed in.

A device that never came counts from the start: one that is configured and was never heard is as blind as one that broke.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

#: what was told is told once more after this: two workers may take two changes of a moment in the other order
AGAIN_AFTER: Final = timedelta(seconds=60)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A device fell silent, or is heard; `at`: since when it is silent, or when it was heard."""

    gb_id: str
    silent: bool
    at: datetime


class _One(msgspec.Struct, kw_only=True):
    heard_at: datetime
    #: None: nothing was told yet
    told_silent: bool | None = None
    told_at: datetime | None = None


class Hearing:
    """The memory of one door."""

    def __init__(self, devices: Iterable[str], silent_after: timedelta, now: datetime) -> None:
        self._after = silent_after
        self._devices = {gb_id: _One(heard_at=now) for gb_id in devices}
        self._heard: set[str] = set()

    def heard(self, gb_id: str, now: datetime) -> None:
        """The device said something and was who it said."""
        one = self._devices.get(gb_id)
        if one is not None:
            one.heard_at = max(one.heard_at, now)
            self._heard.add(gb_id)

    def changes(self, now: datetime) -> tuple[Change, ...]:
        """What is to be told now; `told` says that it was."""
        found = []
        for gb_id, one in self._devices.items():
            silent = now - one.heard_at >= self._after
            if not silent and gb_id not in self._heard:
                continue  # not heard yet, and not silent for long enough
            again = one.told_at is not None and now - one.told_at >= AGAIN_AFTER
            if one.told_silent is not silent or again:
                found.append(Change(gb_id=gb_id, silent=silent, at=one.heard_at))
        return tuple(found)

    def told(self, change: Change, now: datetime) -> None:
        """The alert module knows."""
        one = self._devices[change.gb_id]
        one.told_at = now if one.told_silent is not change.silent else None
        one.told_silent = change.silent

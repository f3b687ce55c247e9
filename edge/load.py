"""Whether an edge's detector keeps up: looks asked for and had, per camera, in the last minute. Pure.

Judged from what the cameras' processes count, so that it holds as well while the detector is dead. Overloaded
is an edge that refuses a tenth of the looks over ten seconds, until it has refused next to none for half a
minute. Leaves the reaction to people: more cores, fewer cameras, fewer looks a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from edge.scheduling import Refusal
from monitor.domain.events import CameraLoad, DetectorLoad

#: What the status tells, and how often it is noted.
WINDOW_S: Final = 60.0
NOTE_S: Final = 1.0
#: Overloaded: so many of the looks of the last seconds were refused since there was no time, and a few at least.
BEGINS_SHARE: Final = 0.1
BEGINS_S: Final = 10.0
BEGINS_LOOKS: Final = 5
#: No longer overloaded: hardly any for so long.
ENDS_SHARE: Final = 0.02
ENDS_S: Final = 30.0
#: Refusals that mean too much work; the others mean that no detector was there.
OVERLOAD: Final = (Refusal.LATE, Refusal.SUPERSEDED)


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Looks of one camera since its process began."""

    asked: int = 0
    served: int = 0
    #: of those that were not served, the ones for which there was no time
    late: int = 0


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What was added since the note before, up to a moment (monotonic seconds)."""

    at_s: float
    cameras: dict[str, Counted]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered."""

    #: the last minute's, oldest first
    notes: tuple[Note, ...] = ()
    last: dict[str, Counted] = msgspec.field(default_factory=dict)
    overloaded_since: datetime | None = None


def noted(load: Load, counted: Mapping[str, Counted], now_s: float, now: datetime) -> Load:
    """The load after the cameras' newest counts; unchanged within a second of the note before."""
    if load.notes and now_s - load.notes[-1].at_s < NOTE_S:
        return load
    added = {camera: _added(load.last.get(camera, Counted()), one) for camera, one in counted.items()}
    notes = tuple(n for n in load.notes if now_s - n.at_s < WINDOW_S)
    notes = (*notes, Note(at_s=now_s, cameras=added))
    since = load.overloaded_since
    if since is None:
        asked, late = _all(notes, now_s - BEGINS_S)
        since = now if late >= BEGINS_LOOKS and late >= BEGINS_SHARE * asked else None
    else:
        asked, late = _all(notes, now_s - ENDS_S)
        since = None if late <= ENDS_SHARE * asked else since
    return Load(notes=notes, last=dict(counted), overloaded_since=since)


def _added(before: Counted, now: Counted) -> Counted:
    if now.asked < before.asked:  # its process began anew
        before = Counted()
    return Counted(
        asked=now.asked - before.asked, served=now.served - before.served, late=now.late - before.late
    )


def _all(notes: tuple[Note, ...], since_s: float) -> tuple[int, int]:
    """(asked, late) of all cameras since then."""
    counts = [one for note in notes if note.at_s > since_s for one in note.cameras.values()]
    return sum(c.asked for c in counts), sum(c.late for c in counts)


def troubles(load: Load) -> tuple[str, ...]:
    """What people read of it beside the worker's other troubles; nothing while the detector keeps up."""
    if load.overloaded_since is None:
        return ()
    asked, served = (
        sum(getattr(one, name) for note in load.notes for one in note.cameras.values())
        for name in ("asked", "served")
    )
    since = f"{load.overloaded_since:%Y-%m-%d %H:%M:%S} UTC"
    return (f"the detector cannot keep up since {since}: {served} of {asked} looks in the last minute",)


def told(load: Load, *, shared: bool) -> DetectorLoad:
    """As the edge's status says it."""
    asked: dict[str, int] = {}
    served: dict[str, int] = {}
    for note in load.notes:
        for camera, one in note.cameras.items():
            asked[camera] = asked.get(camera, 0) + one.asked
            served[camera] = served.get(camera, 0) + one.served
    cameras = {camera: CameraLoad(asked=asked[camera], served=served[camera]) for camera in sorted(asked)}
    return DetectorLoad(shared=shared, overloaded_since=load.overloaded_since, cameras=cameras)

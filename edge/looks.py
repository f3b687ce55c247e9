"""Looks of the detector that a camera asked for: which it had, which were refused, and what that makes of it.

Pure. A refused look is no look: its time is unwatched unless the next one comes soon (`edge.coverage`), and a
camera that gets none at all says so in its state.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from edge.gate import LINGER_S, GateState
from edge.scheduling import NOBODY_UNSEEN_S, Occasion, Refusal
from edge.watcher import WatcherState
from monitor.domain.events import CameraState
from monitor.domain.remarks import Remark, told

#: Asking for so long in vain: not even the looks that everybody gets under overload.
IN_VAIN_S: Final = NOBODY_UNSEEN_S + 4.0


#: What a camera's state says of the refusals, by the last one.
REASONS: Final = {
    Refusal.LATE: told(Remark.DETECTOR_BUSY),
    Refusal.SUPERSEDED: told(Remark.DETECTOR_BUSY),
    Refusal.ABSENT: told(Remark.DETECTOR_ABSENT),
    Refusal.NO_ANSWER: told(Remark.DETECTOR_SILENT),
    Refusal.FAILED: told(Remark.DETECTOR_FAILS),
    Refusal.OTHER_MODEL: told(Remark.OTHER_WEIGHTS),
}


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the process began, and the refusals that run."""

    asked: int = 0
    served: int = 0
    #: by `scheduling.Refusal`
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    #: since the last look that was served: when the first was refused (monotonic, and UTC), and why the last
    since_s: float | None = None
    since: datetime | None = None
    why: Refusal | None = None


def had(looks: Looks) -> Looks:
    """After a look that was served."""
    return Looks(asked=looks.asked + 1, served=looks.served + 1, refused=looks.refused)


def refused(looks: Looks, why: Refusal, now_s: float, now: datetime) -> Looks:
    """After one that was refused."""
    return Looks(
        asked=looks.asked + 1, served=looks.served, refused={**looks.refused, why.value: looks.refused.get(why, 0) + 1},
        since_s=now_s if looks.since_s is None else looks.since_s, since=looks.since or now, why=why,
    )  # fmt: skip


def paused(looks: Looks) -> Looks:
    """After the camera itself saw nothing for a while: whoever asks then begins anew."""
    return msgspec.structs.replace(looks, since_s=None, since=None, why=None)


def state_of(looks: Looks, state: CameraState, now_s: float) -> CameraState:
    """The camera's state: streaming is not enough where nobody looks."""
    in_vain = looks.since_s is not None and now_s - looks.since_s >= IN_VAIN_S
    return CameraState.UNANALYSED if state is CameraState.STREAMING and in_vain else state


def reason_of(looks: Looks) -> str:
    """Why nobody looks, as a remark."""
    return "" if looks.why is None else REASONS[looks.why]


def occasion_of(state: WatcherState, gate: GateState, media_s: float) -> Occasion:
    """What the next look is for."""
    already = {episode.track_id for episode in state.episodes}
    if any(track.holds and track.track_id not in already for track in state.tracks):
        return Occasion.DWELL
    if gate.last_motion_s is not None and media_s - gate.last_motion_s <= LINGER_S:
        return Occasion.MOTION
    return Occasion.EPISODE if state.episodes or state.restored else Occasion.FLOOR

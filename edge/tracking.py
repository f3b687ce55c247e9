"""Which box is which object from look to look: a small protocol over Roboflow's ByteTrack.

Track ids belong to one tracker of one camera session and start at 1; nothing counts on a class or a
module. Decides nothing about activity or violation. Its import costs about 0.7 s CPU and 79 MB (SciPy).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
import numpy as np
import supervision as sv
from trackers import ByteTrackTracker

Box = tuple[float, float, float, float]

#: A lost object is remembered this long (stream seconds); longer than the gate's floor and an occlusion.
REMEMBER_S: Final = 8.0
#: Boxes scoring less than this are not tracked at all; they only cost.
LOWEST_SCORE: Final = 0.15
#: Boxes from this on are matched first; those below may only keep a track alive (ByteTrack's second stage).
HIGH_SCORE: Final = 0.35


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """A detector's box."""

    class_name: str
    score: float
    xyxy: Box


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """A box with the id of its track."""

    track_id: int
    class_name: str
    score: float
    xyxy: Box


class Tracker(Protocol):
    """Gives boxes of successive looks the ids of objects."""

    def update(self, boxes: Sequence[Raw], media_s: float) -> tuple[Tracked, ...]:
        """Boxes that belong to a confirmed track; `media_s` must not go back."""
        ...


class ByteTracker:
    """ByteTrack with time stamps, for looks at irregular intervals."""

    def __init__(self, looks_per_s: float = 5.0, new_track_score: float = 0.4) -> None:
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(REMEMBER_S * 30),  # the library counts in thirtieths of a second
            frame_rate=looks_per_s,
            track_activation_threshold=new_track_score,
            minimum_consecutive_frames=2,
            minimum_iou_threshold=0.1,
            high_conf_det_threshold=min(HIGH_SCORE, new_track_score),
        )
        self._last_s: float | None = None

    def update(self, boxes: Sequence[Raw], media_s: float) -> tuple[Tracked, ...]:
        """Boxes that belong to a confirmed track; a look that goes back in time gives none."""
        if self._last_s is not None and media_s <= self._last_s:
            return ()
        self._last_s = media_s
        kept = [box for box in boxes if box.score >= LOWEST_SCORE]
        result = self._tracker.update(_detections(kept), timestamp=media_s)
        indices, ids = result.data.get("index", ()), result.tracker_id
        if ids is None:
            return ()
        return tuple(
            # the library counts from 0; 0 reads like 'none' in an event
            Tracked(track_id=int(track_id) + 1, class_name=kept[int(index)].class_name,
                    score=kept[int(index)].score, xyxy=kept[int(index)].xyxy)
            for index, track_id in zip(indices, ids, strict=True) if track_id >= 0
        )  # fmt: skip


def _detections(boxes: Sequence[Raw]) -> sv.Detections:
    if not boxes:
        empty = sv.Detections.empty()
        empty.data = {"index": np.empty(0, dtype=int)}
        return empty
    return sv.Detections(
        xyxy=np.array([box.xyxy for box in boxes], dtype=np.float64),
        confidence=np.array([box.score for box in boxes], dtype=np.float64),
        class_id=np.zeros(len(boxes), dtype=int),
        data={"index": np.arange(len(boxes))},
    )

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


#: What is never taken for one another: each kind is followed by itself. A class that stands in none is a vehicle
#: or machine, which the detector does confuse.
KINDS: Final = ("person", "fire", "smoke")
VEHICLE: Final = "vehicle"


def kind_of_object(class_name: str) -> str:
    """The kind by which objects of a class are followed.

    >>> kind_of_object("person"), kind_of_object("excavator") == kind_of_object("truck")
    ('person', True)
    """
    return class_name if class_name in KINDS else VEHICLE


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
    """ByteTrack with time stamps, for looks at irregular intervals; one for each of the KINDS.

    A person who walks in front of a parked car would else take over the car's track, and its silence.
    """

    def __init__(self, looks_per_s: float = 5.0, new_track_score: float = 0.4) -> None:
        self._kinds = {
            kind: ByteTrackTracker(
                lost_track_buffer=round(REMEMBER_S * 30),  # the library counts in thirtieths of a second
                frame_rate=looks_per_s,
                track_activation_threshold=new_track_score,
                minimum_consecutive_frames=2,
                minimum_iou_threshold=0.1,
                high_conf_det_threshold=min(HIGH_SCORE, new_track_score),
            )
            for kind in (*KINDS, VEHICLE)
        }
        self._last_s: float | None = None

    def update(self, boxes: Sequence[Raw], media_s: float) -> tuple[Tracked, ...]:
        """Boxes that belong to a confirmed track; a look that goes back in time gives none."""
        if self._last_s is not None and media_s <= self._last_s:
            return ()
        self._last_s = media_s
        told: list[Tracked] = []
        for order, (kind, tracker) in enumerate(self._kinds.items()):
            kept = [b for b in boxes if b.score >= LOWEST_SCORE and kind_of_object(b.class_name) == kind]
            result = tracker.update(_detections(kept), timestamp=media_s)
            for index, own in _followed(result):
                # The library counts each from 0; 0 reads like 'none' in an event.
                track_id, box = own * len(self._kinds) + order + 1, kept[index]
                told.append(
                    Tracked(track_id=track_id, class_name=box.class_name, score=box.score, xyxy=box.xyxy)
                )
        return tuple(told)


def _followed(result: sv.Detections) -> list[tuple[int, int]]:
    """(index of the box, id of its track) where there is one."""
    if result.tracker_id is None:
        return []
    pairs = zip(result.data.get("index", ()), result.tracker_id, strict=True)
    return [(int(index), int(own)) for index, own in pairs if own >= 0]


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

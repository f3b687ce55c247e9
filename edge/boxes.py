"""What the detector found lately, for the copies of evidence that hide faces and plates.

Evidence carries the boxes of everything that was found in it, not only of what an alarm is about, and at a
lower score: `monitor.domain.privacy` says which part of each the centre hides, and from whom.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from edge.frames import RING_S
from models.detector import Detection
from monitor.domain.privacy import PLATE_BESIDE, PLATE_SHARE, UNSEEN_S, Box, Look, Note, boxes_of, in_size

#: Kept as long as the packets of a clip, and what lies just before them.
KEPT_S: Final = RING_S + UNSEEN_S


def of_right_half(note: Note) -> Note:
    """The note of a picture beside which, on the left, stands another of its size that no look is of: all hidden."""
    width, height = note.size_px
    # the hidden part of a vehicle's box, below its roof and a little beside it, is then just the left half
    all_of_it = Box(
        "v", 100, 0, height - math.ceil(height / PLATE_SHARE), round(width / (1 + PLATE_BESIDE)), height
    )
    looks = tuple(
        Look(
            look.at_s,
            (all_of_it, *(Box(b.kind, b.score, b.x1 + width, b.y1, b.x2 + width, b.y2) for b in look.boxes)),
        )
        for look in note.looks
    )
    return Note(size_px=(2 * width, height), looks=looks)


def enlarged(note: Note, scale: int) -> Note:
    """The note for the same picture, so many times as large."""
    looks = tuple(
        Look(
            look.at_s,
            tuple(Box(b.kind, b.score, *(v * scale for v in (b.x1, b.y1, b.x2, b.y2))) for b in look.boxes),
        )
        for look in note.looks
    )
    return Note(size_px=(note.size_px[0] * scale, note.size_px[1] * scale), looks=looks)


class SeenBoxes:
    """The boxes of the last looks of one camera, by stream time."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, tuple[int, int], tuple[Box, ...]]] = deque()

    def add(self, media_s: float, size_px: tuple[int, int], found: Iterable[Detection]) -> None:
        """One look of the detector; what is older than a clip can be is forgotten."""
        boxes = boxes_of((d.class_name, d.score, d.xyxy) for d in found)
        self._looks.append((media_s, size_px, boxes))
        while media_s - self._looks[0][0] > KEPT_S:
            self._looks.popleft()

    def still(self, back_s: float = 0.0) -> Note | None:
        """The newest look's boxes, for its picture; None if there was no look.

        Args:
            back_s: with those of the looks so long before it, for a picture that may be a moment older.
        """
        if not self._looks:
            return None
        newest_s, size_px, _ = self._looks[-1]
        boxes = tuple(
            box
            for at_s, of_px, found in self._looks
            if of_px == size_px and newest_s - at_s <= back_s
            for box in found
        )
        return Note(size_px=size_px, looks=(Look(0.0, boxes),))

    def film(self, first_s: float, last_s: float) -> Note | None:
        """The looks of that stretch and those just outside it, in seconds from `first_s`; None without one.

        Looks at a substream and at the main stream both count, in pixels of the largest of them. None too if
        one of them is of another shape: without it a stretch of the film would uncover whom it saw.
        """
        inside = [look for look in self._looks if first_s - UNSEEN_S <= look[0] <= last_s + UNSEEN_S]
        if not inside:
            return None
        largest_px = max((size_px for _, size_px, _ in inside), key=math.prod)
        looks: list[Look] = []
        for at_s, size_px, boxes in inside:
            look = Look(round(at_s - first_s, 3), boxes)
            if (note := in_size(Note(size_px=size_px, looks=(look,)), largest_px)) is None:
                return None
            looks += note.looks
        return Note(size_px=largest_px, looks=tuple(looks))

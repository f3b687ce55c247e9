"""What the detector found lately, for the copies of evidence that hide faces and plates.

Evidence carries the boxes of everything that was found in it, not only of what an alarm is about, and at a
lower score: `monitor.domain.privacy` says which part of each the centre hides, and from whom.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from edge.frames import RING_S
from models.detector import Detection
from monitor.domain.privacy import UNSEEN_S, Box, Look, Note, boxes_of

#: Kept as long as the packets of a clip, and what lies just before them.
KEPT_S: Final = RING_S + UNSEEN_S


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

    def still(self, scale: int = 1) -> Note | None:
        """The newest look's boxes, for its picture enlarged `scale` times; None if there was no look."""
        if not self._looks:
            return None
        _, (width_px, height_px), boxes = self._looks[-1]
        larger = tuple(Box(b.kind, b.score, *(v * scale for v in (b.x1, b.y1, b.x2, b.y2))) for b in boxes)
        return Note(size_px=(width_px * scale, height_px * scale), looks=(Look(0.0, larger),))

    def film(self, first_s: float, last_s: float) -> Note | None:
        """The looks of that stretch and those just outside it, in seconds from `first_s`; None without one.

        If the camera changed its picture's size in between, the looks of the newest size.
        """
        inside = [look for look in self._looks if first_s - UNSEEN_S <= look[0] <= last_s + UNSEEN_S]
        if not inside:
            return None
        size_px = inside[-1][1]
        looks = tuple(
            Look(round(at_s - first_s, 3), boxes) for at_s, size, boxes in inside if size == size_px
        )
        return Note(size_px=size_px, looks=looks)

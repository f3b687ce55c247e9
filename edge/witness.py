"""Shows one camera's scene to its long memory, and keeps a picture of how it looked before: the rim.

Decides nothing but when to look: only a camera in its place that sees well teaches the memory. What has changed
is `edge.unexplained`'s word, and whether it matters that of the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import cv2
import numpy as np
import structlog

from edge import change
from edge.errors import OutboxRefused
from edge.frames import Bgr, Frame, Luma
from edge.minder import Notes
from edge.registration import key_of
from edge.unexplained import Memory
from edge.watchdog import Health
from edge.watcher import Seen
from monitor.domain.assets import Camera
from monitor.domain.events import CameraState

#: A picture of the scene is put by so often while nothing has changed, and two are kept; the one that is shown was
#: taken so long before the change was noticed, which a standing picture takes.
PICTURE_EVERY_S: Final = 300.0
BEFORE_S: Final = 30.0
JPEG_QUALITY: Final = 80
#: The memory goes to disk so often.
NOTE_EVERY_S: Final = 600.0
NOTE_FIRST_S: Final = 90.0

log: Any = structlog.get_logger()


class Witness:
    """One camera's memory of its scene, with what belongs to it."""

    def __init__(self, camera: Camera, notes: Notes) -> None:
        self._camera_id, self._notes, self._key = camera.camera_id, notes, f"changes:{camera.camera_id}"
        self._memory = Memory(key_of(camera), notes.note(self._key))
        self._pictures: tuple[tuple[float, bytes], ...] = ()
        self._note_due_s: float | None = None

    def look(self, frame: Frame, small: Luma, health: Health) -> None:
        """One more picture, with the watchdog's word on it."""
        if health.state is CameraState.MOVED:
            if self._memory.known:
                self._memory.forget()
                self._pictures = ()
                self._save()
            return
        if health.state is not CameraState.STREAMING or health.suspect is not None:
            self._memory.lost_sight()
            return
        if not self._memory.look(small, frame.media_s, infrared=health.infrared):
            return
        taken_s = self._pictures[-1][0] if self._pictures else None
        if not self._memory.regions and (
            taken_s is None or not 0.0 <= frame.media_s - taken_s < PICTURE_EVERY_S
        ):
            good, jpeg = cv2.imencode(".jpg", frame.picture.bgr(), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if good:
                self._pictures = (*self._pictures[-1:], (frame.media_s, jpeg.tobytes()))
        if self._note_due_s is None:
            self._note_due_s = frame.media_s + NOTE_FIRST_S
        elif frame.media_s >= self._note_due_s:
            self._note_due_s = frame.media_s + NOTE_EVERY_S
            self._save()

    def objects(
        self, known: Iterable[Seen], frame_size_px: tuple[int, int], media_s: float
    ) -> tuple[tuple[Seen, ...], tuple[int, ...]]:
        """(the places that changed and nothing known explains, ids of those that were learned) at a detector's look."""
        self._memory.knows((seen.xyxy for seen in known), frame_size_px, media_s)
        learned, self._memory.learned = self._memory.learned, ()
        return change.seen(self._memory.regions, frame_size_px), learned

    def before(self, region_id: int) -> Bgr | None:
        """How the scene looked before the change of that id; a coarse sketch if no picture is old enough."""
        since_s = next((r.since_s for r in self._memory.regions if r.region_id == region_id), None)
        for taken_s, jpeg in reversed(self._pictures):
            if since_s is not None and taken_s <= since_s - BEFORE_S:
                picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                return None if picture is None else np.asarray(picture, dtype=np.uint8)
        sketch = self._memory.view()
        return (
            None if sketch is None else np.asarray(cv2.cvtColor(sketch, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
        )

    def _save(self) -> None:
        try:
            self._notes.set_note(self._key, self._memory.note())
        except OutboxRefused as exc:  # a full disk: the scene is learned again after a restart
            log.error("changes_note_refused", camera=self._camera_id, error=str(exc))

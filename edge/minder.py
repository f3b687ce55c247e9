"""Minds one camera: asks the watchdog, the scene's register and the clocks in turn, and keeps the note.

Moves data between pure parts; each decides for itself. A moved camera's word survives a restart in the
outbox, so that no place is told from a void survey in between.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import structlog

from edge import lossy, pace, registration, watchdog
from edge.errors import OutboxRefused
from edge.frames import Frame, Luma
from edge.reader import LinkStatus
from monitor.domain.assets import Camera
from monitor.domain.events import CameraState, NoFix
from monitor.domain.remarks import Remark, told

_FIT: Final = frozenset({CameraState.STREAMING, CameraState.MOVED})

log: Any = structlog.get_logger()


class Notes(Protocol):
    """The part of the outbox that is used here."""

    def note(self, key: str) -> str | None:
        """What was kept."""
        ...

    def set_note(self, key: str, value: str | None) -> None:
        """Keep it; OutboxRefused if the disk does not take it."""
        ...


class Minder:
    """One camera's watchdog with all that it remembers."""

    def __init__(self, camera: Camera, notes: Notes, now_s: float) -> None:
        self._camera_id, self._notes = camera.camera_id, notes
        self._key = f"scene:{camera.camera_id}"
        self._scene = registration.Registrar(registration.key_of(camera), notes.note(self._key))
        self._pace, self._clock, self._losses, self._remark = pace.Pace(), pace.Clock(), lossy.Losses(), ""
        self.health = watchdog.Health(since_s=now_s)

    @property
    def void(self) -> NoFix | None:
        """Why no position can be given just now."""
        return NoFix.CAMERA_MOVED if self._scene.word.moved else None

    def look(
        self,
        frame: Frame | None,
        now_s: float,
        link: LinkStatus,
        *,
        small: Luma | None = None,
        before: Luma | None = None,
        pictures: tuple[int, int] | None = None,
    ) -> watchdog.Health:
        """The word after one more look, or after a while without one.

        Args:
            small: the frame's small brightness picture. before: that of the look before.
            pictures: whole ones and broken ones that came so far.
        """
        if pictures is not None:
            self._losses = lossy.counted(self._losses, now_s, *pictures)
        figures = None
        if frame is not None and small is not None:
            grey = watchdog.is_grey(frame.picture.bgr()) if watchdog.asks_grey(self.health, now_s) else None
            figures = watchdog.measure(small, before, grey)
            self._see(small, figures.mean, now_s)
            self._compare_clocks(frame, now_s)
        self.health = watchdog.assess(
            self.health, now_s, link, figures, moved=self._scene.word.moved, remark=self._remarks()
        )
        return self.health

    def _see(self, small: Luma, light: float, now_s: float) -> None:
        """Show the register good pictures only: those of a word that nothing speaks against."""
        if self.health.state not in _FIT or self.health.suspect not in (None, *_FIT):
            self._scene.lost_sight()
            return
        self._scene.look(small, now_s, light=light, infrared=self.health.infrared)
        if (note := self._scene.note()) is None:
            return
        try:
            self._notes.set_note(self._key, note)
        except OutboxRefused as exc:  # a full disk: the scene is learned again after a restart
            log.error("scene_note_refused", camera=self._camera_id, error=str(exc))

    def _compare_clocks(self, frame: Frame, now_s: float) -> None:
        if not frame.late:  # a frame that was put aside says nothing of the line
            self._pace = pace.paced(self._pace, now_s, frame.media_s)
        if frame.camera_utc is not None and not frame.time_uncertain:
            self._clock = pace.compared(self._clock, now_s, frame.camera_utc, frame.captured_at)

    def _remarks(self) -> str:
        """What is to be told of a camera that streams; logged when it changes."""
        remarks = []
        if self.health.infrared:
            remarks.append(told(Remark.INFRARED))
        if (drift := self._pace.drift) is not None:
            remarks.append(told(Remark.STREAM_SLOW if drift > 0 else Remark.STREAM_FAST, 100 * abs(drift)))
        if (off_s := self._clock.off_s) is not None:
            remarks.append(told(Remark.CLOCK_AHEAD if off_s > 0 else Remark.CLOCK_BEHIND, abs(off_s)))
        if (share := self._losses.share) is not None:
            remarks.append(told(Remark.LOSSY, 100 * share))
        remark = "; ".join(remarks)
        if remark != self._remark:
            log.info("camera_remark", camera=self._camera_id, remark=remark, was=self._remark)
            self._remark = remark
        return remark

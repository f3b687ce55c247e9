"""What lies between the detector and a camera's decision core: tracks, motion inside boxes, pixels of the full frame.

Decides nothing; `camera_process` calls it with each look, and so do benches that look without a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from edge import gate, watcher
from edge.activity import box_motion
from edge.frames import Frame, Luma
from edge.tracking import Raw, Tracker
from models.detector import Detection
from monitor.domain.ground.fix import scale_between

#: Late frames may take so long: below `watcher.GRACE_S`, after which a dwell would begin anew.
CATCH_UP_S: Final = 2.0


def planes(frame: Frame | None) -> tuple[Luma, Luma] | tuple[None, None]:
    """A frame's brightness plane, and the small one."""
    if frame is None:
        return None, None
    luma = frame.picture.luma()
    return luma, gate.shrink(luma)


def followed(
    tracker: Tracker, found: Sequence[Detection], media_s: float, *, luma: Luma, before: Luma | None
) -> tuple[watcher.Seen, ...]:
    """What a look's boxes are of, and how much moves in each since the look `before`; full pictures (H, W)."""
    raw = [Raw(class_name=d.class_name, score=d.score, xyxy=d.xyxy) for d in found]
    return tuple(
        watcher.Seen(
            track_id=t.track_id, class_name=t.class_name, score=t.score, xyxy=t.xyxy,
            box_motion=None if before is None else box_motion(luma, before, t.xyxy),
        )
        for t in tracker.update(raw, media_s)
    )  # fmt: skip


def in_pixels_of(size_px: tuple[int, int] | None, look: watcher.Look) -> watcher.Look:
    """The look in pixels of the camera's full frame, where a substream shows it smaller; other shapes stay as they are."""
    scale = None if size_px is None else scale_between(look.frame_size_px, size_px)
    if scale is None or size_px is None or scale == 1.0:
        return look
    return msgspec.structs.replace(
        look, frame_size_px=size_px,
        objects=tuple(
            msgspec.structs.replace(o, xyxy=(o.xyxy[0] * scale, o.xyxy[1] * scale, o.xyxy[2] * scale, o.xyxy[3] * scale))
            for o in look.objects
        ),
    )  # fmt: skip


def most_late(look_s: float) -> int:
    """How many late frames can be looked at in CATCH_UP_S, at `look_s` each.

    >>> most_late(0.06), most_late(0.4), most_late(3.0)
    (33, 5, 2)
    """
    return max(2, round(CATCH_UP_S / max(look_s, 0.001)))

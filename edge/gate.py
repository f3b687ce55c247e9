"""The motion gate: whether this look goes to the detector.

Works on the brightness plane made small. Decides by moving blobs (MOG2) with a floor: what stands still is
looked at every two seconds too, so that it is not forgotten; where nothing stands, every six. Leaves what moves
to the detector.
"""

from __future__ import annotations

from typing import Final

import cv2
import msgspec
import numpy as np

from edge.frames import Luma

#: Width to which the picture is shrunk; 320 keeps a person at 100 m in a 1080p picture at about 3 x 8 px.
SMALL_WIDTH_PX: Final = 320
#: Pixels of the small picture that must move together: below it is noise, above it may be a distant person.
MOVING_PX: Final = 16
#: However still it is, the detector looks this often; where nothing stands that it knows, less often.
FLOOR_S: Final = 2.0
EMPTY_FLOOR_S: Final = 6.0
#: After motion ends the detector goes on looking for so long: what stopped is still there.
LINGER_S: Final = 1.0
#: Where nothing has moved for so long, key frames are enough (`edge.decoding`): what comes next wakes the
#: camera, and nothing is lost. Longer than the detector lingers.
REST_AFTER_S: Final = 1.2
#: Looks over which the model of the background learns, and looks a second for which that was chosen.
HISTORY: Final = 300
HISTORY_LOOKS_S: Final = 5.0


class GateState(msgspec.Struct, frozen=True, kw_only=True):
    """When the detector last looked, and when something last moved; stream seconds."""

    last_run_s: float | None = None
    last_motion_s: float | None = None
    first_s: float | None = None


class Motion(msgspec.Struct, frozen=True, kw_only=True):
    """What moves in one look."""

    #: pixels of the largest moving blob of the small picture
    largest_px: int = 0
    #: left, top, right, bottom of all that move, pixels of the small picture
    boxes: tuple[tuple[int, int, int, int], ...] = ()

    def in_frame(
        self, small: Luma, size_px: tuple[int, int]
    ) -> tuple[tuple[float, float, float, float], ...]:
        """The boxes in pixels of a frame of (width, height) `size_px`."""
        x, y = size_px[0] / small.shape[1], size_px[1] / small.shape[0]
        return tuple((a * x, b * y, c * x, d * y) for a, b, c, d in self.boxes)


def decide(
    state: GateState, moving_px: int, media_s: float, *, empty: bool = False, sparse: bool = False
) -> tuple[GateState, bool]:
    """Whether the detector looks now: something moves or moved a moment ago, or the floor is due.

    Args:
        empty: the look before found nothing, and nothing is being followed.
        sparse: the camera dozes. The next picture may come after the floor, so each is looked at unless empty.
    """
    moves, floor_s = moving_px >= MOVING_PX, EMPTY_FLOOR_S if empty else 0.0 if sparse else FLOOR_S
    last_motion_s = media_s if moves else state.last_motion_s
    lingers = last_motion_s is not None and media_s - last_motion_s <= LINGER_S
    due = state.last_run_s is None or not 0.0 <= media_s - state.last_run_s < floor_s
    run = lingers or due
    return GateState(
        last_run_s=media_s if run else state.last_run_s, last_motion_s=last_motion_s,
        first_s=media_s if state.first_s is None else state.first_s,
    ), run  # fmt: skip


def rests(state: GateState, media_s: float) -> bool:
    """Whether nothing has moved for a while, so that key frames are enough to look at."""
    last_s = state.last_motion_s if state.last_motion_s is not None else state.first_s
    return last_s is not None and media_s - last_s > REST_AFTER_S


def shrink(luma: Luma) -> Luma:
    """The picture at the gate's width, shape (h, 320); a smaller picture stays as it is."""
    height_px, width_px = luma.shape
    if width_px <= SMALL_WIDTH_PX:
        return np.ascontiguousarray(luma)
    size = (SMALL_WIDTH_PX, max(1, round(height_px * SMALL_WIDTH_PX / width_px)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class MotionMeter:
    """How many pixels of the small picture belong to something that moves. One per camera session."""

    def __init__(self) -> None:
        self._mog = cv2.createBackgroundSubtractorMOG2(history=HISTORY, varThreshold=25, detectShadows=False)
        self._kernel = np.ones((2, 2), np.uint8)
        self._shape: tuple[int, ...] = ()

    def measure(self, small: Luma, dt_s: float = 0.0) -> Motion:
        """What moves, after specks are removed; `dt_s` seconds after the look before.

        The background learns by seconds, not by looks, else a dozing camera's daylight would run away from it.
        """
        if small.shape != self._shape:  # the camera changed its resolution: begin anew
            self.__init__()  # type: ignore[misc]
            self._shape = small.shape
        looks = dt_s * HISTORY_LOOKS_S
        moved = self._mog.apply(small, learningRate=min(looks, 20.0) / HISTORY if looks > 2.0 else -1)
        mask = cv2.morphologyEx(moved, cv2.MORPH_OPEN, self._kernel)
        if not mask.any():
            return Motion()
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        blobs = stats[1:]  # the first is what does not move
        large = blobs[blobs[:, cv2.CC_STAT_AREA] >= MOVING_PX, : cv2.CC_STAT_AREA].tolist()
        return Motion(
            largest_px=int(blobs[:, cv2.CC_STAT_AREA].max()),
            boxes=tuple((x, y, x + w, y + h) for x, y, w, h in large),
        )

"""Where in a picture the detector looks: everywhere, only around what moves, or nowhere.

What stands where no pixel moves is what it was: its box is carried over, and costs nothing. Only boxes that
the network itself gave several times are carried; everything is looked at again every few seconds. A window
is seen at the scale of the whole picture, so that things in it look to the network as they always do. Pure,
but for `Looker`, which asks the detector.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.gate import LINGER_S
from edge.tracking import kind_of_object
from models.boxes import STRIDE_PX
from models.detector import Detection, Detector, ModelInfo
from monitor.domain.privacy import NOTED_SCORE

Box = tuple[float, float, float, float]
#: Left, top, right, bottom in whole pixels of the frame.
Part = tuple[int, int, int, int]
Reason = Literal["first", "again", "unsure", "wide", "moving", "still"]

#: Everything is looked at so often, whatever moves; as often as an empty picture (`gate.EMPTY_FLOOR_S`).
WHOLE_EVERY_S: Final = 6.0
#: A box is carried once the network gave it so often, and dropped when the network missed it so often in a row.
SETTLED_LOOKS: Final = 3
#: … over so long: a false box of half a second must not stand there for ten.
SETTLED_S: Final = 2.0
MISSED_LOOKS: Final = 2
#: What stood still and was hidden by something that passed is known again at once for so long.
HIDDEN_S: Final = 60.0
#: Two boxes of a kind that share so much are one thing that stands.
SAME_IOU: Final = 0.5
#: Windows' (width, height) as shares of the network's input, smallest first; larger ones save too little.
SHARES: Final = ((0.5, 0.5), (0.7, 0.75))
#: Left free around what moves, as a share of its size and in pixels of the network: a moving leg is part of a body.
MARGIN_SHARE: Final = 0.3
MARGIN_PX: Final = 16.0
STEP_SHARE: Final = 0.1
#: A box that comes so near (pixels of the network) to a window's inner side may be cut there.
CUT_PX: Final = 4.0
#: Windows' inputs depend on the network, not on the frame.
COMMON_FRAME_PX: Final = (1920, 1080)
#: A box so much of which lies in another one is a part of it.
PART_SHARE: Final = 0.5


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A box of the last look, pixels of the frame."""

    class_name: str
    score: float
    xyxy: Box
    #: stream seconds of the first and the last look of the network that gave it
    first_s: float = 0.0
    last_s: float = 0.0
    #: looks of the network that gave it, and that missed it since
    looks: int = 1
    missed: int = 0

    @property
    def settled(self) -> bool:
        """Whether it may be carried over without the network."""
        return self.looks >= SETTLED_LOOKS and self.last_s - self.first_s >= SETTLED_S


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """What the looks before left; stream seconds."""

    known: tuple[Known, ...] = ()
    #: weak boxes of the last look at everything that nobody looked at since: no tracks, but perhaps faces
    faint: tuple[Known, ...] = ()
    #: settled boxes that something moved over: found again at their place they are what they were
    hidden: tuple[Known, ...] = ()
    whole_s: float | None = None
    #: what moved last, and when
    moved: tuple[Box, ...] = ()
    moved_s: float = float("-inf")


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """Where one look goes, and why. Without a window: everywhere if `whole`, else nowhere."""

    reason: Reason
    whole: bool = False
    window: Part | None = None
    #: longer side of the network's input for the window
    long_side_px: int | None = None
    #: what moves, or moved a moment ago; and whether it does now
    moved: tuple[Box, ...] = ()
    moves: bool = False


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """Which windows a network may be given. Sizes are (width, height)."""

    #: of its inputs, smallest first, and pixels of the frame per pixel of theirs
    sizes_px: tuple[tuple[int, int], ...]
    scale: float
    frame_px: tuple[int, int]


def windows_of(info: ModelInfo, frame_px: tuple[int, int]) -> Windows:
    """The windows for frames of this size; none where the frame is smaller than they are.

    >>> info = ModelInfo(name="", version="", sha256="", classes=(), trained_on="", backend="", input_hw=(384, 640))
    >>> windows_of(info, (1920, 1080)).sizes_px
    ((320, 192), (448, 288))
    """
    height, width = info.input_hw
    scale = max(frame_px) / max(width, height)
    sides = ((_up(of_width * width), _up(of_height * height)) for of_width, of_height in SHARES)
    fits = tuple((w, h) for w, h in sides if w * scale <= frame_px[0] and h * scale <= frame_px[1])
    return Windows(sizes_px=fits, scale=scale, frame_px=frame_px)


def aim(before: Knowledge, moving: Sequence[Box], media_s: float, windows: Windows, sure_score: float) -> Aim:
    """Where this look goes.

    Args:
        moving: what moves now, pixels of the frame.
        sure_score: boxes from this score on count as seen (`Camera.min_score`); below, they only keep tracks.
    """
    lingers = 0.0 <= media_s - before.moved_s <= LINGER_S
    moved, moves = tuple(moving) or (before.moved if lingers else ()), bool(moving)

    def everywhere(reason: Reason) -> Aim:
        return Aim(reason=reason, whole=True, moved=moved, moves=moves)

    if before.whole_s is None:
        return everywhere("first")
    if not 0.0 <= media_s - before.whole_s < WHOLE_EVERY_S:
        return everywhere("again")
    held = [k for k in before.known if any(_meet(k.xyxy, _grown(box, windows)) for box in moved)]
    # a limb that moves inside a box that is known has its body there; of what is new only a part may move
    wide = tuple(
        _grown(
            box, windows, STEP_SHARE if any(_share(box, k.xyxy) >= PART_SHARE for k in held) else MARGIN_SHARE
        )
        for box in moved
    )
    doubtful = [
        k for k in before.known if k not in held and k.score >= sure_score and _doubtful(k, before.known)
    ]
    if not wide and not doubtful:
        return Aim(reason="still")
    # what moves has gone a little further than its last box; what only stands behind it need not be looked at
    bodies = [k for k in held if not k.settled or any(_share(box, k.xyxy) >= PART_SHARE for box in moved)]
    reason: Reason = "unsure" if doubtful else "moving"
    wanted = (*wide, *(_grown(k.xyxy, windows, STEP_SHARE) for k in (*bodies, *doubtful)))
    if (fitting := _window(wanted, windows)) is None:
        return everywhere("unsure" if doubtful else "wide")
    window, long_side_px = fitting
    return Aim(reason=reason, window=window, long_side_px=long_side_px, moved=moved, moves=moves)


def learnt(
    before: Knowledge,
    took: Aim,
    found: Sequence[Detection],
    media_s: float,
    windows: Windows,
    sure_score: float,
) -> tuple[Knowledge, bool]:
    """What is known after the network looked, and whether that was enough; if not, everything must be looked at.

    Args:
        found: boxes of the network, pixels of the frame; nothing if it looked nowhere.
    """
    base = before
    if took.moves:
        base = msgspec.structs.replace(before, moved=took.moved, moved_s=media_s)
    if took.whole:
        known, hidden = _matched(before.known, before.hidden, found, took.moved, media_s)
        return msgspec.structs.replace(base, known=known, faint=(), hidden=hidden, whole_s=media_s), True
    if took.window is None:
        faint = tuple(k for k in before.known if not k.settled)
        known = tuple(k for k in before.known if k.settled)
        return msgspec.structs.replace(base, known=known, faint=(*before.faint, *faint)), True
    inside = [k for k in before.known if _within(k.xyxy, took.window)]
    beyond = [k for k in before.known if k not in inside]
    outside = [k for k in beyond if k.settled]
    faint = (
        *(k for k in before.faint if not _within(k.xyxy, took.window)),
        *(k for k in beyond if not k.settled),
    )
    whole = [box for box in found if not _is_cut(box.xyxy, took.window, windows)]
    # what is cut and stands is known already, or waits for the next look at everything
    moved = tuple(_grown(box, windows) for box in took.moved)
    cut = [
        box for box in found
        if box not in whole and box.score >= sure_score and any(_meet(box.xyxy, m) for m in moved)
    ]  # fmt: skip
    if not all(any(_share(box.xyxy, k.xyxy) >= PART_SHARE for k in outside) for box in cut):
        return before, False
    outside = [k for k in outside if not any(_one(k, box) for box in whole)]
    known, hidden = _matched(inside, before.hidden, whole, took.moved, media_s)
    return msgspec.structs.replace(base, known=(*known, *outside), faint=faint, hidden=hidden), True


class Compiling(threading.Thread):
    """Has a camera's own network compiled for the windows, beside the looks: it takes seconds on an old core."""

    def __init__(self, detector: Detector) -> None:
        super().__init__(name="windows", daemon=True)
        self._detector, self._done = detector, threading.Event()

    def run(self) -> None:
        """Compile; then windows may be used."""
        for width, height in windows_of(self._detector.info, COMMON_FRAME_PX).sizes_px:
            self._detector.detect(np.zeros((height, width, 3), np.uint8), long_side_px=max(width, height))
        self._done.set()

    def done(self) -> bool:
        """Whether no window waits for a compiler any more."""
        return self._done.is_set()


class Looker:
    """Asks the detector where it is worth it. For one camera and one thread."""

    def __init__(
        self, detector: Detector, sure_score: float, *, ready: Callable[[], bool] = lambda: True
    ) -> None:
        """Begin with nothing known.

        Args:
            sure_score: boxes from this score on count as seen.
            ready: whether windows may be used now; while they may not, everything is looked at.
        """
        self._detector, self._sure_score, self._ready = detector, sure_score, ready
        self._windows: Windows | None = None
        self.knowledge = Knowledge()
        #: runs of the network: on whole pictures and on windows
        self.runs = {"whole": 0, "window": 0}

    def forget(self) -> None:
        """Nobody looked for a while, or what is seen may be another place."""
        self.knowledge = Knowledge()

    def look(
        self,
        bgr: Callable[[], NDArray[np.uint8]],
        frame_px: tuple[int, int],
        moving: Sequence[Box],
        media_s: float,
        *,
        part: Callable[[Part], NDArray[np.uint8]] | None = None,
    ) -> tuple[Detection, ...]:
        """Everything that stands or moves in this frame.

        Args:
            bgr: gives the frame (H, W, 3); asked only if the network runs. frame_px: its (width, height).
            moving: what moves now, pixels of the frame.
            part: gives a part of the frame, where that costs less than all of it.
        """
        if self._windows is None or self._windows.frame_px != frame_px:
            self._windows, self.knowledge = windows_of(self._detector.info, frame_px), Knowledge()
        windows = self._windows if self._ready() else msgspec.structs.replace(self._windows, sizes_px=())
        took = aim(self.knowledge, moving, media_s, windows, self._sure_score)
        known, rest = self.knowledge, (media_s, self._windows, self._sure_score)
        after, enough = learnt(known, took, self._asked(bgr, took, part), *rest)
        if not enough:
            took = msgspec.structs.replace(took, reason="wide", whole=True, window=None)
            after, _ = learnt(known, took, self._asked(bgr, took, part), *rest)
        self.knowledge = after
        return _detections(after.known)

    @property
    def faint(self) -> tuple[Detection, ...]:
        """Weak boxes where nobody looked now: not to be followed, but to be hidden in blurred copies."""
        return _detections(self.knowledge.faint)

    def _asked(
        self,
        bgr: Callable[[], NDArray[np.uint8]],
        took: Aim,
        part: Callable[[Part], NDArray[np.uint8]] | None,
    ) -> tuple[Detection, ...]:
        if took.whole:
            everything = self._detector.detect(bgr())
            self.runs["whole"] += 1  # a look that was refused is none
            return everything
        if took.window is None:
            return ()
        left, top, right, bottom = took.window
        picture = bgr()[top:bottom, left:right] if part is None else part(took.window)
        found = self._detector.detect(picture, long_side_px=took.long_side_px)
        self.runs["window"] += 1
        return tuple(
            Detection(class_name=d.class_name, score=d.score,
                      xyxy=(d.xyxy[0] + left, d.xyxy[1] + top, d.xyxy[2] + left, d.xyxy[3] + top))
            for d in found
        )  # fmt: skip


def _detections(known: Sequence[Known]) -> tuple[Detection, ...]:
    return tuple(Detection(class_name=k.class_name, score=k.score, xyxy=k.xyxy) for k in known)


def _matched(
    known: Sequence[Known],
    hidden: Sequence[Known],
    found: Sequence[Detection],
    moved: Sequence[Box],
    media_s: float,
) -> tuple[tuple[Known, ...], tuple[Known, ...]]:
    """Boxes after a look at all of `known`, and those that are hidden now.

    Each found one has how often it was; a settled one that was missed stays a while, or is remembered as hidden
    if something moved over it.
    """
    noted = [box for box in found if box.score >= NOTED_SCORE]
    left, away = list(known), [k for k in hidden if 0.0 <= media_s - k.last_s <= HIDDEN_S]
    before: dict[int, Known] = {}
    # the box itself first; then one of which it is another cut, or that was hidden here
    for pool, same in ((left, _one), (left, _part), (away, _one)):
        for at, box in enumerate(noted):
            if at not in before and (one := _nearest(pool, box, same)) is not None:
                pool.remove(one)
                before[at] = one
    after = [
        Known(
            class_name=box.class_name, score=box.score, xyxy=box.xyxy, last_s=media_s,
            first_s=before[at].first_s if at in before else media_s,
            looks=before[at].looks + 1 if at in before else 1,
        )
        for at, box in enumerate(noted)
    ]  # fmt: skip
    for k in left:
        if not k.settled:
            continue
        if any(_meet(k.xyxy, box) for box in moved):
            away.append(k)
        elif k.missed + 1 < MISSED_LOOKS:
            after.append(msgspec.structs.replace(k, missed=k.missed + 1))
    return tuple(after), tuple(away)


def _nearest(
    known: Sequence[Known], box: Detection, same: Callable[[Known, Detection], bool]
) -> Known | None:
    """Which of them this box is, if any."""
    return max((k for k in known if same(k, box)), key=lambda k: iou(k.xyxy, box.xyxy), default=None)


def _doubtful(one: Known, known: Sequence[Known]) -> bool:
    """Whether it must be looked at before it is believed; a second box of what stands there need not."""
    return (not one.settled or one.missed > 0) and not any(
        k.settled and k.missed == 0 and _alike(k, one) and _share(one.xyxy, k.xyxy) >= PART_SHARE
        for k in known
        if k is not one
    )


def _one(known: Known, box: Detection) -> bool:
    """Whether they are the same thing, which stands."""
    return _alike(known, box) and iou(known.xyxy, box.xyxy) >= SAME_IOU


def _part(known: Known, box: Detection) -> bool:
    """Whether one is a piece of the other: the network often cuts a thing that stands now so, now so."""
    return (
        known.settled
        and _alike(known, box)
        and max(_share(box.xyxy, known.xyxy), _share(known.xyxy, box.xyxy)) >= PART_SHARE
    )


def _alike(a: Known | Detection, b: Known | Detection) -> bool:
    """Whether both are of a kind, within which the network confuses classes."""
    return kind_of_object(a.class_name) == kind_of_object(b.class_name)


def _window(boxes: Sequence[Box], windows: Windows) -> tuple[Part, int] | None:
    """The smallest window around all of them, and the longer side of its input; None if they need more."""
    sides = np.array(boxes)
    low, high = sides[:, :2].min(axis=0), sides[:, 2:].max(axis=0)
    cut = CUT_PX * windows.scale
    frame = np.array(windows.frame_px, dtype=float)
    # a box that ends at the frame's own side is not cut by a window that ends there
    low, high = np.where(low - cut <= 0, 0, low - cut), np.where(high + cut >= frame, frame, high + cut)
    for width, height in windows.sizes_px:
        size = np.floor(np.array([width, height]) * windows.scale)
        if (high - low <= size).all():
            # even: colours have half the resolution
            at = 2 * np.floor(np.clip((low + high - size) / 2, 0, frame - size) / 2)
            left, top = int(at[0]), int(at[1])
            return (left, top, left + int(size[0]), top + int(size[1])), max(width, height)
    return None


def _is_cut(xyxy: Box, window: Part, windows: Windows) -> bool:
    """Whether a box touches a side of the window that is no side of the frame."""
    near = CUT_PX * windows.scale
    return (
        (window[0] > 0 and xyxy[0] - window[0] < near)
        or (window[1] > 0 and xyxy[1] - window[1] < near)
        or (window[2] < windows.frame_px[0] and window[2] - xyxy[2] < near)
        or (window[3] < windows.frame_px[1] and window[3] - xyxy[3] < near)
    )


def _grown(box: Box, windows: Windows, share: float = MARGIN_SHARE) -> Box:
    """With its margin, inside the frame."""
    margin = MARGIN_PX * windows.scale
    dx, dy = (max(margin, share * side) for side in (box[2] - box[0], box[3] - box[1]))
    width, height = windows.frame_px
    return (max(0.0, box[0] - dx), max(0.0, box[1] - dy), min(width, box[2] + dx), min(height, box[3] + dy))


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _within(box: Box, window: Part) -> bool:
    return box[0] >= window[0] and box[1] >= window[1] and box[2] <= window[2] and box[3] <= window[3]


def _common(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _share(part: Box, of: Box) -> float:
    """Share of `part` that lies in `of`."""
    return _common(part, of) / max(1e-9, _area(part))


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    common = _common(a, b)
    return common / max(1e-9, _area(a) + _area(b) - common)


def _up(side: float) -> int:
    """To the next multiple that the network takes."""
    return -(-round(side) // STRIDE_PX) * STRIDE_PX

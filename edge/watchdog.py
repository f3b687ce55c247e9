"""Whether a camera is truly watching: streaming, stalled, frozen, dark, overexposed, blurred, covered, moved, …

Pure: a few figures of each look and the link's word in, a state with its reason out. A suspicion must
hold for some seconds before it becomes a state, and its absence as long before it is over, so that a
passing truck or a flash is no alarm. Times are monotonic seconds, passed in; looks may be 0.2 to 4 s apart.
Whether the scene is still the surveyed one is `edge.registration`'s word; `edge.minder` asks them all.
"""

from __future__ import annotations

from typing import Final

import cv2
import msgspec
import numpy as np

from edge.frames import Bgr, Luma
from edge.reader import LinkStatus
from monitor.domain.events import CameraState
from monitor.domain.remarks import Remark, told

#: Without a frame for so long a stream counts as stalled.
STALLED_S: Final = 5.0
#: The same pixels for so long: no live picture is without noise. Above a smart codec's still seconds.
FROZEN_S: Final = 15.0
#: Brightness and spread below which nothing can be seen. Video has black at 16 and white at 235 (BT.601, 709).
DARK_MEAN: Final = 24.0
FLAT_SPREAD: Final = 9.0
#: Pixels from here on are burnt out; with so many of them the picture is. A white sky fills less.
WHITE: Final = 232
WHITE_SHARE: Final = 0.8
#: Where detail is gone, this mean brightness says that it was light that took it.
GLARE_MEAN: Final = 205.0
#: A block of the picture has collapsed when its detail falls below this share of its own reference.
COLLAPSE: Final = 0.35
#: So many of the blocks that used to have detail must collapse.
COLLAPSED_SHARE: Final = 0.7
#: Mean gradient (grey levels a pixel) below which a block never had anything to see.
BLOCK_DETAIL_MIN: Final = 1.0
#: A whole picture below it shows nothing from the start; so does one that is flat and has little more than noise.
DETAIL_MIN: Final = 0.6
NOISE_DETAIL: Final = 1.6
NOISE_SPREAD: Final = 6.0
#: A picture with this spread shows shapes, if blurred ones.
SHAPES_SPREAD: Final = 6.0
#: Detail is gone but light and shade lie as they did (correlation of the blocks): out of focus, fog, dirt.
BLURRED_LIKE: Final = 0.8
#: Whether the picture is grey is looked at so often; oftener while something is suspected.
GREY_EVERY_S: Final = 10.0
GREY_SUSPECT_EVERY_S: Final = 1.0
#: Colours that differ by no more than this (of 255) in 98 % of the pixels are the codec's rounding.
GREY_MAX: Final = 2.5
#: Grey (or colours) must be seen for so long before the camera counts as changed over.
GREY_HOLD_S: Final = 1.0
#: Hysteresis: seconds that a suspicion must hold, and must be gone.
ENTER_S: Final = 4.0
LEAVE_S: Final = 3.0
#: The reference of detail follows daylight with this time constant, and settles this fast at first.
REFERENCE_TAU_S: Final = 600.0
SETTLE_TAU_S: Final = 3.0
SETTLE_S: Final = 10.0

GRID: Final = (6, 8)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the watchdog needs to know of one picture."""

    mean: float
    spread: float
    #: mean absolute gradient per block of the GRID, row by row
    detail: tuple[float, ...]
    #: exactly the same pixels as the picture before
    same: bool
    #: mean brightness per block of the GRID
    light: tuple[float, ...] = ()
    #: share (0..1) of burnt-out pixels
    white: float = 0.0
    #: the picture has no colours; None if this look did not ask
    grey: bool | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The watchdog's memory and its present word."""

    state: CameraState = CameraState.STARTING
    reason: str = ""
    since_s: float = 0.0
    #: what is suspected, and since when
    suspect: CameraState | None = None
    suspect_since_s: float = 0.0
    last_frame_s: float | None = None
    same_since_s: float | None = None
    looks: int = 0
    first_look_s: float | None = None
    #: detail and light of each block when all is well
    reference: tuple[float, ...] = ()
    light: tuple[float, ...] = ()
    #: the camera sees by infrared: its picture is grey. Its references by day and by night are two
    infrared: bool = False
    other: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    grey_asked_s: float | None = None
    #: since when the colours contradict `infrared`
    grey_since_s: float | None = None


_BY_LINK: Final = {
    "blocked": CameraState.BLOCKED,
    "ended": CameraState.ENDED,
    "unreachable": CameraState.UNREACHABLE,
}
#: States that come from the link or the lack of frames, and are believed at once.
_AT_ONCE: Final = frozenset({*_BY_LINK.values(), CameraState.STALLED})
#: The picture is good; and pictures that come but show nothing of use.
_WELL: Final = frozenset({CameraState.STREAMING, CameraState.MOVED})
_SPOILT: Final = frozenset(
    {CameraState.DARK, CameraState.OVEREXPOSED, CameraState.BLURRED, CameraState.OBSCURED}
)
_BLURRED: Final = (CameraState.BLURRED, told(Remark.SHAPES_ONLY))


def watches(state: CameraState) -> bool:
    """Whether the detector looks at the picture: a moved camera has no ground, but zones in the picture."""
    return state in (CameraState.STREAMING, CameraState.MOVED)


def measure(small: Luma, before: Luma | None, grey: bool | None = None) -> Figures:
    """The figures of a small brightness picture, shape (h, w)."""
    gradient = np.abs(cv2.Laplacian(cv2.GaussianBlur(small, (3, 3), 0), cv2.CV_16S))
    size = (GRID[1], GRID[0])
    blocks = cv2.resize(gradient.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    light = cv2.resize(small.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mean, spread = cv2.meanStdDev(small)
    same = before is not None and before.shape == small.shape and not cv2.absdiff(small, before).any()
    return Figures(mean=float(mean[0][0]), spread=float(spread[0][0]), detail=tuple(map(float, blocks.ravel())),
                   same=same, light=tuple(map(float, light.ravel())), white=float((small >= WHITE).mean()),
                   grey=grey)  # fmt: skip


def is_grey(bgr: Bgr) -> bool:
    """Whether a picture, shape (H, W, 3), has no colours; a black one tells nothing and has some."""
    some = bgr[::8, ::8].astype(np.int16)
    colours = some.max(axis=2) - some.min(axis=2)
    return bool(some.mean() >= DARK_MEAN and np.percentile(colours, 98) <= GREY_MAX)


def asks_grey(health: Health, now_s: float) -> bool:
    """Whether this look should see if the picture has colours, which costs more than its brightness."""
    every_s = GREY_EVERY_S if health.suspect is None and health.grey_since_s is None else GREY_SUSPECT_EVERY_S
    return health.grey_asked_s is None or not 0.0 <= now_s - health.grey_asked_s < every_s


def assess(
    health: Health,
    now_s: float,
    link: LinkStatus,
    figures: Figures | None,
    *,
    moved: bool = False,
    remark: str = "",
) -> Health:
    """The word on the camera after one more look (`figures`), or after a while without one (None).

    Args:
        moved: the scene's own word (`edge.registration`), which has waited long enough by itself.
        remark: what else is to be told of a camera that streams, or stalls.
    """
    before_s = health.last_frame_s
    if figures is not None:
        health = _noted(_tinted(health, now_s, figures), now_s, figures)
    suspect, reason = _suspicion(health, now_s, link, figures)
    if figures is not None and suspect is CameraState.STREAMING:
        health = _taught(health, now_s, before_s, figures)
    if suspect is CameraState.STREAMING:
        reason = remark
        if moved:
            suspect, reason = CameraState.MOVED, told(Remark.OTHER_SCENE)
    if suspect is CameraState.STALLED and remark:  # a line that loses every picture stalls, and says why
        reason = f"{reason}; {remark}"
    if suspect is None:  # nothing new was seen: keep what was said
        return health
    if suspect == health.state:
        return msgspec.structs.replace(health, suspect=None, reason=reason)
    if suspect != health.suspect:
        health = _suspected(health, now_s, suspect)
    if suspect in _SPOILT and health.grey_since_s is not None:  # first see whether it is night by infrared
        return health
    if now_s - health.suspect_since_s >= _patience_s(health.state, suspect):
        return msgspec.structs.replace(health, state=suspect, reason=reason, since_s=now_s, suspect=None)
    return health


def _suspected(health: Health, now_s: float, suspect: CameraState) -> Health:
    """A new suspicion; a spoilt picture stays suspect since the beginning, whatever it is called."""
    goes_on = health.state in _WELL and health.suspect in _SPOILT and suspect in _SPOILT
    since_s = health.suspect_since_s if goes_on else now_s
    return msgspec.structs.replace(health, suspect=suspect, suspect_since_s=since_s)


def _patience_s(state: CameraState, suspect: CameraState) -> float:
    if suspect in _AT_ONCE or state in _AT_ONCE or state is CameraState.STARTING:
        return 0.0
    if suspect is CameraState.FROZEN:  # FROZEN_S has passed already
        return 0.0
    if suspect in _WELL:
        return 0.0 if state in _WELL else LEAVE_S
    return ENTER_S


def _tinted(health: Health, now_s: float, figures: Figures) -> Health:
    """Whether the camera sees by infrared now. Each way of seeing has its own reference."""
    if figures.grey is None:
        return health
    health = msgspec.structs.replace(health, grey_asked_s=now_s)
    if figures.grey == health.infrared:
        return msgspec.structs.replace(health, grey_since_s=None)
    if health.first_look_s is None:  # the first picture: no change
        return msgspec.structs.replace(health, infrared=figures.grey)
    since_s = now_s if health.grey_since_s is None else health.grey_since_s
    if now_s - since_s < GREY_HOLD_S:
        return msgspec.structs.replace(health, grey_since_s=since_s)
    detail, light = health.other
    return msgspec.structs.replace(
        health, infrared=figures.grey, grey_since_s=None, other=(health.reference, health.light),
        reference=detail, light=light, first_look_s=health.first_look_s if detail else now_s,
    )  # fmt: skip


def _noted(health: Health, now_s: float, figures: Figures) -> Health:
    """That there was a picture, and since when it has been the same one."""
    same_since_s = health.same_since_s if health.same_since_s is not None else now_s
    return msgspec.structs.replace(
        health, last_frame_s=now_s, looks=health.looks + 1, same_since_s=same_since_s if figures.same else None,
        first_look_s=health.first_look_s if health.first_look_s is not None else now_s,
    )  # fmt: skip


def _taught(health: Health, now_s: float, before_s: float | None, figures: Figures) -> Health:
    """The references follow good pictures, and no other; `before_s` is when the picture before came."""
    if not health.reference:
        return msgspec.structs.replace(health, reference=figures.detail, light=figures.light)
    if health.state not in (*_WELL, CameraState.STARTING) or health.suspect is not None:
        return health
    settles = health.first_look_s is not None and now_s - health.first_look_s < SETTLE_S
    dt_s = max(0.0, now_s - (before_s if before_s is not None else now_s))
    share = min(1.0, dt_s / (SETTLE_TAU_S if settles else REFERENCE_TAU_S))
    followed = (
        tuple(r + share * (d - r) for r, d in zip(known, seen, strict=True))
        for known, seen in ((health.reference, figures.detail), (health.light, figures.light))
    )
    return msgspec.structs.replace(health, reference=next(followed), light=next(followed))


def _suspicion(
    health: Health, now_s: float, link: LinkStatus, figures: Figures | None
) -> tuple[CameraState | None, str]:
    if link.link in _BY_LINK:
        return _BY_LINK[link.link], link.reason
    if figures is None:
        silent_s = now_s - (health.last_frame_s if health.last_frame_s is not None else health.since_s)
        if health.last_frame_s is not None and silent_s > STALLED_S:
            return CameraState.STALLED, told(Remark.NO_PICTURE, STALLED_S)
        return None, ""
    if health.same_since_s is not None and now_s - health.same_since_s >= FROZEN_S:
        return CameraState.FROZEN, told(Remark.SAME_PIXELS, FROZEN_S)
    if figures.spread < FLAT_SPREAD and figures.mean < DARK_MEAN:
        return CameraState.DARK, told(Remark.BLACK)
    if figures.white >= WHITE_SHARE:
        return CameraState.OVEREXPOSED, told(Remark.WHITE)
    return _spoilt(health, figures)


def _spoilt(health: Health, figures: Figures) -> tuple[CameraState, str]:
    """Whether the detail is gone, and by what."""
    detail = sum(figures.detail) / len(figures.detail)
    if detail < DETAIL_MIN or (detail < NOISE_DETAIL and figures.spread < NOISE_SPREAD):
        blurred = figures.spread >= SHAPES_SPREAD and _same_light(health.light, figures.light)
        return _BLURRED if blurred else (CameraState.OBSCURED, told(Remark.NOTHING_TO_SEE))
    reference = health.reference or figures.detail
    with_detail = [(d, r) for d, r in zip(figures.detail, reference, strict=True) if r >= BLOCK_DETAIL_MIN]
    if with_detail:
        collapsed = sum(d < COLLAPSE * r for d, r in with_detail) / len(with_detail)
        if collapsed >= COLLAPSED_SHARE:
            if figures.mean >= GLARE_MEAN:
                return CameraState.OVEREXPOSED, told(Remark.GLARE, 100 * collapsed)
            if figures.spread >= SHAPES_SPREAD and _same_light(health.light, figures.light):
                return _BLURRED
            return CameraState.OBSCURED, told(Remark.DETAIL_GONE, 100 * collapsed)
    return CameraState.STREAMING, ""


def _same_light(reference: tuple[float, ...], light: tuple[float, ...]) -> bool:
    """Whether light and shade lie as they did; without a memory of it nobody can say that they don't."""
    if not reference:
        return True
    was, now = np.array(reference) - np.mean(reference), np.array(light) - np.mean(light)
    size = float(np.linalg.norm(was) * np.linalg.norm(now))
    return size > 0.0 and float(was @ now) / size >= BLURRED_LIKE

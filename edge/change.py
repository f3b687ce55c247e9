"""Where one picture of a scene shows another thing than an earlier one, whatever the light: pure numbers.

A standing picture (all that moves is gone from it) is compared to a view of the scene by local correlation,
which brightness and contrast leave alone. What only became darker or brighter, with its texture kept, is a shadow
or a lamp. Planes are 160 px wide sketches (`edge.scene`), grey levels. Who remembers the views, and for how
long, is `edge.unexplained`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.frames import Luma
from edge.watcher import Seen
from monitor.domain.violations import UNEXPLAINED

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]

#: What an event says of how sure it is that the thing is what it is called: nobody knows what it is.
SCORE: Final = 0.5
#: Side of the window over which two pictures are correlated, sketch pixels; and what is smoothed away first.
WINDOW_PX: Final = 7
SMOOTH_PX: Final = 3
#: Variance (grey levels²) that noise alone has in a standing picture; it pulls the correlation of what is flat to 0.
NOISE: Final = 6.0
#: Variance from which there is something to compare.
STRUCTURE: Final = 60.0
#: Correlation below which a pixel has changed.
ALIKE: Final = 0.35
#: Share of the pixels with structure (of a fifth of the picture at least) from which a change is one of the light,
#: or of everything.
LIGHT_SHARE: Final = 0.25
STRUCTURED_LEAST: Final = 0.2
#: A change must have stood for so long, and a region is over when it was missed for so long.
STOOD_S: Final = 30.0
MISSED_S: Final = 30.0
#: Smallest region, in sketch pixels of 160 across (1.5 % of the width squared), and the share of the picture
#: from which it is no thing.
AREA_MIN_PX: Final = 30
AREA_MAX_SHARE: Final = 0.3
#: Thinner than this on the average it is an edge: a shadow's border, a wire, a kerb.
THICK_PX: Final = 3.0

#: So much around a region is looked at with it.
MARGIN_PX: Final = 3
#: In a region whose texture is kept by so much (median correlation) only the light has changed.
KEPT_TEXTURE: Final = 0.6
#: What no light does (natural logarithms of now over then): parts that are brighter by so much than what is around
#: and parts that are darker; or borders that are so sharp, a pixel of the sketch. Of our clips' pasted things a good
#: half have the one or the other, of drawn shadows and lamps one standing picture in forty, and never for long.
BRIGHTER: Final = 0.15
DARKER: Final = 0.05
SHARP: Final = 0.3

#: From this share of a region under boxes all of it is explained.
EXPLAINED_SHARE: Final = 0.3
#: A region keeps its box while a new one is this much like it (common area over both).
SAME_BOX: Final = 0.6


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """One place that has changed, as of the last standing picture."""

    region_id: int
    #: in shares (0..1) of the picture's width and height
    box: Box
    #: when the change was first seen, and last; stream seconds
    since_s: float
    last_s: float

    def xyxy(self, frame_size_px: tuple[int, int]) -> Box:
        """The box in pixels of a full frame."""
        width, height = frame_size_px
        left, top, right, bottom = self.box
        return left * width, top * height, right * width, bottom * height


def seen(regions: Iterable[Region], frame_size_px: tuple[int, int]) -> tuple[Seen, ...]:
    """The regions as boxes that `edge.watcher` follows: the table's rows say whether they matter."""
    return tuple(
        Seen(track_id=r.region_id, class_name=UNEXPLAINED, score=SCORE, xyxy=r.xyxy(frame_size_px))
        for r in regions
    )


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A connected change in one standing picture, box in sketch pixels."""

    box: tuple[int, int, int, int]
    area_px: int
    #: when the oldest of its pixels began to differ
    since_s: float


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A standing picture against one view."""

    changed: Any  # Mask
    #: local correlation (-1..1)
    alike: Any  # Plane
    #: share of the pixels with structure that changed
    share: float


def compare(view: Plane, now: Plane) -> Compared:
    """Where `now` is another scene than `view`; both (h, w), grey levels.

    Correlation over a window: a gain or an offset of brightness changes nothing. Where one has structure and
    the other has none, it is low too.
    """

    def mean(plane: Plane) -> Plane:
        return np.asarray(cv2.blur(plane, (WINDOW_PX, WINDOW_PX)), dtype=np.float32)

    mean_view, mean_now = mean(view), mean(now)
    var_view = mean(view * view) - mean_view * mean_view
    var_now = mean(now * now) - mean_now * mean_now
    both = mean(view * now) - mean_view * mean_now
    alike = both / np.sqrt((np.maximum(var_view, 0) + NOISE) * (np.maximum(var_now, 0) + NOISE))
    structured = np.maximum(var_view, var_now) > STRUCTURE
    changed = structured & (alike < ALIKE)
    share = float(np.count_nonzero(changed)) / max(
        STRUCTURED_LEAST * structured.size, int(np.count_nonzero(structured))
    )
    return Compared(changed=changed, alike=alike, share=share)


def is_light(view: Plane, now: Plane, alike: Plane, inside: Mask, whole: float) -> bool:
    """Whether a region (in planes with a margin around it) only became darker or brighter.

    Args:
        whole: the natural logarithm of now over then, in the middle of the whole picture.

    A shadow keeps texture, only darkens, and has a soft border; a lamp's cone only brightens, softly. A thing
    is darker here and brighter there than what was around, or has borders that no light draws.
    """
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=2, borderValue=0) > 0
    if np.count_nonzero(core) >= 6 and float(np.median(alike[core])) >= KEPT_TEXTURE:
        return True
    ratio = np.log((now + 8.0) / (view + 8.0)).astype(np.float32)
    around = float(np.median(ratio[~inside])) if not inside.all() else 0.0
    low, high = np.percentile(ratio[inside], (8, 92))
    # half of a shadow's border lies in the sun: brighter than the shade around it, not than the picture
    if high - max(around, whole) > BRIGHTER and low - min(around, whole) < -DARKER:
        return False
    steps = np.hypot(*(cv2.Sobel(ratio, cv2.CV_32F, dx, 1 - dx, ksize=3) / 8 for dx in (1, 0)))
    return float(np.percentile(steps[inside], 90)) <= SHARP


def found_in(
    changed: Mask, since_s: Plane, explained: Mask, view: Plane, now: Plane, alike: Plane, at_s: float
) -> tuple[Found, ...]:
    """The things that changed and have stood for STOOD_S at `at_s`: large and thick enough, no light, unexplained.

    Args:
        since_s: when each pixel began to differ, shape (h, w).
    """
    closed = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    most_px = AREA_MAX_SHARE * changed.size
    whole = float(np.median(np.log((now[::4, ::4] + 8.0) / (view[::4, ::4] + 8.0))))
    things = []
    for contour in contours:
        if len(contour) < 8:
            continue
        left, top, width, height = cv2.boundingRect(contour)
        if width * height < AREA_MIN_PX:
            continue
        inside = _inside(contour, (left, top), (height, width))
        area_px = int(np.count_nonzero(inside))
        part = (slice(top, top + height), slice(left, left + width))
        own = inside & changed[part]
        stood = own & (since_s[part] <= at_s - STOOD_S)
        if (
            area_px < AREA_MIN_PX
            or area_px > most_px
            or np.count_nonzero(stood) < 0.5 * np.count_nonzero(own)
        ):
            continue
        if 2.0 * area_px / len(contour) < THICK_PX:  # a strip of width w has area w l and a border of 2 l
            continue
        if np.count_nonzero(inside & explained[part]) > EXPLAINED_SHARE * area_px:
            continue
        x0, y0 = max(0, left - MARGIN_PX), max(0, top - MARGIN_PX)
        wide = (slice(y0, top + height + MARGIN_PX), slice(x0, left + width + MARGIN_PX))
        if is_light(view[wide], now[wide], alike[wide], _inside(contour, (x0, y0), view[wide].shape), whole):
            continue
        things.append(Found(box=(left, top, left + width, top + height), area_px=area_px,
                            since_s=float(since_s[part][stood].min())))  # fmt: skip
    return tuple(things)


def _inside(contour: Any, corner_px: tuple[int, int], shape: tuple[int, ...]) -> Mask:
    """What a contour encloses, in a part of the picture that begins at that corner."""
    mask = np.zeros(shape, np.uint8)
    cv2.drawContours(mask, [contour], 0, 1, cv2.FILLED, offset=(-corner_px[0], -corner_px[1]))
    return np.asarray(mask > 0)


def filled(changed: Mask) -> NDArray[np.uint8]:
    """With what lies inside: a flat thing differs at its border only."""
    out = np.zeros(changed.shape, np.uint8)
    contours, _ = cv2.findContours(changed.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(out, contours, -1, 1, cv2.FILLED), dtype=np.uint8)


def follow(
    known: tuple[Region, ...], found: Iterable[Found], shape: tuple[int, int], at_s: float, next_id: int
) -> tuple[tuple[Region, ...], int]:
    """The regions after a standing picture, and the next free id: one place keeps its id while it is missed."""
    height, width = shape
    left, after = list(known), []
    for one in found:
        box = (one.box[0] / width, one.box[1] / height, one.box[2] / width, one.box[3] / height)
        same = next((region for region in left if _overlap(region.box, box) > 0.3), None)
        if same is not None:
            left.remove(same)
            # its border trembles: a place that seems to wander would be told again and again
            box = same.box if in_common(same.box, box) >= SAME_BOX else box
            after.append(msgspec.structs.replace(same, box=box, last_s=at_s))
        else:
            after.append(Region(region_id=next_id, box=box, since_s=one.since_s, last_s=at_s))
            next_id += 1
    after += [region for region in left if at_s - region.last_s < MISSED_S]
    return tuple(after), next_id


def area(box: Box) -> float:
    """Of a box, in its own units."""
    return (box[2] - box[0]) * (box[3] - box[1])


def _common(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _overlap(a: Box, b: Box) -> float:
    """Common area over the smaller one's."""
    return _common(a, b) / max(1e-9, min(area(a), area(b)))


def in_common(a: Box, b: Box) -> float:
    """Common area over that of both together."""
    common = _common(a, b)
    return common / max(1e-9, area(a) + area(b) - common)


def in_common_all(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for each of `a`, shape (n, 4), with each of `b`, shape (m, 4): shape (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0.0), axis=2)
    sizes = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b)]
    return np.asarray(common / np.maximum(1e-9, sizes[0][:, None] + sizes[1][None, :] - common))


def median_of_five(a: Luma, b: Luma, c: Luma, d: Luma, e: Luma) -> Luma:
    """The middle of five planes, pixel by pixel, by comparisons that the processor does 32 at a time."""
    low, high = cv2.min, cv2.max
    f = high(low(a, b), low(c, d))  # the least of all is gone, and so is the greatest
    g = low(high(a, b), high(c, d))
    return np.asarray(high(low(f, g), low(high(f, g), e)), dtype=np.uint8)

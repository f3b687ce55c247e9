"""Which parts of a picture show who somebody is, from the boxes of what a detector found. Pure.

A person's face lies in the upper part of its box, a number plate in the lower part of a vehicle's. Where
the boxes are not known, nothing is: whoever asks is told so with None, and hides the whole picture. The
shares are tuned on one half of a hundred hand-marked frames and measured on the other
(`python -m tests.bench privacy`).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal

import msgspec

from monitor.domain.ground.fix import scale_between

Rect = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

Kind = Literal["p", "v"]
"""A person or a vehicle."""

#: Which classes have a face or a plate to hide.
KIND_OF: Final[dict[str, Kind]] = {"person": "p", "car": "v", "truck": "v"}
#: Boxes from this score on are noted and hidden: alarms want precision (0.4), privacy wants recall.
NOTED_SCORE: Final = 0.05

#: The head's part of a person's box: this share of its height, or so many widths of it where that is more
#: (somebody who sits, bends, or is cut off by something).
HEAD_SHARE: Final = 0.4
HEAD_WIDTHS: Final = 1.0
#: Room around it for boxes that fit badly, in widths of the box.
HEAD_MARGIN: Final = 0.15
#: The plate's part of a vehicle's box, from below, and the room beneath and beside it.
PLATE_SHARE: Final = 0.7
PLATE_BELOW: Final = 0.05
PLATE_BESIDE: Final = 0.02

#: In a film: looks at most so far apart are of the same movement, and boxes between them are interpolated.
MOVING_GAP_S: Final = 1.0
#: A box that the next look lacks is still hidden for so long after it was seen, and before.
FLICKER_S: Final = 0.5
#: Without a look for longer than this nothing is known: where nothing stands, the edge looks every six
#: seconds (`edge.gate`).
UNSEEN_S: Final = 6.5
#: … and by what share more on each side when it was found in a smaller or larger picture of the same scene.
SCALED: Final = 0.05
#: By what share of its size a box in a film grows on each side: it moved since the look.
GROWN: Final = 0.1


class Box(msgspec.Struct, frozen=True, array_like=True):
    """One detection, small enough to travel by the hundred."""

    kind: Kind
    #: Score in hundredths.
    score: int
    x1: int
    y1: int
    x2: int
    y2: int


class Look(msgspec.Struct, frozen=True, array_like=True):
    """What one look of the detector found."""

    #: Seconds since the film's first picture; 0 for a still picture.
    at_s: float
    boxes: tuple[Box, ...]


class Note(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.boxes/1"):
    """Boxes that travel inside a picture or film, under the same hash."""

    #: Width and height of the picture that the boxes are of.
    size_px: tuple[int, int]
    looks: tuple[Look, ...]


def boxes_of(found: Iterable[tuple[str, float, Rect]], scale: float = 1.0) -> tuple[Box, ...]:
    """The detections (class, score, box) that have something to hide, rounded outwards to whole pixels.

    >>> boxes_of([("person", 0.9, (1.2, 2.0, 3.1, 9.0)), ("excavator", 0.9, (0, 0, 9, 9)), ("car", 0.01, (0, 0, 9, 9))])
    (Box(kind='p', score=90, x1=1, y1=2, x2=4, y2=9),)
    """
    return tuple(
        Box(KIND_OF[name], round(score * 100), int(x1 * scale), int(y1 * scale),
            -int(-x2 * scale // 1), -int(-y2 * scale // 1))
        for name, score, (x1, y1, x2, y2) in found
        if name in KIND_OF and score >= NOTED_SCORE
    )  # fmt: skip


def in_size(note: Note, size_px: tuple[int, int]) -> Note | None:
    """The note for the same scene at another size, each box a little larger; None if that has another shape.

    >>> in_size(Note(size_px=(10, 10), looks=(Look(0.0, (Box("p", 9, 2, 2, 4, 4),)),)), (100, 100)).looks[0].boxes
    (Box(kind='p', score=9, x1=19, y1=19, x2=41, y2=41),)
    """
    if size_px == note.size_px:
        return note
    if scale_between(note.size_px, size_px) is None:
        return None
    x, y = (to / of for to, of in zip(size_px, note.size_px, strict=True))
    looks = tuple(Look(look.at_s, tuple(_scaled(box, x, y) for box in look.boxes)) for look in note.looks)
    return Note(size_px=size_px, looks=looks)


def _scaled(box: Box, x: float, y: float) -> Box:
    x1, y1, x2, y2 = _grown((box.x1 * x, box.y1 * y, box.x2 * x, box.y2 * y), SCALED)
    return Box(box.kind, box.score, math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2))


def hidden_part(kind: Kind, box: Rect) -> Rect:
    """The part of a box to hide; it may reach beyond the picture.

    >>> hidden_part("v", (0, 0, 100, 100))
    (-2.0, 30.0, 102.0, 105.0)
    """
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    if kind == "v":
        beside = PLATE_BESIDE * width
        return x1 - beside, y2 - PLATE_SHARE * height, x2 + beside, y2 + PLATE_BELOW * height
    margin = HEAD_MARGIN * width
    head = min(height, max(HEAD_SHARE * height, HEAD_WIDTHS * width))
    return x1 - margin, y1 - margin, x2 + margin, y1 + head


def hidden_parts(boxes: Iterable[Box]) -> tuple[Rect, ...]:
    """The parts of a still picture to hide."""
    return tuple(hidden_part(box.kind, _rect(box)) for box in boxes)


class Film:
    """The looks of a film, and which boxes of one are most likely of the same thing as those of the next."""

    def __init__(self, looks: Sequence[Look]) -> None:
        """Args: looks, in the order of time."""
        self._looks = tuple(looks)
        self._steps = tuple(_step(a, b) for a, b in pairwise(self._looks))

    def hidden_at(self, at_s: float) -> tuple[Rect, ...] | None:
        """The parts of the film's picture to hide at that time; None if nobody knows them.

        What two looks share lies in between; what only one of them has is hidden for FLICKER_S beyond it,
        because a detector that blinks uncovers nobody. In a long gap who stayed is hidden wherever either look
        has them, and in between; where somebody came, went or crossed the picture in it, nobody knows by which way.
        """
        index = bisect.bisect_right(self._looks, at_s, key=lambda look: look.at_s)
        around = self._looks[max(0, index - 1) : index + 1]
        if all(abs(look.at_s - at_s) > UNSEEN_S for look in around):
            return None
        shown: list[tuple[Kind, Rect]] = []
        parts: list[Rect] = []
        if len(around) == 1:  # before the first look, or after the last
            if around[0].boxes and abs(around[0].at_s - at_s) > FLICKER_S:
                return None
            shown += [(box.kind, _rect(box)) for box in around[0].boxes]
        elif (step := self._steps[index - 1]).to_s - step.from_s <= MOVING_GAP_S:
            share = (at_s - step.from_s) / (step.to_s - step.from_s) if step.to_s > step.from_s else 0.0
            shown += [(a.kind, _between(_rect(a), _rect(b), share)) for a, b in step.both]
            shown += [(box.kind, _rect(box)) for box in (*step.only_before, *step.only_after)]
        elif step.only_before or step.only_after:
            return None
        else:
            parts += [_hull(_part(a.kind, _rect(a)), _part(b.kind, _rect(b))) for a, b in step.both]
        for step in self._steps:
            if step.to_s <= at_s and at_s - step.from_s <= FLICKER_S:
                shown += [(box.kind, _rect(box)) for box in step.only_before]
            if step.from_s > at_s and step.to_s - at_s <= FLICKER_S:
                shown += [(box.kind, _rect(box)) for box in step.only_after]
        return (*parts, *(_part(kind, rect) for kind, rect in shown))


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """From one look to the next."""

    from_s: float
    to_s: float
    both: tuple[tuple[Box, Box], ...]
    only_before: tuple[Box, ...]
    only_after: tuple[Box, ...]


def _step(before: Look, after: Look) -> _Step:
    """Nearest boxes first; what went further than its own size, or changed that much, is another thing."""
    near = sorted(
        (apart, i, j)
        for i, a in enumerate(before.boxes)
        for j, b in enumerate(after.boxes)
        if (apart := _apart(a, b)) <= 1.0
    )
    left, right, both = set(range(len(before.boxes))), set(range(len(after.boxes))), []
    for _, i, j in near:
        if i in left and j in right:
            left.remove(i)
            right.remove(j)
            both.append((before.boxes[i], after.boxes[j]))
    return _Step(
        from_s=before.at_s, to_s=after.at_s, both=tuple(both),
        only_before=tuple(before.boxes[i] for i in sorted(left)),
        only_after=tuple(after.boxes[j] for j in sorted(right)),
    )  # fmt: skip


def _apart(a: Box, b: Box) -> float:
    """How far two boxes are from each other, in sizes of the larger; infinite for two kinds or sizes."""
    sizes = [max(box.x2 - box.x1, box.y2 - box.y1, 1) for box in (a, b)]
    if a.kind != b.kind or max(sizes) > 2 * min(sizes):
        return math.inf
    return math.dist((a.x1 + a.x2, a.y1 + a.y2), (b.x1 + b.x2, b.y1 + b.y2)) / 2 / max(sizes)


def _between(a: Rect, b: Rect, share: float) -> Rect:
    x1, y1, x2, y2 = (v + (w - v) * share for v, w in zip(a, b, strict=True))
    return x1, y1, x2, y2


def _part(kind: Kind, rect: Rect) -> Rect:
    return hidden_part(kind, _grown(rect))


def _hull(a: Rect, b: Rect) -> Rect:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _rect(box: Box) -> Rect:
    return float(box.x1), float(box.y1), float(box.x2), float(box.y2)


def _grown(rect: Rect, share: float = GROWN) -> Rect:
    x, y = (rect[2] - rect[0]) * share, (rect[3] - rect[1]) * share
    return rect[0] - x, rect[1] - y, rect[2] + x, rect[3] + y

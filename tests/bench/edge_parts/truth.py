"""What is really there, frame by frame, and which of a worker's events are it. Pure.

Things cross the picture one after another, each at a known place in each frame. A thing breaks its rule
from the first frame at which the foot of its visible box has lain in its zone for the rule's dwell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from monitor.domain.violations import RULES

FPS: Final = 25
SIZE_PX: Final = (1920, 1080)
#: A zone for each kind of thing: feet walk on the upper one, tracks and wheels roll on the lower one.
#: (left, top, right, bottom) in pixels.
ZONES: Final[dict[str, tuple[float, float, float, float]]] = {
    "person": (200.0, 770.0, 1720.0, 900.0),
    "machine": (200.0, 930.0, 1720.0, 1079.0),
}
#: The rule that each kind breaks; classes, dwell and kind of zone are its.
RULE_IDS: Final = {"person": "person-on-pipe", "machine": "heavy-on-track"}
RULE: Final = {kind: next(r for r in RULES if r.rule_id == rule_id) for kind, rule_id in RULE_IDS.items()}

#: An event may come this much before its truth: the stamps are those of two programs.
EARLY_S: Final = 0.5
#: … and so long after the thing has left its zone.
LATE_S: Final = 2.0


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that crosses the picture from right to left at one speed."""

    kind: str
    #: which of the cut-outs of that kind
    sprite: int
    #: its size in pixels, and the row on which it stands
    width_px: int
    height_px: int
    foot_px: int
    first_frame: int
    frames: int

    def left_px(self, frame: int) -> float:
        """Left side of the whole box, which may lie outside the picture."""
        share = (frame - self.first_frame) / self.frames
        return SIZE_PX[0] - share * (SIZE_PX[0] + self.width_px)

    def box_px(self, frame: int) -> tuple[float, float, float, float] | None:
        """The visible part; None if there is none at that frame."""
        if not self.first_frame <= frame < self.first_frame + self.frames:
            return None
        left = self.left_px(frame)
        x1, x2 = max(0.0, left), min(float(SIZE_PX[0]), left + self.width_px)
        return None if x2 - x1 < 1.0 else (x1, float(self.foot_px - self.height_px), x2, float(self.foot_px))


class Onset(msgspec.Struct, frozen=True, kw_only=True):
    """From which frame on a thing breaks its rule, and its last frame in the zone."""

    kind: str
    onset_frame: int
    last_frame: int


def in_zone(kind: str, box_px: tuple[float, float, float, float] | None) -> bool:
    """Whether the middle of the box's lower side lies in the zone of that kind."""
    if box_px is None:
        return False
    left, top, right, bottom = ZONES[kind]
    return left <= (box_px[0] + box_px[2]) / 2 <= right and top <= box_px[3] <= bottom


def onsets(passages: Sequence[Passage]) -> tuple[Onset, ...]:
    """When each passage breaks its rule, in the order of the onsets; what never does is left out."""
    found = []
    for passage in passages:
        last = passage.first_frame + passage.frames
        inside = [f for f in range(passage.first_frame, last) if in_zone(passage.kind, passage.box_px(f))]
        dwell = round(RULE[passage.kind].dwell_s * FPS)
        if len(inside) > dwell:  # it crosses once, so its frames inside are one run
            found.append(Onset(kind=passage.kind, onset_frame=inside[0] + dwell, last_frame=inside[-1]))
    return tuple(sorted(found, key=lambda o: o.onset_frame))


def moving_frames(passages: Sequence[Passage], begin: int, end: int) -> tuple[tuple[int, int], ...]:
    """Runs of frames [first, after last) between two frames in which something visible moves."""
    runs: list[tuple[int, int]] = []
    for passage in sorted(passages, key=lambda p: p.first_frame):
        a, b = max(begin, passage.first_frame), min(end, passage.first_frame + passage.frames)
        if a >= b:
            continue
        if runs and a <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(runs[-1][1], b))
        else:
            runs.append((a, b))
    return tuple(runs)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """An onset that a worker told, when it arrived (Unix seconds)."""

    kind: str
    at_s: float


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How what was heard compares with what was."""

    expected: int
    found: int
    #: heard, and not there; a second event of one passage is one of these
    false: int
    #: seconds from the truth's onset to the arrival, of those that were found
    delays_s: tuple[float, ...]
    #: those that nobody told
    missed: tuple[Onset, ...] = ()


def matched(truth: Sequence[Onset], heard: Sequence[Heard], frame_at_s: Sequence[float]) -> Score:
    """Give each true onset the first event of its kind that came in its time.

    Args:
        truth: of one run; onsets whose frame never came are not expected.
        heard: in any order.
        frame_at_s: when each frame of the stream had been handed over, Unix seconds.
    """
    left = sorted(heard, key=lambda h: h.at_s)
    expected, delays, missed = 0, [], []
    for onset in truth:
        if onset.onset_frame >= len(frame_at_s):
            continue
        expected += 1
        from_s = frame_at_s[onset.onset_frame]
        until_s = frame_at_s[min(onset.last_frame, len(frame_at_s) - 1)] + LATE_S
        for event in left:
            if event.kind == onset.kind and from_s - EARLY_S <= event.at_s <= until_s:
                left.remove(event)
                delays.append(event.at_s - from_s)
                break
        else:
            missed.append(onset)
    return Score(
        expected=expected, found=len(delays), false=len(left), delays_s=tuple(delays), missed=tuple(missed)
    )  # fmt: skip


def between(truth: Sequence[Onset], begin: int, end: int) -> tuple[Onset, ...]:
    """Those whose whole time, lateness included, lies between two frames."""
    return tuple(o for o in truth if o.onset_frame >= begin and o.last_frame + LATE_S * FPS < end)


def polygon(kind: str) -> tuple[tuple[float, float], ...]:
    """A zone's corners."""
    left, top, right, bottom = ZONES[kind]
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def for_peers() -> list[dict[str, Any]]:
    """The zones with their rules, as peers are told them."""
    return [
        {"kind": kind, "polygon": polygon(kind), "classes": sorted(rule.classes), "dwell_s": rule.dwell_s}
        for kind, rule in RULE.items()
    ]

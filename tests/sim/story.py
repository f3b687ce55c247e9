"""The demo's story as truth: what stands before which camera when, and when a camera gives no picture.

Pure functions of simulated seconds. What the detector makes of it (jitter, misses, inventions) is
`noise.py`'s matter; what must come of it `invariants.py` asks.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from monitor.domain.violations import Activity
from tests.sim import scene

SPEED_M_S = 1.5
COMES_FROM_M = 18.0
ARM_M = 3.0
SWING_S = 7.0


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stands before a camera."""

    class_name: str
    box: scene.Box
    activity: Activity


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One visit: a machine that drives in, stops, digs and leaves; or a person who crosses the marked strip."""

    what: Literal["dig", "cross", "pass"]
    from_s: float
    #: seconds of digging, or of crossing
    lasts_s: float
    #: seconds between stopping and digging
    rests_s: float = 10.0
    #: the machine stops so far from the centreline: on the camera's side, or beyond the line if negative
    beside_m: float = 3.0

    @property
    def camera_id(self) -> str:
        return scene.PATH if self.what == "cross" else scene.FIELD

    @property
    def site_id(self) -> str:
        return scene.PATH_SITE if self.what == "cross" else scene.FIELD_SITE

    @property
    def stop_s(self) -> float:
        """When the machine stands."""
        return self.from_s + COMES_FROM_M / SPEED_M_S

    @property
    def dig_s(self) -> float:
        return self.stop_s + self.rests_s

    @property
    def leave_s(self) -> float:
        return self.dig_s + self.lasts_s

    @property
    def until_s(self) -> float:
        """When nothing of it is left."""
        match self.what:
            case "cross":
                return self.from_s + self.lasts_s
            case "pass":
                return self.from_s + 2 * COMES_FROM_M / SPEED_M_S
            case "dig":
                return self.leave_s + COMES_FROM_M / SPEED_M_S

    @property
    def offends_from_s(self) -> float:
        """From when on it breaks a rule; a machine that only passes never does."""
        return {"cross": self.from_s, "dig": self.dig_s, "pass": math.inf}[self.what]

    @property
    def offends_until_s(self) -> float:
        return self.until_s if self.what == "cross" else self.leave_s


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """From when until when something is away."""

    from_s: float
    until_s: float

    def covers(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.until_s


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that truly happens."""

    acts: tuple[Act, ...]
    #: (camera, when it gives no picture)
    blackouts: tuple[tuple[str, Outage], ...]
    ends_s: float

    def streams(self, camera_id: str, at_s: float) -> bool:
        """Whether the camera gives pictures."""
        return not any(camera == camera_id and outage.covers(at_s) for camera, outage in self.blackouts)

    def things(self, camera_id: str, at_s: float) -> tuple[Thing, ...]:
        """What stands before the camera."""
        found = (
            _thing(a, at_s) for a in self.acts if a.camera_id == camera_id and a.from_s <= at_s < a.until_s
        )
        return tuple(thing for thing in found if thing is not None)

    def next_change_s(self, camera_id: str, at_s: float) -> float:
        """When something next comes before this camera."""
        return min(
            (a.from_s for a in self.acts if a.camera_id == camera_id and a.from_s > at_s), default=math.inf
        )


def _thing(act: Act, at_s: float) -> Thing | None:
    if act.what == "cross":
        return _walker(act, at_s)
    north_m = scene.LINE_NORTH_M - act.beside_m
    doing: Activity = "passing"
    reach_m = 0.0
    if act.what == "pass":
        east_m = -COMES_FROM_M + SPEED_M_S * (at_s - act.from_s)
    elif at_s < act.stop_s:
        east_m = SPEED_M_S * (at_s - act.stop_s)
    elif at_s < act.leave_s:
        east_m = 0.0
        doing = "stopped" if at_s < act.dig_s else "working"
        if doing == "working":
            reach_m = ARM_M * (0.5 + 0.5 * math.sin(2 * math.pi * (at_s - act.dig_s) / SWING_S))
    else:
        east_m = -SPEED_M_S * (at_s - act.leave_s)
    box = scene.box_of("excavator", east_m, north_m, reach_m)
    return None if box is None else Thing(class_name="excavator", box=box, activity=doing)


def _walker(act: Act, at_s: float) -> Thing:
    """A person walks through the picture, over the strip, from left to right."""
    (left, top), (right, _), (_, bottom), _ = scene.STRIP_PX
    share = (at_s - act.from_s) / act.lasts_s
    x, foot = left - 60 + share * (right - left + 120), (top + bottom) / 2
    return Thing(class_name="person", box=(x - 22, foot - 120, x + 22, foot), activity="passing")

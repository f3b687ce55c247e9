"""What happens in a rendered clip, and when: pure functions from media seconds to poses.

The demo's story: an empty field with a pipeline; an excavator drives in, stops three metres
beside the centreline, digs for a minute, folds its boom and drives back. Decides where everything
is; drawing it is `models.scenes.clip`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.scenes.camera import Camera, TangentPlane
from models.scenes.excavator import Pose
from models.scenes.excavator_parts import SHOE_PITCH_M

Activity = Literal["passing", "stopped", "working"]

#: Boom, stick, bucket and slew in degrees while it drives.
FOLDED = (38.0, -100.0, -165.0, 0.0)
#: One digging cycle: share of the cycle, then boom, stick, bucket and slew in degrees. It digs away
#: from the camera (slew to the right of a machine that drives west, seen from the south) and dumps
#: nearly straight ahead, so that the box's bottom stays the tracks'.
DIG_CYCLE = (
    (0.00, 32.0, -70.0, -70.0, 41.0),
    (0.14, 17.0, -72.0, -85.0, 41.0),
    (0.36, 17.0, -105.0, -150.0, 41.0),
    (0.52, 42.0, -105.0, -175.0, 36.0),
    (0.68, 44.0, -88.0, -150.0, 4.0),
    (0.80, 42.0, -78.0, -75.0, 4.0),
    (1.00, 32.0, -70.0, -70.0, 41.0),
)
#: How far from the machine's middle the bucket bites and drops, metres, as the cycle above has it.
BITE_REACH_M = 6.2
DUMP_REACH_M = 5.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All of a clip's parameters. Times are media seconds from its first frame."""

    seed: int = 20261124
    fps: int = 10
    duration_s: float = 100.0
    camera: Camera = field(default_factory=Camera)
    origin: TangentPlane = field(default_factory=TangentPlane)
    #: East and north in metres, west to east.
    centreline_en_m: tuple[tuple[float, float], ...] = (
        (-70.0, 37.0),
        (-12.0, 34.4),
        (22.0, 33.6),
        (70.0, 35.6),
    )
    #: East of the centreline's point beside which it digs, and how far on the camera's side of the line.
    stop_east_m: float = 4.0
    stop_beside_m: float = 3.0
    speed_m_s: float = 2.45
    enter_s: float = 6.0
    stop_s: float = 14.0
    dig_s: float = 15.0
    fold_s: float = 75.0
    leave_s: float = 77.0
    gone_s: float = 90.0
    cycle_s: float = 5.0
    #: Time that it takes to stop and to get going.
    ramp_s: float = 1.5
    #: Time from the folded boom to the first cycle.
    unfold_s: float = 1.0
    #: Standard deviation of the sensor's noise, in grey levels of 255.
    sensor_noise: float = 1.8
    #: Written into the picture's corner with the media time, as cameras do; empty for none.
    label: str = "SIMULATED"

    @property
    def frames(self) -> int:
        """Number of frames of the clip."""
        return round(self.duration_s * self.fps)


def stop_point(story: Story) -> tuple[NDArray[np.float64], float]:
    """East and north (2,) of the footprint's middle while it digs, and its heading in degrees (westward)."""
    line = np.array(story.centreline_en_m)
    k = int(np.clip(np.searchsorted(line[:, 0], story.stop_east_m) - 1, 0, len(line) - 2))
    way = line[k + 1] - line[k]
    on_line = line[k] + way * (story.stop_east_m - line[k, 0]) / way[0]
    along = way / np.linalg.norm(way)
    camera_side = np.array([along[1], -along[0]])
    heading = math.degrees(math.atan2(-along[0], -along[1])) % 360.0
    return on_line + story.stop_beside_m * camera_side, heading


def activity(story: Story, t_s: float) -> Activity:
    """What it does at a time at which it is there."""
    if story.dig_s <= t_s < story.leave_s:
        return "working"
    if story.stop_s <= t_s < story.dig_s:
        return "stopped"
    return "passing"


def pose(story: Story, t_s: float) -> Pose | None:
    """Where the machine is and how it holds its arm; None before it enters and after it is gone."""
    if not story.enter_s <= t_s < story.gone_s:
        return None
    stop_en, heading = stop_point(story)
    along = _along_m(story, t_s)
    direction = np.array([math.sin(math.radians(heading)), math.cos(math.radians(heading))])
    east, north = stop_en + along * direction
    boom, stick, bucket, slew = _arm(story, t_s)
    # Rounded, so that the same moment of two digging cycles is the same pose and is drawn once.
    return Pose(
        east_m=round(float(east), 4),
        north_m=round(float(north), 4),
        heading_deg=round(heading, 4),
        slew_deg=round(slew, 3),
        boom_deg=round(boom, 3),
        stick_deg=round(stick, 3),
        bucket_deg=round(bucket, 3),
        track_m=round(along % SHOE_PITCH_M, 2),
    )


def dug(story: Story, t_s: float) -> float:
    """How much of the pit is dug and of the heap thrown up, 0 to 1, growing with each cycle."""
    cycles = (story.fold_s - story.dig_s) / story.cycle_s
    done = math.floor(max(0.0, t_s - story.dig_s - story.unfold_s) / story.cycle_s + 0.25)
    return min(1.0, done / cycles)


def bite_and_dump(story: Story) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """East and north (2,) of the pit's and of the heap's middle."""
    stop_en, heading = stop_point(story)
    places = []
    for slew, reach in ((DIG_CYCLE[1][4], BITE_REACH_M - 1.0), (DIG_CYCLE[5][4], DUMP_REACH_M + 0.6)):
        a = math.radians(heading + slew)
        places.append(stop_en + reach * np.array([math.sin(a), math.cos(a)]))
    return places[0], places[1]


def _along_m(story: Story, t_s: float) -> float:
    """Way along its line, 0 where it digs: full speed, then slowing evenly to a stop; back the same way.

    It leaves in reverse: its own heap lies before it."""

    def from_rest(seconds: float) -> float:
        if seconds <= story.ramp_s:
            return story.speed_m_s * seconds**2 / (2 * story.ramp_s)
        return story.speed_m_s * (seconds - story.ramp_s / 2)

    if t_s < story.stop_s:
        return -from_rest(story.stop_s - t_s)
    return -from_rest(t_s - story.leave_s) if t_s > story.leave_s else 0.0


def _arm(story: Story, t_s: float) -> tuple[float, float, float, float]:
    """Boom, stick, bucket and slew in degrees."""
    if t_s < story.dig_s or t_s >= story.leave_s:
        return FOLDED
    if t_s < story.dig_s + story.unfold_s:
        return _blend(FOLDED, DIG_CYCLE[0][1:], (t_s - story.dig_s) / story.unfold_s)
    if t_s < story.fold_s:
        return _cycle(story, t_s)
    return _blend(_cycle(story, story.fold_s), FOLDED, (t_s - story.fold_s) / (story.leave_s - story.fold_s))


def _cycle(story: Story, t_s: float) -> tuple[float, float, float, float]:
    share = round((t_s - story.dig_s - story.unfold_s) / story.cycle_s, 6) % 1.0
    k = max(i for i, row in enumerate(DIG_CYCLE[:-1]) if row[0] <= share)
    start, end = DIG_CYCLE[k], DIG_CYCLE[k + 1]
    return _blend(start[1:], end[1:], (share - start[0]) / (end[0] - start[0]))


def _blend(a: tuple[float, ...], b: tuple[float, ...], share: float) -> tuple[float, float, float, float]:
    """From a to b, starting and ending gently."""
    s = round(min(1.0, max(0.0, share)), 6)  # so that equal moments of two cycles are equal to the last bit
    s = s * s * (3 - 2 * s)
    boom, stick, bucket, slew = (x + (y - x) * s for x, y in zip(a, b, strict=True))
    return boom, stick, bucket, slew

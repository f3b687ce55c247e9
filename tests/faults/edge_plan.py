"""What one seed of the edge's fault run does: how many cameras, for how long, and which faults strike when.

Pure. The plan follows from its seed alone; the moment at which a signal reaches a process is the machine's,
so that a seed which failed once may have to be repeated a few times.
"""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final, Literal

import msgspec

#: One seed in so many runs the whole worker, with a decoder and a detector.
WHOLE_EVERY: Final = 20
SHORTEST_S: Final = 0.8
LONGEST_S: Final = 1.4
#: seconds until an outside fault is over
FAULT_S: Final = (0.05, 0.45)
#: how far an armed process goes inside SQLite before it dies, in virtual machine steps
STEPS: Final = (1, 400)
#: how far a clock is set off; the largest are days, as after a dead battery
JUMPS_S: Final = (-30 * 86400.0, -3600.0, -90.0, 90.0, 3600.0, 30 * 86400.0)


class FaultKind(StrEnum):
    """What can strike."""

    CAMERA_KILL = "camera_kill"  # SIGKILL of a camera's process, at any moment
    CAMERA_KILL_INSIDE = "camera_kill_inside"  # … in the middle of a transaction
    CAMERA_CUT = "camera_cut"  # the camera gives no picture
    WORKER_KILL = "worker_kill"  # SIGKILL of the process that publishes and uploads
    WORKER_KILL_INSIDE = "worker_kill_inside"  # … in the middle of a transaction
    BROKER_CUT = "broker_cut"  # SIGKILL of the broker, which comes back with what it wrote down
    BROKER_WIPED = "broker_wiped"  # … with nothing
    CENTRE_AWAY = "centre_away"  # the centre does not hear the broker
    UPLOAD_CUT = "upload_cut"  # the next upload breaks off in its middle
    DISK_FULL = "disk_full"
    CLOCK_JUMP = "clock_jump"


#: Kinds that struck in no earlier seed of a block come first, so that each is seen often.
WEIGHTS: Final[dict[FaultKind, int]] = {
    FaultKind.CAMERA_KILL: 3,
    FaultKind.CAMERA_KILL_INSIDE: 5,
    FaultKind.CAMERA_CUT: 2,
    FaultKind.WORKER_KILL: 3,
    FaultKind.WORKER_KILL_INSIDE: 3,
    FaultKind.BROKER_CUT: 2,
    FaultKind.BROKER_WIPED: 3,
    FaultKind.CENTRE_AWAY: 2,
    FaultKind.UPLOAD_CUT: 2,
    FaultKind.DISK_FULL: 3,
    FaultKind.CLOCK_JUMP: 2,
}


#: of a whole seed, over as soon as they struck
_AT_ONCE: Final = frozenset({FaultKind.CAMERA_KILL, FaultKind.WORKER_KILL, FaultKind.CLOCK_JUMP})


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a plan."""

    kind: FaultKind
    #: seconds after the beginning, and for how long (0: at once over)
    at_s: float
    for_s: float = 0.0
    #: which camera, for those that strike one
    camera: int = 0
    #: steps inside SQLite, seconds of a clock's jump, bytes after which an upload breaks
    amount: float = 0.0
    #: whether the centre is away too while the broker is down, and comes back after the edge
    centre_too: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one seed does."""

    seed: int
    kind: Literal["light", "whole"]
    cameras: int
    lasts_s: float
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool:
        """Whether the whole worker runs, with a decoder and a detector."""
        return self.kind == "whole"


def drawn(seed: int) -> Plan:
    """The plan of a seed, 1 or more.

    >>> drawn(17) == drawn(17), drawn(17) == drawn(18), drawn(20).whole
    (True, False, True)
    """
    rng = random.Random(seed)
    if seed % WHOLE_EVERY == 0:
        return _whole(seed, rng)
    lasts_s, cameras = rng.uniform(SHORTEST_S, LONGEST_S), rng.randint(1, 3)
    kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=rng.randint(4, 8))
    # one kind in turn, so that any dozen of seeds has them all
    kinds[0] = list(WEIGHTS)[seed % len(WEIGHTS)]
    faults = [_fault(kind, rng, lasts_s, cameras) for kind in kinds]
    return Plan(seed=seed, kind="light", cameras=cameras, lasts_s=lasts_s,
                faults=tuple(sorted(faults, key=lambda f: f.at_s)))  # fmt: skip


def _fault(kind: FaultKind, rng: random.Random, lasts_s: float, cameras: int) -> Fault:
    fault = Fault(kind=kind, at_s=rng.uniform(0.1, lasts_s), camera=rng.randrange(cameras))
    for_s = rng.uniform(*FAULT_S)
    match kind:
        case FaultKind.CAMERA_CUT | FaultKind.DISK_FULL | FaultKind.CENTRE_AWAY:
            return msgspec.structs.replace(fault, for_s=for_s)
        case FaultKind.BROKER_CUT | FaultKind.BROKER_WIPED:
            return msgspec.structs.replace(fault, for_s=for_s, centre_too=rng.random() < 0.5)
        case FaultKind.CAMERA_KILL_INSIDE | FaultKind.WORKER_KILL_INSIDE:
            return msgspec.structs.replace(fault, amount=float(rng.randint(*STEPS)))
        case FaultKind.CLOCK_JUMP:
            return msgspec.structs.replace(fault, amount=rng.choice(JUMPS_S))
        case FaultKind.UPLOAD_CUT:
            return msgspec.structs.replace(fault, amount=float(rng.randint(1, 4000)))
        case _:
            return fault


def _whole(seed: int, rng: random.Random) -> Plan:
    """Fewer faults, further apart: a worker with a detector takes seconds to start."""
    kinds = [FaultKind.CAMERA_KILL, FaultKind.WORKER_KILL, FaultKind.BROKER_WIPED, FaultKind.CAMERA_CUT,
             FaultKind.DISK_FULL, FaultKind.BROKER_CUT]  # fmt: skip
    rng.shuffle(kinds)
    kinds = [*kinds[:3], FaultKind.CLOCK_JUMP]
    rng.shuffle(kinds)
    at_s, faults = 0.0, []
    for kind in kinds:
        at_s += rng.uniform(1.0, 3.0)
        for_s = 0.0 if kind in _AT_ONCE else rng.uniform(0.3, 1.5)
        amount = rng.choice(JUMPS_S) if kind is FaultKind.CLOCK_JUMP else 0.0
        faults.append(Fault(kind=kind, at_s=at_s, for_s=for_s, amount=amount, centre_too=rng.random() < 0.5))
        at_s += for_s
    return Plan(seed=seed, kind="whole", cameras=1, lasts_s=at_s + 2.0, faults=tuple(faults))

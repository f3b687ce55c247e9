"""Which evidence goes when the disk fills, and in which order. Pure.

First what no event names or the centre has already (`edge.evidence.EvidenceStore.sweep`), then clips of
ended episodes of level III and IV, other clips, snapshots: mildest level first, level I last, oldest first
among equals. Numbered messages are never shed. Each piece that an event named leaves a numbered record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from monitor.domain.levels import Level

#: When there is too much, shed down to this part of the share, so that not each new picture costs an old one.
DOWN_TO: Final = 0.95
#: Evidence leaves so much of the disk free, or this share of a small one: messages need no reserve for it.
FLOOR_BYTES: Final = 64 * 1024 * 1024
FLOOR_SHARE: Final = 0.01

LossReason = Literal["disk_share", "disk_full"]

_MILD: Final = frozenset({Level.III, Level.IV})


class Sheddable(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of evidence that waits for its upload."""

    sha256: str
    #: file name inside the evidence folder
    name: str
    kind: str
    bytes: int
    event_id: str
    episode_id: str
    #: as its event was graded; None if an older version kept it, which counts as the worst
    level: Level | None
    #: its episode is over
    ended: bool
    announced_at: float


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """How the disk is, in bytes."""

    total: int
    #: for us
    free: int
    #: of evidence that waits
    evidence: int
    reserve: int
    reserve_wanted: int


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """How much evidence must go, and why."""

    bytes: int
    reason: LossReason


def floor_bytes(total_bytes: int) -> int:
    """What evidence leaves free.

    >>> floor_bytes(10**12), floor_bytes(1000)
    (67108864, 10)
    """
    return min(FLOOR_BYTES, int(total_bytes * FLOOR_SHARE))


def need(disk: Disk, share: float) -> Need | None:
    """What must go now: more than its share of the disk, or room that numbered messages are owed.

    Args:
        share: of the whole disk, which evidence may use (0..1).
    """
    owed = floor_bytes(disk.total) + disk.reserve_wanted - disk.reserve - disk.free
    over = disk.evidence - disk.total * share
    if owed > 0 and owed >= over:
        return Need(bytes=owed, reason="disk_full")
    if over > 0:
        return Need(bytes=disk.evidence - int(disk.total * share * DOWN_TO), reason="disk_share")
    return None


def choose(items: Iterable[Sheddable], need_bytes: int) -> tuple[Sheddable, ...]:
    """What goes for so many bytes, in order; all of it if that is not enough."""
    items = tuple(items)
    worst: dict[str, Level] = {}
    for item in items:
        level = item.level or Level.I
        before = worst.get(item.episode_id, level)
        worst[item.episode_id] = min(before, level, key=lambda one: one.rank)
    chosen, freed = [], 0
    for item in sorted(items, key=lambda one: _place(one, worst[one.episode_id])):
        if freed >= need_bytes:
            break
        chosen.append(item)
        freed += item.bytes
    return tuple(chosen)


def _place(item: Sheddable, level: Level) -> tuple[int, int, float, str]:
    """Where it stands in the order: the smallest goes first."""
    room = 2 if item.kind != "clip" else 0 if item.ended and level in _MILD else 1
    return room, -level.rank, item.announced_at, item.sha256

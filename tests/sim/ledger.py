"""Checks of the coverage ledger against the truth: every minute has its row, and nothing counts that was not watched."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.sim.camera_side import QUIET_S
from tests.sim.clock import START
from tests.sim.truth import second, up

if TYPE_CHECKING:
    from tests.sim.world import World

#: seconds of a minute that the ledger may credit without knowing better: its own tail and rounding
CREDIT_S = 1.6
#: of a minute without any fault so much must count as watched
WATCHED_S = 57.0
MINUTE = timedelta(minutes=1)


def coverage(world: World) -> Iterator[str]:
    """Every minute of every camera has one row, and no second counts that was not watched."""
    rows = world.database.store_tables.watch
    known = {row["camera_id"]: row["since"] for row in reversed(world.database.store_tables.camera_changes)}
    overdue_s = world.agenda.now_s - 300.0
    # a tick in which the clock is set belongs to two minutes, and here ticks are as long as a quiet look
    credit_s = CREDIT_S + (QUIET_S if world.plan.jumps else 0.0)
    for camera in world.city.cameras:
        truth = _watchable(world, camera.camera_id)
        first = known[camera.camera_id] + MINUTE
        minute = first.replace(second=0, microsecond=0)
        while second(minute) + 60.0 < overdue_s:
            row = rows.get((camera.camera_id, minute))
            true_s = truth.get(minute, 0.0)
            if row is None:
                yield f"coverage: {camera.camera_id} has no row for the minute at {second(minute):.0f} s"
            elif not 0.0 <= row["watched_s"] <= row["span_s"] <= 60.0:
                yield f"coverage: {camera.camera_id} at {second(minute):.0f} s: {row['watched_s']} of {row['span_s']} s"
            elif row["watched_s"] > true_s + credit_s:
                yield (f"coverage: {camera.camera_id} at {second(minute):.0f} s counts {row['watched_s']} s as watched,"
                       f" the camera was there for {true_s:.1f} s")  # fmt: skip
            elif (
                row["watched_s"] < WATCHED_S
                and true_s >= 60.0
                and _undisturbed(world, camera.camera_id, minute)
            ):
                yield f"coverage: {camera.camera_id} at {second(minute):.0f} s counts only {row['watched_s']} s as watched"
            if row is not None and row["watched_s"] > 0.0 and _unnumbered(world, minute):
                yield f"coverage: {camera.camera_id} at {second(minute):.0f} s counts {row['watched_s']} s, nothing could be numbered"
            minute += MINUTE


def _unnumbered(world: World, minute: datetime) -> bool:
    """Whether the disk was full all that minute; by design.md it is then unwatched, whatever was looked at."""
    at_s = second(minute)
    full = any(o.from_s <= at_s - 2.0 and o.until_s >= at_s + 62.0 for o in world.plan.disk_full)
    return full and not world.plan.jumps


def _undisturbed(world: World, camera_id: str, minute: datetime) -> bool:
    """Whether nothing changed for this camera in or just before the minute, and the edge's clock was right."""
    at_s = second(minute)
    edges = [x for o in up(world, camera_id) for x in (o.from_s, o.until_s)]
    edges += [x for o in world.plan.disk_full for x in (o.from_s, o.until_s)]
    near = any(at_s - 20.0 <= x <= at_s + 61.0 for x in edges)
    off_s = sum(abs(j.by_s) for j in world.plan.jumps)
    set_clock = any(j.at_s - off_s <= at_s + 61.0 for j in world.plan.jumps)
    full = any(o.from_s < at_s + 70.0 and o.until_s > at_s for o in world.plan.disk_full)
    return not near and not set_clock and not full


def _watchable(world: World, camera_id: str) -> dict[datetime, float]:
    """Seconds of each minute of the edge's clock in which a living process had a streaming camera."""
    found: dict[datetime, float] = {}
    steps = sorted({jump.at_s for jump in world.plan.jumps})
    for whole in up(world, camera_id):
        cuts = [whole.from_s, *(s for s in steps if whole.from_s < s < whole.until_s), whole.until_s]
        for a_s, b_s in itertools.pairwise(cuts):
            offset_s = world.edge.offset_s(a_s)
            at_s, end_s = a_s + offset_s, b_s + offset_s
            while at_s < end_s:
                next_s = min(end_s, (at_s // 60 + 1) * 60)
                minute = START + timedelta(seconds=at_s // 60 * 60)
                found[minute] = found.get(minute, 0.0) + next_s - at_s
                at_s = next_s
    return found

"""What is true of a run, by its plan and the lives of its processes; no part's own word counts here."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from tests.sim.clock import START
from tests.sim.story import Outage

if TYPE_CHECKING:
    from tests.sim.world import World


def second(at: datetime) -> float:
    return (at - START).total_seconds()


def free_from(world: World, from_s: float, for_s: float) -> float:
    """The first moment from which line, broker, centre, database and worker are well for so long."""
    plan = world.plan
    bad = [*plan.link_outages, *plan.centre_restarts, *plan.database_outages]
    bad += [Outage(from_s=at_s, until_s=at_s + 10.0) for at_s, _ in plan.broker_deaths]
    bad += [Outage(from_s=a.until_s, until_s=b.from_s) for lives in world.edge.lives.values()
            for a, b in itertools.pairwise(lives)]  # fmt: skip
    bad += world.nobody_could_be_sent()
    if plan.answer_lost and from_s < plan.calm_from_s:
        for_s += 60.0
    at_s = from_s
    while blocking := [o for o in bad if o.from_s < at_s + for_s and o.until_s > at_s]:
        at_s = max(o.until_s for o in blocking)
    return at_s


def up(world: World, camera_id: str) -> list[Outage]:
    """When a living process had a streaming camera before it, in true seconds."""
    pieces = list(world.edge.lives[camera_id])
    for camera, dark in world.plan.story.blackouts:
        if camera == camera_id:
            pieces = [piece for whole in pieces for piece in without(whole, dark)]
    return pieces


def without(whole: Outage, hole: Outage) -> Iterable[Outage]:
    if hole.until_s <= whole.from_s or hole.from_s >= whole.until_s:
        return (whole,)
    left = Outage(from_s=whole.from_s, until_s=hole.from_s)
    right = Outage(from_s=hole.until_s, until_s=whole.until_s)
    return tuple(piece for piece in (left, right) if piece.until_s > piece.from_s)


def cut(a: Outage, b: Outage) -> Outage | None:
    both = Outage(from_s=max(a.from_s, b.from_s), until_s=min(a.until_s, b.until_s))
    return both if both.until_s > both.from_s else None

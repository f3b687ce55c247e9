"""What a seed decides: the story's length and acts, and every fault, all before the first second.

`plain()` is the demo's story with realistic minutes and no fault; `drawn(seed)` adds what can go wrong.
After `Plan.calm_from_s` nothing fails any more, so that what is still missing at the end is lost.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any, Literal

import msgspec

from alerts.values import Permit
from tests.sim import scene
from tests.sim.clock import START
from tests.sim.noise import Detector
from tests.sim.story import Act, Outage, Story

HOUR_S = 3600.0


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """kill -9 of the whole edge worker, or of one camera's process."""

    at_s: float
    down_s: float
    #: None: the whole worker
    camera_id: str | None = None
    #: at that moment, or just before or after the next message is numbered
    when: Literal["now", "before_commit", "after_commit"] = "now"


class Jump(msgspec.Struct, frozen=True, kw_only=True):
    """The edge's wall clock is set."""

    at_s: float
    by_s: float


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How the people are, in seconds."""

    accepts_after_s: float = 40.0
    drives_s: float = 720.0
    collects_s: float = 360.0
    resolves_s: float = 120.0
    acknowledges_after_s: float = 60.0
    confirms_after_s: float = 180.0
    verifies_after_s: float = 3600.0
    #: chance that the first officer declines, and that an officer does not answer at all
    declines: float = 0.0
    silent: float = 0.0
    #: chance that the room recalls an officer and sends one again, and that a supervisor reopens a case
    recalls: float = 0.0
    reopens: float = 0.0
    #: chance that the operator does not look at an alert until rung, and that the ring is not heard either
    asleep: float = 0.0
    deaf: float = 0.0
    #: chance that an officer says 'arrived' and 'resolved' from elsewhere, and does the work an hour later
    lies: float = 0.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    seed: int
    story: Story
    detector: Detector = Detector()
    habits: Habits = Habits()
    calm_from_s: float
    #: lawful work that the centre knows of
    permits: tuple[Permit, ...] = ()
    link_outages: tuple[Outage, ...] = ()
    kills: tuple[Kill, ...] = ()
    centre_restarts: tuple[Outage, ...] = ()
    database_outages: tuple[Outage, ...] = ()
    #: when the broker dies, and whether it forgets what it had taken
    broker_deaths: tuple[tuple[float, bool], ...] = ()
    jumps: tuple[Jump, ...] = ()
    disk_full: tuple[Outage, ...] = ()
    #: chances per message or call
    duplicated: float = 0.0
    answer_lost: float = 0.0
    #: seconds that a message may be late by, so that later ones overtake it
    late_s: float = 0.02


def plain(seed: int = 1, ends_s: float = 3 * HOUR_S) -> Plan:
    """The demo's story without a fault."""
    acts = (
        Act(what="pass", from_s=300.0, lasts_s=0.0),
        Act(what="dig", from_s=1200.0, lasts_s=180.0),
        Act(what="cross", from_s=2100.0, lasts_s=12.0),
    )
    blackout = (scene.TREES, Outage(from_s=2700.0, until_s=3090.0))
    story = Story(acts=acts, blackouts=(blackout,), ends_s=ends_s)
    return Plan(seed=seed, story=story, calm_from_s=0.0)


def brief(**changes: Any) -> Plan:
    """A machine digs, people in a hurry, one camera goes dark: ten minutes, for tests of the checks."""
    acts = (Act(what="dig", from_s=60.0, lasts_s=40.0, rests_s=3.0),)
    blackout = (scene.TREES, Outage(from_s=200.0, until_s=290.0))
    habits = Habits(
        accepts_after_s=10.0, drives_s=30.0, collects_s=10.0, resolves_s=10.0, verifies_after_s=60.0
    )
    story = Story(acts=acts, blackouts=(blackout,), ends_s=780.0)
    return Plan(**{"seed": 1, "story": story, "habits": habits, "calm_from_s": 500.0, **changes})


def drawn(seed: int) -> Plan:
    """The story with faults."""
    rng = random.Random(f"plan {seed}")
    acts: list[Act] = []
    at_s = rng.uniform(200.0, 900.0)
    for _ in range(rng.choice((1, 1, 2))):
        lasts_s, rests_s = rng.uniform(40.0, 150.0), rng.uniform(2.0, 40.0)
        beside_m = rng.choice((3.0, 3.0, -3.0, 2.0, 6.5, -9.0, -20.0))
        acts.append(Act(what="dig", from_s=at_s, lasts_s=lasts_s, rests_s=rests_s, beside_m=beside_m))
        at_s += rng.uniform(4000.0, 5000.0)  # another story, not the same one joined
    cross_s = rng.uniform(200.0, 3000.0)
    if rng.random() < 0.2:
        acts.append(
            Act(what="pass", from_s=acts[0].until_s + 300.0, lasts_s=0.0, beside_m=rng.choice((3.0, -6.0)))
        )
    if rng.random() < 0.7:
        acts.append(Act(what="cross", from_s=cross_s, lasts_s=rng.uniform(8.0, 20.0)))
    last_s = max(act.until_s for act in acts)
    calm_s = last_s + rng.uniform(300.0, 3000.0)

    def outages(most: int, shortest_s: float, longest_s: float) -> tuple[Outage, ...]:
        found = []
        for _ in range(rng.randint(0, most)):
            from_s = _about_an_act(rng, acts, calm_s)
            lasts_s = shortest_s * (longest_s / shortest_s) ** rng.random()
            found.append(Outage(from_s=from_s, until_s=min(from_s + lasts_s, calm_s)))
        return tuple(sorted(found, key=lambda o: o.from_s))

    blackouts = tuple(
        (rng.choice((scene.FIELD, scene.PATH, scene.TREES)), outage) for outage in outages(3, 8.0, 900.0)
    )
    return Plan(
        seed=seed,
        story=Story(acts=tuple(acts), blackouts=blackouts, ends_s=calm_s + 3.0 * HOUR_S),
        detector=Detector(tremble_px=rng.uniform(0.5, 2.5), missed=rng.uniform(0.0, 0.2),
                          invented=rng.uniform(0.0, 0.02), confused=rng.uniform(0.0, 0.1)),
        habits=Habits(accepts_after_s=rng.uniform(15.0, 300.0), drives_s=rng.uniform(300.0, 1200.0),
                      verifies_after_s=rng.uniform(600.0, 1800.0),
                      declines=rng.choice((0.0, 0.3)), silent=rng.choice((0.0, 0.2)),
                      recalls=rng.choice((0.0, 0.3)), reopens=rng.choice((0.0, 0.3)),
                      # a chance of its own, so that older seeds tell their old stories
                      asleep=random.Random(f"asleep {seed}").choice((0.0, 0.4, 0.8)),
                      deaf=random.Random(f"deaf {seed}").choice((0.0, 0.5))),
        calm_from_s=calm_s,
        permits=_permits(rng),
        link_outages=outages(4, 2.0, 1200.0),
        kills=_kills(rng, acts, calm_s),
        centre_restarts=outages(3, 1.0, 90.0),
        database_outages=outages(3, 1.0, 180.0),
        broker_deaths=tuple(
            (_about_an_act(rng, acts, calm_s), rng.random() < 0.7) for _ in range(rng.randint(0, 2))
        ),
        jumps=tuple(
            Jump(at_s=_about_an_act(rng, acts, calm_s), by_s=rng.choice((-1, 1)) * 1.5 * 3000.0 ** rng.random())
            for _ in range(rng.choice((0, 0, 1, 2)))
        ),
        disk_full=outages(1, 5.0, 300.0) if rng.random() < 0.3 else (),
        duplicated=rng.choice((0.0, 0.05, 0.3)),
        answer_lost=rng.choice((0.0, 0.02, 0.1)),
        late_s=rng.choice((0.02, 0.5, 5.0)),
    )  # fmt: skip


def _about_an_act(rng: random.Random, acts: list[Act], calm_s: float) -> float:
    """A moment: half of them while something happens, since that is where faults hurt."""
    if rng.random() < 0.5:
        act = rng.choice(acts)
        return rng.uniform(act.from_s - 20.0, act.until_s + 60.0)
    return rng.uniform(60.0, calm_s - 60.0)


def _permits(rng: random.Random) -> tuple[Permit, ...]:
    """Approved works beside the line, or a paper that the law does not know: it must not lower anything."""
    violation = rng.choice((None, "works_50m", "excavation_5m"))
    if violation is None:
        return ()
    day = timedelta(days=1)
    return (
        Permit(permit_number="P-1", violation=violation, pipeline_id="p-sim", from_m=2900.0, to_m=3100.0,
               valid_from=START - day, valid_to=START + 2 * day),
    )  # fmt: skip


def _kills(rng: random.Random, acts: list[Act], calm_s: float) -> tuple[Kill, ...]:
    kills = [
        Kill(
            at_s=_about_an_act(rng, acts, calm_s),
            down_s=0.5 * 240.0 ** rng.random(),
            camera_id=rng.choice((None, None, scene.FIELD, scene.PATH)),
            when=rng.choice(("now", "now", "before_commit", "after_commit")),
        )
        for _ in range(rng.randint(0, 4))
    ]
    return tuple(sorted(kills, key=lambda kill: kill.at_s))

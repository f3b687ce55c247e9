"""A city of twelve sites for days of the loop alone: who works when, what truly happens, and what fails, by a seed.

Edges are left out: their numbered messages are made here, so that a day costs seconds. What an edge, a broker and a
line do to messages is world.py's matter.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any, Final

import msgspec

from alerts.values import Permit
from monitor.domain.assets import City, Edge, Hca, Member, Pipeline, Team
from monitor.domain.events import ModelRef, Position, RiskEvent
from monitor.domain.geometry import LocalFrame
from monitor.domain.hours import Hours
from monitor.domain.levels import HcaGrade, Level
from monitor.domain.shifts import Shift
from tests.sim.clock import START
from tests.sim.plan import HOUR_S, Habits, Plan
from tests.sim.story import Outage, Story

EDGE: Final = "edge-town"
SITES: Final = 12
SITE_M: Final = 2000.0
TEAMS: Final = ("north", "middle", "south")
PER_TEAM: Final = 6
DAY_S: Final = 24 * HOUR_S
#: after the last fault, so that what is begun comes to its end
CALM_S: Final = 10 * HOUR_S
PLACE: Final = LocalFrame((121.0, 30.0))
#: offices open 08:00 to 20:00, the others work at night; START is 08:00
_SHIFTS: Final = (("day", 8 * 60, 20 * 60, slice(0, 3)), ("night", 20 * 60, 8 * 60, slice(3, 6)))
#: violation, object, level at the edge, metres beside the line
KINDS: Final = (
    ("excavation_5m", "excavator", Level.I, 3.0),
    ("works_50m", "excavator", Level.II, 20.0),
    ("engineering_200m", "excavator", Level.III, 90.0),
    ("heavy_vehicle", "truck", Level.III, 1.0),
    ("on_pipe", "person", Level.IV, 0.5),
)


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody does beside the pipe, as one episode of one camera."""

    n: int
    at_s: float
    lasts_s: float
    site: int
    metres: float
    kind: int


class TownPlan(Plan, frozen=True, kw_only=True):
    """A plan whose story is what is done in the town."""

    doings: tuple[Doing, ...] = ()


def users(team: str) -> tuple[str, ...]:
    """The members of a team."""
    return tuple(f"{team}-{n}" for n in range(PER_TEAM))


def city() -> City:
    """One pipeline, twelve HCAs of all grades, three teams in two shifts, each for all sites."""

    def named(text: str) -> dict[str, str]:
        return {"en": text, "zh": text}

    length_m = SITES * SITE_M
    return City(
        name=named("Simtown"), made_up=True,
        pipelines=(Pipeline(pipeline_id="p", name=named("Line"),
                            centreline=(PLACE.to_lonlat((0.0, 0.0)), PLACE.to_lonlat((length_m, 0.0)))),),
        hcas=tuple(
            Hca(site_id=f"site-{n}", pipeline_id="p", name=named(f"Site {n}"), grade=tuple(HcaGrade)[n % 3],
                from_m=n * SITE_M, to_m=(n + 1) * SITE_M)
            for n in range(SITES)
        ),
        edges=(Edge(edge_id=EDGE, name=named("Town's edge")),), cameras=(),
        teams=tuple(
            Team(team_id=team, name=named(team), lead=users(team)[0], on_call=users(team)[:1],
                 base=PLACE.to_lonlat((length_m * (n + 0.5) / len(TEAMS), 800.0)),
                 kind="operator_patrol" if team == "middle" else "authority",
                 members=tuple(Member(user=user, name=named(user), role="officer") for user in users(team)),
                 shifts=tuple(Shift(shift_id=name, hours=Hours(from_min=begin, to_min=end), members=users(team)[who])
                              for name, begin, end, who in _SHIFTS))
            for n, team in enumerate(TEAMS)
        ),
    )  # fmt: skip


def drawn(seed: int) -> TownPlan:
    """A day with a flood now and then, people who answer, do not, or lie, permits, and faults."""
    rng = random.Random(f"town {seed}")
    moments = [(rng.uniform(300.0, DAY_S), None) for _ in range(rng.randint(10, 40))]
    if rng.random() < 0.5:
        begins_s, where = rng.uniform(600.0, DAY_S - 900.0), rng.choice((None, rng.randrange(SITES)))
        moments += [(begins_s + rng.uniform(0.0, 600.0), where) for _ in range(rng.randint(15, 45))]  # type: ignore[list-item]
    doings = tuple(
        Doing(
            n=n, at_s=at_s, lasts_s=rng.uniform(20.0, 5400.0), metres=rng.uniform(60.0, SITE_M - 60.0),
            site=rng.randrange(SITES) if site is None else site, kind=rng.choice((0, 0, 1, 1, 2, 3, 3, 4)),
        )
        for n, (at_s, site) in enumerate(sorted(moments, key=lambda m: m[0]))
    )  # fmt: skip
    calm_s = max(doing.at_s + doing.lasts_s for doing in doings) + 600.0

    def outages(most: int, longest_s: float) -> tuple[Outage, ...]:
        begins = sorted(rng.uniform(60.0, calm_s - longest_s) for _ in range(rng.randint(0, most)))
        return tuple(Outage(from_s=s, until_s=s + longest_s ** rng.random()) for s in begins)

    habits = Habits(
        accepts_after_s=rng.uniform(15.0, 400.0), drives_s=rng.uniform(300.0, 2400.0),
        verifies_after_s=rng.uniform(600.0, 7200.0), declines=rng.choice((0.0, 0.3)),
        silent=rng.choice((0.0, 0.2, 0.5)), recalls=rng.choice((0.0, 0.2)), reopens=rng.choice((0.0, 0.2)),
        asleep=rng.choice((0.0, 0.4, 0.9)), deaf=rng.choice((0.0, 0.5)), lies=rng.choice((0.0, 0.0, 0.3)),
    )  # fmt: skip
    return TownPlan(
        seed=seed, doings=doings, habits=habits, calm_from_s=calm_s,
        story=Story(acts=(), blackouts=(), ends_s=calm_s + CALM_S), permits=_permits(rng),
        centre_restarts=outages(4, 600.0), database_outages=outages(4, 300.0),
        broker_deaths=tuple((rng.uniform(60.0, calm_s), rng.random() < 0.5) for _ in range(rng.randint(0, 3))),
        duplicated=rng.choice((0.0, 0.1, 0.3)), answer_lost=rng.choice((0.0, 0.02, 0.1)),
    )  # fmt: skip


def _permits(rng: random.Random) -> tuple[Permit, ...]:
    """Approved works at some sites, by day only at one of them, and a paper that the law does not know."""
    found = []
    for n in range(rng.randint(0, 4)):
        site, day = rng.randrange(SITES), timedelta(days=1)
        violation = rng.choice(("works_50m", "engineering_200m", "excavation_5m"))
        ends = START + rng.choice((timedelta(hours=rng.uniform(2, 20)), 3 * day))
        found.append(
            Permit(permit_number=f"T-{n}", violation=violation, pipeline_id="p", from_m=site * SITE_M,
                   to_m=(site + 1) * SITE_M, valid_from=START - day, valid_to=ends)
        )  # fmt: skip
    return tuple(found)


def told(doing: Doing) -> list[tuple[float, str]]:
    """When an edge speaks of it, and in which phase: at the onset, every minute at first, then every ten, at the end."""
    times = [60.0 * n for n in range(1, 5)] + [600.0 * n for n in range(1, 20)]
    return [
        (doing.at_s, "onset"),
        *((doing.at_s + after_s, "update") for after_s in times if after_s < doing.lasts_s - 1.0),
        (doing.at_s + doing.lasts_s, "end"),
    ]


def event(doing: Doing, at_s: float, phase: str, seq: int, event_id: str, episode_id: str) -> RiskEvent:
    """What the edge would publish."""
    violation, what, level, offset_m = KINDS[doing.kind]
    chainage_m = doing.site * SITE_M + doing.metres
    lon, lat = PLACE.to_lonlat((chainage_m, offset_m))
    given: dict[str, Any] = {
        "event_id": event_id, "edge_id": EDGE, "epoch": "town", "seq": seq, "episode_id": episode_id, "phase": phase,
        "site_id": f"site-{doing.site}", "camera_id": f"cam-{doing.site}", "captured_at": START + timedelta(seconds=at_s),
        "violation": violation, "rule_id": violation, "object_class": what, "track_id": doing.n, "confidence": 0.9,
        "bbox": (1.0, 2.0, 30.0, 40.0), "frame_size_px": (1280, 720),
        "position": Position(lon=lon, lat=lat, accuracy_m=0.8), "pipeline_id": "p", "chainage_m": chainage_m,
        "offset_m": offset_m, "within_band": 0.97, "dwell_s": at_s - doing.at_s + 5.0, "activity": "working",
        "risk_edge": level, "reason": phase, "footage": "simulated", "config_version": "1",
        "model": ModelRef(name="sim", version="1", sha256="0" * 64),
    }  # fmt: skip
    return RiskEvent(**given)

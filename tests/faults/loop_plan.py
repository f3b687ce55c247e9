"""What a seed of the loop's fault run does: which events come when, who dies where, what is away when. Pure."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final, Literal

import msgspec

#: calls of a worker at which it can be killed, before the call or after it
STEPS: Final = (
    "next_onset", "next_device_alarm", "next_rest", "waiting_onsets", "alone", "nearby", "insert_alert", "add_move", "audit", "hold_episode",
    "add_dispatch", "add_timer", "add_outgoing", "update_alert", "finish_work", "flush", "next_timer",
    "finish_timer", "end_dispatch", "take_outgoing", "send", "outgoing_sent", "outgoing_failed", "commit",
)  # fmt: skip
WORKERS: Final = 2


class FaultKind(StrEnum):
    """Bad luck."""

    KILL_STEP = "kill_step"  # a worker dies at a step of its own
    KILL_TIME = "kill_time"  # a worker dies whenever
    DATABASE_RESTART = "database_restart"  # in good order
    DATABASE_KILL = "database_kill"  # kill -9
    CONNECTIONS_CUT = "connections_cut"
    RECEIVER_REFUSES = "receiver_refuses"
    RECEIVER_HANGS = "receiver_hangs"  # and has got the message


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    kind: FaultKind
    at_s: float
    lasts_s: float = 0.0
    worker: int = 0


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """Where one life of a worker ends: at the n-th call of a step, before or after it. `step` None: nowhere."""

    step: str | None = None
    call: int = 1
    after: bool = False


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the story. Places are 200 m from each other; episodes of one place belong to one alert."""

    at_s: float
    place: int
    episode: str
    phase: Literal["onset", "update", "end"]
    activity: Literal["passing", "stopped", "working"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a person does, if the alert's state allows it then."""

    at_s: float
    step: Literal["accept", "dismiss", "recall", "resolve"]
    #: which of the alerts that are there, counted from the oldest, round and round
    alert: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One seed."""

    seed: int
    lasts_s: float
    coming: tuple[Coming, ...]
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]
    #: of each worker, life after life; a worker that has used them up lives on
    deaths: tuple[tuple[Death, ...], ...]


def drawn(seed: int, lasts_s: float = 8.0) -> Plan:
    """The plan of a seed: the same every time."""
    rng = random.Random(f"loop-{seed}")
    coming = sorted((one for place in range(rng.randint(8, 16)) for one in _at_place(rng, place, lasts_s)),
                    key=lambda one: one.at_s)  # fmt: skip
    steps = tuple(
        Step(at_s=rng.uniform(1, lasts_s), step=rng.choice(("accept", "accept", "dismiss", "recall", "resolve")),
             alert=rng.randrange(20))
        for _ in range(rng.randint(2, 6))
    )  # fmt: skip
    faults = [_fault(rng, kind, lasts_s) for kind in rng.choices(list(FaultKind)[1:], k=rng.randint(1, 4))]
    deaths = tuple(
        tuple(
            Death(step=rng.choice(STEPS), call=rng.choice((1, 1, 2, 3, 5, 8)), after=rng.random() < 0.5)
            for _ in range(rng.randint(0, 2))
        )
        for _ in range(WORKERS)
    )
    return Plan(
        seed=seed, lasts_s=lasts_s, coming=tuple(coming), steps=tuple(sorted(steps, key=lambda one: one.at_s)),
        faults=tuple(sorted(faults, key=lambda one: one.at_s)), deaths=deaths,
    )  # fmt: skip


def _at_place(rng: random.Random, place: int, lasts_s: float) -> list[Coming]:
    activity = rng.choice(("working", "working", "working", "stopped", "passing"))
    found = []
    for n in range(rng.choice((1, 1, 1, 2, 3))):
        at_s = rng.uniform(0, lasts_s * 0.7)
        phases: list[Literal["onset", "update", "end"]] = ["onset", *(["update"] * rng.randrange(4))]
        if rng.random() < 0.5:
            phases.append("end")
        for phase in phases:
            found.append(
                Coming(at_s=at_s, place=place, episode=f"{place}-{n}", phase=phase, activity=activity)
            )
            at_s = min(lasts_s, at_s + rng.uniform(0.0, 0.8))
    return found


def _fault(rng: random.Random, kind: FaultKind, lasts_s: float) -> Fault:
    return Fault(kind=kind, at_s=round(rng.uniform(0.3, lasts_s), 2), lasts_s=round(rng.uniform(0.3, 3.0), 2),
                 worker=rng.randrange(WORKERS))  # fmt: skip

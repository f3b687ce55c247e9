"""How fast people must answer an alert, and who hears of it when they do not. Data, by level; decides nothing.

Two parties have a clock each: the pipeline operator (control room and own patrol) and the authority (its
officers). The numbers are ours: no article of the Pipeline Protection Law names any, so each installation sets
its own (`response:` in hcawatch.yaml). docs/dispatch.md explains the words.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

import msgspec

from monitor.domain.levels import Level

Party = Literal["operator_patrol", "authority"]
PARTIES: Final[tuple[Party, ...]] = ("operator_patrol", "authority")

MIN_S: Final = 60.0
HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S


class Milestone(StrEnum):
    """What has to follow in time; each has its own clock."""

    ACKNOWLEDGE = "acknowledge"  # the room looked, from the alert's opening
    ACCEPT = "accept"  # somebody of the party goes, from when the party was first sent
    ARRIVE = "arrive"  # … and is there, from when the party was first sent
    CURE = "cure"  # … and it is put right, from the arrival
    VERIFY = "verify"  # another person checked it, from when it was put right


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """One party's limits at one level, in seconds; None: no limit."""

    #: of the room, hence of the operator only
    acknowledge_s: float | None = None
    accept_s: float = 10 * MIN_S
    #: from the officer's acceptance; who has not left by then is taken for dark, and another is sent
    depart_s: float = 15 * MIN_S
    arrive_s: float = HOUR_S
    cure_s: float | None = None
    #: of a supervisor, hence of the operator only
    verify_s: float | None = None

    def of(self, milestone: Milestone) -> float | None:
        """The limit of one milestone, seconds."""
        found: float | None = getattr(self, f"{milestone.value}_s")
        return found


class Who(StrEnum):
    """Whom a step of a chain tells."""

    OFFICER = "officer"  # who is on the way
    TEAM_LEAD = "team_lead"
    ON_SHIFT = "on_shift"  # everybody of the team who works now
    ON_CALL = "on_call"
    OPERATOR = "operator"  # the control room
    SUPERVISOR = "supervisor"
    PERSON = "person"  # by name


class ChainStep(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told, so long after the clock ran out, through which channel, how often."""

    who: Who
    #: with Who.PERSON: a member's user name, or the id of a contact
    person: str | None = None
    after_s: float = 0.0
    #: the first of these for which the person has an address; everybody has "mqtt"
    through: tuple[str, ...] = ("mqtt",)
    every_s: float = 0.0
    times: int = 1


#: bounds that the configuration keeps, so that no chain runs for ever
MOST_STEPS: Final = 20
MOST_TIMES: Final = 20


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when a clock runs out and nothing follows. The first chain that fits is taken."""

    levels: tuple[Level, ...] = tuple(Level)
    parties: tuple[Party, ...] = PARTIES
    clocks: tuple[Milestone, ...] = tuple(Milestone)
    steps: tuple[ChainStep, ...]
    #: time to answer the last message; then nobody answered, which is a health alert of its own
    wait_s: float = 10 * MIN_S

    def fits(self, party: Party, milestone: Milestone, level: Level) -> bool:
        """Whether it is the chain of this clock."""
        return level in self.levels and party in self.parties and milestone in self.clocks


def _limits(
    ack: float | None, accept: float, depart: float, arrive: float, cure: float, verify: float | None
) -> Limits:
    return Limits(
        acknowledge_s=None if ack is None else ack * MIN_S, accept_s=accept * MIN_S, depart_s=depart * MIN_S,
        arrive_s=arrive * MIN_S, cure_s=cure * MIN_S, verify_s=None if verify is None else verify * MIN_S,
    )  # fmt: skip


#: minutes: acknowledge, accept, depart, arrive, cure, verify
SHIPPED_LIMITS: Final[Mapping[Party, Mapping[Level, Limits]]] = {
    "operator_patrol": {
        Level.I: _limits(5, 10, 10, 45, 240, 24 * 60),
        Level.II: _limits(10, 10, 15, 60, 480, 24 * 60),
        Level.III: _limits(60, 30, 60, 240, 24 * 60, 3 * 24 * 60),
        Level.IV: _limits(480, 60, 240, 24 * 60, 3 * 24 * 60, 7 * 24 * 60),
    },
    "authority": {
        Level.I: _limits(None, 10, 15, 60, 480, None),
        Level.II: _limits(None, 10, 20, 90, 24 * 60, None),
        Level.III: _limits(None, 30, 60, 480, 3 * 24 * 60, None),
        Level.IV: _limits(None, 60, 240, 24 * 60, 7 * 24 * 60, None),
    },
}

_URGENT: Final = (Level.I, Level.II)
SHIPPED_CHAINS: Final = (
    Chain(
        levels=_URGENT, clocks=(Milestone.ACKNOWLEDGE, Milestone.VERIFY),
        steps=(
            ChainStep(who=Who.OPERATOR, every_s=2 * MIN_S, times=3),
            ChainStep(who=Who.SUPERVISOR, after_s=5 * MIN_S, through=("sms", "mqtt"), every_s=5 * MIN_S, times=3),
        ),
    ),
    Chain(
        levels=_URGENT,
        steps=(
            ChainStep(who=Who.OFFICER, through=("sms", "mqtt")),
            ChainStep(who=Who.TEAM_LEAD, through=("voice", "sms", "mqtt"), every_s=5 * MIN_S, times=2),
            ChainStep(who=Who.OPERATOR, every_s=5 * MIN_S, times=2),
            ChainStep(who=Who.ON_CALL, after_s=10 * MIN_S, through=("voice", "sms", "mqtt"), every_s=5 * MIN_S, times=2),
            ChainStep(who=Who.SUPERVISOR, after_s=15 * MIN_S, through=("voice", "sms", "mqtt"), every_s=10 * MIN_S, times=3),
        ),
    ),
    Chain(
        clocks=(Milestone.ACKNOWLEDGE, Milestone.VERIFY), wait_s=HOUR_S,
        steps=(
            ChainStep(who=Who.OPERATOR, every_s=30 * MIN_S, times=2),
            ChainStep(who=Who.SUPERVISOR, after_s=HOUR_S),
        ),
    ),
    Chain(
        wait_s=HOUR_S,
        steps=(
            ChainStep(who=Who.OFFICER),
            ChainStep(who=Who.TEAM_LEAD, after_s=15 * MIN_S),
            ChainStep(who=Who.OPERATOR, after_s=30 * MIN_S),
            ChainStep(who=Who.SUPERVISOR, after_s=HOUR_S),
        ),
    ),
)  # fmt: skip


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as one installation has it."""

    limits: Mapping[Party, Mapping[Level, Limits]] = msgspec.field(default_factory=lambda: SHIPPED_LIMITS)
    chains: tuple[Chain, ...] = SHIPPED_CHAINS
    #: by violation: skills that the officer should have; who has none of them is still sent before nobody
    skills: Mapping[str, tuple[str, ...]] = msgspec.field(
        default_factory=lambda: {"theft": ("police_liaison",)}
    )
    #: of the travel estimate: straight line from the team's base, roads unknown
    travel_kmh: float = 30.0
    #: an officer who left and is later than the limit by this share of it is taken for dark
    dark_after_share: float = 0.5

    def limit(self, party: Party, level: Level) -> Limits:
        """The party's limits at that level."""
        return self.limits[party][level]

    def chain(self, party: Party, milestone: Milestone, level: Level) -> Chain | None:
        """The chain of a clock that ran out; None: nobody is to be told."""
        return next((chain for chain in self.chains if chain.fits(party, milestone, level)), None)

"""The sections `shifts`, `holidays` and `response` of a document to the domain's values."""

from datetime import timedelta

import msgspec

from hcawatch.config.schema import ChainSection, Document, LimitSection, ResponseSection, TeamSection, text_of
from monitor.domain.hours import Hours, clock_min
from monitor.domain.levels import Level
from monitor.domain.response import (
    MIN_S,
    SHIPPED_CHAINS,
    SHIPPED_LIMITS,
    Chain,
    ChainStep,
    Limits,
    Milestone,
    Party,
    Response,
    Who,
)
from monitor.domain.shifts import Holiday, Shift


def kind_of(team: TeamSection) -> Party:
    """Whose team it is; what the file leaves out, its members tell."""
    if team.kind is not None:
        return team.kind
    return "authority" if any(member.role == "officer" for member in team.members) else "operator_patrol"


def shifts_of(team: TeamSection) -> tuple[Shift, ...]:
    """The team's shifts; those that the checks found faulty are left out."""
    return tuple(
        Shift(
            shift_id=s.id, members=tuple(s.members), holidays=s.holidays,
            hours=Hours(days=tuple(s.days), from_min=clock_min(s.begin), to_min=clock_min(s.end)),
        )
        for s in team.shifts
        if clock_min(s.begin) != clock_min(s.end) and s.begin != "24:00"
    )  # fmt: skip


def hand_over_of(team: TeamSection) -> timedelta:
    """How long members stay after their shift."""
    return timedelta(minutes=team.hand_over_min)


def holidays_of(document: Document) -> tuple[Holiday, ...]:
    """The city's holidays."""
    return tuple(
        Holiday(first=h.first, last=h.last or h.first, name=text_of(h.name)) for h in document.holidays
    )


def response_of(section: ResponseSection) -> Response:
    """Limits and chains: the shipped ones with what the file says."""
    limits = {party: dict(by_level) for party, by_level in SHIPPED_LIMITS.items()}
    for given in section.limits:
        for party in given.parties:
            for level in map(Level, given.levels):
                limits[party][level] = _with(limits[party][level], given, party)
    return Response(
        limits=limits,
        chains=(*(_chain(chain) for chain in section.chains), *SHIPPED_CHAINS),
        skills={violation: tuple(skills) for violation, skills in section.skills.items()},
        travel_kmh=section.travel_kmh,
        dark_after_share=section.dark_after_share,
    )


def _with(limits: Limits, given: LimitSection, party: Party) -> Limits:
    changes = {}
    for name in ("acknowledge", "accept", "depart", "arrive", "cure", "verify"):
        minutes = getattr(given, f"{name}_min")
        # the room's two clocks are the operator's
        if minutes is not None and (party == "operator_patrol" or name not in ("acknowledge", "verify")):
            changes[f"{name}_s"] = minutes * MIN_S
    return msgspec.structs.replace(limits, **changes)


def _chain(chain: ChainSection) -> Chain:
    return Chain(
        levels=tuple(map(Level, chain.levels)), parties=tuple(chain.parties),
        clocks=tuple(map(Milestone, chain.clocks)), wait_s=chain.wait_min * MIN_S,
        steps=tuple(
            ChainStep(
                who=Who(s.who), person=s.person, after_s=s.after_min * MIN_S, through=tuple(s.through),
                every_s=s.every_min * MIN_S, times=s.times,
            )
            for s in chain.steps
        ),
    )  # fmt: skip

"""How long people took: p50 and p95 of the three times that each have a limit of their own. Pure.

Acknowledged counts from the alert's opening, arrived from the first dispatch, cured from the arrival, as the clocks
do (alerts/clocks.py). What did not happen yet has no time: it is counted as waiting beside the percentiles, since
they would flatter a room that answers only the easy ones.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from alerts.figures.values import AlertFact, DispatchFact, Period
from alerts.reasons import EndOfDispatch
from monitor.domain.assets import City
from monitor.domain.levels import Level
from monitor.domain.response import Milestone, Response

#: in the order in which they happen
BY_LEVEL = (Milestone.ACKNOWLEDGE, Milestone.ARRIVE, Milestone.CURE)
BY_TEAM = (Milestone.ACCEPT, Milestone.ARRIVE, Milestone.CURE)


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """Times to one milestone. Seconds; None where nothing was measured."""

    milestone: Milestone
    n: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    #: how many took longer than their limit; None: there is no one limit
    late: int | None = None
    #: begun, and it did not happen yet
    waiting: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One level's or one team's times."""

    of: str
    #: alerts of the level, or dispatches of the team
    count: int
    took: tuple[Took, ...]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which that share lies, between neighbours linearly: PostgreSQL's percentile_cont.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([], 0.5)
    (2.5, None)
    """
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low, high = math.floor(at), math.ceil(at)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def by_level(alerts: Iterable[AlertFact], period: Period, response: Response) -> tuple[Row, ...]:
    """Violations that were opened in the period and rang, by level, the worst first."""
    mine = [a for a in alerts if a.kind == "violation" and a.rang and period.holds(a.opened_at)]
    rows = []
    for level in Level:
        of_level = [alert for alert in mine if alert.level is level]
        limit_s = response.limit("operator_patrol", level).acknowledge_s
        rows.append(
            Row(
                of=level.value, count=len(of_level),
                took=(
                    _took(Milestone.ACKNOWLEDGE, [
                        (a.opened_at, a.acknowledged_at, a.closed_at is None, limit_s) for a in of_level
                    ]),
                    _took(Milestone.ARRIVE, [
                        (a.dispatched_at, a.arrived_at, a.closed_at is None and a.resolved_at is None, None)
                        for a in of_level
                    ]),
                    _took(Milestone.CURE, [
                        (a.arrived_at, a.resolved_at, a.closed_at is None, None) for a in of_level
                    ]),
                ),
            )
        )  # fmt: skip
    return tuple(rows)


def by_team(
    dispatches: Iterable[DispatchFact], period: Period, city: City, response: Response
) -> tuple[Row, ...]:
    """Dispatches of the period by team, in the city's order; teams that it no longer has come last."""
    found: dict[str, list[DispatchFact]] = {team.team_id: [] for team in city.teams}
    for dispatch in dispatches:
        if period.holds(dispatch.dispatched_at):
            found.setdefault(dispatch.team_id, []).append(dispatch)
    rows = []
    for team_id, mine in found.items():
        team = city.team(team_id)
        party = team.kind if team is not None else "authority"
        limits = {level: response.limit(party, level) for level in Level}
        rows.append(
            Row(
                of=team_id, count=len(mine),
                took=(
                    _took(Milestone.ACCEPT, [
                        (d.dispatched_at, d.accepted_at, d.ended_at is None, limits[d.level].accept_s) for d in mine
                    ]),
                    _took(Milestone.ARRIVE, [
                        (d.dispatched_at, d.arrived_at, d.ended_at is None, limits[d.level].arrive_s) for d in mine
                    ]),
                    _took(Milestone.CURE, [
                        (d.arrived_at, d.ended_at if d.end_reason == EndOfDispatch.RESOLVED else None,
                         d.ended_at is None, limits[d.level].cure_s)
                        for d in mine
                    ]),
                ),
            )
        )  # fmt: skip
    return tuple(rows)


def _took(
    milestone: Milestone, spans: Iterable[tuple[datetime | None, datetime | None, bool, float | None]]
) -> Took:
    """`spans`: since when, until when, whether it may still happen, and its limit in seconds."""
    lasted: list[float] = []
    late, limited, waiting = 0, False, 0
    for since, until, runs, limit_s in spans:
        limited = limited or limit_s is not None
        if since is None:
            continue
        if until is None:
            waiting += runs
            continue
        # whoever arrived before anybody was sent (a second dispatch) took no time
        lasted.append(max(0.0, (until - since).total_seconds()))
        late += limit_s is not None and lasted[-1] > limit_s
    return Took(
        milestone=milestone, n=len(lasted), p50_s=percentile(lasted, 0.5), p95_s=percentile(lasted, 0.95),
        late=late if limited else None, waiting=waiting,
    )  # fmt: skip

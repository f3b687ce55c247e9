"""What an officer who is on the way to a site looks at besides: open alerts that nobody is sent to, permits that end.

Pure. It takes nothing from an alert: what waits for a confirmation goes on waiting for it, its own clocks and
dispatches stay as they are until the officer stands there; only then it is theirs. So a visit that comes to nothing
costs nothing. An alert of level I, and one of level II that has just come, are sent to on their own and never wait.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from alerts.dispatching import Chosen
from alerts.lifecycle import AlertKind, State
from alerts.reasons import Choice
from alerts.values import Alert, Confirmation, Dispatch, Permit, PermitState
from monitor.domain.assets import Hca
from monitor.domain.levels import Level

#: a permit that ends within this is looked at if somebody is there
ENDS_SOON: Final = timedelta(days=7)
#: an alert that would be sent to on its own by now, and is not, has nobody
NOBODY_AFTER: Final = timedelta(minutes=5)
#: more than these in one visit no officer gets through
MOST_ALONG: Final = 10
_WAITS: Final = frozenset({Level.III, Level.IV})
#: of a dispatch whose officer is there because of another alert of the site
SAME_VISIT: Final = "same_visit"


class Along(StrEnum):
    """Why a check is taken along."""

    AWAITS_CONFIRMATION = "awaits_confirmation"
    KEPT_FOR_VISIT = "kept_for_visit"
    NOBODY_SENT = "nobody_sent"
    PERMIT_ENDS = "permit_ends"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at during another's visit."""

    kind: str
    #: alert id or permit number
    ref: str
    why: Along


def along(
    visit: Dispatch,
    site: Hca | None,
    alerts: Iterable[Alert],
    sent_to: Collection[str],
    permits: Iterable[Permit],
    known: Collection[tuple[str, str]],
    now: datetime,
    have: int = 0,
) -> tuple[Check, ...]:
    """What a running visit takes along beyond what it has.

    Args:
        visit: the dispatch; one that is itself part of a visit takes nothing along.
        site: its HCA; None if the configuration has it no more.
        alerts: of the same site.
        sent_to: ids of alerts with a running dispatch.
        permits: approved ones of the site's pipeline.
        known: (kind, ref) that this or another running visit has already, or that were looked at lately.
        have: how many checks this visit has already.
    """
    if visit.choice == SAME_VISIT or visit.ended_at is not None:
        return ()
    found = [
        Check(kind="alert", ref=alert.alert_id, why=why)
        for alert in sorted(alerts, key=lambda one: (one.level.rank, one.opened_at, one.alert_id))
        if alert.alert_id != visit.alert_id
        and alert.alert_id not in sent_to
        and (why := _why(alert, now)) is not None
    ]
    if site is not None:
        found += [
            Check(kind="permit", ref=permit.permit_number, why=Along.PERMIT_ENDS)
            for permit in sorted(permits, key=lambda one: (one.valid_to, one.permit_number))
            if _ends_soon_there(permit, site, now)
        ]
    fresh = [check for check in found if (check.kind, check.ref) not in known]
    return tuple(fresh[: max(0, MOST_ALONG - have)])


def _why(alert: Alert, now: datetime) -> Along | None:
    """Why an open alert is taken along; None if it is not."""
    if alert.kind is not AlertKind.VIOLATION or alert.state is not State.OPEN:
        return None
    # what a shelf or an untrusted camera keeps from ringing asks nobody for anything, also not by the way
    if alert.confirmation is Confirmation.REFUTED or alert.held_by is not None:
        return None
    if alert.level in _WAITS:
        pending = alert.confirmation is Confirmation.PENDING
        return Along.AWAITS_CONFIRMATION if pending else Along.KEPT_FOR_VISIT
    return Along.NOBODY_SENT if alert.opened_at + NOBODY_AFTER <= now else None


def _ends_soon_there(permit: Permit, site: Hca, now: datetime) -> bool:
    return (
        permit.state is PermitState.APPROVED
        and permit.pipeline_id == site.pipeline_id
        and permit.from_m <= site.to_m
        and site.from_m <= permit.to_m
        and permit.valid_from <= now <= permit.valid_to <= now + ENDS_SOON
    )


def same_visit(visit: Dispatch) -> Chosen:
    """The officer who is there because of another alert of the site."""
    return Chosen(team_id=visit.team_id, officer=visit.officer, choice=Choice.SAME_VISIT,
                  shift_until=visit.shift_until, facts={"visit": visit.dispatch_id})  # fmt: skip


def goes_on_without(alert: Alert, dispatch: Dispatch) -> bool:
    """Whether an alert is not given to somebody else when a dispatch of it comes to nothing.

    One that was only taken along, and would not be sent to by itself, waits for its confirmation as before.
    """
    return (
        dispatch.choice == SAME_VISIT
        and alert.level in _WAITS
        and alert.confirmation is not Confirmation.CONFIRMED
    )

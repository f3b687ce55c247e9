"""What a supervision rule makes of a case: kept from being sent to, or sent to sooner. Pure; the rules are
monitor.domain.supervision's.

The alert says so: a reason that names the rule, a transition with the rule's own words. What is kept is never
forgotten: it is dispatched when the rule's days are over, at once when it gets worse, and whenever a person says so.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.commands import Change, Commands, SeekOfficer, SetTimer, changed
from alerts.lifecycle import State
from alerts.reasons import Why
from alerts.values import Alert, Confirmation, Timer, TimerKind
from monitor.domain.risk import Reason
from monitor.domain.supervision import RULED_LEVELS, SiteRecord, Supervision, SupervisionRule, Then, ruled

#: keys of the reasons that name a rule
KEPT: Final = "kept_by_rule"
SOONER: Final = "sooner_by_rule"


def is_kept(alert: Alert) -> bool:
    """Whether a rule keeps it from being sent to for now; nobody waits for an officer then."""
    return alert.level in RULED_LEVELS and any(reason.key == KEPT for reason in alert.reasons)


def keep_or_send(confirmed: Alert, rule: SupervisionRule | None, now: datetime) -> Commands:
    """What follows on a confirmation while nobody is sent."""
    if rule is None or rule.then is Then.SOONER or confirmed.level not in RULED_LEVELS:
        return (SeekOfficer(alert=confirmed, why=Why.CONFIRMED),)
    if is_kept(confirmed):  # confirmed once more: it waits as it did, and is one case that was spared
        return ()
    why = Why.KEPT_REMOTE if rule.then is Then.REMOTE else Why.KEPT_FOR_VISIT
    due_at = now + timedelta(days=rule.at_most_days)
    timer = Timer(alert_id=confirmed.alert_id, what=TimerKind.KEPT_LONG_ENOUGH, due_at=due_at)
    return (_named(confirmed, rule, KEPT, why, now), SetTimer(timer=timer, once=True))


def sooner(
    alert: Alert, record: SiteRecord, supervision: Supervision, *, sent_before: bool, now: datetime
) -> Commands:
    """Sends to a suspicion that would wait for its confirmation, if a rule says so."""
    if alert.state is not State.OPEN or alert.confirmation is not Confirmation.PENDING or sent_before:
        return ()
    if alert.held_by is not None:
        return ()
    rule = ruled(alert.level, record, supervision, now)
    if rule is None or rule.then is not Then.SOONER:
        return ()
    note = _named(alert, rule, SOONER, Why.SOONER_BY_RULE, now)
    return (note, SeekOfficer(alert=note.after, why=Why.SOONER_BY_RULE))


def kept_long_enough(alert: Alert, *, running: bool, now: datetime) -> Commands:
    """The rule's days are over: whoever is confirmed and still has nobody is sent to."""
    if alert.state is not State.OPEN or running or not is_kept(alert):
        return ()
    reasons = tuple(reason for reason in alert.reasons if reason.key != KEPT)
    over = changed(alert, "note", Why.KEPT_LONG_ENOUGH, now, reasons=reasons)
    if (
        alert.confirmation is Confirmation.REFUTED or alert.held_by is not None
    ):  # what is held is sent when it rings
        return (over,)
    return (over, SeekOfficer(alert=over.after, why=Why.KEPT_LONG_ENOUGH))


def _named(alert: Alert, rule: SupervisionRule, key: str, why: Why, now: datetime) -> Change:
    reasons = (*alert.reasons, Reason(key=key, points=0, detail=rule.rule_id))
    change = changed(alert, "note", why, now, facts={"rule": rule.rule_id}, reasons=reasons)
    words = " / ".join(dict.fromkeys(rule.name.values()))
    note = f"{rule.rule_id}: {words}" if words else rule.rule_id
    return msgspec.structs.replace(change, move=msgspec.structs.replace(change.move, note=note))

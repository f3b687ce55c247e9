"""Checks of the loop: one alert a story, answered in time, lawful work left alone, nobody verifies the own work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from alerts.lifecycle import AlertKind, State, Step
from alerts.policy import Policy
from alerts.reasons import Health
from alerts.values import Alert
from monitor.domain.levels import Level
from monitor.domain.response import Milestone
from tests.sim.story import Act, Outage
from tests.sim.truth import cut, free_from, second, up, without

if TYPE_CHECKING:
    from tests.sim.world import World

#: seconds in which a settled chain brings an onset from the edge to the officer's dispatch
CHAIN_S = 45.0
#: an offence that was before a living camera for so long must be found: the rule's dwell, and time to judge
SEEN_S, SEEN_FAR_S = 20.0, 35.0
#: further off only the rules with long dwells apply
FAR_M = 6.0
#: clocks that are off by more than an alert joins are no longer one story to the loop
FAR_OFF_S = 1500.0


def violations(world: World) -> list[Alert]:
    return [a for a in world.database.book.tables.alerts.values() if a.kind is AlertKind.VIOLATION]


def stories(world: World) -> Iterator[str]:
    """One alert for each act and violation that was seen; none for what did not happen."""
    of_act: dict[int, list[Alert]] = {}
    for alert in violations(world):
        number = _act_of(world, alert)
        if number is None:
            yield f"false alarm: {alert.violation} in {alert.site_id} at {second(alert.opened_at):.0f} s, nothing was there"
        else:
            of_act.setdefault(number, []).append(alert)
    clock_far_off = sum(abs(jump.by_s) for jump in world.plan.jumps) > FAR_OFF_S
    for n, act in enumerate(world.plan.story.acts):
        found = of_act.get(n, [])
        said = [(a.violation, round(second(a.opened_at)), a.state.value) for a in found]
        if len({a.violation for a in found}) < len(found) and not clock_far_off:
            yield f"duplicate: {act.what} at {act.from_s:.0f} s has {len(found)} alerts: {said}"
        if _seen_for_s(world, act) < (SEEN_FAR_S if abs(act.beside_m) > FAR_M else SEEN_S):
            continue
        if not found:
            yield f"missed: {act.what} at {act.from_s:.0f} s was before a living camera and has no alert"
        elif act.what == "dig" and abs(act.beside_m) <= 3.0 and not _reached_level_i(world, found):
            yield f"missed: {act.what} at {act.from_s:.0f} s never became level I: {said}"


def _reached_level_i(world: World, found: list[Alert]) -> bool:
    moves = world.database.book.tables.moves
    return any(move.level is Level.I for alert in found for move in moves[alert.alert_id])


def _act_of(world: World, alert: Alert) -> int | None:
    """The act that an alert is about, by the true time at which its first event was numbered."""
    numbered_s = world.edge.outbox.numbered_at_s[_first_seq(world, alert)]
    for n, act in enumerate(world.plan.story.acts):
        if act.site_id == alert.site_id and act.from_s <= numbered_s <= act.until_s + 10.0:
            return n
    return None


def _first_seq(world: World, alert: Alert) -> int:
    tables = world.database.book.tables
    mine = {e.episode_id for e in tables.episodes.values() if e.alert_id == alert.alert_id}
    return min(event.seq for event in tables.events if event.episode_id in mine)


def _onset_s(world: World, alert: Alert) -> float:
    """When its first event was numbered; when the edge saw it, where a later occurrence took all its episodes."""
    if any(e.alert_id == alert.alert_id for e in world.database.book.tables.episodes.values()):
        return world.edge.outbox.numbered_at_s[_first_seq(world, alert)]
    return second(alert.onset_at)


def _seen_for_s(world: World, act: Act) -> float:
    """The longest stretch of the offence that a living process with a streaming camera had before it."""
    if act.offends_from_s == float("inf"):
        return 0.0
    offence = Outage(from_s=act.offends_from_s, until_s=act.offends_until_s)
    pieces = [cut(up, offence) for up in up(world, act.camera_id)]
    for full in world.plan.disk_full:
        pieces = [rest for piece in pieces if piece is not None for rest in without(piece, full)]
    seen = iter(pieces)
    return max((o.until_s - o.from_s for o in seen if o is not None), default=0.0)


def dispatches(world: World) -> Iterator[str]:
    tables = world.database.book.tables
    for alert in violations(world):
        mine = sorted(
            (d for d in tables.dispatches.values() if d.alert_id == alert.alert_id),
            key=lambda d: d.dispatched_at,
        )
        for earlier, later in itertools.pairwise(mine):
            if earlier.ended_at is None or earlier.ended_at > later.dispatched_at:
                yield f"duplicate: two dispatches of {alert.alert_id} ran at once"
        for dispatch in mine:
            keys = [
                o for o in tables.outgoing.values() if o.idempotency_key == f"{dispatch.dispatch_id}:dispatch"
            ]
            if len(keys) != 1 or keys[0].outgoing_id not in tables.sent_at:
                yield f"untold: dispatch {dispatch.dispatch_id} of {alert.alert_id} has {len(keys)} messages, or none was sent"
        if alert.closed_at is None:
            yield f"unfinished: {alert.violation} of {second(alert.onset_at):.0f} s is still {alert.state} at the end"
        if alert.condition_ended_at is None:
            yield f"unfinished: the condition of {alert.alert_id} never ended"


def answered(world: World) -> Iterator[str]:
    """From the first moment at which the way was free: level I is dispatched within seconds, II in two minutes."""
    tables = world.database.book.tables
    waits_s = {Level.I: 0.0, Level.II: Policy().level_ii_wait.total_seconds()}
    for alert in violations(world):
        moves = tables.moves[alert.alert_id]
        if alert.state is State.SUPERVISED:
            continue
        sent_s = next((second(m.at) for m in moves if m.step == Step.DISPATCH), None)
        onset_s = _onset_s(world, alert)
        free_s = free_from(world, onset_s, CHAIN_S)
        for level, wait_s in waits_s.items():
            level_at = next((m.at for m in moves if not level.is_worse_than(m.level)), None)
            if level_at is None:
                continue
            due_s = max(free_s, free_from(world, second(level_at), CHAIN_S)) + wait_s
            limit_s = free_from(world, due_s, CHAIN_S) + CHAIN_S
            if sent_s is None or sent_s > limit_s:
                said = "never" if sent_s is None else f"at {sent_s:.0f} s"
                yield f"late: level {level} numbered at {onset_s:.0f} s, was to be dispatched by {limit_s:.0f} s, was {said}"


def escalated(world: World) -> Iterator[str]:
    """Every clock that ran out told whom its chain names, in time, once, and every chain came to an end."""
    tables, response = world.database.book.tables, Policy().response
    for row in tables.escalations.values():
        if row.ended_at is None:
            yield f"endless: the chain of {row.clock} of {row.alert_id} still runs at the end"
    sent = {o.idempotency_key for o in tables.outgoing.values() if o.outgoing_id in tables.sent_at}
    for told in tables.told.values():
        if (told.sent_as or told.idempotency_key) not in sent:
            yield f"untold: {told.person} was to hear of {told.clock} of {told.alert_id}"
        *_, begun, step, again, _ = told.idempotency_key.split(":")
        row = next(
            r for r in tables.escalations.values()
            if (r.alert_id, r.clock) == (told.alert_id, told.clock) and abs(r.begun_at.timestamp() - float(begun)) < 0.01
        )  # fmt: skip
        party, _, milestone = row.clock.partition(":")
        chain = response.chain(party, Milestone(milestone), row.level)  # type: ignore[arg-type]
        assert chain is not None
        named = chain.steps[int(step)]
        due_s = second(row.begun_at) + named.after_s + (int(again) - 1) * named.every_s
        if second(told.at) < due_s - 0.01:
            yield f"early: {told.who} heard of {row.clock} at {second(told.at):.1f} s, due at {due_s:.1f} s"
        if second(told.at) > free_from(world, due_s, CHAIN_S) + CHAIN_S:
            yield f"late: {told.who} heard of {row.clock} at {second(told.at):.1f} s, due at {due_s:.1f} s"


def lawful(world: World) -> Iterator[str]:
    """Works under a permit are recorded and nobody is sent; a paper that the law does not know lowers nothing."""
    tables = world.database.book.tables
    approved = {p.violation for p in world.plan.permits if p.violation != "excavation_5m"}
    for alert in violations(world):
        sent = [d for d in tables.dispatches.values() if d.alert_id == alert.alert_id]
        if alert.state is State.SUPERVISED and (alert.violation not in approved or sent):
            yield f"permit: {alert.violation} is supervised, approved are {approved}, dispatches {len(sent)}"
        if (
            alert.violation in approved
            and alert.state is not State.SUPERVISED
            and alert.occurrence_of is None
        ):
            seen = {event.violation for event in tables.events if _held_by(world, event.episode_id, alert)}
            if seen == {alert.violation}:
                yield f"permit: {alert.violation} of {second(alert.onset_at):.0f} s is approved and yet {alert.state}"


def _held_by(world: World, episode_id: str, alert: Alert) -> bool:
    held = world.database.book.tables.episodes.get(episode_id)
    return held is not None and held.alert_id == alert.alert_id


def verified(world: World) -> Iterator[str]:
    for alert_id in world.people.wrong_verifications:
        yield f"verified by who resolved it: {alert_id}"
    for alert_id, moves in world.database.book.tables.moves.items():
        resolver = None
        for move in moves:
            resolver = move.actor if move.step == Step.RESOLVE else resolver
            if move.step == Step.VERIFY and move.actor == resolver:
                yield f"verified by who resolved it: {alert_id}"
    resolved = sum(
        any(m.step == Step.RESOLVE for m in moves) for moves in world.database.book.tables.moves.values()
    )
    if resolved and not world.people.refused_verifications:
        yield "nobody even tried to verify what they resolved"


def healthy(world: World) -> Iterator[str]:
    """Once all is calm nothing is said to be wrong any more."""
    for alert in world.database.book.tables.alerts.values():
        if alert.kind is AlertKind.HEALTH and alert.closed_at is None:
            yield f"unhealthy: {alert.health} of {alert.subject} runs since {second(alert.opened_at):.0f} s"
        if alert.health in (Health.WORK_FAILED, Health.DEAD_LETTER, Health.SAME_NUMBER_OTHER_HASH):
            yield f"unhealthy: {alert.health} of {alert.subject}: {[r.detail for r in alert.reasons]}"

"""When a clock runs out: who is told, in which order, and when it ends. Pure; the chains are data
(monitor.domain.response).

A chain is a finite list of moments counted from when its clock ran out. `on_clocks` looks at an alert as it is
`now`, and may be called at any time, by anybody, any number of times: what is done is done. It ends by a person's
step (STOPS) or with its last moment; then that nobody answered is a health alert. What a worker slept through is
told once, not once a repetition.

A clock whose chain ended begins another when its level rose, or when a person had answered and an officer who was
sent afterwards let the limit pass as well. So there are no more chains than answers and levels.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.clocks import Clock, clocks, own_due, party_of
from alerts.commands import (
    Clear,
    Command,
    Commands,
    Problem,
    PutEscalation,
    Raise,
    SetTimer,
    TellPerson,
    changed,
)
from alerts.lifecycle import Step
from alerts.messages import escalation_message
from alerts.policy import Policy
from alerts.reasons import EndOfChain, Health, Why
from alerts.recipients import recipients
from alerts.values import Alert, Dispatch, Escalation, Timer, TimerKind, Told
from monitor.domain.assets import City
from monitor.domain.response import Chain, ChainStep, Milestone
from monitor.domain.risk import Reason

#: a clock that is looked at later than this after it ran out (the centre was down) begins its chain then: everybody
#: still gets the time to answer that the chain gives
LATE_S: Final = 30.0

#: the step of its transition; like 'join' or 'rise' it keeps the alert's state
ESCALATE: Final = "escalate"

_ALL: Final = frozenset(Milestone)
#: which chains a step stops: a look at the alert stops all until the next clock runs out, the rest what it answers
STOPS: Final[dict[str, frozenset[Milestone]]] = {
    Step.ACKNOWLEDGE: _ALL,
    Step.CONFIRM: _ALL,
    Step.REFUTE: _ALL,
    Step.ACCEPT: frozenset({Milestone.ACKNOWLEDGE, Milestone.ACCEPT}),
    Step.ARRIVE: frozenset({Milestone.ACCEPT, Milestone.ARRIVE}),
    Step.RECALL: frozenset({Milestone.ACCEPT, Milestone.ARRIVE, Milestone.CURE}),
    Step.RESOLVE: _ALL - {Milestone.VERIFY},
    Step.REOPEN: frozenset({Milestone.VERIFY}),
    Step.VERIFY: _ALL,
    Step.DISMISS: _ALL,
    Step.SUPERVISE: _ALL,
    # who shelves it has seen it
    "hold": _ALL,
}
_SEEN = frozenset({Step.ACKNOWLEDGE, Step.CONFIRM, Step.REFUTE, "hold"})


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a chain at one of its times."""

    offset_s: float
    step: int
    #: 1 for the first time
    round: int


class ClockFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows when clocks are looked at."""

    dispatches: tuple[Dispatch, ...] = ()
    escalations: tuple[Escalation, ...] = ()


def schedule(chain: Chain) -> tuple[Moment, ...]:
    """All moments of a chain in their order: as many as its rows say, and no more."""
    moments = [
        Moment(offset_s=step.after_s + again * step.every_s, step=n, round=again + 1)
        for n, step in enumerate(chain.steps)
        for again in range(step.times)
    ]
    return tuple(sorted(moments, key=lambda moment: (moment.offset_s, moment.step)))


def due(chain: Chain, told_through_s: float, elapsed_s: float) -> tuple[Moment, ...]:
    """The moments that came since; of one step only the last, so that a late worker does not ring five times."""
    came = [moment for moment in schedule(chain) if told_through_s < moment.offset_s <= elapsed_s]
    newest = {moment.step: moment for moment in came}
    return tuple(moment for moment in came if newest[moment.step] == moment)


def next_moment_s(chain: Chain, told_through_s: float) -> float:
    """Offset of what comes next: a moment, or the end of the wait after the last one."""
    moments = schedule(chain)
    coming = [moment.offset_s for moment in moments if moment.offset_s > told_through_s]
    return min(coming) if coming else max((m.offset_s for m in moments), default=0.0) + chain.wait_s


def on_clocks(alert: Alert, facts: ClockFacts, city: City, policy: Policy, now: datetime) -> Commands:
    """What an alert's clocks ask for at this moment."""
    commands: list[Command] = []
    looks: list[datetime] = []
    known = clocks(alert, facts.dispatches, city, policy.response)
    for row in facts.escalations:
        clock = next((c for c in known if (c.name, c.since) == (row.clock, row.since)), None)
        if row.ended_at is None and (clock is None or not clock.ran_out(now)):
            commands += _end(row, EndOfChain.ANSWERED, now)
    for clock in known:
        if not clock.ran_out(now):
            looks += [clock.due_at] if clock.runs else []
            continue
        next_at, alert, more = _one_clock(clock, alert, facts, city, policy, now)
        commands += more
        looks += [next_at] if next_at is not None else []
    if looks:
        timer = Timer(alert_id=alert.alert_id, what=TimerKind.CLOCKS, due_at=min(looks))
        commands.append(SetTimer(timer=timer, once=True))
    return tuple(commands)


def stop(step: str, escalations: tuple[Escalation, ...], now: datetime) -> Commands:
    """What a person's step ends. The alert that nobody answered is over with it."""
    stopped = STOPS.get(step, frozenset())
    mine = [row for row in escalations if Milestone(row.clock.partition(":")[2]) in stopped]
    why = EndOfChain.ACKNOWLEDGED if step in _SEEN else EndOfChain.ANSWERED
    # an answer after everybody was told ends that silence too: who is sent from now on may be missed again
    silent = [row for row in mine if row.end_reason == EndOfChain.EXHAUSTED]
    ended = [
        command for row in mine if row.ended_at is None or row in silent for command in _end(row, why, now)
    ]
    if silent:
        ended.append(Clear(health=Health.NOBODY_ANSWERED, subject=mine[0].alert_id))
    return tuple(ended)


def _one_clock(
    clock: Clock, alert: Alert, facts: ClockFacts, city: City, policy: Policy, now: datetime
) -> tuple[datetime | None, Alert, list[Command]]:
    """A clock that ran out: when to look at it next, the alert after its transitions, and the commands."""
    rows = [row for row in facts.escalations if (row.clock, row.since) == (clock.name, clock.since)]
    row = max(rows, key=lambda row: row.begun_at, default=None)
    commands: list[Command] = []
    if row is None:
        late = (now - clock.due_at).total_seconds() > LATE_S
        row = _begin(clock, alert, now if late else clock.due_at)
    elif alert.level.is_worse_than(row.level):
        commands += _end(row, EndOfChain.LEVEL_ROSE, now) if row.ended_at is None else []
        row = _begin(clock, alert, now)
    elif row.ended_at is not None:
        due_at = _missed_again(clock, row, facts, city)
        if due_at is None or due_at > now:
            return due_at, alert, []
        row = _begin(clock, alert, now if (now - due_at).total_seconds() > LATE_S else due_at)
    clock = _of_row(clock, row, facts, city)
    chain = policy.response.chain(clock.party, clock.milestone, row.level) or Chain(steps=(), wait_s=0.0)
    elapsed_s = (now - row.begun_at).total_seconds()
    heard: set[str] = set()
    for moment in due(chain, row.told_through_s, elapsed_s):
        alert, told = _tell(chain.steps[moment.step], moment, clock, row, alert, facts, city, heard, now)
        commands += told
        row = msgspec.structs.replace(row, told_through_s=moment.offset_s)
    next_at = row.begun_at + timedelta(seconds=next_moment_s(chain, row.told_through_s))
    if heard and next_at <= now:  # told late: who was rung only now has the whole wait to answer
        next_at = now + timedelta(seconds=chain.wait_s)
    elif row.next_at is not None:
        next_at = max(next_at, row.next_at) if row.next_at > now else next_at
    if next_at > now:
        row = msgspec.structs.replace(row, next_at=next_at)
        return next_at, alert, [*commands, PutEscalation(escalation=row)]
    row = msgspec.structs.replace(row, next_at=None, ended_at=now, end_reason=EndOfChain.EXHAUSTED.value)
    over = changed(alert, "note", Why.NOBODY_ANSWERED, now, facts={"clock": clock.name})
    problem = Problem(
        health=Health.NOBODY_ANSWERED, subject=alert.alert_id, at=now, site_id=alert.site_id,
        camera_id=alert.camera_id, footage=alert.footage,
        reasons=(Reason(key=f"{clock.milestone.value}_overdue", points=0, detail=alert.alert_id),),
    )  # fmt: skip
    return None, over.after, [*commands, PutEscalation(escalation=row), over, Raise(problem=problem)]


def _missed_again(clock: Clock, row: Escalation, facts: ClockFacts, city: City) -> datetime | None:
    """When the first officer passes the limit after a chain's end, whenever they were sent; None if nobody does, or if
    nobody had answered: then everybody knows, and ringing once more for each officer would have no end."""
    ended_at = row.ended_at
    answers = [at for d in facts.dispatches for at in (d.accepted_at, d.arrived_at) if at is not None]
    answered = row.end_reason == EndOfChain.ACKNOWLEDGED or any(at >= row.begun_at for at in answers)
    if ended_at is None or not answered:
        return None
    mine = [d for d in facts.dispatches if party_of(d, city) == clock.party]
    return min((at for d in mine if (at := own_due(clock, d)) is not None and at > ended_at), default=None)


def _of_row(clock: Clock, row: Escalation, facts: ClockFacts, city: City) -> Clock:
    """The clock as the chain's people should hear of it: due when the last of those officers missed it."""
    missed = [own_due(clock, d) for d in facts.dispatches if party_of(d, city) == clock.party]
    last = max((at for at in missed if at is not None and at <= row.begun_at), default=clock.due_at)
    return msgspec.structs.replace(clock, due_at=max(clock.due_at, last))


def _begin(clock: Clock, alert: Alert, at: datetime) -> Escalation:
    return Escalation(
        alert_id=alert.alert_id, clock=clock.name, since=clock.since, begun_at=at, level=alert.level
    )


def _end(row: Escalation, why: EndOfChain, now: datetime) -> list[Command]:
    ended = msgspec.structs.replace(row, next_at=None, ended_at=now, end_reason=why.value)
    return [PutEscalation(escalation=ended)]


def _tell(
    step: ChainStep, moment: Moment, clock: Clock, row: Escalation, alert: Alert, facts: ClockFacts, city: City,
    heard: set[str], now: datetime,
) -> tuple[Alert, list[Command]]:  # fmt: skip
    """One moment of a chain: its transition, and a message to each person whom the step names.

    Who `heard` of it from another step of the same second is not rung twice; a step that finds nobody is none.
    """
    telling: list[Command] = []
    said: list[str] = []
    for person in recipients(step, alert, facts.dispatches, city, clock.due_at, now):
        if person.person in heard:
            continue
        heard.add(person.person)
        channel, address = person.reached_by(step.through)
        said.append(f"{person.person} ({channel})")
        key = f"{alert.alert_id}:{row.clock}:{row.begun_at.timestamp():.6f}:{moment.step}:{moment.round}:{person.person}"
        telling.append(
            TellPerson(
                told=Told(idempotency_key=key, alert_id=alert.alert_id, clock=row.clock, at=now, who=step.who.value,
                          person=person.person, channel=channel),
                message=escalation_message(alert, clock, person.person, channel, address, key, now,
                                           in_room=person.in_room),
                in_room=person.in_room,
            )
        )  # fmt: skip
    if not telling:
        return alert, []
    move = changed(
        alert, ESCALATE, f"{clock.milestone.value}_overdue", now,
        facts={"clock": row.clock, "who": step.who.value, "round": str(moment.round), "told": ", ".join(said)},
    )  # fmt: skip
    note = ", ".join(said)
    move = msgspec.structs.replace(move, move=msgspec.structs.replace(move.move, note=note))
    return move.after, [move, *telling]

"""Carries out commands in one transaction: rows, history, audit entry, outgoing messages, notifications.

Decides nothing itself: where a command needs further facts (which officer, is there a running health
alert), they are fetched under the proper lock and a pure function decides.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from alerts import clocks, health
from alerts.calm import bundling
from alerts.calm.flapping import FLAPS
from alerts.calm.holding import Quiet
from alerts.commands import (
    AcceptDispatch,
    Change,
    Clear,
    Command,
    Commands,
    EndDispatch,
    HandOver,
    HoldEpisode,
    OfficerMoves,
    Open,
    PutEscalation,
    Raise,
    SeekOfficer,
    Send,
    SetTimer,
    StartDispatch,
    Tell,
    TellPerson,
    Touch,
)
from alerts.dispatching import (
    Chosen,
    Crew,
    Nobody,
    accepted_timers,
    choose_officer,
    hand_over,
    send,
    who_covers,
)
from alerts.escalation import STOPS, stop
from alerts.lifecycle import AlertKind, IllegalStep, State, Step
from alerts.log import entry_of_change, entry_of_opening
from alerts.messages import dispatch_message
from alerts.news import alert_news, copies, news_of
from alerts.policy import Policy
from alerts.ports import AlertTx
from alerts.reasons import Health
from alerts.values import Alert, Dispatch, Timer, TimerKind
from monitor.domain.assets import City
from monitor.domain.levels import Level

CHANGE_CHANNEL = "hcawatch_change"
OUTGOING_CHANNEL = "hcawatch_outgoing"


class Performer:
    """Performs commands within one transaction at one `now`."""

    def __init__(
        self, tx: AlertTx, city: City, policy: Policy, now: datetime, new_id: Callable[[], str]
    ) -> None:
        self._tx, self._city, self._policy, self._now, self._new_id = tx, city, policy, now, new_id

    def perform(self, commands: Commands) -> None:
        """Each command in turn, and what follows from it."""
        for command in commands:
            self._one(command)

    def _one(self, command: Command) -> None:
        tx = self._tx
        match command:
            case Open():
                self._open(command)
            case Change():
                self._change(command)
            case Touch(alert=alert):
                tx.touch_alert(alert)
                self._changed(alert.alert_id)
            case HoldEpisode(episode=episode):
                tx.hold_episode(episode)
            case SetTimer(timer=timer, once=once):
                tx.add_timer(timer, once=once)
            case AcceptDispatch(dispatch_id=dispatch_id, at=at):
                tx.accept_dispatch(dispatch_id, at)
            case OfficerMoves():
                tx.dispatch_moves(command.dispatch_id, command.departed_at, command.arrived_at)
            case PutEscalation(escalation=row):
                tx.put_escalation(row)
            case TellPerson():
                self._tell_person(command)
            case Send(message=message):
                tx.add_outgoing(message)
                tx.notify(OUTGOING_CHANNEL, message.idempotency_key)
            case _:
                self._follow_up(command)

    def _follow_up(self, command: Command) -> None:
        tx = self._tx
        match command:
            case SeekOfficer():
                self._seek(command)
            case HandOver():
                self._hand_over(command)
            case StartDispatch(dispatch=dispatch):
                tx.add_dispatch(dispatch)
                self._tell(dispatch, "dispatch", dispatch.alert_id)
            case EndDispatch(dispatch=dispatch, at=at, why=why, recall=recall):
                tx.end_dispatch(dispatch.dispatch_id, at, why)
                if recall:
                    self._tell(dispatch, "recall", dispatch.alert_id)
            case Tell(alert=alert, what=what):
                running = tx.running_dispatch(alert.alert_id)
                if running is not None:
                    self._tell(running, what, alert.alert_id, key=f"{what}:{alert.version}")
            case Raise():
                self._raise(command)
            case Clear():
                tx.lock(f"health:{command.health}:{command.subject}")
                over = tx.running_health(command.health, command.subject)
                self.perform(health.on_over(over, self._now, self._policy))

    def _raise(self, command: Raise) -> None:
        tx, problem = self._tx, command.problem
        if problem.health == Health.CAMERA_NOT_WATCHING and problem.site_id is not None:
            # a shelf of this camera begins or ends under it; before the health subject's lock, as ports.py says
            tx.lock(f"site:{problem.site_id}")
        tx.lock(f"health:{problem.health}:{problem.subject}")
        running = tx.running_health(problem.health, problem.subject)
        if running is not None and command.only_if_none:
            return
        facts = health.HealthFacts()
        if running is None and problem.health in FLAPS:
            since = self._now - timedelta(seconds=self._policy.calm.flap_within_s)
            facts = health.HealthFacts(
                quiet=Quiet(shelves=tx.shelves_of(problem.camera_id, ())),
                lost_before=tx.lost_before(problem.health, problem.subject, since),
            )
        self.perform(health.on_problem(running, problem, self._policy, self._now, self._new_id(), facts))

    def _tell_person(self, command: TellPerson) -> None:
        """At once and by itself, or with others of the same minute (alerts/calm/bundling.py)."""
        tx, told, message, calm, now = self._tx, command.told, command.message, self._policy.calm, self._now
        since = now - timedelta(seconds=calm.bundle_s)
        level = Level(message.body["level"])
        if command.in_room and bundling.bundles(
            level, tx.told_lately(told.person, told.channel, since), calm
        ):
            waiting = tx.waiting_bundle(message.channel, message.address, told.person, now)
            bundle = (
                bundling.with_another(waiting, message)
                if waiting
                else bundling.first_of(message, told.person, now)
            )
            if tx.add_told(msgspec.structs.replace(told, sent_as=bundle.idempotency_key)):
                tx.put_bundle(bundle, None if waiting else bundling.goes_at(calm, now))
        elif tx.add_told(told):
            tx.add_outgoing(message)
            tx.notify(OUTGOING_CHANNEL, told.person)

    def _open(self, command: Open) -> None:
        number = self._tx.insert_alert(command.alert)
        self._tx.add_move(command.move)
        self._tx.audit(entry_of_opening(command))
        self._changed(command.alert.alert_id)
        self._spread(msgspec.structs.replace(command.alert, number=number))
        limits = self._policy.response.limit("operator_patrol", command.alert.level)
        if command.alert.kind is AlertKind.VIOLATION and limits.acknowledge_s is not None:
            self._look_at_clocks(
                command.alert, command.alert.opened_at + timedelta(seconds=limits.acknowledge_s)
            )

    def _change(self, command: Change) -> None:
        self._tx.update_alert(command.after, command.before.version)
        self._tx.add_move(command.move)
        self._tx.audit(entry_of_change(command))
        self._changed(command.after.alert_id)
        if news_of(command.move) is not None:
            self._spread(command.after)
        if command.after.kind is AlertKind.VIOLATION:
            self._clocks_of(command)

    def _clocks_of(self, command: Change) -> None:
        """A transition answers clocks, and starts the next."""
        tx, alert, step = self._tx, command.after, command.move.step
        if step in STOPS:
            self.perform(stop(step, tx.escalations(alert.alert_id), self._now))
        running = tx.running_dispatch(alert.alert_id) if step in (Step.ACCEPT, Step.ARRIVE) else None
        at = clocks.first_look(command, running, self._city, self._policy.response, self._now)
        if at is not None:
            self._look_at_clocks(alert, at)
        if step == Step.ACCEPT and running is not None:
            for timer in accepted_timers(running, alert, self._city, self._policy, self._now):
                tx.add_timer(timer, once=False)

    def _look_at_clocks(self, alert: Alert, at: datetime) -> None:
        self._tx.add_timer(Timer(alert_id=alert.alert_id, what=TimerKind.CLOCKS, due_at=at), once=True)

    def _seek(self, command: SeekOfficer) -> None:
        tx = self._tx
        alert = _must(tx.alert(command.alert.alert_id, for_update=True), command.alert)
        if alert.kind is not AlertKind.VIOLATION or alert.state not in (State.OPEN, State.RESOLVED):
            raise IllegalStep(alert.kind, alert.state, command.step)
        chosen = self._choose(alert)
        self.perform(send(command, alert, chosen, self._city, self._policy, self._now, self._new_id()))

    def _hand_over(self, command: HandOver) -> None:
        chosen = self._choose(command.alert, relieved=command.dispatch.officer)
        self.perform(
            hand_over(command, command.alert, chosen, self._city, self._policy, self._now, self._new_id())
        )

    def _choose(self, alert: Alert, relieved: str | None = None) -> Chosen | Nobody:
        tx = self._tx
        tx.lock("dispatching")
        running = tx.running_by_officer(who_covers(alert.site_id, self._city))
        crew = Crew(running=running, earlier=tx.dispatches(alert.alert_id), relieved=relieved)
        return choose_officer(
            alert.site_id, alert.place, self._city, crew, self._policy, self._now, alert.violation
        )

    def _tell(self, dispatch: Dispatch, what: str, alert_id: str, key: str = "") -> None:
        alert = self._tx.alert(alert_id)
        if alert is not None:
            message = dispatch_message(dispatch, alert, what, key or what, self._now)
            for one in (message, *copies(message, dispatch, self._city, self._now)):
                self._tx.add_outgoing(one)
            self._tx.notify(OUTGOING_CHANNEL, dispatch.team_id)

    def _spread(self, alert: Alert) -> None:
        """Tells the channels that want to hear of alerts."""
        if not any("alerts" in channel.sends for channel in self._city.channels):
            return
        messages = alert_news(alert, self._tx.moves(alert.alert_id), self._city, self._now)
        for message in messages:
            self._tx.add_outgoing(message)
        if messages:
            self._tx.notify(OUTGOING_CHANNEL, alert.alert_id)

    def _changed(self, alert_id: str) -> None:
        self._tx.notify(CHANGE_CHANNEL, f"alert:{alert_id}")


def _must(found: Alert | None, wanted: Alert) -> Alert:
    assert found is not None, f"alert {wanted.alert_id} vanished within its own transaction"
    return found

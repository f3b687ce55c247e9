"""The loop's engine: takes work, lets what is due happen, takes people's steps; one transaction each.

Onsets and smart cameras' alarms come before everything else that waits, and onsets at places of their own are opened
together in one transaction: what they ask and write costs few statements then (postgres_together.py), and nobody's alert
waits for an edge's backlog. Timers and all other work are one transaction each.

Reads facts, asks the pure decisions, has the commands performed. It never reads a clock. What another
transaction made impossible is decided again; what can never be decided becomes a health alert, so that
it neither blocks the queue nor is lost.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import structlog
import uuid_utils

from alerts.apply import Performer
from alerts.commands import Clear, Problem, Raise, SeekOfficer, StepRequest
from alerts.decide import on_event
from alerts.dispatching import accept_within, send, who_covers
from alerts.errors import AlertsError, Conflict
from alerts.escalation import ClockFacts, on_clocks
from alerts.joining import apart
from alerts.lifecycle import State, Step
from alerts.policy import Policy
from alerts.ports import AlertBook, AlertTx
from alerts.reasons import EndOfDispatch, Health, Why
from alerts.shown import Shown, found
from alerts.steps import PICTURES, StepFacts, on_step
from alerts.timers import TimerFacts, on_timer
from alerts.transactions import in_transaction
from alerts.values import Actor, Alert, Confirmation, Dispatch, LastWord, Timer, TimerKind, Work
from alerts.views import AlertView
from alerts.visiting.bundling import same_visit
from alerts.working import decide_work
from monitor.audit.errors import AuditError
from monitor.domain.assets import City
from monitor.domain.events import RiskEvent
from monitor.domain.risk import Reason
from monitor.domain.supervision import SiteRecord, SupervisionRule, ruled

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: work or timers taken in one call, so that the caller's clock moves on
MOST_AT_ONCE = 100
#: alarms of smart cameras that are decided, one by one, before the next onsets
DEVICES_IN_TURN = 10

#: what no retry can mend: the facts themselves cannot be read or written
_HOPELESS = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, AlertsError, AuditError,
)  # fmt: skip


def new_uuid7() -> str:
    """A UUID whose order is the order of time."""
    return str(uuid_utils.uuid7())


class AlertEngine(Shown):
    """See the module. Safe to use from many threads and processes at once."""

    def __init__(
        self,
        book: AlertBook,
        city: City,
        policy: Policy | None = None,
        new_id: Callable[[], str] = new_uuid7,
    ) -> None:
        super().__init__(book, city, policy or Policy())
        self._new_id = new_id

    # ------------------------------------------------------------ what ingest and time bring
    def take_work(self, now: datetime, limit: int = MOST_AT_ONCE) -> int:
        """Does up to `limit` pieces of waiting work, onsets first; returns how many there were."""
        onsets = self.take_onsets(now, limit)
        return onsets + self.take_rest(now, limit - onsets)

    def take_onsets(self, now: datetime, limit: int = MOST_AT_ONCE) -> int:
        """Does up to `limit` waiting onsets and alarms of smart cameras; returns how many there were.

        By turns, so that a flood of neither keeps the other waiting.
        """
        done = 0
        while done < limit:
            devices = self._until_empty(
                lambda: self._one_work(now, lambda tx: tx.next_device_alarm()),
                min(DEVICES_IN_TURN, limit - done),
            )
            done += devices
            together, left = self._onsets(now, limit - done)
            done += together
            # near an alert or each other: one after the other, before others are looked at together
            for _ in range(min(left, limit - done)):
                if not self._one_work(now, lambda tx: tx.next_onset()):
                    return done
                done += 1
            if not together and not left and not devices:
                break
        return done

    def take_rest(self, now: datetime, limit: int = MOST_AT_ONCE) -> int:
        """Does up to `limit` pieces of all other work; returns how many there were."""
        return self._until_empty(lambda: self._one_work(now, lambda tx: tx.next_rest()), limit)

    def run_due(self, now: datetime, limit: int = MOST_AT_ONCE) -> int:
        """Handles up to `limit` timers that are due; returns how many there were."""
        return self._until_empty(lambda: self._one_timer(now), limit)

    def raise_problem(self, problem: Problem, now: datetime) -> None:
        """Opens or updates a health alert that the alert module itself has to raise (couriers, workers)."""
        self._in_transaction(lambda tx: self._performer(tx, now).perform((Raise(problem=problem),)))

    def clear_problem(self, kind: Health, subject: str, now: datetime) -> None:
        """The problem is over; does nothing if none runs."""
        self._in_transaction(
            lambda tx: self._performer(tx, now).perform((Clear(health=kind, subject=subject),))
        )

    # ------------------------------------------------------------ what people do
    def step(
        self,
        alert_id: str,
        step: Step,
        actor: Actor,
        now: datetime,
        note: str = "",
        lon: float | None = None,
        lat: float | None = None,
        attachments: tuple[str, ...] = (),
        reason: str = "",
        cause: str = "",
        idempotency_key: str | None = None,
    ) -> AlertView:
        """Takes a step and returns the alert after it; the same key again only returns the alert.

        Raises NotFound, IllegalStep (also Incomplete: something is missing), NotAllowed.
        """
        request = StepRequest(step=step, actor=actor, at=now, note=note, lon=lon, lat=lat,
                              attachments=tuple(attachments), reason=reason, cause=cause,
                              idempotency_key=idempotency_key)  # fmt: skip

        def take(tx: AlertTx) -> AlertView:
            alert = found(tx, alert_id, for_update=True)
            if idempotency_key is None or not tx.has_move(alert.alert_id, idempotency_key):
                facts = StepFacts(
                    running=tx.running_dispatch(alert.alert_id),
                    photos=tx.stored_photos(alert.alert_id, request.attachments) if attachments else frozenset(),
                    seen=_stored_pictures(tx, alert) if step is Step.DISMISS else (),
                    arrive_within_m=self._policy.arrive_within_m,
                    rule=self._rule_for(tx, alert, now) if step is Step.CONFIRM else None,
                )  # fmt: skip
                self._performer(tx, now).perform(on_step(alert, request, facts))
            return self.view_in(tx, alert_id)

        return self._in_transaction(take)

    def take_along(self, alert_id: str, visit: Dispatch, now: datetime) -> Dispatch | None:
        """Gives an open alert to the officer who is at its site because of another one; None if it needs nobody."""

        def take(tx: AlertTx) -> Dispatch | None:
            alert = found(tx, alert_id, for_update=True)
            unwanted = alert.confirmation is Confirmation.REFUTED or alert.held_by is not None
            if alert.state is not State.OPEN or unwanted:
                running = tx.running_dispatch(alert_id)
                # done before, and whoever did it was ended before it could say so
                return (
                    running
                    if running is not None and running.chosen == {"visit": visit.dispatch_id}
                    else None
                )
            tx.lock("dispatching")
            seek = SeekOfficer(alert=alert, why=Why.SAME_VISIT)
            sent = send(seek, alert, same_visit(visit), self._city, self._policy, now, self._new_id())
            self._performer(tx, now).perform(sent)
            return tx.running_dispatch(alert_id)

        return self._in_transaction(take)

    def transact(self, do: Callable[[AlertTx, Performer], T], now: datetime) -> T:
        """One transaction of another part of the loop (reporting), tried again when others were first."""
        return self._in_transaction(lambda tx: do(tx, self._performer(tx, now)))

    def new_id(self) -> str:
        """An id for something new."""
        return self._new_id()

    def _rule_for(self, tx: AlertTx, alert: Alert, now: datetime) -> SupervisionRule | None:
        rules = self._policy.supervision
        return ruled(alert.level, tx.site_record(alert), rules, now) if rules.rules else None

    # ------------------------------------------------------------ many in one transaction
    def _onsets(self, now: datetime, limit: int) -> tuple[int, int]:
        """How many of the waiting onsets were done together, and how many are left to be done one by one."""
        waiting: tuple[Work, ...] = ()
        done = 0
        try:
            with self._book.together() as tx:
                waiting = tx.waiting_onsets(limit)
                if len(waiting) > 1:
                    done = self._together(tx, waiting, now)
        except (Conflict, *_HOPELESS) as exc:
            # one of them cannot be decided, or somebody was first: one by one it shows which
            log.info("onsets.one_by_one", onsets=len(waiting), error=str(exc)[:200])
            done = 0
        return done, len(waiting) - done

    def _together(self, tx: AlertTx, waiting: Sequence[Work], now: datetime) -> int:
        events = [msgspec.convert(work.body, RiskEvent) for work in waiting]
        sites = sorted({event.site_id for event in events})
        tx.lock_all([f"site:{site_id}" for site_id in sites])
        tx.will_ask_of({officer for site_id in sites for officer in who_covers(site_id, self._city)})
        found = zip(
            waiting, events, apart(events, self._policy), tx.alone(events, self._policy, now), strict=True
        )
        performer, done = self._performer(tx, now), 0
        for work, event, is_apart, nearby in found:
            if is_apart and nearby is not None:
                performer.perform(on_event(event, nearby, self._city, self._policy, now, self._new_id()))
                tx.finish_work(work.work_id, now)
                done += 1
        return done

    # ------------------------------------------------------------ one transaction each
    def _one_work(self, now: datetime, next_of: Callable[[AlertTx], Work | None]) -> bool:
        taken: list[Work] = []

        def do(tx: AlertTx) -> bool:
            work = next_of(tx)
            if work is None:
                return False
            taken[:] = [work]
            commands = decide_work(tx, work, self._city, self._policy, now, self._new_id)
            self._performer(tx, now).perform(commands)
            tx.finish_work(work.work_id, now)
            return True

        try:
            return self._in_transaction(do)
        except Conflict:
            raise
        except _HOPELESS as exc:
            if not taken:
                raise
            work = taken[0]
            self._give_up(
                f"work:{work.kind}",
                f"{work.work_id}: {exc}",
                now,
                lambda tx: tx.finish_work(work.work_id, now),
            )
            return True

    def _one_timer(self, now: datetime) -> bool:
        taken: list[Timer] = []

        def do(tx: AlertTx) -> bool:
            timer = tx.next_timer(now)
            if timer is None:
                return False
            taken[:] = [timer]
            alert = found(tx, timer.alert_id, for_update=True)
            tx.finish_timer(timer.timer_id, now)
            sent = tx.dispatches(alert.alert_id)
            if timer.what == TimerKind.CLOCKS:
                known = ClockFacts(dispatches=sent, escalations=tx.escalations(alert.alert_id))
                self._performer(tx, now).perform(on_clocks(alert, known, self._city, self._policy, now))
                return True
            running = tx.running_dispatch(alert.alert_id)
            facts = TimerFacts(
                running=running,
                visit=tx.dispatch(running.chosen["visit"]) if running and "visit" in running.chosen else None,
                accept_within=accept_within(running, alert, self._city, self._policy) if running else timedelta(0),
                sent_before=bool(sent),
                recalled=bool(sent) and sent[-1].end_reason == EndOfDispatch.RECALLED,
                waiting=tx.waiting_evidence(alert.alert_id) if timer.what == TimerKind.EVIDENCE_OVERDUE else (),
                record=tx.site_record(alert) if timer.what == TimerKind.SEND_SOONER else SiteRecord(),
                last=_last_word_about(tx, alert) if timer.what == TimerKind.FLAPS else None,
            )  # fmt: skip
            self._performer(tx, now).perform(on_timer(timer, alert, facts, self._policy, now))
            return True

        try:
            return self._in_transaction(do)
        except Conflict:
            raise
        except _HOPELESS as exc:
            if not taken:
                raise
            timer = taken[0]
            self._give_up(f"timer:{timer.what}", f"{timer.alert_id}: {exc}", now,
                          lambda tx: tx.finish_timer(timer.timer_id, now))  # fmt: skip
            return True

    def _give_up(self, subject: str, detail: str, now: datetime, finish: Callable[[AlertTx], None]) -> None:
        log.error("could not be decided", subject=subject, detail=detail)
        reason = Reason(key="work_failed", points=0, detail=detail[:500])
        problem = Problem(health=Health.WORK_FAILED, subject=subject, at=now, reasons=(reason,))

        def do(tx: AlertTx) -> None:
            finish(tx)
            self._performer(tx, now).perform((Raise(problem=problem),))

        self._in_transaction(do)

    def _until_empty(self, one: Callable[[], bool], limit: int) -> int:
        done = 0
        while done < limit and one():
            done += 1
        return done

    def _performer(self, tx: AlertTx, now: datetime) -> Performer:
        return Performer(tx, self._city, self._policy, now, self._new_id)

    def _in_transaction(self, do: Callable[[AlertTx], T]) -> T:
        return in_transaction(self._book, do)


def _stored_pictures(tx: AlertTx, alert: Alert) -> tuple[str, ...]:
    """What the cameras showed of it and is stored, newest first."""
    pictures = [item for item in tx.evidence(alert.alert_id) if item.stored_at and item.kind in PICTURES]
    return tuple(
        item.sha256 for item in sorted(pictures, key=lambda i: (i.announced_at, i.sha256), reverse=True)
    )


def _last_word_about(tx: AlertTx, alert: Alert) -> LastWord | None:
    if alert.health == Health.EDGE_OFFLINE:
        return tx.last_word_of_edge(alert.subject)
    return tx.last_word_of_camera(alert.subject)

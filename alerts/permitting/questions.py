"""What a permit's holder asks, or objects to: a task for the supervisor, with a record of its own.

A question is about the permit, an objection about one alert that names it. The answer is read by the holder on the
permit's page. Deciding an objection changes neither permit nor alert by itself: their steps are the supervisor's to take.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from alerts.permitting.desk import NAMES_PERMIT
from alerts.permitting.steps import PermitError, PermitNotFound, may_see
from alerts.postgres_rows import value
from alerts.values import Actor, Permit
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.domain.roles import Role
from monitor.store.pool import Conn, Pool
from monitor.store.queries import Queries

QUERIES = Queries("alerts.permitting", "questions.sql")
_PERMITS = Queries("alerts.permitting")

MOST_CHARS: Final = 4000
#: of one permit that wait, so that nobody fills the supervisor's desk
MOST_OPEN: Final = 5
#: what a supervisor may say to a question, and to an objection
ANSWERS: Final = {False: ("answered",), True: ("upheld", "rejected")}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question, or an objection to the alert that it names."""

    question_id: int
    permit_number: str
    asked_by: str
    at: datetime
    text: str
    alert_id: str | None = None
    number: int | None = None
    state: str = "open"
    answered_by: str | None = None
    answered_at: datetime | None = None
    answer: str = ""
    #: only when listed for the supervisor
    company: str = ""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How a visit found the permit's work."""

    looked_at: datetime
    outcome: str


class QuestionDesk:
    """See the module."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def ask(
        self, number: str, text: str, alert: int | None, actor: Actor, key: str | None, now: datetime
    ) -> None:
        """The holder asks, or objects to the alert of that number; the same key again changes nothing. PermitError."""
        text = text.strip()
        if not text or len(text) > MOST_CHARS:
            raise PermitError("question_text", most=MOST_CHARS)
        with self._pool.connection() as conn:
            permit = _permit(conn, number, actor)
            if actor.role is not Role.HOLDER or permit.holder != actor.user:
                raise PermitError("question_not_yours")
            alert_id = None if alert is None else _named(conn, number, alert)
            found = conn.execute(QUERIES["open_of_permit"], {"number": number}).fetchone()
            new = {
                "number": number,
                "alert_id": alert_id,
                "who": actor.user,
                "now": now,
                "text": text,
                "key": key,
            }
            row = conn.execute(QUERIES["ask"], new).fetchone()
            if row is None:
                return
            # after the insert: the same press again is no new one
            if found is not None and found["n"] >= MOST_OPEN:
                raise PermitError("question_many", most=MOST_OPEN)
            _log(
                conn, "permit.question", number, actor.user, now, {**row, "text": text, "alert_id": alert_id}
            )

    def answer(self, question_id: int, state: str, text: str, actor: Actor, now: datetime) -> None:
        """The supervisor answers, with a reason that the holder reads; never on what they resolved. PermitError."""
        text = text.strip()
        if not text or len(text) > MOST_CHARS:
            raise PermitError("question_answer", most=MOST_CHARS)
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["question_for_update"], {"question_id": question_id}).fetchone()
            if row is None or row["state"] != "open":
                raise PermitError("question_gone")
            if state not in ANSWERS[row["alert_id"] is not None]:
                raise PermitError("question_answer", most=MOST_CHARS)
            if row["resolved_by"] == actor.user:
                raise PermitError("question_own")
            given = {
                "question_id": question_id,
                "state": state,
                "who": actor.user,
                "now": now,
                "answer": text,
            }
            conn.execute(QUERIES["answer"], given)
            body = {"question_id": question_id, "state": state, "answer": text}
            _log(conn, "permit.answer", row["permit_number"], actor.user, now, body)

    def of_permit(self, number: str) -> tuple[Question, ...]:
        """A permit's questions and objections, oldest first."""
        with self._pool.connection() as conn:
            rows = conn.execute(QUERIES["of_permit"], {"number": number})
            return tuple(msgspec.convert(row, Question) for row in rows)

    def tasks(self) -> tuple[Question, ...]:
        """What waits for an answer, oldest first, then the last that were answered."""
        with self._pool.connection() as conn:
            return tuple(msgspec.convert(row, Question) for row in conn.execute(QUERIES["tasks"]))

    def looks(self, number: str) -> tuple[Look, ...]:
        """How visits found the permit's work, newest first."""
        with self._pool.connection() as conn:
            return tuple(
                msgspec.convert(row, Look) for row in conn.execute(QUERIES["looks"], {"number": number})
            )


def _permit(conn: Conn, number: str, actor: Actor) -> Permit:
    row = conn.execute(_PERMITS["permit_for_update"], {"number": number}).fetchone()
    permit = value(row, Permit) if row else None
    if permit is None or not may_see(permit, actor):
        raise PermitNotFound(number)
    return permit


def _named(conn: Conn, number: str, alert: int) -> str:
    given = {"alert": alert, "number": number, "keys": NAMES_PERMIT}
    row = conn.execute(QUERIES["names_permit"], given).fetchone()
    if row is None:
        raise PermitError("question_alert")
    return str(row["alert_id"])


def _log(conn: Conn, kind: str, number: str, actor: str, now: datetime, body: dict[str, Any]) -> None:
    append(conn, Entry(kind=kind, subject=number, actor=actor, at=now, body=body))

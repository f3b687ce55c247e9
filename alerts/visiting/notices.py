"""What the visited company is given: a notice with a code, by which it sees what concerns it, rates the visit, objects.

The code is shown once and stored as its hash; whoever has it sees this one case and no person: neither officers nor
callers nor other cases. An objection is a task with a record of its own; deciding it changes nothing of the alert by
itself, since the alert's steps are the supervisor's to take.
"""

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Any, Final

import msgspec

from alerts.lifecycle import State
from alerts.postgres_book import value
from alerts.values import Actor, Alert
from alerts.visiting.checks import CheckRefused
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.store.pool import Conn, Pool
from monitor.store.queries import Queries

QUERIES = Queries("alerts.visiting", "notices.sql")

#: without letters that are read as another; 12 of them are 58 bits: nobody guesses one at five tries in five minutes
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_CHARS: Final = 12
#: a notice is given where the officer stands, or after they have left
_GIVEN: Final = frozenset({State.ON_SITE, State.EVIDENCE_COLLECTED, State.RESOLVED})
#: of one notice, so that nobody fills the supervisor's desk
MOST_OBJECTIONS: Final = 5
MOST_CHARS: Final = 4000
#: that the company's page shows at once, of the cameras' and of the officers'; and when it asks for all
MOST_PICTURES: Final = 24
MOST_OF_ALL: Final = 500


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice; never with its code."""

    notice_id: str
    alert_id: str
    company: str
    #: the act was explained and advice given, before any penalty
    advice: bool
    said: str
    issued_by: str
    issued_at: datetime
    rating: int | None = None
    rating_note: str = ""
    rated_at: datetime | None = None


class Objection(msgspec.Struct, frozen=True, kw_only=True):
    """The company's word against it, and what was decided."""

    objection_id: int
    notice_id: str
    at: datetime
    text: str
    state: str = "open"
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision: str = ""
    #: only when listed for the supervisor
    company: str = ""
    alert_id: str = ""
    number: int = 0
    #: what was sent with it
    file_sha256: str | None = None
    file_type: str | None = None
    file_bytes: int | None = None
    pages: int = 0


class CompanyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A picture or document of the company's own: sealed, with so many copies to look at."""

    sha256: str
    content_type: str
    bytes: int
    pages: int


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A stored picture of the case, by the hash of its original."""

    sha256: str
    kind: str
    at: datetime


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """Those that a page shows, oldest first, and how many there are."""

    shown: tuple[Picture, ...]
    of_all: int


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the holder of a code sees, before it is put into words."""

    notice: Notice
    alert: Alert
    objections: tuple[Objection, ...]


def new_code() -> str:
    """A code at random, in groups of four.

    >>> len(new_code().replace("-", ""))
    12
    """
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
    return "-".join(drawn[n : n + 4] for n in range(0, CODE_CHARS, 4))


def normal(code: str) -> str | None:
    """A code as somebody types it, or None if it can be none.

    >>> normal(" abcd-efgh 2345 "), normal("abc")
    ('ABCDEFGH2345', None)
    """
    plain = "".join(code.upper().split()).replace("-", "")
    return plain if len(plain) == CODE_CHARS and set(plain) <= set(ALPHABET) else None


def code_hash(code: str) -> str:
    """How a code is stored and looked up."""
    return hashlib.sha256(f"hcawatch notice {normal(code)}".encode()).hexdigest()


class NoticeDesk:
    """See the module."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # ------------------------------------------------------------ the officer's side
    def issue(
        self,
        alert_id: str,
        company: str,
        said: str,
        actor: Actor,
        now: datetime,
        *,
        advice: bool,
        key: str | None,
    ) -> str:
        """A new notice; returns its code, which nobody can read again. CheckRefused."""
        company = company.strip()
        if not company:
            raise CheckRefused("notice_company")
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["alert"], {"alert_id": alert_id}).fetchone()
            if row is None or value(row, Alert).state not in _GIVEN:
                raise CheckRefused("notice_not_there")
            if (
                conn.execute(QUERIES["was_sent"], {"alert_id": alert_id, "user": actor.user}).fetchone()
                is None
            ):
                raise CheckRefused("check_not_yours")
            code, notice_id = new_code(), str(uuid.uuid4())
            fields = {
                "notice_id": notice_id, "alert_id": alert_id, "company": company, "advice": advice, "said": said.strip(),
                "issued_by": actor.user, "issued_at": now, "code_sha256": code_hash(code), "key": key,
            }  # fmt: skip
            if conn.execute(QUERIES["insert_notice"], fields).rowcount == 0:
                raise CheckRefused("notice_given")
            body = {"alert_id": alert_id, "company": company, "advice": advice, "said": said.strip()}
            _log(conn, "notice.issue", notice_id, actor.user, now, body)
        return code

    def of_alert(self, alert_id: str) -> tuple[tuple[Notice, tuple[Objection, ...]], ...]:
        """The alert's notices with their objections, oldest first."""
        with self._pool.connection() as conn:
            notices = [
                msgspec.convert(row, Notice)
                for row in conn.execute(QUERIES["of_alert"], {"alert_id": alert_id})
            ]
            return tuple((notice, _objections(conn, notice.notice_id)) for notice in notices)

    # ------------------------------------------------------------ the company's side
    def view(self, code: str) -> NoticeView | None:
        """What the code is for; None if there is no such code."""
        if normal(code) is None:
            return None
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["by_code"], {"hash": code_hash(code)}).fetchone()
            if row is None:
                return None
            notice = msgspec.convert(row, Notice)
            found = conn.execute(QUERIES["alert"], {"alert_id": notice.alert_id}).fetchone()
            assert found is not None
            return NoticeView(
                notice=notice, alert=value(found, Alert), objections=_objections(conn, notice.notice_id)
            )

    def rate(self, notice: Notice, rating: int, note: str, now: datetime) -> bool:
        """The company's rating of the visit, 1 to 5; the first counts. False if there was one."""
        with self._pool.connection() as conn:
            given = {"notice_id": notice.notice_id, "rating": rating, "note": note.strip(), "now": now}
            if conn.execute(QUERIES["rate"], given).rowcount == 0:
                return False
            _log(
                conn,
                "notice.rating",
                notice.notice_id,
                "company",
                now,
                {"rating": rating, "note": note.strip()},
            )
            return True

    def pictures(self, notice: Notice, most: int = MOST_PICTURES) -> Pictures:
        """What the cameras and the officers on site showed of the notice's case; of no other case.

        At most so many of the cameras', and so many of the officers': neither hides the other.
        """
        given = {"alert_id": notice.alert_id, "limit": most}
        with self._pool.connection() as conn:
            rows = conn.execute(QUERIES["pictures"], given).fetchall()
        shown = tuple(msgspec.convert(row, Picture) for row in rows)
        return Pictures(shown=shown, of_all=rows[0]["of_all"] if rows else 0)

    def picture(self, notice: Notice, sha256: str) -> Picture | None:
        """One of them, whether the page shows it or not; None if it is none of this case."""
        given = {"alert_id": notice.alert_id, "sha256": sha256}
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["picture"], given).fetchone()
        return msgspec.convert(row, Picture) if row else None

    def may_object(self, notice: Notice, text: str) -> None:
        """CheckRefused as `object` would, before a file is looked at."""
        _checked(text)
        with self._pool.connection() as conn:
            if len(_objections(conn, notice.notice_id)) >= MOST_OBJECTIONS:
                raise CheckRefused("objection_many", most=MOST_OBJECTIONS)

    def object(self, notice: Notice, text: str, now: datetime, file: CompanyFile | None = None) -> None:
        """The company objects: a task for the supervisor. The same words and file again are the same. CheckRefused."""
        text = _checked(text)
        sent = msgspec.structs.asdict(file) if file else {}
        with self._pool.connection() as conn:
            conn.execute(QUERIES["notice_for_update"], {"notice_id": notice.notice_id})
            known = _objections(conn, notice.notice_id)
            if any((one.text, one.file_sha256) == (text, sent.get("sha256")) for one in known):
                return
            if len(known) >= MOST_OBJECTIONS:
                raise CheckRefused("objection_many", most=MOST_OBJECTIONS)
            new = {"notice_id": notice.notice_id, "now": now, "text": text}
            row = conn.execute(QUERIES["add_objection"], new).fetchone()
            assert row is not None
            if file:
                conn.execute(QUERIES["add_file"], {**row, **sent, "now": now})
            _log(
                conn,
                "notice.objection",
                notice.notice_id,
                "company",
                now,
                {"objection": row["objection_id"], "text": text, **({"file": sent} if sent else {})},
            )
            conn.execute(QUERIES["notify"], {"payload": f"alert:{notice.alert_id}"})

    # ------------------------------------------------------------ the supervisor's side
    def file_of(self, objection_id: int) -> CompanyFile | None:
        """What was sent with an objection."""
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["file_of"], {"objection_id": objection_id}).fetchone()
            return msgspec.convert(row, CompanyFile) if row else None

    def open_objections(self) -> tuple[Objection, ...]:
        """The supervisor's tasks, oldest first, then the last that were decided."""
        with self._pool.connection() as conn:
            return tuple(msgspec.convert(row, Objection) for row in conn.execute(QUERIES["objections"]))

    def decide(self, objection_id: int, state: str, decision: str, actor: Actor, now: datetime) -> None:
        """Upholds or rejects an objection, with a reason that the company reads. CheckRefused.

        Nobody decides on what they issued or resolved themselves.
        """
        if state not in ("upheld", "rejected") or not decision.strip():
            raise CheckRefused("objection_reason")
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["objection_for_update"], {"objection_id": objection_id}).fetchone()
            if row is None or row["state"] != "open":
                raise CheckRefused("objection_gone")
            if actor.user in (row["issued_by"], row["resolved_by"]):
                raise CheckRefused("objection_own")
            given = {
                "objection_id": objection_id,
                "state": state,
                "who": actor.user,
                "now": now,
                "decision": decision.strip(),
            }
            conn.execute(QUERIES["decide"], given)
            body = {"objection": objection_id, "state": state, "decision": decision.strip()}
            _log(conn, "notice.decision", str(row["notice_id"]), actor.user, now, body)


def _checked(text: str) -> str:
    text = text.strip()
    if not text or len(text) > MOST_CHARS:
        raise CheckRefused("objection_text", most=MOST_CHARS)
    return text


def _objections(conn: Conn, notice_id: str) -> tuple[Objection, ...]:
    rows = conn.execute(QUERIES["objections_of"], {"notice_id": notice_id})
    return tuple(msgspec.convert(row, Objection) for row in rows)


def _log(conn: Conn, kind: str, notice_id: str, actor: str, now: datetime, body: dict[str, Any]) -> None:
    append(conn, Entry(kind=kind, subject=notice_id, actor=actor, at=now, body=body))

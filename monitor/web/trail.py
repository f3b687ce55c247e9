"""The web's entries in the audit log: one place that names their kinds. Written in the caller's transaction."""

from datetime import datetime
from typing import Any

from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.store.pool import Conn

LOGIN = "login"
LOGIN_REFUSED = "login.refused"
LOGOUT = "logout"
EVIDENCE_STORED = "evidence.stored"
EVIDENCE_VIEWED = "evidence.viewed"
PHOTO_STORED = "evidence.photo"
EXPORT = "export"
NOTICE_LOOK = "notice.look"
SURVEY_PICTURE = "survey.picture"


def record(conn: Conn, kind: str, subject: str, actor: str, at: datetime, **body: Any) -> None:
    """One entry."""
    append(conn, Entry(kind=kind, subject=subject, actor=actor, at=at, body=body))

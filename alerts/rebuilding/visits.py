"""What visits took along, and what visited companies were given, said and were answered, from the log alone. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from alerts.rebuilding.values import Difference, Told, differences
from monitor.audit.entries import Entry

VISITS = ("visit.along", "visit.permit")
NOTICES = ("notice.issue", "notice.rating", "notice.objection", "notice.decision")


class Along(msgspec.Struct, frozen=True, kw_only=True):
    """A row of visit_check, but for what the alert's own history says (since when it is a dispatch of its own)."""

    dispatch_id: str
    kind: str
    ref: str
    why: str
    added_at: datetime
    looked_at: datetime | None = None
    looked_by: str | None = None
    outcome: str | None = None
    note: str = ""

    @property
    def key(self) -> str:
        """Which one it is, as people can find it."""
        return f"{self.dispatch_id} {self.kind} {self.ref}"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A row of notice; its code is nowhere."""

    notice_id: str
    alert_id: str
    company: str
    advice: bool
    said: str
    issued_by: str
    issued_at: datetime
    rating: int | None = None
    rating_note: str = ""
    rated_at: datetime | None = None


class Objected(msgspec.Struct, frozen=True, kw_only=True):
    """A row of objection."""

    objection_id: int
    notice_id: str
    at: datetime
    text: str
    state: str = "open"
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision: str = ""
    #: of the file that came with it
    file_sha256: str | None = None

    @property
    def key(self) -> str:
        """A notice has the same words with the same file once."""
        return _objection(self.notice_id, self.text, self.file_sha256)


def _objection(notice_id: str, text: str, file_sha256: str | None) -> str:
    return f"{notice_id}: {text}" + (f" (file {file_sha256})" if file_sha256 else "")


def compare_visits(entries: Iterable[Entry], table: Iterable[Along]) -> list[Difference]:
    """All differences between the log and what visits took along."""
    found: dict[str, Along] = {}
    faults: list[Difference] = []
    for entry in sorted(entries, key=lambda entry: (entry.kind, entry.at)):
        body = entry.body
        if entry.kind == "visit.along":
            one = Along(
                added_at=entry.at, **{name: body[name] for name in ("dispatch_id", "kind", "ref", "why")}
            )
            found[one.key] = one
            continue
        key = f"{body['dispatch_id']} permit {entry.subject}"
        if key not in found:
            faults.append(Difference(kind="visit", subject=key, what="was looked at and never taken along"))
            continue
        found[key] = msgspec.structs.replace(found[key], looked_at=entry.at, looked_by=entry.actor,
                                             outcome=body["outcome"], note=body["note"])  # fmt: skip
    rows = {row.key: msgspec.structs.asdict(row) for row in table}
    told = {key: Told(fields=msgspec.structs.asdict(one)) for key, one in found.items()}
    return [*faults, *differences("visit", told, rows, Along.__struct_fields__)]


def compare_notices(
    entries: Iterable[Entry], notices: Iterable[Given], objections: Iterable[Objected]
) -> list[Difference]:
    """All differences between the log and the notices to companies, their ratings and their objections."""
    given: dict[str, dict[str, Any]] = {}
    objected: dict[str, dict[str, Any]] = {}
    listed = list(objections)
    in_table = {one.key: one.objection_id for one in listed}
    #: which objection a decision is about, as the log has it
    by_id: dict[int | None, str] = {}
    faults: list[Difference] = []
    for entry in sorted(entries, key=lambda entry: (NOTICES.index(entry.kind), entry.at)):
        body, subject = entry.body, entry.subject
        match entry.kind:
            case "notice.issue":
                given[subject] = {**body, "notice_id": subject, "issued_by": entry.actor, "issued_at": entry.at,
                                  "rating": None, "rating_note": "", "rated_at": None}  # fmt: skip
            case "notice.rating" if subject in given:
                given[subject] |= {
                    "rating": body["rating"],
                    "rating_note": body["note"],
                    "rated_at": entry.at,
                }
            case "notice.objection" if subject in given:
                sha256 = (body.get("file") or {}).get("sha256")
                key = _objection(subject, body["text"], sha256)
                # entries of before said no id: there the table leads a decision to its objection
                objection_id = body.get("objection", in_table.get(key))
                by_id[objection_id] = key
                objected[key] = {
                    "objection_id": objection_id, "notice_id": subject, "at": entry.at, "text": body["text"], "state": "open", "decided_by": None,
                    "decided_at": None, "decision": "", "file_sha256": sha256,
                }  # fmt: skip
            case "notice.decision" if by_id.get(body["objection"], "").startswith(f"{subject}: "):
                objected[by_id[body["objection"]]] |= {"state": body["state"], "decided_by": entry.actor,
                                                       "decided_at": entry.at, "decision": body["decision"]}  # fmt: skip
            case _:
                faults.append(
                    Difference(kind="notice", subject=subject, what=f"{entry.kind} of nothing known")
                )
    notice_rows = {one.notice_id: msgspec.structs.asdict(one) for one in notices}
    objection_rows = {one.key: msgspec.structs.asdict(one) for one in listed}
    return [
        *faults,
        *differences("notice", _told(given), notice_rows, Given.__struct_fields__),
        *differences("objection", _told(objected), objection_rows, Objected.__struct_fields__),
    ]


def _told(found: dict[str, dict[str, Any]]) -> dict[str, Told]:
    return {key: Told(fields=fields) for key, fields in found.items()}

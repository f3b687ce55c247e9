"""Shelves, visits and notices are proven by the log: a row that somebody altered, made or took away is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from alerts import replay
from alerts.rebuilding import shelves
from alerts.rebuilding.visits import Given, Objected, compare_notices
from alerts.values import Actor
from alerts.visiting.notices import CompanyFile, NoticeDesk
from monitor.audit.entries import Entry
from monitor.domain.roles import Role
from tests.doubles.web_town import NOON, Town, town
from tests.integration.test_notices import login, noticed
from tests.integration.test_web_shelves import API, body


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as client:
        yield client


def differences(here: Town) -> list[tuple[str, str, str, Any, Any]]:
    with here.pool.connection() as conn:
        return [(d.kind, d.subject, d.what, d.log, d.table) for d in replay.check(conn)]


def run(here: Town, sql: str, *given: Any) -> None:
    with here.pool.connection() as conn:
        conn.execute(sql, given)  # type: ignore[call-overload]


def test_a_shelf_that_stands_otherwise_than_was_said_is_named(
    client: TestClient, here: Town, postgres_dsn: str
) -> None:
    """Longer, worse, of somebody else, ended without a word, or gone: each is a difference with both sides."""
    supervisor = login(client, "supervisor")
    ended = client.post(API, json=body(), headers=supervisor).json()["shelf_id"]
    here.now += timedelta(minutes=5)
    assert client.post(f"{API}/{ended}/end", json={"note": "done"}, headers=supervisor).status_code == 200
    stands = client.post(API, json=body(camera_id="school"), headers=supervisor).json()["shelf_id"]
    assert differences(here) == []

    run(here, "UPDATE shelf SET worst = 'IV', shelved_by = 'nobody' WHERE shelf_id = %s", ended)
    run(
        here,
        "UPDATE shelf SET ended_at = %s, ended_by = 'me', end_reason = 'by_hand' WHERE shelf_id = %s",
        NOON,
        stands,
    )
    assert {one[:3] for one in differences(here)} == {
        ("shelf", ended, "worst"), ("shelf", ended, "shelved_by"), ("shelf", stands, "ended_at"),
        ("shelf", stands, "ended_by"), ("shelf", stands, "end_reason"),
    }  # fmt: skip
    assert ("shelf", ended, "shelved_by", "supervisor", "nobody") in differences(here)
    run(here, "DELETE FROM shelf WHERE shelf_id = %s", ended)
    run(here, "UPDATE shelf SET shelf_id = gen_random_uuid() WHERE shelf_id = %s", stands)
    assert {one[1:3] for one in differences(here) if one[1] in (ended, stands)} == {
        (ended, "not in the table"), (stands, "not in the table"),
    }  # fmt: skip
    assert "not in the log" in {one[2] for one in differences(here)}
    said = subprocess.run(
        [sys.executable, "-m", "hcawatch", "db", "replay", "--check"], capture_output=True, text=True, timeout=60,
        check=False, env={**os.environ, "HCAWATCH_DATABASE_URL": postgres_dsn, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert said.returncode == 1, said.stderr
    assert f"shelf {ended}: not in the table" in said.stdout


def test_a_shelfs_own_entries_must_agree(client: TestClient, here: Town) -> None:
    """An end that says another source than the beginning, a second end, an end of what never began."""
    made = client.post(API, json=body(), headers=login(client, "supervisor")).json()
    shelf = {name: value for name, value in made.items() if name != "alerts"}
    over = {**shelf, "ended_at": shelf["until_at"], "ended_by": "system", "end_reason": "due", "end_note": ""}

    def entry(kind: str, of: dict[str, Any], actor: str, after_s: int = 0) -> Entry:
        at = NOON + timedelta(seconds=after_s)
        return Entry(kind=kind, subject=shelf["shelf_id"], actor=actor, at=at, body=of)

    def faults(*entries: Entry) -> tuple[str, ...]:
        (told,) = shelves.rebuilt(entries).values()
        return told.faults

    begun, end = entry("shelf.begin", shelf, "supervisor"), entry("shelf.end", over, "system", 9)
    assert faults(begun, end) == ()
    assert faults(begun, entry("shelf.end", {**over, "camera_id": "x"}, "system", 9)) == (
        "its end says another camera_id than its beginning",
    )
    assert faults(begun, end, entry("shelf.end", over, "system", 20)) == ("ended twice",)
    assert faults(end) == ("ended and never began",)
    assert faults(begun, entry("shelf.end", over, "operator", 9)) == (
        "shelf.end is of operator and names system",
    )


def test_what_a_company_said_and_was_answered_cannot_be_altered_unseen(
    client: TestClient, here: Town
) -> None:
    """Advice that was not given, a better rating, an objection that is gone, a decision the other way round."""
    _, code = noticed(client, here)
    desk = NoticeDesk(here.pool)
    view = desk.view(code)
    assert view is not None
    notice = view.notice
    desk.rate(notice, 2, "came late", here.now)
    desk.object(notice, "the pit is not ours", here.now)
    seal = CompanyFile(sha256="ab" * 32, content_type="application/pdf", bytes=9, pages=1)
    desk.object(notice, "the pit is not ours", here.now, seal)  # the same words, and a file
    assert differences(here) == []
    run(here, "UPDATE notice SET rating = 5, said = ''")
    run(
        here,
        "UPDATE objection SET state = 'rejected' WHERE objection_id NOT IN (SELECT objection_id FROM objection_file)",
    )
    key = f"{notice.notice_id}: the pit is not ours"
    assert [one[:3] for one in differences(here)] == [
        ("notice", notice.notice_id, "said"), ("notice", notice.notice_id, "rating"), ("objection", key, "state"),
    ]  # fmt: skip
    run(here, "UPDATE objection_file SET sha256 = %s", "cd" * 32)
    assert ("objection", f"{key} (file {seal.sha256})", "not in the table", None, None) in differences(here)
    run(here, "DELETE FROM objection_file")
    run(here, "DELETE FROM objection")
    assert ("objection", key, "not in the table", None, None) in differences(here)


def test_which_objection_was_upheld_cannot_be_swapped_unseen(client: TestClient, here: Town) -> None:
    """Two objections of one notice change places with their decisions: the upheld one would stand as rejected."""
    _, code = noticed(client, here)
    desk = NoticeDesk(here.pool)
    view = desk.view(code)
    assert view is not None
    desk.object(view.notice, "not our machine", here.now)
    desk.object(view.notice, "we had a permit", here.now)
    ours, theirs = sorted(one.objection_id for one in desk.open_objections())
    judge = Actor(user="judge", role=Role.SUPERVISOR)
    desk.decide(ours, "upheld", "it was another's", judge, here.now)
    desk.decide(theirs, "rejected", "it had run out", judge, here.now)
    assert differences(here) == []
    run(here, "UPDATE objection AS o SET text = other.text, at = other.at FROM objection AS other"
              " WHERE o.notice_id = other.notice_id AND o.objection_id <> other.objection_id")  # fmt: skip
    key = f"{view.notice.notice_id}: not our machine"
    assert ("objection", key, "state", "upheld", "rejected") in differences(here)
    assert ("objection", key, "objection_id", ours, theirs) in differences(here)


def test_a_decision_of_an_older_log_is_about_its_own_notice(client: TestClient, here: Town) -> None:
    """Entries without the objection's id: that a decision went over to another company's notice is a fault."""
    first, second = (
        Given(notice_id=f"n{n}", alert_id="a", company=f"c{n}", advice=False, said="", issued_by="off", issued_at=NOON)
        for n in (1, 2)
    )  # fmt: skip
    log = [Entry(kind="notice.issue", subject=one.notice_id, actor="off", at=NOON,
                 body={"alert_id": "a", "company": one.company, "advice": False, "said": ""})
           for one in (first, second)]  # fmt: skip
    log += [Entry(kind="notice.objection", subject=one.notice_id, actor="company", at=NOON, body={"text": "no"})
            for one in (first, second)]  # fmt: skip
    log.append(Entry(kind="notice.decision", subject="n1", actor="judge", at=NOON,
                     body={"objection": 1, "state": "upheld", "decision": "yes"}))  # fmt: skip

    def rows(upheld: str, other: str) -> list[Objected]:
        return [
            Objected(objection_id=1, notice_id=upheld, at=NOON, text="no", state="upheld", decided_by="judge",
                     decided_at=NOON, decision="yes"),
            Objected(objection_id=2, notice_id=other, at=NOON, text="no"),
        ]  # fmt: skip

    assert compare_notices(log, [first, second], rows("n1", "n2")) == []
    found = compare_notices(log, [first, second], rows("n2", "n1"))
    assert ("notice", "n1", "notice.decision of nothing known") in {
        (d.kind, d.subject, d.what) for d in found
    }

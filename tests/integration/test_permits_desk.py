"""The permits' desk on a real database: imports, steps, reminders, and what an approval does to the loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from alerts.engine import AlertEngine
from alerts.lifecycle import State
from alerts.permitting.csv_file import read_csv
from alerts.permitting.desk import PermitDesk
from alerts.permitting.steps import Ask, PermitError, PermitNotFound, PermitStep
from alerts.reasons import Why
from alerts.values import Actor, Permit, PermitState
from monitor.audit.entries import read
from monitor.domain.assets import Channel
from monitor.domain.roles import Role
from monitor.store.pool import Pool, make_pool
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, NOON, SUPERVISOR, event
from tests.unit.alerts.test_alerts_decide import WORKS, permit
from tests.unit.alerts.test_alerts_permitting import HOLDER, OTHER, ROW, csv

MAILING = msgspec.structs.replace(CITY, channels=(Channel(channel_id="post", kind="email"),))
PAPER = permit(holder="roads", email="a@b", valid_to=NOON + timedelta(days=30))


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[Pool]:
    with make_pool(postgres_dsn, "permits test", max_size=4) as pool:
        with pool.connection() as conn:
            for user in ("roads", "other"):
                conn.execute(
                    "INSERT INTO app_user VALUES (%s, 'holder', %s, NULL, 'x', now())", (user, user.title())
                )
        yield pool


@pytest.fixture
def desk(pool: Pool) -> PermitDesk:
    return PermitDesk(pool, MAILING)


def rows(pool: Pool, query: str) -> list[dict[str, Any]]:
    with pool.connection() as conn:
        return conn.execute(query.encode()).fetchall()


def entries(pool: Pool) -> list[tuple[str, str, str]]:
    found = [read(bytes(row["body"])) for row in rows(pool, "SELECT body FROM audit_entry ORDER BY entry_id")]
    return [(entry.kind, entry.subject, entry.actor) for entry in found if entry.kind.startswith("permit.")]


def approved(desk: PermitDesk, content: Permit = PAPER) -> Permit:
    desk.create(Ask(step=PermitStep.REQUEST, actor=HOLDER, content=content), NOON)
    return desk.ask(content.permit_number, Ask(step=PermitStep.APPROVE, actor=SUPERVISOR, version=1), NOON)


def test_from_the_request_to_the_end(desk: PermitDesk, pool: Pool) -> None:
    """Each step is in the history and in the audit log, in one transaction; the company sees its own only."""
    approved(desk)
    until = PAPER.valid_to + timedelta(days=5)
    desk.ask(
        "P-1", Ask(step=PermitStep.ASK_PROLONGATION, actor=HOLDER, until=until, idempotency_key="k"), NOON
    )
    desk.ask(
        "P-1", Ask(step=PermitStep.ASK_PROLONGATION, actor=HOLDER, until=until, idempotency_key="k"), NOON
    )
    desk.ask("P-1", Ask(step=PermitStep.PROLONG, actor=SUPERVISOR), NOON)
    assert desk.run_due(until) == 6  # three of the old end, three of the new one
    view = desk.view("P-1", HOLDER)
    assert (view.permit.valid_to, view.permit.state) == (until, PermitState.ENDED)
    steps = ["request", "approve", "ask_prolongation", "prolong", "end"]
    assert [move.step for move in view.moves] == steps
    assert entries(pool) == [
        (f"permit.{step}", "P-1", actor)
        for step, actor in zip(steps, ("roads", "sun", "roads", "sun", "system"), strict=True)
    ]
    with pytest.raises(PermitNotFound):
        desk.view("P-1", OTHER)
    assert [p.permit_number for p in desk.list_permits(HOLDER, NOON)] == ["P-1"]
    assert desk.list_permits(OTHER, NOON) == ()


def test_what_changed_since_it_was_looked_at_is_not_approved(desk: PermitDesk) -> None:
    """The company widens its request while the supervisor reads the narrow one."""
    desk.create(Ask(step=PermitStep.REQUEST, actor=HOLDER, content=PAPER), NOON)
    wider = msgspec.structs.replace(PAPER, to_m=12_000.0)
    desk.ask("P-1", Ask(step=PermitStep.CHANGE, actor=HOLDER, content=wider), NOON)
    with pytest.raises(PermitError, match="permit_moved"):
        desk.ask("P-1", Ask(step=PermitStep.APPROVE, actor=SUPERVISOR, version=1), NOON)


def test_the_same_request_again_is_the_same_permit(desk: PermitDesk) -> None:
    """A phone that sends twice asks once; another company's number stays hidden."""
    one = Ask(step=PermitStep.REQUEST, actor=HOLDER, content=PAPER)
    assert [desk.create(one, NOON)[1] for _ in range(2)] == [True, False]
    with pytest.raises(PermitError, match="permit_number_taken"):
        desk.create(Ask(step=PermitStep.REQUEST, actor=OTHER, content=PAPER), NOON)


def test_an_import_is_whole_and_can_be_repeated(desk: PermitDesk, pool: Pool) -> None:
    """All rows or none; a trial leaves nothing; the same file again changes nothing."""
    clerk = Actor(user="cli:clerk", role=Role.SUPERVISOR)
    first = read_csv(csv(ROW, {**ROW, "number": "P-2"}), CITY)
    assert desk.import_(first, clerk, NOON, dry_run=True).new == (ROW["number"], "P-2")
    assert entries(pool) == []
    assert desk.import_(first, clerk, NOON).new == (ROW["number"], "P-2")
    assert desk.import_(first, clerk, NOON).same == (ROW["number"], "P-2")
    longer = read_csv(csv(ROW, {**ROW, "number": "P-2", "valid_to": "2027-01-31"}), CITY)
    assert desk.import_(longer, clerk, NOON).changed == ("P-2",)
    desk.ask("P-2", Ask(step=PermitStep.WITHDRAW, actor=clerk, note="finished"), NOON)
    refused = desk.import_(
        read_csv(csv({**ROW, "number": "P-3"}, {**ROW, "number": "P-2", "to": "9700"}), CITY), clerk, NOON
    )
    assert [(fault.line, fault.fault.key) for fault in refused.faults] == [(3, "permit_wrong_state")]
    assert {row["permit_number"] for row in rows(pool, "SELECT permit_number FROM permit")} == {
        ROW["number"],
        "P-2",
    }
    strange = desk.import_(read_csv(csv({**ROW, "number": "P-4", "holder": "nobody"}), CITY), clerk, NOON)
    assert [fault.fault.key for fault in strange.faults] == ["field_holder"]


def test_an_import_of_what_was_asked_for_approves_it(desk: PermitDesk) -> None:
    """The authority's list is its word; the company keeps its login and its address."""
    desk.create(
        Ask(
            step=PermitStep.REQUEST, actor=HOLDER, content=msgspec.structs.replace(PAPER, permit_number="P-2")
        ),
        NOON,
    )
    clerk = Actor(user="cli:clerk", role=Role.SUPERVISOR)
    assert desk.import_(read_csv(csv({**ROW, "number": "P-2"}), CITY), clerk, NOON).changed == ("P-2",)
    view = desk.view("P-2", HOLDER)
    assert (view.permit.state, view.permit.holder, view.permit.email) == (
        PermitState.APPROVED,
        "roads",
        "a@b",
    )
    assert [move.step for move in view.moves] == ["request", "change", "approve"]


def test_the_same_list_again_takes_no_prolongation_back(desk: PermitDesk) -> None:
    """The clerk's list was written before: work in the prolonged days stays lawful."""
    clerk = Actor(user="cli:clerk", role=Role.SUPERVISOR)
    (_, content), *_ = read_csv(csv({**ROW, "number": "P-2"}), CITY).rows
    desk.import_(read_csv(csv({**ROW, "number": "P-2"}), CITY), clerk, NOON)
    until = content.valid_to + timedelta(days=5)
    desk.ask("P-2", Ask(step=PermitStep.PROLONG, actor=SUPERVISOR, until=until), NOON)
    assert desk.import_(read_csv(csv({**ROW, "number": "P-2"}), CITY), clerk, NOON).same == ("P-2",)
    wider = read_csv(csv({**ROW, "number": "P-2", "to": "9700"}), CITY)
    assert desk.import_(wider, clerk, NOON).changed == ("P-2",)
    assert desk.view("P-2", SUPERVISOR).permit.valid_to == until
    # an end that was not given by a prolongation is the list's to shorten
    desk.import_(read_csv(csv({**ROW, "number": "P-3"}), CITY), clerk, NOON)
    desk.import_(read_csv(csv({**ROW, "number": "P-3", "valid_to": "2026-12-20"}), CITY), clerk, NOON)
    assert desk.view("P-3", SUPERVISOR).permit.valid_to < content.valid_to


def test_an_end_that_is_set_back_still_comes(desk: PermitDesk, pool: Pool) -> None:
    """Prolonged by mistake and set back: its first end was handled meanwhile, and yet it ends."""
    approved(desk)
    until = PAPER.valid_to + timedelta(days=5)
    desk.ask("P-1", Ask(step=PermitStep.PROLONG, actor=SUPERVISOR, until=until), NOON)
    desk.run_due(PAPER.valid_to)
    desk.ask("P-1", Ask(step=PermitStep.CHANGE, actor=SUPERVISOR, content=PAPER), PAPER.valid_to)
    desk.run_due(PAPER.valid_to + timedelta(seconds=1))
    assert desk.view("P-1", SUPERVISOR).permit.state is PermitState.ENDED


def test_a_permit_approved_while_an_alert_runs_takes_effect_on_it(desk: PermitDesk, pool: Pool) -> None:
    """Asked for: a case that names the request. Approved: a record, by the named reason. Withdrawn: a case again."""
    book = SeededPostgresBook(pool)
    engine = AlertEngine(book, CITY)

    def take(after_s: float) -> None:
        book.add_event(event(**WORKS, phase="update", after_s=after_s), NOON + timedelta(seconds=after_s))
        engine.take_work(NOON + timedelta(seconds=after_s))

    desk.create(Ask(step=PermitStep.REQUEST, actor=HOLDER, content=PAPER), NOON)
    take(0)
    (case,) = [row.alert for row in engine.list_alerts()]
    assert case.state is State.OPEN
    assert [(r.key, r.detail) for r in case.reasons if r.key.startswith("permit")] == [
        ("permit_not_approved", "P-1")
    ]
    desk.ask("P-1", Ask(step=PermitStep.APPROVE, actor=SUPERVISOR), NOON + timedelta(seconds=10))
    take(20)
    view = engine.view(case.alert_id)
    assert view.alert.state is State.SUPERVISED
    assert Why.PERMIT_REGISTERED in [move.reason for move in view.transitions]
    desk.ask(
        "P-1", Ask(step=PermitStep.WITHDRAW, actor=SUPERVISOR, note="danger"), NOON + timedelta(seconds=30)
    )
    take(25)  # seen before it was withdrawn
    assert engine.list_alerts(running=True) == ()
    take(40)
    (again,) = [row.alert for row in engine.list_alerts(running=True)]
    assert again.occurrence_of == case.alert_id
    shown = {alert.number: alert.breaks("P-1") for alert in desk.view("P-1", HOLDER).alerts}
    assert shown == {case.number: (), again.number: ("permit_withdrawn",)}
    assert desk.breached(NOON + timedelta(seconds=40)) == {"P-1"}
    assert [p.permit_number for p in desk.list_permits(SUPERVISOR, NOON, "breached")] == ["P-1"]


def test_a_permit_shows_no_alerts_that_only_read_like_its_number(desk: PermitDesk, pool: Pool) -> None:
    """A company that calls its request like a violation or a grade does not see everybody's alerts."""
    book = SeededPostgresBook(pool)
    for number in ("excavation_5m", "III"):
        content = msgspec.structs.replace(PAPER, permit_number=number, from_m=0.0, to_m=1.0)
        desk.create(Ask(step=PermitStep.REQUEST, actor=HOLDER, content=content), NOON)
    unlawful = msgspec.structs.replace(PAPER, violation="excavation_5m")
    desk.create(Ask(step=PermitStep.REGISTER, actor=SUPERVISOR, content=unlawful), NOON)
    book.add_event(event(), NOON)
    AlertEngine(book, CITY).take_work(NOON)
    for number in ("excavation_5m", "III"):
        assert desk.view(number, HOLDER).alerts == ()
    (shown,) = desk.view("P-1", HOLDER).alerts
    assert shown.breaks("P-1") == ("permit_not_known_to_law",), "it covers nothing that the law forbids"


def test_each_reminder_goes_out_once_however_many_workers(desk: PermitDesk, pool: Pool) -> None:
    """Four workers at once, restarts in between, simulated time: one message per threshold, one end."""
    approved(desk)
    times = [PAPER.valid_to - timedelta(days=d) for d in (8, 7, 6.9, 2, 1, 0.5, 0, -1)]
    for now in times:
        threads = [threading.Thread(target=PermitDesk(pool, MAILING).run_due, args=(now,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    sent = rows(pool, "SELECT channel, address, idempotency_key FROM outgoing ORDER BY outgoing_id")
    assert [(row["channel"], row["address"]) for row in sent] == [("post", "a@b")] * 2
    assert [row["idempotency_key"].split(":")[2] for row in sent] == ["remind_7d", "remind_1d"]
    notes = [(move.step, move.note) for move in desk.view("P-1", HOLDER).moves[2:]]
    assert notes == [("remind", "remind_7d"), ("remind", "remind_1d"), ("end", "")]


def test_a_reminder_that_fails_half_way_is_sent_later(desk: PermitDesk, pool: Pool) -> None:
    """Row, history, audit entry and message are one transaction: a death in between loses and doubles nothing."""
    approved(desk)
    now = PAPER.valid_to - timedelta(days=7)
    with pool.connection() as conn:
        conn.execute("ALTER TABLE outgoing RENAME TO gone")
    with pytest.raises(psycopg.Error):
        desk.run_due(now)
    with pool.connection() as conn:
        conn.execute("ALTER TABLE gone RENAME TO outgoing")
    assert desk.run_due(now + timedelta(hours=1)) == 1
    assert desk.run_due(now + timedelta(hours=1)) == 0
    assert len(rows(pool, "SELECT FROM outgoing")) == 1
    assert [kind for kind, _, _ in entries(pool)].count("permit.remind") == 1

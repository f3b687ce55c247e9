"""Permits as people bring them and decide on them: fields, CSV, steps, reminders."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.permits import Limit, broken
from alerts.permitting import texts
from alerts.permitting.csv_file import HEADS, read_csv
from alerts.permitting.due import BEFORE, Due, due_rows, on_due, reminder
from alerts.permitting.fields import FIELDS, REQUIRED, read_permit, written
from alerts.permitting.steps import (
    NEEDS_NOTE,
    TABLE,
    Ask,
    PermitError,
    PermitForbidden,
    PermitStep,
    on_ask,
    steps_for,
)
from alerts.values import SYSTEM, Actor, Permit, PermitState
from monitor.domain.hours import WEEK, Hours
from monitor.domain.roles import Role
from tests.doubles.alert_story import CITY, NOON, SUPERVISOR, event
from tests.unit.alerts.test_alerts_decide import WORKS, permit

ZONE = ZoneInfo(CITY.timezone)
ROW: dict[str, str] = {
    "number": "甬管〔2026〕12号", "company": "Example Roads Ltd", "pipeline": "p1", "from": "K9+400", "to": "9600",
    "valid_from": "2026-11-24", "valid_to": "2026/12/24", "works": "works_50m;engineering_200m",
    "hours": "mon-fri 08:00-18:00; sat 22:00-06:00", "from_offset_m": "5", "machines": "excavator:1，crane:2",
    "activities": "stopped working",
}  # fmt: skip
HOLDER = Actor(user="roads", role=Role.HOLDER)
OTHER = Actor(user="other", role=Role.HOLDER)
OPERATOR = Actor(user="olga", role=Role.OPERATOR)
replace = msgspec.structs.replace


def test_a_permit_is_read_as_people_write_it() -> None:
    """Stake numbers, the city's days, Chinese punctuation: the clerk's list is taken as it is."""
    found, faults = read_permit(ROW, CITY)
    assert faults == ()
    assert found is not None
    assert (found.from_m, found.to_m, found.kinds) == (9400.0, 9600.0, ("works_50m", "engineering_200m"))
    assert found.valid_from == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)  # midnight in Shanghai
    assert found.valid_to == datetime(2026, 12, 24, 15, 59, tzinfo=UTC)  # an end is the whole day
    assert found.machine_limits == {"excavator": 1, "crane": 2}
    assert found.hours == (
        Hours(days=WEEK[:5], from_min=480, to_min=1080),
        Hours(days=("sat",), from_min=1320, to_min=360),
    )
    assert read_permit(written(found, ZONE), CITY) == (found, ())


def test_a_form_sent_again_changes_no_digit() -> None:
    """Who corrects a telephone number moves neither the stretch nor the end."""
    fine = {
        "from": "K9+400.123",
        "to": "12345.6789",
        "from_offset_m": "0.1234567",
        "valid_to": "2026-12-24T18:00:30",
    }
    found, _ = read_permit({**ROW, **fine, "pipeline": "p1"}, CITY)
    assert found is not None
    assert read_permit(written(found, ZONE), CITY) == (found, ())


@pytest.mark.parametrize(
    ("field", "text", "key"),
    [
        ("number", "a/b", "field_number"),
        ("number", "x" * 61, "field_number"),
        ("number", "", "field_missing"),
        ("pipeline", "p9", "field_one_of"),
        ("from", "K9", "field_chainage"),
        ("from", "nan", "field_chainage"),
        ("from", "-500", "field_off_line"),
        ("to", "K9+300", "field_reversed"),
        ("valid_to", "2026-11-20", "field_reversed"),
        ("valid_to", "2226-11-20", "field_time"),
        ("valid_to", "2126-11-20", "field_too_long"),
        ("valid_to", "24.12.2026", "field_time"),
        ("works", "digging", "field_one_of"),
        ("works", ",", "field_missing"),
        ("activities", ",", "field_missing"),
        ("hours", "8-18", "field_hours"),
        ("hours", "fri-mon 08:00-18:00", "field_hours"),
        ("to_offset_m", "1", "field_reversed"),
        ("machines", "excavator", "field_machines"),
        ("machines", "excavator:0", "field_machines"),
        ("machines", "excavator:000999999999", "field_machines"),
        ("machines", "excavator:000001" + "9" * 5000, "field_machines"),
        ("activities", "digging", "field_one_of"),
        ("email", "nobody", "field_email"),
        ("email", "a\x00@b", "field_email"),
        ("file_sha256", "abc", "field_sha256"),
        ("colour", "red", "field_unknown"),
    ],
)
def test_a_faulty_field_is_named_with_what_to_write(field: str, text: str, key: str) -> None:
    """Nothing is guessed, and nothing else is complained of."""
    found, faults = read_permit({**ROW, field: text}, CITY)
    assert found is None
    assert [(fault.field, fault.key) for fault in faults] == [(field, key)]
    for language in ("en", "zh"):
        assert "{" not in texts.fault_text(faults[0], language)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=30) | st.integers() | st.floats() | st.none())
)
def test_no_field_of_anybody_breaks_the_reading(fields: dict[str, Any]) -> None:
    """Whatever is typed: a permit, or faults."""
    found, faults = read_permit({**ROW, **fields}, CITY)
    assert (found is None) == bool(faults)


def csv(*rows: dict[str, str], encoding: str = "utf-8-sig", delimiter: str = ",") -> bytes:
    heads = list(rows[0])
    lines = [delimiter.join(heads), *(delimiter.join(f'"{row[head]}"' for head in heads) for row in rows)]
    return "\r\n".join(lines).encode(encoding)


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ";"), ("gb18030", "\t")])
def test_a_csv_of_any_spreadsheet_is_read(encoding: str, delimiter: str) -> None:
    """Excel in China saves GB 18030, elsewhere with semicolons."""
    found = read_csv(csv(ROW, {**ROW, "number": "P-2"}, encoding=encoding, delimiter=delimiter), CITY)
    assert found.faults == ()
    assert [(line, one.permit_number) for line, one in found.rows] == [(2, ROW["number"]), (3, "P-2")]


def test_chinese_heads_name_the_same_columns() -> None:
    """The list of the authority needs no translation."""
    zh = {english: chinese for chinese, english in HEADS.items()}
    assert read_csv(csv({zh[name]: text for name, text in ROW.items()}), CITY).rows
    assert set(HEADS.values()) == set(FIELDS)


def test_every_fault_of_a_csv_has_line_and_column() -> None:
    """The whole list is mended at once; not one row of a faulty file gets in."""
    found = read_csv(csv(ROW, {**ROW, "number": "P-2", "to": "K1", "works": "x"}, ROW), CITY)
    assert found.rows == ()
    assert [(f.line, f.column, f.fault.field, f.fault.key) for f in found.faults] == [
        (3, 8, "works", "field_one_of"),
        (3, 5, "to", "field_chainage"),
        (4, 1, "number", "csv_twice"),
    ]
    lacking = read_csv(b"number,company\nP-1,c\n", CITY)
    assert {f.fault.field for f in lacking.faults} == REQUIRED - {"number", "company"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_file_of_anybody_breaks_the_reading(data: bytes) -> None:
    """A photo by mistake is a fault in line one, not a crash."""
    read_csv(data, CITY)
    read_csv(csv(ROW) + data, CITY)


# ---------------------------------------------------------------- steps
def ask(step: PermitStep, actor: Actor = SUPERVISOR, **more: Any) -> Ask:
    return Ask(step=step, actor=actor, note="because", **more)


MINE = permit(holder="roads", valid_to=NOON + timedelta(days=30))
ASKED = replace(MINE, state=PermitState.REQUESTED)


def test_only_the_table_is_possible() -> None:
    """Each state, step and role: the table's, or a refusal with a sentence in both languages."""
    for state in PermitState:
        for step in set(PermitStep) - {PermitStep.REQUEST, PermitStep.REGISTER}:
            for actor in (HOLDER, OTHER, OPERATOR, SUPERVISOR, SYSTEM):
                paper = replace(MINE, state=state, prolong_to=MINE.valid_to + timedelta(days=1))
                one = ask(step, actor, until=MINE.valid_to + timedelta(days=2), content=MINE)
                to, roles = TABLE.get((state, step), (None, frozenset()))
                if to is not None and actor.role in roles and actor is not OTHER:
                    after, move = on_ask(paper, one, 3, NOON)
                    assert (after.state, move.n, move.to_state) == (to, 4, to)
                    assert after.version == paper.version + 1
                else:
                    with pytest.raises(PermitError) as refused:
                        on_ask(paper, one, 3, NOON)
                    for language in ("en", "zh"):
                        assert texts.problem(refused.value.key, language, **refused.value.facts)
                by_button = step in steps_for(paper, actor, NOON)
                if step not in (PermitStep.CHANGE, PermitStep.REMIND, PermitStep.END):
                    assert by_button == (to is not None and actor.role in roles and actor is not OTHER)


def test_a_holder_asks_for_himself_only_and_never_approves() -> None:
    """Whatever the form says, the permit is his and covers nothing yet."""
    content = replace(MINE, holder="other", state=PermitState.APPROVED, prolong_to=NOON, version=9)
    after, _ = on_ask(None, ask(PermitStep.REQUEST, HOLDER, content=content), 0, NOON)
    assert (after.holder, after.state, after.prolong_to, after.version) == (
        "roads",
        PermitState.REQUESTED,
        None,
        1,
    )
    with pytest.raises(PermitForbidden):
        on_ask(None, ask(PermitStep.REGISTER, HOLDER, content=content), 0, NOON)


def test_who_withdraws_his_request_has_approved_nothing() -> None:
    """What was seen before stays a violation; only an approval covers up to its withdrawal."""
    for paper, limits in ((ASKED, (Limit.WITHDRAWN,)), (MINE, ())):
        after, _ = on_ask(paper, ask(PermitStep.WITHDRAW, HOLDER), 1, NOON + timedelta(hours=1))
        assert broken(event(**WORKS, offset_m=20.0), after, (), ZONE) == limits


def test_a_prolongation_is_asked_for_and_decided() -> None:
    """Until somebody decides the end stays; then it is the date that was asked for."""
    until = MINE.valid_to + timedelta(days=10)
    asked, move = on_ask(MINE, ask(PermitStep.ASK_PROLONGATION, HOLDER, until=until), 0, NOON)
    assert (asked.valid_to, asked.prolong_to) == (MINE.valid_to, until)
    assert "prolong_to" in move.facts
    given, _ = on_ask(asked, ask(PermitStep.PROLONG), 1, NOON)
    assert (given.valid_to, given.prolong_to) == (until, None)
    refused, _ = on_ask(asked, ask(PermitStep.REFUSE_PROLONGATION), 1, NOON)
    assert (refused.valid_to, refused.prolong_to) == (MINE.valid_to, None)


@pytest.mark.parametrize("days", [None, 0, -1, 367])
def test_a_prolongation_is_later_and_not_by_years(days: int | None) -> None:
    """A typing error in the year is no permit for ten years."""
    until = None if days is None else MINE.valid_to + timedelta(days=days)
    with pytest.raises(PermitError, match="permit_bad_until"):
        on_ask(MINE, ask(PermitStep.PROLONG, until=until), 0, NOON)


def test_nothing_becomes_lawful_afterwards() -> None:
    """When it is over it is not prolonged: what was done in between was a violation."""
    with pytest.raises(PermitError, match="permit_is_over"):
        on_ask(
            MINE,
            ask(PermitStep.PROLONG, until=MINE.valid_to + timedelta(days=5)),
            0,
            MINE.valid_to + timedelta(seconds=1),
        )


def test_an_approval_that_is_over_is_not_changed() -> None:
    """A later end, written into the form, would make lawful what was done in between."""
    content = replace(MINE, valid_to=MINE.valid_to + timedelta(days=5))
    late = MINE.valid_to + timedelta(seconds=1)
    with pytest.raises(PermitError, match="permit_is_over"):
        on_ask(MINE, ask(PermitStep.CHANGE, content=content), 0, late)
    after, _ = on_ask(ASKED, ask(PermitStep.CHANGE, HOLDER, content=content), 0, late)
    assert after.valid_to == content.valid_to


def test_who_refuses_says_why() -> None:
    """The company reads the reason."""
    for step in NEEDS_NOTE:
        paper = replace(ASKED if step is PermitStep.REFUSE else MINE, prolong_to=NOON)
        with pytest.raises(PermitError, match="permit_needs_note"):
            on_ask(paper, Ask(step=step, actor=SUPERVISOR, note="  "), 0, NOON)


def test_a_log_that_is_never_changed_holds_no_telephone() -> None:
    """The history says that the contact changed, not to what."""
    content = replace(MINE, phone="+86 574 1", email="a@b")
    _, move = on_ask(None, ask(PermitStep.REGISTER, content=content), 0, NOON)
    assert "574" not in str(move.facts)
    assert "a@b" not in str(move.facts)


# ---------------------------------------------------------------- what becomes due
def rows_due(paper: Permit, now: datetime) -> list[str]:
    return sorted(row.what for row in due_rows(paper, now))


def test_reminders_are_planned_for_thresholds_that_lie_ahead() -> None:
    """A permit of three days is not reminded of seven."""
    assert rows_due(MINE, NOON) == ["end", "remind_1d", "remind_7d"]
    assert rows_due(MINE, MINE.valid_to - timedelta(days=3)) == ["end", "remind_1d"]
    assert rows_due(ASKED, NOON) == []


def test_a_due_row_does_nothing_when_its_reason_is_gone() -> None:
    """Prolonged or withdrawn meanwhile: nobody is told of an end that is none."""
    (row,) = [row for row in due_rows(MINE, NOON) if row.what == Due.REMIND_7D]
    one = on_due(row, MINE, row.due_at)
    assert one is not None
    assert one.step is PermitStep.REMIND
    longer = replace(MINE, valid_to=MINE.valid_to + timedelta(days=1))
    for gone in (None, longer, replace(MINE, state=PermitState.WITHDRAWN)):
        assert on_due(row, gone, row.due_at) is None
    # the centre was off for a week: only the newest reminder goes out
    assert on_due(row, MINE, MINE.valid_to - timedelta(days=1, seconds=1)) is not None
    assert on_due(row, MINE, MINE.valid_to - timedelta(days=1)) is None
    strange = replace(row, what="of_another_release")
    assert on_due(strange, MINE, row.due_at) is None


@pytest.mark.parametrize(
    ("contact", "channels", "to"),
    [
        ({"email": "a@b", "phone": "+86"}, {"email": "post", "sms": "gate"}, ("post", "a@b")),
        ({"email": "a@b", "phone": "+86"}, {"mqtt": "mqtt", "sms": "gate"}, ("gate", "+86")),
        ({"email": "a@b"}, {"mqtt": "mqtt"}, None),  # a message that nobody can deliver would be an alert
        ({}, {"email": "post", "sms": "gate"}, None),
    ],
)
def test_a_reminder_goes_by_a_channel_that_is_set_up(
    contact: dict[str, str], channels: dict[str, str], to: tuple[str, str] | None
) -> None:
    """By e-mail, else by SMS, else the page alone shows it."""
    row = due_rows(MINE, NOON)[0]
    message = reminder(row, replace(MINE, **contact), channels, NOON, "2026-12-24 14:00")
    assert (message and (message.channel, message.address)) == to
    if message is not None:
        assert "2026-12-24 14:00" in message.body["text"]["zh"]
        assert message.body["url"] == "/permits/P-1"


def test_everything_has_both_languages() -> None:
    """States, steps, fields and problems: English and Chinese, none empty, with the same facts."""
    assert set(texts.STATES) == set(PermitState)
    assert set(texts.STEPS) == set(PermitStep)
    assert set(texts.FIELDS) == set(FIELDS)
    assert set(BEFORE) == set(Due)
    for catalogue in (texts.STATES, texts.STEPS, texts.FIELDS, texts.PROBLEMS):
        for both in catalogue.values():
            assert set(both) == {"en", "zh"}
            assert all(both.values())
            facts = {language: set(re.findall(r"\{(\w+)\}", both[language])) for language in both}
            assert facts["en"] == facts["zh"]

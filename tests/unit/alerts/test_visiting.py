"""What is asked on site, what one visit takes along, and what is counted: rules on values, with property tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.lifecycle import AlertKind, State
from alerts.values import Alert, Confirmation, Dispatch, Permit
from alerts.visiting import texts
from alerts.visiting.bundling import MOST_ALONG, SAME_VISIT, Along, along, goes_on_without
from alerts.visiting.checks import (
    Answer,
    CheckRefused,
    Tick,
    TickAsk,
    asked_before_resolving,
    lines_of,
    on_tick,
    still_open,
)
from alerts.visiting.counting import AvoidedRow, VisitRow, by_itself, month_of, tally
from alerts.visiting.csv_out import month_csv
from monitor.domain.assets import SiteCheck
from monitor.domain.checklists import PERMIT_ITEMS, checklist, has_own
from monitor.domain.levels import Level
from monitor.domain.risk import Reason, Weights
from monitor.domain.roles import Role
from monitor.domain.violations import CATALOGUE
from tests.doubles.alert_story import CITY, NOON, officer, uid

S1 = CITY.hcas[0]
levels = st.sampled_from(Level)
NO_LIST = ("false_alarm", "duplicate", "no_access")


def an_alert(n: int = 0, **changes: Any) -> Alert:
    values: dict[str, Any] = {
        "alert_id": uid(f"alert{n}"), "kind": AlertKind.VIOLATION, "state": State.OPEN, "violation": "excavation_5m",
        "subject": "s1", "site_id": "s1", "level": Level.III, "reasons": (), "weights_version": "1",
        "opened_at": NOON, "onset_at": NOON, "last_seen_at": NOON, "number": n,
    }  # fmt: skip
    return Alert(**{**values, **changes})


def a_dispatch(**changes: Any) -> Dispatch:
    values: dict[str, Any] = {
        "dispatch_id": uid("d"), "alert_id": uid("red"), "team_id": "near", "officer": "ann", "dispatched_at": NOON,
    }  # fmt: skip
    return Dispatch(**{**values, **changes})


# ---------------------------------------------------------------- lists
@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_row_of_the_catalogue_has_a_list_of_its_own(code: str) -> None:
    """In both languages, each item once, something of its own beside what every case asks."""
    items = checklist(code)
    assert has_own(code)
    assert len({item.key for item in items}) == len(items)
    assert all(set(item.text) == {"en", "zh"} and all(item.text.values()) for item in (*items, *PERMIT_ITEMS))
    row = CATALOGUE[code]
    if row.band_m is not None:
        assert any(item.measured for item in items), "the article names a distance, and nobody measures it"
    if row.permit == "approval":
        words = " ".join(item.text["en"] for item in items)
        assert "approv" in words.lower() or "order was seen" in words, (
            "the law knows lawful work, and nobody asks for it"
        )


def test_may_lie_within_and_the_site_add_to_the_list() -> None:
    """The camera was not sure of the distance: it is measured. A site's own note is asked for where it fits."""
    keys = [item.key for item in checklist("on_pipe", may_lie_within=True)]
    assert "distance" in keys
    doubled = [item.key for item in checklist("excavation_5m", may_lie_within=True)]
    assert doubled.count("distance") == 1
    pit = SiteCheck(
        check_id="pit", text={"en": "Valve pit closed", "zh": "阀井关闭"}, violations=("on_pipe",)
    )
    assert "site.pit" in [item.key for item in checklist("on_pipe", site_checks=[pit])]
    assert "site.pit" not in [item.key for item in checklist("theft", site_checks=[pit])]
    assert checklist("nothing-known")


def ask(**changes: Any) -> TickAsk:
    return TickAsk(**{"item": "place", "answer": Answer.DONE, "actor": officer("ann"), **changes})


@pytest.mark.parametrize(
    ("changes", "state", "refused"),
    [
        ({"actor": officer("bo")}, State.ON_SITE, "check_not_yours"),
        ({}, State.EN_ROUTE, "check_not_there"),
        ({}, State.RESOLVED, "check_not_there"),
        ({"item": "tap"}, State.ON_SITE, "check_unknown"),
        ({"answer": Answer.NOT_POSSIBLE, "note": "  "}, State.ON_SITE, "check_needs_note"),
        ({"item": "distance"}, State.ON_SITE, "check_needs_metres"),
        ({"item": "distance", "value_m": float("nan")}, State.ON_SITE, "check_needs_metres"),
        ({"item": "distance", "value_m": -1.0}, State.ON_SITE, "check_needs_metres"),
    ],
)
def test_an_answer_that_cannot_be_true_is_refused(
    changes: dict[str, Any], state: State, refused: str
) -> None:
    """Who is not there, what is not asked, a distance without metres."""
    alert = an_alert(state=state)
    with pytest.raises(CheckRefused) as told:
        on_tick(ask(**changes), alert, checklist("excavation_5m"), a_dispatch(), NOON)
    assert told.value.key == refused
    assert refused in texts.PROBLEMS


answers = st.lists(
    st.builds(
        Tick, alert_id=st.just("a"), item=st.sampled_from([i.key for i in checklist("excavation_5m")]),
        answer=st.sampled_from(Answer), who=st.just("ann"), role=st.just(Role.OFFICER), at=st.just(NOON),
        done_at=st.just(NOON),
    ),
    max_size=30,
)  # fmt: skip


@given(
    ticks=answers,
    note=st.sampled_from(["", " ", "why"]),
    outcome=st.sampled_from(["rectified", "referred", *NO_LIST]),
)
def test_only_what_was_answered_last_counts(ticks: list[Tick], note: str, outcome: str) -> None:
    """The list is as its newest answers say; what is open is asked unless it is left open by name and with a note."""
    items = checklist("excavation_5m")
    lines = lines_of(items, ticks)
    last = {tick.item: tick.answer for tick in ticks}
    open_keys = {
        item.key for item in items if item.required and last.get(item.key, Answer.OPEN) is Answer.OPEN
    }
    assert {item.key for item in still_open(lines)} == open_keys
    asked = {item.key for item in asked_before_resolving(lines, outcome, (), note)}
    assert asked == (set() if outcome in NO_LIST else open_keys)
    left = {item.key for item in asked_before_resolving(lines, outcome, open_keys, note)}
    assert left == (asked if not note.strip() else set())


# ---------------------------------------------------------------- bundling
alerts = st.lists(
    st.builds(
        an_alert, n=st.integers(1, 40), level=levels, state=st.sampled_from([*State]),
        confirmation=st.sampled_from(Confirmation), kind=st.sampled_from(AlertKind),
        opened_at=st.integers(-3600, 0).map(lambda s: NOON + timedelta(seconds=s)),
    ),
    max_size=25, unique_by=lambda alert: alert.alert_id,
)  # fmt: skip


@given(found=alerts, sent=st.sets(st.integers(1, 40)), known=st.sets(st.integers(1, 40)))
def test_a_visit_takes_along_only_what_nobody_is_sent_to(
    found: list[Alert], sent: set[int], known: set[int]
) -> None:
    """Open violations that are not refuted; never a red one that has just come; nothing twice; not without end."""
    sent_to, have = {uid(f"alert{n}") for n in sent}, {("alert", uid(f"alert{n}")) for n in known}
    checks = along(a_dispatch(), S1, found, sent_to, (), have, NOON)
    by_id = {alert.alert_id: alert for alert in found}
    assert len(checks) == len({check.ref for check in checks}) <= MOST_ALONG
    for check in checks:
        alert = by_id[check.ref]
        assert (alert.kind, alert.state) == (AlertKind.VIOLATION, State.OPEN)
        assert alert.confirmation is not Confirmation.REFUTED
        assert check.ref not in sent_to
        assert ("alert", check.ref) not in have
        if alert.level in (Level.I, Level.II):
            assert (check.why, alert.opened_at < NOON) == (Along.NOBODY_SENT, True)
    assert along(a_dispatch(choice=SAME_VISIT), S1, found, sent_to, (), have, NOON) == ()
    assert along(a_dispatch(ended_at=NOON), S1, found, sent_to, (), have, NOON) == ()


def test_a_visit_never_takes_more_than_an_officer_gets_through() -> None:
    """Look after look the visit has ten checks at most, not ten more each time."""
    found = [an_alert(n) for n in range(1, 31)]
    first = along(a_dispatch(), S1, found[:4], (), (), (), NOON)
    known = {(check.kind, check.ref) for check in first}
    second = along(a_dispatch(), S1, found, (), (), known, NOON, len(first))
    assert (len(first), len(second)) == (4, MOST_ALONG - 4)
    known |= {(check.kind, check.ref) for check in second}
    assert along(a_dispatch(), S1, found, (), (), known, NOON, MOST_ALONG) == ()


@pytest.mark.parametrize("held_by", ["shelf", "inhibited", "shelf_over"])
def test_what_is_held_is_not_taken_along(held_by: str) -> None:
    """The room shelved a nuisance: nobody who happens to be there is bothered with it."""
    assert along(a_dispatch(), S1, [an_alert(1, held_by=held_by)], (), (), (), NOON) == ()
    assert along(a_dispatch(), S1, [an_alert(1)], (), (), (), NOON)


def test_a_permit_that_ends_soon_is_looked_at_where_it_lies() -> None:
    """Seven days before its end, on the site's stretch; not another line's, not one that is over or asked for."""
    base = Permit(permit_number="P", violation="works_50m", pipeline_id="p1", from_m=19_000, to_m=21_000,
                  valid_from=NOON - timedelta(days=9), valid_to=NOON + timedelta(days=7))  # fmt: skip
    changes: list[tuple[dict[str, Any], int]] = [
        ({}, 1), ({"valid_to": NOON + timedelta(days=7, seconds=1)}, 0), ({"valid_to": NOON - timedelta(seconds=1)}, 0),
        ({"from_m": 20_001.0}, 0), ({"pipeline_id": "p2"}, 0), ({"state": "requested"}, 0),
    ]  # fmt: skip
    for change, count in changes:
        permit = msgspec.convert({**msgspec.to_builtins(base), **change}, Permit)
        assert len(along(a_dispatch(), S1, (), (), [permit], (), NOON)) == count, change


@given(
    level=levels,
    confirmation=st.sampled_from(Confirmation),
    choice=st.sampled_from([SAME_VISIT, "nearest_free"]),
)
def test_what_would_be_sent_to_anyway_never_loses_its_successor(
    level: Level, confirmation: Confirmation, choice: str
) -> None:
    """Levels I and II, confirmed cases and ordinary dispatches are given to the next one as ever."""
    waits = goes_on_without(an_alert(level=level, confirmation=confirmation), a_dispatch(choice=choice))
    if level in (Level.I, Level.II) or confirmation is Confirmation.CONFIRMED or choice != SAME_VISIT:
        assert not waits


# ---------------------------------------------------------------- counting
visit_rows = st.lists(
    st.builds(
        VisitRow, dispatch_id=st.uuids().map(str), alert_id=st.just("a"), number=st.integers(1, 9), site_id=st.just("s1"),
        violation=st.just("works_50m"), level=levels, officer=st.just("ann"),
        choice=st.sampled_from([SAME_VISIT, "nearest_free"]), why=st.sampled_from(["confirmed", "level_i_at_once"]),
        dispatched_at=st.just(NOON), arrived_at=st.sampled_from([None, NOON]),
        found=st.sampled_from([None, "rectified", "false_alarm"]), company=st.sampled_from(["", "A", "B"]),
    ),
    max_size=20,
)  # fmt: skip
avoided_rows = st.lists(
    st.builds(
        AvoidedRow, kind=st.sampled_from(["permit", "joined", "refuted", "same_visit", "rule"]), alert_id=st.just("a"),
        number=st.integers(1, 9), site_id=st.just("s1"), at=st.just(NOON), why=st.just("x"), by_itself=st.booleans(),
        company=st.sampled_from(["", "A"]),
    ),
    max_size=20,
)  # fmt: skip


@given(visits=visit_rows, avoided=avoided_rows)
def test_the_parts_add_up(visits: list[VisitRow], avoided: list[AvoidedRow]) -> None:
    """By company, by reason and by outcome: each visit is counted once, and none is both made and spared."""
    month = tally("2026-11", visits, avoided)
    assert month.visits == sum(one.visits for one in month.companies) == sum(month.why.values())
    assert sum(month.found.values()) == month.visits + month.taken_along
    assert month.avoided_in_all == len(avoided)
    assert all(most >= sure for most, sure in month.avoided.values())
    assert month_csv(month, "Asia/Shanghai").count("\r\n") == 1 + len(visits) + len(avoided)


def test_a_month_is_the_citys_and_a_record_knows_what_it_would_have_been() -> None:
    """December ends with the year; a permit's points are taken back; other weights conclude nothing."""
    since, until = month_of("2026-12", "Asia/Shanghai")
    assert (until - since) == timedelta(days=31)
    for wrong in ("2026-13", "november", "2026", "0000-01"):
        with pytest.raises(ValueError, match="month"):
            month_of(wrong, "Asia/Shanghai")
    weights = Weights()
    reasons = (Reason(key="violation", points=70, detail=""), Reason(key="permit", points=-45, detail="P-7"))
    assert by_itself(Level.IV, reasons, weights, weights.version)
    assert not by_itself(Level.IV, reasons[1:], weights, weights.version)
    assert not by_itself(Level.IV, reasons, weights, "older")


def test_what_a_spreadsheet_would_run_is_text() -> None:
    """A company's name can't become a formula on the clerk's machine."""
    row = VisitRow(dispatch_id="d", alert_id="a", number=1, site_id="s1", violation=None, level=Level.I, officer="ann",
                   choice="", why="confirmed", dispatched_at=NOON, company="=HYPERLINK(1)")  # fmt: skip
    assert ",'=HYPERLINK(1)," in month_csv(tally("2026-11", [row], []), "UTC")


def test_every_word_of_a_visit_has_both_languages() -> None:
    """Problems, answers, reasons and findings."""
    for words in (texts.PROBLEMS, texts.ANSWERS, texts.WHY_ALONG, texts.LOOKED):
        assert all(set(text) == {"en", "zh"} and all(text.values()) for text in words.values())
    assert set(texts.ANSWERS) == set(Answer)
    assert set(texts.WHY_ALONG) == set(Along)

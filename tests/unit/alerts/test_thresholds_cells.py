"""Thresholds by hand as a sheet of numbers: what holds in each cell, where it comes from, what a change leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alerts.thresholds import texts
from alerts.thresholds.cells import ALL, Cell, Step, cell_of, entry_with, in_force, put_back, sheet_of
from alerts.thresholds.desk import Answer, answer_of
from alerts.thresholds.ports import Said, ThresholdsError
from monitor.domain.violations import RULES

DIG = RULES[0]
NOON = datetime(2026, 11, 30, 4, tzinfo=UTC)
ENTER, NIGHT = Cell(ALL, "day", "enter_score"), Cell(ALL, "night", "enter_score")


def step(number: int, before: Any, after: Any, kind: Any = "hand") -> Step:
    return Step(kind=kind, number=number, version=number, by="sun", at=NOON, before=before, after=after)


def entry(**numbers: Any) -> dict[str, Any]:
    return {"rule": "dig-5m", "reason": "r", "on": True, "night": {}, **numbers}


def kinds(cells: Any, *which: Cell) -> list[tuple[float, str]]:
    return [(cells[cell].value, cells[cell].origin.kind) for cell in which]


def test_an_empty_cell_takes_the_next_wider_one() -> None:
    """A class's night its day, then the night and the day of all classes, then what is shipped."""
    own = entry(
        enter_score=0.6,
        night={"enter_score": 0.7},
        by_class=[{"object_class": "loader", "enter_score": 0.65}],
    )
    cells = in_force(DIG, own, None, ())
    loader, other = Cell("loader", "night", "enter_score"), Cell("excavator", "night", "enter_score")
    assert kinds(cells, ENTER, NIGHT, loader, other) == [
        (0.6, "file"),
        (0.7, "file"),
        (0.65, "file"),
        (0.7, "file"),
    ]
    assert [cells[cell].own for cell in (ENTER, NIGHT, loader, other)] == [True, True, False, False]
    assert kinds(cells, Cell("loader", "night", "dwell_s")) == [(4.0, "shipped")]


def test_each_number_says_where_it_comes_from() -> None:
    """Feedback raised the score, a person the dwell, all cameras of the edge have a lower leaving score."""
    of_edge = entry(leave_score=0.25)
    raised = entry(leave_score=0.25, enter_score=0.54)
    dwells = entry(leave_score=0.25, enter_score=0.54, dwell_s=6)
    steps = (step(2, None, raised, "feedback"), step(3, raised, dwells))
    cells = in_force(DIG, dwells, of_edge, steps)
    leave, dwell = Cell(ALL, "day", "leave_score"), Cell(ALL, "day", "dwell_s")
    assert kinds(cells, ENTER, dwell, leave) == [(0.54, "feedback"), (6.0, "hand"), (0.25, "edge")]
    assert cells[dwell].origin.step == steps[1]
    assert kinds(in_force(DIG, None, of_edge, ()), leave, ENTER) == [(0.25, "edge"), (0.5, "shipped")]
    later = entry(enter_score=0.58)
    assert kinds(in_force(DIG, later, None, steps), ENTER) == [(0.58, "file")], (
        "somebody applied a file since"
    )


def test_a_change_keeps_what_it_is_not_about() -> None:
    """Hours, the switch, a box's least height and other classes' numbers stay; an emptied entry goes."""
    base = entry(min_box_px=30, within="school", by_class=[{"object_class": "loader", "dwell_s": 9}])
    after = entry_with(base, "dig-5m", {NIGHT: 0.7, Cell("drill_rig", "day", "dwell_s"): 5.0}, "why")
    assert after is not None
    assert (after["within"], after["min_box_px"], after["night"], after["reason"]) == (
        "school", 30, {"enter_score": 0.7}, "why",
    )  # fmt: skip
    assert after["by_class"] == [
        {"object_class": "drill_rig", "dwell_s": 5.0},
        {"object_class": "loader", "dwell_s": 9},
    ]
    assert entry_with(entry(enter_score=0.6), "dig-5m", {ENTER: None}, "why") is None
    switched = entry_with({**entry(enter_score=0.6), "on": False}, "dig-5m", {ENTER: None}, "why")
    assert switched is not None, "switching a rule off is a setting too"


def test_taking_back_leaves_what_others_changed_since() -> None:
    """Another number stays; the same number set again is not touched, and that is said."""
    before, after = entry(enter_score=0.5), entry(enter_score=0.6, dwell_s=8)
    since = entry(enter_score=0.6, dwell_s=8, leave_score=0.2)
    assert put_back(since, before, after) == {Cell(ALL, "day", "dwell_s"): None, ENTER: 0.5}
    assert put_back(after, None, after) == {Cell(ALL, "day", "dwell_s"): None, ENTER: None}
    with pytest.raises(ThresholdsError) as refused:
        put_back(entry(enter_score=0.65, dwell_s=8), before, after)
    assert (refused.value.key, refused.value.facts["name"]) == (
        "thresholds_changed_since",
        "all.day.enter_score",
    )


@pytest.mark.parametrize(
    "name", ["", "min_box_px", "enter", "person.enter_score", "night.night.enter_score", "a.b.c.d", "night.loader.x",
             "loader.excavator.enter_score"],
)  # fmt: skip
def test_a_number_that_the_rule_does_not_have_is_refused(name: str) -> None:
    """A typing error must not be taken for something else."""
    with pytest.raises(ThresholdsError, match="thresholds_no_cell"):
        cell_of(name, DIG)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (None, "unheard"),
        (Said(online=True, in_force=6), "waits"),
        (Said(online=False, in_force=6), "offline"),
        (Said(online=True, in_force=7), "taken"),
        (Said(online=True, in_force=8, about=8), "taken"),
        (Said(online=True, in_force=6, about=7, taken=False), "refused"),
        (Said(online=True, in_force=5, about=6, taken=False), "waits"),
        (Said(online=True), "waits"),
    ],
)
def test_the_edges_word_on_a_version(said: Said | None, answer: Answer) -> None:
    """Nobody is told that a number is in force while the edge has not said so."""
    assert answer_of(said, 7) == answer


def test_every_text_is_there_in_both_languages() -> None:
    """With the same facts."""
    for texts_of in (texts.ORIGINS, texts.ANSWERS, texts.NUMBERS, texts.PROBLEMS):
        for key, text in texts_of.items():
            assert set(text) == {"en", "zh"}, key
            assert text["en"].count("{") == text["zh"].count("{"), key


def test_a_sheet_is_what_an_entry_says() -> None:
    """In the form in which versions keep it: empty sections, and None where nothing is set."""
    assert sheet_of(entry(enter_score=None, by_class=None, dwell_s=5)) == {Cell(ALL, "day", "dwell_s"): 5.0}

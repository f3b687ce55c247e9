"""One rule's setting at one camera as a sheet of numbers: what holds in each cell, and where that comes from. Pure.

A cell is a class (or all of the rule's), day or night, and a number. An empty one takes the next wider one's value:
a class's night its day, then the night and the day of all classes, then what is shipped.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from alerts.thresholds.ports import Entry, ThresholdsError
from monitor.domain.rulebook import NUMBERS
from monitor.domain.violations import Numbers, Rule

#: stands for all classes of a rule that have no number of their own
ALL: Final = "all"
#: the numbers that people set here; a box's least height is left to the file
SET_HERE: Final[tuple[Numbers, ...]] = ("enter_score", "leave_score", "dwell_s")
When = Literal["day", "night"]
WHEN: Final[tuple[When, ...]] = ("day", "night")
#: of a number that was said with a decimal point or not
_SAME: Final = 1e-9


class Cell(NamedTuple):
    """Which number."""

    who: str
    when: When
    number: Numbers

    def __str__(self) -> str:
        return f"{self.who}.{self.when}.{self.number}"


Sheet = Mapping[Cell, float]
Kind = Literal["shipped", "edge", "file", "feedback", "hand"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A change that somebody decided: a proposal of feedback, or one made by hand."""

    kind: Literal["feedback", "hand"]
    #: of the proposal or of the change
    number: int
    version: int
    by: str
    at: datetime
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value comes from; with the change, if one is known."""

    kind: Kind
    step: Step | None = None


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What holds in one cell."""

    value: float
    #: the cell's own, not a wider one's
    own: bool
    origin: Origin


def cell_of(text: str, rule: Rule) -> Cell:
    """A cell by its name: `enter_score`, `night.dwell_s`, `excavator.enter_score`, `excavator.night.dwell_s`.

    ThresholdsError if the rule has no such cell.

    >>> from monitor.domain.violations import RULES
    >>> str(cell_of("night.dwell_s", RULES[0])), str(cell_of("loader.enter_score", RULES[0]))
    ('all.night.dwell_s', 'loader.day.enter_score')
    """
    *rest, number = text.split(".")
    when: When = "night" if "night" in rest else "day"
    who = [part for part in rest if part not in WHEN] or [ALL]
    known = {ALL, *rule.classes}
    if number not in SET_HERE or rest.count(when) > 1 or len(who) != 1 or who[0] not in known:
        raise ThresholdsError("thresholds_no_cell", name=text, numbers=", ".join(SET_HERE),
                              classes=", ".join(sorted(rule.classes)))  # fmt: skip
    return Cell(who[0], when, number)


def sheet_of(entry: Entry | None) -> dict[Cell, float]:
    """The cells that an entry of the configuration fills."""
    if entry is None:
        return {}
    found = _numbers(ALL, entry)
    for own in entry.get("by_class") or ():
        found |= _numbers(own["object_class"], own)
    return found


def _numbers(who: str, section: Mapping[str, Any]) -> dict[Cell, float]:
    by: tuple[tuple[When, Mapping[str, Any]], ...] = (("day", section), ("night", section.get("night") or {}))
    return {
        Cell(who, when, number): float(numbers[number])
        for when, numbers in by
        for number in NUMBERS
        if numbers.get(number) is not None
    }


def entry_with(
    base: Entry | None,
    rule_id: str,
    changes: Mapping[Cell, float | None],
    reason: str,
    of_edge: Entry | None = None,
) -> dict[str, Any] | None:
    """The camera's entry with these cells; None as a value empties one. None: it needs none.

    Args:
        of_edge: what holds where the camera has none: even an empty one keeps that away.
    """
    sheet = dict(sheet_of(base))
    for cell, value in changes.items():
        if value is None:
            sheet.pop(cell, None)
        else:
            sheet[cell] = value
    rest = {key: value for key, value in (base or {}).items() if key not in (*NUMBERS, "night", "by_class")}
    entry: dict[str, Any] = {**rest, "rule": rule_id, "reason": reason, **_section(sheet, ALL)}
    own = sorted({cell.who for cell in sheet} - {ALL})
    if own:
        entry["by_class"] = [{"object_class": who, **_section(sheet, who)} for who in own]
    kept = entry.get("on", True) is False or any(entry.get(key) is not None for key in ("within", "outside"))
    found = entry if sheet or kept or of_edge is not None else None
    return None if of_edge is not None and says_the_same(found, of_edge) else found


def _section(sheet: Sheet, who: str) -> dict[str, Any]:
    day: dict[str, Any] = {}
    night: dict[str, Any] = {}
    for cell, value in sheet.items():
        if cell.who == who:
            (night if cell.when == "night" else day)[cell.number] = value
    return {**day, "night": night} if night else day


def says_the_same(a: Entry | None, b: Entry | None) -> bool:
    """Whether two entries differ in their reason at most; what is left out counts as it is meant."""

    def plain(entry: Entry | None) -> dict[str, Any]:
        rest = {key: value for key, value in (entry or {}).items() if key in ("within", "outside")}
        return {
            "on": (entry or {}).get("on", True),
            **{key: value for key, value in rest.items() if value is not None},
        }

    return sheet_of(a) == sheet_of(b) and plain(a) == plain(b)


def changed(before: Entry | None, after: Entry | None) -> dict[Cell, tuple[float | None, float | None]]:
    """The cells that differ, each with what it held before and after."""
    old, new = sheet_of(before), sheet_of(after)
    return {
        cell: (old.get(cell), new.get(cell))
        for cell in sorted({*old, *new})
        if not _same(old.get(cell), new.get(cell))
    }


def put_back(now_is: Entry | None, before: Entry | None, after: Entry | None) -> dict[Cell, float | None]:
    """What to write, so that a change is undone and what others changed since stays; ThresholdsError if that is gone."""
    sheet = sheet_of(now_is)
    undone: dict[Cell, float | None] = {}
    for cell, (old, new) in changed(before, after).items():
        if not _same(sheet.get(cell), new):
            raise ThresholdsError("thresholds_changed_since", name=str(cell))
        undone[cell] = old
    return undone


def in_force(
    rule: Rule, own: Entry | None, of_edge: Entry | None, steps: Sequence[Step]
) -> dict[Cell, Value]:
    """What holds in each cell of a rule at a camera, and where it comes from.

    Args:
        own: the camera's entry, which replaces all of the edge's.
        steps: changes of this rule at this camera that were not taken back.
    """
    entry = of_edge if own is None else own
    sheet = sheet_of(entry)
    newest_first = sorted(steps, key=lambda step: step.version, reverse=True)

    def where(cell: Cell) -> Origin:
        if own is None:
            return Origin(kind="edge")
        for step in newest_first:
            # a camera's first own entry begins as a copy of the edge's
            before = of_edge if step.before is None else step.before
            old, new = sheet_of(before).get(cell), sheet_of(step.after).get(cell)
            if _same(new, sheet[cell]) and not _same(old, new):
                return Origin(kind=step.kind, step=step)
        return Origin(kind="edge" if _same(sheet_of(of_edge).get(cell), sheet[cell]) else "file")

    found: dict[Cell, Value] = {}
    for who in (ALL, *sorted(rule.classes)):
        for when in WHEN:
            for number in SET_HERE:
                cell = Cell(who, when, number)
                source = next((one for one in _wider(cell) if one in sheet), None)
                if source is None:
                    shipped = Origin(kind="shipped")
                    found[cell] = Value(value=float(getattr(rule, number)), own=False, origin=shipped)
                else:
                    found[cell] = Value(value=sheet[source], own=source == cell, origin=where(source))
    return found


def _wider(cell: Cell) -> Iterable[Cell]:
    yield cell
    if cell.when == "night":
        yield cell._replace(when="day")
    if cell.who != ALL:
        yield from _wider(cell._replace(who=ALL))


def _same(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else abs(a - b) < _SAME

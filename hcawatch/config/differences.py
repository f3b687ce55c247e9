"""What changes between two documents, entry by entry; entries with an id are compared by it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hcawatch.config.faults import clipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that is added (`before` None), removed (`after` None) or changed."""

    place: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.place}: {clipped(self.after, 100)}"
        if self.after is None:
            return f"- {self.place}: {clipped(self.before, 100)}"
        return f"~ {self.place}: {clipped(self.before, 60)} → {clipped(self.after, 60)}"


def differences(before: Any, after: Any, place: str = "") -> Iterator[Change]:
    """All changes from `before` to `after`, in the order of the documents."""
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_tables(before, after, place)
    elif isinstance(before, list) and isinstance(after, list) and _name_of(before + after):
        name = _name_of(before + after)
        old = {entry[name]: entry for entry in before}
        new = {entry[name]: entry for entry in after}
        for key in dict.fromkeys([*old, *new]):
            yield from differences(old.get(key), new.get(key), f"{place}[{key}]")
    elif not _same_number(before, after):
        yield Change(place=place or "everything", before=before, after=after)


def _of_tables(before: dict[str, Any], after: dict[str, Any], place: str) -> Iterator[Change]:
    for key in dict.fromkeys([*before, *after]):
        yield from differences(before.get(key), after.get(key), f"{place}.{key}".lstrip("."))


def _same_number(before: Any, after: Any) -> bool:
    """JSON has one kind of number: 5 and 5.0 are the same."""
    numbers = isinstance(before, int | float) and isinstance(after, int | float)
    return numbers and bool(before == after) and isinstance(before, bool) is isinstance(after, bool)


def _name_of(entries: list[Any]) -> str:
    """The key by which all entries are told apart, or ''."""
    for key in ("id", "number", "user", "rule"):
        if entries and all(isinstance(entry, dict) and key in entry for entry in entries):
            return key
    return ""

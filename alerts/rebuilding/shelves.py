"""Every shelf from its entries 'shelf.begin' and 'shelf.end': who kept what from ringing, why and how long. Pure."""

from collections.abc import Iterable

import msgspec

from alerts.calm.shelves import Shelf
from alerts.rebuilding.values import Difference, Told, differences
from monitor.audit.entries import Entry

KINDS = ("shelf.begin", "shelf.end")
_NAMES = Shelf.__struct_fields__
#: what its end says beside what was so from the beginning
_OF_END = frozenset({"ended_at", "ended_by", "end_reason", "end_note"})


def rebuilt(entries: Iterable[Entry]) -> dict[str, Told]:
    """By id: the shelf as its entries tell it."""
    shelves: dict[str, Shelf] = {}
    faults: dict[str, list[str]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.at, entry.kind)):
        shelf, odd = msgspec.convert(entry.body, Shelf), faults.setdefault(entry.subject, [])
        before = shelves.get(entry.subject)
        if entry.kind == "shelf.begin":
            if before is not None:
                odd.append("began twice")
            if shelf.ended_at is not None:
                odd.append("was over when it began")
        elif before is None:
            odd.append("ended and never began")
        elif before.ended_at is not None:
            odd.append("ended twice")
        else:
            odd += [
                f"its end says another {name} than its beginning"
                for name in _NAMES
                if name not in _OF_END and getattr(before, name) != getattr(shelf, name)
            ]
        who = shelf.shelved_by if entry.kind == "shelf.begin" else shelf.ended_by
        if who != entry.actor:
            odd.append(f"{entry.kind} is of {entry.actor} and names {who}")
        shelves[entry.subject] = shelf
    return {
        shelf_id: Told(fields=msgspec.structs.asdict(shelf), faults=tuple(faults[shelf_id]))
        for shelf_id, shelf in shelves.items()
    }


def compare(entries: Iterable[Entry], table: Iterable[Shelf]) -> list[Difference]:
    """All differences between the log and the table of shelves."""
    rows = {shelf.shelf_id: msgspec.structs.asdict(shelf) for shelf in table}
    return differences("shelf", rebuilt(entries), rows, _NAMES)

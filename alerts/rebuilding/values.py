"""A table's rows beside what the log says of them, and where the two disagree. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where the table and the log disagree."""

    #: alert | shelf | visit | notice | objection
    kind: str = "alert"
    #: which of them, by its id
    subject: str
    what: str
    log: Any = None
    table: Any = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing as the log tells it, and what is odd about its entries."""

    fields: Mapping[str, Any]
    faults: tuple[str, ...] = ()


def differences(
    kind: str, told: Mapping[str, Told], table: Mapping[str, Mapping[str, Any]], names: Iterable[str]
) -> list[Difference]:
    """All differences in the fields `names`, thing by thing; what only one side has is one, too."""
    found: list[Difference] = []
    for subject, row in table.items():
        one = told.get(subject)
        if one is None:
            found.append(Difference(kind=kind, subject=subject, what="not in the log"))
            continue
        found += [Difference(kind=kind, subject=subject, what=fault) for fault in one.faults]
        found += [
            Difference(kind=kind, subject=subject, what=name, log=one.fields.get(name), table=row[name])
            for name in names
            if one.fields.get(name) != row[name]
        ]
    gone = [subject for subject in told if subject not in table]
    return [*found, *(Difference(kind=kind, subject=one, what="not in the table") for one in gone)]

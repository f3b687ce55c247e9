"""The loop's entries in the audit log: one per transition, from which every alert can be rebuilt (replay.py).

An entry of kind 'alert.<step>' holds the transition and `set`: the fields of the case that it changed, by
name. What cameras see of a running condition (place, times) is in the entries of the events themselves.
"""

from typing import Any

import msgspec

from alerts.commands import Change, Open
from alerts.values import Alert, Move
from monitor.audit.entries import Entry

#: written by Touch without a transition
SEEN_FIELDS = (
    "onset_at", "last_seen_at", "lon", "lat", "accuracy_m", "pipeline_id", "chainage_m", "offset_m", "activity",
    "came_back",
)  # fmt: skip
#: given by the database
_NOT_LOGGED = frozenset({"alert_id", "number", "version", *SEEN_FIELDS})
CASE_FIELDS = tuple(name for name in Alert.__struct_fields__ if name not in _NOT_LOGGED)


def case_fields(alert: Alert) -> dict[str, Any]:
    """The fields of the case as JSON values."""
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(alert))
    return {name: values[name] for name in CASE_FIELDS}


def entry_of_opening(command: Open) -> Entry:
    """The first entry: everything, and what was seen at that time."""
    values: dict[str, Any] = msgspec.to_builtins(command.alert)
    seen = {name: values[name] for name in SEEN_FIELDS if values[name] is not None}
    return _entry(command.move, {"set": case_fields(command.alert), "seen": seen})


def entry_of_change(command: Change) -> Entry:
    """What the transition changed."""
    before, after = command.before, command.after
    # as JSON only what differs: a case has some fifty fields, and a storm two hundred changes a second
    differing = {
        name: getattr(after, name) for name in CASE_FIELDS if getattr(after, name) != getattr(before, name)
    }
    changed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(differing))
    return _entry(command.move, {"set": changed, "facts": dict(command.facts)})


def _entry(move: Move, more: dict[str, Any]) -> Entry:
    body: dict[str, Any] = {**msgspec.to_builtins(move), **more}
    return Entry(kind=f"alert.{move.step}", subject=move.alert_id, actor=move.actor, at=move.at, body=body)

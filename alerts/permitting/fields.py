"""Reads a permit from fields of text, as a CSV row, a form and the API bring them. Pure.

Nothing is guessed: what cannot be read is a fault that names the field, what is wrong and what to write.
Times without a zone are the city's; chainages are metres or stake numbers (K12+345).
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from alerts.reading import (
    END_TOLERANCE_M,
    LONGEST_TEXT,
    FieldFault,
    Unreadable,
    chainage,
    metres,
    moment,
    one_of,
    words,
)
from alerts.values import Permit
from monitor.domain.assets import City
from monitor.domain.geometry import Centreline
from monitor.domain.hours import WEEK, Hours, clock_min, clock_text
from monitor.domain.violations import CATALOGUE, Activity

#: every field, in the order of the form; those without a default must be there
FIELDS: Final = (
    "number", "company", "pipeline", "from", "to", "valid_from", "valid_to", "works", "hours", "from_offset_m",
    "to_offset_m", "activities", "machines", "machines_note", "phone", "email", "holder", "file_sha256",
)  # fmt: skip
REQUIRED: Final = frozenset(
    {"number", "company", "pipeline", "from", "to", "valid_from", "valid_to", "works"}
)
ACTIVITIES: Final[tuple[Activity, ...]] = get_args(Activity)
#: nobody approves work for longer; a typing error in the year does
LONGEST: Final = timedelta(days=20 * 366)

_NUMBER = re.compile(r"[^\s/\\?#%<>\"'`](?:[^/\\?#%<>\"'`\t\r\n]{0,58}[^\s/\\?#%<>\"'`])?")
_CLASS = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HOURS = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?\s+)?(\d{1,2}:\d{2})-(\d{1,2}:\d{2})")
_SPLIT = re.compile(r"[;；,，、\s]+")


def read_permit(fields: Mapping[str, Any], city: City) -> tuple[Permit | None, tuple[FieldFault, ...]]:
    """The permit, or all faults of its fields."""
    given = {
        name: str(value).strip() for name, value in fields.items() if value is not None and str(value).strip()
    }
    faults = [FieldFault(field=name, key="field_unknown", facts={"known": ", ".join(FIELDS)})
              for name in given if name not in FIELDS]  # fmt: skip
    faults += [
        FieldFault(field=name, key="field_missing")
        for name in FIELDS
        if name in REQUIRED and name not in given
    ]

    def read(name: str, how: Callable[[str], object], default: object) -> Any:
        if name not in given:
            return default
        try:
            return how(given[name])
        except Unreadable as bad:
            faults.append(FieldFault(field=name, key=bad.key, facts=bad.facts))
            return default

    zone = ZoneInfo(city.timezone)
    pipelines = {pipeline.pipeline_id: pipeline for pipeline in city.pipelines}
    works = read("works", _works, ("",))
    at_once: dict[str, Any] = {
        "permit_number": read("number", _number, ""), "violation": works[0], "also": works[1:],
        "pipeline_id": read("pipeline", lambda text: one_of(text, list(pipelines)), ""),
        "from_m": read("from", chainage, 0.0), "to_m": read("to", chainage, 0.0),
        "valid_from": read("valid_from", lambda text: moment(text, zone, last=False), None),
        "valid_to": read("valid_to", lambda text: moment(text, zone, last=True), None),
        "hours": read("hours", _hours, ()), "from_offset_m": read("from_offset_m", metres, None),
        "to_offset_m": read("to_offset_m", metres, None), "activities": read("activities", _activities, ()),
        "machine_limits": read("machines", _machines, {}), "machines": read("machines_note", words, ""),
        "company": read("company", words, ""), "phone": read("phone", words, ""), "email": read("email", _email, ""),
        "holder": read("holder", words, None), "file_sha256": read("file_sha256", _sha256, None),
    }  # fmt: skip
    bad = {fault.field for fault in faults}
    for name, key, facts, needs in _together(at_once, pipelines):
        if not bad & {name, *needs}:
            faults.append(FieldFault(field=name, key=key, facts=facts))
    return (None, tuple(faults)) if faults else (Permit(**at_once), ())


def _together(
    values: dict[str, Any], pipelines: Mapping[str, Any]
) -> list[tuple[str, str, dict[str, str], set[str]]]:
    """What only several fields say: (field, key, facts, the other fields that must be readable)."""
    found: list[tuple[str, str, dict[str, str], set[str]]] = []
    if values["to_m"] <= values["from_m"]:
        found.append(("to", "field_reversed", {"other": "from"}, {"from"}))
    begin, end = values["valid_from"], values["valid_to"]
    if begin is not None and end is not None:
        if end <= begin:
            found.append(("valid_to", "field_reversed", {"other": "valid_from"}, {"valid_from"}))
        elif end - begin > LONGEST:
            found.append(("valid_to", "field_too_long", {}, {"valid_from"}))
    low, high = values["from_offset_m"], values["to_offset_m"]
    if low is not None and high is not None and high < low:
        found.append(("to_offset_m", "field_reversed", {"other": "from_offset_m"}, {"from_offset_m"}))
    pipeline = pipelines.get(values["pipeline_id"])
    if pipeline is not None:
        chainages = Centreline.of(pipeline.centreline, pipeline.origin_chainage_m).chainages_m
        facts = {"begin": f"{chainages[0]:.0f}", "end": f"{chainages[-1]:.0f}"}
        for name, at_m in (("from", values["from_m"]), ("to", values["to_m"])):
            if not chainages[0] - END_TOLERANCE_M <= at_m <= chainages[-1] + END_TOLERANCE_M:
                found.append((name, "field_off_line", facts, {"pipeline"}))
    return found


def written(permit: Permit, zone: ZoneInfo) -> dict[str, str]:
    """The fields of a permit as they are read: a form is filled and a CSV is written with these."""

    def clock(at: datetime) -> str:
        # an end of 18:00:30 stays one when its form is sent again
        local = at.astimezone(zone).replace(tzinfo=None)
        return local.isoformat(timespec="auto" if local.second or local.microsecond else "minutes")

    return {
        "number": permit.permit_number, "company": permit.company, "pipeline": permit.pipeline_id,
        "from": _plain(permit.from_m), "to": _plain(permit.to_m), "valid_from": clock(permit.valid_from),
        "valid_to": clock(permit.valid_to), "works": " ".join(permit.kinds), "hours": hours_text(permit.hours),
        "from_offset_m": "" if permit.from_offset_m is None else _plain(permit.from_offset_m),
        "to_offset_m": "" if permit.to_offset_m is None else _plain(permit.to_offset_m),
        "activities": " ".join(permit.activities),
        "machines": " ".join(f"{name}:{most}" for name, most in permit.machine_limits.items()),
        "machines_note": permit.machines, "phone": permit.phone, "email": permit.email,
        "holder": permit.holder or "", "file_sha256": permit.file_sha256 or "",
    }  # fmt: skip


def _plain(metres: float) -> str:
    """All digits, so that what is read back is the same number."""
    return f"{metres:.0f}" if metres.is_integer() else repr(metres)


def hours_text(hours: tuple[Hours, ...]) -> str:
    """Daily hours as they are written: 'mon-fri 08:00-18:00; sat 08:00-12:00'."""
    parts = []
    for one in hours:
        clock = f"{clock_text(one.from_min)}-{clock_text(one.to_min)}"
        first, last = WEEK.index(one.days[0]), WEEK.index(one.days[-1])
        if one.days == WEEK:
            parts.append(clock)
        elif one.days == WEEK[first : last + 1] and len(one.days) > 1:
            parts.append(f"{one.days[0]}-{one.days[-1]} {clock}")
        else:
            parts += [f"{day} {clock}" for day in one.days]
    return "; ".join(parts)


def read_end(text: str, zone: ZoneInfo) -> datetime | None:
    """The end of a prolongation as a form has it; None if it cannot be read."""
    try:
        return moment(text.strip(), zone, last=True)
    except Unreadable:
        return None


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text) or not text.isprintable():
        raise Unreadable("field_number", got=text)
    return text


def _email(text: str) -> str:
    if (
        not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", text)
        or len(text) > LONGEST_TEXT
        or not text.isprintable()
    ):
        raise Unreadable("field_email", got=text)
    return text


def _works(text: str) -> tuple[str, ...]:
    return _some_of(text, list(CATALOGUE))


def _activities(text: str) -> tuple[str, ...]:
    return _some_of(text, list(ACTIVITIES))


def _some_of(text: str, known: list[str]) -> tuple[str, ...]:
    """At least one: a comma alone names nothing, and a limit of nothing would limit nothing."""
    found = tuple(dict.fromkeys(one_of(one, known) for one in _SPLIT.split(text) if one))
    if not found:
        raise Unreadable("field_missing")
    return found


def _machines(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _SPLIT.split(text):
        name, _, most = part.partition(":")
        if (
            not _CLASS.fullmatch(name)
            or not most.isascii()
            or not most.isdecimal()
            or len(most) > 3
            or int(most) == 0
        ):
            raise Unreadable("field_machines", got=part)
        found[name] = int(most)
    return found


def _hours(text: str) -> tuple[Hours, ...]:
    found = []
    for part in re.split(r"[;；]", text.lower()):
        match = _HOURS.fullmatch(part.strip())
        if match is None:
            raise Unreadable("field_hours", got=part.strip())
        first, last = match[1] or "mon", match[2] or match[1] or "sun"
        try:
            days = WEEK[WEEK.index(first) : WEEK.index(last) + 1]
            found.append(Hours(days=days, from_min=clock_min(match[3]), to_min=clock_min(match[4])))
        except ValueError:
            raise Unreadable("field_hours", got=part.strip()) from None
    return tuple(found)


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text.lower()):
        raise Unreadable("field_sha256", got=text)
    return text.lower()

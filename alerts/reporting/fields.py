"""Reads a report from fields of text, as a form, the API and the command line bring them. Pure.

Nothing is guessed: what cannot be read is a fault that names the field, what is wrong and what to write. Who enters
it keeps what was typed. Times without a zone are the city's.
"""

import hashlib
import math
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

import msgspec

from alerts.reading import (
    LONGEST_TEXT,
    FieldFault,
    Unreadable,
    chainage,
    metres,
    moment,
    number,
    one_of,
    words,
)
from alerts.reporting.places import OffLine, Place, TooFar, at_camera, at_point, at_stake
from alerts.reporting.values import VIA_OF_ROLE, Caller, Report, Via
from alerts.values import Actor
from monitor.domain.assets import Camera, City, Pipeline
from monitor.domain.geometry import LocalFrame
from monitor.domain.violations import CATALOGUE, RULES, UNEXPLAINED, Activity

#: every field, in the order of the form
FIELDS: Final = (
    "via", "violation", "said", "observed_at", "lon", "lat", "pipeline", "stake", "offset_m", "side", "camera",
    "activity", "machine", "machines", "caller_name", "caller_phone",
)  # fmt: skip
REQUIRED: Final = frozenset({"violation", "said"})
ACTIVITIES: Final[tuple[Activity, ...]] = get_args(Activity)
SIDES: Final = ("left", "right")
#: in the detector's words, so that a permit's machines can be compared
MACHINES: Final = tuple(sorted(frozenset().union(*(rule.classes for rule in RULES)) - {UNEXPLAINED, "fire"}))
VIAS: Final = tuple(via.value for via in Via if via is not Via.DEVICE)
LONGEST_SAID: Final = 2000
MOST_MACHINES: Final = 99
#: a clock may be a little ahead; a report of something older is a slip in the date
AHEAD: Final = timedelta(minutes=5)
OLDEST: Final = timedelta(days=30)
#: without a key, the same words are a resend this long
SAME_WITHIN: Final = timedelta(minutes=10)
#: two places that are said of one report may differ by so much
APART_M: Final = 200.0


class ReadReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report with its caller, or all faults of its fields."""

    report: Report | None = None
    caller: Caller = Caller()
    faults: tuple[FieldFault, ...] = ()


def read_report(
    fields: Mapping[str, Any], city: City, actor: Actor, now: datetime, report_id: str, key: str = ""
) -> ReadReport:
    """The report, or all faults. Without a key the same words of the same person within ten minutes are one report."""
    given = {
        name: str(value).strip() for name, value in fields.items() if value is not None and str(value).strip()
    }
    faults = [FieldFault(field=name, key="field_unknown", facts={"known": ", ".join(FIELDS)})
              for name in given if name not in FIELDS]  # fmt: skip
    faults += [FieldFault(field=n, key="field_missing") for n in FIELDS if n in REQUIRED and n not in given]

    def read(name: str, how: Callable[[str], Any], default: Any) -> Any:
        if name not in given:
            return default
        try:
            return how(given[name])
        except Unreadable as bad:
            faults.append(FieldFault(field=name, key=bad.key, facts=bad.facts))
            return default

    zone = ZoneInfo(city.timezone)
    values = {
        # who reports from the field says so by their role
        "via": VIA_OF_ROLE.get(actor.role) or Via(read("via", lambda text: one_of(text, VIAS), Via.CALL)),
        "violation": read("violation", lambda text: one_of(text, tuple(CATALOGUE)), ""),
        "activity": read("activity", lambda text: one_of(text, ACTIVITIES), ""),
        "object_class": read("machine", lambda text: one_of(text, MACHINES), ""),
        "machines": read("machines", _count, 1),
        "said": read("said", _said, ""),
        "observed_at": read("observed_at", lambda text: _observed(text, zone, now), now),
    }  # fmt: skip
    caller = Caller(
        name=read("caller_name", words, ""),
        phone=read("caller_phone", _phone, ""),
        salt=secrets.token_hex(16),
    )
    place = _place(given, read, city, faults)
    if place is not None and not _covers(actor, place.site_id, city):
        faults.append(FieldFault(field="place", key="report_not_your_site", facts={"site": place.site_id}))
    if faults or place is None:
        return ReadReport(faults=tuple(faults))
    camera = next((c for c in city.cameras if c.camera_id == place.camera_id), None)
    report = Report(
        report_id=report_id, idempotency_key=key or _content_key(given, actor, now), received_at=now,
        fields_sha256=_fields_sha256(given),
        footage=camera.footage if camera else "real",
        entered_by=actor.user, role=actor.role, team_id=actor.team_id, caller_sha256=_commitment(caller),
        **values, **msgspec.structs.asdict(place),
    )  # fmt: skip
    return ReadReport(report=report, caller=caller)


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of the place."""

    lon: float | None
    lat: float | None
    pipeline: Pipeline | None
    stake_m: float | None
    offset_m: float | None
    side: str
    camera: Camera | None


def _place(
    given: Mapping[str, str], read: Callable[[str, Callable[[str], Any], Any], Any], city: City, faults: list[FieldFault]
) -> Place | None:  # fmt: skip
    """The place by the best way that was given: a point, a stake number, a camera. None with a fault."""
    before = len(faults)
    pipelines = {one.pipeline_id: one for one in city.pipelines}
    cameras = {one.camera_id: one for one in city.cameras}
    said = _Said(
        lon=read("lon", lambda text: _degrees(text, 180), None),
        lat=read("lat", lambda text: _degrees(text, 90), None),
        pipeline=read("pipeline", lambda text: pipelines[one_of(text, tuple(pipelines))], None),
        stake_m=read("stake", chainage, None),
        offset_m=read("offset_m", metres, None),
        side=read("side", lambda text: one_of(text, SIDES), ""),
        camera=read("camera", lambda text: cameras[one_of(text, tuple(cameras))], None),
    )
    faults += _half_said(given, said, len(pipelines))
    if len(faults) > before:
        return None
    if said.pipeline is None and len(pipelines) == 1:
        said = msgspec.structs.replace(said, pipeline=next(iter(pipelines.values())))
    try:
        return _found(said, city)
    except OffLine as exc:
        facts = {"begin": f"{exc.begin_m:.0f}", "end": f"{exc.end_m:.0f}"}
        faults.append(FieldFault(field="stake", key="field_off_line", facts=facts))
    except TooFar as exc:
        faults.append(_fault("place", "report_too_far", distance=f"{exc.distance_m:.0f}"))
    except _TwoPlaces as exc:
        faults.append(_fault("stake", "report_two_places", distance=f"{exc.apart_m:.0f}"))
    return None


def _half_said(given: Mapping[str, str], said: _Said, pipelines: int) -> list[FieldFault]:
    """What is missing for a place."""
    found = []
    if ("lon" in given) != ("lat" in given):
        found.append(_fault("lat" if "lon" in given else "lon", "report_half_point"))
    if said.stake_m is not None and "pipeline" not in given and pipelines > 1:
        found.append(_fault("pipeline", "report_which_pipeline"))
    if said.offset_m and not said.side:
        found.append(_fault("side", "report_which_side"))
    if said.offset_m is not None and said.offset_m < 0:
        found.append(_fault("offset_m", "report_offset_negative"))
    if not {"lon", "lat", "stake", "camera"} & given.keys():
        found.append(_fault("place", "report_no_place"))
    return found


def _found(said: _Said, city: City) -> Place:
    """The place, by the first of point, stake and camera; OffLine, TooFar, _TwoPlaces."""
    offset_m = said.offset_m
    if offset_m is not None and said.side == "left":
        offset_m = -offset_m
    stake = point = None
    if said.stake_m is not None and said.pipeline is not None:
        stake = at_stake(said.pipeline, said.stake_m, offset_m, city)
    if said.lon is not None and said.lat is not None:
        point = at_point((said.lon, said.lat), city)
    if point and stake and (apart_m := _apart_m(point, stake)) > APART_M:
        raise _TwoPlaces(apart_m)
    found = point or stake
    if found is None:
        assert said.camera is not None, "a place was said"
        return at_camera(said.camera)
    return msgspec.structs.replace(found, camera_id=said.camera.camera_id) if said.camera else found


class _TwoPlaces(Exception):
    def __init__(self, apart_m: float) -> None:
        super().__init__(f"{apart_m:.0f} m")
        self.apart_m = apart_m


def _fault(field: str, key: str, **facts: str) -> FieldFault:
    return FieldFault(field=field, key=key, facts=facts)


def _apart_m(one: Place, other: Place) -> float:
    here, there = (one.lon or 0.0, one.lat or 0.0), (other.lon or 0.0, other.lat or 0.0)
    return math.hypot(*LocalFrame(here).to_en_m(there))


def _covers(actor: Actor, site_id: str, city: City) -> bool:
    """Whether the site is the actor's to report on: the field its own team's, the room all."""
    if actor.role not in VIA_OF_ROLE:
        return True
    team = city.team(actor.team_id or "")
    return team is not None and (not team.sites or site_id in team.sites)


def _observed(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    at = moment(text, zone)
    if at > now + AHEAD:
        raise Unreadable("report_in_future", got=text)
    if at < now - OLDEST:
        raise Unreadable("report_too_old", days=OLDEST.days)
    return min(at, now)


def _said(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if len(text) > LONGEST_SAID or any(not (c.isprintable() or c in "\n\t") for c in text):
        raise Unreadable("report_said", most=LONGEST_SAID)
    return text


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", text) or int(text) == 0:
        raise Unreadable("report_count", got=text[:LONGEST_TEXT], most=MOST_MACHINES)
    return int(text)


def _phone(text: str) -> str:
    if not re.fullmatch(r"[0-9+()/. -]{3,40}", text):
        raise Unreadable("report_phone", got=text[:LONGEST_TEXT])
    return text


def _degrees(text: str, most: float) -> float:
    return number(text, most, "report_degrees")


def _content_key(given: Mapping[str, str], actor: Actor, now: datetime) -> str:
    # the same act may come again and be told in the same words: only a resend is the same report
    while_ago = int(now.timestamp() // SAME_WITHIN.total_seconds())
    parts = "\n".join(f"{name}={given[name]}" for name in sorted(given))
    return hashlib.sha256(f"{actor.user}\n{while_ago}\n{parts}".encode()).hexdigest()


def _fields_sha256(given: Mapping[str, str]) -> str:
    # without the caller: a number is found by trying them all, and the audit log has this hash
    said = sorted((name, text) for name, text in given.items() if name not in ("caller_name", "caller_phone"))
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def _commitment(caller: Caller) -> str:
    if not caller:
        return ""
    return hashlib.sha256(f"{caller.salt}\n{caller.name}\n{caller.phone}".encode()).hexdigest()

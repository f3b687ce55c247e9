"""What somebody typed becomes a report, or is told what is wrong and where. Never anything in between."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.reporting import texts
from alerts.reporting.fields import FIELDS, VIAS, read_report
from alerts.reporting.values import Via
from alerts.values import Actor
from monitor.domain.roles import Role
from monitor.domain.violations import CATALOGUE
from tests.doubles import reports
from tests.doubles.alert_story import CITY, NOON, officer
from tests.doubles.web_town import CITY as TOWN

ROOM = reports.ROOM


def faults(city: Any = CITY, actor: Actor = ROOM, **changes: Any) -> dict[str, str]:
    given_ = {**reports.FIELDS, **changes}
    read = read_report(given_, city, actor, NOON, str(uuid.uuid4()))
    assert (read.report is None) == bool(read.faults)
    return {fault.field: fault.key for fault in read.faults}


@pytest.mark.parametrize(
    ("changes", "field", "key"),
    [
        ({"violation": ""}, "violation", "field_missing"),
        ({"violation": "digging"}, "violation", "field_one_of"),
        ({"said": " "}, "said", "field_missing"),
        ({"said": "x" * 2001}, "said", "report_said"),
        ({"said": "a\x00b"}, "said", "report_said"),
        ({"stake": None}, "place", "report_no_place"),
        ({"stake": "K9500"}, "stake", "field_chainage"),
        ({"stake": "K99+000"}, "stake", "field_off_line"),
        ({"pipeline": "p9"}, "pipeline", "field_one_of"),
        ({"side": ""}, "side", "report_which_side"),
        ({"offset_m": "-3"}, "offset_m", "report_offset_negative"),
        ({"offset_m": "nan"}, "offset_m", "field_metres"),
        ({"stake": None, "lon": "121.5"}, "lat", "report_half_point"),
        ({"stake": None, "lon": "east", "lat": "31"}, "lon", "report_degrees"),
        ({"stake": None, "lon": "121.5", "lat": "31.3"}, "place", "report_too_far"),
        ({"lon": "121.51", "lat": "31.2"}, "stake", "report_two_places"),
        ({"camera": "c9"}, "camera", "field_one_of"),
        ({"observed_at": "yesterday"}, "observed_at", "field_time"),
        ({"observed_at": "2026-11-24 14:06"}, "observed_at", "report_in_future"),
        ({"observed_at": "2026-10-01"}, "observed_at", "report_too_old"),
        ({"machines": "0"}, "machines", "report_count"),
        ({"machines": "100"}, "machines", "report_count"),
        ({"machine": "ufo"}, "machine", "field_one_of"),
        ({"activity": "sleeping"}, "activity", "field_one_of"),
        ({"via": "device"}, "via", "field_one_of"),
        ({"caller_phone": "call me"}, "caller_phone", "report_phone"),
        ({"caller_name": "a\nb"}, "caller_name", "field_words"),
        ({"colour": "red"}, "colour", "field_unknown"),
    ],
)
def test_a_fault_names_its_field(changes: dict[str, Any], field: str, key: str) -> None:
    """One slip, one fault, at its field, in both languages."""
    assert faults(**changes) == {field: key}
    read = read_report({**reports.FIELDS, **changes}, CITY, ROOM, NOON, str(uuid.uuid4()))
    for language in ("en", "zh"):
        assert "{" not in texts.fault_text(read.faults[0], language)


def test_which_pipeline_is_asked_only_where_there_are_several() -> None:
    """A city with one line needs no choice."""
    assert faults(pipeline=None) == {}
    assert faults(TOWN, pipeline=None, stake="K5+000") == {"pipeline": "report_which_pipeline"}


def test_a_stake_becomes_a_place_on_its_side() -> None:
    """3 m left of K9+500 is negative, and lies where a camera would put it."""
    one, _ = reports.report()
    assert (one.chainage_m, one.offset_m, one.site_id, one.accuracy_m) == (9500.0, -3.0, "s1", 20.0)
    assert one.lat == pytest.approx(31.2 + 3 / 110_900, abs=1e-6)


def test_without_a_distance_the_side_stays_open() -> None:
    """Nobody knows the offset: it is not taken for zero."""
    one, _ = reports.report(offset_m=None, side=None)
    assert (one.offset_m, one.accuracy_m) == (None, 50.0)


def test_a_click_finds_line_chainage_and_site() -> None:
    """The point's own place beside the nearest line; outside every HCA it says how far."""
    one, _ = reports.report(stake=None, offset_m=None, side=None, pipeline=None, lon="121.5", lat="31.2001")
    assert one.pipeline_id == "p1"
    assert one.offset_m == pytest.approx(-11.1, abs=0.2)
    assert one.beyond_m is None
    outside, _ = reports.report(city=TOWN, stake="K7+000", pipeline="a")
    assert (outside.site_id, outside.beyond_m) == ("s1", 800.0)


def test_a_camera_alone_is_a_site_without_a_place() -> None:
    """Nothing is put on the ground that nobody measured; the camera's footage is what it is."""
    one, _ = reports.report(stake=None, offset_m=None, side=None, camera="c2")
    assert (one.site_id, one.camera_id, one.lon, one.footage) == ("s2", "c2", None, "simulated")


def test_the_field_reports_its_own_sites_and_is_taken_at_its_word() -> None:
    """Who stands there confirms; who belongs elsewhere calls the room."""
    one, _ = reports.report(officer("ann"), via="call")
    assert one.via is Via.OFFICER
    assert faults(actor=officer("ann"), stake=None, offset_m=None, side=None, camera="c2") == {
        "place": "report_not_your_site"
    }
    nobodys = Actor(user="x", role=Role.PATROL, team_id=None)
    assert faults(actor=nobodys) == {"place": "report_not_your_site"}


def test_a_resend_is_the_same_report_and_a_new_act_is_not() -> None:
    """Without a key: the same words within minutes are one report, a week later they are another."""

    def key(**more: Any) -> str:
        read = read_report(
            reports.FIELDS, CITY, more.get("actor", ROOM), more.get("now", NOON), str(uuid.uuid4())
        )
        assert read.report is not None
        return read.report.idempotency_key

    assert key() == key(now=NOON + timedelta(minutes=5))
    assert key() != key(now=NOON + timedelta(days=7))
    assert key() != key(actor=Actor(user="other", role=Role.OPERATOR))


def test_the_caller_is_nowhere_in_the_report() -> None:
    """Only a salted hash is: two reports of one caller do not show that they are."""
    one, caller = reports.report()
    other, _ = reports.report()
    assert (caller.name, caller.phone) == ("Wang", "+86 138 0000 0000")
    said = msgspec.json.encode(one).decode()
    assert "Wang" not in said
    assert "0000 0000" not in said
    assert one.caller_sha256 != other.caller_sha256
    assert reports.report(caller_name=None, caller_phone=None)[0].caller_sha256 == ""


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "colour"]), st.text(max_size=40) | st.floats() | st.integers(), max_size=16
    )
)
def test_whatever_is_typed_is_read_or_refused(fields: dict[str, Any]) -> None:
    """Nothing that a person can send ends in a crash, and every fault has its words."""
    read = read_report(fields, TOWN, ROOM, NOON, str(uuid.uuid4()))
    assert (read.report is None) == bool(read.faults)
    for fault in read.faults:
        assert texts.fault_text(fault, "en") != texts.fault_text(fault, "zh")


def test_every_row_of_the_catalogue_can_be_reported() -> None:
    """Also what no camera sees."""
    for code in CATALOGUE:
        assert reports.report(violation=code)[0].violation == code


def test_everything_has_words_in_both_languages() -> None:
    """Fields, sources, problems."""
    assert set(texts.FIELDS) >= {*FIELDS, "place", "photos"}
    assert set(texts.VIAS) == {*VIAS, "device"}
    for catalogue in (texts.FIELDS, texts.VIAS, texts.PROBLEMS):
        assert all(set(text) == {"en", "zh"} and all(text.values()) for text in catalogue.values())

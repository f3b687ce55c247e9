"""The configuration that the centre publishes: taken whole or refused with reasons, whatever arrives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.configuration import Own, judge, localised, of_file, own_of
from edge.configuring import Configuring
from edge.kept import NAME as KEPT
from edge.worker import EdgeSettings, jobs_of
from hcawatch.config.answers import lines_of
from hcawatch.config.versions import EdgeAnswer
from monitor.domain.answers import REASONS, sentence
from monitor.domain.assets import City, PictureZone
from monitor.domain.edge_config import MAX_CONFIG_BYTES, EdgeConfiguration, configuration_of
from monitor.domain.hours import Hours, Schedule
from monitor.domain.rulebook import RuleNumbers, RuleSetting
from tests.doubles.edge_things import NOON, Pinhole, city

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SQUARE = ((10.0, 10.0), (90.0, 10.0), (90.0, 90.0), (10.0, 90.0))
CAMERA = Pinhole().camera(
    zones=(PictureZone(zone_id="valve", kind="valve", polygon_px=SQUARE),), credential="gate",
    rules=(RuleSetting(rule_id="works-50m", reason="far bank", numbers=RuleNumbers(enter_score=0.6)),),
)  # fmt: skip
TOWN = msgspec.structs.replace(
    city(CAMERA), schedules=(Schedule(schedule_id="school", hours=(Hours(from_min=450, to_min=495),)),)
)
OWN = own_of(TOWN, "edge-1", ["gate"], Path("/srv/edge"))
FILE = of_file(TOWN, "edge-1", "own")


def published(number: int = 7, town: City = TOWN, **changes: Any) -> EdgeConfiguration:
    made = configuration_of(town, "edge-1", number=number, since=SINCE, config_version=f"v{number}")
    return msgspec.structs.replace(made, **changes)


def said(
    payload: bytes | EdgeConfiguration, force: EdgeConfiguration = FILE, own: Own = OWN
) -> tuple[bool, set[str]]:
    """Whether it was taken, and the codes with their places."""
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    taken, answer = judge(raw, own, force, NOON)
    assert (taken is not None) is (answer.taken and force.number != answer.number)
    for reason in answer.reasons:
        for language in ("en", "zh"):
            assert "?" not in sentence(reason, language).replace("??", ""), reason
    return answer.taken, {f"{reason.code} {reason.path}".strip() for reason in answer.reasons}


def camera(**changes: Any) -> EdgeConfiguration:
    return published(cameras=(msgspec.structs.replace(CAMERA, **changes),))


def zone(**changes: Any) -> EdgeConfiguration:
    made = msgspec.structs.replace(PictureZone(zone_id="z", kind="on_pipe", polygon_px=SQUARE), **changes)
    return camera(zones=(made,))


def setting(**changes: Any) -> EdgeConfiguration:
    return camera(rules=(RuleSetting(**{"rule_id": "dig-5m", "reason": "r", **changes}),))


def test_a_right_configuration_is_taken_and_the_same_once_more_changes_nothing() -> None:
    """What arrives again after a reconnection is not news."""
    taken, answer = judge(msgspec.json.encode(published()), OWN, FILE, NOON)
    assert taken is not None
    assert (answer.number, answer.config_version, answer.taken) == (7, "v7", True)
    again, answer = judge(msgspec.json.encode(published()), OWN, taken, NOON)
    assert again is None
    assert answer.taken


def test_an_older_version_undoes_nothing_but_another_database_counts_anew() -> None:
    """Numbers are compared within one database; a new one's first version is newer than an old one's hundredth."""
    force = localised(published(100), OWN)
    assert said(published(99), force) == (False, {"older"})
    assert said(published(1, since=SINCE + timedelta(days=1)), force) == (True, set())
    assert said(published(200, since=SINCE - timedelta(days=1)), force) == (False, {"another_database"})
    assert said(published(100, timezone="Asia/Tokyo"), force) == (False, {"same_number"})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"x" * (MAX_CONFIG_BYTES + 1), "too_large"),
        (b"", "unreadable"),
        (b"\xff\xfe garbage", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (msgspec.json.encode(published())[:-20], "unreadable"),
        (msgspec.json.encode(published()).replace(b'"number":7', b'"number":0'), "unreadable"),
        (msgspec.json.encode(published()).replace(b"+00:00", b"").replace(b'00Z"', b'00"'), "unreadable"),
        (published(edge_id="edge-2"), "another_edge"),
        (published(timezone="Asia/Ningbo"), "timezone_unknown city.timezone"),
        (published(timezone="../../etc/passwd"), "timezone_unknown city.timezone"),
        (published(cameras=(CAMERA, CAMERA)), "id_twice cameras"),
        (camera(camera_id="a/b"), "id_unsafe cameras"),
        (camera(edge_id="edge-2"), "another_edge cameras[cam-1].edge"),
        (published(model="../../etc/passwd"), "model_unnamed edges[edge-1].model"),
        (published(hcas=()), "unknown_site cameras[cam-1].site"),
        (published(pipelines=()), "unknown_pipeline hcas[hca-1].pipeline"),
        (published(pipelines=(msgspec.structs.replace(TOWN.pipelines[0], centreline=((0, 0),)),)),
         "centreline_bad pipelines[p-1].centreline"),
        (camera(looks_per_s=0.0), "number_range cameras[cam-1].looks_per_s"),
        (camera(looks_per_s=0.4), "number_range cameras[cam-1].looks_per_s"),
        (camera(min_score=0.9), "number_range cameras[cam-1].min_score"),
        (camera(frame_size_px=(0, 720)), "number_range cameras[cam-1].frame_size_px"),
        (camera(credential="other"), "credential_unknown cameras[cam-1].credential"),
        (camera(source="rtsp://10.0.0.1/x"), "source_not_allowed cameras[cam-1].source"),
        (camera(source="rtsp:///x"), "source_not_allowed cameras[cam-1].source"),
        (camera(source="/etc/shadow"), "source_not_allowed cameras[cam-1].source"),
        (camera(source="clips/../../../etc/shadow"), "source_not_allowed cameras[cam-1].source"),
        (camera(source="webcam:0"), "source_not_allowed cameras[cam-1].source"),
        (camera(source="stills:inbox"), "source_not_allowed cameras[cam-1].source"),
        (camera(substream="rtsp://10.0.0.1/x"), "source_not_allowed cameras[cam-1].substream"),
        (camera(substream="/etc/shadow"), "source_not_allowed cameras[cam-1].substream"),
        (camera(substream="clips/a.mp4"), "source_not_allowed cameras[cam-1].substream"),
        (camera(substream="webcam:0"), "source_not_allowed cameras[cam-1].substream"),
        (camera(ground_points=CAMERA.ground_points[:3]), "survey_bad cameras[cam-1].ground_points"),
        (zone(polygon_px=SQUARE[:2]), "polygon_bad cameras[cam-1].zones[z].polygon_px"),
        (zone(polygon_px=(SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3])), "polygon_bad cameras[cam-1].zones[z].polygon_px"),
        (zone(polygon_px=(SQUARE[0], SQUARE[1], SQUARE[0])), "polygon_bad cameras[cam-1].zones[z].polygon_px"),
        (zone(within="night"), "zone_must_stay_on cameras[cam-1].zones[z].within"),
        (zone(kind="valve", outside="school"), "zone_must_stay_on cameras[cam-1].zones[z].outside"),
        (zone(kind="marker", within="market"), "schedule_unknown cameras[cam-1].zones[z].within"),
        (setting(rule_id="dig-9m"), "rule_unknown cameras[cam-1].rules[dig-9m].rule"),
        (setting(on=False), "rule_must_stay_on cameras[cam-1].rules[dig-5m].on"),
        (setting(numbers=RuleNumbers(enter_score=0.99)), "rule_would_silence cameras[cam-1].rules[dig-5m].enter_score"),
        (setting(night=RuleNumbers(dwell_s=3600)), "rule_would_silence cameras[cam-1].rules[dig-5m].night.dwell_s"),
        (published(rules=(RuleSetting(rule_id="dig-5m", reason=" "),)),
         "rule_without_reason edges[edge-1].rules[dig-5m].reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_place_and_reason(
    payload: bytes | EdgeConfiguration, expected: str
) -> None:
    """Nothing is taken in part; each reason has words in both languages."""
    taken, reasons = said(payload)
    assert not taken
    assert expected in reasons


def test_every_reason_is_tried_or_is_none_of_the_judges() -> None:
    """A reason without a test would rot unseen; 'not_kept' is of the disk."""
    marks = test_what_is_wrong_is_refused_with_place_and_reason.pytestmark[0].args[1]  # type: ignore[attr-defined]
    tried = {expected.split()[0] for _, expected in marks} | {
        "older",
        "another_database",
        "same_number",
        "not_kept",
    }
    assert set(REASONS) <= tried


def test_files_beside_the_own_one_may_be_opened_and_are_found_there() -> None:
    """A path is relative to the folder of the edge's own configuration, as it is in the file."""
    taken, _ = judge(msgspec.json.encode(camera(source="clips/a.mp4")), OWN, FILE, NOON)
    assert taken is not None
    assert taken.cameras[0].source == "/srv/edge/clips/a.mp4"


def test_a_file_elsewhere_that_the_own_file_names_may_be_opened_however_it_is_written() -> None:
    """`../clips/a.mp4` of the document is the path that the edge made of it when it read its own file."""
    own = msgspec.structs.replace(OWN, sources=frozenset({"/srv/clips/a.mp4"}))
    assert said(camera(source="../clips/a.mp4"), own=own) == (True, set())
    assert not said(camera(source="../clips/b.mp4"), own=own)[0]


def test_what_is_in_force_already_is_not_asked_again() -> None:
    """A camera that runs with a source outside of the networks (told as blocked) may still get another threshold."""
    odd = msgspec.structs.replace(CAMERA, source="rtsp://10.0.0.1/x", credential="none")
    force = localised(published(6, cameras=(odd,)), OWN)
    changed = msgspec.structs.replace(odd, rules=())
    assert said(published(7, cameras=(changed,)), force) == (True, set())


def test_fields_of_a_newer_centre_pass() -> None:
    """As in every message: what this edge does not know does it no harm."""
    raw = json.loads(msgspec.json.encode(published()))
    raw["cameras"][0]["new_thing"] = {"a": 1}
    raw["another"] = [1, 2]
    assert said(json.dumps(raw).encode()) == (True, set())


PLACES = [(), ("cameras",), ("cameras", 0), ("cameras", 0, "zones"), ("cameras", 0, "zones", 0, "polygon_px"),
          ("cameras", 0, "rules", 0, "numbers"), ("cameras", 0, "ground_points", 0), ("hcas", 0), ("pipelines", 0),
          ("schedules", 0, "hours", 0), ("cameras", 0, "source"), ("since",), ("number",), ("timezone",), ("cameras", 0, "mast")]  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), value=ANY, cut=st.integers(0, 3000), key=st.booleans())
def test_whatever_arrives_is_answered(place: tuple[Any, ...], value: Any, cut: int, key: bool) -> None:
    """Half messages, values of any kind anywhere: an answer each time, never an exception, and what is taken can run."""
    raw: Any = json.loads(msgspec.json.encode(published()))
    at: Any = {"root": raw}
    for step in ("root", *place)[:-1]:
        at = at[step]
    last = ("root", *place)[-1]
    if key and isinstance(at[last], dict):
        at[last] = {**at[last], **(value if isinstance(value, dict) else {"x": value})}
    else:
        at[last] = value
    payload = json.dumps(at["root"] if not place else raw).encode()
    for message in (payload, payload[:cut]):
        taken, answer = judge(message, OWN, FILE, NOON)
        assert len(msgspec.json.encode(answer)) < 40_000
        if taken is not None:
            machine = EdgeSettings(
                data_dir=Path("/d"), mqtt_host="h", mqtt_port=1, centre_url="http://h", edge_token="t"
            )
            assert len(jobs_of(taken, OWN.networks, machine)) == len(taken.cameras)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_answered(payload: bytes) -> None:
    """Bytes of any kind."""
    assert judge(payload, OWN, FILE, NOON)[0] is None


def configuring(folder: Path, sha256: str = "f1") -> Configuring:
    return Configuring(OWN, FILE, data_dir=folder, file_sha256=sha256, now=lambda: NOON)


def test_what_was_taken_is_kept_over_a_restart_and_an_edited_own_file_counts_again(tmp_path: Path) -> None:
    """Without the centre an edge goes on with what it has; a person who edits its file means it."""
    first = configuring(tmp_path)
    assert (first.number, first.take(), first.answer) == (None, None, None)
    first.hear(msgspec.json.encode(published(7)))
    assert first.take() is True
    second = configuring(tmp_path)
    assert second.force == first.force
    assert second.number == 7
    assert second.answer is not None
    assert second.answer.taken
    assert configuring(tmp_path, "f2").number is None
    (tmp_path / KEPT).write_bytes(b'{"half')
    assert configuring(tmp_path).number is None


def test_a_late_or_bad_message_leaves_what_is_in_force(tmp_path: Path) -> None:
    """The older one changes not even the answer; the bad one is answered with its reasons."""
    one = configuring(tmp_path)
    one.hear(msgspec.json.encode(published(7)))
    one.take()
    answer = one.answer
    one.hear(msgspec.json.encode(published(6)))
    one.hear(b"")  # somebody took the retained message away
    assert one.take() is False
    assert one.answer == answer
    one.hear(msgspec.json.encode(msgspec.structs.replace(setting(on=False), number=8)))
    assert one.take() is False
    assert one.number == 7
    assert one.answer is not None
    assert (one.answer.number, one.answer.taken, one.answer.reasons[0].code) == (
        8,
        False,
        "rule_must_stay_on",
    )
    assert configuring(tmp_path).number == 7


def test_an_edge_that_was_moved_to_an_older_centre_says_so_and_what_to_do(tmp_path: Path) -> None:
    """Its numbers come from a younger database: in silence it would go on with the old centre's zones for ever. With
    what it kept deleted, as it says, it takes the new centre's version."""
    one = configuring(tmp_path)
    one.hear(msgspec.json.encode(published(7)))
    one.take()
    retained = msgspec.json.encode(published(3, since=SINCE - timedelta(days=90)))
    one.hear(retained)
    assert one.take() is False
    assert one.answer is not None
    assert (one.number, one.answer.number, one.answer.taken) == (7, 3, False)
    (reason,) = one.answer.reasons
    assert "`configuration.json`" in sentence(reason, "en")
    again = configuring(tmp_path)  # a restart alone changes nothing, and doesn't hide it
    again.hear(retained)
    assert again.take() is False
    assert again.answer == one.answer
    told = EdgeAnswer(edge_id="edge-1", online=True, config_version="v7", config_number=7, answer=one.answer)
    for newest, language, word in ((3, "en", "another centre's database"), (7, "zh", "另一个中心的数据库")):
        first, *_ = lines_of((told,), newest, language)
        assert word in first
    (tmp_path / KEPT).unlink()
    moved = configuring(tmp_path)
    moved.hear(retained)
    assert moved.take() is True
    assert moved.number == 3


def test_a_full_disk_keeps_nobody_from_the_new_numbers(tmp_path: Path) -> None:
    """In force at once, and the answer says that a restart would go back."""
    one = configuring(tmp_path / "gone")
    one.hear(msgspec.json.encode(published(7)))
    assert one.take() is True
    assert one.answer is not None
    assert [r.code for r in one.answer.reasons] == ["not_kept"]

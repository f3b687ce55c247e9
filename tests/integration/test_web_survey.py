"""Registering a camera through the web: tried, saved as the next configuration, refused by name, looked at.

Real PostgreSQL and the configuration's real versions; the picture is a drawn one, the points are the renderer's.
"""

import copy
import io
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from hcawatch.config import versions
from hcawatch.config.checks.look import Surroundings
from hcawatch.config.load import from_document
from hcawatch.config.surveys import ConfigSurveys
from hcawatch.demo.setting import FIELD, PATH
from monitor.audit.entries import read as read_entry
from monitor.domain.events import sha256_hex
from monitor.domain.geometry import LocalFrame
from monitor.domain.ground.fix import CameraGround, GroundFix
from monitor.web.copies import Copies
from tests.doubles.survey_town import SurveyTown, survey_town
from tests.doubles.web_town import PASSWORD, picture

API = f"/api/v1/cameras/{FIELD}/survey"
SIX = (0, 2, 9, 10, 5, 8)


@pytest.fixture
def place(postgres_dsn: str, tmp_path: Path) -> Iterator[SurveyTown]:
    with survey_town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def client(place: SurveyTown) -> Iterator[TestClient]:
    with TestClient(place.app(), follow_redirects=False) as one:
        yield one


def as_(client: TestClient, user: str, language: str = "en") -> dict[str, str]:
    answer = client.post("/api/v1/login", json={"user": user, "password": PASSWORD})
    client.cookies.clear()
    return {"authorization": f"Bearer {answer.json()['token']}", "accept-language": language}


def form(place: SurveyTown, *which: int, **changes: Any) -> dict[str, Any]:
    """The form with the renderer's points, as the page sends it."""
    points = [
        {"x": place.surveyed[i]["pixel"][0], "y": place.surveyed[i]["pixel"][1],
         "lonlat": "{}, {}".format(*place.surveyed[i]["lonlat"])}
        for i in which
    ]  # fmt: skip
    return {"width": 1280, "height": 720, "sigma_m": 0.1, "points": points, **changes}


def test_trying_tells_what_the_points_are_worth_and_changes_nothing(
    place: SurveyTown, client: TestClient
) -> None:
    """Residuals, stated errors, metres seen, bands, and the YAML; a point without a place is waited for."""
    sent = form(place, *SIX)
    sent["points"].append({"x": 400.0, "y": 500.0, "lonlat": ""})
    told = client.post(f"{API}/trial", json=sent, headers=as_(client, "admin")).json()
    assert told["refused"] is None
    assert [point["place"] is not None for point in told["points"]] == [True] * 6 + [False]
    assert told["points"][6]["fault"] == "Its place is still missing."
    assert all(point["off_m"] < 0.1 for point in told["points"][:6])
    assert [sure["distance_m"] for sure in told["sure"]][:2] == [25.0, 50.0]
    assert told["seen_m"] == pytest.approx(35, abs=2)
    assert {(line["band_m"], line["side"]) for line in told["lines"]} >= {
        (0.0, "on"),
        (5.0, "left"),
        (5.0, "right"),
    }
    assert told["yaml"].count("pixel:") == 6
    with versions.connect(place.dsn) as conn:
        assert len(versions.history(conn)) == 1


def test_a_chainage_and_an_offset_are_a_place(place: SurveyTown, client: TestClient) -> None:
    """What the server says of a place by longitude and latitude gives the same place by chainage."""
    me = as_(client, "supervisor")
    told = client.post(f"{API}/trial", json=form(place, *SIX), headers=me).json()
    along = form(place, *SIX)
    for point, answer in zip(along["points"], told["points"], strict=True):
        known = answer["place"]
        point.update(lonlat="", chainage=known["chainage"], offset=known["offset"], side=known["side"])
    again = client.post(f"{API}/trial", json=along, headers=me).json()
    for before, after in zip(told["points"], again["points"], strict=True):
        lon, lat = map(float, before["place"]["lonlat"].split(","))
        assert tuple(map(float, after["place"]["lonlat"].split(","))) == pytest.approx((lon, lat), abs=2e-7)


def test_a_chainage_is_one_of_the_newest_version_not_of_the_centres_start(
    place: SurveyTown, client: TestClient
) -> None:
    """The line's kilometre posts were corrected since the centre began: a point that is saved by the old ones would
    lie a kilometre off, and so would every distance of that camera."""
    me = as_(client, "admin")
    known = client.post(f"{API}/trial", json=form(place, *SIX), headers=me).json()["points"][0]["place"]

    def lonlat(further_m: float) -> list[float]:
        sent = form(place, *SIX)
        chainage = f"{float(known['chainage']) + further_m:.2f}"
        sent["points"][0].update(lonlat="", chainage=chainage, offset=known["offset"], side=known["side"])
        told = client.post(f"{API}/trial", json=sent, headers=me).json()["points"][0]
        return [float(part) for part in told["place"]["lonlat"].split(",")]

    before = client.get(API, headers=me).json()["number"]
    at_start = lonlat(0.0)
    with versions.connect(place.dsn) as conn:
        body = copy.deepcopy(versions.read(conn).body)
        for pipeline in body["pipelines"]:
            pipeline["origin_chainage_m"] = pipeline.get("origin_chainage_m", 0.0) + 1000.0
        for hca in body["hcas"]:
            hca["from_m"], hca["to_m"] = hca["from_m"] + 1000.0, hca["to_m"] + 1000.0
        for permit in body.get("permits", []):
            permit["from_m"], permit["to_m"] = permit["from_m"] + 1000.0, permit["to_m"] + 1000.0
        around = Surroundings(folder=place.path.parent, env={}, now=place.here.now, part="nobody")
        report = from_document(body, path=place.path, around=around)
        assert report.config is not None, report.errors
        versions.apply(conn, report.config, author="li", reason="posts", now=place.here.now)
    assert client.get(API, headers=me).json()["number"] == before + 1
    assert lonlat(1000.0) == pytest.approx(at_start, abs=2e-7)


def test_saving_writes_the_next_version_with_author_reason_and_entry(
    place: SurveyTown, client: TestClient
) -> None:
    """Only that camera's survey changes; it has a calibration version of its own; the page shows it at once."""
    me = as_(client, "supervisor")
    before = client.get(API, headers=me).json()
    assert (before["number"], before["calibration_version"]) == (1, "none")
    sent = form(place, *SIX, reason=" new mast, GNSS ", seen=1)
    saved = client.put(API, json=sent, headers=me)
    assert saved.status_code == 200, saved.text
    assert saved.json()["number"] == 2
    with versions.connect(place.dsn) as conn:
        now, first = versions.history(conn)
        entries = [
            read_entry(bytes(r["body"]))
            for r in conn.execute("SELECT body FROM audit_entry ORDER BY entry_id")
        ]
    assert (now.author, now.reason) == ("supervisor", "new mast, GNSS")
    changed = {key for key in now.body if now.body[key] != first.body[key]}
    assert changed == {"cameras"}
    others = [[c for c in version.body["cameras"] if c["id"] != FIELD] for version in (now, first)]
    assert others[0] == others[1]
    entry = [e for e in entries if e.kind == "config.applied"][-1]
    assert (entry.actor, entry.subject) == ("supervisor", "config:2")
    assert any("cameras[cam-field].ground_points" in change for change in entry.body["changes"])
    after = client.get(API, headers=me).json()
    assert after["calibration_version"] == saved.json()["calibration_version"] != "none"
    assert len(after["points"]) == 6
    assert after["trial"]["refused"] is None


def test_nobody_saves_over_what_they_have_not_seen(place: SurveyTown, client: TestClient) -> None:
    """Two people survey the same camera; the second is told to look again, and nothing is lost."""
    me = as_(client, "admin")
    assert client.put(API, json=form(place, *SIX, reason="first", seen=1), headers=me).status_code == 200
    late = client.put(API, json=form(place, *SIX[:5], reason="second", seen=1), headers=me)
    assert late.status_code == 409
    assert "Somebody applied another configuration" in late.json()["detail"]
    with versions.connect(place.dsn) as conn:
        assert len(versions.history(conn)) == 2


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"points": []}, 422, "at least 4"),
        ({"reason": "  x "}, 422, "Say why"),
        ({"reason": "ab\x00cd"}, 422, "Say why"),
        ({"width": 8}, 422, "width"),
        ({"sigma_m": 0}, 422, "sigma_m"),
        ({"width": 640, "height": 300}, 422, "outside"),
    ],
)  # fmt: skip
def test_what_can_not_be_saved_is_a_sentence(
    place: SurveyTown, client: TestClient, changes: dict[str, Any], status: int, words: str
) -> None:
    """Refused with what is wrong, and the configuration stays."""
    sent = {**form(place, *SIX), "reason": "because", "seen": 1, **changes}
    answer = client.put(API, json=sent, headers=as_(client, "supervisor"))
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    with versions.connect(place.dsn) as conn:
        assert len(versions.history(conn)) == 1


def test_a_contradiction_names_its_point_in_the_readers_language(
    place: SurveyTown, client: TestClient
) -> None:
    """Seven points, the third is four metres off: it is the one that is named, and it can't be saved."""
    sent = form(place, *SIX, 7, reason="because", seen=1)
    lon, lat = place.surveyed[SIX[2]]["lonlat"]
    sent["points"][2]["lonlat"] = f"{lon + 4e-5}, {lat}"
    told = client.post(f"{API}/trial", json=sent, headers=as_(client, "supervisor", "zh")).json()
    assert told["refused"]["why"] == "contradict"
    assert "点 3" in told["refused"]["text"]
    assert told["guilty"] == [2]
    answer = client.put(API, json=sent, headers=as_(client, "supervisor"))
    assert answer.status_code == 422
    assert "The worst is point 3" in answer.json()["detail"]


def test_zones_keep_their_picture(place: SurveyTown, client: TestClient) -> None:
    """A camera with zones in pixels of 768 x 576 takes no survey in pixels of another picture."""
    url = f"/api/v1/cameras/{PATH}/survey"
    sent = form(place, *SIX, reason="because", seen=1)
    lon, lat = place.config.city.camera(PATH).position or (0.0, 0.0)
    for i, point in enumerate(sent["points"]):
        point["lonlat"] = f"{lon + 1e-4 * (i % 3)}, {lat + 1e-4 * (i // 3)}"
    answer = client.put(url, json=sent, headers=as_(client, "supervisor"))
    assert answer.status_code == 422
    assert "another size of picture" in answer.json()["detail"]


def test_the_picture_is_the_newest_clean_one_and_each_view_is_noted(
    place: SurveyTown, client: TestClient
) -> None:
    """Snapshots of other cameras and annotated ones are not shown; who looked is in the audit log."""
    sha256, clean, other = (
        place.sends(picture("annotated"), kind="snapshot_annotated"), place.sends(picture("clean")), place.sends(picture("other"), PATH),
    )  # fmt: skip
    me = as_(client, "auditor")
    page = client.get(f"/cameras/{FIELD}/survey", headers=me).text
    assert f"survey/picture?of={clean}" in page
    hidden = client.get(f"{API}/picture", params={"of": clean}, headers=me)
    assert (hidden.status_code, hidden.headers["evidence-copy"]) == (200, "blurred"), (
        "an auditor needs no face here"
    )
    with (
        Image.open(io.BytesIO(hidden.content)) as shown,
        Image.open(io.BytesIO(picture("clean"))) as original,
    ):
        assert shown.size == original.size, "points are clicked in its pixels"
    assert hidden.content != picture("clean")
    room = as_(client, "supervisor")
    assert client.get(f"{API}/picture", params={"of": clean}, headers=room).content == picture("clean")
    for wrong in (sha256, other, "0" * 64):
        assert client.get(f"{API}/picture", params={"of": wrong}, headers=me).status_code == 404
    with place.here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT subject, actor FROM audit_entry WHERE kind = 'evidence.viewed'"
        ).fetchall()
    assert [(row["subject"], row["actor"]) for row in rows] == [
        (clean, "auditor"), (clean, "supervisor")
    ]  # fmt: skip


def test_a_picture_that_somebody_brings_is_checked_and_kept_at_its_size(
    place: SurveyTown, client: TestClient
) -> None:
    """Encoded anew without what hides in it; what is no picture is refused; it serves as the survey's picture."""
    me = as_(client, "admin")
    assert "no clean snapshot" in client.get(f"/cameras/{FIELD}/survey", headers=me).text
    no = client.post(f"{API}/picture", files={"file": ("x.jpg", b"<svg onload=alert(1)>")}, headers=me)
    assert no.status_code == 415
    assert client.post(f"{API}/picture", data={"x": "y"}, headers=me).status_code == 422
    big = picture("mine", (2560, 1440), "PNG")
    assert client.post(f"{API}/picture", files={"file": ("x.png", big)}, headers=me).status_code == 201
    shown = client.get(f"{API}/picture", params={"of": "uploaded"}, headers=me)
    assert shown.content[:3] == b"\xff\xd8\xff"
    assert shown.headers["cache-control"] == "no-store", "its address stays when another is brought"
    huge = client.post(
        f"{API}/picture", files={"file": ("x.png", picture("h", (4096, 2200), "PNG"))}, headers=me
    )
    assert (huge.status_code, "at most 9 million" in huge.json()["detail"]) == (413, True)
    page = client.get(f"/cameras/{FIELD}/survey", headers=me).text
    assert "survey/picture?of=uploaded" in page
    assert 'viewBox="0 0 1280 720"' in page  # pixels stay those of the configured frame
    with place.here.pool.connection() as conn:
        kinds = [
            row["kind"]
            for row in conn.execute("SELECT kind FROM audit_entry WHERE actor = 'admin'").fetchall()
        ]
        viewed = conn.execute("SELECT body FROM audit_entry WHERE kind = 'evidence.viewed'").fetchall()
    assert "survey.picture" in kinds
    assert [read_entry(bytes(row["body"])).body["sha256"] for row in viewed] == [sha256_hex(shown.content)]


def test_a_survey_picture_is_blurred_in_its_turn_and_holds_no_connection(
    place: SurveyTown, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many who look at large pictures leave the room its database and all but two of its cores."""
    me, pool = as_(client, "auditor"), place.here.pool
    clean, held = place.sends(picture("clean")), []
    lent: list[int] = []
    really, connection = Copies.fleeting, pool.connection

    @contextmanager
    def counted(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with connection(*args, **kwargs) as conn:
            lent.append(threading.get_ident())
            try:
                yield conn
            finally:
                lent.remove(threading.get_ident())

    def watched(copies: Copies, original: bytes, sha256: str) -> bytes:
        held.append(lent.count(threading.get_ident()))
        return really(copies, original, sha256)

    monkeypatch.setattr(Copies, "fleeting", watched)
    monkeypatch.setattr(pool, "connection", counted)
    assert client.get(f"{API}/picture", params={"of": clean}, headers=me).status_code == 200
    assert held == [0]


def test_without_a_configuration_nothing_is_saved(place: SurveyTown, client: TestClient) -> None:
    """A server without versions shows the city's own survey and says that it can't save."""
    with TestClient(place.app(surveys=None), follow_redirects=False) as bare:
        me = as_(bare, "admin")
        assert bare.get(f"/cameras/{FIELD}/survey", headers=me).status_code == 200
        answer = bare.put(API, json=form(place, *SIX, reason="because", seen=0), headers=me)
        assert answer.status_code == 409
    empty = ConfigSurveys(dsn=place.dsn, path=place.path)
    assert empty.current("no-such") is None


def test_a_mast_is_shown_by_its_bands_and_replaced_by_points(place: SurveyTown, client: TestClient) -> None:
    """The renderer's own height and direction put the renderer's points where they are, within what is stated."""
    with versions.connect(place.dsn) as conn:
        body = copy.deepcopy(versions.read(conn).body)
        camera = next(c for c in body["cameras"] if c["id"] == FIELD)
        ahead = LocalFrame(tuple(camera["position"])).to_en_m(tuple(place.surveyed[5]["lonlat"]))
        camera["mast"] = {
            "height_m": 8.0, "pan_deg": math.degrees(math.atan2(*ahead)), "tilt_deg": 10.5,
            "hfov_deg": math.degrees(2 * math.atan(640 / 1250)),
        }  # fmt: skip
        around = Surroundings(folder=place.path.parent, env={}, now=place.here.now, part="nobody")
        report = from_document(body, path=place.path, around=around)
        assert report.config is not None, report.errors
        versions.apply(conn, report.config, author="li", reason="mast", now=place.here.now)
    me = as_(client, "admin")
    told = client.get(API, headers=me).json()
    assert (told["number"], told["mast"], told["points"]) == (2, True, [])
    assert told["calibration_version"].startswith("mast-")
    assert {(line["band_m"], line["side"]) for line in told["trial"]["lines"]} >= {
        (0.0, "on"),
        (5.0, "left"),
        (5.0, "right"),
    }
    assert "taken for level" in told["trial"]["notes"][0]
    ground = CameraGround(report.config.city.camera(FIELD))
    for known in place.surveyed[:6]:
        fix = ground.at(*known["pixel"])
        assert isinstance(fix, GroundFix)
        assert (
            math.dist(ground.frame.to_en_m(tuple(known["lonlat"])), (fix.east_m, fix.north_m))
            < fix.accuracy_m
        )
    assert client.put(API, json=form(place, *SIX, reason="surveyed", seen=2), headers=me).status_code == 200
    now = place.surveys.current(FIELD)
    assert now is not None
    assert now.camera.mast is None

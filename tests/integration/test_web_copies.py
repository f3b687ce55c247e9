"""Blurred copies: who gets which, and that no way leads a role past its copy to the original."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from monitor.domain.events import EvidenceRef, sha256_hex
from monitor.domain.privacy import Look, Note, Rect, boxes_of
from monitor.domain.privacy_note import TAG, into_jpeg, write
from monitor.web.blurred_film import make
from monitor.web.uploads import path_of
from tests.doubles.web_town import EDGE_TOKENS, PASSWORD, Town, snapshot, town

SIZE_PX = (320, 240)
PERSON: Rect = (100.0, 60.0, 160.0, 220.0)
FACE = (slice(64, 94), slice(115, 145))
FEET = (slice(190, 215), slice(100, 160))
#: user -> camera whose alert is theirs to see
CAMERAS = {
    "operator": "school",
    "supervisor": "school",
    "auditor": "school",
    "chen.jie": "school",
    "li.wei": "old-town",
}
CLEAR, BLURRED = ("operator", "supervisor", "li.wei"), ("auditor", "chen.jie")


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(), follow_redirects=False) as one:
        yield one


def scene(seed: int = 1) -> Any:
    """A picture full of detail, as a face and a street are."""
    noise = (
        np.random.default_rng(seed).integers(0, 256, (SIZE_PX[1] // 4, SIZE_PX[0] // 4, 3)).astype(np.uint8)
    )
    return np.kron(noise, np.ones((4, 4, 1), np.uint8))


def note(*times: float) -> Note:
    boxes = boxes_of([("person", 0.2, PERSON)])
    return Note(size_px=SIZE_PX, looks=tuple(Look(at_s, boxes) for at_s in times or (0.0,)))


def still(seed: int = 1, noted: bool = True) -> bytes:
    jpeg = cv2.imencode(".jpg", scene(seed), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return into_jpeg(jpeg, note()) if noted else jpeg


def film(tmp_path: Path, *, noted: bool = True, boxes: Note | None = None) -> bytes:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as out:
        if noted:
            out.metadata[TAG] = write(boxes or note(0.0, 0.4, 0.8)).decode()
        stream = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_PX, "yuv420p"
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(scene(), format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def detail(picture: Any, where: Any) -> float:
    """How much a part changes from one pixel to the next: tens in the scene, next to nothing when hidden."""
    part = picture[where].astype(int)
    return float(np.abs(np.diff(part, axis=1)).mean())


def opened(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def stored(
    here: Town, client: TestClient, camera_id: str, data: bytes, ref: EvidenceRef | None = None
) -> str:
    event = here.sees(camera_id, evidence=[ref or snapshot(data)])
    token = EDGE_TOKENS[event.edge_id]
    url = f"/api/v1/evidence/{sha256_hex(data)}"
    assert client.put(url, content=data, headers={"authorization": f"Bearer {token}"}).status_code == 201
    return url


def as_(client: TestClient, user: str) -> dict[str, str]:
    token = client.post("/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
    return {"authorization": f"Bearer {token}"}


def views(here: Town) -> list[tuple[str, str]]:
    """(actor, copy) of each view that is in the log."""
    with here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT actor, body FROM audit_entry WHERE kind = 'evidence.viewed' ORDER BY entry_id"
        ).fetchall()
    return [(row["actor"], json.loads(bytes(row["body"]))["body"]["copy"]) for row in rows]


@pytest.mark.parametrize("user", [*CLEAR, *BLURRED, "admin", "holder"])
def test_each_role_gets_what_it_needs(here: Town, client: TestClient, user: str) -> None:
    """The room and the officer see faces, patrol and auditor the copy, the rest nothing; the log says which."""
    data = still()
    url = stored(here, client, CAMERAS.get(user, "school"), data)
    answer = client.get(url, headers=as_(client, user))
    if user in ("admin", "holder"):
        assert (answer.status_code, views(here)) == (403, [])
        return
    assert answer.headers["vary"] == "Cookie, Authorization"
    if user in CLEAR:
        assert (answer.content, answer.headers["evidence-copy"]) == (data, "original")
        assert views(here) == [(user, "original")]
        return
    copy = opened(answer.content)
    assert detail(copy, FACE) < 0.1 * detail(scene(), FACE)
    assert detail(copy, FEET) > 0.7 * detail(scene(), FEET), "what is no face is seen"
    assert copy.shape[0] > SIZE_PX[1], "a strip says that it is a copy, and of what"
    assert answer.headers["content-disposition"].startswith('inline; filename="blurred-')
    assert views(here) == [(user, "blurred")]


def test_the_patrol_gets_no_original_and_the_auditor_on_request(here: Town, client: TestClient) -> None:
    """403 with a sentence for the one; for the other the original, and an entry that says so."""
    data = still()
    url = stored(here, client, "school", data)
    refused = client.get(f"{url}?original=true", headers=as_(client, "chen.jie"))
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (403, "original_not_yours")
    assert client.get(f"{url}?original=true", headers=as_(client, "auditor")).content == data
    assert views(here) == [("auditor", "original")]


@pytest.mark.parametrize("how", ["bytes=0-", "bytes=1-", "bytes=700-", "bytes=-900", "bytes=0-9,20-900000"])
def test_no_range_and_no_tag_leads_to_the_original(here: Town, client: TestClient, how: str) -> None:
    """Each range is one of the copy, also where the browser names the original's ETag, and each is a view."""
    data = still()
    url = stored(here, client, "school", data)
    original = client.get(url, headers=as_(client, "operator"))
    patrol = as_(client, "chen.jie")
    part = client.get(url, headers={**patrol, "range": how})
    assert part.status_code == 206
    assert views(here)[1:] == [("chen.jie", "blurred")]
    copy = client.get(url, headers=patrol)
    assert copy.headers["etag"] != original.headers["etag"]
    for header in ("if-range", "if-none-match", "if-match"):
        again = client.get(url, headers={**patrol, "range": how, header: original.headers["etag"]})
        assert again.status_code in (200, 206)
        assert data[-900:-500] not in again.content
    assert data[-900:-500] not in part.content


def test_an_original_is_no_secret_view_by_its_second_byte(here: Town, client: TestClient) -> None:
    """A range that leaves out the first byte is a view too; what follows within minutes is the same one."""
    url = stored(here, client, "school", still())
    room = as_(client, "operator")
    for _ in range(2):
        assert client.get(url, headers={**room, "range": "bytes=1-"}).status_code == 206
    assert views(here) == [("operator", "original")]


def test_without_boxes_all_of_it_is_hidden(here: Town, client: TestClient) -> None:
    """Evidence of an edge that is older than the boxes, or whose detector had not looked."""
    url = stored(here, client, "school", still(noted=False))
    copy = opened(client.get(url, headers=as_(client, "chen.jie")).content)
    assert detail(copy, FACE) < 0.1 * detail(scene(), FACE)
    assert detail(copy, FEET) < 0.1 * detail(scene(), FEET)


def test_what_can_not_be_copied_is_not_shown(here: Town, client: TestClient) -> None:
    """A broken picture: an error that says what to do, never the original instead."""
    broken = still()[:400]
    url = stored(here, client, "school", broken)
    answer = client.get(url, headers=as_(client, "chen.jie"))
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (404, "no_blurred_copy")
    assert views(here) == []


def wait_for_copy(client: TestClient, url: str, headers: dict[str, str]) -> Any:
    """Ask as a browser would, until it is made or refused."""
    until = time.monotonic() + 200
    while time.monotonic() < until:
        answer = client.get(url, headers=headers)
        if answer.status_code != 503:
            return answer
        assert answer.headers["retry-after"] == "5"
        time.sleep(0.2)
    raise AssertionError("the copy did not come")


@pytest.mark.parametrize("noted", [True, False])
def test_a_film_is_encoded_anew_off_the_request(
    here: Town, client: TestClient, tmp_path: Path, noted: bool
) -> None:
    """First 'come again', then a film in which the face is hidden in every picture; the room sees its packets."""
    data = film(tmp_path, noted=noted)
    ref = EvidenceRef(sha256=sha256_hex(data), kind="clip", bytes=len(data), content_type="video/mp4")
    url = stored(here, client, "school", data, ref)
    patrol = as_(client, "chen.jie")
    assert client.get(url, headers=patrol).status_code == 503
    assert views(here) == []
    answer = wait_for_copy(client, url, patrol)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    (tmp_path / "copy.mp4").write_bytes(answer.content)
    with av.open(str(tmp_path / "copy.mp4")) as copy:
        assert TAG not in copy.metadata
        pictures = [frame.to_ndarray(format="bgr24") for frame in copy.decode(video=0)]
    assert len(pictures) == 10
    for picture in pictures:
        assert detail(picture, FACE) < 0.15 * detail(scene(), FACE)
        assert (detail(picture, FEET) > 0.4 * detail(scene(), FEET)) is noted
    assert client.get(url, headers=as_(client, "operator")).content == data


def test_boxes_of_a_substream_hide_a_face_in_the_main_streams_film(tmp_path: Path) -> None:
    """A camera that is looked at in small shows its patrol the movement, not a film of colours."""
    boxes = boxes_of([("person", 0.2, tuple(side / 2 for side in PERSON))])  # type: ignore[list-item]
    half_px = (SIZE_PX[0] // 2, SIZE_PX[1] // 2)
    film(tmp_path, boxes=Note(size_px=half_px, looks=(Look(0.0, boxes), Look(0.9, boxes))))
    make(tmp_path / "film.mp4", tmp_path / "copy.mp4", "0" * 64)
    with av.open(str(tmp_path / "copy.mp4")) as copy:
        picture = next(copy.decode(video=0)).to_ndarray(format="bgr24")
    assert detail(picture, FACE) < 0.15 * detail(scene(), FACE)
    assert detail(picture, FEET) > 0.4 * detail(scene(), FEET)


def test_a_film_that_is_none_costs_one_try(here: Town, client: TestClient) -> None:
    """What only looks like a film is refused with a name, and not tried at every request."""
    data = b"\x00\x00\x00\x18ftypisom" + bytes(5000)
    ref = EvidenceRef(sha256=sha256_hex(data), kind="clip", bytes=len(data), content_type="video/mp4")
    url = stored(here, client, "school", data, ref)
    answer = wait_for_copy(client, url, as_(client, "chen.jie"))
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (404, "no_blurred_copy")
    assert not list((here.data_dir / "blurred").rglob("*.mp4"))


def test_of_a_field_photo_only_who_took_it_sees_faces(here: Town, client: TestClient) -> None:
    """No detector looked at a phone's photo: whoever is shown a copy is shown colours."""
    here.sees("school")
    patrol = as_(client, "chen.jie")
    alert_id = here.newest().alert.alert_id
    sent = client.post(
        f"/api/v1/alerts/{alert_id}/photos", files={"file": ("p.jpg", still(2), "image/jpeg")}, headers=patrol
    )
    url = f"/api/v1/evidence/{sent.json()['sha256']}"
    seen = {
        user: opened(client.get(url, headers=as_(client, user)).content)
        for user in ("chen.jie", "operator", "auditor")
    }
    full = detail(scene(2), FEET)
    assert detail(seen["chen.jie"], FEET) > 0.7 * full
    assert detail(seen["operator"], FEET) > 0.7 * full
    assert detail(seen["auditor"], FEET) < 0.1 * full


def test_an_export_holds_no_picture(here: Town, client: TestClient) -> None:
    """The bundle proves by hashes; the bytes of evidence, and the boxes in them, stay at the centre."""
    data = still()
    stored(here, client, "school", data)
    here.sequence()
    answer = client.get("/api/v1/audit/bundle", headers=as_(client, "auditor"))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        everything = b"".join(bundle.read(name) for name in bundle.namelist())
    assert sha256_hex(data).encode() in everything
    assert data[-900:-800] not in everything
    assert b"hcawatch.boxes" not in everything


def test_pages_name_copies_as_what_they_are(here: Town, client: TestClient) -> None:
    """The auditor's page says that it shows a copy and offers the original; the room's says nothing of it."""
    url = stored(here, client, "school", still())
    page = f"/alerts/{here.newest().alert.alert_id}"
    auditor = client.get(page, headers=as_(client, "auditor")).text
    assert f"{url}?original=true" in auditor
    assert "Blurred copy" in auditor
    assert "original=true" not in client.get(page, headers=as_(client, "operator")).text
    field = f"/field/{here.newest().alert.alert_id}"
    assert "Blurred copy" in client.get(field, headers=as_(client, "chen.jie")).text


def test_copies_lie_apart_from_originals(here: Town, client: TestClient) -> None:
    """The sealed file is untouched by its copy."""
    data = still()
    url = stored(here, client, "school", data)
    client.get(url, headers=as_(client, "chen.jie"))
    assert path_of(here.data_dir, sha256_hex(data)).read_bytes() == data
    assert len(list((here.data_dir / "blurred").rglob("*.jpg"))) == 1

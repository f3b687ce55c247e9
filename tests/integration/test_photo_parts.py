"""A photo by its hash, in pieces: a link that breaks costs one piece, and what was stored is never refused later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from monitor.domain.events import sha256_hex
from monitor.web.photo_uploads import MOST_PARTS
from monitor.web.uploads import path_of
from tests.doubles.web_town import Town, picture, town
from tests.integration.test_visits import arrive, entries, login, step

PLACE = {"lon": 121.4705, "lat": 31.2093}


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        one.sees()
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(max_photo_bytes=400_000), follow_redirects=False) as one:
        yield one


def put(
    client: TestClient, here: Town, data: bytes, mine: dict[str, str], begin: int = 0, end: int | None = None,
    *, alert_id: str = "", **about: Any,
) -> Response:  # fmt: skip
    """A piece of the photo; begin == end only asks where to go on."""
    end = len(data) if end is None else end
    said = f"bytes {begin}-{end - 1}/{len(data)}" if end > begin else f"bytes */{len(data)}"
    url = f"/api/v1/alerts/{alert_id or here.newest().alert.alert_id}/photos/{sha256_hex(data)}"
    return client.put(url, content=data[begin:end], headers={**mine, "content-range": said}, params=about)


def test_a_broken_link_costs_one_piece(here: Town, client: TestClient) -> None:
    """Two pieces, a hole, the rest: sealed byte for byte, once, with when and where it was taken."""
    mine, data = login(client, "li.wei"), picture("pit")
    asked = put(client, here, data, mine, 0, 0)
    assert (asked.status_code, asked.headers["upload-offset"]) == (202, "0")
    assert put(client, here, data, mine, 0, 1000).headers["upload-offset"] == "1000"
    hole = put(client, here, data, mine, 2000, 3000)
    assert (hole.status_code, hole.headers["upload-offset"]) == (409, "1000")
    here.now += timedelta(minutes=9)
    taken_at = (here.now - timedelta(minutes=8)).isoformat()
    whole = put(client, here, data, mine, 1000, taken_at=taken_at, **PLACE)
    assert (whole.status_code, whole.json()["stored"]) == (201, True)
    assert path_of(here.data_dir, sha256_hex(data)).read_bytes() == data
    assert put(client, here, data, mine, 0, 0).status_code == 200, "a phone that did not hear the answer"
    (item,) = here.newest().evidence
    assert (item.taken_at, item.lon, item.lat) == (here.now - timedelta(minutes=8), 121.4705, 31.2093)
    (entry,) = entries(here, "evidence.photo")
    assert (entry["body"]["lon"], entry["body"]["taken_at"][:10]) == (121.4705, "2026-11-24")
    assert not list((here.data_dir / "photo-parts").glob("*/*"))


def test_a_part_that_was_left_full_is_stored_when_the_phone_asks(here: Town, client: TestClient) -> None:
    """The centre ended between the last piece and the row: no piece is missing that anybody could send."""
    mine, data = login(client, "li.wei"), picture("pit")
    put(client, here, data, mine, 0, 1000)
    (part,) = (here.data_dir / "photo-parts").glob("*/*.part")
    part.write_bytes(data)
    asked = put(client, here, data, mine, 0, 0, **PLACE)
    assert (asked.status_code, asked.json()["stored"]) == (201, True)
    assert path_of(here.data_dir, sha256_hex(data)).read_bytes() == data
    assert [item.lon for item in here.newest().evidence] == [121.4705]
    assert not part.exists()


def test_a_damaged_part_is_thrown_away_and_the_photo_can_come_anew(here: Town, client: TestClient) -> None:
    """Zeros after a power cut, in full length: said once, and the same photo is taken from its first byte on."""
    mine, data = login(client, "li.wei"), picture("pit")
    put(client, here, data, mine, 0, 1000)
    (part,) = (here.data_dir / "photo-parts").glob("*/*.part")
    part.write_bytes(bytes(len(data)))
    asked = put(client, here, data, mine, 0, 0)
    assert (asked.status_code, asked.json()["type"].rpartition(":")[2]) == (422, "other_hash")
    assert put(client, here, data, mine, 0, 0).headers["upload-offset"] == "0"
    assert put(client, here, data, mine).status_code == 201


def test_a_time_that_cannot_be_is_not_kept(here: Town, client: TestClient) -> None:
    """Before the dispatch, or tomorrow: the phone's clock is wrong, the centre's time of arrival stands."""
    mine = login(client, "li.wei")
    for days in (-2, 2):
        data = picture(str(days))
        said = (here.now + timedelta(days=days)).isoformat()
        assert put(client, here, data, mine, taken_at=said).status_code == 201
    assert {item.taken_at for item in here.newest().evidence} == {None}
    assert put(client, here, picture("x"), mine, taken_at="yesterday").status_code == 422
    assert put(client, here, picture("x"), mine, lon=121.4).status_code == 422


def test_what_is_no_photo_of_ones_own_is_refused_before_its_bytes_travel(
    here: Town, client: TestClient
) -> None:
    """Too big, another's dispatch, recalled: said when the phone asks. Another content than the hash: when it is whole."""
    mine = login(client, "li.wei")
    assert put(client, here, bytes(500_000), mine, 0, 0).status_code == 413
    assert put(client, here, picture(), login(client, "chen.jie"), 0, 0).status_code == 404
    page = b"<html>" * 9
    assert put(client, here, page, mine).status_code == 415
    url = f"/api/v1/alerts/{here.newest().alert.alert_id}/photos/{'a' * 64}"
    other = client.put(url, content=page, headers={**mine, "content-range": "bytes 0-53/54"})
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (422, "other_hash")
    assert client.put(url, content=page, headers=mine).status_code == 400
    alert_id = here.newest().alert.alert_id
    assert step(client, alert_id, "recall", login(client, "operator")).status_code == 200
    assert put(client, here, picture(), mine, 0, 0, alert_id=alert_id).status_code == 403


def test_a_photo_that_is_here_stays_taken_after_a_recall(here: Town, client: TestClient) -> None:
    """The answer was lost, the officer recalled: the phone asks again and hears that it is stored, not 'refused'."""
    mine, data, alert_id = login(client, "li.wei"), picture("pit"), here.newest().alert.alert_id
    assert put(client, here, data, mine).status_code == 201
    assert step(client, alert_id, "recall", login(client, "operator")).status_code == 200
    assert put(client, here, data, mine, 0, 0, alert_id=alert_id).status_code == 200
    form = client.post(f"/api/v1/alerts/{alert_id}/photos", files={"file": data}, headers=mine)
    assert form.status_code == 200


def test_unfinished_photos_do_not_fill_the_disk(here: Town, client: TestClient) -> None:
    """Sixty are kept for a person, the oldest goes first."""
    mine = login(client, "li.wei")
    for n in range(MOST_PARTS + 3):
        assert put(client, here, picture(str(n), size=(64, 48)), mine, 0, 10).status_code == 202
    assert len(list((here.data_dir / "photo-parts").glob("*/*.part"))) == MOST_PARTS


def test_a_step_for_an_earlier_dispatch_is_not_taken_for_the_next_one(here: Town, client: TestClient) -> None:
    """'Put right' was pressed without a link; meanwhile the case went out anew to the same officer."""
    mine, alert_id = login(client, "li.wei"), here.newest().alert.alert_id
    first = here.newest().running
    assert first is not None
    arrive(client, alert_id, mine)
    assert step(client, alert_id, "recall", login(client, "operator")).status_code == 200
    assert step(client, alert_id, "dispatch", login(client, "operator")).status_code == 200
    stale = step(client, alert_id, "accept", mine, dispatch=first.dispatch_id)
    assert (stale.status_code, stale.json()["type"].rpartition(":")[2]) == (409, "other_dispatch")
    now = here.newest().running
    assert now is not None
    assert step(client, alert_id, "accept", mine, dispatch=now.dispatch_id).status_code == 200

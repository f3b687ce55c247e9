"""Photos from the field: sealed as taken, shown without what nobody should see."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from monitor.domain.events import sha256_hex
from monitor.web.uploads import path_of
from tests.doubles.web_town import PASSWORD, Town, picture, town


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        one.sees()
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(max_photo_bytes=400_000), follow_redirects=False) as one:
        yield one


def as_(client: TestClient, user: str) -> dict[str, str]:
    token = client.post("/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
    return {"authorization": f"Bearer {token}"}


def send(
    client: TestClient, here: Town, data: bytes, user: str = "li.wei", alert_id: str = ""
) -> tuple[int, str]:
    wanted = alert_id or here.newest().alert.alert_id
    answer = client.post(
        f"/api/v1/alerts/{wanted}/photos",
        files={"file": ("p.jpg", data, "image/jpeg")},
        headers=as_(client, user),
    )
    return answer.status_code, answer.json().get("sha256") or answer.json()["type"].rpartition(":")[2]


def photo_with_secret() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (10, 120, 60)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_the_original_is_sealed_and_pages_get_a_clean_copy(here: Town, client: TestClient) -> None:
    """Byte for byte on disk under its hash; what is looked at has no EXIF; the entry names the alert."""
    original = photo_with_secret()
    status, sha256 = send(client, here, original)
    assert (status, sha256) == (201, sha256_hex(original))
    assert path_of(here.data_dir, sha256).read_bytes() == original
    shown = client.get(f"/api/v1/evidence/{sha256}", headers=as_(client, "operator"))
    assert shown.headers["content-type"] == "image/jpeg"
    assert b"secret" in original
    assert b"secret" not in shown.content
    assert send(client, here, original) == (200, sha256), "sent again by a phone that heard no answer"
    view = here.newest()
    assert [item.sha256 for item in view.evidence] == [sha256]
    assert view.evidence[0].footage == "simulated", "a photo of a simulated alert is no real one"


def test_the_photo_counts_as_evidence_of_the_step(here: Town, client: TestClient) -> None:
    """Collecting without one is refused, with one it is taken and shown in the timeline."""
    alert_id = here.newest().alert.alert_id
    officer = as_(client, "li.wei")

    def take(step: str, **body: object) -> int:
        return client.post(
            f"/api/v1/alerts/{alert_id}/steps", json={"step": step, **body}, headers=officer
        ).status_code

    assert [take(step) for step in ("accept", "depart", "arrive")] == [200] * 3
    assert take("collect") == 409
    assert take("collect", attachments=["e" * 64]) == 409, "a photo that nobody uploaded"
    _, sha256 = send(client, here, picture("pit"))
    assert take("collect", attachments=[sha256]) == 200
    assert (
        f"/api/v1/evidence/{sha256}"
        in client.get(f"/alerts/{alert_id}", headers=as_(client, "operator")).text
    )


def test_photos_are_for_ones_own_running_dispatch(here: Town, client: TestClient) -> None:
    """Not for another team's alert, not after the dispatch ended."""
    assert send(client, here, picture(), "chen.jie") == (404, "no_alert")
    alert_id = here.newest().alert.alert_id
    client.post(f"/api/v1/alerts/{alert_id}/steps", json={"step": "recall"}, headers=as_(client, "operator"))
    assert send(client, here, picture()) == (403, "no_running_dispatch")


def test_one_photo_proves_one_alert(here: Town, client: TestClient) -> None:
    """The same picture can't be handed in for a second alert."""
    first = here.newest().alert.alert_id
    data = picture("same")
    assert send(client, here, data)[0] == 201
    here.sees("village")
    second = here.newest().alert.alert_id
    assert second != first
    assert send(client, here, data, alert_id=second) == (409, "photo_elsewhere")


def bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    return out.getvalue()


def test_what_would_harm_the_centre_is_refused(here: Town, client: TestClient) -> None:
    """A bomb, a page, a broken and a too large file: a sentence each, nothing on disk."""
    assert len(bomb()) < 400_000
    assert send(client, here, bomb())[0] == 413
    assert send(client, here, b"<html><script>alert(1)</script>") == (415, "photo_type")
    assert send(client, here, picture()[:300]) == (422, "photo_broken")
    assert send(client, here, b"\xff\xd8\xff" + bytes(500_000)) == (413, "too_large")
    assert not list(here.data_dir.glob("evidence/*/*"))


def test_a_form_without_a_photo_is_a_sentence(here: Town, client: TestClient) -> None:
    """Wrong field, no form, empty form."""
    url = f"/api/v1/alerts/{here.newest().alert.alert_id}/photos"
    officer = as_(client, "li.wei")
    assert client.post(url, files={"other": b"x"}, headers=officer).status_code == 422
    assert client.post(url, json={}, headers=officer).status_code == 422
    assert client.post(
        url, content=b"--x", headers={**officer, "content-type": "multipart/form-data"}
    ).status_code in (400, 422)
    assert client.post(url, files={"file": picture(), "file2": picture()}, headers=officer).status_code in (
        400,
        422,
    )

"""The company's page shows its own case's pictures, blurred, and takes a picture or a PDF with its objection."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from alerts.visiting.notices import MOST_PICTURES, QUERIES
from monitor.domain.events import sha256_hex
from monitor.web import notice_files
from monitor.web.errors import Unusable
from monitor.web.file_turns import MOST_INSIDE
from monitor.web.pdf_pages import MOST_PAGES
from monitor.web.throttle import FILES
from monitor.web.uploads import path_of
from tests.doubles.web_town import EDGE_TOKENS, Town, picture, snapshot, town
from tests.integration.test_notices import COMPANY, FORM
from tests.integration.test_visits import arrive, collect, entries, login
from tests.integration.test_web_photos import photo_with_secret

EDGE = {"authorization": f"Bearer {EDGE_TOKENS['e1']}", "content-type": "image/jpeg"}


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as here:
        yield here


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(max_photo_bytes=400_000), follow_redirects=False) as client:
        yield client


def seen(client: TestClient, here: Town, text: str, camera_id: str = "old-town") -> tuple[str, str]:
    """An alert with a stored snapshot; (alert_id, SHA-256)."""
    data = picture(text)
    here.sees(camera_id, evidence=[snapshot(data)])
    url = f"/api/v1/evidence/{sha256_hex(data)}"
    assert client.put(url, content=data, headers=EDGE).status_code == 201
    return here.newest().alert.alert_id, sha256_hex(data)


def given(client: TestClient, alert_id: str) -> str:
    """The code of a notice by the officer who is there."""
    mine = login(client, "li.wei")
    arrive(client, alert_id, mine)
    collect(client, alert_id, mine)
    answer = client.post(f"/api/v1/alerts/{alert_id}/notices", json=COMPANY, headers=mine)
    return str(answer.json()["code"])


def pdf(pages: int = 2) -> bytes:
    drawn = [Image.new("RGB", (300, 400), (200, 20 * n, 40)) for n in range(pages)]
    out = io.BytesIO()
    drawn[0].save(out, "PDF", save_all=True, append_images=drawn[1:])
    return out.getvalue()


def test_the_company_sees_blurred_copies_of_its_own_case(client: TestClient, here: Town) -> None:
    """Snapshot and the officer's photo with their hashes; no original, no other case's, no caller's; each look an entry."""
    alert_id, sha256 = seen(client, here, "excavator")
    other_id, other = seen(client, here, "another", "village")
    assert other_id != alert_id
    code = given(client, alert_id)
    (photo,) = (item.sha256 for item in here.engine.view(alert_id).evidence if item.kind == "photo")
    with here.pool.connection() as conn:
        conn.execute(
            "INSERT INTO evidence (sha256, kind, content_type, bytes, alert_id, uploaded_by, announced_at, stored_at)"
            " VALUES (%s, 'photo', 'image/jpeg', 1, %s, 'operator', now(), now())",
            ("c" * 64, alert_id),
        )
    page = client.get(f"/notice/{code}")
    assert (sha256 in page.text, photo in page.text, other in page.text, "c" * 64 in page.text) == (
        True,
        True,
        False,
        False,
    )
    for one in (sha256, photo, sha256):
        shown = client.get(f"/notice/{code}/pictures/{one}?original=true")
        assert (shown.status_code, shown.headers["evidence-copy"]) == (200, "blurred")
        assert sha256_hex(shown.content) != one
    for hidden in (other, "c" * 64, "a" * 64):
        assert client.get(f"/notice/{code}/pictures/{hidden}").status_code == 404
    assert client.get(f"/notice/ABCDEFGH2345/pictures/{sha256}").status_code == 404
    looks = [entry for entry in entries(here, "evidence.viewed") if entry["actor"] == "company"]
    assert [(entry["subject"], entry["body"]["copy"]) for entry in looks] == [
        (sha256, "blurred"),
        (photo, "blurred"),
    ]
    here.now += timedelta(minutes=6)
    client.get(f"/notice/{code}/pictures/{sha256}")
    client.get(f"/notice/{code}")
    assert len([entry for entry in entries(here, "evidence.viewed") if entry["actor"] == "company"]) == 3
    assert len(entries(here, "notice.look")) == 2


def test_the_officers_photo_is_not_hidden_by_many_camera_pictures(client: TestClient, here: Town) -> None:
    """Thirty snapshots before the visit: the photo is on the page, which says how many there are and shows all."""
    alert_id, sha256 = seen(client, here, "excavator")
    code = given(client, alert_id)
    (photo,) = (item.sha256 for item in here.engine.view(alert_id).evidence if item.kind == "photo")
    with here.pool.connection() as conn:
        conn.execute(
            "INSERT INTO evidence (sha256, kind, content_type, bytes, episode_id, announced_at, stored_at)"
            " SELECT md5(n::text) || md5(n::text), 'snapshot_clean', 'image/jpeg', 1, episode_id, %s, %s"
            " FROM alert_episode, generate_series(1, 30) AS n WHERE alert_id = %s",
            (here.now - timedelta(hours=1), here.now, alert_id),
        )
    page = client.get(f"/notice/{code}", headers={"accept-language": "en"}).text
    assert (photo in page, page.count("<figure>")) == (True, MOST_PICTURES + 1)
    assert f"{MOST_PICTURES + 1} of 32 pictures" in page
    for one in (photo, sha256):
        assert client.get(f"/notice/{code}/pictures/{one}").status_code == 200, "on the page or not"
    every = client.get(page.partition("?pictures=all")[0].rpartition('"')[2] + "?pictures=all").text
    assert (every.count("<figure>"), sha256 in every, "?pictures=all" in every) == (32, True, False)


def test_a_look_does_not_walk_through_all_evidence(client: TestClient, here: Town) -> None:
    """The page is open to whoever has a code, beside the loop's own database."""
    alert_id, sha256 = seen(client, here, "excavator")
    with here.pool.connection() as conn:
        conn.execute(
            "INSERT INTO evidence (sha256, kind, content_type, bytes, episode_id, announced_at, stored_at)"
            " SELECT md5(n::text) || md5(n::text), 'snapshot_clean', 'image/jpeg', 1, gen_random_uuid(), now(), now()"
            " FROM generate_series(1, 5000) AS n"
        )
        conn.execute("ANALYZE evidence")
        given = {"alert_id": alert_id, "sha256": sha256, "limit": MOST_PICTURES}
        for name in ("pictures", "picture"):
            plan = conn.execute("EXPLAIN " + QUERIES[name].as_string(conn), given).fetchall()
            assert "Seq Scan on evidence" not in str(plan), plan


def test_an_objection_brings_a_picture_or_a_pdf(client: TestClient, here: Town) -> None:
    """The original is sealed byte for byte; the supervisor looks at copies encoded anew; what is sent twice is one."""
    code = given(client, seen(client, here, "excavator")[0])
    url, secret = f"/notice/{code}/objection", photo_with_secret()
    for data, text in ((secret, "our permit"), (secret, "our permit"), (pdf(), "the contract")):
        sent = client.post(url, data={"text": text}, files={"file": ("x", data)}, headers=FORM)
        assert sent.status_code == 303, sent.text
        assert path_of(here.data_dir, sha256_hex(data)).read_bytes() == data
    assert [entry["body"]["file"]["pages"] for entry in entries(here, "notice.objection")] == [1, 2]
    assert sha256_hex(secret) in client.get(f"/notice/{code}").text
    supervisor = login(client, "supervisor")
    tasks = client.get("/objections", headers=supervisor).text
    assert tasks.count("/file/1") == 2 * 2
    for path in ("/objections/1/file/1", "/objections/2/file/1", "/objections/2/file/2"):
        shown = client.get(path, headers=supervisor)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        assert b"secret" not in shown.content
        assert Image.open(io.BytesIO(shown.content)).size[0] > 100
        assert client.get(path, headers=login(client, "operator")).status_code == 403
    for gone in ("/objections/2/file/3", "/objections/2/file/0", "/objections/9/file/1"):
        assert client.get(gone, headers=supervisor).status_code == 404
    assert len([one for one in entries(here, "evidence.viewed") if one["actor"] == "supervisor"]) == 3


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"<html><script>alert(1)</script>", 415),
        (b"\x00\x00\x00\x18ftypmp42", 415),
        (b"%PDF-1.7 nothing else", 422),
        (picture()[:300], 422),
        (pdf(MOST_PAGES + 1), 422),
        (b"%PDF-" + bytes(500_000), 413),
    ],
    ids=["page", "film", "broken-pdf", "broken-picture", "many-pages", "large"],
)
def test_what_cannot_be_looked_at_is_refused_in_a_sentence(
    client: TestClient, here: Town, data: bytes, status: int
) -> None:
    """On the page, with what was typed; nothing is kept, no objection without its file."""
    code = given(client, seen(client, here, "excavator")[0])
    sent = client.post(
        f"/notice/{code}/objection", data={"text": "our own words"}, files={"file": ("x", data)}, headers=FORM
    )
    assert sent.status_code == status
    assert status == 413 or ("our own words" in sent.text and 'role="alert"' in sent.text)
    assert entries(here, "notice.objection") == []
    assert not path_of(here.data_dir, sha256_hex(data)).exists()


def test_files_that_take_long_leave_the_console_to_the_others(
    client: TestClient, here: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty-five PDFs at once, one of which draws on and on: pages still come, the others hear that it is busy."""
    code = given(client, seen(client, here, "excavator")[0])
    mine, done = login(client, "li.wei"), threading.Event()

    def draws_on(_: bytes) -> list[bytes]:
        """Stands for a PDF that takes its whole minute."""
        done.wait(60)
        raise Unusable("pdf_broken")

    monkeypatch.setattr(notice_files, "pages_of", draws_on)

    def objects(n: int) -> int:
        file = {"file": ("x", b"%PDF-1.7 slow")}
        url, words = f"/notice/{code}/objection", {"text": f"words {n}"}
        return client.post(url, data=words, files=file, headers=FORM).status_code

    with ThreadPoolExecutor(46) as threads:
        try:
            sent = [threads.submit(objects, n) for n in range(45)]
            # on a busy machine: until all have come that can
            until = time.monotonic() + 60
            while sum(one.done() for one in sent) < 45 - MOST_INSIDE and time.monotonic() < until:
                time.sleep(0.1)
            page = threads.submit(client.get, "/field", headers=mine)
            assert page.result(timeout=30).status_code == 200
        finally:
            done.set()
        answers = [one.result(timeout=60) for one in sent]
    assert (answers.count(503), answers.count(422)) == (45 - MOST_INSIDE, MOST_INSIDE)


def test_refused_files_count_by_their_notice(client: TestClient, here: Town) -> None:
    """Six in a quarter of an hour are looked at; then words are taken without one, and nothing that was typed is lost."""
    code = given(client, seen(client, here, "excavator")[0])
    url, broken = f"/notice/{code}/objection", {"file": ("x", picture()[:300])}
    for _ in range(FILES.failures):
        assert client.post(url, data={"text": "w"}, files=broken, headers=FORM).status_code == 422
    waits = client.post(url, data={"text": "our own words"}, files={"file": ("x", picture())}, headers=FORM)
    assert (waits.status_code, waits.headers["retry-after"]) == (429, "900")
    assert ("our own words" in waits.text, "15 min" in waits.text) == (True, True)
    assert client.post(url, data={"text": "our own words"}, headers=FORM).status_code == 303
    here.now += timedelta(minutes=15)
    assert (
        client.post(url, data={"text": "w"}, files={"file": ("x", picture())}, headers=FORM).status_code
        == 303
    )

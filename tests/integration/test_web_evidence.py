"""Bytes of evidence: nothing announced is lost, nothing unannounced is kept, each view is known."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from starlette.testclient import TestClient

from monitor.domain.events import EvidenceRef, sha256_hex
from monitor.web.uploads import path_of
from tests.doubles.web_town import EDGE_TOKENS, PASSWORD, Town, picture, snapshot, town

E1, E2 = ({"authorization": f"Bearer {EDGE_TOKENS[edge]}"} for edge in ("e1", "e2"))
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(5000)


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def client(here: Town) -> Iterator[TestClient]:
    with TestClient(here.app(max_evidence_bytes=1_000_000), follow_redirects=False) as one:
        yield one


@pytest.fixture
def data() -> bytes:
    return picture("excavator 0.91", (640, 360))


def url(data: bytes) -> str:
    return f"/api/v1/evidence/{sha256_hex(data)}"


def row(here: Town, data: bytes) -> dict[str, Any]:
    with here.pool.connection() as conn:
        found = conn.execute("SELECT * FROM evidence WHERE sha256 = %s", (sha256_hex(data),)).fetchone()
    assert found is not None
    return found


def entries(here: Town, kind: str) -> list[dict[str, Any]]:
    with here.pool.connection() as conn:
        return conn.execute("SELECT subject, actor FROM audit_entry WHERE kind = %s", (kind,)).fetchall()


def test_a_snapshot_is_stored_once_and_told(here: Town, client: TestClient, data: bytes) -> None:
    """201, then 200; on disk under its hash, in the row, in the log, and whoever listens hears of it."""
    here.sees(evidence=[snapshot(data)])
    with psycopg.connect(here.pool.conninfo, autocommit=True) as outside:  # type: ignore[arg-type]
        outside.execute("LISTEN hcawatch_evidence")
        assert client.put(url(data), content=data, headers=E1).status_code == 201
        heard = [notify.payload for notify in outside.notifies(timeout=5, stop_after=1)]
    assert heard == [sha256_hex(data)]
    assert path_of(here.data_dir, sha256_hex(data)).read_bytes() == data
    assert row(here, data)["stored_at"] == here.now
    assert client.put(url(data), content=data, headers=E1).status_code == 200
    assert entries(here, "evidence.stored") == [{"subject": sha256_hex(data), "actor": "edge:e1"}]


def test_an_interrupted_upload_goes_on(here: Town, client: TestClient, data: bytes) -> None:
    """HEAD tells how far it came, Content-Range brings the rest; a gap is refused with the offset."""
    here.sees(evidence=[snapshot(data)])
    size = len(data)

    def part(begin: int, end: int) -> httpx.Response:
        headers = {**E1, "content-range": f"bytes {begin}-{end - 1}/{size}"}
        return client.put(url(data), content=data[begin:end], headers=headers)

    assert client.head(url(data), headers=E1).headers["upload-offset"] == "0"
    first = part(0, 1000)
    assert (first.status_code, first.headers["upload-offset"]) == (202, "1000")
    hole = part(2000, 3000)
    assert (hole.status_code, hole.headers["upload-offset"]) == (409, "1000")
    assert client.head(url(data), headers=E1).headers["upload-offset"] == "1000"
    assert row(here, data)["stored_at"] is None
    assert part(1000, size).status_code == 201
    answer = client.head(url(data), headers=E1)
    assert (answer.headers["upload-offset"], answer.headers["upload-complete"]) == (str(size), "?1")


def test_wrong_bytes_are_not_kept(here: Town, client: TestClient, data: bytes) -> None:
    """Another hash: 422, the part is gone, and the right bytes are taken afterwards."""
    here.sees(evidence=[snapshot(data)])
    wrong = data[:-1] + bytes([data[-1] ^ 1])
    assert client.put(url(data), content=wrong, headers=E1).status_code == 422
    assert client.head(url(data), headers=E1).headers["upload-offset"] == "0"
    assert client.put(url(data), content=data, headers=E1).status_code == 201


def test_only_what_this_very_edge_announced(here: Town, client: TestClient, data: bytes) -> None:
    """What nobody announced and what another edge announced looks the same: 404, and nothing is written."""
    assert client.put(url(data), content=data, headers=E1).status_code == 404
    here.sees(evidence=[snapshot(data)])
    assert client.put(url(data), content=data, headers=E2).status_code == 404
    assert client.head(url(data), headers=E2).status_code == 404
    assert not (here.data_dir / "evidence").exists()


def test_more_than_announced_or_allowed_is_refused(here: Town, client: TestClient, data: bytes) -> None:
    """By the length that is said, by the bytes that come, and by the limit of the centre."""
    here.sees(evidence=[snapshot(data)])
    assert client.put(url(data), content=data + b"x", headers=E1).status_code == 422

    def unannounced_length() -> Iterator[bytes]:
        yield data
        yield bytes(100_000)

    assert client.put(url(data), content=unannounced_length(), headers=E1).status_code == 413
    huge = EvidenceRef(sha256="d" * 64, kind="clip", bytes=1_000_001, content_type="video/mp4")
    here.sees(evidence=[huge])
    assert client.put(f"/api/v1/evidence/{'d' * 64}", content=b"x", headers=E1).status_code == 413


@pytest.mark.parametrize(
    ("content", "announced", "status"),
    [
        (MP4, "video/mp4", 201),
        (MP4, "image/jpeg", 415),
        (b"<html><script>alert(1)</script></html>" * 9, "text/html", 415),
        (b"<html><script>alert(1)</script></html>" * 9, "image/jpeg", 415),
        (picture("png", (64, 64), "PNG"), "image/png", 415),
    ],
)
def test_only_pictures_and_films(
    here: Town, client: TestClient, content: bytes, announced: str, status: int
) -> None:
    """The bytes decide what they are, whatever their announcement says; no page can be smuggled in."""
    kind = "clip" if announced.startswith("video") else "snapshot_clean"
    ref = EvidenceRef(sha256=sha256_hex(content), kind=kind, bytes=len(content), content_type=announced)  # type: ignore[arg-type]
    here.sees(evidence=[ref])
    assert client.put(url(content), content=content, headers=E1).status_code == status


def test_a_crash_before_the_commit_is_healed(here: Town, client: TestClient, data: bytes) -> None:
    """The file was renamed but the row not written: the next question finds and settles it."""
    here.sees(evidence=[snapshot(data)])
    path = path_of(here.data_dir, sha256_hex(data))
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert client.head(url(data), headers=E1).headers["upload-complete"] == "?1"
    assert row(here, data)["stored_at"] == here.now
    assert len(entries(here, "evidence.stored")) == 1


def test_each_view_is_an_entry(here: Town, client: TestClient, data: bytes) -> None:
    """Who looked at what; the later ranges of one film are the same view; nobody's view is none."""
    here.sees(evidence=[snapshot(data)])
    token = client.post("/api/v1/login", json={"user": "operator", "password": PASSWORD}).json()["token"]
    room = {"authorization": f"Bearer {token}"}
    assert client.get(url(data), headers=room).status_code == 404, "announced, not here yet"
    client.put(url(data), content=data, headers=E1)
    answer = client.get(url(data), headers=room)
    assert (answer.content, answer.headers["content-type"]) == (data, "image/jpeg")
    assert client.get(url(data), headers={**room, "range": "bytes=100-199"}).status_code == 206
    assert client.get(url(data)).status_code == 401
    assert entries(here, "evidence.viewed") == [{"subject": sha256_hex(data), "actor": "operator"}]


def test_the_field_sees_evidence_of_its_own_dispatches_only(
    here: Town, client: TestClient, data: bytes
) -> None:
    """The officer who is sent sees the snapshot, another team does not."""
    here.sees(evidence=[snapshot(data)])
    client.put(url(data), content=data, headers=E1)
    for user, status in (("li.wei", 200), ("chen.jie", 404)):
        token = client.post("/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
        assert client.get(url(data), headers={"authorization": f"Bearer {token}"}).status_code == status


@pytest.mark.parametrize("sha256", ["a" * 63, "A" * 64, "..%2f..%2fsecrets", "g" * 64])
def test_a_name_that_is_no_hash_finds_nothing(client: TestClient, sha256: str) -> None:
    """No way out of the evidence folder."""
    assert client.put(f"/api/v1/evidence/{sha256}", content=b"x", headers=E1).status_code == 404


def test_a_connection_that_breaks_leaves_what_arrived(here: Town, data: bytes) -> None:
    """A real socket, cut in the middle of the body: the next HEAD tells the offset, the rest completes it."""
    here.sees(evidence=[snapshot(data)])
    server = uvicorn.Server(uvicorn.Config(here.app(), host="127.0.0.1", port=0, log_level="error"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        until = threading.Event()
        try:
            while not server.started:
                until.wait(0.01)
            half = len(data) // 2
            with socket.create_connection(("127.0.0.1", port)) as cut:
                head = f"PUT {url(data)} HTTP/1.1\r\nHost: x\r\nAuthorization: {E1['authorization']}\r\nContent-Length: {len(data)}\r\n\r\n"
                cut.sendall(head.encode() + data[:half])
                part = path_of(here.data_dir, sha256_hex(data)).with_suffix(".part")
                while not (part.exists() and part.stat().st_size == half):
                    until.wait(0.01)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=E1) as client:
                offset = int(client.head(url(data)).headers["upload-offset"])
                assert offset == half
                headers = {"content-range": f"bytes {offset}-{len(data) - 1}/{len(data)}"}
                assert client.put(url(data), content=data[offset:], headers=headers).status_code == 201
        finally:
            server.should_exit = True
            thread.join()
    assert path_of(here.data_dir, sha256_hex(data)).read_bytes() == data

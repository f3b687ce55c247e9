"""Reading cameras: files, folders, HTTP and RTSP that work, break, hang, redirect or are not allowed."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import structlog

from edge.evidence import EvidenceStore
from edge.frames import Frame, PacketRing
from edge.reader import LinkStatus, Reader
from edge.sources import Access, Clocks
from hcawatch.demo.rtsp import RtspServer
from monitor.domain.assets import Camera
from tests.doubles.edge_things import make_clip

LOOPBACK = Access(networks=("127.0.0.0/8",), credentials={"gate": "admin:s3cret/pass"})


def camera(source: str, **changes: object) -> Camera:
    fields = {"camera_id": "cam-1", "edge_id": "edge-1", "site_id": "hca-1", "name": {}, **changes}
    return Camera(source=source, **fields)  # type: ignore[arg-type]


@contextmanager
def reading(cam: Camera, access: Access = LOOPBACK, **more: object) -> Iterator[Reader]:
    reader = Reader(cam, access, **more)  # type: ignore[arg-type]
    reader.start()
    try:
        yield reader
    finally:
        reader.stop()


def until(condition: Callable[[], object], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)  # a thread's plain attribute: there is nothing to await
    return True


def frames(reader: Reader, count: int) -> list[Frame]:
    taken = []
    while len(taken) < count:
        frame = reader.slot.take(10.0)
        assert frame is not None, reader.status
        taken.append(frame)
    return taken


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=4.0)


def test_a_file_plays_in_real_time_once(clip: Path) -> None:
    """Four seconds of file take four seconds, then the camera has ended."""
    with reading(camera(str(clip))) as reader:
        taken = frames(reader, 20)
        spent_s = (taken[-1].captured_at - taken[0].captured_at).total_seconds()
        assert spent_s == pytest.approx(taken[-1].media_s - taken[0].media_s, abs=0.15)
        assert 1.5 <= spent_s <= 2.6
        assert taken[0].picture.bgr().shape == (240, 320, 3)
        assert (
            abs(
                int(taken[0].picture.luma().mean())
                - int(cv2.cvtColor(taken[0].picture.bgr(), cv2.COLOR_BGR2GRAY).mean())
            )
            < 20
        )
        assert until(lambda: reader.status.link == "ended")


def test_a_looping_file_goes_on_with_rising_seconds(tmp_path: Path) -> None:
    """The second round continues the first one's seconds."""
    short = make_clip(tmp_path / "short.mp4", seconds=0.5)
    with reading(camera(str(short), loop=True)) as reader:
        media = [f.media_s for f in frames(reader, 12)]
    assert all(b > a for a, b in zip(media, media[1:], strict=False))  # noqa: RUF007 - reads plainer
    assert media[-1] > 0.7


def test_a_file_can_begin_in_the_middle(clip: Path) -> None:
    """Begun at second 3 of 4 it ends a second later."""
    began = time.monotonic()
    with reading(camera(str(clip)), start_s=3.0) as reader:
        frames(reader, 3)
        assert until(lambda: reader.status.link == "ended", 5.0)
    assert time.monotonic() - began < 3.0


def test_the_latest_frame_wins(clip: Path) -> None:
    """Who looks late gets the newest picture; what was missed is counted, never queued."""
    with reading(camera(str(clip))) as reader:
        first = frames(reader, 1)[0]
        time.sleep(1.0)
        late = frames(reader, 1)[0]
    assert late.media_s - first.media_s >= 0.9
    assert reader.slot.dropped >= 8


def test_a_folder_of_pictures_is_a_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures play in order of their names; a broken one is left out."""
    monkeypatch.setattr("edge.sources.FOLDER_STEP_S", 0.05)
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((40, 60, 3), 50 * i, np.uint8))
    (tmp_path / "2.png").write_bytes(b"not a picture")
    with reading(camera(str(tmp_path))) as reader:
        taken = []
        while reader.status.link != "ended" or not taken:
            if (frame := reader.slot.take(0.02)) is not None:
                taken.append(int(frame.picture.bgr()[0, 0, 0]))
    assert taken == [0, 50, 150]


def test_a_clip_is_the_cameras_own_packets(clip: Path, tmp_path: Path) -> None:
    """From the key frame before the asked second to the asked end, playable, not re-encoded."""
    with reading(camera(str(clip))) as reader:
        assert until(lambda: reader.status.link == "ended")
        kept = EvidenceStore(tmp_path / "e").keep_clip(reader.ring, 1.5, 3.0)
    assert kept is not None
    ref, name = kept
    assert (ref.kind, ref.content_type) == ("clip", "video/mp4")
    with av.open(str(tmp_path / "e" / name)) as container:
        times = [float(f.time) for f in container.decode(video=0)]
    assert len(times) == pytest.approx(21, abs=2)  # key frames each second: from 1.0 to 3.0 at 10 a second
    with av.open(str(clip)) as container:
        original = {bytes(p) for p in container.demux(video=0)}
    with av.open(str(tmp_path / "e" / name)) as container:
        copied = [bytes(p) for p in container.demux(video=0) if p.size]
    assert all(packet in original for packet in copied)


def test_a_clip_of_an_empty_ring_is_none(tmp_path: Path) -> None:
    """No packets, no clip, and no file left behind."""
    assert EvidenceStore(tmp_path).keep_clip(PacketRing(), 0.0, 10.0) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "link", "word"),
    [
        ("/nowhere/clip.mp4", "unreachable", "there is no file"),
        ("rtsp://127.0.0.1:1/x", "unreachable", "refused"),
        ("http://127.0.0.1:1/x", "unreachable", "refused"),
        ("rtsp://10.1.2.3/x", "blocked", "outside the networks"),
        ("http://[::1]/x", "blocked", "outside the networks"),
        ("webcam:97", "unreachable", "/dev/video97"),
    ],
)
def test_what_does_not_open_says_why(source: str, link: str, word: str) -> None:
    """One clear state with a reason; the thread lives and goes on trying."""
    with reading(camera(source)) as reader:
        assert until(lambda: reader.status.link == link), reader.status
        assert word in reader.status.reason
        assert reader.is_alive()


def test_a_broken_video_says_so(clip: Path, tmp_path: Path) -> None:
    """A file that is no video, and one that is cut and damaged half-way."""
    (tmp_path / "text.mp4").write_text("this is no video" * 100)
    with reading(camera(str(tmp_path / "text.mp4"))) as reader:
        assert until(lambda: reader.status.link == "unreachable")
        assert "Invalid data" in reader.status.reason
    data = bytearray(clip.read_bytes())
    data[len(data) // 3 : -2000] = bytes(len(data[len(data) // 3 : -2000]))
    (tmp_path / "cut.mp4").write_bytes(data)
    with reading(camera(str(tmp_path / "cut.mp4"))) as reader:
        assert until(lambda: reader.status.link in ("unreachable", "ended"))


@contextmanager
def tcp(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that does something odd with each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = []

    def loop() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            opened.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        for connection in opened:
            connection.close()


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_hangs_ends_by_the_time_limit(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and never says a word: the read ends, and the camera is unreachable."""
    monkeypatch.setattr("edge.sources.OPEN_TIMEOUT_S", 0.5)
    monkeypatch.setattr("edge.sources.READ_TIMEOUT_S", 0.5)
    with tcp(lambda connection: None) as port, reading(camera(f"{scheme}://127.0.0.1:{port}/x")) as reader:
        assert until(lambda: reader.status.link == "unreachable", 10.0)


class _Redirect(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_redirects_are_not_followed() -> None:
    """A camera that sends us elsewhere is refused: the other address was never checked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Redirect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with reading(camera(f"http://127.0.0.1:{server.server_port}/x")) as reader:
        assert until(lambda: reader.status.link == "unreachable")
        assert "302" in reader.status.reason
    server.shutdown()
    server.server_close()


class _Mjpeg(http.server.BaseHTTPRequestHandler):
    """Asks for the password by one scheme, and checks what it gets; anything else is refused."""

    scheme = "Basic"
    seen: list[str | None] = []  # noqa: RUF012 - the handler's class is the test's only handle

    def do_GET(self) -> None:
        self.seen.append(said := self.headers.get("Authorization"))
        if said is None or not self.fits(said):
            self.send_response(401)
            nonce = ', qop="auth", nonce="n1"' if self.scheme == "Digest" else ""
            self.send_header("WWW-Authenticate", f'{self.scheme} realm="camera"{nonce}')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        rng = np.random.default_rng(1)
        for _ in range(200):
            _, jpeg = cv2.imencode(".jpg", rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
            except OSError:
                return
            time.sleep(0.05)

    def fits(self, said: str) -> bool:
        if self.scheme == "Basic":
            return said == "Basic YWRtaW46czNjcmV0L3Bhc3M="
        part = urllib.request.parse_keqv_list(urllib.request.parse_http_list(said.removeprefix("Digest ")))
        one, two = (
            hashlib.md5(text.encode()).hexdigest()
            for text in ("admin:camera:s3cret/pass", f"GET:{part['uri']}")
        )
        whole = f"{one}:n1:{part['nc']}:{part['cnonce']}:auth:{two}"
        return part["response"] == hashlib.md5(whole.encode()).hexdigest()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_an_http_camera_streams_and_gets_its_credential(scheme: str) -> None:
    """MJPEG over HTTP: the camera's own credential, as it asks for it, and not before it asks."""
    handler = type(scheme, (_Mjpeg,), {"scheme": scheme, "seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with reading(camera(f"http://127.0.0.1:{server.server_port}/x?y=1", credential="gate")) as reader:
        taken = frames(reader, 5)
        assert taken[0].size_px == (64, 48)
        assert taken[-1].media_s > taken[0].media_s
    assert handler.seen[0] is None
    assert str(handler.seen[1]).startswith(scheme)
    server.shutdown()
    server.server_close()


def test_a_webcam_is_read_as_a_device_until_it_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg's drawn device in the place of a real one: pictures, then unreachable with the reason."""
    monkeypatch.setattr("edge.sources.WEBCAM_FORMAT", "lavfi")
    monkeypatch.setattr(
        "edge.sources.device_of", lambda _: "testsrc2=size=320x240:rate=25,realtime,trim=duration=2"
    )
    with reading(camera("webcam:0")) as reader:
        taken = frames(reader, 20)
        assert taken[0].size_px == (320, 240)
        assert all(b.media_s > a.media_s for a, b in zip(taken, taken[1:], strict=False))  # noqa: RUF007 - plainer
        assert until(lambda: reader.status.link == "unreachable")
        assert "closed the stream" in reader.status.reason


def test_no_log_line_and_no_reason_shows_a_credential() -> None:
    """RTSP refused, wrong answer and closed connection, with a credential in the URL: it is nowhere to be read."""

    def rude(connection: socket.socket) -> None:
        asked = connection.recv(4096)
        connection.sendall(
            b'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n' + asked
        )
        connection.close()

    with structlog.testing.capture_logs() as logs, tcp(rude) as port:
        for target in (f"127.0.0.1:{port}", "127.0.0.1:1"):
            with reading(camera(f"rtsp://{target}/x?password=s3cret", credential="gate")) as reader:
                assert until(lambda r=reader: r.status.link == "unreachable")
                told = f"{reader.status} {logs} {reader.camera.camera_id}"
                for secret in ("s3cret", "admin:", "s3cret%2Fpass"):
                    assert secret not in told.replace(reader.camera.source, "")


def test_a_camera_that_comes_back_is_read_again(clip: Path, tmp_path: Path) -> None:
    """The file is not there, then it is: the next try opens it."""
    late = tmp_path / "late.mp4"
    with reading(camera(str(late)), jitter=lambda: 0.0) as reader:
        assert until(lambda: reader.status.link == "unreachable")
        late.write_bytes(clip.read_bytes())
        assert until(lambda: reader.status == LinkStatus(link="open"))
        frames(reader, 2)


def test_the_clocks_are_the_given_ones(clip: Path) -> None:
    """Times come from the clocks that were passed in, so that tests can move them."""
    clocks = Clocks(monotonic=lambda: time.monotonic() + 5000.0)
    with reading(camera(str(clip)), clocks=clocks) as reader:
        assert frames(reader, 1)[0].media_s == 0.0


def test_an_rtsp_camera_that_is_cut_comes_back_with_rising_seconds(clip: Path, tmp_path: Path) -> None:
    """A real RTSP server is killed and started again: unreachable in between, then read on, seconds rising."""
    folder = tmp_path / "rtsp"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(clip.read_bytes())
    server = RtspServer(folder, log=tmp_path / "rtsp.log")
    server.start()
    try:
        with reading(camera(server.url("clip.mp4", endless=True)), jitter=lambda: 0.0) as reader:
            before = frames(reader, 10)
            server.kill()
            assert until(lambda: reader.status.link == "unreachable")
            server.start()
            assert until(lambda: reader.status.link == "open"), reader.status
            after = frames(reader, 5)
            assert reader.ring.cut(after[0].media_s, 1e9)[0][0].media_s > before[-1].media_s
    finally:
        server.stop()
    media = [f.media_s for f in (*before, *after)]
    assert all(b > a for a, b in zip(media, media[1:], strict=False))  # noqa: RUF007 - reads plainer
    stamps = [f.captured_at for f in (*before, *after)]
    assert after[0].media_s - before[-1].media_s == pytest.approx(
        (stamps[10] - stamps[9]).total_seconds(), abs=0.5
    )

"""RTSP as real cameras have it: over TCP and UDP, H.264 and H.265, with losses, redirects and faults of half of them."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import av
import cv2
import numpy as np
import pytest

from edge.frames import Frame
from edge.minder import Minder
from edge.reader import Reader
from hcawatch.demo.rtsp import RtspServer
from monitor.domain.events import CameraState
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.doubles.edge_centre import EdgeCentre
from tests.doubles.edge_things import city, make_clip
from tests.doubles.rtsp_front import Front, Ways
from tests.integration.test_edge_sources import camera, frames, reading, until
from tests.integration.test_edge_worker import RunningEdge, launch

__all__ = ["launch"]  # a fixture


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """Two cameras' films: H.264 and H.265, two seconds with a key frame each second."""
    folder = tmp_path_factory.mktemp("films")
    make_clip(folder / "h264.mp4", seconds=2.0, fps=25)
    make_clip(folder / "h265.mp4", seconds=2.0, fps=25, codec="libx265")
    with RtspServer(folder, log=folder / "rtsp.log") as running:
        yield running


class Notes:
    """A minder's notes, in memory."""

    def note(self, key: str) -> str | None:
        return None

    def set_note(self, key: str, value: str | None) -> None:
        pass


def rising(taken: list[Frame]) -> bool:
    return all(b.media_s > a.media_s for a, b in zip(taken, taken[1:], strict=False))  # noqa: RUF007 - plainer


@pytest.mark.parametrize("film", ["h264.mp4", "h265.mp4"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_each_codec_comes_over_each_transport(server: RtspServer, film: str, transport: str) -> None:
    """Pictures of the right size, seconds rising, and packets for clips."""
    ways = Ways(udp=transport == "udp", swaps=transport == "udp")
    with (
        Front(server.port, ways) as front,
        reading(camera(front.url(film), transport=transport)) as reader,
    ):
        taken = frames(reader, 15)
        assert taken[0].size_px == (320, 240)
        assert rising(taken)
        assert reader.ring.cut(taken[0].media_s, taken[-1].media_s)[0]
        assert reader.slot.broken == 0


def test_auto_takes_udp_where_the_camera_refuses_tcp(server: RtspServer) -> None:
    """A camera with UDP only is read without anybody telling us so; asked for TCP it says what to write."""
    with Front(server.port, Ways(udp=True)) as front:
        with reading(camera(front.url("h264.mp4"), transport="auto")) as reader:
            assert len(frames(reader, 3)) == 3
        with reading(camera(front.url("h264.mp4"))) as reader:
            assert until(lambda: reader.status.link == "unreachable")
            assert "transport: udp" in reader.status.reason


@pytest.mark.parametrize("film", ["h264.mp4", "h265.mp4"])
def test_no_broken_picture_is_shown_when_packets_are_lost(server: RtspServer, film: str) -> None:
    """One packet in a hundred is lost: each picture that is seen is as it was sent, and the others are counted."""
    chance = random.Random(5)
    with av.open(str(server.folder / film)) as container:
        sent = [f.to_ndarray(format="bgr24").astype(np.int16) for f in container.decode(video=0)]
    ways = Ways(udp=True, loses=lambda n, _: n > 60 and chance.random() < 0.01)
    with Front(server.port, ways) as front, reading(camera(front.url(film), transport="udp")) as reader:
        minder, taken, states = Minder(reader.camera, Notes(), time.monotonic()), [], set()
        for frame in (frames(reader, 1)[0] for _ in range(60)):
            taken.append(frame.picture.bgr().astype(np.int16))
            small = cv2.resize(frame.picture.luma(), (160, 90))
            states.add(minder.look(frame, time.monotonic(), reader.status, small=small).state)
        assert states <= {CameraState.STARTING, CameraState.STREAMING}, "the watchdog cried wolf"
        assert until(lambda: front.lost >= 3 and reader.slot.broken >= 3)
        assert reader.status.link == "open"
        assert reader.reopened == 0
    worst = max(min(float(np.abs(one - other).mean()) for other in sent) for one in taken)
    assert worst < 1.0, "a picture was shown that nobody sent"


def test_a_camera_whose_clock_is_wrong_is_told_within_a_minute_and_again_when_it_is_right(
    server: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender reports are 90 s ahead, then right: told and taken back; the event's time is never the camera's."""
    monkeypatch.setattr("edge.pace.CLOCK_HOLD_S", 2.0)
    ways = Ways(clock_off_s=90.0)
    with Front(server.port, ways) as front, reading(camera(front.url("h264.mp4"))) as reader:
        minder = Minder(reader.camera, Notes(), time.monotonic())

        def reason() -> str:
            frame = reader.slot.take(5.0)
            assert frame is not None
            assert abs((frame.captured_at - datetime.now(UTC)).total_seconds()) < 10.0
            small = cv2.resize(frame.picture.luma(), (160, 90))
            return minder.look(frame, time.monotonic(), reader.status, small=small).reason

        began_s = time.monotonic()
        assert until(lambda: "clock_ahead:90" in reason(), 60.0 - 18.0)  # 18 s of the hold are left out here
        ways.clock_off_s = 0.0
        assert until(lambda: "clock" not in reason(), 60.0 - 18.0), reason()
    assert time.monotonic() - began_s < 60.0


def test_a_camera_that_does_not_know_the_date_is_not_told_of(server: RtspServer) -> None:
    """RFC 3550 lets such a sender count from 1900: no date, so nothing to compare."""
    ways = Ways(clock_off_s=-2_208_988_800 - 1_700_000_000)
    with Front(server.port, ways) as front, reading(camera(front.url("h264.mp4"))) as reader:
        assert {f.camera_utc for f in frames(reader, 10)} == {None}


def test_a_camera_that_sends_us_elsewhere_is_not_followed(server: RtspServer) -> None:
    """302 from RTSP, with a credential: nobody else hears of it, and the reason says what to do."""
    called: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:

        def listen() -> None:
            try:
                called.append(elsewhere.accept()[0].recv(4096))
            except OSError:
                return

        threading.Thread(target=listen, daemon=True).start()
        ways = Ways(sends_on_to=f"rtsp://127.0.0.1:{elsewhere.getsockname()[1]}/x")
        with (
            Front(server.port, ways) as front,
            reading(camera(front.url("h264.mp4"), credential="gate")) as reader,
        ):
            assert until(lambda: reader.status.link == "unreachable")
            assert "302" in reader.status.reason
            assert "s3cret" not in reader.status.reason
        assert not called


def test_packets_are_taken_from_the_camera_alone(server: RtspServer) -> None:
    """A camera that names another sender (`source=`) makes us send and listen nowhere else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        other.settimeout(0.5)
        ways = Ways(udp=True, source="127.0.0.2")
        with (
            Front(server.port, ways) as front,
            reading(camera(front.url("h264.mp4"), transport="udp")) as reader,
        ):
            assert len(frames(reader, 5)) == 5
            with pytest.raises(TimeoutError):
                other.recv(2048)


def test_half_of_the_cameras_are_cut_and_the_others_lose_nothing(
    server: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four cameras one is reset and one falls silent: the other two keep 99 % of their pictures; all come back."""
    monkeypatch.setattr("edge.sources.OPEN_TIMEOUT_S", 6.0)
    monkeypatch.setattr("edge.sources.READ_TIMEOUT_S", 4.0)
    with ExitStack() as stack:
        fronts = [stack.enter_context(Front(server.port)) for _ in range(4)]
        readers: list[Reader] = [
            stack.enter_context(reading(camera(front.url("h264.mp4")))) for front in fronts
        ]
        assert until(lambda: all(r.slot.arrived > 20 for r in readers), 40), [r.status for r in readers]
        before = [(f.pictures, r.slot.arrived) for f, r in zip(fronts, readers, strict=True)]
        fronts[0].cut()
        fronts[1].hang()
        assert until(lambda: readers[0].status.link == readers[1].status.link == "unreachable", 40), [
            r.status for r in readers
        ]
        time.sleep(3.0)  # while they try again and again
        for front, reader, (sent, arrived) in list(zip(fronts, readers, before, strict=True))[2:]:
            assert reader.status.link == "open"
            assert front.pictures - sent > 30
            assert reader.slot.arrived - arrived >= 0.99 * (front.pictures - sent) - 2  # two on their way
        fronts[0].heal()
        fronts[1].heal()
        assert until(lambda: all(r.status.link == "open" for r in readers), 40), [r.status for r in readers]


def test_people_are_told_what_came_and_what_was_lost_and_never_a_password(
    server: RtspServer, broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """A whole worker on a lossy UDP camera with a credential: the status counts, the log and the centre hold no secret."""
    chance = random.Random(5)
    ways = Ways(udp=True, loses=lambda n, _: n > 100 and chance.random() < 0.01)
    with Front(server.port, ways) as front, EdgeCentre(broker, "edge-14") as centre:
        lossy = camera(front.url("h264.mp4"), credential="gate", transport="udp", edge_id="edge-14")
        edge = launch(city(lossy), "edge-14")

        def counted(c: EdgeCentre) -> bool:
            said = c.statuses[-1].cameras["cam-1"] if c.statuses else None
            return said is not None and min(said.arrived, said.dropped, said.broken) > 0

        edge.until(centre, counted, 180)
        assert edge.stop() == 0
    log, told = edge.log.read_text(), str(centre.statuses)
    assert "camera_open" in log
    for text in (log, told):
        assert "s3cret" not in text
        assert "admin:" not in text

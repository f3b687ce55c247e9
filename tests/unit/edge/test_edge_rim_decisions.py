"""Small decisions at the rim: stream time, addresses, credentials, backoff, supervision, resending, playback."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest

from edge import networks, outbox_file, playback, publisher, reader, supervisor, uploader
from edge.errors import SourceBlocked, SourceUnreachable
from edge.frames import PacketRing
from edge.job import CameraJob
from edge.sources import Access, Stream
from edge.stream_clock import StreamClock, rebegin, stamp
from edge.supervisor import ChildLife, buried, next_step
from edge.worker import EdgeSettings, camera_jobs
from monitor.domain.assets import Camera
from tests.doubles.edge_things import NOON, city

SECRET = "pa:ss/w@rd%"


def camera(source: str, **changes: object) -> Camera:
    made = Camera(camera_id="cam-1", edge_id="edge-1", site_id="hca-1", name={}, source=source)
    return msgspec.structs.replace(made, **changes)


# stream time


def play(frames: list[tuple[float | None, float]], clock: StreamClock | None = None) -> list:
    """(stream second, arrival second) to stamps; the wall clock runs with arrival."""
    clock, stamps = clock or StreamClock(), []
    for stream_s, arrival_s in frames:
        clock, times = stamp(clock, stream_s, arrival_s, NOON + timedelta(seconds=arrival_s))
        stamps.append(times)
    return stamps


def test_jitter_of_arrival_is_smoothed_by_the_streams_own_spacing() -> None:
    """Packets that arrive up to 200 ms late are stamped on the stream's own even spacing."""
    rng = Random(1)
    stamps = play([(i / 25, 100 + i / 25 + rng.uniform(0, 0.2)) for i in range(500)])
    gaps = [(b.captured_at - a.captured_at).total_seconds() for a, b in pairwise(stamps[100:])]
    assert all(abs(gap - 0.04) < 0.015 for gap in gaps)
    assert [round(s.media_s, 6) for s in stamps[:3]] == [0.0, 0.04, 0.08]


def test_stream_seconds_never_go_back() -> None:
    """Wrapped, repeated, missing and jumping timestamps: media_s rises all the same, with the arrival."""
    frames = [(i / 10, 50 + i / 10) for i in range(20)]
    frames += [(0.0, 52.0), (0.1, 52.1), (0.1, 52.2), (None, 52.3), (9000.0, 52.4), (9000.1, 52.5)]
    media = [s.media_s for s in play(frames)]
    assert all(b > a for a, b in pairwise(media))
    assert media[-1] == pytest.approx(2.5, abs=0.05)


def test_a_pause_of_the_stream_is_a_pause_of_stream_time() -> None:
    """A camera that was silent for a minute and goes on with its own clock has lost that minute, not less."""
    media = [s.media_s for s in play([(0.0, 10.0), (0.1, 10.1), (60.1, 70.1)])]
    assert media[-1] == pytest.approx(60.1)


def test_a_stream_opened_again_continues() -> None:
    """After a reconnect the camera counts from zero; our seconds go on where they were, plus the time away."""
    clock = StreamClock()
    for i in range(10):
        clock, _ = stamp(clock, 500 + i / 10, 10 + i / 10, NOON)
    clock = rebegin(clock, 0.0, 15.9)
    clock, times = stamp(clock, 0.0, 15.9, NOON)
    assert times.media_s == pytest.approx(5.9, abs=0.01)


def test_a_clock_that_was_set_makes_times_uncertain_for_a_while() -> None:
    """The wall clock jumps by an hour: media_s does not, captured_at follows, and says so for a minute."""
    clock = StreamClock()
    for i in range(10):
        clock, _ = stamp(clock, i / 10, i / 10, NOON + timedelta(seconds=i / 10))
    hour = NOON + timedelta(hours=1)
    clock, after = stamp(clock, 1.0, 1.0, hour + timedelta(seconds=1))
    assert after.time_uncertain
    assert after.media_s == pytest.approx(1.0)
    assert abs((after.captured_at - hour).total_seconds() - 1.0) < 0.1
    for i in range(2, 700):
        clock, after = stamp(clock, i / 10 + 1, i / 10 + 1, hour + timedelta(seconds=i / 10 + 1))
    assert not after.time_uncertain


# addresses and credentials


@pytest.mark.parametrize(
    ("addresses", "good"),
    [
        (["10.1.2.3"], True),
        (["10.1.2.3", "192.168.1.1"], False),
        (["192.168.1.1"], False),
        (["::ffff:10.1.2.3"], True),
        (["::ffff:192.168.1.1"], False),
        (["fe80::1%eth0"], False),
        (["169.254.169.254"], False),
    ],
)
def test_every_address_of_a_camera_must_lie_inside_the_networks(addresses: list[str], good: bool) -> None:
    """One address outside blocks the camera; mapped addresses are what they map."""
    cam = camera("rtsp://gate-cam:8554/main")
    if good:
        url = networks.checked_url(cam, ("10.0.0.0/8",), {}, lambda host: addresses)
        assert addresses[0].rpartition(":")[2] in url
        assert "gate-cam" not in url
    else:
        with pytest.raises(SourceBlocked, match="outside the networks"):
            networks.checked_url(cam, ("10.0.0.0/8",), {}, lambda host: addresses)


def test_the_name_is_resolved_once_and_the_checked_address_is_opened() -> None:
    """A name that points elsewhere a moment later can't lead us there."""
    answers = iter([["10.0.0.1"], ["8.8.8.8"]])
    url = networks.checked_url(camera("http://cam/x?y=1"), ("10.0.0.0/8",), {}, lambda host: next(answers))
    assert url == "http://10.0.0.1/x?y=1"


def test_a_name_that_does_not_resolve_is_unreachable_not_blocked() -> None:
    """A dead name server is a matter of time."""

    def fail(host: str) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(SourceUnreachable, match="does not resolve"):
        networks.checked_url(camera("rtsp://cam/x"), ("10.0.0.0/8",), {}, fail)


def test_the_credential_stands_in_the_url_only_and_is_escaped() -> None:
    """It is looked up by name; what the URL itself carries is not used."""
    cam = camera("rtsp://someone:else@10.0.0.1/x", credential="gate")
    url = networks.checked_url(cam, ("10.0.0.0/8",), {"gate": f"admin:{SECRET}"}, lambda host: [host])
    assert url == "rtsp://admin:pa%3Ass%2Fw%40rd%25@10.0.0.1/x"
    with pytest.raises(SourceBlocked, match="'gate' is not in the edge's secrets"):
        networks.checked_url(cam, ("10.0.0.0/8",), {}, lambda host: [host])


@pytest.mark.parametrize(
    "text",
    [f"could not open rtsp://admin:{SECRET}@10.0.0.1/x", f"401 for {SECRET}", "x?password=hunter2&channel=1",
     "rtsp://u:hunter2@h/", f"admin:{SECRET}", "pa%3Ass%2Fw%40rd%25"],
)  # fmt: skip
def test_no_message_shows_a_credential(text: str) -> None:
    """User info, secret-like query values and the secrets themselves are taken out of any text."""
    shown = networks.redact(text, networks.secrets_of(f"admin:{SECRET}"))
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert "pa%3Ass" not in shown


def test_values_that_hold_secrets_do_not_show_them() -> None:
    """A log line or traceback that prints settings or a job prints no secret."""
    settings = EdgeSettings(data_dir="/tmp/x", mqtt_host="h", mqtt_port=1, mqtt_user="u", mqtt_password=SECRET,
                            centre_url="http://c", edge_token=SECRET, credentials={"gate": SECRET})  # fmt: skip
    jobs = camera_jobs(city(camera("rtsp://10.0.0.1/x", credential="gate")), "edge-1", settings)
    for value in (settings, jobs[0]):
        assert SECRET not in repr(value)
        assert SECRET not in f"{value}"


def test_a_camera_process_gets_its_own_credential_only() -> None:
    """Another camera's secret does not cross into its process."""
    settings = EdgeSettings(data_dir="/tmp/x", mqtt_host="h", mqtt_port=1, centre_url="http://c", edge_token="t",
                            credentials={"gate": "a:b", "field": "c:d"})  # fmt: skip
    (job,) = camera_jobs(city(camera("rtsp://10.0.0.1/x", credential="gate")), "edge-1", settings)
    assert isinstance(job, CameraJob)
    assert job.credentials == {"gate": "a:b"}
    with pytest.raises(KeyError, match=r"no edge 'edge-9'.*edge-1"):
        camera_jobs(city(camera("x")), "edge-9", settings)


# trying again


def test_backoff_grows_is_capped_and_jittered() -> None:
    """Between half and the whole of a doubling time, at most thirty seconds, however often it failed."""
    for attempt in (1, 2, 5, 50, 5000):
        low, high = reader.backoff_s(attempt, 0.0), reader.backoff_s(attempt, 1.0)
        assert high == min(30.0, 0.5 * 2.0 ** min(attempt - 1, 16))
        assert low == high / 2


def test_a_child_is_killed_when_it_hangs_and_started_when_it_may() -> None:
    """Twenty-five silent seconds are too many, sixty while it loads; the dead wait for their backoff."""
    loading = ChildLife(alive=True, started_s=0.0)
    assert next_step(loading, 59.0) == "nothing"
    assert next_step(loading, 61.0) == "kill"
    living = ChildLife(alive=True, started_s=0.0, last_beat_s=100.0)
    assert next_step(living, 124.0) == "nothing"
    assert next_step(living, 126.0) == "kill"
    assert next_step(ChildLife(alive=False, started_s=0.0, start_after_s=5.0), 4.9) == "nothing"
    assert next_step(ChildLife(alive=False, started_s=0.0, start_after_s=5.0), 5.0) == "start"


def test_a_camera_that_waits_for_the_outbox_is_not_taken_for_hung() -> None:
    """It may wait for an event and then for its minute; killed meanwhile it would lose its dwells, and wait again."""
    waited_s = 100.0 + 2 * outbox_file.BUSY_S
    assert next_step(ChildLife(alive=True, started_s=0.0, last_beat_s=100.0), waited_s + 1.0) == "nothing"


def test_a_child_that_keeps_dying_waits_longer_and_a_good_life_forgives() -> None:
    """Half a second, one, two, up to thirty; after a minute of life it starts at half a second again."""
    life, waits = ChildLife(alive=True, started_s=0.0), []
    for _ in range(9):
        life = buried(life, 1.0)
        waits.append(life.start_after_s - 1.0)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert buried(life, supervisor.GOOD_AFTER_S + 1.0).start_after_s == supervisor.GOOD_AFTER_S + 1.5


def test_what_no_receipt_covers_is_sent_again_later_each_time() -> None:
    """After fifteen seconds, then thirty, then sixty, at most four minutes."""
    for times, wait_s in ((1, 15), (2, 30), (3, 60), (9, 240)):
        sent = {7: publisher.Sent(at_s=100.0, times=times)}
        assert publisher.due(sent, 100.0 + wait_s - 0.1) == frozenset()
        assert publisher.due(sent, 100.0 + wait_s) == frozenset({7})


def test_evidence_is_tried_again_soon_when_its_event_is_on_the_way() -> None:
    """Not announced yet: a second. A centre that is away: two, then doubling, at most two minutes."""
    assert uploader.later_s("not_announced", 0) == 1.0
    assert [uploader.later_s("unreachable", n) for n in (0, 1, 2, 9)] == [2.0, 4.0, 8.0, 120.0]


@pytest.mark.parametrize(
    ("at", "loop", "expected"),
    [(100.0, False, 0.0), (130.0, False, 30.0), (165.0, False, 60.0), (100.0 + 60 + 601, False, None),
     (250.0, True, 30.0), (90.0, False, None)],
)  # fmt: skip
def test_a_file_goes_on_where_a_live_camera_would_be(at: float, loop: bool, expected: float | None) -> None:
    """A kill does not rewind the world: a clip of 60 s that began at 100 stands at 30 at 130."""
    began = playback.Began(source="a.mp4", at=100.0)
    assert playback.start_s(began, "a.mp4", at, 60.0, loop=loop) == expected
    assert playback.start_s(began, "b.mp4", at, 60.0, loop=loop) is None
    assert playback.start_s(None, "a.mp4", at, 60.0, loop=loop) is None


@pytest.mark.parametrize("substream", ["{folder}/private.mp4", "webcam:0", "stills:{folder}"])
def test_a_substream_opens_no_file_and_no_device(substream: str, tmp_path: Path) -> None:
    """Whatever configuration got through: nothing of the edge's own disk is shown in a camera's place."""
    named = substream.format(folder=tmp_path)
    watched = camera(named, substream=named)
    stream = Stream(watched, Access(networks=()), PacketRing(), clock=StreamClock(), wait=lambda _: True)
    with pytest.raises(SourceBlocked, match="a substream is"):
        next(stream.frames())

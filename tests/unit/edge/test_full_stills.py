"""The main stream's picture of a moment that was seen in the substream: the right one, or why there is none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from edge.episodes import Emission
from edge.errors import EvidenceRefused
from edge.evidence import EvidenceStore
from edge.frames import Bgr, Packet, PacketRing
from edge.full_stills import MOST_S, MOST_WAITING, NEAR_S, FullStills, Made, Missing, Wanted, decoded, stretch
from edge.outbox import SqliteOutbox
from edge.telling import Shot, Teller
from edge.watcher import Seen, WatcherState, step
from models.detector import Detection
from models.footprint import FOOTPRINTS
from monitor.domain import privacy_note
from monitor.domain.events import ModelRef, RiskEvent, decode_numbered
from tests.doubles.edge_things import Pinhole, ids, looks, make_clip, setup

FPS = 10


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "main.mkv", seconds=4.0, fps=FPS)


def filled(clip: Path, until_s: float = 9.0, begin_s: float = 0.0) -> PacketRing:
    """A ring with the clip's packets, as a reader fills it."""
    ring = PacketRing()
    with av.open(str(clip)) as container:
        ring.begin(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.size and packet.pts is not None:
                at_s = float(packet.pts * packet.time_base)  # type: ignore[operator]
                if begin_s <= at_s <= until_s:
                    ring.add(Packet(data=bytes(packet), pts=packet.pts, dts=packet.dts, time_base=packet.time_base,
                                    keyframe=packet.is_keyframe, media_s=at_s))  # type: ignore[arg-type]  # fmt: skip
    return ring


def wanted(at_s: float, keep: Any = None) -> Wanted:
    found: Any = (("ref", "name"),)
    return Wanted(emission="emission", at_s=at_s, keep=keep or (lambda _: found))  # type: ignore[arg-type]


def made(ring: PacketRing, at_s: float, keep: Any = None) -> Made:
    return FullStills(ring, sleep=lambda _: None).make(wanted(at_s, keep))


@pytest.mark.parametrize("at_s", [0.0, 0.54, 1.0, 2.96])
def test_it_is_the_picture_of_that_moment(clip: Path, at_s: float) -> None:
    """From the last key frame on, to the very picture: a machine may be gone in the next one."""
    seen: list[Bgr] = []

    def keep(bgr: Bgr) -> Any:
        seen.append(bgr)
        return (("ref", "name"),)

    assert made(filled(clip), at_s, keep).missing is None
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert np.array_equal(seen[0], frames[round(at_s * FPS)])


def test_why_there_is_none_is_named(clip: Path) -> None:
    """No stream, a stream that was opened too late, a moment that is long gone, broken packets, a full disk."""
    assert made(PacketRing(), 1.0).missing is Missing.NO_PACKETS
    assert made(filled(clip, begin_s=2.0), 1.0).missing is Missing.NO_PACKETS
    assert made(filled(clip), 9.0).missing is Missing.FAR
    assert made(filled(clip, begin_s=0.3, until_s=0.9), 0.5).missing is Missing.NO_PACKETS, (
        "it begins without a key frame"
    )
    packets, template = filled(clip).cut(1.0, 1.5)
    assert template is not None
    spoilt = tuple(Packet(data=b"\0" * 50, pts=p.pts, dts=p.dts, time_base=p.time_base, keyframe=p.keyframe,
                          media_s=p.media_s) for p in packets)  # fmt: skip
    assert decoded(spoilt, template, packets[0].pts or 0) is None

    def full(_: Bgr) -> Any:
        raise EvidenceRefused("the disk is nearly full")

    assert made(filled(clip), 1.0, full).missing is Missing.REFUSED


def test_only_what_is_needed_is_decoded() -> None:
    """From the last key frame before the moment; one that lies too far back costs more than a picture is worth."""

    def packets(*keys: float) -> tuple[Packet, ...]:
        return tuple(Packet(data=b"", pts=i, dts=i, time_base=1, keyframe=i / 10 in keys, media_s=i / 10)  # type: ignore[arg-type]
                     for i in range(200))  # fmt: skip

    found = stretch(packets(0.0, 2.0, 4.0), 3.0)
    assert not isinstance(found, Missing)
    assert (found[0][0].media_s, found[1]) == (2.0, 30)
    assert stretch(packets(0.0), MOST_S + 1.0) is Missing.FAR
    assert stretch(packets(0.0)[:30], 2.9 + NEAR_S + 0.01) is Missing.FAR
    assert not isinstance(stretch(packets(0.0)[:30], 2.9 + NEAR_S - 0.01), Missing)


def test_asking_never_waits(clip: Path) -> None:
    """Onsets come in a storm, the thread hangs: the looks go on, and what could not wait is named."""
    stills = FullStills(filled(clip))
    stills._thread = object()  # type: ignore[assignment]  # one that never takes anything
    for _ in range(MOST_WAITING + 2):
        stills.ask(wanted(1.0))
    assert [one.missing for one in stills.made()] == [Missing.BUSY, Missing.BUSY]


def test_what_is_ready_is_handed_over_once(clip: Path) -> None:
    """By a real thread; a fault of ours costs one picture, not the thread."""

    def broken(_: Bgr) -> Any:
        raise ValueError("a fault of ours")

    stills = FullStills(filled(clip))
    stills.ask(wanted(1.0, broken))
    stills.ask(wanted(1.0))
    ready: list[Made] = []
    for _ in range(300):
        ready += stills.made()
        if len(ready) == 2:
            break
        time.sleep(0.1)
    assert [one.missing for one in ready] == [Missing.BROKEN, None]
    assert stills.made() == ()


def test_the_onset_goes_out_with_the_small_picture_and_an_update_names_the_large_one(tmp_path: Path) -> None:
    """At once, and it says that it is the small one; then the same moment in full, with the box where it belongs."""
    clip = make_clip(tmp_path / "main.mkv", seconds=4.0, fps=FPS, size_px=(1280, 720))
    outbox, hole, new_id = SqliteOutbox(tmp_path / "outbox.sqlite"), Pinhole(), ids()
    core, state, told = setup(hole.camera()), WatcherState(), list[Emission]()
    box = hole.box(0.0, -FOOTPRINTS["excavator"].half_depth_m, 4.0, 3.0)
    digger = Seen(track_id=1, class_name="excavator", score=0.9, xyxy=box, box_motion=0.1)
    for look in looks(lambda _: (digger,), seconds=10.0):
        state, emissions = step(core, state, look, new_id)
        told += emissions
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    ring = filled(clip)
    teller = Teller(edge_id="edge-1", config_version="1", setup=core, outbox=outbox, store=EvidenceStore(tmp_path / "evidence"),
                    rings=(ring,), model=ModelRef(name="m", version="1", sha256="0" * 64), new_id=new_id,
                    stills=FullStills(ring))  # fmt: skip
    teller.saw(1.5, (640, 360), [Detection(class_name="person", score=0.9, xyxy=(10.0, 10.0, 30.0, 80.0))])
    small = np.asarray(cv2.resize(frames[15], (640, 360)), np.uint8)
    assert teller.tell(told[0], Shot(bgr=lambda: small, of_substream=True, media_s=1.5))
    for _ in range(300):
        teller.close_clips(2.0, state.episodes)
        if len(outbox.unreceipted(10)) > 1:
            break
        time.sleep(0.1)
    onset, full = (decode_numbered(row.payload) for row in outbox.unreceipted(10))
    assert isinstance(onset, RiskEvent)
    assert isinstance(full, RiskEvent)
    assert [ref.of_substream for ref in (*onset.evidence, *full.evidence)] == [True, True, False, False]
    assert (full.phase, full.reason, full.episode_id) == ("update", "still_taken", onset.episode_id)
    clean = (tmp_path / "evidence" / f"{full.evidence[1].sha256}.jpg").read_bytes()
    picture = cv2.imdecode(np.frombuffer(clean, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    apart = [np.abs(picture.astype(float) - frame).mean() for frame in frames]
    assert int(np.argmin(apart)) == 15, "another moment"
    note = privacy_note.from_jpeg(clean)
    assert note is not None
    assert (note.size_px, note.looks[0].boxes[0].x2 >= 60) == ((1280, 720), True), (
        "the face would not be hidden"
    )

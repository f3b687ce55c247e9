"""A camera with a substream: it is watched by the small stream, evidence comes from the large one, and neither is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import cv2
import msgspec
import numpy as np
import pytest

from edge.streams import AWAY_S, BACK_S, KEEP_S, Needs, choose
from hcawatch.demo.rtsp import RtspServer
from models.scenes.clip import render_demo_clip
from monitor.domain.assets import City
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.doubles.edge_centre import EdgeCentre, EvidenceServer
from tests.integration.test_edge_worker import DIGGING, RunningEdge, has_onset, launch, town

__all__ = ["launch"]  # a fixture

SUB_PX = (640, 360)


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """A rendered site as a large and as a small stream, each with key frames of its own."""
    folder = tmp_path_factory.mktemp("streams")
    render_demo_clip(folder / "main.mp4", folder / "truth.json", DIGGING)
    with av.open(str(folder / "main.mp4")) as main, av.open(str(folder / "sub.mp4"), "w") as sub:
        out: Any = sub.add_stream("libx264", rate=main.streams.video[0].average_rate, options={"bf": "0"})
        out.width, out.height, out.pix_fmt, out.gop_size = *SUB_PX, "yuv420p", 20
        for frame in main.decode(video=0):
            small = frame.reformat(*SUB_PX)
            small.pts, small.time_base = frame.pts, frame.time_base
            sub.mux(out.encode(small))
        sub.mux(out.encode(None))
    with RtspServer(folder, log=folder / "rtsp.log") as running:
        yield running


def site(rtsp: RtspServer, substream: str) -> City:
    """The site whose camera offers both."""
    truth = json.loads((Path(rtsp.folder) / "truth.json").read_text())
    where = town(truth, Path("unused"), "edge-14")
    camera = msgspec.structs.replace(
        where.cameras[0], source=rtsp.url("main.mp4", endless=True), substream=substream, loop=False
    )
    return msgspec.structs.replace(where, cameras=(camera,))


def test_the_small_stream_is_watched_and_the_clip_is_the_large_ones(
    rtsp: RtspServer, broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """Same violation, same place as ever, boxes in pixels of the full frame; the clip shows the full picture."""
    with EdgeCentre(broker, "edge-14") as centre, EvidenceServer("t") as server:
        edge = launch(site(rtsp, rtsp.url("sub.mp4", endless=True)), "edge-14", server.url)
        edge.until(centre, has_onset, 90)
        onset = next(e for e in centre.events() if e.phase == "onset")
        edge.until(centre, lambda c: any(e.reason == "clip_closed" for e in c.events()) and in_full(c), 60)
        told = {ref.sha256: ref.kind for event in centre.events() for ref in event.evidence}
        assert server.wait(lambda s: set(told) <= set(s.stored), 30)
        assert edge.stop() == 0
        log = edge.log.read_text()
    full_px = json.loads((Path(rtsp.folder) / "truth.json").read_text())["camera"]
    assert onset.violation == "excavation_5m"
    assert onset.position is not None
    assert onset.frame_size_px == (full_px["width_px"], full_px["height_px"])
    assert onset.bbox[2] - onset.bbox[0] > SUB_PX[0] / 4, "a box in pixels of the substream"
    clips = [server.stored[sha] for sha, kind in told.items() if kind == "clip"]
    assert full_px["width_px"] in {width_of(clip) for clip in clips}
    assert '"kept"' in log or "state=kept" in log
    # on a busy machine the small stream may seem to be away just then: the onset's own picture is large already
    full = next(e for e in centre.events() if is_in_full(e))
    if onset.evidence[0].of_substream:
        assert (full.reason, full.episode_id) == ("still_taken", onset.episode_id)
        assert pictures(onset, server.stored)[1].shape[1] == SUB_PX[0]
    assert [ref.kind for ref in full.evidence] == ["snapshot_annotated", "snapshot_clean"]
    assert {picture.shape[1] for picture in pictures(full, server.stored)} == {onset.frame_size_px[0]}


def is_in_full(event: Any) -> bool:
    """Whether it names snapshots of the main stream."""
    return any(ref.kind == "snapshot_clean" and not ref.of_substream for ref in event.evidence)


def in_full(centre: EdgeCentre) -> bool:
    """Whether some event does."""
    return any(is_in_full(event) for event in centre.events())


def pictures(event: Any, stored: dict[str, bytes]) -> list[Any]:
    """Its snapshots, annotated and clean."""
    return [
        cv2.imdecode(np.frombuffer(stored[ref.sha256], np.uint8), cv2.IMREAD_COLOR) for ref in event.evidence
    ]


def width_of(clip: bytes) -> int:
    """Of its pictures, pixels."""
    with av.open(BytesIO(clip)) as container:
        return int(container.streams.video[0].width)


def test_without_its_small_stream_a_camera_is_watched_by_the_large_one(
    rtsp: RtspServer, broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """A wrong or dead substream costs power, not sight."""
    with EdgeCentre(broker, "edge-14") as centre:
        edge = launch(site(rtsp, rtsp.url("there-is-none.mp4")), "edge-14")
        edge.until(centre, has_onset, 90)
        assert edge.stop() == 0


@pytest.mark.parametrize(
    ("needs", "wanted"),
    [
        (Needs(sub_at_s=None, began_s=100.0 - AWAY_S / 2), "closed"),
        (Needs(sub_at_s=None, began_s=100.0 - AWAY_S - 1), "watched"),
        (Needs(sub_at_s=99.0, began_s=0.0), "closed"),
        (Needs(sub_at_s=99.0, began_s=0.0, busy_at_s=100.0 - KEEP_S / 2), "kept"),
        (Needs(sub_at_s=99.0, began_s=0.0, busy_at_s=100.0 - KEEP_S - 1), "closed"),
        (Needs(sub_at_s=99.0, began_s=0.0, unfit="too small"), "watched"),
        (Needs(sub_at_s=99.0, began_s=0.0, down=True), "watched"),
        (Needs(sub_at_s=99.9, sub_since_s=95.0, began_s=0.0, watched=True), "watched"),
        (Needs(sub_at_s=99.9, sub_since_s=100.0 - BACK_S, began_s=0.0, watched=True), "closed"),
        (Needs(sub_at_s=90.0, began_s=0.0, busy_at_s=99.0), "watched"),
    ],
)
def test_what_the_large_stream_is_for(needs: Needs, wanted: str) -> None:
    """Closed while nothing goes on, kept for evidence while something does, watched where the small one fails."""
    assert choose(needs, 100.0)[0] == wanted

"""A camera over RTSP in which nothing moves for a while: little is decoded, and the first thing that comes is not missed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hcawatch.demo.rtsp import RtspServer
from models.scenes.clip import render_demo_clip
from models.scenes.story import Story
from monitor.domain.events import WatchRecord
from monitor.domain.levels import Level
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.doubles.edge_centre import EdgeCentre
from tests.integration.test_edge_worker import PLACE, RunningEdge, has_onset, launch, town

__all__ = ["launch"]  # a fixture

#: Nothing for 21 seconds; then it drives in, and digs from second 26 on.
LATER = Story(enter_s=21.0, stop_s=25.0, dig_s=26.0, fold_s=90.0, leave_s=95.0, gone_s=99.0, duration_s=40.0)


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    folder = tmp_path_factory.mktemp("later")
    render_demo_clip(folder / "later.mp4", folder / "truth.json", LATER)
    with RtspServer(folder, log=folder / "rtsp.log") as running:
        yield running


def test_what_comes_while_a_camera_dozes_is_told_in_time(
    rtsp: RtspServer, broker: EmbeddedBroker, launch: Callable[..., RunningEdge]
) -> None:
    """The excavator that drives into a still picture is told as soon as its dwell is over, at its true place."""
    truth = json.loads((Path(rtsp.folder) / "truth.json").read_text())
    with EdgeCentre(broker, "edge-14") as centre:
        edge = launch(town(truth, rtsp.url("later.mp4"), "edge-14", loop=False), "edge-14")
        edge.until(centre, has_onset, 90)
        onset = next(e for e in centre.events() if e.violation == "excavation_5m")
        late_s = next(at for at, seq in centre.arrived if seq == onset.seq) - onset.captured_at.timestamp()
        assert edge.stop() == 0
        last_seq = edge.outbox().summary().last_seq
        assert centre.wait(lambda c: len(c.messages) == last_seq)
    watched = [m for m in centre.messages.values() if isinstance(m, WatchRecord)]
    assert late_s < 1.0
    assert onset.risk_edge is Level.I
    assert onset.position is not None
    true_m = truth["frames"][-1]["footprint_centre_en_m"]
    assert math.dist(PLACE.to_en_m((onset.position.lon, onset.position.lat)), true_m) < 2.0
    assert onset.dwell_s < 6.0, "it stood there for longer than its rule asks before it was told"
    seconds, looks = sum(m.watched_s for m in watched), sum(m.looks for m in watched)
    streaming_s = sum(m.state_s.get("streaming", 0.0) for m in watched)
    assert seconds > 0.98 * streaming_s > 15, "dozing is watching: what lies between two looks is kept"
    assert looks < 3.6 * seconds, (
        "nothing moved for two thirds of the time, and it was looked at five times a second"
    )

"""The bench `edge`: from CPU seconds, frames and events to the figures of its last line."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.bench import edge
from tests.bench.edge_parts import accounts, figures, scene
from tests.bench.edge_parts.figures import Run
from tests.bench.edge_parts.relay import MarkerCounter
from tests.bench.edge_parts.truth import FPS, Score, moving_frames
from tests.bench.edge_parts.zones import Dwell

FOUND = Score(expected=4, found=4, false=0, delays_s=(0.1, 0.2, 0.3, 0.4))


def run(side: str, scenario: str, cpu_s: float, looks: float | None = 350.0, score: Score = FOUND) -> Run:
    """Seventy seconds of video."""
    return Run(
        side=side, scenario=scenario, cpu_s=cpu_s, frames=70 * FPS, wall_s=70.0, looks=looks, score=score
    )


def test_the_ratio_is_that_of_the_cheaper_peer() -> None:
    """A dear peer must not make us look good."""
    ours, dear, cheap = run("ours", "busy", 7.0), run("a", "busy", 70.0), run("b", "busy", 14.0)
    assert ours.cost == pytest.approx(0.1)
    assert figures.ratio(ours, [dear, cheap]) == pytest.approx(2.0)
    assert figures.ratio(None, [dear]) is None
    assert figures.ratio(ours, []) is None


def test_the_last_line_has_each_figure_from_the_right_runs() -> None:
    """Ratios of their own scenario; recall and delays of ours over both; peers' recall apart."""
    half = Score(expected=4, found=2, false=1, delays_s=(0.6, 0.7))
    found = [run("ours", "10pct", 3.5), run("b", "10pct", 21.0), run("ours", "busy", 14.0, score=half),
             run("b", "busy", 28.0, score=half)]  # fmt: skip
    table = edge.table_of(found, {"decode_s": 0.5, "detect_s": 1.25}, "openvino", None)
    assert table["ratio_10pct"] == 6.0
    assert table["ratio_busy"] == 2.0
    assert table["streams_per_core"] == {"10pct": 20.0, "busy": 5.0}
    assert table["of_limit"] == 0.5
    assert table["event_recall"] == 0.75
    assert table["event_recall_peers"] == {"b": 0.75}
    assert table["onset_to_publish_ms"]["p50"] == pytest.approx(350.0)
    assert table["ratio_10pct_sub"] is None
    assert figures.missed(table) == ["of_limit", "event_recall", "onset_to_publish_ms.p95"]


def test_what_was_not_measured_is_no_missed_aim() -> None:
    """A quick run has no memory figure."""
    table = edge.table_of([], None, "auto", None)
    assert table["onset_to_publish_ms"] == {"p50": None, "p95": None}
    assert figures.missed(table) == []
    assert figures.missed({"memory_growth_mb_h": 5.1}) == ["memory_growth_mb_h"]
    assert figures.missed({"memory_growth_mb_h": 4.9}) == []


def test_a_run_that_the_machine_had_no_time_for_is_named() -> None:
    """Looks that were left out would look like thrift; ours may leave some out where nothing moves."""
    slow = run("ours", "busy", 7.0, looks=280.0)
    assert figures.starved(
        [slow, run("ours", "10pct", 7.0, looks=40.0), run("b", "busy", 7.0, looks=320.0)]
    ) == ["ours busy: 4.0 looks/s"]


def test_a_tree_counts_its_living_and_its_ended_processes_once() -> None:
    """User and system, own and waited-for children's."""
    rows = [SimpleNamespace(user=1.0, system=0.5, children_user=4.0, children_system=0.25),
            SimpleNamespace(user=2.0, system=0.0, children_user=0.0, children_system=0.0)]  # fmt: skip
    assert accounts.summed(rows) == accounts.Usage(cpu_s=7.75, processes=2)  # type: ignore[arg-type]


BURN = "import time\nwhile time.process_time() < 0.4: pass\n"


def test_children_that_ended_stay_in_the_account() -> None:
    """A real tree: one child has burnt 0.4 s and is gone, one lives; a gone tree costs nothing more."""
    program = f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {BURN!r}])\nprint(flush=True)\ntime.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        spent = accounts.usage(parent.pid)
        assert spent.processes == 1
        assert 0.4 <= spent.cpu_s < 2.0
        assert accounts.memory_mb(parent.pid) > 1.0
        parent.kill()
    assert accounts.usage(parent.pid).processes == 0


def test_memory_growth_is_the_slope_and_a_clip_in_flight_does_not_move_it() -> None:
    """Two megabytes an hour, with one peak of 60 MB."""
    samples = [(10.0 * k, 300.0 + 2.0 * 10.0 * k / 3600.0) for k in range(180)]
    samples[90] = (900.0, 360.0)
    assert accounts.growth_mb_h(samples) == pytest.approx(2.0, abs=0.05)
    assert accounts.growth_mb_h(samples[:5]) is None


def test_ten_percent_is_ten_percent_and_busy_is_always() -> None:
    """The share of counted frames in which something moves."""
    sizes = {"person": [(110, 340)], "machine": [(740, 620)]}
    for scenario, share in (("10pct", 0.1), ("busy", 1.0)):
        total, passages = scene.timetable(scenario, 140.0, sizes)
        runs = moving_frames(passages, scene.LEAD_FRAMES, total)
        assert total == scene.LEAD_FRAMES + 140 * FPS
        assert sum(b - a for a, b in runs) / (140 * FPS) == pytest.approx(share)
        assert min(p.first_frame for p in passages) >= scene.LEAD_FRAMES


def packet(channel: int, *, marker: bool, size: int = 20) -> bytes:
    """An RTP packet inside RTSP; its payload is full of dollar signs."""
    body = bytes([0x80, 0xE0 if marker else 0x60]) + b"\x00" * 10 + b"$" * (size - 12)
    return b"$" + bytes([channel]) + len(body).to_bytes(2, "big") + body


def test_frames_are_counted_however_the_stream_is_cut() -> None:
    """Answers between packets, RTCP, single bytes: two frames end, in whichever pieces they come."""
    answer = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\n$$$$$"
    stream = (
        answer
        + packet(0, marker=False)
        + packet(0, marker=True)
        + packet(1, marker=True)
        + packet(0, marker=True)
    )
    assert MarkerCounter().feed(stream) == 2
    counter = MarkerCounter()
    assert sum(counter.feed(bytes([byte])) for byte in stream) == 2


def test_a_peers_dwell_survives_a_missed_look_and_is_told_once() -> None:
    """As with us: three seconds, a short gap doesn't end them, a long one does."""
    dwell = Dwell(3.0)
    told = [dwell.update([7] if k != 8 else [], k * 0.2) for k in range(20)]
    assert [k for k, ready in enumerate(told) if ready] == [15]
    again = Dwell(3.0)
    again.update([7], 0.0)
    assert again.update([7], 3.5) == []
    assert again.update([7], 6.5) == [7]


def test_the_bench_is_listed_and_its_parts_are_not() -> None:
    """`python -m tests.bench` offers what can be run."""
    from tests.bench.__main__ import names

    assert "edge" in names()
    assert not [name for name in names() if name.startswith("edge_")]

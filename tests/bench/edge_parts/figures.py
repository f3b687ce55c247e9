"""From what was measured to the figures of the last line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from tests.bench.edge_parts.truth import FPS, Score

#: figure, aim, and whether it must be at least or at most that
AIMS: Final = (
    ("ratio_10pct", 6.0, "least"), ("ratio_busy", 1.5, "least"), ("ratio_10pct_sub", 6.0, "least"),
    ("of_limit", 0.7, "least"), ("event_recall", 0.95, "least"), ("onset_to_publish_ms.p95", 500.0, "most"),
    ("memory_growth_mb_h", 5.0, "most"),
)  # fmt: skip
#: A run that looked less often than this share of what it should was starved: its cost means nothing.
LOOKS_SHARE: Final = 0.9
LOOKS_PER_S: Final = 5.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One side over one scenario."""

    side: str
    scenario: str
    cpu_s: float
    #: frames handed over while the CPU was counted
    frames: int
    wall_s: float
    #: pictures that were looked at while it was counted; None if the side can't say
    looks: float | None
    score: Score
    #: times that the stream was opened
    opened: int = 1

    @property
    def video_s(self) -> float:
        return self.frames / FPS

    @property
    def cost(self) -> float:
        """CPU seconds a video second."""
        return self.cpu_s / self.video_s

    @property
    def looks_per_s(self) -> float | None:
        return None if self.looks is None else self.looks / self.video_s


def ratio(ours: Run | None, peers: Sequence[Run]) -> float | None:
    """How many times dearer the cheaper peer is; None without both."""
    if ours is None or not peers:
        return None
    return min(peer.cost for peer in peers) / ours.cost


def recall(runs: Sequence[Run]) -> float | None:
    """Share of the true onsets that were told, over all runs together; None if there was none."""
    expected = sum(run.score.expected for run in runs)
    return sum(run.score.found for run in runs) / expected if expected else None


def percentiles_ms(runs: Sequence[Run]) -> dict[str, float | None]:
    """Median and 95th percentile of the delays, milliseconds."""
    delays_s = [d for run in runs for d in run.score.delays_s]
    if not delays_s:
        return {"p50": None, "p95": None}
    return {f"p{q}": round(float(np.percentile(delays_s, q)) * 1000.0, 1) for q in (50, 95)}


def of_limit(limit_cpu_s: float | None, video_s: float, ours: Run | None) -> float | None:
    """What decoding and detecting only the moving frames costs, over what we cost."""
    return None if limit_cpu_s is None or ours is None else limit_cpu_s / video_s / ours.cost


def starved(runs: Sequence[Run]) -> list[str]:
    """Runs that looked clearly less often than they should: somebody else had the core.

    Ours looks less often by itself where nothing moves once it decodes key frames only, so only its busy
    runs can tell.
    """
    return [
        f"{run.side} {run.scenario}: {run.looks_per_s:.1f} looks/s"
        for run in runs
        if run.looks_per_s is not None
        and run.looks_per_s < LOOKS_SHARE * LOOKS_PER_S
        and not (run.side == "ours" and run.scenario != "busy")
    ]


def missed(table: Mapping[str, Any]) -> list[str]:
    """Names of the figures that don't reach their aim; what was not measured is not among them."""
    found = []
    for name, aim, kind in AIMS:
        value: Any = table
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None and (value < aim if kind == "least" else value > aim):
            found.append(name)
    return found


def row(run: Run) -> dict[str, Any]:
    """A run for the last line."""
    return {
        "cpu_s_per_video_s": round(run.cost, 4), "cpu_s": round(run.cpu_s, 2), "video_s": round(run.video_s, 1),
        "wall_s": round(run.wall_s, 1),
        "looks_per_s": None if run.looks_per_s is None else round(run.looks_per_s, 2),
        "events": {"expected": run.score.expected, "found": run.score.found, "false": run.score.false,
                   "missed": [f"{o.kind} from frame {o.onset_frame}" for o in run.score.missed]},
        "delays_ms": [round(d * 1000) for d in run.score.delays_s], "stream_opened": run.opened,
    }  # fmt: skip

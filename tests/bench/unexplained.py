"""What has changed for good and no class explains: how often it is told for nothing, and how often it is found.

    python -m tests.bench unexplained [--clips FOLDER] [--quick] [--minutes N] [--backend NAME] [--json]

Real footage, each clip over and over for N minutes, at a dozing camera's look every two seconds, at the harshest
place there is: the whole picture is a zone on the pipe. Over it lies one condition of light or weather after the
other (`unexplained_parts/light.py`), each from a fixed seed. A report is false: nothing is put there, and what the
clips show goes on as it began. `false_reports`, `camera_hours`, `per_camera_hour` with its 95 % interval (exact
Poisson), in all and `by_condition`.

Then things are put into the same backgrounds after five minutes (`unexplained_parts/things.py`: heaps, stacked
pipes, sheds, machines that the detector does not know), and stay: `recall`, by kind, by width in pixels of a
320 px picture (times six at 1080p) and by condition, and `delay_s` {p50, p95} from the thing's coming. `cost_ms`
is what one look costs on this machine: mean, and the 99th percentile (a look that completes a standing picture).

A clip of half a minute that begins anew for the fortieth time is no day of forty half-minutes; and light that is
drawn is no sky. The figures say that the known dangers are withstood, not that there are no others.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import change, gate, unexplained, watcher
from models.detector import Detector
from models.eval.events.rates import poisson_interval
from models.eval.events.truth import SHARED_CLIPS, read_truth
from models.eval.video import choose, frames
from models.registry import load
from monitor.domain.assets import PictureZone
from monitor.domain.violations import RULES, UNEXPLAINED
from tests.bench.footage import DATA, NOON
from tests.bench.unexplained_parts import light, things
from tests.doubles.edge_things import Pinhole, ids, setup

#: Pictures a second that are read from the clips, and seconds between looks: a dozing camera's key frames.
READ_PER_S: Final = 2.0
LOOK_EVERY_S: Final = 2.0
MINUTES: Final = 20.0
#: When a thing comes, and how long it is waited for.
COMES_S: Final = 300.0
WAITED_S: Final = 300.0
#: Widths of things, pixels of the small picture: 3 m wide at 75 m and at 20 m, with 60 degrees across.
WIDTHS_PX: Final = (24, 40, 64)
PASTED_IN: Final = ("as_filmed", "clouds", "rain", "mast")
#: Where to put a thing: so many places are tried.
PLACES: Final = 20
#: Clips whose camera is carried about: no scene stays long enough to be known, so nothing is put into them.
CARRIED: Final = frozenset(
    {"excavator_loading_dump_truck.mp4", "grass_fire_firefighter.mp4", "vehicle_fire_street.mp4"}
)
SEED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A clip made small: pictures (n, h, w, 3), and for each the boxes of what the detector saw."""

    name: str
    pictures: NDArray[np.uint8]
    boxes: tuple[tuple[change.Box, ...], ...]

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.pictures.shape[2], self.pictures.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One report."""

    at_s: float
    box: change.Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """A thing that comes after COMES_S."""

    kind: str
    width_px: int
    seed: int
    left: int
    foot: int
    thing: Any

    def over(self, box: change.Box) -> bool:
        """Whether a report is of this thing: the middle of one lies in the other."""
        height, width = self.thing[1].shape
        own = (self.left, self.foot - height, self.left + width, self.foot)
        return _middle_in(own, box) or _middle_in(box, own)


def _meet(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _middle_in(a: Sequence[float], b: Sequence[float]) -> bool:
    x, y = (a[0] + a[2]) / 2, (a[1] + a[3]) / 2
    return b[0] <= x <= b[2] and b[1] <= y <= b[3]


def main() -> int:
    """Watch and print; exit status 1 if anything was told for nothing."""
    asked = _arguments()
    cv2.setNumThreads(1)  # as in a camera's process
    films = read(asked.clips, None if asked.quick else load(None, asked.backend))
    minutes = 8.0 if asked.quick and asked.minutes == MINUTES else asked.minutes
    costs: list[float] = []
    false = {name: _false(films, name, minutes, costs) for name in light.CONDITIONS}
    found = _recall(films, ("as_filmed",) if asked.quick else PASTED_IN)
    table = summary(false, len(films) * minutes / 60, found) | {
        "cost_ms": {"mean": round(float(np.mean(costs)), 3), "p99": round(float(np.percentile(costs, 99)), 3)}
    }
    if not asked.json:
        _print(table)
    print(json.dumps(table))
    return 1 if table["false_reports"] else 0


def read(clips: Path, detector: Detector | None) -> list[Film]:
    """The clips made small, with what the detector sees in them."""
    chosen, _ = choose([clips], read_truth(SHARED_CLIPS), SHARED_CLIPS)
    films = []
    for clip, path in chosen:
        small, boxes = [], []
        for _, bgr, _ in frames(path, READ_PER_S):
            if bgr is None:
                continue
            height = round(bgr.shape[0] * gate.SMALL_WIDTH_PX / bgr.shape[1])
            scale = gate.SMALL_WIDTH_PX / bgr.shape[1]
            small.append(cv2.resize(bgr, (gate.SMALL_WIDTH_PX, height), interpolation=cv2.INTER_AREA))
            seen = detector.detect(bgr) if detector is not None else ()
            boxes.append(tuple(tuple(v * scale for v in d.xyxy) for d in seen if d.score >= 0.4))
        films.append(Film(name=clip.file, pictures=np.stack(small), boxes=tuple(boxes)))
        _say(f"{clip.file}: {len(small)} pictures")
    return films


def watch(
    film: Film,
    condition: str,
    seconds: float,
    seed: int,
    pasted: Pasted | None = None,
    costs: list[float] | None = None,
) -> list[Told]:
    """What is told of one film in one condition."""
    width, height = film.size_px
    show = light.made(condition, seed, (height, width))
    whole = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    zone = PictureZone(zone_id="all", kind="on_pipe", polygon_px=whole)
    core = setup(
        Pinhole(size_px=film.size_px).camera(zones=(zone,), ground_points=()),
        rules=tuple(rule for rule in RULES if UNEXPLAINED in rule.classes),
    )  # fmt: skip
    memory, state, new_id, told = unexplained.Memory(), watcher.WatcherState(), ids(), []
    step = round(LOOK_EVERY_S * READ_PER_S)
    for k in range(int(seconds / LOOK_EVERY_S)):
        t, at = k * LOOK_EVERY_S, (k * step) % len(film.pictures)
        bgr = film.pictures[at]
        if pasted is not None and t >= COMES_S:
            bgr = things.onto(bgr, pasted.thing, pasted.left, pasted.foot)
        luma, infrared = show(bgr, t)
        began = time.process_time()
        memory.knows(film.boxes[at], film.size_px, t)
        memory.look(luma, t, infrared=infrared)
        if costs is not None:
            costs.append(1000 * (time.process_time() - began))
        look = watcher.Look(
            media_s=t, captured_at=NOON + timedelta(seconds=t), frame_size_px=film.size_px,
            objects=change.seen(memory.regions, film.size_px),
        )  # fmt: skip
        state, emissions = watcher.step(core, state, look, new_id)
        told += [Told(at_s=t, box=e.episode.sighting.xyxy) for e in emissions if e.phase == "onset"]
    return told


def _false(films: list[Film], condition: str, minutes: float, costs: list[float]) -> dict[str, list[Told]]:
    told = {
        film.name: watch(film, condition, minutes * 60, SEED + i, costs=costs) for i, film in enumerate(films)
    }
    _say(f"{condition}: {sum(map(len, told.values()))} false")
    return told


def _recall(films: list[Film], conditions: Sequence[str]) -> list[tuple[Pasted, str, str, float | None]]:
    """Each thing with its clip, its condition, and the seconds until it was told."""
    found: list[tuple[Pasted, str, str, float | None]] = []
    for i, film in enumerate(films):
        if film.name in CARRIED:
            continue
        for j, kind in enumerate(things.KINDS):
            for width_px in WIDTHS_PX:
                seed = SEED + 1000 * i + 100 * j + width_px
                pasted = _placed(film, kind, width_px, seed)
                condition = conditions[len(found) % len(conditions)]
                told = watch(film, condition, COMES_S + WAITED_S, seed, pasted)
                first = next(
                    (one.at_s - COMES_S for one in told if one.at_s > COMES_S and pasted.over(one.box)), None
                )
                found.append((pasted, film.name, condition, first))
        _say(
            f"{film.name}: {sum(f[3] is not None for f in found if f[1] == film.name)} of {len(things.KINDS) * len(WIDTHS_PX)} found"
        )
    return found


def _placed(film: Film, kind: str, width_px: int, seed: int) -> Pasted:
    """Somewhere in the lower two thirds of the picture, of PLACES tried the one where fewest objects come by."""
    rng = np.random.default_rng(seed)
    thing = things.made(kind, width_px, seed)
    height, width = thing[1].shape
    tried = []
    for _ in range(PLACES):
        left = int(rng.integers(4, film.size_px[0] - width - 4))
        foot = int(rng.integers(max(height + 2, film.size_px[1] // 3), film.size_px[1] - 4))
        place = (left, foot - height, left + width, foot)
        tried.append((sum(_meet(place, box) for boxes in film.boxes for box in boxes), left, foot))
    _, left, foot = min(tried)
    return Pasted(kind=kind, width_px=width_px, seed=seed, left=left, foot=foot, thing=thing)


def summary(
    false: dict[str, dict[str, list[Told]]],
    hours_each: float,
    found: list[tuple[Pasted, str, str, float | None]],
) -> dict[str, Any]:
    """The figures."""

    def rate(reports: int, hours: float) -> dict[str, Any]:
        low, high = poisson_interval(reports)
        return {"false_reports": reports, "camera_hours": round(hours, 2), "per_camera_hour": round(reports / hours, 3),
                "interval_95": [round(low / hours, 3), round(high / hours, 3)]}  # fmt: skip

    def share(of: list[tuple[Pasted, str, str, float | None]]) -> dict[str, Any]:
        hit = sum(f[3] is not None for f in of)
        return {"found": hit, "of": len(of), "recall": round(hit / len(of), 3) if of else None}

    delays = [f[3] for f in found if f[3] is not None]
    counts = {name: sum(map(len, told.values())) for name, told in false.items()}
    return {
        **rate(sum(counts.values()), hours_each * len(false)),
        "by_condition": {
            name: rate(n, hours_each) | {"where": {c: [[t.at_s, *map(round, t.box)] for t in told] for c, told in false[name].items() if told}}
            for name, n in counts.items()
        },
        "recall": share(found),
        "recall_by_kind": {kind: share([f for f in found if f[0].kind == kind]) for kind in things.KINDS},
        "recall_by_width_px": {str(w): share([f for f in found if f[0].width_px == w]) for w in WIDTHS_PX},
        "recall_by_condition": {c: share([f for f in found if f[2] == c]) for c in sorted({f[2] for f in found})},
        "recall_by_clip": {c: share([f for f in found if f[1] == c]) for c in sorted({f[1] for f in found})},
        "delay_s": {p: round(float(np.percentile(delays, int(p[1:]))), 1) for p in ("p50", "p95")} if delays else None,
    }  # fmt: skip


def _print(table: dict[str, Any]) -> None:
    for name, row in ({"all": table} | table["by_condition"]).items():
        low, high = row["interval_95"]
        print(f"{name:12} {row['false_reports']:>3} false in {row['camera_hours']:.2f} h: "
              f"{row['per_camera_hour']} a camera-hour (95 %: {low} to {high})")  # fmt: skip
    for family in ("kind", "width_px", "condition", "clip"):
        for name, row in table[f"recall_by_{family}"].items():
            print(f"{name:34} {row['found']:>3} of {row['of']:>3} found")
    print(f"recall {table['recall']}, delay {table['delay_s']}, cost {table['cost_ms']} ms a look")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench unexplained", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    parser.add_argument("--clips", type=Path, default=DATA, help="a clip, or a folder of them")
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="that each clip goes round in each condition"
    )
    parser.add_argument("--backend", default="onnxruntime", help="openvino-int8, openvino or onnxruntime")
    parser.add_argument(
        "--quick", action="store_true", help="eight minutes each, no detector, one condition for recall"
    )
    parser.add_argument("--json", action="store_true", help="only the last line")
    return parser.parse_args()


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

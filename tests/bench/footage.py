"""How often the edge's rules would call somebody out for nothing, on real footage.

    python -m tests.bench footage [--clips FOLDER] [--events YAML] [--backend NAME] [--json]

Each clip goes through the edge's own gate, detector, tracker and rules as a camera's pictures would, five looks
a second, at the harshest place there is: the whole picture is a drawn zone of every kind, and a mast camera's
ground on which every place lies within every band. So a machine that works, a truck that drives or a person who
stays somewhere is told, and is no false alarm: that is what the rules are for. A false alarm is an onset that
names a class which nobody annotated there and then (up to AROUND_S before or after); where the annotations are
unsure or silent about a class, it counts for nothing and stands in `unscored`.

The last line is one JSON object: `false_alarms`, `camera_hours`, `per_camera_hour` with its 95 % interval
(exact Poisson), `true_onsets`, the same by rule (`by_rule`) and by light and by motion (`by_condition`), and
`clips`. Seven minutes of film say little about a day: read the interval.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from edge import gate, watcher
from edge.followed import followed
from edge.looking import Looker
from edge.tracking import ByteTracker
from models.detector import Detector
from models.eval.events.rates import poisson_interval
from models.eval.events.truth import SHARED_CLIPS, Clip, read_truth
from models.eval.video import choose, frames
from models.registry import load
from monitor.domain.assets import PictureZone
from monitor.domain.violations import rules_for
from tests.doubles.edge_things import Pinhole, ids, setup

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "video"
LOOKS_PER_S = 5.0
#: `Camera.min_score`, as shipped.
SURE_SCORE = 0.4
#: An onset comes after its dwell; its object may have left a moment ago, and annotations are right to 0.2 s.
AROUND_S = 3.0
#: Every fix lies within such a band.
EVERYWHERE_M = 1e5
#: Mean brightness below which a clip counts as dark, and share of looks with motion from which as busy.
DARK_MEAN = 70.0
BUSY_SHARE = 0.6
ZONES = ("on_pipe", "valve", "patrol_track")
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One onset of one rule in one clip."""

    clip: str
    at_s: float
    rule_id: str
    object_class: str
    #: true, false or unscored
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What was told of one clip."""

    name: str
    seconds: float
    light: str
    motion: str
    told: tuple[Told, ...]
    #: looks at which the network was asked about everything, about a window, and about nothing
    asked: dict[str, int]


def verdict(clip: Clip, object_class: str, at_s: float) -> str:
    """Whether an onset names what is there."""

    def there(from_s: float, to_s: float) -> bool:
        return from_s - AROUND_S <= at_s <= to_s + AROUND_S

    if any(e.class_name == object_class and there(e.from_s, e.to_s) for e in clip.events):
        return "true"
    unsure = any(u.class_name == object_class and there(u.from_s, u.to_s) for u in clip.unsure)
    return "unscored" if unsure or object_class not in clip.exhaustive else "false"


def main() -> int:
    """Watch and print; exit status 1 if anybody was called out for nothing."""
    asked = _arguments()
    truth = read_truth(asked.events)
    chosen, left = choose([asked.clips], truth, asked.events)
    for path in left:
        _say(f"{path.name}: nobody annotated it, left out")
    detector = load(None, asked.backend)
    detector.warm_up()
    films = []
    for clip, path in chosen:
        films.append(watched(clip, path, detector, everywhere=asked.everywhere))
        _say(
            f"{clip.file}: {films[-1].seconds:.0f} s, {len(films[-1].told)} onsets, {_count(films[-1:], 'false')} false"
        )
    table = summary(films) | {"model": detector.info.name, "backend": detector.info.backend}
    if not asked.json:
        _print(table)
    print(json.dumps(table))
    return 1 if table["false_alarms"] else 0


def watched(clip: Clip, path: Path, detector: Detector, *, everywhere: bool = False) -> Film:
    """One clip through the edge's own parts."""
    meter, state, tracker = gate.MotionMeter(), gate.GateState(), ByteTracker(LOOKS_PER_S)
    looker = Looker(detector, SURE_SCORE)
    core, memory, new_id, looks = None, watcher.WatcherState(), ids(), 0
    before, told, light, moves = None, [], [], []
    end_s = 0.0
    for media_s, bgr, end_s in frames(path, LOOKS_PER_S):  # noqa: B007 (the last end is the clip's)
        if bgr is None:
            continue
        core = core or _harshest((bgr.shape[1], bgr.shape[0]), detector)
        luma = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        motion = meter.measure(small := gate.shrink(luma))
        light.append(float(luma.mean()))
        moves.append(motion.largest_px >= gate.MOVING_PX)
        state, run = gate.decide(state, motion.largest_px, media_s)
        if run:
            size_px, looks = (bgr.shape[1], bgr.shape[0]), looks + 1
            if everywhere:
                looker.forget()
            found = looker.look(lambda bgr=bgr: bgr, size_px, motion.in_frame(small, size_px), media_s)
            objects = followed(tracker, found, media_s, luma=luma, before=before)
            look = watcher.Look(
                media_s=media_s, captured_at=NOON + timedelta(seconds=media_s), objects=objects,
                frame_size_px=(bgr.shape[1], bgr.shape[0]),
            )  # fmt: skip
            memory, emissions = watcher.step(core, memory, look, new_id)
            told += list(_onsets(clip, emissions, media_s))
        before = luma
    return Film(
        name=clip.file, seconds=end_s, told=tuple(told),
        light="dark" if float(np.median(light or [0.0])) < DARK_MEAN else "light",
        motion="busy" if float(np.mean(moves or [0.0])) >= BUSY_SHARE else "quiet",
        asked=looker.runs | {"nothing": max(0, looks - sum(looker.runs.values()))},
    )  # fmt: skip


def _onsets(clip: Clip, emissions: tuple[Any, ...], media_s: float) -> Iterator[Told]:
    for emission in emissions:
        if emission.phase == "onset":
            seen = emission.episode.sighting.object_class
            yield Told(
                clip=clip.file, at_s=round(media_s, 1), rule_id=emission.episode.worst.match.rule_id,
                object_class=seen, verdict=verdict(clip, seen, media_s),
            )  # fmt: skip


def _harshest(size_px: tuple[int, int], detector: Detector) -> watcher.Setup:
    """A mast camera for this picture, with zones and bands over all that it sees."""
    hole = Pinhole(size_px=size_px, focal_px=0.7 * size_px[0])
    width, height = size_px
    whole = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    zones = tuple(PictureZone(zone_id=kind, kind=kind, polygon_px=whole) for kind in ZONES)
    shipped = detector.info.shipped
    rules = tuple(
        msgspec.structs.replace(rule, band_m=EVERYWHERE_M) if rule.band_m is not None else rule
        for rule in rules_for(None if shipped is None else frozenset(shipped))
    )
    # Surveyed up to far away: hardly a box is outside of it.
    camera = hole.camera(
        [(-12.0, -18.0), (12.0, -18.0), (-60.0, 120.0), (60.0, 120.0), (0.0, 10.0)], zones=zones
    )
    return setup(camera, rules=rules)


def summary(films: list[Film]) -> dict[str, Any]:
    """The figures of all clips."""
    rules = sorted({one.rule_id for film in films for one in film.told})
    conditions = {"light": "light", "dark": "light", "busy": "motion", "quiet": "motion"}
    return {
        **_figures(films),
        "asked": {of: sum(film.asked[of] for film in films) for of in ("whole", "window", "nothing")},
        "by_rule": {rule: _figures(films, rule) for rule in rules},
        "by_condition": {
            name: _figures([film for film in films if getattr(film, of) == name])
            for name, of in conditions.items()
        },
        "clips": {
            film.name: {
                "seconds": round(film.seconds, 1), "light": film.light, "motion": film.motion,
                "false": [[one.at_s, one.rule_id, one.object_class] for one in film.told if one.verdict == "false"],
                "true": sum(one.verdict == "true" for one in film.told),
                "asked": film.asked,
            }
            for film in films
        },
    }  # fmt: skip


def _figures(films: list[Film], rule_id: str | None = None) -> dict[str, Any]:
    hours = sum(film.seconds for film in films) / 3600
    false = _count(films, "false", rule_id)
    low, high = poisson_interval(false)
    return {
        "false_alarms": false, "camera_hours": round(hours, 4),
        "per_camera_hour": round(false / hours, 2) if hours else None,
        "interval_95": [round(low / hours, 2), round(high / hours, 2)] if hours else None,
        "true_onsets": _count(films, "true", rule_id), "unscored": _count(films, "unscored", rule_id),
    }  # fmt: skip


def _count(films: list[Film], wanted: str, rule_id: str | None = None) -> int:
    return sum(
        one.verdict == wanted and rule_id in (None, one.rule_id) for film in films for one in film.told
    )


def _print(table: dict[str, Any]) -> None:
    def line(name: str, row: dict[str, Any]) -> str:
        low, high = row["interval_95"] or (math.nan, math.nan)
        return (
            f"{name:18} {row['false_alarms']:>3} false, {row['true_onsets']:>3} true, {row['unscored']:>3} unscored in "
            f"{row['camera_hours']:.3f} h: {row['per_camera_hour']} a camera-hour (95 %: {low} to {high})"
        )

    print(line("all", table))
    for name, row in (table["by_rule"] | table["by_condition"]).items():
        print(line(name, row))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench footage", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    parser.add_argument("--clips", type=Path, default=DATA, help="a clip, or a folder of them")
    parser.add_argument("--events", type=Path, default=SHARED_CLIPS, help="what happens in them")
    parser.add_argument("--backend", default="onnxruntime", help="openvino-int8, openvino or onnxruntime")
    parser.add_argument(
        "--everywhere",
        action="store_true",
        help="ask the network about the whole picture at each look, to compare",
    )
    parser.add_argument("--quick", action="store_true", help="the same: it takes a few minutes")
    parser.add_argument("--json", action="store_true", help="only the last line")
    return parser.parse_args()


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

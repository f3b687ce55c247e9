"""How many faces and number plates the blurred copies hide, on a hundred frames that were marked by hand.

    python -m tests.bench privacy [--data FOLDER] [--backend NAME] [--tune] [--json]

Each frame goes through the shipped detector at its real settings, what it found becomes the boxes that
evidence carries, and `monitor.domain.privacy` says what a copy hides. A mark counts as hidden if at least
HIDDEN of its area is. The frames and what was marked stand in `privacy_marks.json`; the pictures are not
in this clone. Every other scene (a film, a photograph) is for tuning: the shares and the score were chosen on
`tuned_on` (`--tune` shows how), so `measured_on` is the figure to quote.

The last line is one JSON object. Of each half and of both: `faces`, `heads` (from behind, or too small for a
face), `plates` (legible or nearly) and `plates_unread`, each with how many of how many, their share and its
95 % interval (the wider of Wilson's and of 2,000 drawings of the scenes); `by_height_px` the same for faces
and heads together, and plates together, by their height in the frame; `picture_hidden` the mean and the 90th
percentile of the share of the picture that is hidden. `whole_boxes` is what hiding all of each box would give.
`in_films`: all marks of the films' frames, hidden as in a still picture, and as a clip's copy does it.
"""

import argparse
import hashlib
import itertools
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector import Detector
from models.registry import BACKENDS, FALLBACK, load
from monitor.domain import privacy
from monitor.domain.privacy import Box, Film, Look, Rect

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MARKS = Path(__file__).with_name("privacy_marks.json")
HIDDEN = 0.9
KINDS = {"faces": "face", "heads": "head", "plates": "plate", "plates_unread": "plate_unread"}
HEIGHTS_PX = ((0, 12), (12, 24), (24, 48), (48, 10_000))

#: A camera is looked at five times a second.
LOOK_S = 0.2

Picture = NDArray[np.uint8]
Parts = Callable[[Sequence[Box]], tuple[Rect, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One marked frame and what the detector found in it."""

    scene: str
    size_px: tuple[int, int]
    marks: tuple[tuple[str, Rect], ...]
    boxes: tuple[Box, ...]
    #: of a film: what looks just before and after it show, 0 s being the frame itself
    film: Film | None = None


def main() -> int:
    """Run, print, and end with the JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench privacy", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of images and video")
    parser.add_argument("--backend", default=FALLBACK, choices=sorted(BACKENDS))
    parser.add_argument("--tune", action="store_true", help="try shares and scores on the tuning half first")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    given = parser.parse_args()
    detector = load(None, given.backend)
    frames = tuple(look_at(given.data, entry, detector) for entry in json.loads(MARKS.read_text())["frames"])
    halves = halves_of(frames)
    if given.tune:
        tune(halves["tuned_on"])
    found: dict[str, Any] = {name: figures(half) for name, half in halves.items()} | {"all": figures(frames)}
    found["whole_boxes"] = {name: figures(frames, whole)[name] for name in (*KINDS, "picture_hidden")}
    found["in_films"] = in_films(frames)
    found |= {
        "backend": detector.info.backend, "model": f"{detector.info.name} {detector.info.version}",
        "settings": {name: getattr(privacy, name) for name in (
            "NOTED_SCORE", "HEAD_SHARE", "HEAD_WIDTHS", "HEAD_MARGIN", "PLATE_SHARE", "PLATE_BELOW", "PLATE_BESIDE")},
    }  # fmt: skip
    if not given.json:
        print(json.dumps(found, indent=1))
    print(json.dumps(found))
    return 0


def halves_of(frames: Sequence[Frame]) -> dict[str, tuple[Frame, ...]]:
    """Every other scene, in the order of their names, for tuning; the rest to measure."""
    scenes = {scene: number for number, scene in enumerate(sorted({f.scene for f in frames}))}
    return {
        name: tuple(f for f in frames if scenes[f.scene] % 2 == rest)
        for rest, name in enumerate(("tuned_on", "measured_on"))
    }


def look_at(data: Path, entry: dict[str, Any], detector: Detector) -> Frame:
    """Read the frame, check that it is the marked one, and let the detector look."""
    path = data / entry["file"]
    if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
        sys.exit(f"{path} is not the file that was marked")
    before, bgr, after = pictures(path, entry.get("frame"))
    boxes = [
        privacy.boxes_of((d.class_name, d.score, d.xyxy) for d in detector.detect(seen))
        for seen in (before, bgr, after)
        if seen is not None
    ]
    return Frame(
        scene=entry["file"], size_px=(bgr.shape[1], bgr.shape[0]),
        marks=tuple((kind, tuple(map(float, box))) for kind, *box in entry["marks"]),  # type: ignore[misc]
        boxes=boxes[len(boxes) // 2],
        film=Film([Look(-LOOK_S / 2, boxes[0]), Look(LOOK_S / 2, boxes[2])]) if len(boxes) == 3 else None,
    )  # fmt: skip


def pictures(path: Path, number: int | None) -> tuple[Picture | None, Picture, Picture | None]:
    """The picture; of a film the decoded picture of that number, between those that looks would see."""
    if number is None:
        return None, np.asarray(cv2.imread(str(path)), dtype=np.uint8), None
    with av.open(str(path)) as film:
        apart = max(1, round(float(film.streams.video[0].average_rate) * LOOK_S / 2))
        frames = itertools.islice(film.decode(video=0), number - apart, number + apart + 1, apart)
        before, here, after = (np.asarray(f.to_ndarray(format="bgr24"), dtype=np.uint8) for f in frames)
        return before, here, after


def whole(boxes: Sequence[Box]) -> tuple[Rect, ...]:
    """All of each box, for comparison."""
    return tuple((float(b.x1), float(b.y1), float(b.x2), float(b.y2)) for b in boxes)


def hidden_share(mark: Rect, parts: Sequence[Rect], step_px: float = 0.5) -> float:
    """Share of a mark's area that the parts hide, counted in steps."""
    x1, y1, x2, y2 = mark
    xs = np.arange(x1, x2, step_px) + step_px / 2
    ys = np.arange(y1, y2, step_px) + step_px / 2
    seen = np.zeros((len(ys), len(xs)), bool)
    for a, b, c, d in parts:
        seen |= ((ys >= b) & (ys < d))[:, None] & ((xs >= a) & (xs < c))[None, :]
    return float(seen.mean())


def figures(frames: Sequence[Frame], parts_of: Parts = privacy.hidden_parts) -> dict[str, Any]:
    """The figures of these frames."""
    rows = [(f.scene, kind, box[3] - box[1], hidden_share(box, parts) >= HIDDEN)
            for f in frames for parts in (parts_of(f.boxes),) for kind, box in f.marks]  # fmt: skip
    of_picture = [hidden_share((0.0, 0.0, *map(float, f.size_px)), parts_of(f.boxes), 4.0) for f in frames]
    sizes = {
        what: {
            f"{low}-{high}" if high < 10_000 else f"{low}-": summary(
                [(s, ok) for s, k, h, ok in rows if k.startswith(kinds) and low <= h < high]
            )
            for low, high in HEIGHTS_PX
        }
        for what, kinds in (("faces_and_heads", ("face", "head")), ("plates", ("plate",)))
    }
    return {
        "frames": len(frames), "scenes": len({f.scene for f in frames}),
        **{name: summary([(s, ok) for s, k, _, ok in rows if k == kind]) for name, kind in KINDS.items()},
        "by_height_px": sizes,
        "picture_hidden": {"mean": round(float(np.mean(of_picture)), 3), "p90": round(float(np.quantile(of_picture, 0.9)), 3)},
    }  # fmt: skip


def in_films(frames: Sequence[Frame]) -> dict[str, Any]:
    """Of the films' frames: hidden by looks a tenth of a second before and after, as a clip's copy does it."""
    films = [f for f in frames if f.film is not None]
    rows: dict[str, list[tuple[str, bool]]] = {"still": [], "film": []}
    area = []
    for frame in films:
        assert frame.film is not None
        parts = frame.film.hidden_at(0.0) or ()
        for _, box in frame.marks:
            rows["film"].append((frame.scene, hidden_share(box, parts) >= HIDDEN))
            rows["still"].append(
                (frame.scene, hidden_share(box, privacy.hidden_parts(frame.boxes)) >= HIDDEN)
            )
        area.append(hidden_share((0.0, 0.0, *map(float, frame.size_px)), parts, 4.0))
    return {"frames": len(films), **{what: summary(found) for what, found in rows.items()},
            "picture_hidden": round(float(np.mean(area)), 3)}  # fmt: skip


def summary(rows: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    """(scene, hidden) of each mark: how many, the share, its 95 % interval."""
    if not rows:
        return {"hidden": 0, "of": 0}
    hidden, of = sum(ok for _, ok in rows), len(rows)
    low, high = wilson(hidden, of)
    scenes = sorted({scene for scene, _ in rows})
    counts = np.array(
        [[sum(ok for s, ok in rows if s == scene), sum(s == scene for s, _ in rows)] for scene in scenes]
    )
    drawn = counts[np.random.default_rng(1).integers(0, len(scenes), (2000, len(scenes)))].sum(axis=1)
    by_scene = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    return {"hidden": hidden, "of": of, "share": round(hidden / of, 3),
            "interval": [round(min(low, float(by_scene[0])), 3), round(max(high, float(by_scene[1])), 3)]}  # fmt: skip


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share."""
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def tune(frames: Sequence[Frame]) -> None:
    """Print what other shares and scores give on these frames, least hidden first."""
    names = ("NOTED_SCORE", "HEAD_SHARE", "HEAD_WIDTHS", "HEAD_MARGIN", "PLATE_SHARE")
    kept = {name: getattr(privacy, name) for name in names}
    lines = []
    for values in itertools.product(
        (0.05, 0.1, 0.2, 0.4), (1 / 3, 0.4, 0.5), (0.0, 1.0), (0.05, 0.15), (0.5, 0.6, 0.7, 0.8)
    ):
        for name, value in zip(names, values, strict=True):
            setattr(privacy, name, value)
        few = [
            Frame(scene=f.scene, size_px=f.size_px, marks=f.marks,
                  boxes=tuple(b for b in f.boxes if b.score >= values[0] * 100)) for f in frames
        ]  # fmt: skip
        got = figures(few)
        shares = [got[kind]["share"] for kind in KINDS]
        lines.append((got["picture_hidden"]["mean"], values, shares))
    for name, value in kept.items():
        setattr(privacy, name, value)
    print(", ".join(names), "->", ", ".join(KINDS), file=sys.stderr)
    for mean, values, shares in sorted(lines):
        print(f"{mean:.3f}  {tuple(round(v, 2) for v in values)}  {shares}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

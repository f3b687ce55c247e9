"""The streams: a real street, still, with a camera's noise, through which things go at known times.

The street is the middle of all pictures of ../shared/data/video/street_residential_cars.mp4 (MIT), which
no car survives, at 1080p. The noise is what the clip's own still pixels did from picture to picture, at
their own size, moved about and scaled to NOISE_LEVELS. The code is as cameras send it: H.264, 25 pictures
a second, a key frame every two seconds, no B-frames, 4 Mbit/s (a substream: 640x360, 0.5 Mbit/s).

What it lacks: trees that wave, rain, changing light, and things that stay. It says what a worker costs,
not how often it cries wolf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import msgspec
import numpy as np
import platformdirs
from numpy.typing import NDArray

from tests.bench.edge_parts import sprites
from tests.bench.edge_parts.truth import FPS, SIZE_PX, Passage

#: Raise it whenever a scene would come out otherwise: what is in the cache is then made anew.
RECIPE: Final = 1
CLIP: Final = "street_residential_cars.mp4"
NOISE_LEVELS: Final = 1.5
#: Pictures of noise that go round; a prime, so that they never fall in step with the key frames.
NOISES: Final = 61
GOP: Final = 50
MAIN_BIT_S: Final = 4_000_000
SUB_SIZE_PX: Final = (640, 360)
SUB_BIT_S: Final = 500_000
#: Before anything is counted: models are warm, the background is learnt. Nothing moves.
LEAD_FRAMES: Final = 10 * FPS
#: A thing takes so long to cross, and something moves this share of the time in `10pct`.
PASSAGE_FRAMES: Final = 7 * FPS
PERIOD_FRAMES: Final = 10 * PASSAGE_FRAMES
#: In `busy` the next thing comes before the last has gone.
BUSY_EVERY_FRAMES: Final = PASSAGE_FRAMES - FPS // 2
FOOT_PX: Final = {"person": 850, "machine": 1010}
SCENARIOS: Final = ("10pct", "busy")

Plane = NDArray[np.uint8]


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario on disk, and what is in it."""

    scenario: str
    main: str
    sub: str
    #: the part that counts: frames [begin, end)
    begin: int
    end: int
    passages: tuple[Passage, ...]


def timetable(
    scenario: str, seconds: float, sizes: dict[str, Sequence[tuple[int, int]]]
) -> tuple[int, tuple[Passage, ...]]:
    """Frames in all, and who comes when: people and machines in turns.

    Args:
        scenario: of SCENARIOS.
        seconds: that count; `10pct` is rounded to whole periods.
        sizes: (width, height) of each cut-out by kind.
    """
    if scenario == "10pct":
        periods = max(1, round(seconds * FPS / PERIOD_FRAMES))
        total = LEAD_FRAMES + periods * PERIOD_FRAMES
        # the second half of a period, so that what is late still falls into it
        starts = [LEAD_FRAMES + k * PERIOD_FRAMES + PERIOD_FRAMES // 2 for k in range(periods)]
    else:
        total = LEAD_FRAMES + round(seconds * FPS)
        starts = list(range(LEAD_FRAMES, total, BUSY_EVERY_FRAMES))
    found = []
    for k, start in enumerate(starts):
        kind = ("person", "machine")[k % 2]
        which = (k // 2) % len(sizes[kind])
        width, height = sizes[kind][which]
        found.append(Passage(kind=kind, sprite=which, width_px=width, height_px=height, foot_px=FOOT_PX[kind],
                             first_frame=start, frames=PASSAGE_FRAMES))  # fmt: skip
    return total, tuple(found)


def made(data: Path, scenario: str, seconds: float, say: Callable[[str], None]) -> Scene:
    """The scene from the cache below the user's cache folder, or made now, which takes minutes."""
    key = hashlib.sha256(f"{RECIPE} {scenario} {seconds}".encode()).hexdigest()[:12]
    folder = platformdirs.user_cache_path("hcawatch") / f"bench-edge-{scenario}-{key}"
    noted = folder / "scene.json"
    if not noted.exists():
        folder.mkdir(parents=True, exist_ok=True)
        scene = _make(data, folder, scenario, seconds, say)
        noted.write_bytes(msgspec.json.encode(scene))  # last: without it the folder doesn't count
    return msgspec.json.decode(noted.read_bytes(), type=Scene)


def _make(data: Path, folder: Path, scenario: str, seconds: float, say: Callable[[str], None]) -> Scene:
    say(f"making the scene {scenario}, once; a while")
    cast = {"person": sprites.people(data), "machine": sprites.machines()}
    sizes = {kind: [(s.bgr.shape[1], s.bgr.shape[0]) for s in found] for kind, found in cast.items()}
    total, passages = timetable(scenario, seconds, sizes)
    drawn = {kind: [_Pasted(s) for s in found] for kind, found in cast.items()}
    street = Street(data)
    with _Encoder(folder / "main.mp4", SIZE_PX, MAIN_BIT_S) as main, _Encoder(folder / "sub.mp4", SUB_SIZE_PX, SUB_BIT_S) as sub:  # fmt: skip
        for frame in range(total):
            picture = street.frame(frame)
            for passage in passages:
                if passage.box_px(frame) is not None:
                    drawn[passage.kind][passage.sprite].onto(picture, passage, frame)
            image = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            main.write(image, frame)
            sub.write(image.reformat(*SUB_SIZE_PX), frame)
            if frame % 250 == 0:
                say(f"{scenario}: picture {frame} of {total}")
    return Scene(scenario=scenario, main=str(folder / "main.mp4"), sub=str(folder / "sub.mp4"),
                 begin=LEAD_FRAMES, end=total, passages=passages)  # fmt: skip


class Street:
    """The background as I420 pictures, (H * 3 / 2, W) uint8, each with another noise."""

    def __init__(self, data: Path) -> None:
        pictures = _pictures(data / "video" / CLIP)
        middle = np.median(pictures[::6], axis=0).astype(np.uint8)
        width, height = SIZE_PX
        # the clip is a little wider than 16:9: its sides are cut
        rows, columns = middle.shape[:2]
        keep = round(rows * width / height)
        side = max(0, (columns - keep) // 2)
        whole = cv2.resize(middle[:, side : columns - side], SIZE_PX, interpolation=cv2.INTER_CUBIC)
        self._still = np.asarray(cv2.cvtColor(whole, cv2.COLOR_BGR2YUV_I420), dtype=np.uint8)
        self._noises = _noises(pictures)

    def frame(self, index: int) -> Plane:
        """The empty street at that frame; the caller may draw on it."""
        picture = self._still.copy()
        height = SIZE_PX[1]
        noise = self._noises[index % NOISES]
        bright = picture[:height]
        picture[:height] = np.clip(bright + noise, 16, 235).astype(np.uint8)
        return picture


def _pictures(path: Path) -> NDArray[np.uint8]:
    capture, found = cv2.VideoCapture(str(path)), []
    while True:
        good, picture = capture.read()
        if not good:
            break
        if len(found) < 10 or capture.get(cv2.CAP_PROP_POS_FRAMES) % 5 < 2:  # neighbours, for the noise
            found.append(picture)
    if len(found) < 100:
        raise SystemExit(f"bench: {path} can't be read; the clips lie in ../shared/data/video")
    return np.stack(found)


def _noises(pictures: NDArray[np.uint8]) -> list[NDArray[np.int16]]:
    """NOISES pictures (H, W) of what the clip's still pixels did, tiled at their own size at random places."""
    rng = np.random.default_rng(5)
    grey = pictures[:, :, :, 1].astype(np.int16)
    steps = [b - a for a, b in zip(grey[0:80:2], grey[1:81:2], strict=True)]
    still = [np.where(np.abs(step) > 12, 0, step) for step in steps]
    gain = NOISE_LEVELS / max(0.1, float(np.std(np.stack(still))))
    width, height = SIZE_PX
    found = []
    for k in range(NOISES):
        tile = still[k % len(still)]
        wide = np.tile(tile, (height // tile.shape[0] + 2, width // tile.shape[1] + 2))
        dy, dx = (int(v) for v in rng.integers(0, tile.shape))
        part = wide[dy : dy + height, dx : dx + width]
        # between whole levels: else a small gain would leave the same few values everywhere
        found.append(np.floor(part * gain + rng.random(part.shape, dtype=np.float32)).astype(np.int16))
    return found


class _Pasted:
    """A cut-out in I420, ready to be laid over a picture at any place."""

    def __init__(self, sprite: sprites.Sprite) -> None:
        h, w = sprite.alpha.shape
        even = (w + 2 + w % 2, h + 2 + h % 2)
        bgr = np.zeros((even[1], even[0], 3), np.uint8)
        bgr[:h, :w] = sprite.bgr
        self._alpha = np.zeros((even[1], even[0]), np.float32)
        self._alpha[:h, :w] = sprite.alpha
        yuv = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV), dtype=np.float32)
        self._y = yuv[:, :, 0] * (219.0 / 255.0) + 16.0
        half = (even[0] // 2, even[1] // 2)
        self._uv = [np.asarray(cv2.resize(yuv[:, :, c], half, interpolation=cv2.INTER_AREA)) for c in (1, 2)]
        self._alpha_half = np.asarray(cv2.resize(self._alpha, half, interpolation=cv2.INTER_AREA))

    def onto(self, picture: Plane, passage: Passage, frame: int) -> None:
        """Lay it where the passage is at that frame."""
        width, height = SIZE_PX
        left = 2 * round(passage.left_px(frame) / 2)
        top = 2 * ((passage.foot_px - passage.height_px) // 2)
        _blend(picture[:height], self._y, self._alpha, left, top)
        chroma = picture[height:].reshape(2, height // 2, width // 2)
        for plane, colour in zip(chroma, self._uv, strict=True):
            _blend(plane, colour, self._alpha_half, left // 2, top // 2)


def _blend(plane: Plane, colour: Any, alpha: Any, left: int, top: int) -> None:
    """In place, cut at the picture's sides."""
    x0, x1 = max(0, left), min(plane.shape[1], left + alpha.shape[1])
    y0, y1 = max(0, top), min(plane.shape[0], top + alpha.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    under = plane[y0:y1, x0:x1]
    share = alpha[part]
    plane[y0:y1, x0:x1] = (under * (1.0 - share) + colour[part] * share + 0.5).astype(np.uint8)


class _Encoder:
    """One H.264 file."""

    def __init__(self, path: Path, size_px: tuple[int, int], bit_s: int) -> None:
        self._container = av.open(str(path), "w")
        rate = f"{bit_s // 1000}k"
        self._stream: Any = self._container.add_stream(
            "libx264", rate=FPS,
            options={"preset": "veryfast", "bf": "0", "b:v": rate, "maxrate": rate, "bufsize": rate,
                     "sc_threshold": "0", "threads": "2"},
        )  # fmt: skip
        self._stream.width, self._stream.height = size_px
        self._stream.pix_fmt, self._stream.gop_size = "yuv420p", GOP
        self._stream.bit_rate = bit_s
        self._stream.time_base = Fraction(1, FPS)

    def __enter__(self) -> _Encoder:
        return self

    def write(self, image: Any, index: int) -> None:
        """One more picture."""
        image.pts, image.time_base = index, Fraction(1, FPS)
        self._container.mux(self._stream.encode(image))

    def __exit__(self, *_: object) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()

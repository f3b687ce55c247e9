"""The demo's clips: real footage made ready for RTSP, and our own rendered excavator with its truth.

Everything is kept in a cache folder under a name that tells its recipe, appears only when complete, and is
made anew when the recipe changes. What the clips show is told in `hcawatch.demo.setting`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec

from hcawatch.texts import text
from models.scenes.clip import render_demo_clip
from models.scenes.story import Story

Progress = Callable[[str, float], None]
"""What is being made, and its share from 0 to 1."""

#: how footage is encoded for RTSP: a key frame every two seconds, no B-frames, as cameras send it
_X264 = {"crf": "23", "preset": "veryfast", "bf": "0", "threads": "1"}
_KEY_FRAME_S = 2.0

#: The demo's story, shorter than the renderer's own: in at 3 s, digs from 12 s to 40 s, gone at 54 s.
STORY = Story(enter_s=3.0, stop_s=11.0, dig_s=12.0, fold_s=40.0, leave_s=42.0, gone_s=54.0, duration_s=90.0)


class ClipBroken(Exception):
    """A video could not be read; the message names it and why."""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the rendered clip really shows (models/scenes/clip.py, truth_table)."""

    camera: dict[str, Any]
    ground_points: list[dict[str, Any]]
    centreline: dict[str, Any]
    frames: list[dict[str, Any]]
    fps: int

    def standing_at_m(self) -> tuple[float, float]:
        """East and north of the footprint's centre while it works."""
        for frame in self.frames:
            if frame["activity"] == "working":
                east, north = frame["footprint_centre_en_m"]
                return float(east), float(north)
        raise ClipBroken("the rendered clip's truth has no working machine")


def rendered(cache: Path, progress: Progress) -> tuple[Path, Truth]:
    """The excavator's clip and its truth; rendered if the cache has none of this recipe."""
    recipe = hashlib.sha256(repr(STORY).encode() + _sources_of_renderer()).hexdigest()[:12]
    clip, truth = cache / f"excavator-{recipe}.mp4", cache / f"excavator-{recipe}.json"
    if not (clip.exists() and truth.exists()):
        render_demo_clip(clip, truth, STORY, lambda done, total: progress(text("rendering"), done / total))
    return clip, msgspec.convert(json.loads(truth.read_text()), Truth)


def _sources_of_renderer() -> bytes:
    import models.scenes as scenes

    folder = Path(next(iter(scenes.__path__)))
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))


def for_rtsp(source: Path, cache: Path, progress: Progress, *, begin_s: float = 0.0, times: int = 1) -> Path:
    """`source` as H.264 at its own size and rate, beginning at `begin_s`, going round `times` times.

    Raises ClipBroken if it cannot be read.
    """
    key = f"{source.name} {source.stat().st_size} {begin_s} {times} {_X264}"
    target = cache / f"{source.stem}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.mp4"
    if target.exists():
        return target
    part = target.with_name(f".{target.stem}.part.mp4")
    try:
        _encode(
            source, part, begin_s, times, lambda share: progress(text("preparing", file=source.name), share)
        )
        part.replace(target)
    except (av.FFmpegError, OSError) as exc:
        raise ClipBroken(f"{source} cannot be read as video: {exc}") from exc
    finally:
        part.unlink(missing_ok=True)
    return target


def _encode(
    source: Path, target: Path, begin_s: float, times: int, progress: Callable[[float], None]
) -> None:
    """Encode one round, then repeat its packets."""
    with av.open(str(source)) as reader:
        if not reader.streams.video:
            raise ClipBroken(f"{source} has no picture")
        rate = reader.streams.video[0].average_rate or Fraction(10)
        expected = reader.streams.video[0].frames or 1
    with av.open(str(target), "w") as writer:
        stream = writer.add_stream("libx264", rate=rate, options=_X264)
        stream.pix_fmt = "yuv420p"
        stream.gop_size = max(1, round(_KEY_FRAME_S * rate))
        stream.time_base = 1 / rate
        packets: list[tuple[bytes, int, bool]] = []
        count = 0
        for frame in _from(source, float(rate), begin_s):
            if count == 0:
                stream.width, stream.height = frame.width - frame.width % 2, frame.height - frame.height % 2
            picture = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
            picture.pts, picture.time_base, count = count, 1 / rate, count + 1
            packets += [(bytes(p), p.pts or 0, p.is_keyframe) for p in stream.encode(picture)]
            progress(min(1.0, count / expected))
        if count == 0:
            raise ClipBroken(f"{source} has no frame that can be decoded")
        packets += [(bytes(p), p.pts or 0, p.is_keyframe) for p in stream.encode(None)]
        for turn in range(times):
            for data, pts, keyframe in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, 1 / rate
                packet.pts = packet.dts = pts + turn * count
                packet.is_keyframe = keyframe
                writer.mux(packet)


def _from(source: Path, rate: float, begin_s: float) -> Iterator[av.VideoFrame]:
    """Frames at an even `rate` from `begin_s` to the end, then those before it."""
    first = round(begin_s * rate)
    for late in (True, False):
        for index, frame in _evenly(source, rate):
            if late == (index >= first):
                yield frame
        if first == 0:
            return


def _evenly(source: Path, rate: float) -> Iterator[tuple[int, av.VideoFrame]]:
    """Each tick of `rate` with its frame; where the file leaves frames out, the last one stands."""
    index, last = 0, None
    with av.open(str(source)) as reader:
        for frame in reader.decode(video=0):
            due = index if frame.time is None else round(frame.time * rate)
            while last is not None and index < due:
                yield index, last
                index += 1
            last = frame
        if last is not None:
            yield index, last

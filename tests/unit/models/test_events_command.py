"""From film to event figures with one command: on a rendered clip with its true times, and on our annotated ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from hcawatch.cli import app
from hcawatch.commands.common import CommandError
from models import registry
from models.errors import DataUnusable
from models.eval.events.truth import read_truth
from models.eval.video import choose, frames
from models.scenes import Story, render_demo_clip
from models.scenes.camera import Camera

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "video"
ALL = ("person", "excavator", "truck", "crane", "loader", "drill_rig", "fire", "smoke", "car")
#: The demo's story until the excavator stands, at half its size: a quarter of the work.
STORY = Story(fps=5, duration_s=15.0, camera=Camera(width_px=640, height_px=360, focal_px=625.0))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The clip, and the second in which the machine comes into view."""
    folder = tmp_path_factory.mktemp("clip")
    render_demo_clip(folder / "dig.mp4", folder / "truth.json", STORY)
    told = json.loads((folder / "truth.json").read_text())["frames"]
    return folder / "dig.mp4", next(frame["t_s"] for frame in told if frame["present"])


def _events(folder: Path, **clip: object) -> Path:
    path = folder / "events.yaml"
    path.write_text(yaml.safe_dump({"clips": [{"file": "dig.mp4", "exhaustive": list(ALL)} | clip]}))
    return path


def _run(*arguments: str | Path) -> dict[str, Any]:
    command = ["models", "eval", "--video", *map(str, arguments), "--json"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_the_rendered_machine_is_found_in_time(rendered: tuple[Path, float], tmp_path: Path) -> None:
    """The excavator drives in and is reported within two seconds, nothing else is; both pages show it."""
    clip, from_s = rendered
    events = _events(tmp_path, events=[{"class": "excavator", "from_s": from_s, "to_s": STORY.duration_s}])
    table = _run(clip.parent, "--events", events, "--html", tmp_path / "report")
    excavator = table["classes"]["excavator"]
    assert (excavator["events"], excavator["found"], table["all"]["false_alarms"]) == (1, 1, 0)
    assert 0.4 <= excavator["to_report_median_s"] <= 2.0
    assert (table["film_s"], table["looks"], table["not_annotated"]) == (15.0, 75, [])
    assert table["sha256"] == registry.read_card(registry.find(None)).sha256
    english, chinese = (
        (tmp_path / "report" / name).read_text("utf-8") for name in ("index.html", "index.zh.html")
    )
    assert 'class="outcome_finds"' in english
    assert f"finds the event, {from_s + excavator['to_report_median_s']:.1f} to " in english
    assert "挖掘机" in chinese
    for page in (english, chinese):
        assert all(
            (tmp_path / "report" / name).is_file() for name in re.findall(r'(?:src|href)="([^"]+)"', page)
        )


def test_the_same_report_elsewhere_is_a_false_alarm(rendered: tuple[Path, float], tmp_path: Path) -> None:
    """With an event where nothing is, it is missed and the excavator's report is false; people get a table."""
    events = _events(tmp_path, events=[{"class": "excavator", "from_s": 0, "to_s": 4}])
    result = CliRunner().invoke(
        app, ["models", "eval", "--video", str(rendered[0]), "--events", str(events)], catch_exceptions=False
    )
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[0] == "excavator")
    assert row[1:6] == ["1", "0", "0.0", "0.0", "1"]


def test_looks_are_taken_by_the_streams_own_clock(tmp_path: Path) -> None:
    """Frames that stutter are looked at five times a second of stream, from the first frame, and once each."""
    path = tmp_path / "stutter.mp4"
    times_ms = [1000, 1040, 1190, 1210, 1400, 2400, 2410, 2420]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = av.time_base and __import__("fractions").Fraction(
            1, 1000
        )
        for ms in times_ms:
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
            frame.pts, frame.time_base = ms, stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    seen = list(frames(path, 5.0))
    assert [round(t, 2) for t, _, _ in seen] == [0.0, 0.04, 0.19, 0.21, 0.4, 1.4, 1.41, 1.42]
    assert [round(t, 2) for t, bgr, _ in seen if bgr is not None] == [0.0, 0.21, 0.4, 1.4]


def test_clips_that_cannot_be_scored_are_told(rendered: tuple[Path, float], tmp_path: Path) -> None:
    """Another file under the same name, one nobody annotated, one that isn't there, one that is no film."""
    (tmp_path / "dig.mp4").write_bytes(b"no film")
    (tmp_path / "other.mp4").write_bytes(rendered[0].read_bytes())
    for clip, told, said in [
        (rendered[0], {"sha256": "0" * 64}, "SHA-256"),
        (tmp_path / "other.mp4", {}, "says nothing"),
        (tmp_path / "nowhere.mp4", {}, "no such clip"),
        (tmp_path / "dig.mp4", {}, "decoded"),
    ]:
        with pytest.raises(DataUnusable, match=said):
            _run(clip, "--events", _events(tmp_path, **told))


def test_film_that_tells_nothing_of_alarms_is_still_a_table(
    rendered: tuple[Path, float], tmp_path: Path
) -> None:
    """No class with alarms is annotated, or none that the detector knows: dashes instead of a crash."""
    for exhaustive, said in ((["smoke"], "alarms"), (["boat"], "no class that the detector knows")):
        events = _events(tmp_path, exhaustive=exhaustive)
        command = ["models", "eval", "--video", str(rendered[0]), "--events", str(events)]
        told = CliRunner().invoke(app, command, catch_exceptions=False).stdout
        assert said in told
        assert "alarms" in told


def test_a_clip_that_is_named_twice_is_scored_once(rendered: tuple[Path, float], tmp_path: Path) -> None:
    """Its folder and the file: each event counts once. Another file of that name can't be told from it."""
    clip, _ = rendered
    events = _events(tmp_path)
    truth = read_truth(events)
    assert len(choose([clip.parent, clip, clip.parent / "." / clip.name], truth, events)[0]) == 1
    (tmp_path / clip.name).write_bytes(b"another")
    with pytest.raises(DataUnusable, match="two files"):
        choose([clip, tmp_path / clip.name], truth, events)


def test_clips_without_video_are_a_slip() -> None:
    """Who forgets --video is told, instead of getting figures of pictures."""
    result = CliRunner().invoke(app, ["models", "eval", "clips/"])
    assert isinstance(result.exception, CommandError)
    assert "--video" in str(result.exception)


@pytest.mark.parametrize(
    ("option", "value"), [("--split", "train"), ("--only", "x.yaml"), ("--data", "d.yaml")]
)
def test_an_option_for_pictures_is_refused_with_film(option: str, value: str) -> None:
    """Else a figure of the clips is read as one of the split that was named."""
    result = CliRunner().invoke(app, ["models", "eval", "--video", option, value])
    assert result.exit_code != 0
    assert f"{option}: for pictures" in str(result.exception)


@pytest.mark.data
def test_neon_at_night_raises_no_alarm() -> None:
    """The sign that flashes red like fire is watched for 22 seconds; nobody is called out.

    The shipped weights take it for fire once, which is one reason why their fire raises no alarm.
    """
    table = _run(CLIPS / "night_neon_sign_negative.mp4")
    assert table["film_s"] > 20
    assert table["shipped"]["false_alarms"] == 0


@pytest.mark.data
def test_the_excavator_of_the_shared_clips_is_found() -> None:
    """Loading a truck for 52 seconds, it is reported in its time and once."""
    row = _run(CLIPS / "excavator_loading_dump_truck.mp4")["classes"]["excavator"]
    assert (row["events"], row["found"], row["false_alarms"]) == (1, 1, 0)

"""What happens in clips, written down by a person: a YAML file, read and checked.

Decides whether such a file makes sense and belongs to the clips given. An event is a stretch in which
something of a class is in the picture; what is there from the first frame on begins at 0.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import yaml

from models.errors import DataUnusable

SHARED_CLIPS: Final = Path(__file__).with_name("shared-clips.yaml")
#: i-LIDS: an alarm counts if it comes within ten seconds of the event's beginning.
WITHIN_S: Final = 10.0


class Event(msgspec.Struct, frozen=True, kw_only=True, rename={"class_name": "class"}, forbid_unknown_fields=True):  # fmt: skip
    """Something of a class is in the picture, from its first visible part to its last. Stream seconds."""

    class_name: str
    from_s: float
    to_s: float
    #: Seconds from `from_s` in which it must be reported; the file's if not given.
    within_s: float | None = None


class Unsure(msgspec.Struct, frozen=True, kw_only=True, rename={"class_name": "class"}, forbid_unknown_fields=True):  # fmt: skip
    """A stretch in which nobody can say whether the class is there: a report that begins in it counts for nothing."""

    class_name: str
    from_s: float
    to_s: float
    why: str


class Clip(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clip and everything in it that is of an exhaustively annotated class."""

    file: str
    #: Of the annotated file; a clip with other bytes is not the one that was annotated.
    sha256: str | None = None
    #: Classes of which every event is listed: only these are scored here.
    exhaustive: tuple[str, ...]
    events: tuple[Event, ...] = ()
    unsure: tuple[Unsure, ...] = ()
    note: str = ""


class Truth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of annotations."""

    clips: tuple[Clip, ...]
    within_s: float = WITHIN_S
    about: str = ""


def read_truth(path: Path) -> Truth:
    """Read a file of annotations; DataUnusable says what is wrong with it, and where in it."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        truth = msgspec.convert(raw, Truth)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise DataUnusable(path, f"can't be read: {exc}") from exc
    except msgspec.ValidationError as exc:
        raise DataUnusable(path, f"is no list of events: {exc}") from exc
    names = [clip.file for clip in truth.clips]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataUnusable(path, f"names clips twice: {', '.join(twice)}")
    if not 0 < truth.within_s < math.inf:
        raise DataUnusable(path, f"within_s must be more than 0 seconds, not {truth.within_s:g}")
    for clip in truth.clips:
        fault = _fault(clip)
        if fault:
            raise DataUnusable(path, f"{clip.file}: {fault}")
    return truth


def _fault(clip: Clip) -> str | None:
    stretches: list[Event | Unsure] = [*clip.events, *clip.unsure]
    for stretch in stretches:
        what = f"{stretch.class_name} {stretch.from_s:g} to {stretch.to_s:g} s"
        if not 0 <= stretch.from_s < stretch.to_s < math.inf:
            return f"{what}: from_s must be 0 or more and lie before to_s, which ends"
        if stretch.class_name not in clip.exhaustive:
            return f"{what}: its class is not among the `exhaustive` ones, so it would not be scored"
        if (
            isinstance(stretch, Event)
            and stretch.within_s is not None
            and not 0 < stretch.within_s < math.inf
        ):
            return f"{what}: within_s must be a number of seconds more than 0"
    for name in clip.exhaustive:
        own = sorted((e.from_s, e.to_s) for e in clip.events if e.class_name == name)
        for (_, ends_s), (begins_s, _) in pairwise(own):
            if begins_s < ends_s:
                return f"{name}: an event begins at {begins_s:g} s while another lasts; make one of both"
    return None


def belongs(clip: Clip, path: Path, events_yaml: Path) -> None:
    """Raise DataUnusable if `path` is another file than the one that was annotated."""
    if clip.sha256 is None:
        return
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != clip.sha256.lower():
        raise DataUnusable(
            path, f"is not the clip that {events_yaml.name} annotates: SHA-256 is {found}, not {clip.sha256}"
        )

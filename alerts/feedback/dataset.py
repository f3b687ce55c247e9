"""Which stored pictures teach a detector something, and what: labels, split, provenance. Pure.

A picture of a confirmed alert has the box that its event told. One of a false alarm is a hard negative only if its cause
speaks of what was in the picture: a zone drawn wrong says nothing of the object. What nobody judged is left out.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from alerts.feedback.causes import FalseCause, Verdict, verdict_of
from monitor.domain.violations import UNEXPLAINED

#: causes by which the detector saw something that was not there
NOT_THERE: Final = frozenset({FalseCause.ANIMAL, FalseCause.SHADOW_LIGHT, FalseCause.WRONG_CLASS})
#: one alert in so many measures instead of teaching
VAL_ONE_IN: Final = 5

Split = Literal["train", "val"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A stored clean snapshot with the event that it shows and what people say of its alert."""

    alert_id: str
    number: int
    site_id: str
    onset_at: datetime
    state: str
    confirmation: str
    outcome: str | None = None
    cause: str | None = None
    sha256: str
    footage: str
    event_id: str
    camera_id: str
    captured_at: datetime
    object_class: str
    confidence: float
    #: x1, y1, x2, y2 in pixels of the full frame
    bbox: tuple[float, float, float, float]
    frame_size_px: tuple[int, int]
    model: dict[str, Any]
    config_version: str
    judged_by: str
    judged_role: str
    judged_at: datetime


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of the set."""

    of: Candidate
    #: file name without its ending; begins with what is known of it
    name: str
    split: Split
    kind: Literal["right", "false"]
    #: centre x, centre y, width, height as shares of the frame; None: nothing of that class is there
    box: tuple[float, float, float, float] | None

    @property
    def prefix(self) -> str:
        """Beginning of the name by which a data.yaml says what is labelled in full."""
        return f"{self.kind}-{self.of.object_class}-"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the set, and how many pictures are not, by why."""

    items: tuple[Item, ...]
    left_out: tuple[tuple[str, int], ...]


def choose(candidates: Sequence[Candidate], *, simulated: bool = False) -> Chosen:
    """The pictures of the set. One alert's pictures are all in one split, the same in every export."""
    out: dict[str, int] = {}
    found: dict[str, Item] = {}
    for one in candidates:
        why = _left_out(one, simulated)
        if why is None and one.sha256 not in found:
            found[one.sha256] = _item(one)
        elif why is not None:
            out[why] = out.get(why, 0) + 1
    return Chosen(items=_both_splits(tuple(found.values())), left_out=tuple(sorted(out.items())))


def _left_out(one: Candidate, simulated: bool) -> str | None:
    if one.footage == "simulated" and not simulated:
        return "simulated"
    if one.object_class == UNEXPLAINED:
        return "no_class"
    if _box(one) is None:
        return "no_box"
    verdict = _verdict(one)
    if verdict is Verdict.UNJUDGED:
        return "not_judged"
    if verdict is Verdict.FALSE and one.cause not in NOT_THERE:
        return f"cause_{one.cause or 'unsaid'}"
    return None


def _verdict(one: Candidate) -> Verdict:
    return verdict_of(one.outcome, one.confirmation, closed=True, supervised=one.state == "supervised")


def _item(one: Candidate) -> Item:
    kind: Literal["right", "false"] = "false" if _verdict(one) is Verdict.FALSE else "right"
    chance = int(hashlib.sha256(one.alert_id.encode()).hexdigest()[:8], 16)
    return Item(
        of=one, name=f"{kind}-{one.object_class}-{one.number:06d}-{one.sha256[:12]}", kind=kind,
        split="val" if chance % VAL_ONE_IN == 0 else "train", box=None if kind == "false" else _box(one),
    )  # fmt: skip


def _box(one: Candidate) -> tuple[float, float, float, float] | None:
    """As shares of the frame, cut off at its borders; None without area."""
    width, height = one.frame_size_px
    if width < 1 or height < 1:
        return None
    x1, x2 = (min(max(x, 0.0), width) / width for x in (one.bbox[0], one.bbox[2]))
    y1, y2 = (min(max(y, 0.0), height) / height for y in (one.bbox[1], one.bbox[3]))
    if x2 <= x1 or y2 <= y1:
        return None
    return ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def _both_splits(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """A split without a picture can't be read: the last alert of the other one goes there, if it has another."""
    for wanted in ("val", "train"):
        alerts = list(dict.fromkeys(item.of.alert_id for item in items if item.split != wanted))
        if items and all(item.split != wanted for item in items) and len(alerts) > 1:
            moved = alerts[-1]
            return tuple(
                msgspec.structs.replace(item, split=wanted) if item.of.alert_id == moved else item
                for item in items
            )
    return items


def classes_of(items: Sequence[Item], known: Sequence[str]) -> tuple[str, ...]:
    """The classes by number: those of the detector in use first, so that numbers stay the same."""
    return tuple(dict.fromkeys((*known, *sorted({item.of.object_class for item in items}))))


def label_of(item: Item, classes: Sequence[str]) -> str:
    """The label file in YOLO's form; empty for a hard negative."""
    if item.box is None:
        return ""
    return f"{classes.index(item.of.object_class)} " + " ".join(f"{share:.6f}" for share in item.box) + "\n"


def data_yaml(items: Sequence[Item], classes: Sequence[str]) -> dict[str, Any]:
    """What `hcawatch models eval` and `train` read.

    In a picture of a confirmed alert one box is known and nothing else: no class is labelled in full. In a hard negative
    the class that was told is: there is none of it.
    """
    full = {item.prefix: ([item.of.object_class] if item.kind == "false" else []) for item in items}
    splits = {item.split for item in items}
    folders = {
        split: f"images/{split if split in splits else next(iter(splits))}" for split in ("train", "val")
    }
    return {
        "path": ".",
        **folders,
        "names": dict(enumerate(classes)),
        "exhaustive": dict(sorted(full.items())),
    }


def provenance(item: Item, *, copy: str, image_sha256: str, basis: str) -> dict[str, Any]:
    """Where a picture comes from and who says what it shows, as one line of provenance.jsonl."""
    one = item.of
    return {
        "image": f"images/{item.split}/{item.name}.jpg", "split": item.split, "kind": item.kind,
        "class": one.object_class, "box_px": list(one.bbox), "frame_size_px": list(one.frame_size_px),
        "event_id": one.event_id, "alert_id": one.alert_id, "alert_number": one.number, "outcome": one.outcome,
        "cause": one.cause, "judged_by": one.judged_by, "judged_role": one.judged_role,
        "judged_at": one.judged_at.isoformat(), "camera_id": one.camera_id, "site_id": one.site_id,
        "captured_at": one.captured_at.isoformat(), "confidence": one.confidence, "model": one.model,
        "config_version": one.config_version, "evidence_sha256": one.sha256, "copy": copy, "image_sha256": image_sha256,
        "footage": one.footage, "lawful_basis": basis,
    }  # fmt: skip

"""Whether a camera still shows the scene to which its ground was surveyed: registered, or moved.

Evidence of single looks (`edge.scene`) becomes a word that changes only by seconds of it: `judge` is pure.
`Registrar` keeps the reference views, learns them from standing pictures, adds views as the light changes,
and makes a note of all that survives a restart. What can't be told (night, fog) leaves the last word.
"""

from __future__ import annotations

import hashlib
from typing import Final

import cv2
import msgspec
import numpy as np

from edge.frames import Luma
from edge.scene import Compared, Evidence, Field, Reference, compare, field_of, reference_of, sketch
from monitor.domain.assets import Camera

#: Seconds of evidence that make a camera moved, and registered again. A scene found elsewhere counts in full,
#: one that isn't found at all counts half, so that both are told within 60 s.
ENTER_S: Final = 20.0
LEAVE_S: Final = 15.0
UNMATCHED_WEIGHT: Final = 0.5
#: Evidence for the present word takes away this many times its own seconds of the evidence against it.
SUPPORT_WEIGHT: Final = 3.0
#: Looks further apart than this count as no longer.
STEP_MAX_S: Final = 5.0

#: A comparison is made so often; oftener while the scene is learned or something speaks against the word.
EVERY_S: Final = 4.0
EVERY_LEARNING_S: Final = 2.0
EVERY_SUSPECT_S: Final = 1.0
#: A view is the median of this many sketches over at least so long: what drives through is not in it.
SKETCHES: Final = 5
LEARN_S: Final = 8.0
#: Views that are kept: the first, and those of other light. The least used one goes.
VIEWS_MAX: Final = 4
ADD_EVERY_S: Final = 60.0
#: A view is added where the best one finds less than this, or its brightness differs by more (0..255).
ADD_SHARE: Final = 0.6
ADD_LIGHT: Final = 30.0
#: Below this mean brightness two pictures may differ by the light alone.
DIM_MEAN: Final = 50.0
#: In light that no view knows (the first infrared night) a camera that was in place is trusted after so long.
TRUST_S: Final = 60.0
JPEG_QUALITY: Final = 85


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """Registered or moved, and the seconds of evidence against that."""

    moved: bool = False
    against_s: float = 0.0
    last_s: float | None = None


def judge(word: Word, now_s: float, evidence: Evidence) -> Word:
    """The word after one more comparison at `now_s` (monotonic seconds)."""
    step_s = 0.0 if word.last_s is None else min(STEP_MAX_S, max(0.0, now_s - word.last_s))
    for_moved_s = {
        Evidence.ELSEWHERE: step_s, Evidence.UNMATCHED: UNMATCHED_WEIGHT * step_s,
        Evidence.HERE: -step_s, Evidence.UNTELLABLE: 0.0,
    }[evidence]  # fmt: skip
    against_s = -for_moved_s if word.moved else for_moved_s
    total_s = max(0.0, word.against_s + (against_s if against_s > 0 else SUPPORT_WEIGHT * against_s))
    if total_s >= (LEAVE_S if word.moved else ENTER_S):
        return Word(moved=not word.moved, last_s=now_s)
    return Word(moved=word.moved, against_s=total_s, last_s=now_s)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The scene in one light."""

    #: a sketch, as JPEG
    jpeg: bytes
    light: float
    infrared: bool = False
    #: where this view lies against the first one, sketch pixels
    offset_px: tuple[float, float] = (0.0, 0.0)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What survives a restart."""

    key: str
    moved: bool = False
    views: tuple[View, ...] = ()


def key_of(camera: Camera) -> str:
    """Changes when the camera is surveyed anew, or looks through another source: then the reference is void."""
    facts = (camera.calibration_version, camera.source, camera.frame_size_px, camera.ground_points)
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:16]


class Registrar:
    """The memory of one camera's scene. Takes good pictures only; the caller knows which are."""

    def __init__(self, key: str, noted: str | None = None) -> None:
        """Go on from a note, if it is of this key and can be read."""
        self._note = _read(noted, key)
        self.word = Word(moved=self._note.moved)
        self._references = [_reference(view) for view in self._note.views]
        self._used_s = [0.0] * len(self._references)
        self._recent: list[tuple[float, Luma]] = []
        self._looked_s: float | None = None
        self._added_s: float | None = None
        self._strange_since_s: float | None = None
        self._changed = False

    @property
    def registered(self) -> bool:
        """A reference is known."""
        return bool(self._note.views)

    def note(self) -> str | None:
        """What is to be kept, if it changed since this was asked last."""
        if not self._changed:
            return None
        self._changed = False
        return msgspec.json.encode(self._note).decode()

    def look(self, small: Luma, now_s: float, *, light: float, infrared: bool) -> None:
        """One good picture: brightness plane, shape (h, w), and its mean."""
        calm_s = EVERY_S if self.registered else EVERY_LEARNING_S
        every_s = EVERY_SUSPECT_S if self.word.against_s > 0 else calm_s
        if self._looked_s is not None and 0.0 <= now_s - self._looked_s < every_s - 0.05:
            return
        self._looked_s = now_s
        drawn = sketch(small)
        # views are made of one kind of light, and of looks that follow each other
        if self._recent and now_s - self._recent[-1][0] > STEP_MAX_S:
            self._recent.clear()
        self._recent = [*self._recent[-SKETCHES + 1 :], (now_s, drawn)]
        if not self.registered:
            if (standing := self._standing()) is not None:
                self._add(standing, now_s, light, infrared, (0.0, 0.0))
            return
        found, at = self._compare(field_of(drawn), light, infrared)
        was = self.word
        self.word = judge(was, now_s, found.evidence)
        if self.word.moved is not was.moved:
            self._note = msgspec.structs.replace(self._note, moved=self.word.moved)
            self._changed = True
        if found.evidence is Evidence.HERE:
            self._used_s[at] = now_s
        if not self.word.moved:
            self._grow(found, at, now_s, light, infrared)

    def lost_sight(self) -> None:
        """The picture is spoilt, or there is none: what is shown next begins anew."""
        self._recent.clear()

    def _compare(self, now: Field, light: float, infrared: bool) -> tuple[Compared, int]:
        """The best that any view says, with the view's number."""
        results: list[tuple[Compared, int]] = []
        # the likeliest first: mostly it settles the matter
        for i in sorted(range(len(self._references)), key=lambda i: self._strangeness(i, light, infrared)):
            view = self._note.views[i]
            comparable = view.infrared == infrared and (
                abs(view.light - light) < ADD_LIGHT or min(view.light, light) >= DIM_MEAN
            )
            found = compare(self._references[i], now, comparable=comparable)
            if found.evidence is Evidence.HERE:
                return found, i
            results.append((found, i))
        order = (Evidence.ELSEWHERE, Evidence.UNMATCHED, Evidence.UNTELLABLE)
        return min(results, key=lambda result: order.index(result[0].evidence))

    def _strangeness(self, i: int, light: float, infrared: bool) -> float:
        view = self._note.views[i]
        return abs(view.light - light) + (0.0 if view.infrared == infrared else 255.0)

    def _grow(self, found: Compared, at: int, now_s: float, light: float, infrared: bool) -> None:
        """Add a view where the light outgrows the known ones."""
        strange = all(
            v.infrared != infrared or (abs(v.light - light) > ADD_LIGHT and min(v.light, light) < DIM_MEAN)
            for v in self._note.views
        )
        if found.evidence is Evidence.UNTELLABLE and strange:
            since_s = now_s if self._strange_since_s is None else self._strange_since_s
            self._strange_since_s = since_s
            trusted = now_s - since_s >= TRUST_S
        else:
            self._strange_since_s, trusted = None, False
        here = found.evidence is Evidence.HERE and (strange or found.here_share < ADD_SHARE)
        waited = self._added_s is None or now_s - self._added_s >= ADD_EVERY_S
        if not (trusted or (here and waited)) or (standing := self._standing()) is None:
            return
        offset = (0.0, 0.0)
        if here:  # a step beside the first view is never added to another step
            offset = tuple(a + b for a, b in zip(self._note.views[at].offset_px, found.shift_px, strict=True))  # type: ignore[assignment]
            if max(map(abs, offset)) > 1.5:
                return
        self._add(standing, now_s, light, infrared, offset)

    def _standing(self) -> Luma | None:
        """The median of the recent sketches, if they all show one standing scene with something in it."""
        if len(self._recent) < SKETCHES or self._recent[-1][0] - self._recent[0][0] < LEARN_S - 0.5:
            return None
        if len({drawn.shape for _, drawn in self._recent}) > 1:
            self._recent = self._recent[-1:]
            return None
        middle = np.median(np.stack([drawn for _, drawn in self._recent]), axis=0).astype(np.uint8)
        wanted = reference_of(middle)
        alike = [compare(wanted, field_of(drawn)) for _, drawn in self._recent]
        return middle if all(c.evidence is Evidence.HERE for c in alike) else None

    def _add(
        self, standing: Luma, now_s: float, light: float, infrared: bool, offset: tuple[float, float]
    ) -> None:
        _, jpeg = cv2.imencode(".jpg", standing, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        view = View(jpeg=jpeg.tobytes(), light=round(light, 1), infrared=infrared, offset_px=offset)
        views, references, used_s = list(self._note.views), self._references, self._used_s
        if len(views) >= VIEWS_MAX:
            oldest = min(range(1, len(views)), key=lambda i: used_s[i])
            for kept in (views, references, used_s):
                del kept[oldest]
        self._note = msgspec.structs.replace(self._note, views=(*views, view))
        references.append(_reference(view))
        used_s.append(now_s)
        self._added_s, self._strange_since_s, self._changed = now_s, None, True


def _reference(view: View) -> Reference:
    drawn = cv2.imdecode(np.frombuffer(view.jpeg, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    return reference_of(np.asarray(drawn, dtype=np.uint8))


def _read(noted: str | None, key: str) -> Note:
    """The note, or an empty one if it is of another survey or of another version of ours."""
    try:
        note = msgspec.json.decode(noted or "", type=Note)
        readable = all(
            cv2.imdecode(np.frombuffer(v.jpeg, dtype=np.uint8), cv2.IMREAD_GRAYSCALE) is not None
            for v in note.views
        )
    except (msgspec.DecodeError, cv2.error):
        return Note(key=key)
    return note if note.key == key and readable else Note(key=key)

"""What has changed in a scene and stays, though no class explains it: a heap, stacked pipes, a shed, a machine
that the detector does not know. Misses count too.

Decides which regions of the picture differ from the long-term reference, for good and by more than light can;
`edge.rules` and `edge.watcher` decide by the table's rows whether one lies where it matters and for how long.

Every two seconds a sketch is kept; the median of five is a *standing picture*, from which all that moves is gone
(rain, leaves, headlights, who drives through). It is compared to the *views* of the scene by local correlation,
which brightness and contrast leave alone. What only became darker or brighter, with its texture kept, is a
shadow or a lamp; where much of the picture changed at once it is the light. Where the detector saw an object
that stayed, the change has its explanation. What has stayed for half an hour is learned, whatever it was: so an
operator who dismissed it does not hear of it again.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from typing import Any, Final

import cv2
import msgspec
import numpy as np

from edge.change import (
    LIGHT_SHARE,
    SMOOTH_PX,
    WINDOW_PX,
    Box,
    Mask,
    Plane,
    Region,
    area,
    compare,
    filled,
    follow,
    found_in,
    in_common_all,
    median_of_five,
)
from edge.frames import Luma
from edge.scene import sketch

#: The first id of a region: no tracker gets so far.
FIRST_ID: Final = 1_000_000_000
#: A sketch is kept so often (a little oftener than a dozing camera's key frames come), so many make a standing
#: picture, and a longer pause begins a new one.
EVERY_S: Final = 1.8
SKETCHES: Final = 5
PAUSE_S: Final = 30.0

#: A light that stays so long becomes a view of its own; so many are kept of each way of seeing.
VIEW_AFTER_S: Final = 60.0
VIEWS_MAX: Final = 4
#: The views follow slow light with this time constant where nothing has changed; at first faster.
FOLLOW_S: Final = 240.0
SETTLE_S: Final = 60.0
SETTLE_TAU_S: Final = 20.0

#: What stays for so long is learned.
LEARNED_S: Final = 1800.0
#: An object explains what changed under its box, made larger by this share, once it was seen to stand there for so
#: long: a box that overlaps (common area over both) one of some seconds ago. What passes explains nothing that
#: stays. The memory of it halves in HALF_S and is never of more than KNOWN_MOST_S, so that it lasts nine minutes.
BOX_MARGIN: Final = 0.25
STANDS_OVERLAP: Final = 0.6
STANDS_S: Final = (1.5, 6.0)
BOXES_EVERY_S: Final = 1.0
KNOWN_S: Final = 6.0
KNOWN_STEP_S: Final = 2.0
KNOWN_MOST_S: Final = 40.0
HALF_S: Final = 200.0
#: A box of more than this share of the picture explains nothing: it is mostly none of an object.
WHOLE_SHARE: Final = 0.4


class View(msgspec.Struct, kw_only=True, eq=False):
    """The scene in one light."""

    plane: Any  # Plane
    began_s: float
    used_s: float


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What survives a restart: the views as PNG, by way of seeing."""

    key: str
    views: tuple[tuple[bool, str], ...] = ()


class Memory:
    """One camera's long memory. Takes pictures of a camera that is in its place and sees well; no others."""

    def __init__(self, key: str = "", noted: str | None = None) -> None:
        """Go on from a note, if it is of this key and can be read."""
        self._key = key
        self._views: dict[bool, list[View]] = {False: [], True: []}
        self._infrared = False
        self._recent: list[Luma] = []
        self._kept_s: float | None = None
        self._stood_s: float | None = None
        self._strange_since_s: float | None = None
        self._shape: tuple[int, int] = (0, 0)
        self._since_s: Plane = np.zeros(self._shape, np.float32)
        #: seconds that objects stood over each pixel, the older the less; and the boxes of the last looks
        self._known_s: Plane = np.zeros(self._shape, np.float32)
        self._boxes: tuple[tuple[float, list[Box]], ...] = ()
        self._boxed_s: float | None = None
        self._next_id = FIRST_ID
        self.regions: tuple[Region, ...] = ()
        #: ids of regions that were learned since this was cleared
        self.learned: tuple[int, ...] = ()
        self._restore(noted)

    @property
    def known(self) -> bool:
        """Whether any view of the scene is known."""
        return any(self._views.values())

    def forget(self) -> None:
        """The camera was moved: another scene."""
        self.__init__(self._key)  # type: ignore[misc]

    def lost_sight(self) -> None:
        """The picture is spoilt, or there is none: what is shown next begins a new standing picture."""
        self._recent.clear()

    def knows(self, boxes: Iterable[Box], frame_size_px: tuple[int, int], media_s: float) -> None:
        """Where the detector sees objects at this look; boxes in pixels of the full frame."""
        now = [box for box in boxes if area(box) <= WHOLE_SHARE * frame_size_px[0] * frame_size_px[1]]
        step_s = 0.0 if self._boxed_s is None else min(KNOWN_STEP_S, media_s - self._boxed_s)
        self._boxed_s = media_s
        earlier = [
            box for at_s, then in self._boxes if STANDS_S[0] <= media_s - at_s <= STANDS_S[1] for box in then
        ]
        if not self._boxes or not 0.0 <= media_s - self._boxes[-1][0] < BOXES_EVERY_S:
            recent = (kept for kept in self._boxes if 0.0 <= media_s - kept[0] <= STANDS_S[1])
            self._boxes = (*recent, (media_s, now))
        if not self._known_s.size or step_s <= 0.0 or not now or not earlier:
            return
        height, width = self._shape
        scale_x, scale_y = width / frame_size_px[0], height / frame_size_px[1]
        shared = in_common_all(np.array(now), np.array(earlier)).max(axis=1)
        for x1, y1, x2, y2 in (box for box, most in zip(now, shared, strict=True) if most >= STANDS_OVERLAP):
            more_x, more_y = BOX_MARGIN * (x2 - x1), BOX_MARGIN * (y2 - y1)
            left, right = max(0, math.floor((x1 - more_x) * scale_x)), math.ceil((x2 + more_x) * scale_x)
            top, bottom = max(0, math.floor((y1 - more_y) * scale_y)), math.ceil((y2 + more_y) * scale_y)
            part = self._known_s[top:bottom, left:right]
            np.minimum(part + step_s, KNOWN_MOST_S, out=part)

    def look(self, small: Luma, media_s: float, *, infrared: bool = False) -> bool:
        """One good picture, shape (h, w); whether it completed a standing one, so that `regions` is new."""
        if self._kept_s is not None and 0.0 <= media_s - self._kept_s < EVERY_S:
            return False
        if self._kept_s is None or not 0.0 <= media_s - self._kept_s <= PAUSE_S or infrared != self._infrared:
            self._recent.clear()
        self._kept_s, self._infrared = media_s, infrared
        drawn = sketch(small)
        if drawn.shape != self._shape:  # the first picture, or another resolution
            self._begin((drawn.shape[0], drawn.shape[1]))
        self._recent.append(drawn)
        if len(self._recent) < SKETCHES:
            return False
        standing = cv2.blur(median_of_five(*self._recent), (SMOOTH_PX, SMOOTH_PX)).astype(np.float32)
        self._recent.clear()
        self._stand(standing, media_s)
        return True

    def _begin(self, shape: tuple[int, int]) -> None:
        if self._shape != (0, 0) and self._shape != shape:
            self._views = {False: [], True: []}
        self._shape, self._recent, self.regions = shape, [], ()
        self._since_s = np.full(shape, np.inf, np.float32)
        self._known_s = np.zeros(shape, np.float32)

    def _stand(self, now: Plane, at_s: float) -> None:
        """One standing picture further."""
        step_s = 0.0 if self._stood_s is None else min(PAUSE_S, max(0.0, at_s - self._stood_s))
        self._stood_s = at_s
        self._known_s *= np.float32(0.5 ** (step_s / HALF_S))
        views = [view for view in self._views[self._infrared] if view.plane.shape == now.shape]
        if not views:
            self._views[self._infrared] = [View(plane=now, began_s=at_s, used_s=at_s)]
            self._since_s.fill(np.inf)
            return
        compared = [compare(view.plane, now) for view in views]
        best = min(range(len(views)), key=lambda i: compared[i].share)
        view, against = views[best], compared[best]
        if against.share > LIGHT_SHARE:
            self._strange(now, at_s)
            return
        self._strange_since_s, view.used_s = None, at_s
        changed = np.asarray(against.changed)
        for other in compared:  # what any light has shown is known
            changed = changed & other.changed
        self._since_s = np.where(changed, np.minimum(self._since_s, np.float32(at_s)), np.float32(np.inf))
        explained = self._known_s >= KNOWN_S
        found = found_in(changed, self._since_s, explained, view.plane, now, against.alike, at_s)
        self.regions, self._next_id = follow(self.regions, found, self._shape, at_s, self._next_id)
        self._follow(view, now, changed, at_s, step_s)

    def _strange(self, now: Plane, at_s: float) -> None:
        """Nearly everything changed: nothing is judged; a light that stays is a new view."""
        if self._strange_since_s is None:
            self._strange_since_s = at_s
        if at_s - self._strange_since_s < VIEW_AFTER_S:
            return
        views = self._views[self._infrared]
        if len(views) >= VIEWS_MAX:
            views.remove(min(views, key=lambda view: view.used_s))
        views.append(View(plane=now, began_s=at_s, used_s=at_s))
        self._strange_since_s = None

    def _follow(self, view: View, now: Plane, changed: Mask, at_s: float, step_s: float) -> None:
        """The view follows the light where nothing changed, and learns what has stayed for long."""
        tau_s = SETTLE_TAU_S if at_s - view.began_s < SETTLE_S else FOLLOW_S
        share = np.float32(1.0 - math.exp(-step_s / tau_s))
        # with a window's margin: else half of a thing would be learned from its border on
        near = cv2.dilate(filled(changed), np.ones((WINDOW_PX, WINDOW_PX), np.uint8)) > 0
        view.plane = np.where(near, view.plane, view.plane + share * (now - view.plane))
        old = changed & (self._since_s <= at_s - LEARNED_S)
        if not old.any():
            return
        around = cv2.dilate(old.astype(np.uint8), np.ones((WINDOW_PX, WINDOW_PX), np.uint8)) > 0
        view.plane = np.where(around, now, view.plane)
        self._since_s[around] = np.inf
        gone = [r for r in self.regions if r.since_s <= at_s - LEARNED_S]
        self.learned = (*self.learned, *(r.region_id for r in gone))
        self.regions = tuple(r for r in self.regions if r not in gone)

    def view(self) -> Luma | None:
        """The scene as it is known in the present light, shape (h, 160)."""
        views = self._views[self._infrared]
        if not views:
            return None
        last = max(views, key=lambda view: view.used_s)
        return np.asarray(np.clip(last.plane, 0, 255), dtype=np.uint8)

    def note(self) -> str:
        """What is to be kept."""
        views = []
        for infrared, known in self._views.items():
            for view in known:
                _, png = cv2.imencode(".png", np.clip(view.plane, 0, 255).astype(np.uint8))
                views.append((infrared, base64.b64encode(png.tobytes()).decode()))
        return msgspec.json.encode(Note(key=self._key, views=tuple(views))).decode()

    def _restore(self, noted: str | None) -> None:
        try:
            note = msgspec.json.decode(noted or "", type=Note)
            if note.key != self._key:
                return
            for infrared, png in note.views:
                drawn = cv2.imdecode(np.frombuffer(base64.b64decode(png), np.uint8), cv2.IMREAD_GRAYSCALE)
                if drawn is not None:
                    plane = drawn.astype(np.float32)
                    # of another session: settled, and used less lately than anything of this one
                    self._views[infrared].append(View(plane=plane, began_s=-math.inf, used_s=-1.0))
        except (msgspec.DecodeError, ValueError, cv2.error):  # another version's: learn anew
            self._views = {False: [], True: []}

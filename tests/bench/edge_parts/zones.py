"""What a peer does with its tracks: which have been in a zone for the rule's dwell. No imports of ours.

The same for both peers, and what their own zone counters do (is the middle of the box's lower side inside)
plus the dwell, which neither has. As with us, a look that misses the thing doesn't end its dwell.
"""

import json
import time

#: as edge.watcher.GRACE_S
GRACE_S = 3.0


class Dwell:
    """Since when each track has been in a zone; tells once when it has been there for long enough."""

    def __init__(self, dwell_s: float) -> None:
        self._dwell_s = dwell_s
        self._since: dict[int, tuple[float, float]] = {}
        self._told: set[int] = set()

    def update(self, inside: list[int], now_s: float) -> list[int]:
        """Tracks whose dwell holds from this look on."""
        ready = []
        for track in inside:
            since_s, last_s = self._since.get(track, (now_s, now_s))
            if now_s - last_s > GRACE_S:
                since_s = now_s
            self._since[track] = (since_s, now_s)
            if now_s - since_s >= self._dwell_s and track not in self._told:
                self._told.add(track)
                ready.append(track)
        return ready


class Voice:
    """Says what the bench waits for, one JSON object a line."""

    def __init__(self) -> None:
        self.looks = 0

    def ready(self, **facts: object) -> None:
        """Everything is loaded; the stream is opened next."""
        self._say(ready=True, **facts)

    def look(self) -> None:
        """One more picture was looked at."""
        self.looks += 1
        self._say(looks=self.looks)

    def onset(self, kind: str) -> None:
        """Something has been where it mustn't be for too long."""
        self._say(onset=kind, at_s=time.time())

    def _say(self, **facts: object) -> None:
        print(json.dumps(facts), flush=True)

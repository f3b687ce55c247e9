"""What the demo says while it runs: progress, and each step of the loop as the database has it."""

import sys
import time
from datetime import UTC, datetime

from hcawatch.demo.report import QUERIES
from hcawatch.texts import sentence
from monitor.store.pool import Pool


class Say:
    """Lines with the seconds since the start; progress moves on one line when a person watches."""

    def __init__(self, started_s: float) -> None:
        self._started_s, self._moving, self._last_detail = started_s, False, ""

    def restart(self) -> None:
        """Count the seconds from here: set-up is over."""
        self._started_s = time.monotonic()

    def __call__(self, line: str) -> None:
        self._end_moving()
        stamp = f"[{time.monotonic() - self._started_s:6.1f} s] " if line else ""
        print(f"{stamp}{line}", flush=True)

    def detail(self, line: str) -> None:
        """Progress in words; on a terminal it moves, else it is left out when repeated."""
        if sys.stdout.isatty():
            print(f"\r\033[K           {line}", end="", flush=True)
            self._moving = True

    def share(self, what: str, share: float) -> None:
        """Progress as a share of 1."""
        text = f"{what} {int(share * 20) * 5:3d} %"
        if text != self._last_detail:
            self._last_detail = text
            self.detail(text)

    def _end_moving(self) -> None:
        if self._moving:
            print("\r\033[K", end="")
            self._moving = False


class Commentary:
    """Tells each step of the loop once, in order."""

    def __init__(self, pool: Pool, say: Say, *, camera_id: str, since: datetime) -> None:
        self._pool, self._say, self._camera_id, self._after = pool, say, camera_id, since
        self._since = since
        self._told: set[tuple[str, int]] = set()
        self._story: dict[str, object] | None = None

    def tell(self) -> None:
        """Say what is new."""
        with self._pool.connection() as conn:
            for row in conn.execute(QUERIES["transitions"], {"after": self._after}).fetchall():
                self._after = max(self._after, row["at"])
                self._say(sentence(row))
            self._story = conn.execute(QUERIES["story"], {"camera_id": self._camera_id}).fetchone()

    def streams_for_s(self, camera_id: str) -> float:
        """Seconds since the camera last began to stream; 0 where it does not, or has not since the demo's start."""
        given = {"camera_id": camera_id, "after": self._since}
        with self._pool.connection() as conn:
            row = conn.execute(QUERIES["streaming_since"], given).fetchone()
        return 0.0 if row is None else (datetime.now(UTC) - row["since"]).total_seconds()

    def mid_story(self) -> bool:
        """The officer is on the way and the edge still watches: the worst moment for a power cut."""
        story = self._story
        return story is not None and story["state"] in ("en_route", "on_site") and bool(story["clips"])

    def over(self) -> bool:
        """The level I alert is verified and its condition has ended."""
        story = self._story
        return story is not None and story["state"] == "verified" and bool(story["condition_ended"])

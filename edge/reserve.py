"""Room that is kept for numbered messages: a file that is allocated beforehand and given back when the disk is full.

Somebody else's data may fill the disk; then an outbox without a reserve could number nothing. Decides how
large it is (`wanted_bytes`, pure). Given back piece by piece, so that whoever fills the disk can't take it
all at once; made again by `edge.keeper` once there is room.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

#: Days without the centre for which numbered messages have room, at this rate.
DAYS: Final = 30
#: Per camera: a watch record each minute, and so many messages of events each hour, day and night.
WATCH_BYTES: Final = 800
EVENTS_PER_HOUR: Final = 12
EVENT_BYTES: Final = 2600
#: At most this share of the disk, however many cameras there are.
MOST_OF_DISK: Final = 1 / 8
#: Growing takes at most this share of what is free at the time.
MOST_OF_FREE: Final = 1 / 4
#: What is given back at once: a hundred messages even if all that is left over is taken by others.
PIECE_BYTES: Final = 512 * 1024


def month_bytes(cameras: int) -> int:
    """What the messages of so many cameras weigh in thirty days.

    >>> month_bytes(1) // 2**20
    54
    """
    hourly = 60 * WATCH_BYTES + EVENTS_PER_HOUR * EVENT_BYTES
    return cameras * DAYS * 24 * hourly


def wanted_bytes(cameras: int, total_bytes: int, outbox_bytes: int) -> int:
    """How large the reserve should be: what the outbox's file does not hold already is to be found beside it.

    >>> wanted_bytes(1, 10**12, 0) == month_bytes(1), wanted_bytes(1, 16 * 2**20, 2**20) == 2**20
    (True, True)
    """
    return max(0, min(month_bytes(cameras), int(total_bytes * MOST_OF_DISK)) - outbox_bytes)


class Reserve:
    """The reserve of one outbox. Many processes may give it back; one makes it."""

    def __init__(self, outbox: Path) -> None:
        self.path = outbox.with_suffix(".reserve")

    def size(self) -> int:
        """Bytes that are kept now."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def grow(self, to_bytes: int, free_bytes: int) -> bool:
        """Take what is missing, gently; whether it has the size that is wanted.

        A disk that has no room now is asked again at the next round.
        """
        have = self.size()
        size = min(to_bytes, have + int(free_bytes * MOST_OF_FREE))
        if size > have:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, have, size - have)
            except OSError:
                os.ftruncate(file, have)  # it may have got half of it
            finally:
                os.close(file)
        return self.size() >= to_bytes

    def give_back(self) -> bool:
        """Free a piece of the disk; whether there was any left."""
        try:
            have = self.path.stat().st_size
            if have == 0:
                return False
            os.truncate(self.path, max(0, have - PIECE_BYTES))
        except OSError:
            return False
        return True

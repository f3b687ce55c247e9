"""What strangers send is looked at one file at a time, and few may wait for it.

Drawing a PDF can take a minute and a core. Whoever waits holds no worker thread, since pages, logins and uploads share
those; whoever comes when enough wait is told to come again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from monitor.web.errors import WebError

#: one is looked at, the others wait
MOST_INSIDE: Final = 4
AGAIN_S: Final = 60
T = TypeVar("T")


class FileTurns:
    """The turns of one server process; to be used on its event loop only."""

    def __init__(self) -> None:
        self._inside = 0
        self._one = anyio.CapacityLimiter(1)

    @contextmanager
    def queued(self) -> Iterator[None]:
        """A place among those who wait; WebError (503) if there is none."""
        if self._inside >= MOST_INSIDE:
            raise WebError("file_busy", status=503, headers={"Retry-After": str(AGAIN_S)})
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread of its own, once it is its turn."""
        return await anyio.to_thread.run_sync(work, limiter=self._one)

"""An edge's detector as the centre wants it: keeps the set fetched, and says when cameras change over.

What is done next is `model_swap`'s, what is on disk `model_fetch`'s; here only their order, and the settings that each
set of weights means for jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import structlog

from edge.model_fetch import Fetcher, complete, folder_of
from edge.model_swap import Facts, Step, Swap, folder_for, next_step
from edge.model_used import Used, note, noted
from edge.parts import Part
from models.errors import ModelRefused
from models.registry import find, read_card
from monitor.domain.events import ModelStatus

log = structlog.get_logger()

NAME: Final = "model"


class ModelCare:
    """One edge's. All by the worker's thread; the fetcher is a part of its own."""

    def __init__(
        self, data_dir: Path, own: Path | None, backend: str, wanted: Callable[[], str | None], client: Callable[[], httpx.Client],
    ) -> None:  # fmt: skip
        """`own`: the edge's own weights; `wanted`: by the configuration in force."""
        self._data_dir, self._own, self._wanted, self._backend = data_dir, own, wanted, backend
        self._used = noted(data_dir / "models")
        self._swap = Swap(in_use=self._at_start())
        if self._swap.in_use != self._used.in_use:
            self._note()
        self.fetcher = Part(NAME, lambda: Fetcher(
            client(), data_dir, backend, wanted=wanted(), ready=self._swap.in_use, needed=self._needed))  # fmt: skip

    def _at_start(self) -> str | None:
        """What was in use goes on until the wanted one is here, tried and looks. The edge's own needs none of that."""
        name = self._used.in_use
        if self._wanted() is None or name is None or self._used.backend != self._backend:
            return None
        return name if complete(folder_of(self._data_dir, name), name) is not None else None

    def _note(self) -> None:
        self._used = Used(in_use=self._swap.in_use, before=self._used.in_use, backend=self._backend)
        note(self._data_dir / "models", self._used)

    def _needed(self) -> frozenset[str]:
        """Sets that must stay on the disk; asked by the fetcher's thread."""
        swap, used = self._swap, self._used
        return frozenset(
            name for name in (swap.in_use, swap.coming, used.in_use, used.before) if name is not None
        )

    @property
    def weights(self) -> tuple[Path | None, int | None]:
        """Folder and longer side of the set that cameras use."""
        return self._of(self._swap.in_use)

    @property
    def for_detector(self) -> tuple[Path | None, int | None]:
        """Of the set that the shared detector is to have: the one that comes, if one does."""
        return self._of(self._swap.coming if self._swap.is_coming else self._swap.in_use)

    def _of(self, name: str | None) -> tuple[Path | None, int | None]:
        folder = folder_for(name, self._own, self._data_dir)
        try:
            return folder, read_card(folder or find(None)).long_side_px
        except ModelRefused:  # each camera's own error, told when it loads them
            return folder, None

    def care(self, *, serves_as_wanted: bool, deaths: int) -> Step:
        """What is to be done now about the detector."""
        fetcher = self.fetcher.current
        fetcher.wanted = self._wanted()
        facts = Facts(wanted=fetcher.wanted, ready=fetcher.ready, serves_as_wanted=serves_as_wanted, deaths=deaths,
                      now_s=time.monotonic())  # fmt: skip
        before = self._swap
        self._swap, step = next_step(before, facts)
        if step == "begin":
            log.info("detector_coming", model=self._swap.coming or "own")
        elif step == "finish":
            self._note()
            log.info("detector_changed", model=self._swap.in_use or "own")
        elif step == "give_up":
            log.error("detector_given_up", model=self._swap.given_up or "own", reason=self._swap.trouble)
        return step

    def status(self) -> ModelStatus:
        """For the centre."""
        trouble = self._swap.trouble or self.fetcher.current.trouble
        return ModelStatus(wanted=self._wanted(), in_use=self._swap.in_use, trouble=trouble)

    @property
    def troubles(self) -> tuple[str, ...]:
        """For people, beside the worker's other troubles."""
        trouble = self.status().trouble
        return (f"promoted model not in use: {trouble}",) if trouble else ()

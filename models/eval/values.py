"""One picture as the figures need it: what is labelled, what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Labels and found boxes of one picture; boxes are left, top, right, bottom in its own pixels."""

    path: Path
    #: (G, 4) and G names.
    truth_xyxy: NDArray[np.float64]
    truth_classes: tuple[str, ...]
    #: (D, 4), (D,) and D names.
    found_xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]
    found_classes: tuple[str, ...]
    #: Classes of which every instance in this picture is labelled.
    exhaustive: frozenset[str]
    #: Which source the picture is from; empty if none is known.
    source: str = ""
    #: Mean brightness is that of a night picture (`models.eval.run.DARK_BELOW`).
    dark: bool = False

    def truth_of(self, class_name: str) -> NDArray[np.float64]:
        """(n, 4) labelled boxes of one class."""
        chosen = np.array([name == class_name for name in self.truth_classes], dtype=np.bool_)
        return self.truth_xyxy[chosen].reshape(-1, 4)

    def found_of(self, class_name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, 4) found boxes of one class and their scores (n,)."""
        chosen = np.array([name == class_name for name in self.found_classes], dtype=np.bool_)
        return self.found_xyxy[chosen].reshape(-1, 4), self.scores[chosen]

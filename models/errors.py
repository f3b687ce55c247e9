"""What can go wrong in `models`: one base, and a class for each thing a caller can act on."""

from __future__ import annotations

from pathlib import Path


class ModelError(Exception):
    """Something in the models package failed; subclasses say what."""


class ModelRefused(ModelError):
    """A set of weights is missing, incomplete or not the one its card describes. A retry can't help.

    Carries `what` is wrong, `where` (the file) and the `remedy` for whoever reads the message.
    """

    def __init__(self, what: str, *, where: Path, remedy: str) -> None:
        super().__init__(f"model refused: {what} ({where}). {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


class BackendUnknown(ModelError):
    """No inference backend has this name. Final; carries the name and those that exist."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no inference backend is called {name!r}; there are: {', '.join(known)}")
        self.name = name
        self.known = known


class BackendUnusable(ModelError):
    """An inference backend can't be used on this machine as it is; carries its name, why, and what to do."""

    def __init__(self, name: str, reason: str, *, remedy: str) -> None:
        super().__init__(f"the backend {name} can't be used here: {reason}. {remedy}")
        self.name = name
        self.reason = reason
        self.remedy = remedy


class FrameUnusable(ModelError):
    """A frame is not an (H, W, 3) uint8 picture with at least one pixel."""


class NotLooked(ModelError):
    """Nobody looked at this frame: the detector is shared, and had no time for it or isn't there just now.

    Retryable with the next frame; carries why. No boxes are not the same as not looked.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"nobody looked at this frame: {why}")
        self.why = why


class ImageUnreadable(ModelError):
    """A file is not a picture that we can decode; carries its path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class DataUnusable(ModelError):
    """A labelled data set can't be used as it stands; carries the file and what is wrong with it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class TrainingFailed(ModelError):
    """The training process can't start or ended with an error; what it said is on its own output."""

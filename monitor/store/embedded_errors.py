"""What can keep the embedded database from running: each class says what happened and to whom."""

from __future__ import annotations

from pathlib import Path


class EmbeddedPostgresError(Exception):
    """The embedded database can't be had; the message says why and what to do."""


class AlreadyRunning(EmbeddedPostgresError):
    """Another process of ours runs the database of this folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.folder = folder
        self.pid = pid
        super().__init__(
            f"The database in {folder} is in use by process {pid or '(unknown)'}. "
            "Stop that one first, or choose another folder."
        )


class DiskFull(EmbeddedPostgresError):
    """The disk under the folder has no room for the database."""

    def __init__(self, folder: Path, needed_bytes: int) -> None:
        self.folder = folder
        super().__init__(
            f"The disk that holds {folder} is full ({needed_bytes / 1e6:.0f} MB are needed "
            "to start the database). Free some, or choose a folder on another disk."
        )


class PortTaken(EmbeddedPostgresError):
    """The port that the user asked for is another's."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(f"Port {port} of 127.0.0.1 is taken. Name another, or none for a free one.")

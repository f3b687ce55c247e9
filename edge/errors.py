"""What can go wrong on the edge: one base, and a class for each thing that a caller can act on."""


class EdgeError(Exception):
    """Something on the edge failed; subclasses say what."""


class AlreadyRunning(EdgeError):
    """Another worker owns this data folder. Final; carries the folder."""

    def __init__(self, data_dir: str) -> None:
        super().__init__(
            f"another edge worker is already running in {data_dir}. "
            "Stop it first, or give this one a folder of its own."
        )
        self.data_dir = data_dir


class OutboxRefused(EdgeError):
    """A message could not be numbered, usually because the disk is full. Retryable; nothing was numbered."""


class OutboxUnusable(EdgeError):
    """The outbox database can't be opened or is damaged. Final; the message says where and what to do."""


class SourceError(EdgeError):
    """A camera's picture can't be had. Carries the camera and a reason without credentials."""

    def __init__(self, camera_id: str, reason: str) -> None:
        super().__init__(f"camera {camera_id}: {reason}")
        self.camera_id, self.reason = camera_id, reason


class SourceUnreachable(SourceError):
    """The source does not open, or stopped answering. Retryable."""


class SourceBlocked(SourceError):
    """The camera's address lies outside the networks that the edge's file lists. Retried slowly."""


class SourceEnded(SourceError):
    """A file or folder was played to its end. Final for this run."""


class EvidenceRefused(EdgeError):
    """Evidence could not be written durably, usually because the disk is full. Retryable."""


class PartHopeless(EdgeError):
    """A thread without which nothing reaches the centre dies again and again. The worker ends, to be started anew."""

    def __init__(self, part: str, fault: str) -> None:
        super().__init__(f"the {part} died again and again: {fault}")
        self.part, self.fault = part, fault


class NetworkThreadGone(EdgeError):
    """The MQTT client's own thread died: its connection moves nothing any more. The publisher is made anew."""

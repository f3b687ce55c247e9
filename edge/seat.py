"""A camera's seat at the shared detector: memory for one picture, and a line for short messages.

The worker makes it and keeps it, so it outlives both the camera's process and the detector's; each gets it
when it is started. The picture crosses in shared memory, asked and answered is over a socket whose messages
arrive whole or not at all, so that a kill at any moment leaves nothing half-said. Nobody waits for a lock:
who reads a picture finds out that it was being replaced (`DetectorEnd.picture`), and numbers of looks, taken
from the machine's monotonic clock, never come again. Leaves what is asked when to its two ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import select
import socket
import threading
from multiprocessing import reduction
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.scheduling import Ask, Occasion, Refusal
from models.boxes import STRIDE_PX
from monitor.domain.levels import HcaGrade

#: Largest longer side of a network's input; memory is taken only when it is written.
LONGEST_SIDE_PX: Final = 1280
#: Four numbers: which detector serves, which look's picture is being written, which one's is complete, and
#: which detector may be given windows.
_HEADER_BYTES: Final = 64
_SERVING, _WRITING, _WRITTEN, _PREPARED = range(4)
_BYTES: Final = _HEADER_BYTES + LONGEST_SIDE_PX * LONGEST_SIDE_PX * 3
_MESSAGE_BYTES: Final = 128 * 1024


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A camera asks for a look at the picture in its memory."""

    look: int
    grade: HcaGrade
    occasion: Occasion
    deadline_s: float
    #: height and width of the picture, and which network: its input's longer side
    input_hw: tuple[int, int]
    long_side_px: int
    #: SHA-256 of the weights that the camera names in its events
    model_sha256: str


class Box(msgspec.Struct, frozen=True, array_like=True):
    """One detection, in the input's pixels."""

    class_name: str
    score: float
    xyxy: tuple[float, float, float, float]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What became of a look: boxes, or why there are none."""

    look: int
    refused: Refusal | None = None
    boxes: tuple[Box, ...] = ()


_REQUEST: Final = msgspec.msgpack.Decoder(Request)
_ANSWER: Final = msgspec.msgpack.Decoder(Answer)


class Seat:
    """What the worker holds of one camera's seat, and hands to a process when it starts one."""

    def __init__(self) -> None:
        """Raises OSError if the machine has no more memory or file handles."""
        self._memory = os.memfd_create("hcawatch-seat", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._memory, _BYTES)
        # A camera's process, which reads what strangers send, must not be able to pull the memory away.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self._memory, fcntl.F_ADD_SEALS, seals)
        self._camera, self._detector = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._header = _Memory(self._memory)

    def vacate(self) -> None:
        """Say that no detector serves: who waits for one, waits no longer."""
        self._header.words[_SERVING] = 0

    def camera_end(self) -> CameraEnd:
        """The camera's end; crosses to a process that is being started."""
        return CameraEnd(self._memory, self._camera.fileno())

    def detector_end(self) -> DetectorEnd:
        """The detector's end; crosses likewise."""
        return DetectorEnd(self._memory, self._detector.fileno())

    def close(self) -> None:
        """Give everything back; what the processes hold stays theirs."""
        self._camera.close()
        self._detector.close()
        os.close(self._memory)


class _Memory:
    """The shared memory: four words, then the picture."""

    def __init__(self, memory: int) -> None:
        mapped = mmap.mmap(memory, _BYTES)
        self.words = np.frombuffer(mapped, dtype=np.uint64, count=4)
        self._bytes = np.frombuffer(mapped, dtype=np.uint8, offset=_HEADER_BYTES)

    def picture(self, input_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Room for a picture (H, W, 3)."""
        height, width = input_hw
        return self._bytes[: height * width * 3].reshape(height, width, 3)


class _End:
    """One end of a seat: two file handles until it is opened, in the process that uses it."""

    def __init__(self, memory: int, line: int) -> None:
        self._handles = (memory, line)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (type(self), *(reduction.DupFd(handle) for handle in self._handles))

    def open(self) -> None:
        """Map the memory and take the line; once, in the process that uses this end."""
        memory, line = self._handles
        self._memory = _Memory(memory)
        self._line = socket.socket(fileno=os.dup(line))
        self._line.setblocking(False)

    def fileno(self) -> int:
        """The line's handle, to wait for messages."""
        return self._line.fileno()

    def _say(self, message: msgspec.Struct) -> bool:
        try:
            self._line.send(msgspec.msgpack.encode(message))
        except OSError:  # full, since nobody listens on the other end
            return False
        return True

    def _heard(self) -> bytes | None:
        try:
            return self._line.recv(_MESSAGE_BYTES) or None
        except OSError:
            return None


def _received(kind: type[_End], memory: Any, line: Any) -> _End:
    return kind(memory.detach(), line.detach())


class CameraEnd(_End):
    """Writes pictures, asks for looks: one after the other, who has the `turn`."""

    def open(self) -> None:
        """As every end; opening it again changes nothing."""
        if not hasattr(self, "turn"):
            super().open()
            self.turn = threading.Lock()

    @property
    def serving(self) -> int:
        """Which detector serves: a number that none had before; 0 for none."""
        return int(self._memory.words[_SERVING])

    @property
    def prepared(self) -> bool:
        """Whether the one that serves may be given windows."""
        return 0 < self.serving == int(self._memory.words[_PREPARED])

    def picture(self, look: int, input_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Room for the next look's picture: fill it, then `ask`."""
        self._memory.words[_WRITING] = look
        return self._memory.picture(input_hw)

    def ask(self, request: Request) -> bool:
        """The picture is complete; False if nobody takes messages any more."""
        self._memory.words[_WRITTEN] = request.look
        return self._say(request)

    def answer(self, look: int, timeout_s: float) -> Answer | None:
        """The answer to that look, if one comes in time; what came for an earlier one is thrown away."""
        waiting = select.poll()
        waiting.register(self._line, select.POLLIN)
        if not waiting.poll(timeout_s * 1000):
            return None
        while (raw := self._heard()) is not None:
            with contextlib.suppress(msgspec.DecodeError):
                answer = _ANSWER.decode(raw)
                if answer.look == look:
                    return answer
        return None


class DetectorEnd(_End):
    """Takes requests, reads pictures, answers."""

    def serve(self, detector: int) -> None:
        """Say that this detector serves from now on."""
        self._memory.words[_SERVING] = detector

    def prepared(self, detector: int) -> None:
        """Say that this detector may be given windows from now on."""
        self._memory.words[_PREPARED] = detector

    def requests(self) -> tuple[Request, ...]:
        """What was asked since the last call, in its order; what can't be read or can't be true is left out."""
        heard = []
        while (raw := self._heard()) is not None:
            with contextlib.suppress(msgspec.DecodeError):
                request = _REQUEST.decode(raw)
                if _is_possible(request):
                    heard.append(request)
        return tuple(heard)

    def picture(self, request: Request) -> NDArray[np.uint8] | None:
        """A copy of that look's picture (H, W, 3); None if the camera has begun to write another one."""
        if int(self._memory.words[_WRITTEN]) != request.look:
            return None
        copy = self._memory.picture(request.input_hw).copy()
        return copy if int(self._memory.words[_WRITING]) == request.look else None

    def answer(self, answer: Answer) -> None:
        """Tell the camera; if it isn't there any more, nobody waits for it."""
        self._say(answer)


def ask_of(camera_id: str, request: Request) -> Ask:
    """A request as the schedule sees it."""
    return Ask(
        camera_id=camera_id, look=request.look, grade=request.grade, occasion=request.occasion,
        deadline_s=request.deadline_s,
    )  # fmt: skip


def _is_possible(request: Request) -> bool:
    """Whether the picture fits the memory, and the network."""
    height, width = request.input_hw
    return (
        min(height, width) >= STRIDE_PX
        and height % STRIDE_PX == width % STRIDE_PX == 0
        and max(height, width) == request.long_side_px <= LONGEST_SIDE_PX
    )

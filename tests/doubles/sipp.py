"""SIPp (Debian's sip-tester): an independent peer that speaks SIP by our scenarios, not by our code."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType

SIPP = shutil.which("sipp") or ("/usr/bin/sipp" if Path("/usr/bin/sipp").exists() else None)
SCENARIOS = Path(__file__).resolve().parents[1] / "integration" / "data" / "sipp"


def free_port() -> int:
    """Of UDP on loopback, free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sipp:
    """One run of a scenario; leaving the block ends it."""

    def __init__(self, folder: Path, scenario: str, *options: str, **filled: str) -> None:
        """`filled`: words of the scenario and what stands in their place."""
        assert SIPP is not None
        self.folder = folder
        text = (SCENARIOS / scenario).read_text(encoding="latin-1")
        for word, value in filled.items():
            text = text.replace(word, value)
        (folder / scenario).write_text(text, encoding="latin-1")
        self.port = free_port()
        self._command = [
            SIPP, "-sf", str(folder / scenario), "-i", "127.0.0.1", "-p", str(self.port), "-nostdin",
            "-trace_msg", "-message_file", str(folder / "messages.log"), "-trace_err", "-error_file", str(folder / "errors.log"),
            *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sipp:
        self._process = subprocess.Popen(
            self._command, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=(self.folder / "out.log").open("wb"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wait(self, timeout_s: float = 60.0) -> int:
        """The exit status: 0 if every call went as the scenario says."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def messages(self) -> str:
        """All that went over the wire."""
        log = self.folder / "messages.log"
        return log.read_bytes().decode("gb18030", "replace") if log.exists() else ""

    def errors(self) -> str:
        """What went otherwise than the scenario says."""
        log = self.folder / "errors.log"
        return (log.read_text(errors="replace") if log.exists() else "") + (
            self.folder / "out.log"
        ).read_text(errors="replace")[-3000:]

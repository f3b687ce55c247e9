"""What runs an edge's detector: what is configured, else the fastest, and always something."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from edge import backend
from edge.backend import backend_for
from models.backends import AUTO
from models.choice import STATE


def test_what_is_configured_is_taken_unmeasured(tmp_path: Path) -> None:
    """A name in the configuration is final: nothing is measured and nothing kept."""
    with capture_logs() as logs:
        assert backend_for("openvino", None, (), tmp_path) == "openvino"
    assert (logs[0]["backend"], logs[0]["reason"]) == ("openvino", "configured")
    assert not list(tmp_path.iterdir())


def test_the_fastest_is_measured_once_and_kept(tmp_path: Path) -> None:
    """A process of its own measures; the next start reads what it kept."""
    chosen = backend_for(AUTO, None, (), tmp_path)
    kept = json.loads((tmp_path / STATE).read_text())
    assert kept["backend"] == chosen == min(kept["ms"], key=kept["ms"].get)
    before = (tmp_path / STATE).stat().st_mtime_ns
    assert backend_for(AUTO, None, (), tmp_path) == chosen
    assert (tmp_path / STATE).stat().st_mtime_ns == before


def test_weights_that_are_refused_are_each_cameras_own_error(tmp_path: Path) -> None:
    """Cameras start with the backend that runs anywhere and say themselves what is wrong; the log says it too."""
    with capture_logs() as logs:
        assert backend_for(AUTO, tmp_path / "nowhere", (), tmp_path) == "onnxruntime"
    assert logs[0]["event"] == "detector_backend_not_measured"
    assert "card.yaml" in logs[0]["error"]


def test_a_library_that_crashes_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measuring process dies (an instruction that the processor hasn't): the edge watches all the same."""
    monkeypatch.setattr(backend, "_decide", _die)
    with capture_logs() as logs:
        assert backend_for(AUTO, None, (), tmp_path) == "onnxruntime"
    assert logs[0]["event"] == "detector_backend_not_measured"


def test_an_error_that_nobody_foresaw_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver's own exception while backends are compared is an answer, not the end of the edge's start."""

    def fail(*_: object) -> None:
        raise RuntimeError("no device")

    monkeypatch.setattr("models.choice.decide", fail)
    monkeypatch.setattr(backend, "configure", lambda: None)
    assert backend._decide(None, (), tmp_path) == (None, "RuntimeError: no device")


def _die(*_: object) -> tuple[str | None, str]:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGILL)
    return None, "not reached"


def test_killed_while_it_measures_nothing_stays(tmp_path: Path) -> None:
    """kill -9 of an edge at its first start: the measuring process ends with it and frees the machine."""
    code = "import sys; from pathlib import Path; from edge import backend; backend.backend_for('auto', None, (), Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as parent:
        us, deadline = psutil.Process(parent.pid), time.monotonic() + 60
        while not any("spawn_main" in " ".join(p.cmdline()) for p in us.children()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        family = us.children(recursive=True)
        time.sleep(0.5)
        parent.kill()
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_a_measuring_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When patience is over, cameras start, and the hung process doesn't go on taking their time."""
    monkeypatch.setattr(backend, "PATIENCE_S", 3.0)
    monkeypatch.setattr(backend, "_decide", _hang)
    with capture_logs() as logs:
        assert backend_for(AUTO, None, (), tmp_path) == "onnxruntime"
    assert "no answer" in logs[0]["error"]
    assert not [p for p in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]


def _hang(*_: object) -> tuple[str | None, str]:
    time.sleep(600)
    return None, "not reached"

"""Set-up, run for real on a tiny repository whose packages lie in a folder: no network.

The tiny repository has the real script, a lock file with hashes, and Leaflet's real files.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import js_lib_leaflet
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

BACKEND = """
import base64, hashlib, pathlib, zipfile
def get_requires_for_build_editable(config_settings=None): return []
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("tiny.pth", str(pathlib.Path.cwd()))
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""


def make_wheel(folder: Path, name: str, files: dict[str, bytes]) -> str:
    """A wheel with these files; answers its line for a lock file."""
    path = folder / f"{name.replace('-', '_')}-1-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-1.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as wheel:
        for file_name, content in files.items():
            wheel.writestr(file_name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{file_name},sha256={digest},{len(content)}\n"
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """The tiny repository and how to set it up."""

    root: Path
    wheels: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.root / "deploy" / "setup" / "setup.py"), *arguments]

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
        return {
            **kept,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(),
            env=self.environment(),
            text=True,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def can_import(self, name: str) -> bool:
        python = self.root / ".venv" / "bin" / "python"
        return subprocess.run([python, "-c", f"import {name}"], check=False).returncode == 0

    @property
    def state_file(self) -> Path:
        return self.root / ".venv" / "hcawatch-setup.json"


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    root, wheels = tmp_path / "repository", tmp_path / "wheels"
    (root / "deploy" / "setup").mkdir(parents=True)
    (root / "requirements").mkdir()
    wheels.mkdir()
    shutil.copy(REPOSITORY / "deploy" / "setup" / "setup.py", root / "deploy" / "setup")
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "tiny.py").write_text("")
    static = Path(next(iter(js_lib_leaflet.__path__))) / "static" / "js_lib_leaflet"
    leaflet = {
        f"js_lib_leaflet/static/js_lib_leaflet/{path.relative_to(static)}": path.read_bytes()
        for path in static.rglob("*")
        if path.is_file() and path.suffix != ".map"
    }
    licence = next(static.parents[2].glob("django_js_lib_leaflet-*/LICENSE"))
    lock = make_wheel(
        wheels,
        "django-js-lib-leaflet",
        {**leaflet, "django_js_lib_leaflet-1.dist-info/LICENSE": licence.read_bytes()},
    )
    lock += make_wheel(wheels, "alpha", {"alpha.py": b""})
    (root / "requirements" / "runtime.lock").write_text(lock)
    (root / "requirements" / "dev.lock").write_text(make_wheel(wheels, "beta", {"beta.py": b""}))
    return Tiny(root=root, wheels=wheels)


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "setup_script", REPOSITORY / "deploy" / "setup" / "setup.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_fresh_clone_is_set_up_and_a_second_start_takes_no_time(tiny: Tiny) -> None:
    """Packages, the project and the map library are there; then there is nothing to do or say."""
    first = tiny.run()
    assert first.returncode == 0, first.stderr
    assert tiny.can_import("alpha, tiny")
    assert not tiny.can_import("beta")
    vendored = tiny.root / "monitor" / "web" / "static" / "vendor" / "leaflet"
    assert (vendored / "leaflet.js").is_file()
    assert (vendored / "LICENSE").is_file()
    began_s = time.monotonic()
    second = tiny.run()
    assert (second.returncode, second.stderr) == (0, "")
    assert time.monotonic() - began_s < 1


def test_only_what_changed_is_done_again(tiny: Tiny) -> None:
    """A new lock brings its package without a new environment; a lost map library comes back."""
    assert tiny.run().returncode == 0
    marker = tiny.root / ".venv" / "still the same"
    marker.touch()
    lock = tiny.root / "requirements" / "runtime.lock"
    lock.write_text(lock.read_text() + make_wheel(tiny.wheels, "gamma", {"gamma.py": b""}))
    again = tiny.run()
    assert again.returncode == 0, again.stderr
    assert "project installed" not in again.stderr
    assert tiny.can_import("alpha, gamma")
    leaflet = tiny.root / "monitor" / "web" / "static" / "vendor" / "leaflet" / "leaflet.js"
    leaflet.write_text("damaged")
    assert tiny.run().returncode == 0
    assert leaflet.read_text() != "damaged"
    assert marker.exists()


def test_a_set_up_that_was_killed_is_completed_by_the_next(tiny: Tiny) -> None:
    """kill -9 while pip writes: any package may be half there, so the environment is made anew."""
    process = tiny.start()
    deadline_s = time.monotonic() + 60
    while "running" not in (tiny.state_file.read_text() if tiny.state_file.exists() else ""):
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stderr is not None
    process.stderr.close()
    half = next((tiny.root / ".venv" / "lib").glob("python3*/site-packages")) / "alpha-1.dist-info"
    half.mkdir(exist_ok=True)
    (half / "METADATA").write_text("Metadata-Version: 2.1\nName: alpha\nVersion: 1\n")
    again = tiny.run()
    assert again.returncode == 0, again.stderr
    assert tiny.can_import("alpha, tiny")


def test_two_at_once_do_not_collide(tiny: Tiny) -> None:
    """The second waits, says for whom, and finds the work done."""
    first = tiny.start()
    lock = tiny.root / ".setup.lock"
    deadline_s = time.monotonic() + 30
    while not (lock.exists() and lock.read_text()):
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    second = tiny.run()
    assert second.returncode == 0, second.stderr
    assert f"waiting for the one at work here (pid {first.pid})" in second.stderr
    _, said = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert tiny.can_import("alpha, tiny")


def test_a_package_that_is_not_the_locked_one_is_refused(tiny: Tiny) -> None:
    """The end of the log and a remedy are shown; with the right file the next start succeeds."""
    right = (tiny.root / "requirements" / "runtime.lock").read_text()
    make_wheel(tiny.wheels, "alpha", {"alpha.py": b"import os"})
    failed = tiny.run()
    assert failed.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in failed.stderr
    assert "Then run the same command again." in failed.stderr
    assert not tiny.can_import("alpha")
    make_wheel(tiny.wheels, "alpha", {"alpha.py": b""})
    (tiny.root / "requirements" / "runtime.lock").write_text(
        re.sub(r"alpha==1.*\n", make_wheel(tiny.wheels, "alpha", {"alpha.py": b""}), right)
    )
    assert tiny.run().returncode == 0


def test_a_clone_that_was_moved_gets_a_new_environment(tiny: Tiny, tmp_path: Path) -> None:
    """Scripts in an environment name its folder."""
    assert tiny.run().returncode == 0
    moved = Tiny(root=tiny.root.rename(tmp_path / "elsewhere"), wheels=tiny.wheels)
    assert moved.run().returncode == 0
    pip = (moved.root / ".venv" / "bin" / "pip").read_text()
    assert str(moved.root) in pip.splitlines()[0]


def test_what_the_tests_need_is_named_when_it_cant_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain user learns which tests will be skipped, and why."""
    script = load_script()
    missing = [("chromium", "/nowhere/chromium", "the browser test of the console")]
    monkeypatch.setattr(script, "missing_test_packages", lambda: missing)
    monkeypatch.setattr(script.os, "geteuid", lambda: 1000)
    script.install_test_packages(None)
    said = capsys.readouterr().err
    assert "without chromium: the browser test of the console will be skipped" in said


def test_a_python_without_venv_is_named_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Debian splits ensurepip off into python3-venv."""
    script = load_script()
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(script.SetupError, match="apt-get install python3-venv"):
        script.check_machine()


def test_another_python_is_named_before_anything_is_done() -> None:
    """The lock files are resolved for 3.11."""
    program = (
        "import runpy, sys; sys.version_info = (3, 9, 2);"
        f"runpy.run_path({str(REPOSITORY / 'deploy' / 'setup' / 'setup.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs Python 3.11" in done.stderr
    assert "3.9" in done.stderr


def test_the_lock_files_hold_every_dependency_with_hashes_and_no_address() -> None:
    """What pyproject.toml asks for is what set-up installs."""
    folder = REPOSITORY / "requirements"
    runtime = (folder / "runtime.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9.-]+)==", runtime, re.M))
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[=<>!~ ;]", dependency)[0] for dependency in wanted}
    assert names <= locked
    assert "opencv-python" not in locked
    for path in sorted(folder.iterdir()):
        text = path.read_text()
        assert "://" not in text, path
        assert "index" not in text.lower().replace("no-emit-index", ""), path
    for lock in ("runtime.lock", "dev.lock"):
        text = (folder / lock).read_text()
        pinned = re.findall(r"^[a-z0-9.-]+==.*?(?=^[a-z]|\Z)", text, re.M | re.S)
        assert all("--hash=sha256:" in entry for entry in pinned)


def test_the_map_library_is_the_one_that_was_published() -> None:
    """Leaflet 1.9.4 on npm has this integrity for its main file (SHA-256 of the same bytes)."""
    script = load_script()
    static = Path(next(iter(js_lib_leaflet.__path__))) / "static" / "js_lib_leaflet"
    for name, digest in script.LEAFLET_SHA256.items():
        if name != "LICENSE":
            assert hashlib.sha256((static / name).read_bytes()).hexdigest() == digest, name
    assert json.dumps(sorted(script.LEAFLET_SHA256))  # plain names, no paths out of the folder
    assert not any(name.startswith(("/", "..")) for name in script.LEAFLET_SHA256)

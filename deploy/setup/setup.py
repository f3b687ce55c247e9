"""Sets up `.venv` for hcawatch: packages from the lock files, the project, Leaflet's files.

Run by `make` with whatever Python there is, so it needs the standard library only. It is safe
to interrupt (half-written environments are built anew), to run twice at once (the second waits)
and to run again (a state file in `.venv` says what is done; nothing to do takes no time).

    python3 deploy/setup/setup.py            # what `make demo` needs
    python3 deploy/setup/setup.py --tests    # and what `make test` and `make check` need
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STATE = VENV / "hcawatch-setup.json"
LOG = VENV / "setup.log"
LOCK = ROOT / ".setup.lock"
VENDOR = ROOT / "monitor" / "web" / "static" / "vendor" / "leaflet"

# The lock files are resolved for it.
PYTHON_VERSION = (3, 11)
# Both lock files unpack to some 1.3 GB; pip needs room for its downloads beside that.
FREE_BYTES_NEEDED = 2_000_000_000
LOG_TAIL_LINES = 15

# Leaflet 1.9.4 as published on npm, and its licence as the wheel carries it.
LEAFLET_SHA256 = {
    "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
    "images/layers.png": "1dbbe9d028e292f36fcba8f8b3a28d5e8932754fc2215b9ac69e4cdecf5107c6",
    "images/layers-2x.png": "066daca850d8ffbef007af00b06eac0015728dee279c51f3cb6c716df7c42edf",
    "images/marker-icon.png": "574c3a5cca85f4114085b6841596d62f00d7c892c7b03f28cbfa301deb1dc437",
    "images/marker-icon-2x.png": "00179c4c1ee830d3a108412ae0d294f55776cfeb085c60129a39aa6fc4ae2528",
    "images/marker-shadow.png": "264f5c640339f042dd729062cfc04c17f8ea0f29882b538e3848ed8f10edb4da",
    "LICENSE": "596e1b738779bffa372268e9330a0fdd8528da1e3c833b15eee9cb37c6d55a95",
}

# What the tests use of Debian: (package, a file that shows it is there, what is skipped without).
TEST_PACKAGES = (
    ("chromium", "/usr/bin/chromium", "the browser test of the console"),
    # Playwright's driver links it, and a bare Debian has it not
    ("libatomic1", "/usr/lib/x86_64-linux-gnu/libatomic.so.1", "the browser test of the console"),
    ("fonts-wqy-zenhei", "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", "its Chinese texts"),
    ("mosquitto", "/usr/sbin/mosquitto", "the broker contract against mosquitto"),
    ("sip-tester", "/usr/bin/sipp", "GB/T 28181 with a peer that is not ours"),
)


class SetupError(Exception):
    """A step can't be done; the message says what, where and what to do."""


class Progress:
    """One line a step: moving on a terminal, written at the end (and every 15 s) elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started_s = time.monotonic()
        self.shown_s = self.started_s
        self.detail = ""

    def update(self, detail: str) -> None:
        self.detail = detail
        now_s = time.monotonic()
        if sys.stderr.isatty():
            self._write("\r\033[K" + self._line())
        elif now_s - self.shown_s >= 15:
            self.shown_s = now_s
            self._write(self._line() + "\n")

    def end(self, detail: str) -> None:
        self.detail = detail
        self._write(("\r\033[K" if sys.stderr.isatty() else "") + self._line() + "\n")

    def _line(self) -> str:
        return f"set-up: {self.title} {self.detail} ({time.monotonic() - self.started_s:.0f} s)"

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def sha256_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_state() -> dict[str, str]:
    try:
        state = json.loads(STATE.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(state: dict[str, str]) -> None:
    """By rename, so that a kill leaves the old state or the new one."""
    partial = STATE.with_suffix(".partial")
    partial.write_text(json.dumps(state, indent=1, sort_keys=True))
    partial.replace(STATE)


def wanted_state(tests: bool) -> dict[str, str]:
    """The keys of all steps: a step is done when the state file holds the same key.

    The environment's key names its folder, because scripts in it carry absolute paths. Which
    Python 3.11 made it doesn't matter while that one is still there.
    """
    python = VENV / "bin" / "python"
    wanted = {
        "environment": str(VENV) if python.exists() else "the Python of .venv is gone",
        "runtime packages": sha256_file(ROOT / "requirements" / "runtime.lock"),
        "project": sha256_file(ROOT / "pyproject.toml"),
    }
    if tests:
        wanted["test packages"] = sha256_file(ROOT / "requirements" / "dev.lock")
    return wanted


def leaflet_is_in_place() -> bool:
    return all(
        (VENDOR / name).is_file() and sha256_file(VENDOR / name) == digest
        for name, digest in LEAFLET_SHA256.items()
    )


def missing_test_packages() -> list[tuple[str, str, str]]:
    return [row for row in TEST_PACKAGES if not Path(row[1]).exists()]


def is_done(state: dict[str, str], wanted: dict[str, str]) -> bool:
    done = all(state.get(step) == key for step, key in wanted.items())
    return done and "running" not in state and leaflet_is_in_place()


def check_machine() -> None:
    """Whatever would fail minutes later, with a worse message."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise SetupError(
            f"{sys.executable} can't make virtual environments (module ensurepip is missing).\n"
            "On Debian: apt-get install python3-venv"
        )
    free_bytes = shutil.disk_usage(ROOT).free
    if free_bytes < FREE_BYTES_NEEDED and not (VENV / "bin").is_dir():
        raise SetupError(
            f"{ROOT} has {free_bytes / 1e9:.1f} GB free; set-up needs {FREE_BYTES_NEEDED / 1e9:.0f}"
            " GB.\nFree some, or clone to a larger disk."
        )
    if not os.access(ROOT, os.W_OK):
        raise SetupError(f"{ROOT} can't be written by this user. Clone to a folder of your own.")


@contextlib.contextmanager
def only_one() -> Iterator[IO[str]]:
    """Holds the lock on this folder; waits, and says so, while another set-up has it.

    Children inherit the file: a pip that outlives its killed set-up keeps the lock until it
    ends, so that the next start never works beside it.
    """
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            sys.stderr.write(f"set-up: waiting for the one at work here (pid {lock.read()})\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock


def run_logged(
    command: list[str],
    lock: IO[str],
    on_line: Callable[[str], None] | None = None,
    extra_env: dict[str, str] | None = None,
) -> int:
    """Runs a command with its output in the log, each line also to `on_line`."""
    # Settings of the user's that would break an install into a virtual environment.
    dropped = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_HASHES", "PYTHONPATH")
    env = {key: value for key, value in os.environ.items() if key not in dropped}
    env.update({"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"})
    env.update(extra_env or {})
    with LOG.open("a") as log:
        log.write("$ " + " ".join(command) + "\n")
        log.flush()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=(lock.fileno(),),
        )
        assert child.stdout is not None
        try:
            for line in child.stdout:
                log.write(line)
                log.flush()
                if on_line is not None:
                    on_line(line)
        except BaseException:
            child.kill()
            raise
        finally:
            code = child.wait()
    return code


def fail_with_log(what: str, remedy: str) -> SetupError:
    lines = LOG.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    tail = "\n".join("  | " + line for line in lines)
    return SetupError(f"{what}. The end of {LOG}:\n{tail}\n{remedy}")


def pip_install(title: str, lock_name: str, lock: IO[str]) -> None:
    """Installs exactly what a lock file lists, each file checked against its hashes."""
    lock_path = ROOT / "requirements" / lock_name
    total = sum(1 for line in lock_path.read_text().splitlines() if line[:1].isalnum())
    progress = Progress(title)
    progress.update(f"0 of {total}")
    seen = 0

    def on_line(line: str) -> None:
        nonlocal seen
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            seen += 1
            progress.update(f"{seen} of {total}")
        elif line.startswith("Installing collected packages"):
            progress.update(f"{total} of {total}, unpacking")

    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--progress-bar", "off"]
    code = run_logged([*command, "-r", str(lock_path)], lock, on_line)
    if code != 0:
        raise fail_with_log(
            f"pip could not install the {title} (exit {code})",
            "If it could not reach or verify its index: see `pip config list` and your proxy\n"
            "settings. If the disk is full: free some. Then run the same command again.",
        )
    progress.end(f"{total} of {total}")


def make_environment(lock: IO[str]) -> None:
    # The base interpreter, since this one may be that of the very .venv that goes away.
    python: str = getattr(sys, "_base_executable", "") or sys.executable
    progress = Progress("environment")
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    LOG.write_text("")
    code = run_logged([python, "-m", "venv", str(VENV)], lock)
    if code != 0:
        raise fail_with_log(f"{python} -m venv failed (exit {code})", "On Debian: install python3-venv.")
    progress.end(f"of Python {sys.version_info[0]}.{sys.version_info[1]} in .venv")


def install_project(lock: IO[str]) -> None:
    progress = Progress("project")
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-deps", "--no-index"]
    code = run_logged([*command, "--no-build-isolation", "-e", str(ROOT)], lock)
    if code != 0:
        raise fail_with_log(
            f"pip could not install the project (exit {code})",
            "This is a fault of ours; please report it with the log.",
        )
    progress.end("installed")


def copy_leaflet() -> None:
    """Takes Leaflet out of its wheel; what the hashes don't name is never served."""
    progress = Progress("map library")
    found = list((VENV / "lib").glob("python3*/site-packages/js_lib_leaflet/static/js_lib_leaflet"))
    licences = list((VENV / "lib").glob("python3*/site-packages/django_js_lib_leaflet-*/LICENSE"))
    if not found or not licences:
        raise SetupError("The package django-js-lib-leaflet has no Leaflet in it. Remove .venv.")
    for name, digest in LEAFLET_SHA256.items():
        source = licences[0] if name == "LICENSE" else found[0] / name
        if sha256_file(source) != digest:
            raise SetupError(f"{source} is not the file of Leaflet 1.9.4 (its hash differs).")
        target = VENDOR / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        shutil.copyfile(source, partial)
        partial.replace(target)
    progress.end("Leaflet 1.9.4")


def install_test_packages(lock: IO[str]) -> None:
    """What the tests use of Debian: installed when root, else named with what is skipped."""
    missing = missing_test_packages()
    if not missing:
        return
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        why = "not root" if apt else "no apt-get here"
        for package, _, skipped in missing:
            sys.stderr.write(f"set-up: {why}, so without {package}: {skipped} will be skipped\n")
        return
    names = [row[0] for row in missing]
    progress = Progress("Debian packages")
    progress.update(" ".join(names))
    # RUNLEVEL=1 keeps a package's service from being started: tests start their own.
    env = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (
        [apt, "update", "-q"],
        [apt, "install", "-y", "-q", "--no-install-recommends", *names],
    ):
        code = run_logged(command, lock, lambda _: progress.update(" ".join(names)), env)
        if code != 0:
            raise fail_with_log(
                f"{' '.join(command[:2])} failed (exit {code})",
                "See the sources of apt, or install them yourself: " + " ".join(names),
            )
    progress.end(" ".join(names))


def set_up(tests: bool, lock: IO[str]) -> None:
    """Does each step whose key the state file doesn't hold, and notes it."""
    wanted = wanted_state(tests)
    state = read_state()
    if "running" in state or state.get("environment") != wanted["environment"]:
        # The other case is a pip that was stopped while it wrote: any package may be half there.
        make_environment(lock)
        state = {"environment": str(VENV)}
        write_state(state)
    steps: list[tuple[str, Callable[[], None]]] = [
        ("runtime packages", lambda: pip_install("packages", "runtime.lock", lock)),
        ("test packages", lambda: pip_install("test packages", "dev.lock", lock)),
        ("project", lambda: install_project(lock)),
    ]
    for step, action in steps:
        if step not in wanted or state.get(step) == wanted[step]:
            continue
        if step.endswith("packages"):
            write_state({**state, "running": step})
        action()
        state[step] = wanted[step]
        write_state(state)
    if not leaflet_is_in_place():
        copy_leaflet()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Sets up .venv for hcawatch.")
    parser.add_argument("--tests", action="store_true", help="also what tests and checks need")
    tests = bool(parser.parse_args(arguments).tests)
    try:
        if is_done(read_state(), wanted_state(tests)) and not (tests and missing_test_packages()):
            return 0
        check_machine()
        with only_one() as lock:
            set_up(tests, lock)
            if tests:
                install_test_packages(lock)
    except SetupError as error:
        sys.stderr.write(f"\nset-up failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nset-up was interrupted; the next start completes it\n")
        return 130
    except OSError as error:
        sys.stderr.write(f"\nset-up failed: {error}\nIs the disk full, or the folder another's?\n")
        return 1
    return 0


if __name__ == "__main__":
    if sys.version_info[:2] != PYTHON_VERSION:
        sys.stderr.write(
            "set-up needs Python 3.11, and {} is {}.{}.\n"
            "On Debian 12: apt-get install python3 python3-venv; or name one: "
            "make PYTHON=/path/to/python3.11\n".format(sys.executable, *sys.version_info[:2])
        )
        sys.exit(1)
    sys.exit(main(sys.argv[1:]))

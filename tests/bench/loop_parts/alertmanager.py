"""Debian's prometheus-alertmanager, given the same alerts and the same receiver, by its own v2 API.

Every alert is a group of its own (as ours are), so that only `group_wait` delays it. Docker is not needed:
the program is taken from PATH, else from Debian's package, unpacked into a folder.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

PROGRAM: Final = "prometheus-alertmanager"
#: where Debian's looks for it, whatever the configuration says
TEMPLATE: Final = "/usr/share/prometheus/alertmanager/default.tmpl"
#: what Alertmanager waits before it first notifies of a group; the last one is its default
GROUP_WAIT: Final = {"gw0": "0s", "gw1s": "1s", "default30s": "30s"}

_CONFIG: Final = """
route:
  receiver: bench
  group_by: ['...']
  group_wait: {group_wait}
  group_interval: 5m
  repeat_interval: 4h
receivers:
  - name: bench
    webhook_configs:
      - url: {url}
        send_resolved: false
"""


class NoAlertmanager(Exception):
    """It can't be had here; the message says why."""


def program(folder: Path) -> Path:
    """Where the program is; NoAlertmanager if it is neither installed nor to be had."""
    if found := shutil.which(PROGRAM):
        return Path(found)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            ["apt-get", "download", PROGRAM], cwd=folder, check=True, capture_output=True, timeout=120
        )
        (package,) = folder.glob(f"{PROGRAM}_*.deb")
        subprocess.run(["dpkg", "-x", str(package), str(folder / "unpacked")], check=True, timeout=60)
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        said = getattr(exc, "stderr", b"") or str(exc).encode()
        raise NoAlertmanager(
            f"{PROGRAM} is not installed and its package can't be had: {said[-200:]!r}"
        ) from exc
    return folder / "unpacked" / "usr" / "bin" / PROGRAM


def _command(binary: Path) -> list[str]:
    """How to start it. One that is only unpacked finds its template in its own /usr/share, in a mount namespace."""
    share = binary.parents[1] / "share"
    if Path("/usr/share") == share or Path(TEMPLATE).exists():
        return [str(binary)]
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = 'mount --bind "$0" /usr/share && exec "$@"'
    return ["unshare", *as_root, "--mount", "sh", "-c", script, str(share), str(binary)]


def version(binary: Path) -> str:
    """First line of its --version."""
    said = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=False, timeout=20)
    return (said.stdout or said.stderr).splitlines()[0]


class Alertmanager:
    """One running server; `post` gives it one alert on a connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, body: bytes) -> None:
        """Returns when it was taken."""
        self._connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 200, f"Alertmanager answered {answer.status}"


def alert(n: int) -> bytes:
    """Alert number n, with about the labels that ours carries as fields."""
    labels = {"alertname": "excavation_5m", "place": str(n), "level": "I", "site": f"site-{n % 240}"}
    return json.dumps(
        [{"labels": labels, "annotations": {"title": "An excavator digs beside the pipe"}}]
    ).encode()


def place_of(body: bytes) -> Sequence[int]:
    """The numbers of the alerts in one of its webhook's messages."""
    return [int(one["labels"]["place"]) for one in json.loads(body)["alerts"]]


@contextlib.contextmanager
def running(binary: Path, folder: Path, group_wait: str, url: str) -> Iterator[Alertmanager]:
    """A server that waits `group_wait` and posts to `url`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "alertmanager.yml"
    config.write_text(_CONFIG.format(group_wait=group_wait, url=url))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_command(binary), f"--config.file={config}", f"--storage.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_ready(process, port)
        yield Alertmanager(port)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_ready(process: subprocess.Popen[bytes], port: int) -> None:
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s and process.poll() is None:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/-/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise NoAlertmanager("it did not start")

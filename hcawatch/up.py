"""`hcawatch up`: one's own cameras, with all parts on this machine, until Ctrl-C.

A part that ends by itself is started again, later and later if it keeps ending; the first line of its
log's end is said once each time.
"""

import logging
import os
import signal
import threading
import time
from pathlib import Path

from hcawatch.runtime import MqttAccess
from hcawatch.stack import Say, Stack
from hcawatch.texts import text
from monitor.domain.assets import City
from monitor.logs import set_up_logs

_LATEST_RESTART_S = 60.0


def run(
    *,
    config: Path,
    city: City,
    data_dir: Path,
    say: Say,
    http_port: int | None = None,
    database_url: str | None = None,
    broker: MqttAccess | None = None,
    credentials: dict[str, str] | None = None,
) -> int:
    """Start all parts and keep them running until SIGINT or SIGTERM; returns the exit status."""
    set_up_logs(logging.WARNING)
    stop = stop_event()
    with Stack(
        config=config, city=city, data_dir=data_dir, say=say, http_port=http_port,
        database_url=database_url, broker=broker, credentials=credentials,
    ) as stack:  # fmt: skip
        for edge in city.edges:
            count = sum(camera.edge_id == edge.edge_id for camera in city.cameras)
            say(text("edge_cameras", edge=edge.edge_id, count=count))
            stack.start_edge(edge.edge_id)
        say("")
        for page, path in (("console", "/"), ("field", "/field"), ("audit", "/audit")):
            say(text("page_at", page=text(page), url=f"{stack.url}{path}"))
        say(text("log_in_list", users=", ".join(stack.passwords), folder=stack.data_dir / "secrets"))
        say(text("ctrl_c"))
        _keep_running(stack, stop, say)
        say(text("ending"))
    return 0


def stop_event() -> threading.Event:
    """Set by the first SIGINT or SIGTERM; the second one ends at once."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    return stop


def _keep_running(stack: Stack, stop: threading.Event, say: Say) -> None:
    ended_times: dict[str, int] = {}
    again_at_s: dict[str, float] = {}
    while not stop.wait(0.5):
        for name in stack.ended():
            if name not in again_at_s:
                ended_times[name] = ended_times.get(name, 0) + 1
                wait_s = min(_LATEST_RESTART_S, 2.0 ** ended_times[name])
                again_at_s[name] = time.monotonic() + wait_s
                last = (stack.children[name].log_tail(1) or "no log").strip()
                status = stack.children[name].exit_code()
                say(text("ended_restart", name=name, status=status, last=last, seconds=wait_s))
            elif time.monotonic() >= again_at_s[name]:
                del again_at_s[name]
                stack.restart(name)

"""Logs of the worker and of each camera's process: as all others' (`monitor.logs`), once in a process."""

from __future__ import annotations

import structlog

from monitor.logs import set_up_logs


def configure() -> None:
    """Set them up, unless whoever started this process has."""
    if not structlog.is_configured():
        set_up_logs()

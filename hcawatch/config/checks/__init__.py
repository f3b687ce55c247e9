"""Checks of meaning: what several values of the file say together.

Each module of this package is one subject with a `check(look)` that yields faults; `CHECKS` lists them.
"""

from collections.abc import Callable, Iterator

from hcawatch.config.checks import (
    cameras,
    centre,
    channels,
    devices,
    gb28181,
    law,
    lines,
    names,
    picture,
    rules,
    supervision,
    teams,
)
from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault

CHECKS: tuple[Callable[[Look], Iterator[Fault]], ...] = (
    names.check, lines.check, cameras.check, picture.check, rules.check, teams.check, law.check, centre.check,
    channels.check, supervision.check, devices.check,
    gb28181.check,
)  # fmt: skip


def run_checks(look: Look) -> list[Fault]:
    """All faults of meaning, without those about places that are faulty already."""
    return [fault for check in CHECKS for fault in check(look) if not look.shaped.is_faulty(fault.path)]

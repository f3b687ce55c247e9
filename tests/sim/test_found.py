"""What the simulation found, each with the smallest plan that shows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from alerts.values import Permit
from tests.sim.clock import START
from tests.sim.plan import Jump, brief
from tests.sim.story import Act, Outage
from tests.sim.world import run

TO_THE_SIDE = msgspec.structs.replace(
    brief().story, acts=(Act(what="dig", from_s=60.0, lasts_s=60.0, rests_s=3.0, beside_m=-20.0),)
)
PERMIT = Permit(permit_number="P-1", violation="works_50m", pipeline_id="p-sim", from_m=2900.0, to_m=3100.0,
                valid_from=START - timedelta(days=1), valid_to=START + timedelta(days=1))  # fmt: skip

FOUND: list[tuple[str, dict[str, Any]]] = [
    ("a clock set back credits a minute that was told already", {"jumps": (Jump(at_s=130.0, by_s=-60.0),)}),
    (
        "a refused event is told of, though no event follows",
        {"disk_full": (Outage(from_s=50.0, until_s=150.0),)},
    ),
    (
        "minutes in which nothing can be numbered are unwatched",
        {"disk_full": (Outage(from_s=290.0, until_s=430.0),)},
    ),
    (
        "an update that its own end overtook revives nothing",
        {
            "jumps": (Jump(at_s=112.0, by_s=-90.0),),
            "link_outages": (Outage(from_s=80.0, until_s=140.0),),
            "late_s": 5.0,
        },
    ),
    (
        "evidence does not wait for a clock that was set back",
        {"link_outages": (Outage(from_s=70.0, until_s=140.0),), "jumps": (Jump(at_s=138.0, by_s=-1200.0),)},
    ),
    ("lawful work ends when the machine leaves", {"story": TO_THE_SIDE, "permits": (PERMIT,)}),
]


@pytest.mark.parametrize("plan", [plan for _, plan in FOUND], ids=[name for name, _ in FOUND])
def test_what_the_simulation_found_stays_mended(plan: dict[str, Any]) -> None:
    """No promise is broken."""
    assert run(brief(**plan)).faults == []

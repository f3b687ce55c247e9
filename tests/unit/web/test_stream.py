"""Who hears what of a change."""

import asyncio

import pytest

from monitor.domain.roles import Role
from monitor.web.people import Principal
from monitor.web.stream import QUEUE, RESYNC, Reader, events_for

ALERT = "019a0000-0000-7000-8000-000000000001"


def somebody(role: Role, team_id: str | None = None) -> Principal:
    return Principal(user="x", role=role, display_name="X", team_id=team_id)


@pytest.mark.parametrize(
    ("change", "who", "names"),
    [
        (f"alert:{ALERT}", somebody(Role.OPERATOR), ["alert", "dispatch"]),
        (f"alert:{ALERT}", somebody(Role.AUDITOR), ["alert"]),
        (f"alert:{ALERT}", somebody(Role.OFFICER, "north"), ["dispatch"]),
        (f"alert:{ALERT}", somebody(Role.OFFICER, "south"), []),
        (f"alert:{ALERT}", somebody(Role.OFFICER, None), []),
        ("camera:c1", somebody(Role.OPERATOR), ["camera"]),
        ("camera:c1", somebody(Role.OFFICER, "north"), []),
        ("camera:", somebody(Role.OPERATOR), []),
        ("alert:nonsense", somebody(Role.OPERATOR), []),
        ("", somebody(Role.OPERATOR), []),
    ],
)
def test_room_hears_all_and_the_field_its_own(change: str, who: Principal, names: list[str]) -> None:
    """An officer hears of alerts that were sent to the own team, and of nothing else."""
    assert [name for name, _ in events_for(change, who, ["north"])] == names


def test_a_reader_that_falls_behind_is_told_to_ask_for_everything() -> None:
    """Instead of growing without end, the queue becomes one `resync`."""

    async def fill() -> Reader:
        reader = Reader(somebody(Role.OPERATOR), asyncio.get_running_loop())
        for i in range(QUEUE + 1):
            reader.put(("camera", {"camera_id": str(i)}))
        return reader

    reader = asyncio.run(fill())
    assert reader.queue.qsize() == 1
    assert reader.queue.get_nowait() == RESYNC

"""What becomes due for a permit, and what to do then. Pure.

A due row names the end that it is about: after a prolongation the rows of the old end do nothing, and the new
end has rows of its own. So each reminder goes out once per permit, threshold and end.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import quote

import msgspec

from alerts.permitting.steps import Ask, PermitStep
from alerts.values import SYSTEM, Outgoing, Permit, PermitState
from monitor.domain.assets import Text


class Due(StrEnum):
    """What becomes due."""

    REMIND_7D = "remind_7d"
    REMIND_1D = "remind_1d"
    END = "end"


#: how long before its end
BEFORE: Final[dict[Due, timedelta]] = {
    Due.REMIND_7D: timedelta(days=7),
    Due.REMIND_1D: timedelta(days=1),
    Due.END: timedelta(0),
}


class DueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row; `what` is a Due, as text so that one of another release does not block the others."""

    permit_number: str
    what: str
    valid_to: datetime
    due_at: datetime


def due_rows(permit: Permit, now: datetime) -> tuple[DueRow, ...]:
    """The rows of a permit from now on; a threshold that is over already is not reminded of."""
    if permit.state is not PermitState.APPROVED:
        return ()
    rows = (
        DueRow(permit_number=permit.permit_number, what=what, valid_to=permit.valid_to, due_at=permit.valid_to - before)
        for what, before in BEFORE.items()
    )  # fmt: skip
    return tuple(row for row in rows if row.due_at > now or row.what == Due.END)


def on_due(row: DueRow, permit: Permit | None, now: datetime) -> Ask | None:
    """The step that the system takes; None if the reason is gone."""
    if permit is None or permit.state is not PermitState.APPROVED or permit.valid_to != row.valid_to:
        return None
    if row.what == Due.END:
        return Ask(step=PermitStep.END, actor=SYSTEM)
    if row.what not in BEFORE or now >= permit.valid_to - _next_threshold(Due(row.what)):
        return None
    return Ask(step=PermitStep.REMIND, actor=SYSTEM, note=row.what)


def _next_threshold(what: Due) -> timedelta:
    """After a long outage only the newest of several due reminders goes out."""
    return max(before for before in BEFORE.values() if before < BEFORE[what])


def reminder(
    row: DueRow, permit: Permit, channels: Mapping[str, str], now: datetime, ends: str
) -> Outgoing | None:
    """The message to the holder by the first of his channels that is set up; None: the page alone shows it.

    `channels`: the channel's name by its kind; `ends`: the end on the city's clock.
    """
    addresses = (("email", permit.email), ("sms", permit.phone))
    found = next(
        ((channels[kind], address) for kind, address in addresses if address and kind in channels), None
    )
    if found is None:
        return None
    key = f"permit:{permit.permit_number}:{row.what}:{int(row.valid_to.timestamp())}"
    body = {
        "idempotency_key": key, "what": "permit_reminder", "permit_number": permit.permit_number,
        "valid_to": permit.valid_to.isoformat(), "title": _title(permit, ends), "text": _text(permit, ends),
        "url": f"/permits/{quote(permit.permit_number)}",
    }  # fmt: skip
    return Outgoing(channel=found[0], address=found[1], idempotency_key=key, body=body, created_at=now)


def _title(permit: Permit, ends: str) -> Text:
    return {
        "en": f"Permit {permit.permit_number} ends on {ends}",
        "zh": f"许可 {permit.permit_number} 将于 {ends} 到期",
    }


def _text(permit: Permit, ends: str) -> Text:
    return {
        "en": f"The permit {permit.permit_number} of {permit.company} ends on {ends}. Work after that is a violation."
        " If you need more time, log in and ask for a prolongation.",
        "zh": f"{permit.company} 的许可 {permit.permit_number} 将于 {ends} 到期，到期后继续施工即为违规。"
        "如需延期，请登录系统申请。",
    }  # fmt: skip

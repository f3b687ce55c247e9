"""Many overdue clocks at once: a person gets the first messages of a minute one by one, and the rest in one. Pure.

Only messages of escalations; a dispatch is never bundled and never waits, and neither does level I, or what is worse
than all that the person was told within the minute. What is bundled names every alert, and is sent a minute after the
first of it at most.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from alerts.values import Outgoing
from monitor.domain.assets import Text
from monitor.domain.calm import Calm
from monitor.domain.levels import Level

#: as many are named in words; `items` has all
MOST_NAMED: Final = 12


class ToldLately(msgspec.Struct, frozen=True, kw_only=True):
    """What a person was told through one channel within the last minute."""

    n: int = 0
    worst: Level | None = None


def bundles(level: Level, lately: ToldLately, calm: Calm) -> bool:
    """Whether a message waits for a bundle: the person was told so often already, and of nothing milder."""
    if level is Level.I or lately.worst is None or level.is_worse_than(lately.worst):
        return False
    return lately.n >= calm.single_messages


def goes_at(calm: Calm, now: datetime) -> datetime:
    """When a bundle goes that is begun now."""
    return now + timedelta(seconds=calm.bundle_s)


def first_of(message: Outgoing, person: str, now: datetime) -> Outgoing:
    """A bundle with its first message."""
    key = f"bundle:{person}:{message.channel}:{message.address}:{now.timestamp():.6f}"
    return Outgoing(channel=message.channel, address=message.address, idempotency_key=key, created_at=now,
                    body=_body(key, person, [item(message)]))  # fmt: skip


def with_another(bundle: Outgoing, message: Outgoing) -> Outgoing:
    """The bundle with one more message; the same alert and clock twice is one line, the newest."""
    new = item(message)
    kept = [one for one in bundle.body["items"] if _what(one) != _what(new)]
    body = _body(bundle.idempotency_key, bundle.body["officer"], [*kept, new])
    return msgspec.structs.replace(bundle, body=body)


def _what(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["alert_id"], one["party"], one["overdue"]


def item(message: Outgoing) -> dict[str, Any]:
    """What a bundle says of one message."""
    names = ("alert_id", "number", "level", "violation", "title", "site_id", "chainage", "party", "overdue", "due_at",
             "url", "footage")  # fmt: skip
    return {name: message.body.get(name) for name in names}


def _body(key: str, person: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    ordered = sorted(
        items, key=lambda one: (Level(one["level"]).rank, one["due_at"] or "", one["number"] or 0)
    )
    worst = ordered[0]
    return {
        "idempotency_key": key, "officer": person, "what": "escalations", "count": len(ordered),
        "level": worst["level"], "title": _title(len(ordered)), "text": _text(ordered), "items": ordered,
        "url": "/", "footage": "simulated" if all(one["footage"] == "simulated" for one in ordered) else "real",
    }  # fmt: skip


def _title(count: int) -> Text:
    return {"en": f"{count} alerts wait for an answer", "zh": f"{count} 条警情等待响应"}


def _text(items: Sequence[dict[str, Any]]) -> Text:
    def said(language: str, most: int = MOST_NAMED) -> str:
        names = [
            f"#{one['number']} {one['level']} {(one['title'] or {}).get(language) or ''}".strip()
            for one in items[:most]
        ]
        rest = len(items) - most
        if rest > 0:
            names.append(f"… +{rest}")
        return ("; " if language == "en" else "；").join(names)

    return {"en": said("en"), "zh": said("zh")}

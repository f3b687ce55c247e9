"""What the loop tells by itself: which transitions are news, for which channels, and in which words' facts. Pure.

The dispatch message of MQTT is in messages.py; whom an escalation tells is decided elsewhere.
"""

from collections.abc import Sequence
from datetime import datetime

from alerts.channels.routes import PERSONAL, routes_of
from alerts.lifecycle import FINAL, AlertKind
from alerts.messages import place_of
from alerts.texts import title
from alerts.values import Alert, Dispatch, Move, Outgoing
from monitor.domain.assets import Channel, City
from monitor.domain.levels import Level


def copies(message: Outgoing, dispatch: Dispatch, city: City, now: datetime) -> tuple[Outgoing, ...]:
    """A dispatch, a change or a recall for each channel that `sends: [dispatches]`, beside MQTT.

    To the officer where the channel reaches persons, if it has an address of his; the receiver's key is the same.
    """
    routes, found = routes_of(city), []
    for channel in city.channels:
        if "dispatches" not in channel.sends or channel.kind in ("mqtt", "cap"):
            continue
        address = routes.of_person(dispatch.officer, channel)
        if address is not None:
            found.append(
                Outgoing(
                    channel=channel.channel_id, address=address, body=message.body, created_at=now,
                    idempotency_key=f"{message.idempotency_key}@{channel.channel_id}",
                )
            )  # fmt: skip
    return tuple(found)


def news_of(move: Move) -> str | None:
    """What a transition is for who watches from afar: opened, changed (in level), closed; or nothing."""
    if move.step == "open":
        return "opened"
    if move.to_state in FINAL:
        return "closed"
    return "changed" if move.step in ("rise", "fall", "ring") else None


def told(moves: Sequence[Move], levels: Sequence[Level]) -> tuple[Move, ...]:
    """The transitions that were told to who wants these levels: from the first of them on, all.

    While the alert is kept from ringing nothing is told but the end of what was told before.
    """
    found: list[Move] = []
    for move in sorted(moves, key=lambda m: m.n):
        if news_of(move) is None or not (found or move.level in levels):
            continue
        if move.held_by is None or (found and move.to_state in FINAL):
            found.append(move)
    return tuple(found)


def alert_news(alert: Alert, moves: Sequence[Move], city: City, now: datetime) -> tuple[Outgoing, ...]:
    """The newest transition for each channel that `sends: [alerts]`; `moves` are all of the alert's.

    What is told first is an opening, whatever the transition: who wants level I hears of an alert that rose to it.
    """
    if alert.kind is not AlertKind.VIOLATION or not moves:
        return ()
    newest = max(moves, key=lambda m: m.n)
    if news_of(newest) is None:
        return ()
    found = []
    for channel in city.channels:
        heard = told(moves, channel.levels)
        if (
            "alerts" not in channel.sends
            or newest not in heard
            or (len(heard) == 1 and newest.to_state in FINAL)
        ):
            continue
        what = "opened" if len(heard) == 1 else str(news_of(newest))
        found += [_message(alert, newest, heard[:-1], what, channel, to, now) for to in addresses(channel)]
    return tuple(found)


def addresses(channel: Channel) -> tuple[str, ...]:
    """Where news of alerts go."""
    if channel.kind == "mqtt":
        return ()
    return channel.to if channel.to or channel.kind in PERSONAL else ("",)


def _message(
    alert: Alert, move: Move, earlier: Sequence[Move], what: str, channel: Channel, to: str, now: datetime
) -> Outgoing:
    key = f"{alert.alert_id}:{move.n}:{what}"
    body = {
        "idempotency_key": key,
        "what": what,
        "alert_id": alert.alert_id,
        "n": move.n,
        "at": move.at.isoformat(),
        "earlier": [[m.n, m.at.isoformat()] for m in earlier],
        "number": alert.number,
        "level": alert.level.value,
        "violation": alert.violation,
        "title": title(alert),
        "state": alert.state.value,
        "confirmation": alert.confirmation.value,
        "closing_reason": alert.closing_reason,
        **place_of(alert),
        "url": f"/alerts/{alert.alert_id}",
        "camera_id": alert.camera_id,
        "footage": alert.footage,
        "source": alert.source,
    }
    return Outgoing(channel=channel.channel_id, address=to, idempotency_key=f"{key}@{channel.channel_id}:{to}",
                    body=body, created_at=now)  # fmt: skip

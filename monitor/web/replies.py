"""Officers' answers by text message: the gateway posts each to us, signed; it becomes a step, or is answered with help.

Open, since a gateway has no login: what lets it in is the signature over time and body with the channel's own secret.
Who answers is told by the sender's number, which must be that officer's alone. The gateway's id of the message is the
step's key, so that one that it posts twice is one step and one answer.
"""

import hmac
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Header, Request
from psycopg.types.json import Jsonb

from alerts.channels.webhook import signature
from alerts.errors import AlertsError
from alerts.lifecycle import IllegalStep, NotAllowed
from alerts.postgres_rows import QUERIES as LOOP
from alerts.texts import STATES, STEPS
from alerts.values import Actor
from alerts.visiting.replies import DONE, HELP, NOT_YOURS, REFUSED, read_reply, sender_of
from monitor.domain.assets import Member, Text
from monitor.domain.roles import Role
from monitor.web import trail
from monitor.web.deps import Web, web_of
from monitor.web.errors import Forbidden, NotFound, Unusable
from monitor.web.evidence import is_dispatched_to
from monitor.web.people import Principal
from monitor.web.sql import QUERIES

router = APIRouter(prefix="/api/v1")

#: an older or younger request is somebody's repetition
MOST_SKEW: Final = timedelta(minutes=5)
MOST_BYTES: Final = 16 * 1024


class Message(msgspec.Struct, frozen=True):
    """A text message as the gateway posts it; further fields pass."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    sender: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = msgspec.field(name="from")
    text: Annotated[str, msgspec.Meta(max_length=1000)]


@router.post("/replies/{channel_id}")
async def take_reply(
    request: Request,
    channel_id: str,
    hcawatch_timestamp: Annotated[str, Header(max_length=20)] = "",
    hcawatch_signature: Annotated[str, Header(max_length=400)] = "",
) -> dict[str, Any]:
    """One text message of an officer: `{id, from, text}`. 403 without the right signature."""
    web = web_of(request)
    body = await request.body()
    _check(web, channel_id, hcawatch_timestamp, hcawatch_signature, body)
    try:
        message = msgspec.json.decode(body, type=Message)
        if "\x00" in message.id + message.sender + message.text or not message.id.isprintable():
            raise msgspec.ValidationError("text without control characters")
    except msgspec.MsgspecError as exc:
        raise Unusable("bad_reply") from exc
    return await anyio.to_thread.run_sync(_take, web, channel_id, message)


def _check(web: Web, channel_id: str, timestamp: str, signatures: str, body: bytes) -> None:
    """One sentence for all that is wrong: a stranger learns nothing, not even which channels there are."""
    secret = web.deps.reply_secrets.get(channel_id, "")
    now = web.deps.clock()
    young = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if not (secret and young and len(body) <= MOST_BYTES):
        raise Forbidden("bad_signature")
    wanted = signature(secret, timestamp, body)
    signed = any(hmac.compare_digest(wanted.encode(), one.strip().encode()) for one in signatures.split(","))
    if not signed or abs(now.timestamp() - int(timestamp)) > MOST_SKEW.total_seconds():
        raise Forbidden("bad_signature")


def _take(web: Web, channel_id: str, message: Message) -> dict[str, Any]:
    deps, now = web.deps, web.deps.clock()
    known = sender_of(message.sender, channel_id, deps.city)
    if known is None:
        # not answered: who is no officer gets no message from us at the city's cost
        with deps.pool.connection() as conn:
            trail.record(conn, "reply.stranger", channel_id, "", now, id=message.id, ends=message.sender[-3:])
        return {"taken": False}
    member, address = known
    number, answer = _step(web, channel_id, message, member, now)
    body = {"what": "reply", "text": answer, "number": number or "", "officer": member.user}
    key = f"reply:{channel_id}:{message.id}"
    with deps.pool.connection() as conn:
        given = {"channel": channel_id, "address": address, "idempotency_key": key, "created_at": now,
                 "body": Jsonb({**body, "idempotency_key": key})}  # fmt: skip
        if conn.execute(LOOP["add_outgoing"], given).rowcount:
            trail.record(conn, "reply.taken", member.user, member.user, now, channel=channel_id, id=message.id,
                         text=message.text[:40], number=number or 0)  # fmt: skip
            conn.execute(LOOP["notify"], {"channel": "hcawatch_outgoing", "payload": member.user})
    return {"taken": True, "text": answer}


def _step(
    web: Web, channel_id: str, message: Message, member: Member, now: datetime
) -> tuple[int | None, Text]:
    """The step that was asked for, and what the officer is answered."""
    asked = read_reply(message.text)
    if asked is None:
        return None, HELP
    with web.deps.pool.connection() as conn:
        row = conn.execute(QUERIES["alert_by_number"], {"number": asked.number}).fetchone()
        team = next((t.team_id for t in web.deps.city.teams if member in t.members), None)
        me = Principal(user=member.user, role=Role(member.role), display_name=member.user, team_id=team)
        mine = row is not None and is_dispatched_to(conn, str(row["alert_id"]), me)
    if row is None or not mine:
        return asked.number, _said(NOT_YOURS, number=asked.number)
    alert_id = str(row["alert_id"])
    actor = Actor(user=member.user, role=me.role, team_id=me.team_id)
    try:
        web.deps.engine.step(
            alert_id, asked.step, actor, now, note="SMS", idempotency_key=f"sms:{channel_id}:{message.id}"
        )
    except NotAllowed:
        return asked.number, _said(NOT_YOURS, number=asked.number)
    except IllegalStep:
        state = web.deps.engine.view(alert_id).alert.state
        return asked.number, {
            language: text.format(number=asked.number, state=STATES[state][language])
            for language, text in REFUSED.items()
        }
    except AlertsError as exc:
        raise NotFound("no_alert") from exc
    return asked.number, {
        language: text.format(number=asked.number, step=STEPS[asked.step][language])
        for language, text in DONE.items()
    }


def _said(text: Text, **facts: object) -> Text:
    return {language: words.format(**facts) for language, words in text.items()}

"""Answers by text message, for officers without a data link: a letter for the step, the alert's number. Pure.

    A 4711   accepts it        G 4711   leaves for it
    Z 4711   has arrived       N 4711   declines it

Digits do as well where a keypad has no letters: 1, 2, 3, 0. What needs a photo or a list is not done by text message.
"""

import re
from collections.abc import Iterable
from typing import Final
from unicodedata import normalize

import msgspec

from alerts.lifecycle import Step
from monitor.domain.assets import City, Member, Text

#: by what is sent: letter or digit -> step
CODES: Final = {
    "A": Step.ACCEPT, "1": Step.ACCEPT, "G": Step.DEPART, "2": Step.DEPART, "Z": Step.ARRIVE, "3": Step.ARRIVE,
    "N": Step.DECLINE, "0": Step.DECLINE,
}  # fmt: skip
#: a digit needs something between itself and the number, which would be another number else
_REPLY: Final = re.compile(r"([A-Z](?=[ .:#-]{0,3}[0-9])|[0-9](?=[ .:#-]))[ .:#-]{0,3}([0-9]{1,12})")
#: what people and phones write behind a message
_BEHIND: Final = " .,;:!?。、…"
#: this many last digits of a telephone number tell two of them apart: gateways write the country's code or not
_TAIL: Final = 11

HELP: Text = {
    "en": "Not understood. A number = accept, G number = leaving, Z number = arrived, N number = decline; e.g. A 4711",
    "zh": "未识别。A 编号=接受，G 编号=出发，Z 编号=到场，N 编号=拒绝；例如 A 4711",
}
DONE: Text = {"en": "{number}: {step}", "zh": "{number}：{step}"}
REFUSED: Text = {
    "en": "{number}: not possible now, the alert is {state}. Call the control room if in doubt.",
    "zh": "{number}：目前无法执行，告警状态为“{state}”。如有疑问请联系监控中心。",
}
NOT_YOURS: Text = {"en": "{number} is not dispatched to you.", "zh": "{number} 未派给您。"}


class Reply(msgspec.Struct, frozen=True):
    """What a text message asks for."""

    step: Step
    number: int


def read_reply(text: str) -> Reply | None:
    """A text message as a step, or None.

    >>> read_reply(" z 4711 "), read_reply("help me")
    (Reply(step=<Step.ARRIVE: 'arrive'>, number=4711), None)
    """
    # full-width letters, digits and signs, as a Chinese keyboard writes them, mean the same
    found = _REPLY.fullmatch(normalize("NFKC", text).strip().rstrip(_BEHIND).upper())
    if found is None or found[1] not in CODES:
        return None
    return Reply(step=CODES[found[1]], number=int(found[2]))


def sender_of(number: str, channel_id: str, city: City) -> tuple[Member, str] | None:
    """The member whose number of that channel this is, and that number; None: a stranger, or not one only."""
    wanted = _digits(number)
    if len(wanted) < 5:
        return None
    found = [
        (member, member.contacts[channel_id])
        for team in city.teams
        for member in team.members
        if channel_id in member.contacts and _same(_digits(member.contacts[channel_id]), wanted)
    ]
    return found[0] if len(found) == 1 else None


def _digits(number: str) -> str:
    return "".join(char for char in number if char in "0123456789").removeprefix("00")


def _same(known: str, given: str) -> bool:
    """The whole number, or its last eleven digits if both have as many: +86 138… is 138…."""
    return known == given or (min(len(known), len(given)) >= _TAIL and known[-_TAIL:] == given[-_TAIL:])


def hint(number: int, language: str) -> str:
    """What a dispatch by text message adds, so that nobody has to know the codes."""
    return {
        "en": f"Reply A {number} accept, G {number} leaving, Z {number} arrived, N {number} decline",
        "zh": f"回复 A {number} 接受，G {number} 出发，Z {number} 到场，N {number} 拒绝",
    }[language if language in ("en", "zh") else "zh"]


def channels_that_reply(city: City) -> Iterable[str]:
    """Ids of the channels on which officers may answer."""
    return (channel.channel_id for channel in city.channels if channel.replies)

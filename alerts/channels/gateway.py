"""Text messages and calls through a gateway's webhook: the request is a template of the configuration.

Facts are filled into values only, and the form (JSON or a form's encoding) is made afterwards, so that no text of
a message can become a field of the request.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from alerts.channels.exchange import Answer
from alerts.channels.failures import Final
from alerts.channels.parcel import Parcel
from alerts.channels.posting import Poster, judge
from alerts.channels.wording import Wording
from alerts.visiting.replies import hint
from monitor.domain.assets import Channel, GatewayRequest

_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


def facts_of(parcel: Parcel, text: str, secret: str) -> dict[str, str]:
    """What a template may name."""
    return {
        "to": parcel.address, "text": text, "key": parcel.key, "secret": secret,
        "level": str(parcel.body.get("level") or ""), "number": str(parcel.body.get("number") or ""),
    }  # fmt: skip


def request_of(request: GatewayRequest, facts: dict[str, str]) -> tuple[dict[str, str], bytes]:
    """Headers and body of one request."""
    # the checks have seen that templates name these facts only, without attributes or indices
    filled = {name: value.format_map(facts) for name, value in request.body.items()}
    # a line break in a header would be a header of its own
    headers = {name: " ".join(value.format_map(facts).split()) for name, value in request.headers.items()}
    body = msgspec.json.encode(filled) if request.form == "json" else urlencode(filled).encode()
    return {"Content-Type": _TYPES[request.form], **headers}, body


def took_it(request: GatewayRequest, answer: Answer, host: str) -> None:
    """Raises Final if the gateway says in its JSON that it did not take the message."""
    if request.success_field is None:
        return
    try:
        said: Any = msgspec.json.decode(answer.body)
        value = said[request.success_field]
    except (msgspec.DecodeError, KeyError, TypeError):
        raise Final(f"{host} answered without the field {request.success_field!r}") from None
    if str(value) != request.success_value:
        raise Final(f"{host} refused it: {request.success_field} is {str(value)[:60]!r}")


class Gateway:
    """One gateway."""

    def __init__(
        self, channel: Channel, url: str, secret: str, words: Callable[[Parcel], Wording], poster: Poster
    ) -> None:
        assert channel.request is not None
        self._request, self._url, self._secret = channel.request, url, secret
        self._words, self._poster, self._replies = words, poster, channel.replies
        self._host = urlsplit(url).hostname or ""

    def __call__(self, parcel: Parcel) -> None:
        if not parcel.address:
            raise Final("a text message or a call needs a number")
        text = self._words(parcel).short()
        if self._replies and parcel.body.get("what") == "dispatch" and parcel.body.get("number"):
            text = f"{text} {hint(int(parcel.body['number']), parcel.language)}"
        headers, body = request_of(self._request, facts_of(parcel, text, self._secret))
        answer = self._poster.post(self._url, headers, body)
        judge(answer, self._host, parcel.now)
        took_it(self._request, answer, self._host)

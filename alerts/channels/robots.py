"""Robots of WeCom, DingTalk and Feishu groups, by the vendors' pages as they stood in 2026.

WeCom: developer.work.weixin.qq.com, 'group robot': the key in the URL is the secret; 20 messages a minute, text up
to 2048 bytes. DingTalk: open.dingtalk.com, 'custom robot': signed by query; 20 a minute, else silence for ten
minutes. Feishu: open.feishu.cn, 'custom bot': signed in the body; 100 a minute and 5 a second.
All answer 200 and say in a code whether they took it.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus, urlsplit

import msgspec

from alerts.channels.failures import ChannelError, Final, NotNow
from alerts.channels.parcel import Parcel
from alerts.channels.posting import Poster, judge
from alerts.channels.wording import Wording


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between vendors."""

    #: the answer's field that is 0 when it took the message
    code: str
    message: str
    #: codes of 'too often', and how long it then takes none
    too_often: frozenset[int]
    pause_s: float
    #: codes of their own trouble, worth another try
    trouble: frozenset[int]
    most_bytes: int
    #: url, secret, text, now -> url and body of the request
    request: Callable[[str, str | None, str, datetime], tuple[str, dict[str, Any]]]


def dingtalk_sign(secret: str, timestamp_ms: int) -> str:
    """HMAC-SHA256 with the secret as key over timestamp, line break, secret; base64."""
    signed = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def feishu_sign(secret: str, timestamp_s: int) -> str:
    """HMAC-SHA256 with timestamp, line break, secret as key over nothing; base64."""
    key = f"{timestamp_s}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


def _wecom(url: str, secret: str | None, text: str, now: datetime) -> tuple[str, dict[str, Any]]:
    return url, {"msgtype": "text", "text": {"content": text}}


def _dingtalk(url: str, secret: str | None, text: str, now: datetime) -> tuple[str, dict[str, Any]]:
    if secret is not None:
        timestamp_ms = int(now.timestamp() * 1000)
        url += f"&timestamp={timestamp_ms}&sign={quote_plus(dingtalk_sign(secret, timestamp_ms))}"
    return url, {"msgtype": "text", "text": {"content": text}}


def _feishu(url: str, secret: str | None, text: str, now: datetime) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
    if secret is not None:
        timestamp_s = int(now.timestamp())
        body |= {"timestamp": str(timestamp_s), "sign": feishu_sign(secret, timestamp_s)}
    return url, body


VENDORS: dict[str, Vendor] = {
    "wecom": Vendor(code="errcode", message="errmsg", too_often=frozenset({45009}), pause_s=60.0,
                    trouble=frozenset({-1}), most_bytes=2048, request=_wecom),
    "dingtalk": Vendor(code="errcode", message="errmsg", too_often=frozenset({130101, 410100, 90030, 90018}),
                       pause_s=600.0, trouble=frozenset({-1}), most_bytes=20_000, request=_dingtalk),
    "feishu": Vendor(code="code", message="msg", too_often=frozenset({11232}), pause_s=10.0,
                     trouble=frozenset({-1}), most_bytes=20_000, request=_feishu),
}  # fmt: skip


def judge_answer(vendor: Vendor, body: bytes, host: str) -> None:
    """Returns if the vendor took the message; NotNow if it came too often; else Final or ChannelError."""
    try:
        said = msgspec.json.decode(body)
        code = int(said[vendor.code])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise ChannelError(f"{host} answered without a code") from None
    if code == 0:
        return
    text = f"{host} answered {code}: {str(said.get(vendor.message, ''))[:200]}"
    if code in vendor.too_often:
        raise NotNow(text, vendor.pause_s)
    raise ChannelError(text) if code in vendor.trouble else Final(text)


def clipped(text: str, most_bytes: int) -> str:
    """The text's beginning, whole characters only.

    >>> clipped("阀室A", 7)
    '阀…'
    """
    if len(text.encode()) <= most_bytes:
        return text
    return text.encode()[: most_bytes - 3].decode("utf-8", "ignore") + "…"


class Robot:
    """One robot of one group."""

    def __init__(
        self, vendor: Vendor, url: str, secret: str | None, words: Callable[[Parcel], Wording], poster: Poster
    ) -> None:
        self._vendor, self._url, self._secret = vendor, url, secret
        self._words, self._poster = words, poster
        self._host = urlsplit(url).hostname or ""

    def __call__(self, parcel: Parcel) -> None:
        text = clipped(self._words(parcel).text(), self._vendor.most_bytes)
        url, body = self._vendor.request(self._url, self._secret, text, parcel.now)
        answer = self._poster.post(url, {"Content-Type": "application/json"}, msgspec.json.encode(body))
        if answer.status != 400:  # Feishu says its code with a 400
            judge(answer, self._host, parcel.now)
        judge_answer(self._vendor, answer.body, self._host)

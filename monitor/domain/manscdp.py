"""MANSCDP, the XML that GB/T 28181 puts into SIP's MESSAGE (annex A): what devices say, and what we say. Pure.

Real devices differ: GB 2312 declared and UTF-8 sent, no declaration at all, tags in another case, Info left out, empty
or twice. What can be understood is; what cannot is ManscdpError, never another exception.
"""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from monitor.domain.gb_ids import is_gb_id

CONTENT_TYPE: Final = "Application/MANSCDP+xml"
#: an alarm is about 600 bytes
MOST_BYTES: Final = 32 * 1024
#: longest text of a tag that is kept
MOST_TEXT: Final = 1000
_MOST_TAGS: Final = 200
_DECLARATION: Final = re.compile(r"<\?xml.*?\?>", re.DOTALL)
#: a dash and a dot whose GB 2312 is read as another one by GB 18030: written as references
_READ_OTHERWISE: Final = str.maketrans({"\u2015": "&#8213;", "\u30fb": "&#12539;"})
#: what a topic of the configuration calls these alarms: gb28181/METHOD[/TYPE[/EVENT]]
TOPIC: Final = "gb28181"
_TOPIC: Final = re.compile(rf"{TOPIC}/(0|[1-9][0-9]?)(/(0|[1-9][0-9]{{0,2}})){{0,2}}")

Result = Literal["OK", "ERROR"]


class ManscdpError(ValueError):
    """Bytes that are no MANSCDP message; the text says why."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One message: root (Notify, Response, Query, Control), command, and its plain tags in lower case."""

    root: str
    command: str
    #: the sequence number as it was written; '' if there is none
    sn: str
    device_id: str
    tags: dict[str, str]


class GbAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says of an alarm (A.2.5)."""

    sn: str
    #: of the camera, the alarm input or the device itself
    device_id: str
    method: str
    type_code: str = ""
    event: str = ""
    priority: str = ""
    #: None: not said, or no time
    at: datetime | None = None
    #: AlarmTime as it was written
    at_text: str = ""
    description: str = ""
    lon: str = ""
    lat: str = ""

    @property
    def topic(self) -> str:
        """The name by which the configuration maps it, e.g. gb28181/5/6/1."""
        parts = [TOPIC, self.method, self.type_code, self.event]
        while not parts[-1]:
            parts.pop()
        return "/".join(part or "0" for part in parts)


def is_topic(text: str) -> bool:
    """Whether a topic of the configuration means alarms of GB/T 28181 and can be one."""
    return _TOPIC.fullmatch(text) is not None


def topics_of(topic: str) -> tuple[str, ...]:
    """A topic and those that cover it, the most precise first.

    >>> topics_of("gb28181/5/6/1")
    ('gb28181/5/6/1', 'gb28181/5/6', 'gb28181/5')
    """
    parts = topic.split("/")
    return tuple("/".join(parts[:length]) for length in range(len(parts), 1, -1))


# ---------------------------------------------------------------- reading
def text_of(body: bytes) -> str:
    """The characters of a body. UTF-8 where it is valid UTF-8, whatever it declares: Chinese in GB 2312 never is by chance."""
    for name in ("utf-8-sig", "gb18030"):
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    raise ManscdpError("the bytes are neither UTF-8 nor GB 18030")


def read(body: bytes) -> Told:
    """Bytes as a message. ManscdpError."""
    if len(body) > MOST_BYTES:
        raise ManscdpError(f"{len(body)} bytes, at most {MOST_BYTES}")
    # what it declares is not believed, and may be damaged
    text = text_of(body).strip("\0 \t\r\n")
    if declared := _DECLARATION.match(
        text
    ):  # at the beginning only: a search takes quadratic time, and the whole process waits
        text = text[declared.end() :]
    try:
        root = fromstring(text, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError, RecursionError) as exc:
        raise ManscdpError(f"it is no XML: {type(exc).__name__}: {exc}"[:300]) from exc
    tags: dict[str, str] = {}
    for count, element in enumerate(root.iter()):
        if count > _MOST_TAGS:
            raise ManscdpError(f"more than {_MOST_TAGS} tags")
        if isinstance(element.tag, str) and element is not root and len(element) == 0:
            tags.setdefault(_name(element.tag), (element.text or "").strip()[:MOST_TEXT])
    command, device_id = tags.get("cmdtype", ""), tags.get("deviceid", "")
    if not command:
        raise ManscdpError("it has no CmdType")
    if not is_gb_id(device_id):
        raise ManscdpError(f"DeviceID {device_id[:40]!r} is no id of 20 digits")
    return Told(
        root=_name(str(root.tag)), command=command, sn=tags.get("sn", "")[:20], device_id=device_id, tags=tags
    )


def alarm_of(told: Told, zone: tzinfo) -> GbAlarm:
    """The alarm that a message tells of; AlarmTime without an offset is of `zone`. ManscdpError."""
    tags = told.tags
    # the tag was misspelt in print, and devices follow
    method = tags.get("alarmmethod", "")
    if not re.fullmatch(r"[0-9]{1,2}", method):
        raise ManscdpError(f"AlarmMethod {method[:20]!r} is no number")
    numbers = {name: _number(tags.get(name, "")) for name in ("alarmtype", "eventtype")}
    at_text = tags.get("alarmtime", "")[:40]
    return GbAlarm(
        sn=told.sn, device_id=told.device_id, method=str(int(method)), type_code=numbers["alarmtype"],
        event=numbers["eventtype"], priority=tags.get("alarmpriority") or tags.get("alarmprority", ""),
        at=_time(at_text, zone), at_text=at_text, description=tags.get("alarmdescription", ""),
        lon=tags.get("longitude", "")[:20], lat=tags.get("latitude", "")[:20],
    )  # fmt: skip


def _name(tag: str) -> str:
    return tag.rpartition("}")[2].lower()[:100]


def _number(text: str) -> str:
    return str(int(text)) if re.fullmatch(r"[0-9]{1,3}", text) else ""


def _time(text: str, zone: tzinfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# ---------------------------------------------------------------- writing
def response(command: str, sn: str, device_id: str, result: Result) -> bytes:
    """What answers a command or a notification."""
    return _document(
        "Response", [("CmdType", command), ("SN", sn or "0"), ("DeviceID", device_id), ("Result", result)]
    )


def keepalive(sn: int, device_id: str) -> bytes:
    """That we are there."""
    return _document(
        "Notify", [("CmdType", "Keepalive"), ("SN", str(sn)), ("DeviceID", device_id), ("Status", "OK")]
    )


def notify_alarm(
    *, sn: int, device_id: str, priority: int, method: int, at: datetime, zone: tzinfo, description: str,
    place: tuple[float, float] | None = None, type_code: int | None = None,
) -> bytes:  # fmt: skip
    """An alarm notification. `at` is written as local time of `zone`, `place` is (lon, lat) in degrees WGS84."""
    rows = [
        ("CmdType", "Alarm"), ("SN", str(sn)), ("DeviceID", device_id), ("AlarmPriority", str(priority)),
        ("AlarmMethod", str(method)), ("AlarmTime", at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")),
        ("AlarmDescription", description[:MOST_TEXT]),
    ]  # fmt: skip
    if place is not None:
        rows += [("Longitude", f"{place[0]:.6f}"), ("Latitude", f"{place[1]:.6f}")]
    inner = [("AlarmType", str(type_code))] if type_code is not None else []
    return _document("Notify", rows, inner)


def _document(root: str, rows: list[tuple[str, str]], info: list[tuple[str, str]] | None = None) -> bytes:
    """In GB 2312, which every edition reads; a character that it lacks becomes a reference."""
    top = ET.Element(root)
    for name, value in rows:
        ET.SubElement(top, name).text = _allowed(value)
    if info:
        inside = ET.SubElement(top, "Info")
        for name, value in info:
            ET.SubElement(inside, name).text = _allowed(value)
    text = ET.tostring(top, encoding="unicode").translate(_READ_OTHERWISE)
    return (
        b'<?xml version="1.0" encoding="GB2312"?>\r\n' + text.encode("gb2312", "xmlcharrefreplace") + b"\r\n"
    )


def _allowed(text: str) -> str:
    """Without the characters that XML 1.0 can't hold."""
    return "".join(
        c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
    )

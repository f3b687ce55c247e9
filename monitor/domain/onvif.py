"""ONVIF's events: the topics for what is wrong with a camera, and the events that devices publish over MQTT. Pure.

For whoever reads a camera's own events or hands ours to a video management system. Topics of the ONVIF
Imaging and Device IO service specifications; the last part of an imaging topic names who found it out.
"""

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import msgspec

from monitor.domain.events import CameraState

#: what the state is called there; no entry: ONVIF has no topic for it
TOPICS = MappingProxyType({
    CameraState.MOVED: "tns1:VideoSource/GlobalSceneChange/ImagingService",
    CameraState.OBSCURED: "tns1:VideoSource/GlobalSceneChange/ImagingService",
    CameraState.BLURRED: "tns1:VideoSource/ImageTooBlurry/ImagingService",
    CameraState.DARK: "tns1:VideoSource/ImageTooDark/ImagingService",
    CameraState.OVEREXPOSED: "tns1:VideoSource/ImageTooBright/ImagingService",
    CameraState.STALLED: "tns1:VideoSource/SignalLoss",
    CameraState.UNREACHABLE: "tns1:VideoSource/SignalLoss",
})  # fmt: skip


# ---------------------------------------------------------------- a device's own events over MQTT
class OnvifError(ValueError):
    """Bytes or a topic that are no ONVIF event; the message says why."""


class OnvifEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as a device publishes it (ONVIF Core Specification, 'MQTT': payload prefix `onvif-ej`, JSON)."""

    #: the local topic without namespaces, e.g. RuleEngine/FieldDetector/ObjectsInside
    topic: str
    at: datetime | None = None
    #: Initialized, Changed, Deleted; '' for an event without a state
    operation: str = ""
    source: dict[str, str] = {}
    data: dict[str, str] = {}

    @property
    def active(self) -> bool:
        """Whether it says that something is there: a state that is false, or gone, says the end of it."""
        if self.operation == "Deleted":
            return False
        states = [_STATES[value] for text in self.data.values() if (value := text.strip().lower()) in _STATES]
        return any(states) if states else True


PAYLOAD_PREFIX: Final = "onvif-ej"
MOST_ITEMS: Final = 50
_STATES: Final = {"true": True, "false": False, "active": True, "inactive": False}


def plain_topic(local: str) -> str:
    """A local topic without namespaces and without the source that may follow it.

    >>> plain_topic("RuleEngine/tns1:FieldDetector/ObjectsInside/&1/Fence")
    'RuleEngine/FieldDetector/ObjectsInside'
    """
    name = local.partition("&")[0].strip("/")
    return "/".join(part.rpartition(":")[2] for part in name.split("/"))


def read_event(local: str, payload: bytes) -> OnvifEvent:
    """Topic (after `onvif-ej/`) and payload as an event. OnvifError.

    Items come as an object {name: value}, or as {"SimpleItem": [{"Name": …, "Value": …}]}: devices do both.
    """
    topic = plain_topic(local)
    if not topic or len(topic) > 200 or not topic.isprintable():
        raise OnvifError(f"{local[:200]!r} names no event")
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise OnvifError(f"the payload is no JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise OnvifError("the payload is no JSON object")
    operation = body.get("PropertyOperation", "")
    if operation not in ("", "Initialized", "Changed", "Deleted"):
        raise OnvifError("PropertyOperation must be Initialized, Changed or Deleted")
    return OnvifEvent(topic=topic, at=_time(body.get("UtcTime")), operation=operation,
                      source=_items(body.get("Source")), data=_items(body.get("Data")))  # fmt: skip


def _time(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as exc:  # overflow: before the year 1 in UTC, or after 9999
        raise OnvifError(f"UtcTime {str(text)[:60]!r} is no time") from exc


def _items(found: object) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise OnvifError("Source and Data are JSON objects")
    simple = found.get("SimpleItem")
    if isinstance(simple, dict):
        simple = [simple]
    pairs = (
        [(one.get("Name"), one.get("Value")) for one in simple if isinstance(one, dict)]
        if isinstance(simple, list)
        else list(found.items())
    )
    if len(pairs) > MOST_ITEMS:
        raise OnvifError(f"more than {MOST_ITEMS} items")
    return {_text(name)[:100]: _text(value) for name, value in pairs}


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\x00" in text:
        raise OnvifError("a text holds the character U+0000")
    return text[:200]

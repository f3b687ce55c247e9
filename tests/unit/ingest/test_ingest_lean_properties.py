"""Properties of arriving messages are read as paho reads them, only without its tables built anew each time."""

from __future__ import annotations

from typing import Any

import paho.mqtt.properties as paho
import pytest
from paho.mqtt import _packet
from paho.mqtt.packettypes import PacketTypes

from monitor.ingest import lean_properties
from monitor.ingest.lean_properties import LeanProperties


def packed(**values: Any) -> bytes:
    """As they travel."""
    made = paho.Properties(PacketTypes.PUBLISH)
    for name, value in values.items():
        setattr(made, name, value)
    return bytes(made.pack())


CASES = (
    {},
    {"UserProperty": [("edge", "edge-1"), ("seq", "7"), ("edge", "twice"), ("", "")]},
    {"UserProperty": ("地", "点"), "ContentType": "application/json", "MessageExpiryInterval": 9},
    {
        "TopicAlias": 3,
        "CorrelationData": b"\x00\x01",
        "SubscriptionIdentifier": 77,
        "PayloadFormatIndicator": 1,
    },
)


@pytest.mark.parametrize("values", CASES)
def test_what_arrives_is_read_as_by_paho(values: dict[str, Any]) -> None:
    """Names, order and repetitions; and how many bytes they took, since the payload begins there."""
    wire = packed(**values) + b"payload"
    slow, fast = paho.Properties(PacketTypes.PUBLISH), LeanProperties(PacketTypes.PUBLISH)
    assert slow.unpack(wire)[1] == fast.unpack(wire)[1] == len(wire) - len(b"payload")
    assert fast.json() == slow.json()
    assert bytes(fast.pack()) == bytes(slow.pack())


@pytest.mark.parametrize(
    "wire", [b"", b"\x05", b"\x03\x26\x00\x09", b"\x02\x7f\x00", b"\x05\x26\x00\x01\x00\x00"]
)
def test_what_is_broken_is_refused_as_by_paho(wire: bytes) -> None:
    """The connection is ended for the same packets, with the same error."""
    errors = []
    for kind in (paho.Properties, LeanProperties):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever paho says
            kind(PacketTypes.PUBLISH).unpack(wire)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


def test_one_packet_leaves_nothing_for_the_next() -> None:
    """The tables are shared, the values are not."""
    first, second = LeanProperties(PacketTypes.PUBLISH), LeanProperties(PacketTypes.PUBLISH)
    first.UserProperty = ("a", "1")
    assert not hasattr(second, "UserProperty")


def test_paho_uses_it() -> None:
    """If paho is renamed inside, somebody should know that the centre became slower."""
    assert lean_properties.install()
    assert _packet.Properties is LeanProperties

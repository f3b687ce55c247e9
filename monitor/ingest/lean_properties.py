"""MQTT 5 properties of arriving messages, read without what paho-mqtt repeats for each of them.

paho builds all of its tables anew for every packet and looks each name up in a loop: more than a millisecond for
our five user properties, a third of the centre's time under load (docs/decisions/0403-fast-loop.md). This class
shares the tables and does the rest as paho does. A paho that names its parts otherwise is simply left alone.
"""

from typing import Any

from paho.mqtt import properties as paho
from paho.mqtt.packettypes import PacketTypes

_USER_PROPERTY = "User Property"
_TABLES = paho.Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
_IDENTIFIERS = {name.replace(" ", ""): number for name, number in _TABLES.names.items()}
_NAMES = {number: name for name, number in _TABLES.names.items()}


class LeanProperties(paho.Properties):
    """As its base; tables are the class's, not the packet's."""

    types = _TABLES.types
    names = _TABLES.names
    properties = _TABLES.properties

    def __init__(self, packetType: int) -> None:  # noqa: N803 - paho's name
        object.__setattr__(self, "packetType", packetType)

    def getIdentFromName(self, compressedName: str) -> int:  # noqa: N802, N803
        return _IDENTIFIERS.get(compressedName, -1)

    def getNameFromIdent(self, identifier: int) -> str | None:  # noqa: N802
        return _NAMES.get(identifier)

    def clear(self) -> None:
        for name in [name for name in vars(self) if name != "packetType"]:
            delattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # any packet may have them, with any value
        if name == _USER_PROPERTY and not isinstance(value, list):
            object.__setattr__(self, "UserProperty", [*getattr(self, "UserProperty", ()), value])
        else:
            super().__setattr__(name, value)  # type: ignore[no-untyped-call]


def install() -> bool:
    """Lets paho read arriving packets with it; False if this paho has no such place."""
    try:
        from paho.mqtt import _packet
    except ImportError:
        return False
    if getattr(_packet, "Properties", None) not in (paho.Properties, LeanProperties):
        return False
    _packet.Properties = LeanProperties  # type: ignore[attr-defined]
    return True

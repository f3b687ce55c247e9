"""What a kind of channel is handed: one message, addressed, in the receiver's language."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way."""

    #: '' where the channel has an address of its own
    address: str
    key: str
    #: the message dict, and its JSON as the courier wrote it
    body: dict[str, Any]
    payload: bytes
    language: Literal["en", "zh"]
    now: datetime


#: Returns when the other side has it. Raises what alerts/channels/failures.py names, or OSError and the like.
Deliver = Callable[[Parcel], None]

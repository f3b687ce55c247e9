"""Ids of GB/T 28181 (annex D): 20 digits that say where a device belongs and what it is. Pure.

Centre 8 (administrative division and sub-centre), industry 2, type 3, serial 7. The first ten name the domain.
"""

import re
from typing import Final

import msgspec

_DIGITS: Final = re.compile(r"[0-9]{20}")
#: types of front-end devices and their parts: 111 DVR, 118 NVR, 131 camera, 132 network camera, 134 alarm input …
DEVICE_TYPES: Final = range(111, 200)
#: types of platforms and servers: 200 is the SIP server of a centre
CENTRE_TYPES: Final = range(200, 300)


class GbIdError(ValueError):
    """A text that is no id of GB/T 28181; the message says why."""


class GbId(msgspec.Struct, frozen=True):
    """One id; made by `read_gb_id`."""

    text: str

    @property
    def centre(self) -> str:
        """Administrative division and sub-centre, 8 digits."""
        return self.text[:8]

    @property
    def industry(self) -> str:
        """Kind of network that it belongs to, 2 digits."""
        return self.text[8:10]

    @property
    def type_code(self) -> int:
        """What it is: see DEVICE_TYPES and CENTRE_TYPES."""
        return int(self.text[10:13])

    @property
    def serial(self) -> str:
        """Its number within the centre, 7 digits; the first tells networks apart."""
        return self.text[13:]

    @property
    def domain(self) -> str:
        """Centre and industry: what SIP calls the domain, and the usual realm."""
        return self.text[:10]


def read_gb_id(text: str) -> GbId:
    """The id in `text`; GbIdError says what it lacks.

    >>> read_gb_id("34020000001320000007").type_code
    132
    """
    if not _DIGITS.fullmatch(text):
        raise GbIdError(f"it has 20 digits and nothing else, this has {len(text)} characters")
    found = GbId(text)
    if found.type_code not in DEVICE_TYPES and found.type_code not in CENTRE_TYPES:
        raise GbIdError(
            f"digits 11 to 13 name the type, 111 to 199 for devices, 200 to 299 for centres; this has {found.text[10:13]}"
        )
    return found


def is_gb_id(text: str) -> bool:
    """Whether `text` is an id."""
    try:
        read_gb_id(text)
    except GbIdError:
        return False
    return True

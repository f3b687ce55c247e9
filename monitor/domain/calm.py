"""What keeps a control room calm: its positions, how long something may be shelved, when coming and going is held,
when many alerts are a flood. Data; decides nothing. docs/calm.md explains the words.

The benchmarks behind the shipped numbers are those of ISA-18.2, IEC 62682 and EEMUA 191; none is a requirement.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from monitor.domain.levels import Level

HOUR_S: Final = 3600.0

#: seconds that a level may be kept from ringing at most; level I never is
SHIPPED_SHELF_MOST_S: Final[Mapping[Level, float]] = {
    Level.II: 4 * HOUR_S,
    Level.III: 12 * HOUR_S,
    Level.IV: 24 * HOUR_S,
}


class Calm(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as one installation has it."""

    #: operator positions that are staffed at the same time
    positions: int = 1
    shelf_most_s: Mapping[Level, float] = msgspec.field(default_factory=lambda: SHIPPED_SHELF_MOST_S)
    #: a camera or an edge that was lost so often within so long is held as one alert
    flap_times: int = 3
    flap_within_s: float = 900.0
    #: more alerts than this within flood_within_s, for each position, are a flood …
    flood_above: int = 10
    #: … which is over when there are fewer than this
    flood_below: int = 5
    flood_within_s: float = 600.0
    #: so many messages of one minute about overdue clocks go to a person one by one; the rest in one
    single_messages: int = 3
    bundle_s: float = 60.0

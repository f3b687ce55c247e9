"""Which numbers of one edge are stored: gapless up to `through`, and closed ranges above it.

Pure arithmetic on ranges. The edge forgets what a receipt covers, the centre alarms what is missing.
"""

import msgspec

Range = tuple[int, int]


class Stored(msgspec.Struct, frozen=True):
    """All numbers 1..through are stored, and those of `ranges` (sorted, disjoint, all above through + 1)."""

    through: int = 0
    ranges: tuple[Range, ...] = ()

    def covers(self, seq: int) -> bool:
        """Whether `seq` is stored."""
        return seq <= self.through or any(low <= seq <= high for low, high in self.ranges)

    def add(self, seq: int) -> "Stored":
        """With `seq` stored too; adding what is stored changes nothing."""
        if self.covers(seq):
            return self
        merged: list[Range] = []
        low, high = seq, seq
        for a, b in self.ranges:
            if b == low - 1:
                low = a
            elif a == high + 1:
                high = b
            else:
                merged.append((a, b))
        if low == self.through + 1:
            return Stored(high, tuple(merged))
        return Stored(self.through, tuple(sorted([*merged, (low, high)])))

    def missing(self, last_seq: int) -> tuple[Range, ...]:
        """Closed ranges of numbers up to `last_seq` that are not stored."""
        holes: list[Range] = []
        expected = self.through + 1
        for low, high in self.ranges:
            if low > expected:
                holes.append((expected, min(low - 1, last_seq)))
            expected = high + 1
        if expected <= last_seq:
            holes.append((expected, last_seq))
        return tuple(hole for hole in holes if hole[0] <= hole[1])

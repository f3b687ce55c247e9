"""Risk levels and HCA grades. They run in opposite directions, so each has a type of its own."""

from enum import StrEnum


class Level(StrEnum):
    """Risk level of an event or alert: I (red) is the worst, IV (blue) the mildest."""

    I = "I"  # noqa: E741 - the field's own numeral
    II = "II"
    III = "III"
    IV = "IV"

    @property
    def rank(self) -> int:
        """1 for I (worst) to 4 for IV, so that `min` by rank is the worst."""
        return ("I", "II", "III", "IV").index(self.value) + 1

    def is_worse_than(self, other: "Level") -> bool:
        """Whether this level is worse (more urgent) than `other`."""
        return self.rank < other.rank


COLOURS: dict[Level, str] = {Level.I: "red", Level.II: "orange", Level.III: "yellow", Level.IV: "blue"}


class HcaGrade(StrEnum):
    """Grade of a high-consequence area by GB 32167: III is the **worst**. Never invert it."""

    I = "I"  # noqa: E741 - the standard's own numeral
    II = "II"
    III = "III"

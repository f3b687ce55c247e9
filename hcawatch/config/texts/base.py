"""The shape of one row of the table of faults."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class FaultText:
    """Sentences of one kind of fault; braces name facts of the fault."""

    en: str
    en_remedy: str
    zh: str
    zh_remedy: str
    severity: Literal["error", "warning"] = "error"

"""The table of faults: code → what is wrong and what to do, in English and Chinese.

One row per kind of fault; the three files only split the table by subject.
"""

from hcawatch.config.texts.base import FaultText, Language
from hcawatch.config.texts.meaning import MEANING
from hcawatch.config.texts.places import PLACES
from hcawatch.config.texts.reading import READING

__all__ = ["TEXTS", "FaultText", "Language"]

TEXTS: dict[str, FaultText] = {**READING, **MEANING, **PLACES}

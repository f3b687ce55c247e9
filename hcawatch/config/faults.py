"""What a fault is: where it stands, which row of the table it is, and the facts that its text names.

Decides how a fault is written out in either language. Leaves finding faults to `yamldoc`, `structure`
and `checks`, and the sentences themselves to `texts`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from hcawatch.config.texts import TEXTS, Language

Path = tuple[str | int, ...]
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong at one place of the file."""

    #: key of `texts.TEXTS`
    code: str
    #: keys and indices from the root of the document
    path: Path = ()
    #: both start at 1
    line: int = 1
    column: int = 1
    #: what the sentences name
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        """An error stops; a warning is only said."""
        return TEXTS[self.code].severity

    @property
    def key(self) -> str:
        """The path as people write it: `cameras[2].ground_points[0].pixel`."""
        parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path]
        return "".join(parts).lstrip(".")

    def what(self, language: Language = "en") -> str:
        """What is wrong."""
        row = TEXTS[self.code]
        return (row.zh if language == "zh" else row.en).format(**self.facts)

    def remedy(self, language: Language = "en") -> str:
        """What to do about it."""
        row = TEXTS[self.code]
        return (row.zh_remedy if language == "zh" else row.en_remedy).format(**self.facts)


class ConfigError(Exception):
    """Something about the configuration failed; subclasses say what."""


class ConfigFaulty(ConfigError):
    """The file has errors, so nothing was made of it. Final; carries all its faults, sorted by line."""

    def __init__(self, file: str, faults: tuple[Fault, ...]) -> None:
        errors = [fault for fault in faults if fault.severity == "error"]
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(
            f"{file}:{first.line}: {first.key}: {first.what()}{more}. "
            f"{first.remedy()} `hcawatch check {file}` shows all."
        )
        self.file = file
        self.faults = faults


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """By line and column, each fault once."""
    seen: dict[tuple[str, Path, int], Fault] = {}
    for fault in faults:
        seen.setdefault((fault.code, fault.path, fault.line), fault)
    return tuple(sorted(seen.values(), key=lambda f: (f.line, f.column, f.code)))


def nearest(wrong: str, known: Iterable[str]) -> str:
    """The known name that `wrong` was probably meant to be, or ''."""
    return next(iter(get_close_matches(wrong.lower(), sorted(known), n=1, cutoff=0.6)), "")


def some_of(names: Iterable[str], most: int = 8) -> str:
    """Names for a sentence: the first few, sorted."""
    found = sorted(names)
    if not found:
        return "-"
    return ", ".join(found[:most]) + (" …" if len(found) > most else "")


def clipped(value: object, most: int = 60) -> str:
    """A value for a sentence, on one line and not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[: most - 1] + "…"

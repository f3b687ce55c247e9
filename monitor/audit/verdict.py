"""What a verification found, step by step. Pure values; texts for people are chosen by the step's key."""

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered step of a verification."""

    number: int
    key: str
    ok: bool
    detail: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. `ok` only if every step passed; steps after a fatal one are not there."""

    steps: tuple[Step, ...]
    size: int = 0
    root: str = ""  # hex
    signed_by: str = ""  # verifier key
    #: whether that key was given from outside, and not merely found beside the log
    key_was_given: bool = False
    #: index of the first leaf that is not what was signed, None if unknown or none
    first_bad_leaf: int | None = None

    @property
    def ok(self) -> bool:
        """Whether everything verified."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def diagnostics(self) -> str:
        """One line a step, for people."""
        lines = [
            f"{step.number}. {'ok' if step.ok else 'FAILED'}  {step.key}: {step.detail}"
            for step in self.steps
        ]
        if self.first_bad_leaf is not None:
            lines.append(f"first leaf that fails: {self.first_bad_leaf}")
        return "\n".join(lines)


class Report:
    """Collects steps; numbers them 1, 2, 3 …"""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def note(self, key: str, ok: bool, detail: str) -> bool:
        """Adds a step and returns whether it passed."""
        self.steps.append(Step(number=len(self.steps) + 1, key=key, ok=ok, detail=detail))
        return ok

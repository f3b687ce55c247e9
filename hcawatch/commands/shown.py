"""Values of other parts as plain JSON values, for printing."""

import dataclasses
from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """Structs, dataclasses, times and bytes as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return msgspec.to_builtins(value, enc_hook=str)

"""What the simulation's tests share: logs are the rim's, and structlog stamps them with the real time."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    """No log line is made, whatever other tests configured."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop])
    yield
    structlog.configure(**before)


def _drop(*_: Any) -> Any:
    raise structlog.DropEvent

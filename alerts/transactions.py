"""One transaction of the loop: decided again when others were first."""

from collections.abc import Callable
from typing import Final, TypeVar

from alerts.errors import Conflict
from alerts.ports import AlertBook, AlertTx

T = TypeVar("T")

#: times that one transaction is decided again
MOST_TRIES: Final = 8


def in_transaction(book: AlertBook, do: Callable[[AlertTx], T]) -> T:
    """What `do` returns, committed; Conflict if others were first every time."""
    for attempt in range(1, MOST_TRIES + 1):
        try:
            with book.begin() as tx:
                return do(tx)
        except Conflict:
            if attempt == MOST_TRIES:
                raise
    raise AssertionError("unreachable")

"""What is made of a city once and asked often: an index, a table of people.

The city of a process is the same one for as long as the process lives; another one (a test's, a new version's) is made
anew when it is asked for.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from monitor.domain.assets import City

T = TypeVar("T")


class Newest(Generic[T]):
    """`Newest(make).of(city)` is `make(city)`, kept for the city that was asked for last."""

    def __init__(self, make: Callable[[City], T]) -> None:
        self._make = make
        self._known: tuple[City, T] | None = None

    def of(self, city: City) -> T:
        """Of this very city, not of one that is equal."""
        known = self._known
        if known is None or known[0] is not city:  # two threads at once both make it, and both are right
            self._known = known = (city, self._make(city))
        return known[1]

"""A share that was counted, and how far it may be trusted. Pure."""

import math

import msgspec

#: of a two-sided interval of 95 %
Z_95 = 1.959963984540054


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """So many of so many, with the interval in which the true share lies at 95 %."""

    hits: int
    of: int
    #: None while nothing was counted
    share: float | None = None
    low: float = 0.0
    high: float = 1.0


def share(hits: int, of: int) -> Share:
    """Wilson's score interval without correction for continuity (Wilson 1927, JASA 22, 209-212).

    It stays within 0 and 1, also where all or none are hits. ValueError unless 0 <= hits <= of.

    >>> one = share(8, 10)
    >>> round(one.low, 3), round(one.high, 3)
    (0.49, 0.943)
    """
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} hits of {of}")
    if of == 0:
        return Share(hits=0, of=0)
    p, zz = hits / of, Z_95**2
    middle = (p + zz / (2 * of)) / (1 + zz / of)
    half = Z_95 / (1 + zz / of) * math.sqrt(p * (1 - p) / of + zz / (4 * of * of))
    return Share(hits=hits, of=of, share=p, low=max(0.0, middle - half), high=min(1.0, middle + half))

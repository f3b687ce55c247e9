"""Figures that say how sure a count is, and how found and false are weighed against each other. Pure.

False alarms come one by one, so their number is Poisson's; a count from minutes of film says little about a
day, and the interval shows it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SECONDS_A_DAY: Final = 86_400.0
#: i-LIDS weighs recall against precision by the role that a system has: an operator who is alerted is worn
#: out by false alarms, a recording that is looked through later must miss nothing. The "recall bias" of its
#: sterile-zone scenario, from memory: of the user guide (10/11, v4.9) only roles, measure and the existence
#: of the bias could be looked up again.
RECALL_BIAS: Final[Mapping[str, float]] = MappingProxyType(
    {"operational_alert": 0.65, "event_recording": 75.0}
)


def f1(precision: float, recall: float, recall_bias: float) -> float:
    """i-LIDS' F1: (bias + 1) R P / (R + bias P), 0 to 1; with bias 1 the usual F1, the larger the more recall counts.

    >>> f1(0.5, 0.5, 0.65), f1(0.0, 0.0, 75.0)
    (0.5, 0.0)
    """
    below = recall + recall_bias * precision
    return (recall_bias + 1) * recall * precision / below if below > 0 else 0.0 if below == 0 else math.nan


def poisson_interval(count: int, *, level: float = 0.95) -> tuple[float, float]:
    """The exact (Garwood) interval of the mean of a Poisson count.

    >>> tuple(round(v, 3) for v in poisson_interval(0)), tuple(round(v, 3) for v in poisson_interval(10))
    ((0.0, 3.689), (4.795, 18.39))
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _mean_where(count - 1, 1 - tail)
    return low, _mean_where(count, tail)


def _mean_where(count: int, share: float) -> float:
    """The mean at which a Poisson count is at most `count` with that probability; found by halving."""
    low, high = 0.0, count + 20.0 * math.sqrt(count + 1) + 20.0
    while high - low > 1e-9 * (1 + high):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, middle) > share else (low, middle)
    return (low + high) / 2


def _at_most(count: int, mean: float) -> float:
    if mean == 0:
        return 1.0
    return sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))

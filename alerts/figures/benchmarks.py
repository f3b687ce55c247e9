"""What the room has to bear, beside the benchmarks of ISA-18.2, IEC 62682 and EEMUA 191. Pure.

Benchmarks, not requirements; the editions disagree on 150 against 144 a day. All are for one operator position, and
count what rang: lawful work that is only recorded, and what was shelved or inhibited, asked nobody for anything.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from alerts.figures.values import AlertFact, Period
from monitor.domain.levels import Level

BIN: Final = timedelta(minutes=10)
#: alarms of one position within BIN, above which it is a flood
FLOOD_ABOVE: Final = 10
STALE_AFTER: Final = timedelta(hours=24)
#: so many from one source within CHATTER_WITHIN are chattering
CHATTER_TIMES: Final = 3
CHATTER_WITHIN: Final = timedelta(seconds=60)
BUSIEST: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Unit = Literal["rate", "count", "share", "s"]
Stands = Literal["within", "above_target", "above_limit", "none"]

#: priority -> its levels and the benchmark's share
SPLIT: Final = (
    ("high", (Level.I,), 0.05),
    ("medium", (Level.II,), 0.15),
    ("low", (Level.III, Level.IV), 0.80),
)


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One figure beside its benchmark."""

    key: str
    value: float
    unit: Unit
    target: float | None = None
    limit: float | None = None

    @property
    def stands(self) -> Stands:
        """Whether the benchmark is met; 'none': it is no bound (the split, what merely stands)."""
        if self.target is None or self.key.startswith("priority_"):
            return "none"
        if self.value <= self.target:
            return "within"
        return "above_target" if self.limit is None or self.value <= self.limit else "above_limit"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A camera, an edge or a site, and how often it rang (or chattered)."""

    source: str
    times: int
    #: of all alarms of the period
    share: float = 0.0
    last_at: datetime | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that nobody has acknowledged."""

    alert_id: str
    number: int
    level: Level
    what: str
    source: str
    opened_at: datetime
    age_s: float


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The room's load in a period."""

    alarms: int
    positions: int
    benchmarks: tuple[Benchmark, ...]
    busiest: tuple[Source, ...] = ()
    chattering: tuple[Source, ...] = ()
    #: oldest first
    unacknowledged: tuple[Waiting, ...] = ()


def load(alerts: Sequence[AlertFact], period: Period, positions: int, now: datetime) -> Load:
    """All figures of a period; what stands is as of its end, or now if that comes first."""
    end = min(period.until, now)
    rang = [a for a in alerts if a.rang and period.since <= a.opened_at < end]
    periods = bins([a.opened_at for a in rang], period.since, end)
    days = max((end - period.since) / timedelta(days=1), 1 / 144)
    standing = [a for a in alerts if a.rang and a.stands(end)]
    stale = [a for a in standing if a.opened_at < end - STALE_AFTER]
    waiting = _unacknowledged(standing, end)
    busy, noisy = busiest(rang), chattering(rang)
    each = max(1, positions)
    found = (
        Benchmark(key="per_day", value=len(rang) / days / each, unit="rate", target=150, limit=300),
        Benchmark(key="per_10min", value=len(rang) / max(1, len(periods)) / each, unit="rate", target=1, limit=2),
        Benchmark(key="peak_10min", value=max(periods, default=0) / each, unit="rate", target=FLOOD_ABOVE),
        Benchmark(key="flood_share", value=share_in_flood(periods, each), unit="share", target=0.01, limit=0.05),
        Benchmark(key="standing", value=len(standing), unit="count"),
        Benchmark(key="stale", value=len(stale), unit="count", target=0, limit=5),
        Benchmark(key="chattering", value=len(noisy), unit="count", target=0, limit=0),
        *split(rang),
        Benchmark(key="busiest_share", value=sum(s.share for s in busy), unit="share", target=0.05),
        Benchmark(key="unacknowledged", value=len(waiting), unit="count"),
        Benchmark(key="oldest_unacknowledged", value=waiting[0].age_s if waiting else 0.0, unit="s"),
    )  # fmt: skip
    return Load(alarms=len(rang), positions=each, benchmarks=found, busiest=busy, chattering=noisy, unacknowledged=waiting)  # fmt: skip


def bins(times: Iterable[datetime], since: datetime, until: datetime) -> list[int]:
    """How many fall into each ten minutes of the clock, empty ones included; the first and last may be cut."""
    first, last = (since - _EPOCH) // BIN, -((_EPOCH - until) // BIN)
    counts = Counter((at - _EPOCH) // BIN for at in times)
    return [counts[n] for n in range(first, last)]


def share_in_flood(periods: Sequence[int], positions: int) -> float:
    """Share of the ten minutes with more than ten alarms per position."""
    return sum(n > FLOOD_ABOVE * positions for n in periods) / len(periods) if periods else 0.0


def split(rang: Sequence[AlertFact]) -> tuple[Benchmark, ...]:
    """Shares of high, medium and low priority among violations."""
    levels = Counter(a.level for a in rang if a.kind == "violation")
    total = levels.total()
    return tuple(
        Benchmark(key=f"priority_{name}", value=sum(levels[level] for level in mine) / total if total else 0.0,
                  unit="share", target=target)
        for name, mine, target in SPLIT
    )  # fmt: skip


def busiest(rang: Sequence[AlertFact]) -> tuple[Source, ...]:
    """The ten sources that rang most, and their shares of all."""
    counts = Counter(a.source for a in rang)
    last = {a.source: a.opened_at for a in sorted(rang, key=lambda a: a.opened_at)}
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:BUSIEST]
    return tuple(Source(source=s, times=n, share=n / len(rang), last_at=last[s]) for s, n in most)


def chattering(rang: Sequence[AlertFact]) -> tuple[Source, ...]:
    """Sources that rang three times or more within 60 s, and how often they did."""
    by_source: dict[str, list[datetime]] = {}
    for alert in sorted(rang, key=lambda a: a.opened_at):
        by_source.setdefault(alert.source, []).append(alert.opened_at)
    found = []
    for source, times in by_source.items():
        ends = [
            at
            for at, before in zip(times[CHATTER_TIMES - 1 :], times, strict=False)
            if at - before <= CHATTER_WITHIN
        ]
        if ends:
            share = len(times) / len(rang)
            found.append(Source(source=source, times=len(ends), share=share, last_at=ends[-1]))
    return tuple(sorted(found, key=lambda s: (-s.times, s.source)))


def _unacknowledged(standing: Iterable[AlertFact], at: datetime) -> tuple[Waiting, ...]:
    mine = [a for a in standing if a.acknowledged_at is None or a.acknowledged_at > at]
    return tuple(
        Waiting(alert_id=a.alert_id, number=a.number, level=a.level, what=a.what, source=a.source,
                opened_at=a.opened_at, age_s=(at - a.opened_at).total_seconds())
        for a in sorted(mine, key=lambda a: (a.opened_at, a.number))
    )  # fmt: skip

"""What a fault run finds: the children's journals against the centre's book. Pure.

lost                   journalled as durable, and the centre never got it (an event, a minute, a loss; evidence
                       of which no loss record says that it was shed)
duplicates             two messages under one number, or one thing told under two numbers
numbered_but_missing   a number that was given out and that no message came with
untold                 refused by a full disk in a life that ended in order, and no loss record counts it
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, get_args

import msgspec

from edge.shedding import LossReason
from monitor.domain.events import LossRecord, RiskEvent
from tests.faults.edge_book import Entry, name_of
from tests.faults.edge_shared import Line

#: reasons of an edge that makes room as it should
SHED: Final = frozenset(get_args(LossReason))

Book = Mapping[tuple[str, int], Sequence[Entry]]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, each as a list of words that say where; all empty is right."""

    lost: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    numbered_but_missing: tuple[str, ...] = ()
    untold: int = 0
    #: anything else: a run that did not come to rest, a child that died of itself, a false loss record
    other: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return self == Verdict()


def judge(
    lives: Sequence[Sequence[Line]],
    book: Book,
    *,
    last_seq: Mapping[str, int],
    evidence_stored: Collection[str],
    other: Sequence[str] = (),
) -> Verdict:
    """The verdict on one seed; `last_seq` is the highest number given out per epoch, as the outbox has it."""
    lines = [line for life in lives for line in life]
    durable = [line for line in lines if line.what in ("durable", "told")]
    return Verdict(
        lost=(*_lost_messages(durable, book), *_lost_evidence(durable, {*evidence_stored, *shed(book)})),
        duplicates=_duplicates(book),
        numbered_but_missing=_missing(durable, book, last_seq),
        untold=sum(_untold(life) for life in lives),
        other=(*other, *_false_losses(book)),
    )


def _lost_messages(durable: Sequence[Line], book: Book) -> list[str]:
    return [
        f"{line.kind} {line.name or 'told'} ({line.epoch[:8]}, {line.seq})"
        for line in durable
        if all(entry.sha256 != line.sha256 for entry in book.get((line.epoch, line.seq), ()))
    ]


def shed(book: Book) -> set[str]:
    """SHA-256 of evidence that went because the disk was full, as numbered records say."""
    return {m.sha256 for m in _evidence_losses(book) if m.sha256 is not None and m.reason in SHED}


def _evidence_losses(book: Book) -> Iterator[LossRecord]:
    for entries in book.values():
        for entry in entries:
            if isinstance(entry.message, LossRecord) and entry.message.what == "evidence":
                yield entry.message


def _lost_evidence(durable: Sequence[Line], stored: Collection[str]) -> list[str]:
    return [
        f"evidence {sha[:12]} of {line.name}"
        for line in durable
        for sha in line.evidence
        if sha not in stored
    ]


def _duplicates(book: Book) -> tuple[str, ...]:
    found = [f"{len(entries)} messages under {epoch[:8]}/{seq}" for (epoch, seq), entries in book.items()
             if len(entries) > 1]  # fmt: skip
    numbers: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for number, entries in book.items():
        for entry in entries:
            numbers[name_of(entry.message)].add(number)
            if isinstance(entry.message, RiskEvent) and entry.message.phase == "onset":
                numbers[f"onset of {entry.message.episode_id}"].add(number)
    told_twice = [
        f"{name} under {sorted(seq for _, seq in under)}" for name, under in numbers.items() if len(under) > 1
    ]
    return (*found, *told_twice)


def _missing(durable: Sequence[Line], book: Book, last_seq: Mapping[str, int]) -> tuple[str, ...]:
    """Numbers up to the last one of which anybody knows, and that the centre has not."""
    last = dict(last_seq)
    for epoch, seq in (*((line.epoch, line.seq) for line in durable), *book):
        last[epoch] = max(last.get(epoch, 0), seq)
    return tuple(
        f"{epoch[:8]}/{seq}"
        for epoch, to in last.items()
        for seq in range(1, to + 1)
        if (epoch, seq) not in book
    )


def _untold(life: Sequence[Line]) -> int:
    """Refusals without a loss record; a life that was killed took its count with it, which the design admits."""
    if not any(line.what == "ended" for line in life):
        return 0
    refused = sum(line.what == "refused" for line in life)
    return max(0, refused - sum(line.count for line in life if line.what == "told"))


def _false_losses(book: Book) -> list[str]:
    """Evidence that was said to be damaged: no fault of a run damages any."""
    return [
        f"evidence {message.sha256} was told as lost: {message.reason}"
        for message in _evidence_losses(book)
        if message.reason not in SHED
    ]

"""Walks a log leaf by leaf and compares it with everything that was signed of it. Pure, in one pass.

Used for a bundle and for the database alike. The first leaf that fails is named exactly where a leaf hash
of the signed time is at hand, else as the first one after the last head that still matches.
"""

from collections.abc import Iterable, Sequence

import msgspec

from monitor.audit.entries import read
from monitor.audit.errors import AuditError
from monitor.audit.note import Checkpoint
from monitor.audit.tree import Frontier, leaf_hash


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf as it is stored: its index, its bytes, the hash that stands beside it, and what contradicts it."""

    index: int
    body: bytes
    listed_hash: bytes
    contradiction: str = ""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What the walk found. A `…_fault` is '' where nothing is wrong."""

    size: int
    root: bytes
    order_fault: str
    leaf_fault: str
    head_fault: str
    heads_checked: int
    first_bad_leaf: int | None


def replay(leaves: Iterable[Leaf], heads: Sequence[Checkpoint]) -> Replay:
    """`heads` sorted by size; each must be the root of the first `size` leaves."""
    frontier = Frontier()
    order_fault = leaf_fault = head_fault = ""
    bad: int | None = None
    good_size = checked = 0
    waiting = list(heads)
    for leaf in leaves:
        if not order_fault and leaf.index != frontier.size:
            order_fault = f"leaf {frontier.size} is missing, leaf {leaf.index} stands in its place"
            bad = frontier.size if bad is None else min(bad, frontier.size)
        if not leaf_fault and (leaf_fault := _fault(leaf)):
            bad = leaf.index if bad is None else min(bad, leaf.index)
        frontier = frontier.append(leaf_hash(leaf.body))
        while waiting and waiting[0].size <= frontier.size:
            head = waiting.pop(0)
            checked += 1
            if head.size == frontier.size and head.root == frontier.root():
                good_size = head.size
            elif not head_fault:
                head_fault = (
                    f"the signed root of {head.size} entries is {head.root.hex()}, these entries give"
                    f" {frontier.root().hex()}; the entries up to {good_size} match an earlier head"
                )
                bad = good_size if bad is None else bad
    if waiting and not head_fault:
        head_fault = f"{waiting[-1].size} entries were signed, only {frontier.size} are there"
        bad = frontier.size if bad is None else bad
    return Replay(
        size=frontier.size, root=frontier.root(), order_fault=order_fault, leaf_fault=leaf_fault,
        head_fault=head_fault, heads_checked=checked, first_bad_leaf=bad,
    )  # fmt: skip


def _fault(leaf: Leaf) -> str:
    """What is wrong with one leaf by itself, or ''."""
    actual = leaf_hash(leaf.body)
    if actual != leaf.listed_hash:
        return f"leaf {leaf.index} hashes to {actual.hex()}, listed is {leaf.listed_hash.hex()}"
    try:
        read(leaf.body)
    except AuditError as exc:
        return f"leaf {leaf.index}: {exc}"
    return f"leaf {leaf.index}: {leaf.contradiction}" if leaf.contradiction else ""

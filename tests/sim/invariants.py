"""What must be true whatever the seed did: a list of named faults, empty if all is well.

Each check is independent of the code it checks: it counts from the outbox, the rows, the audit log and the
story's truth, never from a part's own counters. Here: nothing lost, nothing twice, everything provable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from alerts.rebuilding import shelves
from alerts.replay import compare, replay
from monitor.audit import tree
from monitor.audit.entries import read
from monitor.audit.errors import ProofError
from monitor.domain.numbers import Stored
from tests.sim import answers, ledger, scene
from tests.sim.truth import free_from, second

if TYPE_CHECKING:
    from tests.sim.world import World

#: evidence comes this long after the way is free: the uploader's longest wait and the time for a few items
UPLOADED_S = 200.0


def on_the_way(world: World) -> Iterator[str]:
    """What must hold at every moment."""
    outbox, tables = world.edge.outbox, world.database.store_tables
    source = (scene.EDGE, outbox.epoch)
    for seq, sha256 in outbox.given.items():
        stored = tables.numbers.get((*source, seq))
        if stored is None and seq not in outbox.rows:
            yield f"lost: number {seq} is neither in the outbox nor in the store"
        elif stored is not None and stored != sha256:
            yield f"altered: number {seq} is stored with another hash"
    for alert_id, n in Counter(
        d.alert_id for d in world.database.book.tables.dispatches.values() if d.ended_at is None
    ).items():
        if n > 1:
            yield f"duplicate: alert {alert_id} has {n} running dispatches"


def at_the_end(world: World) -> list[str]:
    """What must hold once all is calm."""
    checks = (
        on_the_way, _numbers, _rows, _evidence, _losses, _episodes, answers.stories, answers.dispatches, answers.answered, answers.escalated, answers.lawful, answers.verified, answers.healthy,
        _replayed, _tree, ledger.coverage,
    )  # fmt: skip
    return [fault for check in checks for fault in check(world)]


# ---------------------------------------------------------------- nothing lost, nothing twice
def _numbers(world: World) -> Iterator[str]:
    outbox, tables = world.edge.outbox, world.database.store_tables
    source = (scene.EDGE, outbox.epoch)
    if sorted(outbox.given) != list(range(1, outbox.last_seq + 1)):
        yield "gap: the edge did not number without gaps"
    if missing := [seq for seq in outbox.given if (*source, seq) not in tables.numbers]:
        yield f"lost: numbers {missing[:10]} are not in the store"
    if tables.stored.get(source, Stored()) != Stored(outbox.last_seq):
        yield f"gap: of {outbox.last_seq} numbers the store has {tables.stored.get(source)}"
    if outbox.rows:
        yield f"unreceipted: {len(outbox.rows)} numbers are still in the outbox: {sorted(outbox.rows)[:10]}"
    if world.centre.refused or tables.dead_letters:
        yield f"refused: {[(o.verdict.value, o.detail) for o in world.centre.refused][:3]}"


def _rows(world: World) -> Iterator[str]:
    tables, numbered = world.database.store_tables, world.edge.outbox.summary().numbered
    for kind, rows in (("event", tables.events), ("loss", tables.losses)):
        if len(rows) != numbered[kind]:
            yield f"rows: {numbered[kind]} of kind {kind} were numbered, {len(rows)} rows are there"
        if len({row.seq for row in rows}) != len(rows):
            yield f"duplicate: two rows of kind {kind} have one number"
    if len({event.event_id for event in tables.events}) != len(tables.events):
        yield "duplicate: one event id in two rows"
    accepted = [e for e in tables.entries if e.kind == "event.accepted"]
    if len(accepted) != len(tables.events):
        yield f"audit: {len(tables.events)} events, {len(accepted)} entries of them"
    waiting = [work for work, done_at in world.database.book.tables.work.values() if done_at is None]
    if waiting:
        yield f"stuck: {len(waiting)} pieces of work wait, the first is {waiting[0].kind}"


def _evidence(world: World) -> Iterator[str]:
    pending = world.edge.outbox.summary().evidence_pending
    if pending:
        yield f"evidence: {pending} items still wait on the edge"
    for item, _ in world.database.book.tables.evidence.values():
        if item.stored_at is None and item.lost_reason is None:
            yield f"evidence: {item.kind} {item.sha256[:12]} was announced and never came"
        elif item.stored_at is not None:
            free_s = free_from(world, second(item.announced_at), UPLOADED_S)
            if second(item.stored_at) > free_s + 2 * UPLOADED_S:
                yield f"evidence: {item.kind} was announced at {second(item.announced_at):.0f} s, the way was free from {free_s:.0f} s, it came at {second(item.stored_at):.0f} s"


def _losses(world: World) -> Iterator[str]:
    """What a full disk refused is told by a numbered record, once it can be."""
    told = sum(loss.what == "refused" for loss in world.database.store_tables.losses)
    for full in world.plan.disk_full:
        refused = [at_s for at_s in world.edge.outbox.refused_at_s if full.covers(at_s)]
        lived = all(
            any(life.from_s <= at_s and life.until_s >= full.until_s + 60.0 for life in lives)
            for at_s in refused for lives in world.edge.lives.values()
        )  # fmt: skip
        if refused and lived and not told:
            yield f"untold: an event was refused at {refused[0]:.0f} s, the disk was free at {full.until_s:.0f} s, no loss record came"


def _episodes(world: World) -> Iterator[str]:
    phases: dict[str, list[str]] = {}
    for event in sorted(world.database.store_tables.events, key=lambda e: e.seq):
        phases.setdefault(event.episode_id, []).append(event.phase)
    for episode_id, told in phases.items():
        if told.count("onset") != 1 or told[0] != "onset":
            yield f"episode {episode_id} has {told.count('onset')} onsets and begins with {told[0]}"
        if told.count("end") != 1:
            yield f"episode {episode_id} has {told.count('end')} ends"
    for episode in world.database.book.tables.episodes.values():
        if episode.ended_at is None:
            yield f"episode {episode.episode_id} never ended in the loop"
    if set(world.database.book.tables.episodes) != set(phases):
        yield "episodes: the loop does not hold those that the events tell of"


# ---------------------------------------------------------------- everything can be proven
def _replayed(world: World) -> Iterator[str]:
    entries = [read(leaf) for leaf in world.database.leaves]
    for difference in compare(replay(entries), world.database.book.tables.alerts.values()):
        yield f"log and table differ: {difference}"
    told = [entry for entry in entries if entry.kind in shelves.KINDS]
    for difference in shelves.compare(told, world.database.book.tables.shelves.values()):
        yield f"log and table differ: {difference}"


def _tree(world: World) -> Iterator[str]:
    """The log is one tree, each earlier head is a prefix of it, and entries are provably in it."""
    hashes = [tree.leaf_hash(leaf) for leaf in world.database.leaves]
    heads = world.database.heads
    if not heads or heads[-1] != (len(hashes), tree.root(hashes)):
        yield "audit: the newest head is not the root of all entries"
        return
    size, root = heads[-1]
    try:
        for first, first_root in heads[:-1]:
            tree.verify_consistency(first, size, tree.consistency_proof(hashes, first), first_root, root)
        for index in range(0, size, max(1, size // 12)):
            tree.verify_inclusion(hashes[index], index, size, tree.inclusion_proof(hashes, index), root)
    except ProofError as exc:
        yield f"audit: {exc}"

"""What must be true whatever the seed did: a list of named faults, empty if all is well.

Each check is independent of the code it checks: it counts from the outbox, the rows, the audit log and the
story's truth, never from a part's own counters.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alerts.lifecycle import AlertKind, Step
from alerts.reasons import Health
from alerts.replay import compare, replay
from alerts.values import Alert
from monitor.audit import tree
from monitor.audit.entries import read
from monitor.audit.errors import ProofError
from monitor.domain.levels import Level
from monitor.domain.numbers import Stored
from tests.sim import scene
from tests.sim.clock import START
from tests.sim.story import Act, Outage

if TYPE_CHECKING:
    from tests.sim.world import World

#: seconds in which a settled chain brings an onset from the edge to the officer's dispatch
CHAIN_S = 45.0
#: seconds of a minute that the ledger may credit without knowing better: its own tail and rounding
CREDIT_S = 1.6
#: of a minute without any fault so much must count as watched
WATCHED_S = 57.0
MINUTE = timedelta(minutes=1)


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
        on_the_way, _numbers, _rows, _evidence, _episodes, _stories, _dispatches, _level_i, _verified, _healthy,
        _replayed, _tree, _coverage,
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


# ---------------------------------------------------------------- one alert a story, answered in time
def violations(world: World) -> list[Alert]:
    return [a for a in world.database.book.tables.alerts.values() if a.kind is AlertKind.VIOLATION]


def _stories(world: World) -> Iterator[str]:
    """One alert for each act that breaks a rule and was seen; none for what did not happen."""
    unexplained = set()
    of_act: dict[int, list[Alert]] = {}
    for alert in violations(world):
        number = _act_of(world, alert)
        if number is None:
            unexplained.add(alert.alert_id)
        else:
            of_act.setdefault(number, []).append(alert)
    for alert_id in sorted(unexplained):
        alert = world.database.book.tables.alerts[alert_id]
        yield f"false alarm: {alert.violation} in {alert.site_id} at {_second(alert.onset_at):.0f} s, nothing was there"
    for n, act in enumerate(world.plan.story.acts):
        found = of_act.get(n, [])
        if len(found) > 1:
            said = [(a.violation, round(_second(a.onset_at)), a.state.value) for a in found]
            yield f"duplicate: {act.what} at {act.from_s:.0f} s has {len(found)} alerts: {said}"
        if not found and _seen_for_s(world, act) >= 20.0:
            yield f"missed: {act.what} at {act.from_s:.0f} s was before a living camera and has no alert"


def _act_of(world: World, alert: Alert) -> int | None:
    """The act that an alert is about, by the true time of its onset."""
    for n, act in enumerate(world.plan.story.acts):
        slack_s = 30.0 + sum(abs(j.by_s) for j in world.plan.jumps)
        onset_s = _second(alert.onset_at)
        if act.site_id == alert.site_id and act.from_s - slack_s <= onset_s <= act.until_s + slack_s:
            return n
    return None


def _seen_for_s(world: World, act: Act) -> float:
    """The longest stretch of the offence that a living process with a streaming camera had before it."""
    if act.offends_from_s == float("inf"):
        return 0.0
    offence = Outage(from_s=act.offends_from_s, until_s=act.offends_until_s)
    seen = (_cut(up, offence) for up in _up(world, act.camera_id))
    return max((o.until_s - o.from_s for o in seen if o is not None), default=0.0)


def _dispatches(world: World) -> Iterator[str]:
    tables = world.database.book.tables
    for alert in violations(world):
        mine = sorted(
            (d for d in tables.dispatches.values() if d.alert_id == alert.alert_id),
            key=lambda d: d.dispatched_at,
        )
        for earlier, later in itertools.pairwise(mine):
            if earlier.ended_at is None or earlier.ended_at > later.dispatched_at:
                yield f"duplicate: two dispatches of {alert.alert_id} ran at once"
        for dispatch in mine:
            keys = [
                o for o in tables.outgoing.values() if o.idempotency_key == f"{dispatch.dispatch_id}:dispatch"
            ]
            if len(keys) != 1 or keys[0].outgoing_id not in tables.sent_at:
                yield f"untold: dispatch {dispatch.dispatch_id} of {alert.alert_id} has {len(keys)} messages, or none was sent"
        if alert.closed_at is None:
            yield f"unfinished: {alert.violation} of {_second(alert.onset_at):.0f} s is still {alert.state} at the end"
        if alert.condition_ended_at is None:
            yield f"unfinished: the condition of {alert.alert_id} never ended"


def _level_i(world: World) -> Iterator[str]:
    """From the first moment at which the way was free, a level I is dispatched within seconds."""
    tables = world.database.book.tables
    for alert in violations(world):
        moves = tables.moves[alert.alert_id]
        worst = next((m.at for m in moves if m.level is Level.I), None)
        sent = next((m.at for m in moves if m.step == Step.DISPATCH), None)
        if worst is None:
            continue
        first = min((e for e in tables.events if _held_by(world, e.episode_id, alert)), key=lambda e: e.seq)
        onset_s = world.edge.outbox.numbered_at_s[first.seq]
        free_s = _free_from(world, onset_s, CHAIN_S)
        level_s = max(free_s, _second(worst))
        if sent is None or _second(sent) > level_s + CHAIN_S:
            said = "never" if sent is None else f"at {_second(sent):.0f} s"
            yield f"late: level I numbered at {onset_s:.0f} s, way free from {free_s:.0f} s, was dispatched {said}"


def _held_by(world: World, episode_id: str, alert: Alert) -> bool:
    held = world.database.book.tables.episodes.get(episode_id)
    return held is not None and held.alert_id == alert.alert_id


def _free_from(world: World, from_s: float, for_s: float) -> float:
    """The first moment from which line, broker, centre, database and worker are well for so long."""
    plan = world.plan
    bad = [*plan.link_outages, *plan.centre_restarts, *plan.database_outages]
    bad += [Outage(from_s=at_s, until_s=at_s + 10.0) for at_s, _ in plan.broker_deaths]
    bad += [Outage(from_s=a.until_s, until_s=b.from_s) for lives in world.edge.lives.values()
            for a, b in itertools.pairwise(lives)]  # fmt: skip
    if plan.answer_lost and from_s < plan.calm_from_s:
        for_s += 60.0
    at_s = from_s
    while blocking := [o for o in bad if o.from_s < at_s + for_s and o.until_s > at_s]:
        at_s = max(o.until_s for o in blocking)
    return at_s


def _verified(world: World) -> Iterator[str]:
    for alert_id in world.people.wrong_verifications:
        yield f"verified by who resolved it: {alert_id}"
    for alert_id, moves in world.database.book.tables.moves.items():
        resolver = None
        for move in moves:
            resolver = move.actor if move.step == Step.RESOLVE else resolver
            if move.step == Step.VERIFY and move.actor == resolver:
                yield f"verified by who resolved it: {alert_id}"
    resolved = sum(
        any(m.step == Step.RESOLVE for m in moves) for moves in world.database.book.tables.moves.values()
    )
    if resolved and not world.people.refused_verifications:
        yield "nobody even tried to verify what they resolved"


def _healthy(world: World) -> Iterator[str]:
    """Once all is calm nothing is said to be wrong any more."""
    for alert in world.database.book.tables.alerts.values():
        if alert.kind is AlertKind.HEALTH and alert.closed_at is None:
            yield f"unhealthy: {alert.health} of {alert.subject} runs since {_second(alert.opened_at):.0f} s"
        if alert.health in (Health.WORK_FAILED, Health.DEAD_LETTER, Health.SAME_NUMBER_OTHER_HASH):
            yield f"unhealthy: {alert.health} of {alert.subject}: {[r.detail for r in alert.reasons]}"


# ---------------------------------------------------------------- everything can be proven
def _replayed(world: World) -> Iterator[str]:
    entries = [read(leaf) for leaf in world.database.leaves]
    for difference in compare(replay(entries), world.database.book.tables.alerts.values()):
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


# ---------------------------------------------------------------- the ledger
def _coverage(world: World) -> Iterator[str]:
    """Every minute of every camera has one row, and no second counts that was not watched."""
    rows = world.database.store_tables.watch
    known = {row["camera_id"]: row["since"] for row in reversed(world.database.store_tables.camera_changes)}
    overdue_s = world.agenda.now_s - 300.0
    for camera in world.city.cameras:
        truth = _watchable(world, camera.camera_id)
        first = known[camera.camera_id] + MINUTE
        minute = first.replace(second=0, microsecond=0)
        while _second(minute) + 60.0 < overdue_s:
            row = rows.get((camera.camera_id, minute))
            true_s = truth.get(minute, 0.0)
            if row is None:
                yield f"coverage: {camera.camera_id} has no row for the minute at {_second(minute):.0f} s"
            elif not 0.0 <= row["watched_s"] <= row["span_s"] <= 60.0:
                yield f"coverage: {camera.camera_id} at {_second(minute):.0f} s: {row['watched_s']} of {row['span_s']} s"
            elif row["watched_s"] > true_s + CREDIT_S:
                yield (f"coverage: {camera.camera_id} at {_second(minute):.0f} s counts {row['watched_s']} s as watched,"
                       f" the camera was there for {true_s:.1f} s")  # fmt: skip
            elif (
                row["watched_s"] < WATCHED_S
                and true_s >= 60.0
                and _undisturbed(world, camera.camera_id, minute)
            ):
                yield f"coverage: {camera.camera_id} at {_second(minute):.0f} s counts only {row['watched_s']} s as watched"
            minute += MINUTE


def _undisturbed(world: World, camera_id: str, minute: datetime) -> bool:
    """Whether nothing changed for this camera in or just before the minute, and the edge's clock was right."""
    at_s = _second(minute)
    edges = [x for o in _up(world, camera_id) for x in (o.from_s, o.until_s)]
    edges += [x for o in world.plan.disk_full for x in (o.from_s, o.until_s)]
    near = any(at_s - 20.0 <= x <= at_s + 61.0 for x in edges)
    set_clock = any(j.at_s <= at_s + 61.0 for j in world.plan.jumps)
    full = any(o.from_s < at_s + 70.0 and o.until_s > at_s for o in world.plan.disk_full)
    return not near and not set_clock and not full


def _watchable(world: World, camera_id: str) -> dict[datetime, float]:
    """Seconds of each minute of the edge's clock in which a living process had a streaming camera."""
    found: dict[datetime, float] = {}
    steps = sorted({jump.at_s for jump in world.plan.jumps})
    for up in _up(world, camera_id):
        cuts = [up.from_s, *(s for s in steps if up.from_s < s < up.until_s), up.until_s]
        for a_s, b_s in itertools.pairwise(cuts):
            offset_s = world.edge.offset_s(a_s)
            at_s, end_s = a_s + offset_s, b_s + offset_s
            while at_s < end_s:
                next_s = min(end_s, (at_s // 60 + 1) * 60)
                minute = START + timedelta(seconds=at_s // 60 * 60)
                found[minute] = found.get(minute, 0.0) + next_s - at_s
                at_s = next_s
    return found


def _up(world: World, camera_id: str) -> list[Outage]:
    """When a living process had a streaming camera before it, in true seconds."""
    pieces = list(world.edge.lives[camera_id])
    for camera, dark in world.plan.story.blackouts:
        if camera == camera_id:
            pieces = [piece for whole in pieces for piece in _without(whole, dark)]
    return pieces


def _without(whole: Outage, hole: Outage) -> Iterable[Outage]:
    if hole.until_s <= whole.from_s or hole.from_s >= whole.until_s:
        return (whole,)
    left = Outage(from_s=whole.from_s, until_s=hole.from_s)
    right = Outage(from_s=hole.until_s, until_s=whole.until_s)
    return tuple(piece for piece in (left, right) if piece.until_s > piece.from_s)


def _cut(a: Outage, b: Outage) -> Outage | None:
    both = Outage(from_s=max(a.from_s, b.from_s), until_s=min(a.until_s, b.until_s))
    return both if both.until_s > both.from_s else None


def _second(at: datetime) -> float:
    return (at - START).total_seconds()

"""One batch of numbered messages into PostgreSQL, within the caller's transaction: claims the numbers, writes
rows, audit entries and work for the alert module, advances the receipts.

What a message means is decided in judge.py, not here. A message that the database refuses becomes a dead
letter and never keeps back the others.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg
import structlog

from monitor.audit.entries import Entry
from monitor.audit.errors import AuditError
from monitor.audit.log import append, append_all
from monitor.domain.events import LossRecord, RiskEvent, WatchRecord, sha256_hex
from monitor.domain.numbers import Stored
from monitor.ingest import rows
from monitor.ingest.judge import Accepted, DeadLetter, DeadReason, Judged, judge
from monitor.ingest.ports import Arrived, BatchResult, Outcome, Source, Verdict
from monitor.store.pool import Conn
from monitor.store.queries import Queries

log = structlog.get_logger(__name__)

QUERIES = Queries("monitor.ingest")

#: faults of one message, not of the connection or the server: those are tried again
POISON = (
    psycopg.DataError,
    psycopg.IntegrityError,
    # a name too long for an index, JSON too deep: psycopg counts these among the operational errors
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    AuditError,
    ValueError,
    OverflowError,
)

#: of a name that others choose; more does not fit into an index (2704 bytes, beside a hash)
NAME_KEPT = 500

Number = tuple[str, str, int]  # edge, epoch, seq


class Item(msgspec.Struct, frozen=True):
    """A message with its judgement."""

    arrived: Arrived
    judged: Judged

    @property
    def number(self) -> Number | None:
        """The number that it counts for, None if it counts for none."""
        judged = self.judged
        if judged.properties is None or (isinstance(judged, DeadLetter) and not judged.counted):
            return None
        return (judged.properties.edge_id, judged.properties.epoch, judged.properties.seq)

    @property
    def sha256(self) -> str:
        """Of the bytes that arrived."""
        return sha256_hex(self.arrived.payload)

    def refused(self, detail: str) -> "Item":
        """The same message as a dead letter, since the database would not take its row."""
        reason, properties = DeadReason.REFUSED_BY_STORE, self.judged.properties
        if self.number is None or properties is None:
            # not even its names could be kept: escape them
            plain = msgspec.structs.replace(self.arrived, topic=ascii(self.arrived.topic))
            return Item(plain, DeadLetter(reason=reason, detail=ascii(detail)))
        edge_id = properties.edge_id
        letter = DeadLetter(
            reason=reason, detail=ascii(detail), edge_id=edge_id, properties=properties, counted=True
        )
        return Item(self.arrived, letter)


def write_batch(conn: Conn, batch: Sequence[Arrived], now: datetime) -> BatchResult:
    """Judges and writes a batch; the caller commits."""
    items = [Item(arrived, judge(arrived.topic, arrived.payload, arrived.pairs, now)) for arrived in batch]
    sources = sorted({number[:2] for item in items if (number := item.number)})
    before = _lock_receipts(conn, sources, now)
    outcomes = _write_all(conn, items, before, now)
    after = _advance(conn, items, outcomes, before, now)
    return BatchResult(outcomes=tuple(outcomes), receipts=after)


def stored_of(row: dict[str, Any]) -> Stored:
    """The range set of a row of edge_receipt."""
    return Stored(row["stored_through"], tuple((low, high) for low, high in row["ranges"]))


def leave_work(conn: Conn, kind: str, body: object, now: datetime, extra: object = None) -> None:
    """Leaves work for the alert module."""
    _leave_all(conn, [_work(kind, body, extra or {})], now)


def _leave_all(conn: Conn, work: Sequence[rows.Row], now: datetime) -> None:
    conn.execute(QUERIES["leave_work"], {"rows": rows.json_text(work), "now": now})


def _work(kind: str, body: object, extra: object) -> rows.Row:
    return {"kind": kind, "body": body, "extra": extra}


def _lock_receipts(conn: Conn, sources: Sequence[Source], now: datetime) -> dict[Source, Stored]:
    """What is stored of these sources before this batch, locked until it commits."""
    if not sources:
        return {}
    given = {"edge_ids": [s[0] for s in sources], "epochs": [s[1] for s in sources], "now": now}
    conn.execute(QUERIES["make_receipts"], given)
    found = conn.execute(QUERIES["lock_receipts"], given).fetchall()
    return {(row["edge_id"], row["epoch"]): stored_of(row) for row in found}


def _write_all(
    conn: Conn, items: Sequence[Item], before: dict[Source, Stored], now: datetime
) -> list[Outcome]:
    """The whole batch at once; if the database refuses a row of it, one message after another."""
    try:
        with conn.transaction():
            return _write(conn, items, before, now)
    except POISON as exc:
        log.warning("ingest.batch_refused", error=_first_line(exc), messages=len(items))
    outcomes: list[Outcome] = []
    for item in items:
        try:
            with conn.transaction():
                outcomes += _write(conn, [item], before, now)
        except POISON as exc:
            with conn.transaction():
                outcomes += _write(conn, [item.refused(_first_line(exc))], before, now)
    return outcomes


def _first_line(exc: Exception) -> str:
    """What was refused, without the row itself."""
    return next(iter(str(exc).splitlines()), type(exc).__name__)


def _write(conn: Conn, items: Sequence[Item], before: dict[Source, Stored], now: datetime) -> list[Outcome]:
    """Claims the numbers, then writes what was new."""
    claimed, hashes = _claim(conn, items, before)
    outcomes: list[Outcome] = []
    fresh: list[Item] = []
    for position, item in enumerate(items):
        judged = item.judged
        if item.number is not None and position not in claimed:
            known = hashes.get(item.number)
            # a pruned number has no hash any more; the receipt says that it was stored
            if known is None or known == item.sha256:
                outcomes.append(Outcome(Verdict.DUPLICATE))
            else:
                outcomes.append(_alarm_other_hash(conn, item, known, now))
        elif isinstance(judged, DeadLetter):
            keep(conn, item, judged, now)
            outcomes.append(Outcome(Verdict.DEAD_LETTER, judged.reason, judged.detail))
        else:
            fresh.append(item)
            outcomes.append(Outcome(Verdict.STORED))
    _insert(conn, fresh, now)
    return outcomes


def _claim(
    conn: Conn, items: Sequence[Item], before: dict[Source, Stored]
) -> tuple[set[int], dict[Number, str]]:
    """Positions in `items` whose number is new, and the stored hash of every number that is not."""
    first: dict[Number, int] = {}
    for position, item in enumerate(items):
        if item.number is not None:
            first.setdefault(item.number, position)
    wanted = {n: items[at] for n, at in first.items() if not before[n[:2]].covers(n[2])}
    new: set[Number] = set()
    if wanted:
        given: rows.Row = _number_arrays(list(wanted))
        given["sha256s"] = [item.sha256 for item in wanted.values()]
        given["kinds"] = [
            item.judged.properties.kind.value for item in wanted.values() if item.judged.properties
        ]
        given["received"] = [item.arrived.received_at for item in wanted.values()]
        found = conn.execute(QUERIES["claim_numbers"], given).fetchall()
        new = {(row["edge_id"], row["epoch"], row["seq"]) for row in found}
    claimed = {first[number] for number in new}
    hashes = {number: items[first[number]].sha256 for number in new}
    if old := [number for number in first if number not in new]:
        for row in conn.execute(QUERIES["known_hashes"], _number_arrays(old)).fetchall():
            hashes[(row["edge_id"], row["epoch"], row["seq"])] = row["sha256"]
    return claimed, hashes


def _number_arrays(numbers: Sequence[Number]) -> rows.Row:
    return {
        "edge_ids": [n[0] for n in numbers], "epochs": [n[1] for n in numbers], "seqs": [n[2] for n in numbers]
    }  # fmt: skip


def _insert(conn: Conn, fresh: Sequence[Item], now: datetime) -> None:
    """Rows, entries and work of accepted messages: one statement for all events, and one for all work."""
    events: list[rows.Row] = []
    work: list[rows.Row] = []
    rare: dict[str, list[rows.Row]] = {
        name: [] for name in ("announce_evidence", "upsert_watch", "insert_loss", "lose_evidence")
    }
    entries: list[Entry] = []
    for item in fresh:
        accepted = item.judged
        assert isinstance(accepted, Accepted)
        message = msgspec.Raw(item.arrived.payload)
        extra = {
            "received_at": item.arrived.received_at,
            **({"flags": accepted.flags} if accepted.flags else {}),
        }
        match accepted.message:
            case RiskEvent() as event:
                events.append(rows.event_row(event, item.arrived, now))
                rare["announce_evidence"] += [rows.evidence_row(event, one, now) for one in event.evidence]
                work.append(_work("event", message, extra))
                entries.append(rows.event_entry(accepted, event, item.arrived, now))
            case WatchRecord() as record:
                rare["upsert_watch"].append(rows.watch_row(record, now))
            case LossRecord() as loss:
                rare["insert_loss"].append(rows.loss_row(loss, now))
                work.append(_work("loss", message, extra))
                if loss.sha256 is not None:
                    rare["lose_evidence"].append(rows.loss_row(loss, now))
    if events:
        conn.execute(QUERIES["insert_events"], {"rows": rows.json_text(events)})
    with conn.cursor() as cursor:
        for name, several in rare.items():
            if several:
                cursor.executemany(QUERIES[name], several)
    if work:
        _leave_all(conn, work, now)
    append_all(conn, entries)


def keep(conn: Conn, item: Item, letter: DeadLetter, now: datetime) -> int | None:
    """Keeps a dead letter and tells the alert module; None if these bytes are kept already."""
    dead_letter_id = _keep_bytes(conn, item, letter, now)
    if dead_letter_id is not None:
        body = {**_names(item, letter), "dead_letter_id": dead_letter_id, "detail": letter.detail}
        leave_work(conn, "dead_letter", body, now)
    return dead_letter_id


def _names(item: Item, letter: DeadLetter) -> rows.Row:
    """What is known of where it came from."""
    properties = letter.properties
    return {
        "topic": _storable(item.arrived.topic),
        "edge_id": None if letter.edge_id is None else _storable(letter.edge_id),
        "epoch": properties.epoch if properties else None,
        "seq": properties.seq if properties else None,
        "reason": letter.reason.value,
    }


def _storable(name: str) -> str:
    """A name of somebody else's choice, so that PostgreSQL takes it whatever it is."""
    return name.replace("\0", "\\x00")[:NAME_KEPT]


def _keep_bytes(conn: Conn, item: Item, letter: DeadLetter, now: datetime) -> int | None:
    names = _names(item, letter)
    row = {
        **names,
        "sha256": item.sha256,
        "payload": item.arrived.payload,
        "received_at": item.arrived.received_at,
    }
    kept = conn.execute(QUERIES["keep_dead_letter"], row).fetchone()
    if kept is None:
        return None
    entry = Entry(
        kind="message.refused",
        subject=f"dead_letter:{kept['dead_letter_id']}",
        actor=f"edge:{names['edge_id']}" if letter.edge_id else "unknown",
        at=now,
        body={**names, "sha256": item.sha256, "detail": letter.detail},
    )
    append(conn, entry)
    return int(kept["dead_letter_id"])


def _alarm_other_hash(conn: Conn, item: Item, known_sha256: str, now: datetime) -> Outcome:
    """Two messages claim one number: the first stays, the second is kept apart, and somebody is told."""
    properties = item.judged.properties
    assert properties is not None
    detail = f"stored with SHA-256 {known_sha256}, came again with {item.sha256}"
    letter = DeadLetter(
        reason=DeadReason.SAME_NUMBER_OTHER_HASH,
        detail=detail,
        edge_id=properties.edge_id,
        properties=properties,
    )
    dead_letter_id = _keep_bytes(conn, item, letter, now)
    if dead_letter_id is not None:
        body = {"edge_id": properties.edge_id, "epoch": properties.epoch, "seq": properties.seq}
        hashes = {"sha256_stored": known_sha256, "sha256_arrived": item.sha256}
        leave_work(conn, "same_number_other_hash", {**body, **hashes, "dead_letter_id": dead_letter_id}, now)
    return Outcome(Verdict.SAME_NUMBER_OTHER_HASH, letter.reason, detail)


def _advance(
    conn: Conn,
    items: Sequence[Item],
    outcomes: Sequence[Outcome],
    before: dict[Source, Stored],
    now: datetime,
) -> dict[Source, Stored]:
    """What is stored after this batch, written where it changed."""
    after = dict(before)
    last: dict[Source, int] = {}
    for item, outcome in zip(items, outcomes, strict=True):
        if item.number is None or outcome.verdict not in (Verdict.STORED, Verdict.DEAD_LETTER):
            continue
        edge_id, epoch, seq = item.number
        after[edge_id, epoch] = after[edge_id, epoch].add(seq)
        last[edge_id, epoch] = max(seq, last.get((edge_id, epoch), 0))
    for source, seq in last.items():
        stored = after[source]
        given = {
            "edge_id": source[0],
            "epoch": source[1],
            "through": stored.through,
            "last_seq": seq,
            "now": now,
        }
        conn.execute(QUERIES["advance_receipt"], {**given, "ranges": rows.json_text(stored.ranges)})
    return after

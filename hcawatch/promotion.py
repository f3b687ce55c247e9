"""Promotes a set of weights to edges, and rolls back: the centre keeps it by its SHA-256, the configuration names it.

Which edge uses what is a key of the numbered configuration (`edges[].model`), so a promotion has author, reason and audit
entry, reaches edges as any version does, and the history says what was before.
"""

import copy
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hcawatch.config import versions
from hcawatch.config.checks.look import Surroundings
from hcawatch.config.load import from_document
from hcawatch.config.versions import Conn
from models.card import CARD, WEIGHTS, Card, check, read_card
from models.errors import ModelRefused
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.domain.model_release import MANIFEST, ModelFile, ModelManifest, encode
from monitor.domain.violations import alarm_classes

COMPARISON: Final = "comparison.json"


class PromotionError(Exception):
    """It can't be promoted or rolled back; says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What was written."""

    model: str | None
    name: str
    version: str
    edges: tuple[str, ...]
    config_version: int
    verdict: str | None = None


def add(folder: Path, store: Path, comparison: Path | None = None) -> tuple[str, ModelManifest]:
    """Check a set and keep it under its name in `store`; the same set again is the same. PromotionError."""
    try:
        card = read_card(folder)
        check(card)
    except ModelRefused as exc:
        raise PromotionError(str(exc)) from exc
    manifest = ModelManifest(name=card.name, version=card.version, classes=card.classes, long_side_px=card.long_side_px,
                             files=tuple(_file(folder / name) for name in _names(card)))  # fmt: skip
    data, name = encode(manifest)
    compared = None if comparison is None else _comparison(comparison, card)
    target = store / name
    if not _whole(target, data, manifest):
        partial, damaged = store / f".{name}.part", store / f".{name}.damaged"
        for left in (partial, damaged):
            shutil.rmtree(left, ignore_errors=True)
        partial.mkdir(parents=True)
        for file in manifest.files:
            shutil.copyfile(folder / file.name, partial / file.name)
            if _file(partial / file.name) != file:
                raise PromotionError(f"{folder / file.name} changed while it was copied: try again")
        (partial / MANIFEST).write_bytes(data)
        if (target / COMPARISON).is_file():
            shutil.copyfile(target / COMPARISON, partial / COMPARISON)
        if target.exists():
            target.replace(damaged)
        partial.replace(target)
        shutil.rmtree(damaged, ignore_errors=True)
    if compared is not None:
        (target / COMPARISON).write_text(json.dumps(compared, ensure_ascii=False))
    return name, manifest


def _whole(target: Path, data: bytes, manifest: ModelManifest) -> bool:
    """Whether the store holds it unchanged: edges refuse what is damaged there."""
    try:
        if (target / MANIFEST).read_bytes() != data:
            return False
        return all(_file(target / file.name) == file for file in manifest.files)
    except OSError:
        return False


def _names(card: Card) -> list[str]:
    names = [CARD, WEIGHTS]
    if card.int8 is not None:
        names += [card.int8.file, str(Path(card.int8.file).with_suffix(".bin"))]
    if (card.folder / "MODEL_CARD.md").is_file():
        names.append("MODEL_CARD.md")
    return names


def _file(path: Path) -> ModelFile:
    with path.open("rb") as file:
        return ModelFile(
            name=path.name, sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size
        )


def _comparison(path: Path, card: Card) -> dict[str, Any]:
    """The last line of `models compare --json`; it must be of this candidate."""
    try:
        found = json.loads(path.read_text(encoding="utf-8").strip().splitlines()[-1])
        new, verdict = found["new"], str(found["verdict"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as exc:
        raise PromotionError(f"{path} is no result of `hcawatch models compare --json`: {exc}") from exc
    known = {card.sha256, card.int8.sha256 if card.int8 else card.sha256}
    if new.get("sha256") not in known:
        raise PromotionError(
            f"{path} compares another candidate: {new.get('name')} {str(new.get('sha256'))[:12]}"
        )
    return {"verdict": verdict, **found}


def silenced(old: frozenset[str] | None, new: frozenset[str] | None, classes: Sequence[str]) -> list[str]:
    """Classes on which rules raise alarms by the old card and would not by the new one."""
    return sorted(alarm_classes(old) - (alarm_classes(new) & set(classes)))


def lost_by_edge(
    body: dict[str, Any], edges: Sequence[str], store: Path, new: Card, shipped: Card
) -> dict[str, list[str] | None]:
    """For each edge that would lose one: the classes on which rules raise alarms by the set that it is to use now.

    None: that set's card can't be read, so nobody knows. An edge without a promoted set has the `shipped` one.
    """
    found: dict[str, list[str] | None] = {}
    for edge in edges:
        model = _model_of(body, edge)
        try:
            old = shipped if model is None else read_card(store / model)
        except (ModelRefused, OSError):
            found[edge] = None
            continue
        if lost := silenced(shipped_by(old), shipped_by(new), new.classes):
            found[edge] = lost
    return found


def shipped_by(card: Card) -> frozenset[str] | None:
    """The classes that it ships; None: all."""
    return None if card.shipping.shipped is None else frozenset(card.shipping.shipped)


def edges_of(
    document: dict[str, Any], edges: Sequence[str], sites: Sequence[str], *, every: bool
) -> tuple[str, ...]:
    """The edges that are meant; PromotionError names one that is not there."""
    known = [edge["id"] for edge in document["edges"]]
    at = {camera["site"]: camera["edge"] for camera in document["cameras"]}
    named = [*edges, *(camera["edge"] for camera in document["cameras"] if camera["site"] in sites)]
    wrong = [edge for edge in edges if edge not in known] + [site for site in sites if site not in at]
    if wrong:
        raise PromotionError(f"there is no {', '.join(wrong)}; edges are {', '.join(known)}")
    if every == bool(named):
        raise PromotionError("say for whom: --all, or --edge and --site")
    return tuple(known) if every else tuple(dict.fromkeys(named))


def write(
    conn: Conn, path: Path, models: dict[str, str | None], *, step: str, author: str, reason: str, now: datetime,
    more: dict[str, Any],
) -> int:  # fmt: skip
    """The configuration version that names each edge's set (None: its own), and the entry 'model.<step>'."""
    if not reason.strip():
        raise PromotionError("say why: --reason")
    with conn.transaction():
        newest = versions.read(conn)
        body = copy.deepcopy(newest.body)
        for edge in body["edges"]:
            if edge["id"] in models:
                edge.pop("model", None)
                if models[edge["id"]] is not None:
                    edge["model"] = models[edge["id"]]
        around = Surroundings(folder=path.absolute().parent, env={}, now=now, part="nobody")
        report = from_document(body, path=path, around=around)
        if report.config is None:
            raise PromotionError(
                f"the configuration would be faulty: {report.errors[0].key}: {report.errors[0].what()}"
            )
        number = versions.apply(
            conn, report.config, author=author, reason=reason, now=now, seen=newest.number
        )
        if number == newest.number:
            raise PromotionError("these edges use it already")
        entry = {"edges": dict(models), "reason": reason, "version": number, **more}
        append(
            conn, Entry(kind=f"model.{step}", subject=f"config:{number}", actor=author, at=now, body=entry)
        )
    return number


def before(conn: Conn, edges: Sequence[str]) -> dict[str, str | None]:
    """What each edge goes back to, of those that have something; PromotionError if none has.

    Each edge has a stack: what it is given lies on top, a rollback takes the top away. So a second rollback goes one
    further back, and what was rolled back is never gone back to.
    """
    history = versions.history(conn)[::-1]
    subjects = [f"config:{version.number}" for version in history]
    rows = conn.execute(versions.QUERIES["rollbacks"], {"subjects": subjects})
    rolled_back = {row["subject"] for row in rows}
    found: dict[str, str | None] = {}
    for edge in edges:
        stack: list[str | None] = []
        for version, subject in zip(history, subjects, strict=True):
            if _has(version.body, edge):
                stack = _stacked(stack, _model_of(version.body, edge), back=subject in rolled_back)
        if len(stack) > 1:
            found[edge] = stack[-2]
    if not found:
        raise PromotionError("these edges never used another set, or are rolled back already: there is nothing to roll back to")  # fmt: skip
    return found


def _stacked(stack: list[str | None], model: str | None, *, back: bool) -> list[str | None]:
    if stack and stack[-1] == model:
        return stack
    return stack[:-1] if back and len(stack) > 1 and stack[-2] == model else [*stack, model]


def _has(body: dict[str, Any], edge_id: str) -> bool:
    return any(edge["id"] == edge_id for edge in body["edges"])


def _model_of(body: dict[str, Any], edge_id: str) -> str | None:
    return next((edge.get("model") for edge in body["edges"] if edge["id"] == edge_id), None)

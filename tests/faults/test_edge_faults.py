"""The edge's fault run: what it plans, that it finds an edge which is wrong, and that the real one passes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.edge_things import event
from tests.faults.edge_book import Entry
from tests.faults.edge_plan import WHOLE_EVERY, FaultKind, drawn
from tests.faults.edge_shared import Line
from tests.faults.edge_truth import Verdict, judge


def test_a_dozen_seeds_have_every_fault() -> None:
    """Whoever runs --quick has seen each kind of bad luck; faults begin inside the story."""
    plans = [drawn(seed) for seed in range(1, 13)]
    assert {fault.kind for plan in plans for fault in plan.faults} == set(FaultKind)
    assert all(0 < fault.at_s <= plan.lasts_s for plan in plans for fault in plan.faults)


def test_each_twentieth_seed_runs_the_whole_worker() -> None:
    """No other does: a seed must be cheap."""
    whole = [seed for seed in range(1, 101) if drawn(seed).whole]
    assert whole == [WHOLE_EVERY * i for i in range(1, 6)]


def entry(seq: int, name: str = "") -> Entry:
    return Entry(sha256=f"sha-{seq}", message=event(seq, "ep", "update", event_id=name or f"e-{seq}"))


def onset(seq: int, episode: str) -> Entry:
    return Entry(sha256=f"sha-{seq}", message=event(seq, "ep", "onset", episode_id=episode))


def durable(seq: int, *evidence: str) -> Line:
    return Line(what="durable", name=f"e-{seq}", epoch="ep", seq=seq, sha256=f"sha-{seq}", kind="event",
                evidence=evidence)  # fmt: skip


def verdict(lives: list[list[Line]], book: dict[tuple[str, int], list[Entry]], last_seq: int = 2) -> Verdict:
    return judge(lives, book, last_seq={"ep": last_seq}, evidence_stored={"there"})


BOTH = {("ep", 1): [entry(1)], ("ep", 2): [entry(2)]}


def test_all_that_was_durable_and_arrived_once_is_right() -> None:
    """Evidence, too; a life that was killed before it could tell its refusals is admitted."""
    lives = [[durable(1, "there"), Line(what="refused", name="x")], [durable(2), Line(what="ended")]]
    assert verdict(lives, BOTH).right


def test_what_was_durable_and_never_came_is_lost() -> None:
    """A message that is missing, one that came with other bytes, and evidence that is not there."""
    other = {("ep", 1): [Entry(sha256="other", message=event(1, "ep"))], ("ep", 2): [entry(2)]}
    assert len(verdict([[durable(1)]], other).lost) == 1
    assert len(verdict([[durable(1), durable(2)]], {("ep", 2): [entry(2)]}).lost) == 1
    assert len(verdict([[durable(1, "gone")]], BOTH).lost) == 1


def test_two_messages_under_one_number_and_one_thing_under_two_are_duplicates() -> None:
    """The same bytes twice are none."""
    assert len(verdict([], {**BOTH, ("ep", 2): [entry(2), entry(3)]}).duplicates) == 1
    assert len(verdict([], {**BOTH, ("ep", 2): [entry(2, "e-1")]}).duplicates) == 1
    assert len(verdict([], {("ep", 1): [onset(1, "a")], ("ep", 2): [onset(2, "a")]}).duplicates) == 1


def test_a_number_that_nothing_came_with_is_missing_at_the_end_too() -> None:
    """In the middle, and the last that the outbox gave out."""
    assert verdict([], {("ep", 2): [entry(2)]}).numbered_but_missing == ("ep/1",)
    assert verdict([], BOTH, last_seq=3).numbered_but_missing == ("ep/3",)


def test_refusals_of_a_life_that_ended_in_order_must_be_told() -> None:
    """Two refused, one told."""
    life = [Line(what="refused", name="a"), Line(what="refused", name="b"), Line(what="ended")]
    told = Line(what="told", epoch="ep", seq=1, sha256="sha-1", kind="loss", count=1)
    assert verdict([[*life, told]], BOTH).untold == 1


def faults(repository: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "edge", "--json", *arguments],
        cwd=repository, capture_output=True, text=True, timeout=220, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(240)
def test_real_processes_under_real_faults_lose_nothing(repository: Path, tmp_path: Path) -> None:
    """Three seeds, with kills, a wiped broker and a full disk; a cut run goes on from its state."""
    state = ("--state", str(tmp_path / "state"))
    status, said = faults(repository, "--from", "1", "--seeds", "2", *state)
    assert (status, said["failed"]) == (0, [])
    status, said = faults(repository, "--from", "1", "--seeds", "3", *state)
    assert (status, said["failed"]) == (0, [])
    assert said["seeds"] == 3
    assert (said["lost"], said["duplicates"], said["numbered_but_missing"]) == (0, 0, 0)
    assert said["produced"] == said["received"] > 100
    assert sum(said["faults"].values()) >= 5
    assert len((tmp_path / "state").read_text().splitlines()) == 3


@pytest.mark.timeout(240)
def test_an_edge_that_forgets_at_the_brokers_word_is_found(repository: Path) -> None:
    """The run can fail: with an edge that does not wait for the centre's receipt messages are lost."""
    status, said = faults(repository, "--from", "3", "--seeds", "1", "--sabotage", "puback")
    assert status == 1
    assert said["lost"] > 0
    assert said["failed"][0]["repeat"] == "python -m tests.faults edge --from 3 --seeds 1"

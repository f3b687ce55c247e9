"""Judged pictures become a dataset that the trainer reads, with where each comes from and by whose word."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from alerts.lifecycle import Step
from alerts.values import Actor
from hcawatch.dataset import Exported, ExportError, Wanted, export
from models.eval.dataset import read_set
from models.registry import find, read_card
from monitor.domain.events import EvidenceRef, sha256_hex
from monitor.domain.roles import Role
from monitor.web.uploads import path_of
from tests.doubles.feedback_town import FeedbackTown, feedback_town
from tests.doubles.web_town import picture
from tests.integration.test_feedback_desk import entries

CLASSES = read_card(find(None)).classes
BOX = {"bbox": (480.0, 270.0, 960.0, 810.0), "frame_size_px": (1920, 1080)}


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[FeedbackTown]:
    with feedback_town(postgres_dsn, tmp_path) as one:
        yield one


def clean(here: FeedbackTown, text: str, outcome: str, cause: str = "", **more: Any) -> str:
    """An alert with a stored clean snapshot, closed so; the snapshot's SHA-256."""
    data = picture(text)
    ref = EvidenceRef(sha256=sha256_hex(data), kind="snapshot_clean", bytes=len(data))
    here.here.now += timedelta(hours=1)
    here.here.sees(**{"evidence": (ref,), "footage": "real", **BOX, **more})
    here.store(data)
    if outcome:
        here.here.engine.step(here.here.newest().alert.alert_id, Step.DISMISS, Actor(user="sun", role=Role.SUPERVISOR), here.now,
                              reason=outcome, cause=cause, note="n")  # fmt: skip
    return ref.sha256


def wanted(folder: Path, **more: Any) -> Wanted:
    values: dict[str, Any] = {
        "actor": Actor(user="sun", role=Role.SUPERVISOR),
        "since": datetime(2000, 1, 1, tzinfo=UTC),
    }
    return Wanted(folder=folder, **{**values, **more})


def out(here: FeedbackTown, want: Wanted) -> Exported:
    return export(here.here.pool, here.here.data_dir, want, CLASSES, here.now)


def test_the_trainer_reads_what_people_judged(here: FeedbackTown, tmp_path: Path) -> None:
    """Right pictures with their box, false ones as hard negatives of their class; provenance, blurred, one entry."""
    right = clean(here, "digger", "referred")
    false = [clean(here, f"cow {n}", "false_alarm", "animal") for n in range(5)]
    clean(here, "zone", "false_alarm", "wrong_zone")
    clean(here, "twice", "duplicate")
    clean(here, "rendered", "referred", footage="simulated")
    clean(here, "still runs", "")
    folder = tmp_path / "set"
    done = out(here, wanted(folder))
    assert (done.pictures, done.right, done.false, done.copy) == (6, 1, 5, "blurred")
    assert done.left_out == {"cause_wrong_zone": 1, "not_judged": 1, "simulated": 1}

    read = [read_set(folder / "data.yaml", split) for split in ("train", "val")]
    assert all(one.pictures for one in read)
    assert read[0].classes == CLASSES
    pictures = {p.path.name.split("-")[0]: p for one in read for p in one.pictures}
    assert pictures["right"].class_names == ("excavator",)
    assert pictures["right"].xyxy_share.round(4).tolist() == [[0.25, 0.25, 0.5, 0.75]]
    assert pictures["right"].exhaustive == frozenset()
    assert (pictures["false"].class_names, pictures["false"].exhaustive) == ((), frozenset({"excavator"}))

    lines = [json.loads(line) for line in (folder / "provenance.jsonl").read_text().splitlines()]
    assert {line["evidence_sha256"] for line in lines} == {right, *false}
    first = next(line for line in lines if line["kind"] == "right")
    assert (first["outcome"], first["judged_by"], first["model"]["name"], first["copy"]) == (
        "referred",
        "sun",
        "net",
        "blurred",
    )
    assert sha256_hex((folder / first["image"]).read_bytes()) == first["image_sha256"] != right
    with Image.open(folder / first["image"]) as image:
        assert image.size == (1280, 720)  # boxes stay where they are

    (entry,) = [e for e in entries(here, "export") if e.subject == "dataset"]
    assert (entry.actor, entry.body["pictures"], entry.body["provenance_sha256"]) == ("sun", 6, sha256_hex((folder / "provenance.jsonl").read_bytes()))  # fmt: skip
    again = out(here, wanted(tmp_path / "again"))
    assert (again.train, again.val) == (done.train, done.val)


def test_originals_need_a_role_and_a_reason_and_each_is_an_entry(here: FeedbackTown, tmp_path: Path) -> None:
    """They show faces and plates."""
    sha256 = clean(here, "digger", "referred")
    folder = tmp_path / "set"
    with pytest.raises(ExportError, match="--reason"):
        out(here, wanted(folder, originals=True))
    auditor = Actor(user="aud", role=Role.AUDITOR)
    with pytest.raises(ExportError, match="auditor"):
        out(here, wanted(folder, originals=True, reason="r", actor=auditor))
    assert entries(here, "evidence.viewed") == []
    done = out(here, wanted(folder, originals=True, reason="train the next model"))
    (image,) = folder.glob("images/*/*.jpg")
    assert sha256_hex(image.read_bytes()) == sha256
    with Image.open(io.BytesIO(image.read_bytes())) as opened:
        assert opened.size == (1280, 720)
    (viewed,) = entries(here, "evidence.viewed")
    assert (viewed.subject, viewed.body["copy"], viewed.body["export"]) == (
        sha256,
        "original",
        done.provenance_sha256,
    )


def test_what_cannot_be_exported_is_said_and_leaves_nothing(here: FeedbackTown, tmp_path: Path) -> None:
    """No half folder, no entry of an export that is nowhere."""
    folder = tmp_path / "set"
    with pytest.raises(ExportError, match="no alert was closed yet"):
        out(here, wanted(folder))
    sha256 = clean(here, "digger", "referred")
    other = clean(here, "other", "referred")
    path_of(here.here.data_dir, sha256).write_bytes(b"someone changed it")
    want = wanted(folder)
    assert out(here, want).missing == (sha256,)
    with pytest.raises(ExportError, match="is there already"):
        out(here, want)
    path_of(here.here.data_dir, other).unlink()
    with pytest.raises(ExportError, match="2 pictures could not be read"):
        out(here, replace(want, folder=tmp_path / "none"))
    with pytest.raises(ExportError, match="no judged picture"):
        out(here, replace(want, folder=tmp_path / "elsewhere", sites=("s9",)))
    assert [p.name for p in tmp_path.iterdir() if "none" in p.name or "elsewhere" in p.name] == []
    assert len(entries(here, "export")) == 1

"""Which rules hold depends on the model that runs: a class that its card doesn't ship raises no alarm, and that is said."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import msgspec
import pytest
import structlog
import yaml

from edge.core_setup import setup_of, without_alarm
from edge.watcher import Seen, Setup, WatcherState, step
from edge.worker import EdgeSettings, camera_jobs, tell_silent_classes
from models import registry
from models.detector import ModelInfo
from monitor.domain.violations import RULES, UNEXPLAINED, rules_for
from tests.doubles.edge_things import Pinhole, city, ids, looks, setup

HOLE = Pinhole()
INFO = ModelInfo(
    name="m", version="1", sha256="0" * 64, classes=("person", "excavator", "loader", "fire"), trained_on="",
    backend="onnxruntime", input_hw=(384, 640),
)  # fmt: skip


def onsets(class_name: str, core: Setup) -> list[str]:
    """Violations that ten seconds of such a thing, at work on the line, open."""
    box = HOLE.box(0.0, -1.5, 4.0, 3.0)
    state, told, new_id = WatcherState(), [], ids()
    seen = (Seen(track_id=1, class_name=class_name, score=0.9, xyxy=box, box_motion=0.1),)
    for look in looks(lambda _: seen, seconds=10.0):
        state, emissions = step(core, state, look, new_id)
        told += [e.episode.worst.match.violation for e in emissions if e.phase == "onset"]
    return told


def core(shipped: tuple[str, ...] | None) -> Setup:
    """A camera whose model ships these classes, as the camera's process makes it."""
    camera = HOLE.camera()
    settings = EdgeSettings(data_dir=Path("unused"), mqtt_host="", mqtt_port=0, centre_url="", edge_token="")
    (job,) = camera_jobs(city(camera), camera.edge_id, settings)
    return msgspec.structs.replace(
        setup(camera), rules=setup_of(job, dataclasses.replace(INFO, shipped=shipped)).rules
    )


def test_a_class_that_is_not_shipped_opens_no_episode() -> None:
    """A loader at work on the line is an event where loaders are shipped, and none where only excavators are."""
    assert onsets("loader", core(("excavator", "loader"))) == ["excavation_5m"]
    assert onsets("loader", core(("excavator",))) == []
    assert onsets("excavator", core(("excavator",))) == ["excavation_5m"]


def test_a_card_that_says_nothing_silences_no_class_and_arms_no_fire() -> None:
    """As before there was the key: every machine counts, and a fire needs a model that ships fire by name."""
    assert onsets("loader", core(None)) == ["excavation_5m"]
    assert onsets("fire", core(None)) == []
    assert onsets("fire", core(("person", "fire"))) == ["fire_5m"]
    assert onsets("smoke", core(("person", "fire"))) == []


def test_rules_of_a_shipped_set_are_the_table_cut_to_its_classes() -> None:
    """No row gains a class or changes otherwise; a row without classes is gone. What no model names stays."""
    shipped = frozenset({"truck", "loader"})
    held = shipped | {UNEXPLAINED}
    for rule in rules_for(shipped):
        original = next(r for r in RULES if r.rule_id == rule.rule_id)
        assert rule == msgspec.structs.replace(original, classes=original.classes & held)
    assert {r.rule_id for r in rules_for(shipped)} == {r.rule_id for r in RULES if r.classes & held}
    assert {r.rule_id for r in RULES} - {r.rule_id for r in rules_for(None)} == {"fire-5m"}


def test_the_status_names_classes_without_alarm() -> None:
    """In the detector's order; nothing to say where nothing is known."""
    assert without_alarm(dataclasses.replace(INFO, shipped=("person", "excavator"))) == ("loader", "fire")
    assert without_alarm(INFO) == ()


def test_an_edge_says_at_its_start_what_raises_no_alarm(tmp_path: Path) -> None:
    """One warning a class with its reason and figures; weights that are refused are the cameras' own error."""
    folder = Path(shutil.copytree(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME, tmp_path / "copy"))
    card = yaml.safe_load((folder / "card.yaml").read_text())
    card |= {
        "shipped": [name for name in card["classes"] if name != "fire"],
        "measured": {"fire": {"boxes": 241, "ap50": 0.23, "why_not": "not_good"}},
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    with structlog.testing.capture_logs() as logs:
        tell_silent_classes(folder)
    (told,) = logs
    assert (told["event"], told["object_class"], told["log_level"]) == (
        "class_raises_no_alarm",
        "fire",
        "warning",
    )
    assert told["what"] == (
        "fire: not measured well enough with this model (AP50 0.23 on 241 boxes), raises no alarm"
    )
    with structlog.testing.capture_logs() as logs:
        tell_silent_classes(tmp_path / "nowhere")
    assert logs == []


def test_an_edge_says_which_rules_wait_for_a_class_that_the_model_has_not(tmp_path: Path) -> None:
    """Weights that call it a Digger find every excavator and report none: that must not stay silent."""
    folder = Path(shutil.copytree(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME, tmp_path / "copy"))
    card = yaml.safe_load((folder / "card.yaml").read_text())
    card["classes"] = ["Digger" if name == "excavator" else name for name in card["classes"]]
    card |= {"shipped": None, "measured": None}
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    with structlog.testing.capture_logs() as logs:
        tell_silent_classes(folder)
    assert {told["object_class"]: told["reason"] for told in logs} == {
        "excavator": "unknown_to_model",
        "fire": "not_shipped_by_name",
    }


@pytest.mark.parametrize("name", ["person", "excavator", "truck"])
def test_the_shipped_model_keeps_the_rules_of_what_the_system_is_for(name: str) -> None:
    """An excavator, a truck or a person never falls silent by a change of the card without a test failing."""
    shipped = registry.read_card(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME).shipping.shipped
    assert shipped is not None
    assert any(name in rule.classes for rule in rules_for(frozenset(shipped)))

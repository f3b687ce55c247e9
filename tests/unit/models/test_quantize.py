"""What 8 bits lose is measured over classes that can show it, and stands in a card that stays as people wrote it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from models import registry
from models.card_file import with_int8
from models.eval.values import Seen
from models.quantize import BOXES_MIN, average_precisions, loss

CARD = (registry.WEIGHTS_ROOT / registry.DEFAULT_NAME / "card.yaml").read_text(encoding="utf-8")
SECTION = {"file": "model-int8.xml", "sha256": "a" * 64, "map50_loss": 0.004, "recipe": "boxes in floats"}


def seen(name: str, found: bool, exhaustive: bool = True) -> Seen:
    """One picture with one labelled box, found exactly or not at all."""
    box = np.array([[10.0, 10.0, 50.0, 50.0]])
    return Seen(
        path=Path("x.jpg"),
        truth_xyxy=box,
        truth_classes=(name,),
        found_xyxy=box if found else np.zeros((0, 4)),
        scores=np.array([0.9] if found else []),
        found_classes=(name,) if found else (),
        exhaustive=frozenset({name} if exhaustive else ()),
    )


def test_the_loss_is_that_of_classes_with_enough_boxes() -> None:
    """Twenty trucks of which half are lost count half; nineteen cranes, all lost, are told but don't count."""
    before = [seen("truck", True) for _ in range(BOXES_MIN)] + [seen("crane", True)] * (BOXES_MIN - 1)
    after = [seen("truck", k % 2 == 0) for k in range(BOXES_MIN)] + [seen("crane", False)] * (BOXES_MIN - 1)
    found = loss(before, after, ("truck", "crane", "car"))
    assert found.map50_float == pytest.approx(1.0)
    assert found.map50 == pytest.approx(0.5, abs=0.01)
    assert found.classes["crane"] == pytest.approx((1.0, 0.0))
    assert "car" not in found.classes


def test_pictures_in_which_a_class_is_not_labelled_in_full_dont_count() -> None:
    """A box that nobody labelled is neither right nor wrong."""
    boxes, precision = average_precisions(
        [seen("truck", True), seen("truck", False, exhaustive=False)], ("truck",)
    )["truck"]
    assert (boxes, precision) == (1, pytest.approx(1.0))


def test_too_few_boxes_can_show_no_loss() -> None:
    """A loss over nothing would be nan and pass for none: it is an end with a reason."""
    with pytest.raises(SystemExit, match="can't be measured"):
        loss([seen("truck", True)], [seen("truck", True)], ("truck",))


def test_a_card_gets_its_8_bits_and_keeps_every_other_line() -> None:
    """Comments and order stay; the second time the old section goes, and what stood after it stays."""
    bare = "\n".join(line for line in CARD.splitlines() if line) + "\n"
    once = with_int8(bare + "note: kept  # and this\n", SECTION)
    assert yaml.safe_load(once)["int8"] == SECTION
    again = with_int8(once + "late: true\n", SECTION | {"map50_loss": 0.002})
    table = yaml.safe_load(again)
    assert (table["int8"]["map50_loss"], table["late"], table["note"]) == (0.002, True, "kept")
    assert again.count("int8:") == again.count("# The same network in 8-bit") == 1
    kept = [line for line in CARD.splitlines() if line.startswith("#") and "8-bit" not in line]
    assert [line for line in again.splitlines() if line.startswith("#") and "8-bit" not in line] == kept


def test_a_card_with_its_8_bits_can_be_read(tmp_path: Path) -> None:
    """What the command writes is what the registry reads."""
    folder = Path(shutil.copytree(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME, tmp_path / "set"))
    (folder / "card.yaml").write_text(with_int8(CARD, SECTION), encoding="utf-8")
    int8 = registry.read_card(folder).int8
    assert int8 is not None
    assert (int8.file, int8.map50_loss) == ("model-int8.xml", 0.004)

"""What a card says of its classes and scores: who may raise an alarm, why others may not, and calibrated scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hcawatch.cli import app
from models import registry
from models.calibrated import AS_IT_IS, Calibration, Curve, calibrate
from models.calibrated import as_table as curves_as_table
from models.errors import ModelRefused
from models.predict import read_image
from models.shipped import UNSAID, Silent, WhyNot, read_shipping, sentence
from monitor.domain.violations import alarm_classes

SHIPPED = registry.WEIGHTS_ROOT / registry.DEFAULT_NAME
PROBE = Path(registry.__file__).parent / "probe.jpg"
CLASSES = ("person", "excavator", "fire")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def weights_dir(tmp_path: Path) -> Path:
    """A copy of the shipped weights, whose card a test may change."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


def _change(folder: Path, **keys: object) -> None:
    card = yaml.safe_load((folder / "card.yaml").read_text()) | keys
    (folder / "card.yaml").write_text(yaml.safe_dump({k: v for k, v in card.items() if v is not None}))


def test_a_card_that_says_nothing_ships_every_class(weights_dir: Path) -> None:
    """Weights of others keep working as before: no class is silenced by an absent key."""
    _change(weights_dir, shipped=None, measured=None)
    assert registry.read_card(weights_dir).shipping == UNSAID
    assert registry.load(weights_dir).info.shipped is None


def test_our_own_card_says_which_classes_may_alarm() -> None:
    """The shipped set lists them, each other class has its reason, and the running detector carries the list."""
    card = registry.read_card(SHIPPED)
    assert card.shipping.shipped is not None
    assert {"person", "excavator", "truck"} <= set(card.shipping.shipped)
    silent = {one.class_name: one for one in card.shipping.silent}
    assert set(silent) == set(card.classes) - set(card.shipping.shipped)
    assert all(one.why is not WhyNot.NOT_MEASURED for one in silent.values())
    assert registry.load().info.shipped == card.shipping.shipped


def test_every_silent_class_has_a_reason() -> None:
    """What the card measured stands beside the reason; a class that nobody mentions was not measured."""
    found = read_shipping(["person"], {"fire": {"boxes": 241, "ap50": 0.23, "why_not": "not_good"}}, CLASSES)
    assert found.shipped == ("person",)
    assert found.silent == (
        Silent(class_name="excavator", why=WhyNot.NOT_MEASURED),
        Silent(class_name="fire", why=WhyNot.NOT_GOOD, boxes=241, ap50=0.23),
    )


@pytest.mark.parametrize("why", list(WhyNot))
def test_a_person_reads_that_the_class_raises_no_alarm(why: WhyNot) -> None:
    """In both languages, with the figures that the card has."""
    assert sentence(Silent(class_name="fire", why=why), "en").startswith("fire: ")
    for boxes, ap50 in ((None, None), (241, None), (241, 0.234)):
        told = Silent(class_name="fire", why=why, boxes=boxes, ap50=ap50)
        assert sentence(told, "en").endswith(", raises no alarm")
        chinese = sentence(told, "zh")
        assert chinese.startswith("明火：")
        assert chinese.endswith("，不产生告警")
        assert ("241" in chinese, "0.23" in chinese) == (boxes is not None, ap50 is not None)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"shipped": ["digger"]}, "shipped"),
        ({"shipped": []}, "shipped"),
        ({"shipped": "fire"}, "shipped"),
        ({"measured": {"digger": {}}}, "digger"),
        ({"measured": ["fire"]}, "measured"),
        ({"measured": {"fire": {"why_not": "bad"}}}, r"measured\.fire"),
        ({"measured": {"fire": {"boxes": 1}}}, r"measured\.fire"),
        ({"calibration": {"others": {"low": 1}}}, r"calibration\.others"),
    ],
)
def test_a_card_that_misstates_its_classes_is_refused(
    weights_dir: Path, keys: dict[str, object], said: str
) -> None:
    """A typing error must not silence a class, nor give it a voice: the error names the key."""
    _change(weights_dir, **keys)
    with pytest.raises(ModelRefused, match=said):
        registry.read_card(weights_dir)


def test_a_card_with_a_calibration_gives_calibrated_scores(weights_dir: Path) -> None:
    """The same boxes in the same place with the curve's scores; none from the wanted score on is missing."""
    frame = read_image(PROBE)
    _change(weights_dir, calibration=None)
    raw = registry.load(weights_dir, score_min=0.001).detect(frame)
    by = Calibration(others=AS_IT_IS, own={"excavator": Curve(low=1.0, high=1.0, offset=3.0)})
    _change(weights_dir, calibration=curves_as_table(by))
    for score_min in (0.01, 0.4):
        found = registry.load(weights_dir, score_min=score_min).detect(frame)
        assert found == calibrate(raw, by, score_min)
        assert found
    assert any(d.score != r.score for d, r in zip(calibrate(raw, by, 0.0), raw, strict=True))


def test_people_see_it_in_list_and_check() -> None:
    """`models list` and `check` name each class without alarms and why, in the language asked for."""
    listed = CliRunner().invoke(app, ["models", "list"], catch_exceptions=False).stdout
    checked = (
        CliRunner()
        .invoke(
            app, ["check", str(ROOT / "examples" / "minimal.yaml"), "--lang", "zh"], catch_exceptions=False
        )
        .stdout
    )
    table = json.loads(
        CliRunner().invoke(app, ["check", str(ROOT / "examples" / "minimal.yaml"), "--json"]).stdout
    )
    silent = registry.read_card(SHIPPED).shipping.silent
    assert silent
    # A card may ship cars, but no rule wants one: a list that names them would be believed.
    card = registry.read_card(SHIPPED)
    alarms = [name for name in card.classes if name in alarm_classes(card.shipping.shipped)]
    assert "car" not in alarms
    assert f"rules raise alarms on: {', '.join(alarms)}\n" in listed
    for one in silent:
        assert sentence(one, "en") in listed
        assert sentence(one, "zh") in checked
    assert [row["class"] for row in table["model"]["no_alarm"]] == [one.class_name for one in silent]

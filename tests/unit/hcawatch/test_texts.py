"""A person who reads Chinese must get every line, with the same facts in it."""

import re
from string import Formatter

import pytest

from hcawatch import texts


def _places(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("key", sorted(texts.TEXTS))
def test_both_languages_carry_the_same_facts(key: str) -> None:
    """No placeholder is missing in one language, and the Chinese one is Chinese."""
    both = texts.TEXTS[key]
    assert set(both) == {"en", "zh"}
    assert _places(both["en"]) == _places(both["zh"])
    if both["zh"] != both["en"]:
        bare = re.sub(r"\{.*?\}", "", both["zh"])
        assert re.search(r"[\u4e00-\u9fff：（）–]", bare), both["zh"]


def test_a_step_is_told_in_the_users_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """LANG decides; codes are turned into words."""
    row: dict[str, object] = {
        "number": 7, "kind": "violation", "violation": "excavation_5m", "health": None, "subject": "gas-02", "level": "I",
        "step": "dispatch", "role": "system", "actor": "system", "reason": "level_i_at_once",
    }  # fmt: skip
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "派遣" in texts.sentence(row)
    assert "excavation_5m" not in texts.sentence(row)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert "dispatch" in texts.sentence(row)

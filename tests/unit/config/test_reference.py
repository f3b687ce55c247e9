"""Every key and every fault is described where people look."""

from pathlib import Path

from hcawatch.config.reference import markdown
from hcawatch.config.texts import TEXTS


def test_reference_in_docs_is_up_to_date(repository: Path) -> None:
    """docs/configuration.md is what the schema says (`python -m hcawatch.config.reference > docs/configuration.md`)."""
    assert (repository / "docs" / "configuration.md").read_text(encoding="utf-8") == markdown()


def test_every_key_is_described() -> None:
    """No key stands there with its type only."""
    keys = [line for line in markdown().splitlines() if line.startswith("| `") and line.count("|") == 5]
    assert len(keys) > 100
    assert [line for line in keys if line.endswith("|  |")] == []


def test_every_fault_is_described() -> None:
    """Each code can be looked up."""
    page = markdown()
    assert [code for code in TEXTS if f"`{code}`" not in page] == []

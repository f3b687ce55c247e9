"""Documentation that a reader at 3 a.m. relies on must name what exists."""

import re
from pathlib import Path

import pytest

from alerts.texts import HEALTH
from monitor.domain.events import CameraState
from monitor.domain.violations import CATALOGUE, RULES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def _read(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def _required() -> list[str]:
    lines = (ROOT / "requirements" / "runtime.in").read_text().splitlines()
    names = [
        re.split(r"[\[=<>! ]", line.strip())[0] for line in lines if line.strip() and line[0] not in "#-"
    ]
    return sorted(set(names))


@pytest.mark.parametrize("name", _required())
def test_every_dependency_has_its_reason(name: str) -> None:
    """Somebody who must replace a library finds why it was chosen."""
    assert f"`{name}`" in _read(*(DOCS / "decisions").glob("*.md")), f"docs/decisions/ does not name `{name}`"


@pytest.mark.parametrize(
    "page", sorted(str(p.relative_to(ROOT)) for p in [ROOT / "README.md", *DOCS.rglob("*.md")])
)
def test_links_lead_somewhere(page: str) -> None:
    """No link of ours is dead."""
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{page} links to {target}"


def test_every_rule_names_a_violation_of_the_catalogue() -> None:
    """A rule without its article could never be explained."""
    assert {rule.violation for rule in RULES} <= set(CATALOGUE)
    assert len({rule.rule_id for rule in RULES}) == len(RULES)


def test_troubleshooting_knows_what_the_system_complains_of() -> None:
    """Each health alert and each bad camera state has a line that says what to do."""
    page = _read(DOCS / "troubleshooting.md").lower()
    missing = [texts["en"] for texts in HEALTH.values() if texts["en"].lower() not in page]
    missing += [s for s in CameraState if s not in ("starting", "streaming") and f"`{s}`" not in page]
    assert not missing

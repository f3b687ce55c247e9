"""All words come from the catalogues, and both languages have them all."""

import re
import string
from html.parser import HTMLParser
from pathlib import Path

import pytest

import monitor.web
from alerts.feedback.causes import Outcome
from alerts.lifecycle import State, Step
from alerts.reasons import Health, Why
from alerts.values import Confirmation
from models.footprint import FOOTPRINTS
from monitor.domain.events import CameraState, NoFix
from monitor.domain.ground.errors import Refusal
from monitor.domain.ground.places import PlaceFault
from monitor.domain.levels import Level
from monitor.domain.remarks import Remark, read, told
from monitor.domain.risk import Reason
from monitor.domain.roles import Role
from monitor.domain.violations import RULES
from monitor.web.showing import camera_reason, reason_detail
from monitor.web.texts import CATALOGUES, Texts, choose

WEB = Path(monitor.web.__file__).parent
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
#: words that are the same in every language
NAMES = {"hcawatch audit verify hcawatch-audit-*.zip"}


def test_both_catalogues_have_the_same_keys() -> None:
    """A text that one language lacks would be shown as a bare key."""
    assert set(CATALOGUES["en"]) == set(CATALOGUES["zh"])


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_put_in_the_same_facts() -> None:
    """A placeholder that only one language has would be lost or break the page."""
    different = [
        key for key, text in CATALOGUES["en"].items() if fields(text) != fields(CATALOGUES["zh"][key])
    ]
    assert different == []


def test_no_chinese_text_was_forgotten() -> None:
    """The Chinese catalogue speaks Chinese, but for names and pure numbers."""
    same = {
        key
        for key, text in CATALOGUES["zh"].items()
        if text == CATALOGUES["en"][key] and re.search("[a-z]{3}", text)
    }
    assert same <= {"app.short", "where.subject", "footage.real", "footage.simulated"}


@pytest.mark.parametrize(
    ("family", "keys"),
    [
        ("state", list(State)),
        ("step", list(Step)),
        ("action", list(Step)),
        ("explain", list(Step)),
        ("why", [*Why, *Outcome]),
        ("health", list(Health)),
        ("health_text", list(Health)),
        ("confirmation", list(Confirmation)),
        ("camera", [*CameraState, "unknown"]),
        ("camera_do", [*CameraState, "unknown"]),
        ("remark", list(Remark)),
        ("no_fix", list(NoFix)),
        ("no_fix_do", list(NoFix)),
        ("object", [*sorted(FOOTPRINTS), *sorted(set().union(*(rule.classes for rule in RULES)))]),
        ("level", list(Level)),
        ("role", list(Role)),
        ("survey.refused", list(Refusal)),
        ("survey.place", list(PlaceFault)),
        ("survey.note", ["mast", "unchecked", "strained", "strained_at", "line_unseen", "no_position"]),
    ],
)
def test_every_word_of_the_domain_has_a_text(family: str, keys: list[str]) -> None:
    """A new state, step or reason without a text is seen here first."""
    t = Texts("en")
    assert [key for key in keys if not t.has(f"{family}.{key}")] == []


class BareText(HTMLParser):
    """Collects what a template would show that does not come from a catalogue."""

    SHOWN = ("title", "alt", "placeholder", "aria-label", "data-say", "data-title", "data-explain")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        text = data.strip()
        if re.search(r"[A-Za-z一-鿿]{2}", text) and text not in NAMES:
            self.found.append(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            f"{name}={value}"
            for name, value in attrs
            if name in self.SHOWN and re.search(r"[A-Za-z]{2}", value or "")
        ]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_bare_text(template: Path) -> None:
    """What people read is looked up by key, also in attributes."""
    source = re.sub(r"{% block body_class %}.*?{% endblock %}", "", template.read_text("utf-8"))
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    parser = BareText()
    parser.feed(source)
    assert parser.found == []


def used_keys() -> set[str]:
    templates = "".join(path.read_text("utf-8") for path in TEMPLATES)
    scripts = "".join(path.read_text("utf-8") for path in (WEB / "static").glob("*.js"))
    python = "".join(path.read_text("utf-8") for path in WEB.glob("*.py"))
    found = set(re.findall(r"""\bt\(["']([\w.]+\w)["'][,)]""", templates + python))
    found |= {f"js.{key}" for key in re.findall(r"""\bt\("(\w+)"[,)]""", scripts)}
    errors = re.findall(
        r"(?:WebError|NotFound|Conflict|Forbidden|TooLarge|Unusable|super\(\)\.__init__)\(\s*\"(\w+)\"",
        python,
    )
    return found | {f"error.{key}" for key in errors}


def test_every_key_that_is_used_has_a_text() -> None:
    """A misspelt key would be shown as such."""
    assert sorted(key for key in used_keys() if key not in CATALOGUES["en"]) == []
    assert len(used_keys()) > 150  # the search itself works


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, "fr;q=1, zh;q=0.2", "zh"),
        ("zh", "en", "zh"),
        ("klingon", "zh", "zh"),
        (None, "zh;q=nonsense", "en"),
    ],
)
def test_language_is_the_readers(cookie: str | None, accept: str, language: str) -> None:
    """The switch wins, then the browser's order, then English."""
    assert choose(cookie, accept) == language


def test_a_key_without_text_is_shown_as_words() -> None:
    """A reason that another part invents does not take the page away."""
    assert Texts("en")("why.struck_by_a_meteor") == "struck by a meteor"


def test_what_an_edge_threw_away_is_said_in_both_languages() -> None:
    """The alert's detail is a sentence with its reason; one of another version is shown as it is."""
    loss = Reason(key="loss", points=0, detail="evidence: 3 (disk_share)")
    assert (
        reason_detail(loss, Texts("en"), "")
        == "3 × picture or clip: more waited than its share of the edge's disk holds"
    )
    assert reason_detail(loss, Texts("zh"), "") == "3个图片或视频：待传证据超出边缘设备磁盘配额"
    assert reason_detail(Reason(key="loss", points=0, detail="x: y"), Texts("zh"), "") == "x: y"


def test_what_the_watchdog_remarks_is_said_in_the_readers_language() -> None:
    """Codes with their facts travel; a decoder's own error, or an older edge's words, are shown as they came."""
    reason = "; ".join([told(Remark.INFRARED), told(Remark.CLOCK_BEHIND, 12.2)])
    assert camera_reason(reason, Texts("zh")) == "红外夜视（无彩色画面）；摄像机时钟慢 12 秒"
    assert camera_reason(reason, Texts("en")).endswith("; the camera's clock is 12 s behind")
    assert camera_reason("401 Unauthorized; try 2", Texts("zh")) == "401 Unauthorized; try 2"
    assert camera_reason("", Texts("zh")) == ""


@pytest.mark.parametrize("remark", list(Remark))
@pytest.mark.parametrize("fact", [None, 0.4, 15.0])
def test_a_remark_comes_back_as_it_was_told(remark: Remark, fact: float | None) -> None:
    """What the edge says is what the centre reads."""
    assert read(told(remark, fact)) == ((remark, "" if fact is None else f"{fact:.0f}"),)

"""All words that people see, by key, in English and Chinese; and which language somebody reads.

A key that no catalogue has is shown as words (`went_dark` -> 'went dark'), since reasons are made by
other parts and a missing text must not take a page away. A test holds both catalogues together.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from alerts import texts as alert_texts
from alerts.calm import texts as calm_texts
from alerts.feedback import texts as feedback_texts
from alerts.figures import texts as figure_texts
from alerts.permitting import texts as permit_texts
from alerts.reporting import texts as report_texts
from alerts.thresholds import texts as threshold_texts
from alerts.visiting import texts as visit_texts
from monitor.domain.assets import Text

LANGUAGES = ("en", "zh")
COOKIE = "hcawatch_language"


#: words about alerts are the alert module's own; one word, one meaning
_SHARED: Mapping[str, Mapping[str, Text]] = {
    "state": alert_texts.STATES,
    "step": alert_texts.STEPS,
    "health": alert_texts.HEALTH,
    "why": alert_texts.REASONS,
    "risk": alert_texts.REASONS,
    "end": alert_texts.REASONS,
    "cause": feedback_texts.CAUSES,
    "permit_state": permit_texts.STATES,
    "permit_step": permit_texts.STEPS,
    "permit_field": permit_texts.FIELDS,
    "error": {
        **permit_texts.PROBLEMS,
        **feedback_texts.PROBLEMS,
        **visit_texts.PROBLEMS,
        **figure_texts.PROBLEMS,
        **calm_texts.PROBLEMS,
        **report_texts.PROBLEMS,
        **threshold_texts.PROBLEMS,
    },
    "threshold": threshold_texts.NUMBERS,
    "threshold_origin": threshold_texts.ORIGINS,
    "threshold_answer": threshold_texts.ANSWERS,
    "feedback_why": feedback_texts.WHY,
    "feedback_number": feedback_texts.NUMBERS,
    "feedback_state": feedback_texts.STATES,
    "feedback_point": feedback_texts.POINTS,
    "check_answer": visit_texts.ANSWERS,
    "along": visit_texts.WHY_ALONG,
    "looked": visit_texts.LOOKED,
    "calm": calm_texts.WORDS,
    "figures": figure_texts.WORDS,
    "report_field": report_texts.FIELDS,
    "via": report_texts.VIAS,
}


def _load(language: str) -> dict[str, str]:
    path = Path(__file__).with_name("locales") / f"{language}.json"
    own: dict[str, str] = json.loads(path.read_text("utf-8"))
    shared = {
        f"{family}.{key}": text[language] for family, texts in _SHARED.items() for key, text in texts.items()
    }
    return {**shared, **own}


CATALOGUES: Mapping[str, Mapping[str, str]] = {language: _load(language) for language in LANGUAGES}


def choose(cookie: str | None, accept_language: str) -> str:
    """The cookie's language, else the first of the browser's list that we have, else English.

    >>> choose(None, "fr;q=0.9, zh-CN;q=0.8, en;q=0.7")
    'zh'
    """
    if cookie in LANGUAGES:
        return cookie
    wanted: list[tuple[float, str]] = []
    for part in accept_language.split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), tag.split("-")[0].lower()))
        except ValueError:
            continue
    for _, language in sorted(wanted, key=lambda pair: pair[0]):
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


class Texts:
    """One reader's language and time zone."""

    def __init__(self, language: str, timezone: str = "UTC") -> None:
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self.html_lang = {"en": "en", "zh": "zh-Hans"}[self.language]
        self.zone = ZoneInfo(timezone)
        self._catalogue = CATALOGUES[self.language]

    def __call__(self, key: str, /, **facts: Any) -> str:
        """The text of a key with its facts put in."""
        text = self._catalogue.get(key)
        if text is None:
            return key.rpartition(".")[2].replace("_", " ")
        return text.format(**facts) if facts else text

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self._catalogue

    def of(self, text: Text | None, fallback: str = "") -> str:
        """A text that comes with its languages (names of assets, titles of violations)."""
        if not text:
            return fallback
        return text.get(self.language) or text.get("en") or next(iter(text.values()), fallback)

    def under(self, prefix: str) -> dict[str, str]:
        """The texts whose key begins so, for scripts."""
        return {key: text for key, text in self._catalogue.items() if key.startswith(prefix)}

    def article(self, number: str) -> str:
        """An article as a lawyer of that language writes it.

        >>> Texts("zh").article("30(2)"), Texts("en").article("30(2)")
        ('第30条第2项', 'Article 30(2)')
        """
        head, _, item = number.partition("(")
        if self.language == "zh":
            return f"第{head}条" + (f"第{item.rstrip(')')}项" if item else "")
        return self("law.article", article=number)

    def time(self, at: datetime | None, *, date: bool = True) -> str:
        """A time in the city's zone, to the second."""
        if at is None:
            return ""
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")

    def lasting(self, seconds: float) -> str:
        """A duration in its two largest units."""
        whole = max(0, round(seconds))
        if whole < 60:
            return self("unit.s", n=whole)
        if whole < 3600:
            return self("unit.min_s", m=whole // 60, s=whole % 60)
        if whole < 86400:
            return self("unit.h_min", h=whole // 3600, m=whole % 3600 // 60)
        return self("unit.d_h", d=whole // 86400, h=whole % 86400 // 3600)

    def age(self, since: datetime, now: datetime) -> str:
        """How long ago."""
        return self.lasting((now - since) / timedelta(seconds=1))

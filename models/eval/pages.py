"""Writes one report in both languages: `index.html` (English) and `index.zh.html`, which link to each other.

Decides where pages and their style are found; what stands on a page is its template's, and its texts its catalogue's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import jinja2

from models.eval.texts import LANGUAGES

PAGES: Final = {"en": "index.html", "zh": "index.zh.html"}


def write_pages(folder: Path, template: Path, text: Callable[..., str], **values: object) -> Path:
    """Render `template` into `folder` (made if need be) once a language and return the English page.

    Args:
        folder: where the pages go.
        template: a Jinja file; it may include `page.css`, and has `t(key, **values)`, `number`, `language`
            and `other_page` besides `values`.
        text: (key, language, **values) to the words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template(template.name)
    for language, other in zip(LANGUAGES, reversed(LANGUAGES), strict=True):
        rendered = page.render(
            language=language, other_page=PAGES[other], number=number,
            t=lambda key, language=language, **fields: text(key, language, **fields), **values,
        )  # fmt: skip
        (folder / PAGES[language]).write_text(rendered, encoding="utf-8")
    return folder / PAGES["en"]


def number(value: float, digits: int = 3) -> str:
    """A figure as people read it; what could not be measured is a dash."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"

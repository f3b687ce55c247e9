"""The dashboards as JSON: complete, in both languages, committed as generated."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from monitor.grafana.dashboards import BOARDS, DATASOURCE_TYPE, DATASOURCE_UID, as_table, write_dashboards
from monitor.grafana.panels import TITLES, Board, Kind, Panel, Type

ALL = [pytest.param(board, panel, id=panel.query) for board in BOARDS for panel in board.panels]


def test_committed_dashboards_are_the_generated_ones(tmp_path: Path, repository: Path) -> None:
    """What deployments provision is what the code says (`hcawatch grafana write deploy/grafana/dashboards`)."""
    folder = repository / "deploy" / "grafana" / "dashboards"
    written = write_dashboards(tmp_path)
    assert {path.name for path in folder.glob("*.json")} == {path.name for path in written}
    for path in written:
        assert (folder / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_have_query_source_and_place(board: Board) -> None:
    """Each panel asks our data source with its SQL and lies within the grid without covering another."""
    taken: set[tuple[int, int]] = set()
    for panel in as_table(board, "en")["panels"]:
        (target,) = panel["targets"]
        assert target["datasource"] == {"type": DATASOURCE_TYPE, "uid": DATASOURCE_UID}
        assert target["rawSql"].startswith("SELECT")
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_chinese_variant_differs_in_words_only(board: Board) -> None:
    """The same panels with Chinese titles; SQL and layout don't change."""
    english, chinese = as_table(board, "en"), as_table(board, "zh")
    assert chinese["uid"] == english["uid"]
    for one, other in zip(english["panels"], chinese["panels"], strict=True):
        assert (one["type"], one["gridPos"], one["targets"]) == (
            other["type"],
            other["gridPos"],
            other["targets"],
        )
        assert re.search("[一-鿿]", other["title"])
        assert not re.search("[一-鿿]", one["title"])


@pytest.mark.parametrize(("board", "panel"), ALL)
def test_benchmarks_are_labelled(board: Board, panel: Panel) -> None:
    """A figure of ISA-18.2 or EEMUA 191 is called a benchmark, in title and description."""
    if "ISA-18.2" in panel.about.en:
        assert "benchmark" in panel.title.en.lower()
        assert "not a requirement" in panel.about.en
        assert "基准" in panel.title.zh


@pytest.mark.parametrize(("board", "panel"), ALL)
def test_columns_fit_the_kind(board: Board, panel: Panel) -> None:
    """A time series begins with its time, a map has coordinates, and ids are never shown raw."""
    names = [column.name for column in panel.columns]
    if panel.kind in (Kind.LINES, Kind.STATES):
        assert panel.columns[0].type is Type.TIME
        assert names[0] == "time"
    if panel.kind is Kind.MAP:
        assert {"latitude", "longitude"} <= set(names)
    assert all(words.en and words.zh for words in TITLES.values())


def test_says_that_it_was_not_rendered() -> None:
    """Honest about what was not tried."""
    for board in BOARDS:
        assert "not rendered in Grafana" in as_table(board, "en")["description"]


def test_level_colours_are_the_fields() -> None:
    """Level I is red and IV blue wherever a level is shown."""
    panels: list[dict[str, Any]] = as_table(BOARDS[0], "en")["panels"]
    text = json.dumps([panel["fieldConfig"] for panel in panels])
    assert '"I": {"color": "red"' in text
    assert '"IV": {"color": "blue"' in text

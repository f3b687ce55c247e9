"""Boards to Grafana's JSON, through the typed builders of grafana-foundation-sdk (Grafana 11.6).

Decides layout, formats and colours; what a panel says is in its row (`panels`), its SQL in queries.sql.
Not rendered in Grafana here: the queries are run by tests, the JSON is built by types.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    geomap,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from monitor.grafana.cameras import CAMERAS
from monitor.grafana.control_room import CONTROL_ROOM
from monitor.grafana.loop import LOOP
from monitor.grafana.panels import Board, Kind, Language, Panel, Type, Words
from monitor.grafana.response import RESPONSE
from monitor.store.queries import Queries

BOARDS: Final = (CONTROL_ROOM, CAMERAS, RESPONSE, LOOP)
QUERIES: Final = {**Queries("monitor.grafana"), **Queries("monitor.grafana", "loop.sql")}

#: Grafana's grid
GRID_WIDTH: Final = 24
DATASOURCE_TYPE: Final = "grafana-postgresql-datasource"
DATASOURCE_UID: Final = "hcawatch-postgresql"
FOLDER_UID: Final = "hcawatch"
FOLDER_TITLE: Final = "hcawatch"
NOT_RENDERED: Final = Words(
    "Written as code; its queries are tested on the database, it was not rendered in Grafana.",
    "由代码生成；查询已在数据库上测试，未在 Grafana 中渲染验证。",
)

LEVEL_COLOURS: Final = {"I": "red", "II": "orange", "III": "yellow", "IV": "blue"}
STATE_COLOURS: Final = {
    "streaming": "green", "starting": "light-blue", "stalled": "red", "frozen": "red", "obscured": "purple",
    "blurred": "light-purple", "dark": "dark-blue", "overexposed": "light-yellow", "moved": "orange",
    "ended": "gray", "unreachable": "dark-red", "blocked": "dark-orange",
    "unanalysed": "dark-yellow",
}  # fmt: skip
#: columns whose values have colours of their own
_COLOURED: Final = {"level": LEVEL_COLOURS, "state": STATE_COLOURS}


class SqlQuery(Dataquery):
    """One query of the PostgreSQL data source; the SDK has no builder for it."""

    def __init__(self, sql: str, form: str) -> None:
        self.sql, self.form = sql, form

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        return {
            "refId": "A", "datasource": {"type": DATASOURCE_TYPE, "uid": DATASOURCE_UID}, "editorMode": "code",
            "format": self.form, "rawQuery": True, "rawSql": self.sql,
        }  # fmt: skip


class _Query(Builder[Dataquery]):
    def __init__(self, query: SqlQuery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def sql_of(query: str) -> str:
    """A block of queries.sql without its comment."""
    lines = QUERIES[query].as_string(None).splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def build(board: Board, language: Language) -> models.Dashboard:
    """The dashboard in one language."""
    about = f"{board.about.of(language)} {NOT_RENDERED.of(language)}"
    builder = (
        dashboard.Dashboard(board.title.of(language))
        .uid(board.uid).description(about).tags(["hcawatch"]).time(board.since, "now").timezone("browser")
        .refresh("30s").readonly()
    )  # fmt: skip
    for n, (panel, place) in enumerate(zip(board.panels, layout(board.panels), strict=True), start=1):
        builder.with_panel(_panel(panel, language).id(n).grid_pos(place))
    return builder.build()


def layout(panels: tuple[Panel, ...]) -> list[models.GridPos]:
    """Where panels go: each, in order, at the highest place that is free, left before right."""
    bottom = [0] * GRID_WIDTH
    places = []
    for panel in panels:
        y, x = min((max(bottom[x : x + panel.width]), x) for x in range(GRID_WIDTH - panel.width + 1))
        bottom[x : x + panel.width] = [y + panel.height] * panel.width
        places.append(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
    return places


def as_table(board: Board, language: Language) -> dict[str, Any]:
    """The dashboard as Grafana's API and files take it."""
    built = json.loads(json.dumps(build(board, language), cls=JSONEncoder))
    assert isinstance(built, dict)
    return built


def write_dashboards(folder: Path, language: Language = "en") -> list[Path]:
    """Write each board to `folder`/<uid>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for board in BOARDS:
        path = folder / f"{board.uid}.json"
        text = json.dumps(as_table(board, language), ensure_ascii=False, indent=2, sort_keys=True)
        path.write_text(text + "\n", encoding="utf-8")
        written.append(path)
    return written


# ---------------------------------------------------------------- panels


def _panel(panel: Panel, language: Language) -> Any:
    form = "time_series" if panel.kind is Kind.LINES else "table"
    builder: Any = _KINDS[panel.kind](panel)
    (
        builder.title(panel.title.of(language))
        .description(panel.about.of(language))
        .datasource(models.DataSourceRef(type_val=DATASOURCE_TYPE, uid=DATASOURCE_UID))
        .with_target(_Query(SqlQuery(sql_of(panel.query), form)))
        .no_value("–")
    )  # fmt: skip
    if panel.limits:
        steps = [models.Threshold(color="red" if panel.limits[0].colour == "green" else "green")]
        steps += [models.Threshold(value=limit.value, color=limit.colour) for limit in panel.limits]
        builder.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
    for column in panel.columns:
        properties = [models.DynamicConfigValue(id_val="displayName", value=column.title.of(language))]
        if column.unit is not None:
            properties.append(models.DynamicConfigValue(id_val="unit", value=column.unit))
        if column.name in _COLOURED and panel.kind is not Kind.MAP:
            properties += _colours(column.name, panel.kind)
        # a series is named by its camera, not by its column
        if not (panel.kind is Kind.LINES and any(c.name == "metric" for c in panel.columns)):
            builder.override_by_name(column.name, properties)
        elif column.unit is not None:
            builder.unit(column.unit)
    return builder


def _colours(name: str, kind: Kind) -> list[models.DynamicConfigValue]:
    options = {
        value: {"color": colour, "index": n} for n, (value, colour) in enumerate(_COLOURED[name].items())
    }
    found = [models.DynamicConfigValue(id_val="mappings", value=[{"type": "value", "options": options}])]
    if kind is Kind.TABLE:
        cell = {"type": "color-text"}
        found.append(models.DynamicConfigValue(id_val="custom.cellOptions", value=cell))
    return found


def _all_values(fields: str) -> common.ReduceDataOptions:
    return common.ReduceDataOptions().values(True).calcs(["lastNotNull"]).fields(fields)


def _stat(panel: Panel) -> Any:
    mode = common_models.BigValueColorMode.VALUE
    return stat.Panel().reduce_options(_all_values("/.*/")).color_mode(mode)


def _bars(panel: Panel) -> Any:
    return (
        bargauge.Panel()
        .reduce_options(_all_values(f"/^{panel.columns[-1].title.en}$|^{panel.columns[-1].title.zh}$/"))
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .display_mode(common_models.BarGaugeDisplayMode.BASIC)
    )


def _lines(panel: Panel) -> Any:
    style = common_models.GraphDrawStyle.BARS if panel.as_bars else common_models.GraphDrawStyle.LINE
    builder = timeseries.Panel().draw_style(style).fill_opacity(40 if panel.as_bars else 8).axis_soft_min(0)
    if panel.limits:
        mode = common_models.GraphThresholdsStyleMode.DASHED
        builder.thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))
    return builder


def _table(panel: Panel) -> Any:
    return table.Panel().filterable(True)


def _states(panel: Panel) -> Any:
    """One row a camera: the rows of the query are split by it."""
    split = models.DataTransformerConfig(
        id_val="partitionByValues",
        options={"fields": ["camera_id"], "keepFields": False, "naming": {"asLabels": True}},
    )
    colours = _colours("state", Kind.STATES)[0]
    builder = statetimeline.Panel().merge_values(True).with_transformation(split)
    return builder.override_by_field_type("string", [colours])


def _map(panel: Panel) -> Any:
    place = (
        common.FrameGeometrySource()
        .mode(common_models.FrameGeometrySourceMode.COORDS).latitude("latitude").longitude("longitude")
    )  # fmt: skip
    marks = (
        common.MapLayerOptions()
        .type("markers").name("alerts").location(place).tooltip(True)
        .config({"style": {"size": {"fixed": 8}, "color": {"field": "level", "fixed": "red"}}, "showLegend": True})
    )  # fmt: skip
    # the map's base needs the internet unless Grafana is told of another; alerts are shown without it
    view = geomap.MapViewConfig().id("fit").all_layers(True).padding(10)
    level = [
        {
            "type": "value",
            "options": {k: {"color": c, "index": n} for n, (k, c) in enumerate(LEVEL_COLOURS.items())},
        }
    ]
    return (
        geomap.Panel()
        .layers([marks]).view(view)
        .override_by_name("level", [models.DynamicConfigValue(id_val="mappings", value=level)])
    )  # fmt: skip


_KINDS: Final[dict[Kind, Callable[[Panel], Any]]] = {
    Kind.STAT: _stat, Kind.BARS: _bars, Kind.LINES: _lines, Kind.TABLE: _table, Kind.STATES: _states,
    Kind.MAP: _map,
}  # fmt: skip

#: what PostgreSQL calls the types of `panels.Type`
OIDS: Final[dict[Type, frozenset[str]]] = {
    Type.TIME: frozenset({"timestamptz"}), Type.TEXT: frozenset({"text"}),
    Type.COUNT: frozenset({"int8", "int4"}), Type.NUMBER: frozenset({"float8"}), Type.TRUTH: frozenset({"bool"}),
}  # fmt: skip

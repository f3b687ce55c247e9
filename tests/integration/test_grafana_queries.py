"""Every panel's query runs on the migrated schema, gives the columns that its panel expects, and right figures."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from alerts.figures.desk import figures
from alerts.figures.values import Period
from alerts.visiting.book import read_month
from alerts.visiting.counting import AVOIDED
from monitor.domain.response import Response
from monitor.domain.risk import Weights
from monitor.domain.shares import share
from monitor.grafana.check import check_panels, run_panel
from monitor.grafana.dashboards import BOARDS, QUERIES
from monitor.grafana.errors import PanelBroken
from monitor.grafana.grants import grant_reading
from monitor.grafana.panels import Panel, Type, columns
from tests.doubles.alert_story import CITY
from tests.integration.grafana_rows import HOUR_AGO, NOW, SINCE, UNTIL, add_alert, fill

PANELS = {panel.query: panel for board in BOARDS for panel in board.panels}


@pytest.fixture
def empty(postgres_dsn: str) -> Iterator[psycopg.Connection]:
    """A migrated database without rows."""
    with psycopg.connect(postgres_dsn, prepare_threshold=None) as conn:
        yield conn


@pytest.fixture
def filled(empty: psycopg.Connection) -> psycopg.Connection:
    """A migrated database with a day of rows."""
    fill(empty)
    return empty


def rows_of(conn: psycopg.Connection, query: str) -> list[dict[str, Any]]:
    """The rows of a panel, by column name."""
    panel = PANELS[query]
    names = [column.name for column in panel.columns]
    return [dict(zip(names, row, strict=True)) for row in run_panel(conn, panel, since=SINCE, until=UNTIL)]


def test_every_query_runs_on_an_empty_database(empty: psycopg.Connection) -> None:
    """A fresh installation shows empty panels, not errors, and each has the columns of its row."""
    assert len(list(check_panels(empty, since=SINCE, until=UNTIL))) == len(PANELS)


def test_every_panel_shows_rows_where_there_are_some(filled: psycopg.Connection) -> None:
    """No panel stays empty over a day in which everything happened."""
    empty = [found.query for found in check_panels(filled, since=SINCE, until=UNTIL) if found.rows == 0]
    assert empty == []


def test_every_query_belongs_to_one_panel() -> None:
    """queries.sql holds nothing that is not shown, and no panel shares a query."""
    assert set(QUERIES) == set(PANELS)
    assert sum(len(board.panels) for board in BOARDS) == len(PANELS)


def test_wrong_column_is_named(empty: psycopg.Connection) -> None:
    """A panel whose row promises other columns is found out."""
    right = PANELS["running_by_level"]
    wrong = Panel(query=right.query, kind=right.kind, title=right.title, about=right.about,
                  columns=columns(level=Type.TEXT, alerts=Type.TEXT))  # fmt: skip
    with pytest.raises(PanelBroken, match="running_by_level gives"):
        run_panel(empty, wrong, since=SINCE, until=UNTIL)


def test_levels_without_alerts_are_shown(filled: psycopg.Connection) -> None:
    """Only running violations count, and a level without any is a zero."""
    found = {row["level"]: row["alerts"] for row in rows_of(filled, "running_by_level")}
    assert found == {"I": 0, "II": 1, "III": 1, "IV": 0}


def test_stale_and_chattering(filled: psycopg.Connection) -> None:
    """An alert of two days is stale; three within 40 s are chattering."""
    assert rows_of(filled, "standing_stale") == [{"standing": 3, "stale": 1}]
    assert [(row["subject"], row["times"]) for row in rows_of(filled, "chattering")] == [("cam-1", 1)]


def test_rate_counts_empty_periods(filled: psycopg.Connection) -> None:
    """A day has 145 ten-minute periods that begin in it; all opened alerts are in one of them."""
    rows = rows_of(filled, "alert_rate_10min")
    assert len(rows) in (145, 146)
    assert sum(row["alerts"] for row in rows) == 7
    assert rows_of(filled, "flood_share") == [{"flood_share": 0.0}]


def test_priority_split_sums_to_one(filled: psycopg.Connection) -> None:
    """High, medium and low beside the benchmark."""
    rows = {row["priority"]: row for row in rows_of(filled, "priority_split")}
    assert [rows[p]["alerts"] for p in ("high", "medium", "low")] == [3, 1, 2]
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1.0)
    assert sum(row["benchmark"] for row in rows.values()) == pytest.approx(1.0)


def test_times_to_each_step(filled: psycopg.Connection) -> None:
    """p50 of dispatching is the middle of 10, 20, 30 and 60 s; steps that nobody took count nothing."""
    rows = {row["step"]: row for row in rows_of(filled, "times_to")}
    assert rows["dispatch"]["alerts"] == 4
    assert rows["dispatch"]["p50"] == pytest.approx(25.0)
    assert rows["acknowledge"]["p95"] == pytest.approx(5.0)
    assert rows["resolve"]["p50"] == pytest.approx(1200.0)


def test_onset_to_dispatch_begins_at_the_picture(filled: psycopg.Connection) -> None:
    """The second between picture and opening is part of it."""
    rows = rows_of(filled, "onset_to_dispatch")
    assert max(row["p95"] for row in rows) > 31.0


def test_receipts_count_what_is_missing(filled: psycopg.Connection) -> None:
    """Of 115 numbers 100 + 8 + 1 are stored."""
    (row,) = rows_of(filled, "receipts")
    assert (row["numbered"], row["stored"], row["missing"]) == (115, 109, 6)


def test_unwatched_minutes_say_why(filled: psycopg.Connection) -> None:
    """A stalled camera and a missing record are told apart; a watched minute is not listed."""
    rows = {row["camera_id"]: row for row in rows_of(filled, "unwatched_minutes")}
    assert set(rows) == {"cam-2", "cam-3"}
    assert (rows["cam-2"]["unwatched_s"], rows["cam-2"]["why"]) == (45.0, "stalled")
    assert rows["cam-3"]["why"] == "no record came"


def test_watched_share(filled: psycopg.Connection) -> None:
    """A quarter of a minute is a quarter; no record is nothing."""
    shares = {row["metric"]: row["watched_share"] for row in rows_of(filled, "watched_share")}
    assert shares == {"cam-1": 1.0, "cam-2": 0.25, "cam-3": 0.0}


def test_camera_states_begin_with_the_state_before(filled: psycopg.Connection) -> None:
    """The state that held before the time shown is moved to its beginning."""
    rows = [row for row in rows_of(filled, "camera_states") if row["camera_id"] == "cam-2"]
    assert [row["state"] for row in rows] == ["starting", "stalled"]
    assert abs((rows[0]["time"] - SINCE).total_seconds()) < 1


def test_evidence_and_visits(filled: psycopg.Connection) -> None:
    """Announced, stored, lost and waiting; joins, permits and dismissals without a dispatch."""
    assert [tuple(row.values())[1:] for row in rows_of(filled, "evidence_flow")] == [(3.0, 1.0, 1.0, 1.0)]
    assert rows_of(filled, "visits_avoided") == [{"joined": 3, "permitted": 1, "dismissed": 1}]


def test_false_alarms_per_month(filled: psycopg.Connection) -> None:
    """The refuted alert is in the list, with the share of its camera's alerts."""
    (row,) = rows_of(filled, "false_alarms")
    assert (row["camera_id"], row["false_alarms"], row["alerts"], row["share"]) == ("cam-3", 1, 1, 1.0)


def test_the_loops_figures_are_those_of_the_pages(filled: psycopg.Connection) -> None:
    """Times by level, busiest sources and the share in flood: the same numbers as "Figures", held ones and lawful ones as there."""
    held = add_alert(filled, opened_at=HOUR_AGO, level="III", subject="cam-9", acknowledged_s=900)
    filled.execute(
        "UPDATE alert SET rung_at = opened_at + interval '10 minutes' WHERE alert_id = %s", (held,)
    )
    for n, (after_s, by) in enumerate([(0, "shelf"), (600, None)]):
        filled.execute(
            """INSERT INTO alert_transition (alert_id, n, step, from_state, to_state, level, actor, role, at, reason, held_by)
               VALUES (%s, %s, 'hold', 'open', 'open', 'III', 'system', 'system', %s, 'x', %s)""",
            (held, n + 1, HOUR_AGO + timedelta(seconds=after_s), by),
        )  # fmt: skip
    never = add_alert(filled, opened_at=HOUR_AGO, level="II", subject="cam-8")
    filled.execute("UPDATE alert SET held_by = 'shelf' WHERE alert_id = %s", (never,))
    page = figures(filled, Period(since=SINCE, until=UNTIL), CITY, Response(), 1, NOW + timedelta(minutes=1))
    of_level = {row.of: row for row in page.levels}
    for row in rows_of(filled, "loop_times_by_level"):
        (took,) = (one for one in of_level[row["level"]].took if one.milestone.value == row["step"])
        assert (row["alerts"], row["p50"], row["p95"], row["standing"]) == (
            took.n,
            took.p50_s,
            took.p95_s,
            took.waiting,
        ), row
    acknowledged = {
        r["level"]: r["p50"] for r in rows_of(filled, "loop_times_by_level") if r["step"] == "acknowledge"
    }
    assert acknowledged["III"] == pytest.approx(300.0), "from ringing, not from what was held"
    assert [(r["subject"], r["alerts"], r["share"]) for r in rows_of(filled, "loop_busiest")] == [
        (one.source, one.times, pytest.approx(one.share)) for one in page.load.busiest
    ]
    assert sum(row["per_position"] for row in rows_of(filled, "loop_alarms_10min")) == page.load.alarms
    (flood,) = rows_of(filled, "loop_flood_share")
    value = {one.key: one.value for one in page.load.benchmarks}
    assert (flood["flood_share"], flood["most_10min"]) == (value["flood_share"], value["peak_10min"])


def test_alarms_are_counted_for_each_position(filled: psycopg.Connection) -> None:
    """Two people share the load; so does the flood's bound."""
    one = sum(row["per_position"] for row in rows_of(filled, "loop_alarms_10min"))
    for n in range(12):
        add_alert(filled, opened_at=HOUR_AGO + timedelta(seconds=n), subject=f"cam-{n}")
    assert rows_of(filled, "loop_flood_share")[0]["flood_share"] > 0
    filled.execute(
        """INSERT INTO config_version (sha256, body, author, reason, created_at)
           VALUES ('y', '{"city": {"timezone": "Asia/Shanghai"}, "calm": {"positions": 2}}', 'a', 'b', %s)""", (NOW,)
    )  # fmt: skip
    assert sum(row["per_position"] for row in rows_of(filled, "loop_alarms_10min")) == pytest.approx(
        (one + 12) / 2
    )
    assert rows_of(filled, "loop_flood_share")[0]["flood_share"] == 0.0


def test_precision_week_by_week_has_its_interval(filled: psycopg.Connection) -> None:
    """Three right of one camera, one false of another; the interval is the one of the page "Feedback"."""
    rows = {row["camera_id"]: row for row in rows_of(filled, "loop_precision")}
    assert {c: (r["right_n"], r["false_alarms"]) for c, r in rows.items()} == {
        "cam-1": (3, 0),
        "cam-3": (0, 1),
    }
    for row, known in ((rows["cam-1"], share(3, 3)), (rows["cam-3"], share(0, 1))):
        assert (row["share"], row["low"], row["high"]) == pytest.approx((known.share, known.low, known.high))


def test_avoided_dispatches_are_those_of_the_page(filled: psycopg.Connection) -> None:
    """One by a permit, one refuted before anybody left, one that joined a case with an officer on the way."""
    avoided = {row["reason"]: row["dispatches"] for row in rows_of(filled, "loop_avoided")}
    assert avoided == {"permit": 1, "joined": 1, "refuted": 1, "same_visit": 0, "rule": 0}
    counted = Counter[str]()
    for month in {HOUR_AGO.strftime("%Y-%m"), NOW.strftime("%Y-%m")}:
        with filled.cursor(row_factory=dict_row) as cursor:
            shown = read_month(cursor, month, "UTC", Weights())  # type: ignore[arg-type]
        counted.update({kind: n for kind, (n, _) in shown.avoided.items()})
    assert {kind: counted[kind] for kind in AVOIDED} == avoided


def test_granted_role_reads_what_is_shown_and_nothing_else(
    filled: psycopg.Connection, postgres_dsn: str
) -> None:
    """With `hcawatch grafana grant` every panel works, and passwords and sessions can't be read."""
    filled.execute(
        "DO $$ BEGIN CREATE ROLE hcawatch_test_grafana; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    filled.execute("GRANT SELECT ON app_user TO hcawatch_test_grafana")  # an older, wider right is taken back
    grant_reading(filled, "hcawatch_test_grafana")
    filled.commit()
    filled.execute("SET ROLE hcawatch_test_grafana")
    assert all(found.rows for found in check_panels(filled, since=SINCE, until=UNTIL))
    for table in ("app_user", "app_session", "edge_credential", "audit_entry"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), filled.transaction():
            filled.execute(f"SELECT * FROM {table}")
    filled.rollback()

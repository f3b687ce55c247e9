"""What a panel is: one frozen row with its query, its columns, its words in both languages.

The rows themselves are in `control_room`, `cameras` and `response`; making Grafana's JSON of them is
`dashboards`' matter.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    en: str
    zh: str

    def of(self, language: Language) -> str:
        """The text in one of them."""
        return self.zh if language == "zh" else self.en


class Kind(StrEnum):
    """How a panel shows its rows."""

    STAT = "stat"
    BARS = "bargauge"
    LINES = "timeseries"
    TABLE = "table"
    STATES = "state-timeline"
    MAP = "geomap"


class Type(StrEnum):
    """Type of a column, as PostgreSQL names it."""

    TIME = "timestamptz"
    TEXT = "text"
    COUNT = "int8"
    NUMBER = "float8"
    TRUTH = "bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a panel's query."""

    name: str
    type: Type
    title: Words
    #: Grafana's unit: s, percentunit, short, lengthm …
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A value from which a colour begins. Benchmarks come from ISA-18.2, IEC 62682 and EEMUA 191."""

    value: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `query` is a block of queries.sql."""

    query: str
    kind: Kind
    title: Words
    about: Words
    columns: tuple[Column, ...]
    width: int = 12
    height: int = 8
    limits: tuple[Limit, ...] = ()
    #: bars instead of lines in a time series
    as_bars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard."""

    uid: str
    title: Words
    about: Words
    since: str
    panels: tuple[Panel, ...] = field(repr=False)


#: words of columns that stand in many tables
TITLES: dict[str, Words] = {
    "accept_p50": Words("Until accepted, p50", "接受用时 p50"),
    "accept_p95": Words("Until accepted, p95", "接受用时 p95"),
    "accepted": Words("Accepted", "已接受"),
    "accepted_at": Words("Accepted at", "接受时间"),
    "accuracy_m": Words("Accuracy (1σ)", "定位误差 (1σ)"),
    "actor": Words("Who", "人员"),
    "age_s": Words("Age", "已持续"),
    "alerts": Words("Alerts", "警情"),
    "announced": Words("Announced", "已声明"),
    "at": Words("At", "时间"),
    "benchmark": Words("Benchmark", "基准"),
    "bytes": Words("Bytes", "字节"),
    "camera_id": Words("Camera", "摄像机"),
    "config_version": Words("Configuration", "配置版本"),
    "count": Words("Count", "数量"),
    "detector_runs": Words("Detector runs", "检测次数"),
    "dismissed": Words("Dismissed unvisited", "未出动即排除"),
    "disk_free_mb": Words("Disk free, MB", "磁盘剩余 (MB)"),
    "dispatched_at": Words("Dispatched at", "派单时间"),
    "dispatches": Words("Dispatches", "派单"),
    "edge_id": Words("Edge", "边缘节点"),
    "epoch": Words("Outbox", "发件箱"),
    "evidence_pending": Words("Evidence to upload", "待传证据"),
    "false_alarms": Words("False alarms", "误报"),
    "first_seen_at": Words("Since", "起始"),
    "flood_share": Words("Share in flood", "警情洪泛占比"),
    "footage": Words("Footage", "画面来源"),
    "frames": Words("Frames", "帧数"),
    "from_at": Words("From", "自"),
    "high": Words("At most", "上限"),
    "low": Words("At least", "下限"),
    "most_10min": Words("Most in 10 min", "10分钟最多"),
    "per_position": Words("Alarms a position", "每席位告警"),
    "right_n": Words("Right", "属实"),
    "rule_id": Words("Rule", "规则"),
    "week": Words("Week from", "周（起始）"),
    "from_seq": Words("First number", "起始编号"),
    "from_state": Words("From", "原状态"),
    "health": Words("What is wrong", "异常"),
    "joined": Words("Joined to running alerts", "并入进行中的警情"),
    "kind": Words("Kind", "类别"),
    "last_at": Words("Last", "最近一次"),
    "latitude": Words("Latitude", "纬度"),
    "level": Words("Level", "等级"),
    "longest_blind_s": Words("Longest gap", "最长空窗"),
    "longitude": Words("Longitude", "经度"),
    "looks": Words("Looks", "分析次数"),
    "lost": Words("Lost", "丢失"),
    "metric": Words("Camera", "摄像机"),
    "minute": Words("Minute", "分钟"),
    "missing": Words("Missing", "缺失"),
    "month": Words("Month", "月份"),
    "number": Words("No.", "编号"),
    "numbered": Words("Numbered", "已编号"),
    "numbers": Words("Numbers", "编号数"),
    "officer": Words("Officer", "人员"),
    "online": Words("Online", "在线"),
    "opened_at": Words("Opened at", "发生时间"),
    "p50": Words("p50", "p50"),
    "p95": Words("p95", "p95"),
    "permitted": Words("Covered by a permit", "许可范围内"),
    "priority": Words("Priority", "优先级"),
    "queue_depth": Words("Waiting for a receipt", "待回执"),
    "reason": Words("Reason", "原因"),
    "received_at": Words("Received at", "接收时间"),
    "reported": Words("Alerted", "已报警"),
    "role": Words("Role", "角色"),
    "seq": Words("Number", "编号"),
    "share": Words("Share", "占比"),
    "since": Words("Since", "起始"),
    "site_id": Words("HCA", "高后果区"),
    "stale": Words("Stale (over 24 h)", "滞留（超过 24 小时）"),
    "standing": Words("Standing", "未结"),
    "state": Words("State", "状态"),
    "step": Words("Step", "步骤"),
    "stored": Words("Stored", "已存储"),
    "stored_at": Words("Stored at", "存储时间"),
    "subject": Words("Source", "来源"),
    "team_id": Words("Team", "班组"),
    "time": Words("Time", "时间"),
    "times": Words("Times", "次数"),
    "to_at": Words("To", "至"),
    "to_seq": Words("Last number", "结束编号"),
    "to_state": Words("To", "新状态"),
    "topic": Words("Topic", "主题"),
    "troubles": Words("Troubles", "故障"),
    "unwatched_s": Words("Unwatched", "未监视"),
    "updated_at": Words("Updated at", "更新时间"),
    "version": Words("Version", "版本"),
    "violation": Words("Violation", "疑似违规"),
    "waiting": Words("Still to come", "待上传"),
    "watched_share": Words("Watched", "监视占比"),
    "what": Words("What", "内容"),
    "why": Words("Why", "原因"),
}

_UNITS = {
    "age_s": "s", "longest_blind_s": "s", "unwatched_s": "s", "share": "percentunit", "benchmark": "percentunit",
    "flood_share": "percentunit", "low": "percentunit", "high": "percentunit", "watched_share": "percentunit", "accuracy_m": "lengthm", "bytes": "bytes",
    "p50": "s", "p95": "s", "accept_p50": "s", "accept_p95": "s",
}  # fmt: skip


def columns(**types: Type) -> tuple[Column, ...]:
    """Columns in the order of the query, with their usual titles and units."""
    return tuple(
        Column(name=name, type=kind, title=TITLES[name], unit=_UNITS.get(name))
        for name, kind in types.items()
    )

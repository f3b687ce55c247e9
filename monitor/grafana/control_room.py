"""The control room's dashboard: what stands now, and whether people can keep up with it."""

from monitor.grafana.panels import Board, Kind, Limit, Panel, Type, Words, columns

_T, _X, _N, _F = Type.TIME, Type.TEXT, Type.COUNT, Type.NUMBER
_BENCHMARK_EN = (
    "Benchmark (ISA-18.2, IEC 62682, EEMUA 191), not a requirement; counted for one operator position"
)
_BENCHMARK_ZH = "基准值（ISA-18.2、IEC 62682、EEMUA 191），并非强制要求；按一个操作席位计"

CONTROL_ROOM = Board(
    uid="hcawatch-control-room",
    title=Words("hcawatch – control room", "hcawatch – 监控中心"),
    about=Words("Running alerts, alert load against benchmarks, false alarms.", "进行中的警情、警情负荷与基准、误报。"),
    since="now-24h",
    panels=(
        Panel(
            query="running_by_level", kind=Kind.BARS, width=6,
            title=Words("Running violations by level (I is the worst)", "进行中的疑似违规（I 级最高）"),
            about=Words("Violations that are not closed.", "尚未关闭的疑似违规。"),
            columns=columns(level=_X, alerts=_N),
        ),
        Panel(
            query="running_by_state", kind=Kind.TABLE, width=6,
            title=Words("Running alerts by state", "进行中的警情（按状态）"),
            about=Words("Violations and health alerts.", "疑似违规与运行异常。"),
            columns=columns(state=_X, kind=_X, alerts=_N),
        ),
        Panel(
            query="standing_stale", kind=Kind.STAT, width=6,
            title=Words("Standing and stale (benchmark: 0, at most 5 stale)", "未结与滞留（基准：0，最多 5）"),
            about=Words(f"Stale: standing over 24 h. {_BENCHMARK_EN}.", f"滞留：超过 24 小时。{_BENCHMARK_ZH}。"),
            columns=columns(standing=_N, stale=_N),
        ),
        Panel(
            query="flood_share", kind=Kind.STAT, width=6,
            title=Words("Ten-minute periods in flood (benchmark: under 1 %)", "洪泛时段占比（基准：低于 1%）"),
            about=Words(f"Share of ten-minute periods with over 10 alerts; limit 5 %. {_BENCHMARK_EN}.",
                        f"10 分钟内超过 10 条警情的时段占比；上限 5%。{_BENCHMARK_ZH}。"),
            columns=columns(flood_share=_F),
            limits=(Limit(value=0.01, colour="orange"), Limit(value=0.05, colour="red")),
        ),
        Panel(
            query="alert_map", kind=Kind.MAP, width=12, height=14,
            title=Words("Where", "位置"),
            about=Words("Running violations, and those of the time shown. WGS84; shifted (GCJ-02) base maps will not fit.",
                        "进行中的以及所示时段内的疑似违规。坐标为 WGS84；与 GCJ-02 底图存在偏移。"),
            columns=columns(latitude=_F, longitude=_F, number=_N, level=_X, state=_X, violation=_X, site_id=_X,
                            camera_id=_X, accuracy_m=_F, opened_at=_T, footage=_X),
        ),
        Panel(
            query="unacknowledged", kind=Kind.TABLE, width=12, height=7,
            title=Words("Unacknowledged, oldest first", "未确认（最早在前）"),
            about=Words("Nobody in the room has acknowledged these.", "监控中心尚无人确认。"),
            columns=columns(number=_N, level=_X, kind=_X, what=_X, subject=_X, opened_at=_T, age_s=_F),
        ),
        Panel(
            query="health_alerts", kind=Kind.TABLE, width=12, height=7,
            title=Words("Health alerts", "运行异常"),
            about=Words("What is wrong with the watching itself.", "监视系统自身的异常。"),
            columns=columns(number=_N, health=_X, subject=_X, state=_X, opened_at=_T, age_s=_F),
        ),
        Panel(
            query="alert_rate_10min", kind=Kind.LINES, as_bars=True, width=12,
            title=Words("Alerts per 10 minutes (benchmark: 1, at most 2)", "每 10 分钟警情数（基准：1，最多 2）"),
            about=Words(f"{_BENCHMARK_EN}.", f"{_BENCHMARK_ZH}。"),
            columns=columns(time=_T, alerts=_N),
            limits=(Limit(value=1, colour="orange"), Limit(value=2, colour="red")),
        ),
        Panel(
            query="alerts_per_day", kind=Kind.LINES, as_bars=True, width=12,
            title=Words("Alerts per day (benchmark: 150, at most 300)", "每日警情数（基准：150，最多 300）"),
            about=Words(f"{_BENCHMARK_EN}. Editions disagree on 144 against 150.", f"{_BENCHMARK_ZH}。各版本有 144 与 150 之别。"),
            columns=columns(time=_T, alerts=_N),
            limits=(Limit(value=150, colour="orange"), Limit(value=300, colour="red")),
        ),
        Panel(
            query="priority_split", kind=Kind.TABLE, width=8,
            title=Words("Priority split (benchmark: 5/15/80)", "优先级分布（基准：5/15/80）"),
            about=Words(f"High: level I, medium: II, low: III and IV. {_BENCHMARK_EN}.",
                        f"高：I 级，中：II 级，低：III、IV 级。{_BENCHMARK_ZH}。"),
            columns=columns(priority=_X, alerts=_N, share=_F, benchmark=_F),
        ),
        Panel(
            query="busiest_sources", kind=Kind.TABLE, width=8,
            title=Words("Ten busiest sources (benchmark: under 5 % together)", "最频繁的十个来源（基准：合计低于 5%）"),
            about=Words(f"{_BENCHMARK_EN}.", f"{_BENCHMARK_ZH}。"),
            columns=columns(subject=_X, alerts=_N, share=_F),
        ),
        Panel(
            query="chattering", kind=Kind.TABLE, width=8,
            title=Words("Chattering (benchmark: none)", "抖动来源（基准：无）"),
            about=Words(f"Three alerts or more within 60 s from one source. {_BENCHMARK_EN}.",
                        f"同一来源 60 秒内三条及以上。{_BENCHMARK_ZH}。"),
            columns=columns(subject=_X, last_at=_T, times=_N),
        ),
        Panel(
            query="false_alarms", kind=Kind.TABLE, width=24,
            title=Words("Monthly false alarms per camera", "每月各摄像机误报"),
            about=Words("Refuted violations; the monthly list that 49 CFR 192.631(e) and 195.446(e) ask control rooms for.",
                        "被否定的疑似违规；即 49 CFR 192.631(e)、195.446(e) 要求的月度清单。"),
            columns=columns(month=_X, camera_id=_X, violation=_X, false_alarms=_N, alerts=_N, share=_F),
        ),
    ),
)  # fmt: skip

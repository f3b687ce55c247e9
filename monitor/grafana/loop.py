"""The loop dashboard: how fast people answer, what the room has to bear, how often cameras are right, who need not go.

The same figures as the console's pages "Figures", "Feedback" and "Visits"; alerts are counted when they rang.
"""

from monitor.grafana.panels import Board, Kind, Limit, Panel, Type, Words, columns

_T, _X, _N, _F = Type.TIME, Type.TEXT, Type.COUNT, Type.NUMBER

LOOP = Board(
    uid="hcawatch-loop",
    title=Words("hcawatch – the loop's figures", "hcawatch – 闭环指标"),
    about=Words("How fast alerts are answered, the room's load, precision, dispatches avoided.",
                "响应用时、监控室负荷、准确率、避免的出动。"),
    since="now-30d",
    panels=(
        Panel(
            query="loop_times_by_level", kind=Kind.TABLE, width=12, height=11,
            title=Words("Time to acknowledge, arrive, cure, by level", "知悉、到达、整改用时（按等级）"),
            about=Words(
                "Acknowledged from ringing, arrived from the first dispatch, cured from the arrival. What did not happen"
                " yet has no time and is counted as standing.",
                "知悉自告警起，到达自首次派单起，整改自到达起计。尚未发生的无用时，计入未结。",
            ),
            columns=columns(level=_X, step=_X, alerts=_N, p50=_F, p95=_F, standing=_N),
        ),
        Panel(
            query="loop_times_by_team", kind=Kind.TABLE, width=12, height=11,
            title=Words("Time to accept, arrive, cure, by team", "接受、到达、整改用时（按班组）"),
            about=Words("Of the dispatches in the time shown.", "所示时段内的派单。"),
            columns=columns(team_id=_X, step=_X, dispatches=_N, p50=_F, p95=_F, standing=_N),
        ),
        Panel(
            query="loop_alarms_10min", kind=Kind.LINES, width=16, as_bars=True,
            title=Words("Alarms per 10 minutes and position, beside the benchmark", "每席位每10分钟告警数与基准"),
            about=Words(
                "What rang. Benchmark of ISA-18.2 and EEMUA 191: 1 on average, 2 at most manageable, over 10 a flood; not a"
                " requirement.",
                "仅计实际告警。基准（ISA-18.2、EEMUA 191）：平均1条，可承受2条，超过10条为洪泛；非强制要求。",
            ),
            columns=columns(time=_T, per_position=_F),
            limits=(Limit(value=1, colour="yellow"), Limit(value=2, colour="orange"), Limit(value=10, colour="red")),
        ),
        Panel(
            query="loop_flood_share", kind=Kind.STAT, width=8,
            title=Words("Share in flood, benchmark below 1 %", "洪泛时段占比，基准低于1%"),
            about=Words(
                "Ten minutes with more than ten alarms a position, and the most that rang in ten minutes. Benchmark of"
                " ISA-18.2, not a requirement.",
                "每席位10分钟超过10条的时段占比，以及10分钟内最多告警数。ISA-18.2 基准，非强制要求。",
            ),
            columns=columns(flood_share=_F, most_10min=_N),
        ),
        Panel(
            query="loop_busiest", kind=Kind.TABLE, width=12, height=9,
            title=Words("Ten busiest sources", "告警最多的十个来源"),
            about=Words("What rang most: look there first for a cause that can be mended.", "告警最多者，宜先查明可消除的原因。"),
            columns=columns(subject=_X, alerts=_N, share=_F, last_at=_T),
        ),
        Panel(
            query="loop_avoided", kind=Kind.BARS, width=12, height=9,
            title=Words("Dispatches avoided, by reason", "避免的出动（按原因）"),
            about=Words(
                "Covered by a permit, joined to a case that somebody went to, refuted before anybody left, taken along by"
                " another visit, kept by a supervision rule.",
                "许可覆盖、并入已出动的案件、出动前否定、顺带核查、按监管规则。",
            ),
            columns=columns(reason=_X, dispatches=_N),
        ),
        Panel(
            query="loop_precision", kind=Kind.TABLE, width=24, height=12,
            title=Words("Precision by camera and rule, week by week", "各摄像机与规则的准确率（按周）"),
            about=Words(
                "Right among those that a person judged, with the interval in which the true share lies at 95 %. Lawful work"
                " and what nobody judged are not counted.",
                "经人工判定者中属实的占比及95%置信区间。合法作业与未判定者不计。",
            ),
            columns=columns(week=_X, camera_id=_X, rule_id=_X, right_n=_N, false_alarms=_N, share=_F, low=_F, high=_F),
        ),
    ),
)  # fmt: skip

"""The response dashboard: how fast alerts are answered, who is on the way, how cases end."""

from monitor.grafana.panels import Board, Kind, Panel, Type, Words, columns

_T, _X, _N, _F = Type.TIME, Type.TEXT, Type.COUNT, Type.NUMBER

RESPONSE = Board(
    uid="hcawatch-response",
    title=Words("hcawatch – response", "hcawatch – 处置"),
    about=Words("Times to each step, dispatches, endings.", "各步骤用时、派单、结案。"),
    since="now-7d",
    panels=(
        Panel(
            query="times_to", kind=Kind.TABLE, width=12,
            title=Words("Time to acknowledge, dispatch, arrive, resolve", "确认、派单、到达、处置用时"),
            about=Words("From the opening of a violation's alert.", "自警情发生起计。"),
            columns=columns(step=_X, alerts=_N, p50=_F, p95=_F),
        ),
        Panel(
            query="onset_to_dispatch", kind=Kind.LINES, width=12,
            title=Words("From onset to dispatch", "从发生到派单"),
            about=Words("From the first picture of the violation to the first dispatch, per hour.", "从违规的第一帧画面到首次派单，按小时。"),
            columns=columns(time=_T, p50=_F, p95=_F),
        ),
        Panel(
            query="dispatches_running", kind=Kind.TABLE, width=24,
            title=Words("Dispatches running", "进行中的派单"),
            about=Words("Who is on the way, oldest first.", "在途人员，最早在前。"),
            columns=columns(number=_N, level=_X, state=_X, violation=_X, site_id=_X, team_id=_X, officer=_X,
                            dispatched_at=_T, accepted_at=_T, age_s=_F),
        ),
        Panel(
            query="dispatches_by_team", kind=Kind.TABLE, width=12,
            title=Words("Dispatches by team", "各班组派单"),
            about=Words("And how long until somebody accepted.", "以及接受用时。"),
            columns=columns(team_id=_X, dispatches=_N, accepted=_N, accept_p50=_F, accept_p95=_F),
        ),
        Panel(
            query="closing_reasons", kind=Kind.BARS, width=12,
            title=Words("How cases ended", "结案原因"),
            about=Words("Violations closed in the time shown.", "所示时段内关闭的疑似违规。"),
            columns=columns(reason=_X, alerts=_N),
        ),
        Panel(
            query="visits_avoided", kind=Kind.STAT, width=24, height=5,
            title=Words("Visits made unnecessary", "避免的出动"),
            about=Words("By joining episodes to a running alert, by permits, and by dismissing before anybody was sent.",
                        "因并入进行中的警情、许可覆盖或派单前排除而避免。"),
            columns=columns(joined=_N, permitted=_N, dismissed=_N),
        ),
        Panel(
            query="steps", kind=Kind.TABLE, width=24, height=10,
            title=Words("Newest steps", "最新步骤"),
            about=Words("Each step with who, when and why.", "每一步的人员、时间与原因。"),
            columns=columns(at=_T, number=_N, step=_X, from_state=_X, to_state=_X, actor=_X, role=_X, reason=_X),
        ),
    ),
)  # fmt: skip

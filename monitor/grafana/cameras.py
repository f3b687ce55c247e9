"""The cameras' dashboard: what was truly watched, and whether every number and picture arrived."""

from monitor.grafana.panels import Board, Kind, Limit, Panel, Type, Words, columns

_T, _X, _N, _F, _B = Type.TIME, Type.TEXT, Type.COUNT, Type.NUMBER, Type.TRUTH

CAMERAS = Board(
    uid="hcawatch-cameras",
    title=Words("hcawatch – cameras and coverage", "hcawatch – 摄像机与覆盖"),
    about=Words("Camera states, watched share, receipts, evidence.", "摄像机状态、监视占比、回执、证据。"),
    since="now-24h",
    panels=(
        Panel(
            query="camera_states", kind=Kind.STATES, width=24, height=10,
            title=Words("Camera states", "摄像机状态"),
            about=Words("Only 'streaming' counts as watching.", "仅“streaming”计为监视。"),
            columns=columns(time=_T, camera_id=_X, state=_X),
        ),
        Panel(
            query="cameras_now", kind=Kind.TABLE, width=12,
            title=Words("Cameras now", "摄像机当前状态"),
            about=Words("Those that don't stream first.", "异常者在前。"),
            columns=columns(camera_id=_X, edge_id=_X, state=_X, reason=_X, since=_T, age_s=_F),
        ),
        Panel(
            query="edges_online", kind=Kind.TABLE, width=12,
            title=Words("Edges", "边缘节点"),
            about=Words("Alive or gone, and what waits there.", "在线情况与待传内容。"),
            columns=columns(edge_id=_X, online=_B, updated_at=_T, queue_depth=_N, evidence_pending=_N, version=_X,
                            config_version=_X, disk_free_mb=_N, troubles=_X),
        ),
        Panel(
            query="watched_share", kind=Kind.LINES, width=12,
            title=Words("Watched share per camera and hour", "各摄像机每小时监视占比"),
            about=Words("Decoded, picture usable, looked at every few seconds. A minute without a record counts as unwatched.",
                        "已解码、画面可用且每隔数秒分析一次。没有记录的分钟计为未监视。"),
            columns=columns(time=_T, metric=_X, watched_share=_F),
            limits=(Limit(value=0.99, colour="green"),),
        ),
        Panel(
            query="unwatched_minutes", kind=Kind.TABLE, width=12,
            title=Words("Unwatched minutes", "未监视的分钟"),
            about=Words("Minutes of which more than a second was not watched, with the reason.", "超过一秒未监视的分钟及原因。"),
            columns=columns(minute=_T, camera_id=_X, unwatched_s=_F, longest_blind_s=_F, looks=_N, why=_X),
        ),
        Panel(
            query="frames_and_looks", kind=Kind.LINES, width=12,
            title=Words("Frames, looks and detector runs per minute", "每分钟帧数、分析与检测次数"),
            about=Words("All cameras together.", "全部摄像机合计。"),
            columns=columns(time=_T, frames=_F, looks=_F, detector_runs=_F),
        ),
        Panel(
            query="way_of_events", kind=Kind.LINES, width=12,
            title=Words("From picture to database", "从画面到入库"),
            about=Words("Seconds; after an outage the backlog shows here.", "秒；断网恢复后的积压会在此显现。"),
            columns=columns(time=_T, p50=_F, p95=_F),
        ),
        Panel(
            query="receipts", kind=Kind.TABLE, width=12,
            title=Words("Receipts: numbered against stored", "回执：已编号与已存储"),
            about=Words("Every edge numbers its messages without gaps; missing ones are alarmed.", "边缘节点连续编号；缺失即报警。"),
            columns=columns(edge_id=_X, epoch=_X, numbered=_N, stored=_N, missing=_N, updated_at=_T),
        ),
        Panel(
            query="gaps", kind=Kind.TABLE, width=12,
            title=Words("Gaps that stand", "现存缺口"),
            about=Words("Holes in the numbers.", "编号中的缺口。"),
            columns=columns(edge_id=_X, epoch=_X, from_seq=_N, to_seq=_N, numbers=_N, first_seen_at=_T, reported=_B),
        ),
        Panel(
            query="dead_letters", kind=Kind.TABLE, width=12,
            title=Words("Dead letters", "死信"),
            about=Words("Messages that can't be read; counted, kept, alarmed.", "无法解析的消息；已计数、保留并报警。"),
            columns=columns(received_at=_T, topic=_X, edge_id=_X, seq=_N, reason=_X, bytes=_N),
        ),
        Panel(
            query="losses", kind=Kind.TABLE, width=12,
            title=Words("Losses that edges told of", "边缘节点上报的丢失"),
            about=Words("What was named and had to be thrown away.", "已声明但不得不丢弃的内容。"),
            columns=columns(stored_at=_T, edge_id=_X, what=_X, count=_N, reason=_X, from_at=_T, to_at=_T),
        ),
        Panel(
            query="evidence_flow", kind=Kind.LINES, as_bars=True, width=24,
            title=Words("Evidence: announced against stored", "证据：已声明与已存储"),
            about=Words("By hour of the announcement.", "按声明的小时统计。"),
            columns=columns(time=_T, announced=_F, stored=_F, lost=_F, waiting=_F),
        ),
    ),
)  # fmt: skip

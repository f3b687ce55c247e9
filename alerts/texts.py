"""What people read about alerts, in English and 简体中文, by key. A test holds it complete.

Titles of violations are the catalogue's (monitor.domain.violations).
"""

from alerts.values import Alert
from monitor.domain.assets import Text
from monitor.domain.violations import CATALOGUE, LAW


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


HEALTH: dict[str, Text] = {
    "camera_not_watching": _t("A camera is not watching", "摄像机未在有效监视"),
    "edge_offline": _t("An edge worker is offline", "边缘设备离线"),
    "number_gap": _t("Numbered messages are missing", "编号消息缺失"),
    "dead_letter": _t("A message could not be used", "收到无法使用的消息"),
    "same_number_other_hash": _t("The same number came with other content", "同一编号出现不同内容"),
    "loss": _t("An edge had to throw something away", "边缘设备被迫丢弃数据"),
    "evidence_overdue": _t("Announced evidence did not arrive", "已登记的证据未按时送达"),
    "nobody_answered": _t("Everybody was told and nobody answered", "已逐级通知，无人响应"),
    "nobody_to_dispatch": _t("Nobody can be dispatched", "无可派遣人员"),
    "undeliverable": _t("A message could not be delivered", "消息无法送达"),
    "work_failed": _t("A report could not be processed", "上报内容无法处理"),
    "device_silent": _t("A GB/T 28181 device is silent", "国标设备失联"),
    "device_refused": _t("A GB/T 28181 device is refused again and again", "国标设备多次被拒绝接入"),
}

STATES: dict[str, Text] = {
    "open": _t("open", "待处置"),
    "dispatched": _t("dispatched", "已派遣"),
    "accepted": _t("accepted", "已接受"),
    "en_route": _t("on the way", "在途"),
    "on_site": _t("on site", "已到场"),
    "evidence_collected": _t("evidence collected", "已取证"),
    "resolved": _t("resolved", "已处置"),
    "verified": _t("verified", "已核实"),
    "dismissed": _t("dismissed", "已排除"),
    "supervised": _t("lawful work, supervised", "许可作业，已备案监管"),
    "acknowledged": _t("acknowledged", "已确认知悉"),
    "cleared": _t("cleared", "已恢复"),
}

STEPS: dict[str, Text] = {
    "acknowledge": _t("acknowledge", "知悉"),
    "confirm": _t("confirm", "确认违规"),
    "refute": _t("refute", "否定"),
    "dispatch": _t("dispatch", "派遣"),
    "accept": _t("accept", "接受"),
    "decline": _t("decline", "拒绝"),
    "depart": _t("depart", "出发"),
    "arrive": _t("arrive", "到场"),
    "collect": _t("collect evidence", "取证"),
    "resolve": _t("resolve", "处置完成"),
    "verify": _t("verify", "核实"),
    "reopen": _t("reopen", "重新打开"),
    "recall": _t("recall", "召回"),
    "go_dark": _t("went dark", "失联"),
    "hand_over": _t("hand over", "交接"),
    "dismiss": _t("dismiss", "排除"),
    "supervise": _t("supervise", "转为监管"),
    "clear": _t("clear", "恢复"),
    "open": _t("opened", "生成告警"),
    "join": _t("joined", "并入"),
    "rise": _t("level rose", "等级升高"),
    "fall": _t("level fell", "等级降低"),
    "note": _t("note", "记录"),
    "escalate": _t("escalated", "逐级上报"),
    "hold": _t("kept from ringing", "暂不告警"),
    "ring": _t("rings", "开始告警"),
}

REASONS: dict[str, Text] = {
    "new_place": _t("no running alert at this place", "该处无进行中的告警"),
    "after_closing": _t("again after the last alert was closed", "上次告警关闭后再次出现"),
    "worse_after_closing": _t("got worse after the alert was closed", "告警关闭后情况加重"),
    "outside_permit": _t("goes on outside its permit", "超出许可范围继续作业"),
    "same_place": _t("within 50 m on the same side", "同侧50米范围内"),
    "same_picture_zone": _t("same camera and zone of the picture", "同一摄像机画面区域"),
    "graded_worse": _t("graded worse", "评级升高"),
    "permit_registered": _t("a permit was registered", "已登记许可"),
    "condition_ended": _t("no longer seen", "现象消失"),
    "condition_resumed": _t("seen again", "现象再次出现"),
    "permit_covers": _t("covered by a permit", "在许可范围内"),
    "level_i_at_once": _t("level I is dispatched at once", "I级立即派遣"),
    "level_ii_unrefuted": _t("level II, not refuted within two minutes", "II级两分钟内未被否定"),
    "confirmed": _t("confirmed by the control room", "监控中心已确认"),
    "seen_on_site": _t("seen on site by a patrol or an officer", "巡护或执法人员现场看到"),
    "sent_by_room": _t("sent by the control room", "监控中心派遣"),
    "reopened": _t("reopened by a supervisor", "主管重新打开"),
    "after_decline": _t("the officer before declined", "前一执法人员拒绝"),
    "after_dark": _t("the officer before did not answer", "前一执法人员未响应"),
    "accept_overdue": _t("not accepted in time", "超时未接受"),
    "depart_overdue": _t("did not leave in time", "超时未出发"),
    "after_hand_over": _t("takes over", "接替"),
    "same_visit": _t("taken along: the officer is at the site", "顺带核查：人员已在该点位"),
    "visit_over": _t("the visit was over before it was begun", "到访结束时尚未开始核查"),
    "sooner_by_rule": _t("sent without waiting, by a supervision rule", "按监管规则直接派遣"),
    "kept_by_rule": _t("kept from being sent to, by a supervision rule", "按监管规则暂不派遣"),
    "kept_remote": _t(
        "confirmed by the picture, nobody is sent, by a supervision rule", "按监管规则看图确认，不派人"
    ),
    "kept_for_visit": _t(
        "kept for the next visit of the site, by a supervision rule", "按监管规则留待下次到访"
    ),
    "kept_long_enough": _t("the supervision rule's days are over", "监管规则的期限已到"),
    "shift_ended": _t("the officer's shift ended", "执勤人员班次结束"),
    "shift_ended_under_way": _t(
        "the officer's shift ended while under way: relieve them or let them finish",
        "执勤人员班次结束但任务进行中：请安排接替或由其完成",
    ),
    "nobody_follows": _t(
        "the officer's shift ended and nobody else can be sent: the officer keeps it",
        "执勤人员班次结束但无人接替，由其继续",
    ),
    "handed_over_by_room": _t("handed over by the control room", "监控中心安排交接"),
    "acknowledge_overdue": _t("not acknowledged in time", "超时未知悉"),
    "arrive_overdue": _t("not on site in time", "超时未到场"),
    "cure_overdue": _t("not put right in time", "超时未处置"),
    "verify_overdue": _t("not verified in time", "超时未核实"),
    "nobody_answered": _t("everybody on the list was told and nobody answered", "已逐级通知，无人响应"),
    "problem_began": _t("the problem began", "问题出现"),
    "problem_changed": _t("the problem changed", "问题变化"),
    "problem_over": _t("the problem is over", "问题解除"),
    "shelved": _t("shelved", "已搁置"),
    "inhibited": _t("inhibited: its camera cannot be trusted just now", "已抑制：摄像机画面当前不可信"),
    "shelf_ended": _t("the shelf ended and it is still there", "搁置到期，现象仍在"),
    "gone_while_shelved": _t("came and went while shelved: please look", "搁置期间出现并消失，请查看"),
    "nothing_holds": _t("seen again, and nothing keeps it from ringing", "再次出现，且无搁置或抑制"),
    "flapping": _t("lost and back too often: held as one alert", "反复中断与恢复，合并为一条告警"),
    "stayed_back": _t("stayed well for a while", "已持续恢复一段时间"),
    "by_hand": _t("by hand", "人工"),
    "arrived": _t("at the place", "已到现场"),
    "arrived_far": _t("further than 300 m from the place", "距现场超过300米"),
    "arrived_without_position": _t("without a position", "无定位"),
    "arrived_place_unknown": _t("the alert has no position to compare", "告警无位置可比对"),
    # choice of the officer
    "nearest_free": _t("nearest free officer", "最近的空闲人员"),
    "least_loaded": _t("everybody is busy: the least loaded", "均在执行任务，选任务最少者"),
    "skilled": _t("has the skill that is asked for", "具备所需技能"),
    "on_call": _t("nobody on shift who answers: on call", "当班无人响应，由备勤人员出动"),
    "asked_again": _t("nobody else covers the site: asked again", "无其他人员负责该处，再次通知"),
    "nobody_covers": _t("no team covers the site", "无班组负责该处"),
    "all_at_limit": _t("everybody has as many dispatches as allowed", "所有人员任务已满"),
    "nobody_on_shift": _t("nobody is on shift or on call", "无人当班或备勤"),
    "all_declined": _t("everybody declined", "所有人员均拒绝"),
    # ends of a dispatch
    "resolved": _t("resolved", "已处置"),
    "declined": _t("declined", "已拒绝"),
    "recalled": _t("recalled", "已召回"),
    "went_dark": _t("did not answer", "未响应"),
    "handed_over": _t("handed over", "已交接"),
    "dismissed": _t("alert dismissed", "告警已排除"),
    # why an edge had to throw something away
    "damaged_or_missing": _t("damaged on the edge's disk, or gone", "边缘设备磁盘上的文件损坏或丢失"),
    "disk_share": _t("more waited than its share of the edge's disk holds", "待传证据超出边缘设备磁盘配额"),
    "disk_full": _t("the edge's disk was full", "边缘设备磁盘已满"),
    "outbox_full": _t("the edge's disk was full to the last", "边缘设备磁盘完全写满"),
    # outcomes
    "rectified": _t("confirmed and rectified", "属实，已整改"),
    "referred": _t("referred to enforcement", "移送执法"),
    "permitted_work": _t("permitted work", "许可作业"),
    "false_alarm": _t("false alarm", "误报"),
    "duplicate": _t("duplicate", "重复"),
    "no_access": _t("no access", "无法进入"),
    # reasons of a grade
    "violation": _t("kind of violation", "违规类型"),
    "within_band": _t("inside the article's distance", "在法定距离内"),
    "may_lie_within": _t("may lie inside the distance: measure on site", "可能在法定距离内，请现场测量"),
    "hca_grade": _t("grade of the high-consequence area", "高后果区等级"),
    "activity": _t("activity", "活动状态"),
    "long_dwell": _t("stays long", "停留时间长"),
    "night": _t("at night, by the sun", "夜间（按太阳高度）"),
    "repeat": _t("repeat offence", "屡次违规"),
    "permit": _t("permit", "许可"),
    "permit_not_known_to_law": _t(
        "permit shown; the law knows none for this", "有许可，但法律未规定此类许可"
    ),
    "permit_outside_time": _t("outside the dates of its permit", "超出许可期限"),
    "permit_outside_hours": _t("outside the daily hours of its permit", "超出许可的每日作业时段"),
    "permit_outside_place": _t("outside the place of its permit", "超出许可地点"),
    "permit_outside_offset": _t(
        "outside the strip beside the pipe that its permit names", "超出许可的管道旁侧范围"
    ),
    "permit_outside_kind": _t("another kind of work than its permit names", "作业类型与许可不符"),
    "permit_outside_activity": _t("does more than its permit allows", "作业活动超出许可"),
    "permit_outside_machine": _t("a machine that its permit does not name", "机械类型不在许可内"),
    "permit_added": _t("numbers of machines added up with this permit", "与此许可的机械数量合并计算"),
    "permit_too_many_machines": _t(
        "more machines at once than its permit allows", "同时作业机械数量超出许可"
    ),
    "permit_not_approved": _t("its permit is asked for and not approved", "许可已申请，尚未批准"),
    "permit_refused": _t("its permit was refused", "许可已被拒绝"),
    "permit_withdrawn": _t("its permit was withdrawn", "许可已被撤销"),
    "not_in_catalogue": _t("not in the catalogue: the edge's own level", "目录中无此类型，采用边缘等级"),
    "unknown_site": _t("unknown site: the worst grade is assumed", "未知区段，按最高等级处理"),
    # reasons of a grade that a report or a device's alarm has
    "by_report": _t("said by a person: no camera measured it", "人员报告，未经摄像机测量"),
    "by_device": _t("said by the device: no measurement of ours", "设备报警，未经本系统测量"),
    "said_within": _t("said to lie inside the article's distance", "据报在法定距离内"),
    "said_outside": _t("the place that is named lies outside the article's distance", "所报位置在法定距离外"),
    "outside_hca": _t(
        "outside every high-consequence area: graded as the nearest", "不在高后果区内，按最近区段评级"
    ),
    # what is wrong with a camera or an edge
    "camera_stalled": _t("no new pictures", "画面停滞"),
    "camera_frozen": _t("the picture is frozen", "画面冻结"),
    "camera_obscured": _t("the picture is covered", "画面被遮挡"),
    "camera_blurred": _t("the picture is blurred", "画面模糊"),
    "camera_dark": _t("the picture is dark", "画面过暗"),
    "camera_overexposed": _t("the picture is overexposed", "画面过曝"),
    "camera_moved": _t("the camera was moved", "摄像机被移动"),
    "camera_ended": _t("the stream ended", "视频流结束"),
    "camera_unreachable": _t("the camera cannot be reached", "摄像机无法连接"),
    "camera_blocked": _t("the address is outside the allowed networks", "地址不在允许的网络内"),
    "camera_unanalysed": _t("its pictures come, but nothing analyses them", "画面正常，但未被分析"),
    "edge_offline": _t("the edge is offline", "边缘设备离线"),
    "numbers_missing": _t("missing numbers", "缺失编号"),
    "dead_letter": _t("unusable message", "无法使用的消息"),
    "loss": _t("thrown away", "被丢弃"),
    "same_number_other_hash": _t("same number, other hash", "编号相同、哈希不同"),
    "evidence_overdue": _t("announced ten minutes ago, not stored", "登记十分钟后仍未存储"),
    "undeliverable": _t("no channel could deliver it", "所有渠道均无法送达"),
    "work_failed": _t("could not be processed", "无法处理"),
    "device_silent": _t("no registration and no keepalive", "未注册且无心跳"),
    "device_refused": _t("refused", "被拒绝"),
}


def title(alert: Alert) -> Text:
    """The alert's headline: what is suspected, or what is wrong."""
    return title_of(alert.violation or alert.health or "", is_health=alert.health is not None)


def title_of(what: str, *, is_health: bool) -> Text:
    """The same by the catalogue's code, or by what is wrong."""
    if is_health:
        return HEALTH.get(what, _t(what, what))
    row = CATALOGUE.get(what)
    return dict(row.title) if row else _t(what, what)


def article(alert: Alert) -> Text | None:
    """The legal article and the one that names the penalty; None for health alerts and what no article names."""
    return article_of(alert.violation or "")


def article_of(violation: str) -> Text | None:
    """The same by the catalogue's code."""
    row = CATALOGUE.get(violation)
    if row is None or not row.article:
        return None
    return {
        "en": f"{LAW['en']}, Article {row.article}; penalty: Article {row.penalty}",
        "zh": f"{LAW['zh']}第{_zh_article(row.article)}；罚则：第{row.penalty}条",
    }


def _zh_article(number: str) -> str:
    """'30(2)' as 30条第2项.

    >>> _zh_article("30(2)")
    '30条第2项'
    """
    head, _, tail = number.partition("(")
    return f"{head}条" + (f"第{tail.rstrip(')')}项" if tail else "")

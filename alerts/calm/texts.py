"""What people read about shelves, inhibition and floods, in English and 简体中文, by key. A test holds it complete."""

from monitor.domain.assets import Text


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


WORDS: dict[str, Text] = {
    "title": _t("Shelves", "搁置"),
    "lead": _t(
        "A source that rings without need can be kept from ringing for a while. All it brings is still stored and graded;"
        " level I always rings.",
        "可将无需打扰的来源暂时搁置。其内容照常存储与评级；I级始终告警。",
    ),
    "new": _t("Shelve a source", "搁置一个来源"),
    "new_alert": _t("Shelve alert #{number}", "搁置告警 #{number}"),
    "shelve": _t("Shelve", "搁置"),
    "shelve_camera": _t("shelve", "搁置"),
    "scope": _t("What", "范围"),
    "camera": _t("Camera", "摄像机"),
    "violation": _t("Only this violation", "仅此类违规"),
    "violation_all": _t("all that it suspects, and that it does not watch", "其全部疑似违规及失去监视告警"),
    "worst": _t("Up to level", "最高等级"),
    "worst_II": _t("II, III and IV ({hours} h at most)", "II、III、IV级（最长{hours}小时）"),
    "worst_III": _t("III and IV ({hours} h at most)", "III、IV级（最长{hours}小时）"),
    "worst_IV": _t("IV only ({hours} h at most)", "仅IV级（最长{hours}小时）"),
    "worst_alert": _t("level {level}, {hours} h at most", "{level}级，最长{hours}小时"),
    "until": _t("Until", "截止"),
    "reason": _t("Why", "原因"),
    "reason_maintenance": _t("maintenance", "检修"),
    "reason_nuisance": _t("rings without cause; being mended", "无故告警，正在处理"),
    "reason_dealt_with": _t("dealt with in another way", "已另行处理"),
    "reason_exercise": _t("exercise", "演练"),
    "reason_other": _t("other", "其他"),
    "note": _t("What it is about (others read it)", "说明（他人可见）"),
    "running": _t("Shelved now", "当前搁置"),
    "none": _t("Nothing is shelved.", "当前无搁置。"),
    "by": _t("by {name}, {at}", "{name}，{at}"),
    "ends": _t("until {at}", "至 {at}"),
    "end_now": _t("End it", "结束搁置"),
    "end_note": _t("Why it ends (optional)", "结束原因（可不填）"),
    "holds": _t("{n} kept from ringing", "暂不告警 {n} 条"),
    "ended": _t("Ended lately, and what came meanwhile", "近期结束的搁置及期间情况"),
    "ended_due": _t("ended {at}, when it was due", "{at} 到期结束"),
    "ended_by_hand": _t("ended {at} by {name}", "{at} 由 {name} 结束"),
    "came_none": _t("nothing came", "期间无告警"),
    "one_alert": _t("one alert of {name}", "{name} 的一条告警"),
    "left_rings": _t("{n} still there, ring now: {which}", "{n} 条仍在，现已告警：{which}"),
    "left_gone": _t("{n} came and went, please look: {which}", "{n} 条出现后消失，请查看：{which}"),
    "left_held": _t("{n} held by something else: {which}", "{n} 条因其他原因仍不告警：{which}"),
    "left_closed": _t("{n} closed meanwhile: {which}", "{n} 条已关闭：{which}"),
    "left_nothing": _t("nothing came while it stood", "搁置期间无告警"),
    # on an alert and in the console
    "held_shelf": _t("shelved", "已搁置"),
    "held_inhibited": _t("inhibited", "已抑制"),
    "held_shelf_over": _t("came while shelved: look", "搁置期间出现，请查看"),
    "held_title": _t("Kept from ringing", "暂不告警"),
    "held_about": _t(
        "Stored and graded, but nobody is sent or rung. It rings when it gets worse (level I), or is seen again and"
        " nothing holds it.",
        "照常存储与评级，但不派遣、不通知。升为I级，或再次出现且无搁置、抑制时即告警。",
    ),
    "held_until": _t("until {at}", "至 {at}"),
    "list_held": _t("Kept from ringing ({n})", "暂不告警（{n}）"),
    "link": _t("Shelves", "搁置"),
    "link_count": _t("{n} shelved", "搁置 {n}"),
    "came_back": _t("came and went {n} more times", "又反复 {n} 次"),
    "flapping": _t("flaps: clears once it stays well", "反复中断：持续恢复后才解除"),
    "flood": _t(
        "Flood: {n} alerts in 10 minutes (over {above}); {all} run now.",
        "警情洪泛：10分钟内 {n} 条（超过 {above} 条），当前共 {all} 条。",
    ),
    "flood_grouped": _t(
        "Grouped by place and kind; every alert is counted.", "已按区段与类别分组，每条均已计数。"
    ),
    "flood_group": _t("grouped", "分组"),
    "flood_single": _t("one by one", "逐条"),
    "flood_view": _t("Show the list", "列表显示"),
    "group_oldest": _t("oldest {age}", "最早 {age}"),
    "group_unacknowledged": _t("{n} unacknowledged", "{n} 条未知悉"),
    "group_elsewhere": _t("without a place", "无区段"),
}

#: why something is not shelved; under the family `error`
PROBLEMS: dict[str, Text] = {
    "shelf_unknown": _t("There is no such shelf.", "无此搁置。"),
    "shelf_needs_note": _t("Say what it is about, in 3 to {most} characters.", "请用3至{most}个字符说明原因。"),
    "shelf_no_alert": _t("There is no such alert.", "无此告警。"),
    "shelf_no_camera": _t("There is no such camera.", "无此摄像机。"),
    "shelf_no_rule": _t("There is no such violation in the catalogue.", "目录中无此违规类型。"),
    "shelf_never_red": _t("Level I is never shelved.", "I级不可搁置。"),
    "shelf_level": _t("Your role may not shelve level {level}.", "您的角色不可搁置{level}级。"),
    "shelf_until": _t(
        "The end must lie ahead, and level {level} is shelved for {hours} hours at most.",
        "截止时间须在将来，{level}级最长搁置{hours}小时。",
    ),
    "shelf_stands_already": _t("This source is shelved already; end that shelf first.", "该来源已被搁置，请先结束原搁置。"),
    "shelf_alert_closed": _t("This alert is closed.", "该告警已关闭。"),
    "shelf_alert_under_way": _t(
        "Somebody is on the way to this alert; recall them first.", "已有人员在途，请先召回。"
    ),
    "shelf_is_over": _t("This shelf is over already.", "该搁置已结束。"),
    "shelf_bad_time": _t("A time is written 2026-11-30T14:00.", "时间写作 2026-11-30T14:00。"),
}  # fmt: skip

"""What people read about the figures, in English and 简体中文, by key. A test holds it complete."""

from monitor.domain.assets import Text


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


WORDS: dict[str, Text] = {
    "title": _t("Figures of the loop", "处置闭环指标"),
    "lead": _t(
        "How fast alerts are answered, and what the room has to bear. What was shelved, inhibited or is lawful work"
        " rang for nobody and is not counted.",
        "警情响应速度与监控席位负荷。搁置、抑制及许可作业不打扰任何人，不计入。",
    ),
    "nav": _t("Figures", "指标"),
    "period": _t("Period", "时段"),
    "period_24h": _t("24 hours", "24小时"),
    "period_7d": _t("7 days", "7天"),
    "period_30d": _t("30 days", "30天"),
    "period_90d": _t("90 days", "90天"),
    "from": _t("From", "自"),
    "to": _t("To (that day included)", "至（含当日）"),
    "show": _t("Show", "查看"),
    "span": _t("{begin} to {end}", "{begin} 至 {end}"),
    "csv": _t("CSV", "CSV 下载"),
    "month_link": _t("Monthly list of points", "监视点月报"),
    "load": _t("Load of one operator position", "单个操作席位的负荷"),
    "load_about": _t(
        "{alarms} alarms, {positions} operator position(s). Benchmarks of ISA-18.2, IEC 62682 and EEMUA 191: a benchmark,"
        " not a requirement; editions disagree on 150 against 144 a day.",
        "共 {alarms} 条警情，{positions} 个操作席位。基准取自 ISA-18.2、IEC 62682、EEMUA 191：仅为基准，并非强制要求；"
        "各版本对每日 150 或 144 条说法不一。",
    ),
    "figure": _t("Figure", "指标"),
    "value": _t("Value", "数值"),
    "target": _t("Benchmark: target", "基准：目标"),
    "limit": _t("Benchmark: limit", "基准：上限"),
    "stands_within": _t("within", "达标"),
    "stands_above_target": _t("above the target", "超过目标"),
    "stands_above_limit": _t("above the limit", "超过上限"),
    "at_most": _t("{value} at most", "至多 {value}"),
    "about": _t("about {value}", "约 {value}"),
    "per_day": _t("Alarms per day", "每日警情数"),
    "per_10min": _t("Alarms per 10 minutes, mean", "每10分钟警情数（平均）"),
    "peak_10min": _t("Alarms per 10 minutes, peak", "每10分钟警情数（峰值）"),
    "flood_share": _t("Ten-minute periods in flood (over 10)", "洪泛时段占比（10分钟超过10条）"),
    "standing": _t("Standing now", "当前未结"),
    "stale": _t("Stale: standing over 24 h", "滞留：超过24小时"),
    "chattering": _t("Chattering sources (3 in 60 s)", "抖动来源（60秒内3次）"),
    "priority_high": _t("Share of high priority (level I)", "高优先级占比（I级）"),
    "priority_medium": _t("Share of medium priority (level II)", "中优先级占比（II级）"),
    "priority_low": _t("Share of low priority (III and IV)", "低优先级占比（III、IV级）"),
    "busiest_share": _t("Share of the ten busiest sources", "最频繁十个来源占比"),
    "busiest_note": _t(
        "Under 5 % is out of reach with fewer than 200 sources.", "来源少于200个时，5%的基准无法达到。"
    ),
    "unacknowledged": _t("Unacknowledged", "未知悉"),
    "oldest_unacknowledged": _t("Oldest unacknowledged", "最久未知悉"),
    "levels": _t("Times by level", "各等级用时"),
    "levels_about": _t(
        "Acknowledged from the opening, arrived from the first dispatch, put right from the arrival. Waiting: begun,"
        " not done yet, so in no percentile.",
        "知悉自生成起计，到场自首次派遣起计，处置自到场起计。“等待”指已开始而未完成，不计入百分位。",
    ),
    "teams": _t("Times by team", "各班组用时"),
    "teams_about": _t(
        "Of each dispatch; late is counted against the team's own limit at that level.",
        "按每次派遣统计；超时按该班组在该等级的时限计。",
    ),
    "level": _t("Level", "等级"),
    "team": _t("Team", "班组"),
    "alerts": _t("Alerts", "警情"),
    "dispatches": _t("Dispatches", "派遣"),
    "took_acknowledge": _t("Acknowledged", "知悉"),
    "took_accept": _t("Accepted", "接受"),
    "took_arrive": _t("Arrived", "到场"),
    "took_cure": _t("Put right", "处置"),
    "p50_p95": _t("p50 · p95", "p50 · p95"),
    "n": _t("{n} measured", "已计 {n}"),
    "late": _t("{n} late", "{n} 超时"),
    "waiting": _t("{n} waiting", "{n} 等待"),
    "nothing": _t("none", "无"),
    "busiest": _t("Ten busiest sources", "最频繁的十个来源"),
    "chattering_list": _t("Chattering", "抖动来源"),
    "unacknowledged_list": _t("Unacknowledged, oldest first", "未知悉（最早在前）"),
    "source": _t("Source", "来源"),
    "times": _t("Times", "次数"),
    "share": _t("Share", "占比"),
    "age": _t("Age", "已持续"),
    "more": _t("and {n} more", "另有 {n} 条"),
    # the monthly list
    "month_title": _t("Monthly list of points", "监视点月报"),
    "month_lead": _t(
        "Points that were off-scan, kept from ringing, or gave false alarms, after 49 CFR 192.631(e) and 195.446(e)."
        " Nothing can be forced by hand in this system.",
        "月内失去监视、被搁置或抑制、产生误报的监视点，参照 49 CFR 192.631(e)、195.446(e)。本系统不存在人工强制值。",
    ),
    "month": _t("Month", "月份"),
    "month_running": _t("this month is not over", "本月尚未结束"),
    "month_made": _t("made {at}", "生成于 {at}"),
    "point": _t("Point", "监视点"),
    "watched": _t("Watched", "监视占比"),
    "unwatched": _t("Unwatched", "未监视"),
    "no_ledger": _t("no ledger", "无台账"),
    "off_scan": _t("Off-scan", "失去监视"),
    "shelved": _t("Shelved", "搁置"),
    "inhibited": _t("Inhibited", "抑制"),
    "false_alarm": _t("False alarms", "误报"),
    "of_judged": _t("of {n} judged", "已判定 {n}"),
    "findings": _t("What was found, by point", "各监视点明细"),
    "clean": _t("Nothing to name this month.", "本月无可列事项。"),
    "when": _t("When", "时间"),
    "lasted": _t("Lasted", "持续"),
    "what": _t("What", "内容"),
    "who": _t("Who", "人员"),
    "why": _t("Why", "原因"),
    "lasts": _t("lasts", "仍在持续"),
    "why_no_record": _t("no record came", "无记录"),
    "why_too_few_looks": _t("too few looks", "分析次数不足"),
    "off_scan_note": _t(
        "Off-scan: minutes of which less than half was watched; of each camera the {n} longest runs.",
        "失去监视：监视不足一半的分钟；每台摄像机列出最长的 {n} 段。",
    ),
}

#: why a period was refused; under the family `error`
PROBLEMS: dict[str, Text] = {
    "figures_unknown_period": _t(
        "There is no such period; known are {known}, or give from and to.", "无此时段；可用 {known}，或给出起止时间。"
    ),
    "figures_empty_period": _t("The period ends before it begins.", "时段的结束早于开始。"),
    "figures_long_period": _t("A period has {days} days at most.", "时段最长 {days} 天。"),
    "figures_bad_time": _t(
        "A time is written 2026-11-30 or 2026-11-30T14:00.", "时间写作 2026-11-30 或 2026-11-30T14:00。"
    ),
    "figures_bad_month": _t("A month is written 2026-11.", "月份写作 2026-11。"),
}  # fmt: skip

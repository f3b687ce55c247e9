"""What the event page says, in English and 简体中文, by key; classes and common words are the evaluation's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.eval import texts as evaluation

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "title": {"en": "What {name} reports of events in film", "zh": "{name} 的视频事件报告质量"},
    "about": {
        "en": "{clips} clips, {minutes} minutes, {looks_per_s} looks a second, input {long_side_px} px, SHA-256 {sha256}…",
        "zh": "{clips} 段视频，共 {minutes} 分钟，每秒分析 {looks_per_s} 帧，输入 {long_side_px} 像素，SHA-256 {sha256}…",
    },
    "how": {
        "en": "A class is reported when {seen_least} of the last {of_last} looks see it at its threshold, and again only "
        "after it was gone for {gone_s} s. An event is found by the first report within {within_s} s of its beginning; "
        "every other report is a false alarm.",
        "zh": "最近 {of_last} 帧中有 {seen_least} 帧达到该类别阈值即报告一次；消失 {gone_s} 秒后才会再次报告。"
        "事件开始后 {within_s} 秒内的首次报告为命中，其余报告均为误报。",
    },
    "scored_where": {
        "en": "A class is scored only in clips in which all of its events are annotated.",
        "zh": "每个类别仅在该类事件全部标注的视频中计分。",
    },
    "little_film": {
        "en": "One false alarm in {minutes} minutes counts as {one_a_day} a camera and day: so little film can't show a low rate, "
        "and the intervals say how little it shows.",
        "zh": "{minutes} 分钟内的一次误报折合每台摄像机每天 {one_a_day} 次：如此短的视频无法证明误报率低，请以置信区间为准。",
    },
    "by_class": {"en": "By class", "zh": "按类别"},
    "all": {"en": "all", "zh": "合计"},
    "shipped": {"en": "those that raise alarms", "zh": "可告警类别合计"},
    "clips": {"en": "clips", "zh": "视频"},
    "events": {"en": "events", "zh": "事件"},
    "found": {"en": "found", "zh": "命中"},
    "missed": {"en": "missed", "zh": "漏报"},
    "to_report": {"en": "seconds to report: median, p90", "zh": "报告用时（秒）：中位数、p90"},
    "false_alarms": {"en": "false alarms", "zh": "误报"},
    "false_kinds": {"en": "nothing there / repeated / late", "zh": "无目标／重复／过迟"},
    "a_day": {"en": "false alarms a camera and day (95 %)", "zh": "每台摄像机每天误报（95 %）"},
    "operational_alert": {"en": "F1, operational alert", "zh": "F1（实时告警）"},
    "event_recording": {"en": "F1, event recording", "zh": "F1（事件录像）"},
    "f1_is": {
        "en": "F1 as i-LIDS weighs it: recall bias {alert} for alerting an operator, {recording} for recordings.",
        "zh": "F1 按 i-LIDS 加权：实时告警的召回偏置为 {alert}，事件录像为 {recording}。",
    },
    "clip_by_clip": {"en": "Clip by clip", "zh": "逐段视频"},
    "bars": {
        "en": "Upper bar: the event. Lower bar: the report, for as long as the class stays seen.",
        "zh": "上条：事件；下条：报告及其持续时间。",
    },
    "outcome_finds": {"en": "finds the event", "zh": "命中事件"},
    "outcome_late": {"en": "false: too late", "zh": "误报：过迟"},
    "outcome_repeated": {"en": "false: repeated", "zh": "误报：重复"},
    "outcome_nothing_there": {"en": "false: nothing there", "zh": "误报：无目标"},
    "outcome_unsure": {"en": "not counted", "zh": "不计分"},
    "event_found": {"en": "event, found", "zh": "事件（命中）"},
    "event_missed": {"en": "event, missed", "zh": "事件（漏报）"},
    "event_unsure": {"en": "nobody can say", "zh": "无法判定"},
    "nothing_here": {"en": "nothing to report, nothing reported", "zh": "无事件，无报告"},
    "seconds": {"en": "{seconds} s", "zh": "{seconds} 秒"},
    "bar": {"en": "{what}, {from_s} to {to_s} s", "zh": "{what}，{from_s} 至 {to_s} 秒"},
}  # fmt: skip


def text(key: str, language: str, **values: object) -> str:
    """The text of a key; words that are not the page's own are the evaluation's."""
    found = TEXTS.get(key)
    if found is not None and not values and "{" in found[language]:  # a class of that name, not a sentence
        return key
    return found[language].format(**values) if found else evaluation.text(key, language, **values)

"""Words for the rulebook: what is wrong with a setting and what to do, and why a row holds or doesn't."""

from typing import Final

RULE_FAULTS: Final[dict[str, tuple[str, str, str, str]]] = {
    # code: what, remedy, 说明, 处理
    "rule_unknown": (
        "no rule is called '{name}'", "Use one of: {known}; if the name is right, this machine's hcawatch is too old.",
        "没有名为“{name}”的规则", "请使用：{known}；如名称无误，则本机 hcawatch 版本过旧。"),
    "rule_without_reason": (
        "the setting of '{rule}' gives no reason", "Say in `reason:` why this camera needs it; it is kept with the version.",
        "规则“{rule}”的设置没有说明理由", "请在 `reason:` 中说明原因；原因随版本保存。"),
    "rule_must_stay_on": (
        "'{rule}' can't be switched off or kept to some hours: it is what tells of an act that Article {article} prohibits",
        "Leave it on; draw an `ignore` zone where lawful people stand.",
        "规则“{rule}”不能停用，也不能只在部分时段生效：它针对第 {article} 条禁止的行为",
        "请保持启用；合法人员所在之处可画 `ignore` 区域。"),
    "zone_must_stay_on": (
        "a zone of kind '{kind}' can't be kept to some hours: '{rule}' tells by it of an act that Article {article} prohibits at any hour",
        "Remove its hours; draw an `ignore` zone where lawful people stand.",
        "“{kind}”类区域不能只在部分时段生效：规则“{rule}”据此发现第 {article} 条任何时候都禁止的行为",
        "请删除其时段；合法人员所在之处可画 `ignore` 区域。"),
    "rule_would_silence": (
        "{number} {found}{unit} would silence '{rule}' (Article {article}): at most {most}{unit}, since {why}",
        "Take a value from {least} to {most}{unit}, or draw an `ignore` zone.",
        "{number} {found}{unit} 会使规则“{rule}”（第 {article} 条）失效：最高 {most}{unit}，因为{why_zh}",
        "请取 {least} 至 {most}{unit}，或画 `ignore` 区域。"),
    "rule_number_low": (
        "{number} {found}{unit} of '{rule}' is no value from {least} to {most}{unit}: everything would be told",
        "Take a value from {least} to {most}{unit}.",
        "规则“{rule}”的 {number} {found}{unit} 不在 {least} 至 {most}{unit} 之间：任何画面都会报警",
        "请取 {least} 至 {most}{unit}。"),
    "rule_leave_above_enter": (
        "the score that keeps an episode open ({leave}) is not below the one that opens it ({enter})",
        "Lower leave_score or raise enter_score.",
        "维持事件的分值（{leave}）不低于开启事件的分值（{enter}）", "请降低 leave_score 或提高 enter_score。"),
    "rule_class_unknown": (
        "'{rule}' is not about '{name}'", "Use one of: {known}.", "规则“{rule}”不涉及“{name}”", "请使用：{known}。"),
    "rule_class_twice": (
        "'{name}' has numbers of its own twice", "Put them together.", "“{name}”的单独数值出现两次", "请合并为一处。"),
    "schedule_unknown": (
        "no schedule is called '{name}'", "Use one of: {known}; or write it under `schedules:`.",
        "没有名为“{name}”的时段", "请使用：{known}；或在 `schedules:` 中添加。"),
    "hours_never": (
        "outside of '{name}' is never", "Correct the schedule; to do without the zone or rule, remove it.",
        "“{name}”之外没有任何时间", "请更正时段；如不需要该区域或规则，请将其删除。"),
}  # fmt: skip

WHY: Final[dict[str, dict[str, str]]] = {
    "shipped": {"en": "as shipped", "zh": "出厂设置"},
    "set": {"en": "set for this camera", "zh": "本摄像机设置"},
    "set_for_night": {"en": "set for this camera at night", "zh": "本摄像机夜间设置"},
    "switched_off": {"en": "switched off", "zh": "已停用"},
    "outside_hours": {"en": "off: it holds only within '{schedule}'", "zh": "不生效：仅在“{schedule}”内生效"},
    "inside_hours": {"en": "off: it does not hold within '{schedule}'", "zh": "不生效：“{schedule}”内不生效"},
    "not_now": {"en": "off: it holds by {schedule} only", "zh": "不生效：仅在 {schedule} 生效"},
}

LIGHT: Final[dict[str, dict[str, str]]] = {
    "infrared": {"en": "night: the camera sees by infrared", "zh": "夜间：摄像机处于红外模式"},
    "sun_down": {"en": "night: the sun stands at {sun:.0f}°", "zh": "夜间：太阳高度 {sun:.0f}°"},
    "sun_up": {"en": "day: the sun stands at {sun:.0f}°", "zh": "白天：太阳高度 {sun:.0f}°"},
}

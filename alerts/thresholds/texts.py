"""What people read about thresholds by hand, in English and 简体中文, by key. Tests hold it complete."""

from monitor.domain.assets import Text


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


ORIGINS: dict[str, Text] = {
    "shipped": _t("as shipped", "出厂值"),
    "edge": _t("set for all cameras of the edge", "边缘节点统一设置"),
    "file": _t("from the configuration file", "来自配置文件"),
    "feedback": _t("by feedback, proposal {number}", "由反馈建议 {number} 设置"),
    "hand": _t("by hand, {by}", "人工设置，{by}"),
}

ANSWERS: dict[str, Text] = {
    "taken": _t("The edge has taken version {wanted}: it is in force.", "边缘节点已采用版本 {wanted}，已生效。"),
    "refused": _t("The edge refused version {wanted} and goes on with what it has:", "边缘节点拒绝了版本 {wanted}，继续使用原配置："),
    "waits": _t("The edge has not answered version {wanted} yet.", "边缘节点尚未答复版本 {wanted}。"),
    "offline": _t("The edge is offline: it hears version {wanted} when it is back.", "边缘节点离线：恢复后将收到版本 {wanted}。"),
    "unheard": _t("No word came from this edge yet; version {wanted} waits for it at the broker.",
                  "尚未收到该边缘节点的任何消息；版本 {wanted} 已在消息代理等待。"),
}  # fmt: skip

NUMBERS: dict[str, Text] = {
    "enter_score": _t("score that opens", "触发得分"),
    "leave_score": _t("score that keeps it open", "维持得分"),
    "dwell_s": _t("seconds that it must stay", "停留秒数"),
}

PROBLEMS: dict[str, Text] = {
    "thresholds_no_camera": _t("There is no camera '{camera}' in the configuration that the database runs.",
                               "数据库所运行的配置中没有摄像机“{camera}”。"),
    "thresholds_no_rule": _t("There is no rule '{rule}': use one of {known}.", "没有规则“{rule}”，可用：{known}。"),
    "thresholds_no_cell": _t("'{name}' is no number of this rule: write one of {numbers}, with night. or a class "
                             "({classes}) before it.",
                             "“{name}”不是该规则的数值：请使用 {numbers}，前面可加 night. 或类别（{classes}）。"),
    "thresholds_no_number": _t("'{value}' is no number.", "“{value}”不是数字。"),
    "thresholds_no_change": _t("There is no change {number}.", "没有编号为 {number} 的更改。"),
    "thresholds_not_yours": _t("Only a supervisor sets thresholds.", "阈值只能由值班长设置。"),
    "thresholds_need_reason": _t("Say why, in a few words: it is kept with the version.", "请简要说明原因，原因随版本保存。"),
    "thresholds_nothing_new": _t("These are the numbers that are in force already.", "这些数值已经生效，无需更改。"),
    "thresholds_moved": _t("Version {number} was applied since you looked at {seen}: nothing was changed. Look again.",
                           "您查看版本 {seen} 之后已有版本 {number} 生效，未作更改。请重新查看。"),
    "thresholds_changed_since": _t("{name} was changed again since: nothing was taken back. Set it anew instead.",
                                   "{name} 之后又被更改，未恢复。请直接重新设置。"),
    "thresholds_taken_back_already": _t("This change was taken back already.", "该更改已恢复。"),
    "thresholds_refused": _t("Nothing was written: {what}", "未写入：{what}"),
}  # fmt: skip


def problem(key: str, language: str, **facts: object) -> str:
    """A sentence, in 'en' or 'zh'."""
    return PROBLEMS[key][language].format(**facts)

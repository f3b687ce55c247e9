"""What people read about feedback, in English and 简体中文, by key. Tests hold it complete."""

from alerts.feedback.causes import CAUSES as _CAUSES
from monitor.domain.assets import Text


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


CAUSES: dict[str, Text] = {
    **{str(cause): dict(row.text) for cause, row in _CAUSES.items()},
    "unsaid": _t("no cause was given", "未说明原因"),
}

STATES: dict[str, Text] = {
    "proposed": _t("waits for a decision", "待审批"),
    "approved": _t("approved", "已批准"),
    "refused": _t("refused", "已否决"),
    "withdrawn": _t("withdrawn by the system", "系统已撤回"),
    "reverted": _t("taken back", "已恢复原值"),
}

NUMBERS: dict[str, Text] = {
    "enter_score": _t("score that opens an episode", "触发得分"),
    "dwell_s": _t("seconds that it must stay", "停留秒数"),
}

#: after a number: when it holds
POINTS: dict[str, Text] = {
    "always": _t("", ""),
    "day": _t("only by day", "仅白天"),
    "night": _t("only at night", "仅夜间"),
}

WHY: dict[str, Text] = {
    "keeps_away": _t("keeps false alarms away", "可减少误报"),
    "missed_by_report": _t("a person reported what the camera did not tell", "有人上报而摄像机未发现"),
    "another_model": _t("another detector runs now, whose scores are others", "已更换检测模型，得分不可比"),
    "too_few": _t("too few false alarms since the last decision", "自上次决定以来误报过少"),
    "no_number_helps": _t("no number helps against their causes", "其原因无法通过调整数值解决"),
    "at_ceiling": _t("the number is as high as it may be", "数值已达上限"),
    "none_avoided": _t("no step would have kept two of them away", "调整一步不足以避免两起误报"),
    "would_miss": _t("it would have missed confirmed alerts", "会漏掉已确认的告警"),
    "judge_first": _t("it would touch alerts that nobody has judged: judge them first", "涉及尚未判定的告警，请先判定"),
    "own_night": _t("the rule has numbers of its own at night: set both by hand", "该规则另设夜间数值，请人工设定"),
    "own_class": _t("a class of the rule has such a number of its own: set both by hand",
                    "该规则中有类别另设数值，请人工设定"),
    "not_on": _t("the rule is switched off here", "该规则在此处已停用"),
}  # fmt: skip

#: what a person looks at where no number helps
REMEDIES: dict[str, Text] = {
    "zone": _t("Look at the zones drawn in this camera's picture: they say where the rule looks.",
               "请检查该摄像机画面中划定的区域：规则按区域判断。"),
    "survey": _t("Survey this camera's ground again: its positions are wrong.", "请重新标定该摄像机：位置判断有误。"),
    "permit": _t("Ask the company to register its permit: lawful work then sends nobody.",
                 "请施工单位登记许可：登记后合法作业不再触发派遣。"),
}  # fmt: skip

PROBLEMS: dict[str, Text] = {
    "outcome_needed": _t("Say what was found: choose an outcome.", "请选择处置结论。"),
    "cause_needed": _t("A false alarm needs its cause: choose one.", "误报须选择原因。"),
    "cause_needs_note": _t("You chose another cause: say in the note which.", "选择“其他原因”时请在备注中说明。"),
    "evidence_or_note": _t("No picture of this alert is stored yet: say in the note how you know.",
                           "该告警尚无已存储的图像：请在备注中说明依据。"),
    "proposal_unknown": _t("There is no proposal {number}.", "没有编号为 {number} 的建议。"),
    "proposal_not_yours": _t("Only a supervisor decides about thresholds.", "阈值调整只能由值班长决定。"),
    "proposal_wrong_state": _t("This proposal is not open any more: look at it again.", "该建议已处理，请重新查看。"),
    "proposal_needs_note": _t("Say why in the note.", "请在备注中说明原因。"),
    "proposal_moved": _t("The number is {now} by now, not {was}: nothing was changed. Look at the proposals again.",
                         "该数值现为 {now}，并非 {was}，未作更改。请重新查看建议。"),
    "proposal_not_safe": _t("Since it was made, alerts came that it would have missed: it is withdrawn.",
                            "该建议提出后又有会被漏掉的告警，建议已撤回。"),
    "proposal_own_numbers": _t("Since it was made, somebody set such a number for the night or for a class of the rule: it is "
                               "withdrawn.", "该建议提出后，该规则已另设夜间或类别数值，建议已撤回。"),
    "proposal_no_config": _t("There is no configuration in the database yet, or this release cannot use it.",
                             "数据库中尚无配置，或本版本无法使用。"),
    "proposal_config_refused": _t("The configuration would be faulty: {what}", "配置将出错：{what}"),
}  # fmt: skip


def problem(key: str, language: str, **facts: object) -> str:
    """A sentence, in 'en' or 'zh'."""
    return PROBLEMS[key][language].format(**facts)

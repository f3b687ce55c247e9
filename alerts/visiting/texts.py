"""What people read about visits and checklists, in English and 简体中文, by key. A test holds it complete."""

from monitor.domain.assets import Text


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


ANSWERS: dict[str, Text] = {
    "done": _t("done", "已核查"),
    "not_possible": _t("could not be checked", "无法核查"),
    "open": _t("taken back", "已撤回"),
}

PROBLEMS: dict[str, Text] = {
    "check_not_yours": _t("This checklist belongs to the officer who is sent.", "该检查表由被派遣人员填写。"),
    "check_not_there": _t("The alert is {state}: its checklist is filled in on site, before it is put right.",
                          "告警状态为“{state}”：检查表须在到场后、处置完成前填写。"),
    "check_unknown": _t("The checklist has no item {item}. Load the page anew.", "检查表无“{item}”项，请刷新页面。"),
    "check_needs_note": _t("Say why it could not be checked.", "请说明无法核查的原因。"),
    "check_needs_metres": _t("Write the distance in metres, from 0 to {most}.", "请填写距离（米），0 至 {most}。"),
    "checklist_open": _t(
        "Still open on the checklist: {items}. Answer them, or leave them open and say why in the note.",
        "检查表尚未完成：{items}。请逐项核查，或在备注中说明原因后保留未完成。",
    ),
    "no_visit_check": _t("There is no such check in this visit any more. Load the page anew.", "本次到访已无此项核查，请刷新页面。"),
    "visit_not_there": _t("You have not arrived yet: a permit is looked at on site.", "尚未到场：许可须在现场核查。"),
    "permit_look_note": _t("Say what is not as permitted.", "请说明与许可不符之处。"),
    "notice_company": _t("Write the company's name.", "请填写单位名称。"),
    "notice_not_there": _t("A notice is given on site or after the visit.", "告知书在现场或到访后出具。"),
    "notice_given": _t("This notice was given already; its code was shown then. Give a new one if it is lost.",
                       "该告知书已出具，编码只显示一次；如遗失请重新出具。"),
    "notice_unknown": _t("There is no notice with this code. Look at it again: it has 12 letters and digits.",
                         "没有此编码的告知书，请核对：编码为12位字母和数字。"),
    "objection_text": _t("Write your objection, with {most} characters at most.", "请填写申辩内容，不超过 {most} 字。"),
    "objection_many": _t("There are {most} objections to this notice already. Call the authority.", "该告知书已有 {most} 次申辩，请联系主管部门。"),
    "objection_reason": _t("Uphold or reject it, and write the reason: the company reads it.", "请选择成立或不成立，并填写理由：单位可见。"),
    "objection_gone": _t("This objection is decided already. Load the page anew.", "该申辩已处理，请刷新页面。"),
    "objection_own": _t("Nobody decides on an objection to their own notice or resolution.", "不得处理针对本人告知或处置的申辩。"),
}  # fmt: skip

#: why a check is part of another's visit
WHY_ALONG: dict[str, Text] = {
    "awaits_confirmation": _t("waits for a confirmation", "待核实"),
    "kept_for_visit": _t("kept for the next visit, by rule", "按规则留待下次到访"),
    "nobody_sent": _t("nobody could be sent yet", "此前无人可派"),
    "permit_ends": _t("its permit ends soon", "许可即将到期"),
}

LOOKED: dict[str, Text] = {
    "as_permitted": _t("as permitted", "与许可相符"),
    "not_as_permitted": _t("not as permitted", "与许可不符"),
    "no_work": _t("no work there", "现场无作业"),
}

ALSO: Text = _t("Also to be checked at this site: {checks}", "同一点位一并核查：{checks}")


def problem(key: str, language: str, **facts: object) -> str:
    """A sentence, in 'en' or 'zh'."""
    return PROBLEMS[key][language].format(**facts)

"""What people read about permits, in English and 简体中文, by key. A test holds it complete."""

from alerts.reading import FieldFault
from monitor.domain.assets import Text


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


STATES: dict[str, Text] = {
    "requested": _t("asked for", "已申请"),
    "approved": _t("approved", "已批准"),
    "refused": _t("refused", "已拒绝"),
    "withdrawn": _t("withdrawn", "已撤销"),
    "ended": _t("ended", "已到期"),
}

STEPS: dict[str, Text] = {
    "request": _t("asked for", "提交申请"),
    "register": _t("registered", "登记"),
    "change": _t("changed", "修改"),
    "approve": _t("approved", "批准"),
    "refuse": _t("refused", "拒绝"),
    "withdraw": _t("withdrawn", "撤销"),
    "ask_prolongation": _t("prolongation asked for", "申请延期"),
    "prolong": _t("prolonged", "延期"),
    "refuse_prolongation": _t("prolongation refused", "拒绝延期"),
    "remind": _t("holder reminded", "已提醒持有人"),
    "end": _t("ended", "到期"),
}

FIELDS: dict[str, Text] = {
    "number": _t("permit number", "许可编号"),
    "company": _t("company", "单位"),
    "pipeline": _t("pipeline", "管道"),
    "from": _t("from (chainage)", "起点（里程）"),
    "to": _t("to (chainage)", "终点（里程）"),
    "valid_from": _t("from (time)", "开始时间"),
    "valid_to": _t("until (time)", "结束时间"),
    "works": _t("kinds of work", "作业类型"),
    "hours": _t("daily hours", "每日时段"),
    "from_offset_m": _t("smallest offset, m (left is negative)", "最小偏距（米，左侧为负）"),
    "to_offset_m": _t("largest offset, m", "最大偏距（米）"),
    "activities": _t("activities", "活动"),
    "machines": _t("machines, with the most at once", "机械及同时最大数量"),
    "machines_note": _t("machines in words", "机械说明"),
    "phone": _t("phone", "电话"),
    "email": _t("e-mail", "邮箱"),
    "holder": _t("login of the holder", "持有人账号"),
    "file_sha256": _t("SHA-256 of the approval's file", "批复文件的 SHA-256"),
}

PROBLEMS: dict[str, Text] = {
    # fields
    "field_unknown": _t("there is no such field; there are {known}", "没有此字段；可用字段：{known}"),
    "field_missing": _t("is missing: write it", "缺失，请填写"),
    "column_missing": _t("the column is missing: add it to the first line", "缺少该列，请在首行补上"),
    "field_number": _t("'{got}' cannot be a number: 1 to 60 characters without / \\ ? # % < > or quotes",
                       "“{got}”不能用作编号：1 至 60 个字符，不含 / \\ ? # % < > 和引号"),
    "field_words": _t("at most {most} printable characters", "最多 {most} 个可打印字符"),
    "field_email": _t("'{got}' is no address: write name@place", "“{got}”不是邮箱地址，请写成 name@place"),
    "field_one_of": _t("'{got}' is not known; write one of {known}", "未知的“{got}”；请填写其中之一：{known}"),
    "field_chainage": _t("'{got}' is no chainage: write metres (12345) or a stake number (K12+345)",
                         "“{got}”不是里程：请写米数（12345）或桩号（K12+345）"),
    "field_metres": _t("'{got}' is no number of metres", "“{got}”不是米数"),
    "field_machines": _t("'{got}' is not class:number; write for example excavator:1 crane:2",
                         "“{got}”不是“类别:数量”；例如 excavator:1 crane:2"),
    "field_hours": _t("'{got}' are no hours; write for example mon-fri 08:00-18:00; sat 08:00-12:00",
                      "“{got}”不是时段；例如 mon-fri 08:00-18:00; sat 08:00-12:00"),
    "field_time": _t("'{got}' is no time; write 2026-12-31 19:00 (the city's time)",
                     "“{got}”不是时间；请写成 2026-12-31 19:00（本市时间）"),
    "field_sha256": _t("'{got}' is no SHA-256: 64 digits 0-9 a-f", "“{got}”不是 SHA-256：应为 64 位 0-9 a-f"),
    "field_reversed": _t("is not after '{other}'", "不在“{other}”之后"),
    "field_too_long": _t("more than twenty years: is the year right?", "超过二十年：年份是否有误？"),
    "field_off_line": _t("lies off the pipeline, which runs from {begin} to {end} m",
                         "超出管道范围（{begin} 至 {end} 米）"),
    "field_holder": _t("there is no holder's login of that name: make it, or leave the field empty",
                       "没有该持有人账号：请先创建，或留空"),
    # files
    "csv_encoding": _t("neither UTF-8 nor GB 18030: save the file as 'CSV UTF-8'",
                       "既非 UTF-8 也非 GB 18030：请另存为“CSV UTF-8”"),
    "csv_broken": _t("cannot be read as CSV ({what}): is a quotation mark open?", "无法按 CSV 读取（{what}）：引号是否未闭合？"),
    "csv_too_many_cells": _t("more cells than the first line's {most} columns: put text with a comma in quotes",
                             "单元格多于首行的 {most} 列：含逗号的文字请加引号"),
    "csv_twice": _t("the number is in line {first} already", "编号与第 {first} 行重复"),
    "csv_too_long": _t("more than {most} rows: divide the file", "超过 {most} 行：请拆分文件"),
    # steps
    "permit_unknown": _t("There is no permit {number}.", "没有许可 {number}。"),
    "permit_not_yours": _t("Your role may not take this step on this permit.", "您的角色不能对该许可执行此操作。"),
    "permit_wrong_state": _t("The permit is {permit_state}: this step is not possible any more.", "许可{permit_state}，不能再执行此操作。"),
    "permit_needs_note": _t("Say why in the note.", "请在备注中说明原因。"),
    "permit_bad_until": _t("The new end must be later than the present one, by {days} days at most.",
                           "新的到期时间须晚于现有到期时间，且最多延长 {days} 天。"),
    "permit_is_over": _t("The permit is over. Ask for a new one.", "许可已到期，请重新申请。"),
    "permit_nothing_asked": _t("No prolongation is asked for.", "没有待处理的延期申请。"),
    "permit_number_taken": _t("There is another permit {number}. Use the authority's own number.",
                              "许可编号 {number} 已被占用，请使用主管部门的编号。"),
    "permit_moved": _t("The permit was changed meanwhile: look at it again.", "许可刚被修改，请重新查看。"),
    # questions and objections
    "question_text": _t("Say what it is about, in {most} characters at most.", "请填写内容，最多 {most} 个字符。"),
    "question_many": _t("{most} questions of this permit wait already: wait for an answer.", "该许可已有 {most} 个问题待答复，请等待答复。"),
    "question_alert": _t("That alert does not name this permit.", "该告警未涉及此许可。"),
    "question_not_yours": _t("Only the permit's holder asks here.", "仅许可持有人可在此提问。"),
    "question_gone": _t("It is answered already: look at the page again.", "已有答复，请重新查看页面。"),
    "question_answer": _t("Write the answer or the reason; the holder reads it.", "请填写答复或理由，持有人会看到。"),
    "question_own": _t("You resolved the alert: somebody else decides on the objection.", "该告警由您处置，异议须由他人处理。"),
    "permit_faulty": _t("Please mend the fields that are marked.", "请更正标出的字段。"),
}  # fmt: skip


def problem(key: str, language: str, **facts: object) -> str:
    """A sentence, in 'en' or 'zh'."""
    state = facts.get("permit_state")
    shown = facts if state is None else {**facts, "permit_state": STATES[str(state)][language]}
    return PROBLEMS[key][language].format(**shown)


def fault_text(fault: FieldFault, language: str) -> str:
    """What is wrong with a field and what to write."""
    return problem(fault.key, language, **fault.facts)

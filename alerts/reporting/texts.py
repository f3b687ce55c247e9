"""What people read about reports, in English and 简体中文, by key. A test holds it complete."""

from alerts.permitting.texts import PROBLEMS as OF_FIELDS
from alerts.reading import FieldFault
from monitor.domain.assets import Text


def _t(en: str, zh: str) -> Text:
    return {"en": en, "zh": zh}


VIAS: dict[str, Text] = {
    "call": _t("a call", "来电举报"),
    "patrol": _t("the operator's patrol, on site", "企业巡护人员现场"),
    "officer": _t("an officer, on site", "执法人员现场"),
    "other": _t("a letter or another authority", "来信或其他单位"),
    "device": _t("a device's own alarm", "设备自带报警"),
}

FIELDS: dict[str, Text] = {
    "via": _t("who says so", "来源"),
    "violation": _t("suspected violation", "疑似违规类型"),
    "said": _t("what was said", "举报内容"),
    "observed_at": _t("when it was seen", "发现时间"),
    "lon": _t("longitude (WGS84)", "经度（WGS84）"),
    "lat": _t("latitude (WGS84)", "纬度（WGS84）"),
    "pipeline": _t("pipeline", "管道"),
    "stake": _t("stake number or metres", "桩号或里程（米）"),
    "offset_m": _t("metres beside the line", "距管道中心线（米）"),
    "side": _t("side, looking along the line", "侧别（沿管道方向）"),
    "camera": _t("camera that shows it", "可见该处的摄像机"),
    "activity": _t("what is done there", "现场活动"),
    "machine": _t("machine", "机械"),
    "machines": _t("how many at once", "同时数量"),
    "caller_name": _t("caller's name", "举报人姓名"),
    "caller_phone": _t("caller's phone", "举报人电话"),
    "place": _t("place", "位置"),
    "photos": _t("photos", "照片"),
}

PROBLEMS: dict[str, Text] = {
    "report_faulty": _t("The report is not taken yet: please mend the fields that are marked. What you typed is kept.",
                        "举报尚未提交：请更正标出的字段，已填写的内容已保留。"),
    "report_key_used": _t("This Idempotency-Key was used for another report (alert {number}): nothing was taken. Send it with a key of its own.",
                          "该 Idempotency-Key 已用于另一份举报（告警 {number}）：本次未受理，请换用新的键重新提交。"),
    "report_form_used": _t("This form was already taken once, with other words (alert {number}), so what stands here is not taken yet. "
                           "If it is another report, send it now; if it is a correction, say it on the alert's page.",
                           "此表单此前已以不同内容提交（告警 {number}），当前内容尚未受理。如为另一份举报，请再次提交；如为更正，请在该告警页面说明。"),
    "report_no_place": _t("say where: click on the map, or write a stake number with its pipeline, a position, or a camera",
                          "请说明位置：点击地图，或填写管道与桩号、经纬度，或选择摄像机"),
    "report_half_point": _t("a position has both longitude and latitude", "位置须同时填写经度和纬度"),
    "report_which_pipeline": _t("say on which pipeline the stake stands", "请选择桩号所属的管道"),
    "report_which_side": _t("say left or right, looking along the line; if nobody knows, leave the distance empty",
                            "请选择左侧或右侧（沿管道方向）；若不清楚，请将距离留空"),
    "report_offset_negative": _t("write metres without a sign, and choose the side", "请填写正数，并选择侧别"),
    "report_too_far": _t("{distance} m from the nearest pipeline: is the place right? No article reaches so far",
                         "距最近管道 {distance} 米：位置是否有误？法定距离均不及此"),
    "report_two_places": _t("lies {distance} m from the position that is given too: keep the one that is right",
                            "与所填经纬度相距 {distance} 米：请保留正确的一处"),
    "report_not_your_site": _t("lies in {site}, which is not your team's: call the control room",
                               "位于 {site}，不属于您的班组：请致电监控中心"),
    "report_in_future": _t("'{got}' is still to come: is the time right?", "“{got}”尚未到来：时间是否有误？"),
    "report_too_old": _t("more than {days} days ago: is the date right?", "已超过 {days} 天：日期是否有误？"),
    "report_said": _t("at most {most} characters of text", "最多 {most} 个字符"),
    "report_count": _t("'{got}' is no number from 1 to {most}", "“{got}”不是 1 至 {most} 的数字"),
    "report_phone": _t("'{got}' is no phone number: digits, spaces, + ( ) / . -", "“{got}”不是电话号码：仅限数字、空格和 + ( ) / . -"),
    "report_degrees": _t("'{got}' are no degrees: write for example 121.4642", "“{got}”不是经纬度：例如 121.4642"),
    "report_photos": _t("at most {most} photos", "最多 {most} 张照片"),
    "report_photo": _t("photo {n}: {why}", "第 {n} 张照片：{why}"),
    "no_report": _t("There is no such report, or it is not yours to see.", "没有此举报，或您无权查看。"),
}  # fmt: skip


def fault_text(fault: FieldFault, language: str) -> str:
    """What is wrong with a field and what to write, in 'en' or 'zh'."""
    texts = PROBLEMS if fault.key in PROBLEMS else OF_FIELDS
    return texts[fault.key][language].format(**fault.facts)

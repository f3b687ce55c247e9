"""What a comparison says, in English and 简体中文, by key; a reason's key is its code. Classes are the evaluation's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.compare.verdict import Reason
from models.eval import texts as evaluation

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "title": {"en": "{new} against {old}", "zh": "{new} 与 {old} 的比较"},
    "better": {"en": "The candidate is better", "zh": "候选模型更好"},
    "worse": {"en": "The candidate is worse", "zh": "候选模型更差"},
    "undecided": {"en": "Undecided", "zh": "尚无定论"},
    "class_gone": {
        "en": "No alarm would be raised on {class_name} any more: the candidate doesn't know it, or its card doesn't ship it.",
        "zh": "“{class_name}”将不再告警：候选模型不识别该类别，或其说明卡未将其列为可告警类别。",
    },
    "class_loses": {
        "en": "{class_name} loses: {figure} {old} → {new}, at best {high} (95 %; {boxes} boxes), more than the {limit} allowed.",
        "zh": "“{class_name}”变差：{figure} {old} → {new}，最好也只有 {high}（95 %，{boxes} 个标注框），超过允许的 {limit}。",
    },
    "class_may_lose": {
        "en": "{class_name} may lose more than the {limit} allowed: {figure} {old} → {new}, somewhere from {low} to {high} "
        "(95 %; {boxes} boxes). More labelled pictures of it would tell.",
        "zh": "“{class_name}”可能变差超过允许的 {limit}：{figure} {old} → {new}，差值在 {low} 至 {high} 之间"
        "（95 %，{boxes} 个标注框）。需要更多该类别的标注图片才能判断。",
    },
    "false_alarms_rise": {
        "en": "More false alarms on the site: {old} → {new} a picture, at least {low} more (95 %; {pictures} pictures).",
        "zh": "现场误报增多：每张图片 {old} → {new}，至少变化 {low}（95 %，{pictures} 张图片）。",
    },
    "false_alarms_may_rise": {
        "en": "False alarms on the site may rise by more than {limit} a picture: {old} → {new}, somewhere from {low} to {high} "
        "(95 %; {pictures} pictures).",
        "zh": "现场每张图片的误报可能增加超过 {limit}：{old} → {new}，差值在 {low} 至 {high} 之间（95 %，{pictures} 张图片）。",
    },
    "site_too_small": {
        "en": "The site has {pictures} pictures: from fewer than {least} nothing can be told.",
        "zh": "现场图片只有 {pictures} 张，少于 {least} 张无法判断。",
    },
    "nothing_judged": {
        "en": "No class on which rules raise alarms has {boxes} boxes in {pictures} pictures of the frozen set.",
        "zh": "固定集中没有任何告警类别达到 {pictures} 张图片、{boxes} 个标注框。",
    },
    "classes_improve": {
        "en": "Mean AP50 of the classes that raise alarms rises: {old} → {new}, by {low} to {high} (95 %).",
        "zh": "告警类别的平均 AP50 提高：{old} → {new}，差值在 {low} 至 {high} 之间（95 %）。",
    },
    "false_alarms_fall": {
        "en": "Fewer false alarms on the site: {old} → {new} a picture, by {low} to {high} (95 %; {pictures} pictures).",
        "zh": "现场误报减少：每张图片 {old} → {new}，差值在 {low} 至 {high} 之间（95 %，{pictures} 张图片）。",
    },
    "nothing_improves": {
        "en": "Nothing improves for certain: neither mean AP50 ({low} to {high}) nor false alarms on the site (95 %).",
        "zh": "没有确定的改进：平均 AP50（{low} 至 {high}）和现场误报均无把握变好（95 %）。",
    },
    "rare_class_loses": {
        "en": "{class_name} seems to lose {figure}: {old} → {new}, by {low} to {high} (95 %), but on {boxes} boxes only.",
        "zh": "“{class_name}”的{figure}似乎变差：{old} → {new}，差值在 {low} 至 {high} 之间（95 %），但仅有 {boxes} 个标注框。",
    },
    "class_too_rare": {
        "en": "{class_name} is not judged: {boxes} boxes in {pictures} pictures, fewer than {least} boxes or too few pictures.",
        "zh": "“{class_name}”未参与判断：{pictures} 张图片中 {boxes} 个标注框，少于 {least} 个或图片太少。",
    },
    "class_added": {
        "en": "Only the candidate knows {class_name}: not compared.",
        "zh": "只有候选模型识别“{class_name}”：未比较。",
    },
    "alarms_added": {
        "en": "The candidate would raise alarms on {class_name}; the model in use doesn't.",
        "zh": "候选模型会对“{class_name}”告警，在用模型不会。",
    },
    "same_weights": {"en": "Both are the same network at the same size.", "zh": "两者是同一个网络，输入尺寸也相同。"},
    "against": {"en": "against it", "zh": "不利"},
    "open": {"en": "open", "zh": "待定"},
    "for": {"en": "for it", "zh": "有利"},
    "note": {"en": "note", "zh": "说明"},
    "map50": {"en": "AP50", "zh": "AP50"},
    "about": {
        "en": "{pictures} pictures of the frozen set, {site_pictures} of the site, threshold {threshold}. "
        "In use: {old}, {old_px} px, SHA-256 {old_sha}…; candidate: {new}, {new_px} px, SHA-256 {new_sha}….",
        "zh": "固定集 {pictures} 张图片，现场 {site_pictures} 张，阈值 {threshold}。"
        "在用模型：{old}，{old_px} 像素，SHA-256 {old_sha}…；候选模型：{new}，{new_px} 像素，SHA-256 {new_sha}…。",
    },
    "paired": {
        "en": "Intervals are 95 % of candidate less model in use, bootstrap over pictures, the same pictures for both.",
        "zh": "区间为“候选减在用”的 95 % 置信区间，按图片自助抽样，两者使用相同图片。",
    },
    "reasons": {"en": "Why", "zh": "理由"},
    "by_class": {"en": "On the frozen set, by class", "zh": "固定集，按类别"},
    "alarms": {"en": "raises alarms", "zh": "用于告警"},
    "difference": {"en": "difference in AP50", "zh": "AP50 差值"},
    "site": {"en": "False alarms on the site", "zh": "现场误报"},
    "site_is": {
        "en": "Boxes from the threshold on that no label explains, of the classes on which rules raise alarms with that model, as its card ships them.",
        "zh": "得分达到阈值且无标注对应的检出框，仅计该模型说明卡列为可告警的类别。",
    },
    "in_use": {"en": "in use", "zh": "在用"},
    "candidate": {"en": "candidate", "zh": "候选"},
    "a_picture": {"en": "a picture", "zh": "每张图片"},
    "in_all": {"en": "in all", "zh": "合计"},
    "site_worst": {"en": "The site's pictures with most false alarms of the candidate", "zh": "候选模型误报最多的现场图片"},
    "counted": {"en": "{old} in use, {new} candidate", "zh": "在用 {old}，候选 {new}"},
    "interval_95": {"en": "difference, 95 %", "zh": "差值，95 % 置信区间"},
    "yes": {"en": "yes", "zh": "是"},
}  # fmt: skip

#: Numbers of a reason that count things; others are shares, and these two are differences with a sign.
_COUNTS: Final = frozenset({"boxes", "pictures", "least"})
_SIGNED: Final = frozenset({"low", "high"})


def text(key: str, language: str, **values: object) -> str:
    """The text of a key; words that are not the comparison's own are the evaluation's."""
    found = TEXTS.get(key)
    if found is not None and not values and "{" in found[language]:  # a class of that name, not a sentence
        return key
    return found[language].format(**values) if found else evaluation.text(key, language, **values)


def say(reason: Reason, language: str) -> str:
    """A reason as a sentence."""
    numbers = {key: _number(key, value) for key, value in reason.numbers.items()}
    return text(
        str(reason.code), language, **numbers,
        class_name=text(reason.class_name, language), figure=text(reason.figure, language),
    )  # fmt: skip


def signed(value: float) -> str:
    """A difference as people read it."""
    return "–" if value != value else f"{value:+.3f}".replace("-", "−")


def _number(key: str, value: float) -> str:
    if key in _COUNTS:
        return str(int(value))
    if key in _SIGNED:
        return signed(value)
    return (
        "–"
        if value != value
        else f"{value:.3f}".rstrip("0").rstrip(".")
        if key == "limit"
        else f"{value:.3f}"
    )

"""What the evaluation's report says, in English and 简体中文, by key. A test holds both complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("en", "zh")

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "title": {"en": "How well {name} finds things", "zh": "{name} 的检测质量"},
    "other_language": {"en": "中文", "zh": "English"},
    "about": {
        "en": "{images} pictures, input {long_side_px} px, threshold {threshold}, SHA-256 {sha256}…",
        "zh": "{images} 张图片，输入 {long_side_px} 像素，阈值 {threshold}，SHA-256 {sha256}…",
    },
    "scored_where": {
        "en": "A class is scored only in pictures in which all of its instances are labelled.",
        "zh": "每个类别仅在该类目标全部标注的图片中计分。",
    },
    "means": {
        "en": "Means over the classes with labelled boxes: mAP50 {map50}, mAP50-95 {map}. "
        "Calibration error {ece}; of boxes from {stay} on {ece_from_stay}.",
        "zh": "有标注框的类别平均：mAP50 {map50}，mAP50-95 {map}。校准误差 {ece}；得分不低于 {stay} 的框为 {ece_from_stay}。",
    },
    "if_calibrated": {
        "en": "If each source's scores were calibrated by all other sources, these would be {ece} and {ece_from_stay}.",
        "zh": "若用其他来源的数据校准每个来源的得分，上述误差为 {ece} 和 {ece_from_stay}。",
    },
    "by_class": {"en": "By class", "zh": "按类别"},
    "class": {"en": "class", "zh": "类别"},
    "pictures": {"en": "pictures", "zh": "图片"},
    "boxes": {"en": "boxes", "zh": "标注框"},
    "found_boxes": {"en": "found from the threshold on", "zh": "达到阈值的检出框"},
    "small_print": {
        "en": "Small figures: 95 % bootstrap interval over pictures.",
        "zh": "小字为 95 % 自助法置信区间（按图片重抽样）。",
    },
    "mean_six": {
        "en": "Mean mAP50 of person, excavator, truck, fire, smoke and car: {value} ({low} … {high}).",
        "zh": "人员、挖掘机、卡车、明火、烟雾、小汽车的平均 mAP50：{value}（{low} … {high}）。",
    },
    "recall_at_p90": {"en": "recall at precision 0.9", "zh": "精确率 0.9 时的召回率"},
    "precision": {"en": "precision", "zh": "精确率"},
    "recall": {"en": "recall", "zh": "召回率"},
    "ece": {"en": "calibration error", "zh": "校准误差"},
    "by_part": {"en": "mAP50 by size and brightness (boxes)", "zh": "按目标大小与亮度的 mAP50（标注框数）"},
    "small": {"en": "small, below 32² px", "zh": "小（小于 32² 像素）"},
    "medium": {"en": "medium", "zh": "中"},
    "large": {"en": "large, above 96² px", "zh": "大（大于 96² 像素）"},
    "day": {"en": "bright pictures", "zh": "明亮图片"},
    "night": {"en": "dark pictures", "zh": "昏暗图片"},
    "curves": {"en": "Precision over recall, IoU 0.5", "zh": "精确率–召回率曲线（IoU 0.5）"},
    "reliability": {"en": "Is 0.8 right in 80 %?", "zh": "得分 0.8 是否对应 80 % 正确？"},
    "score": {"en": "score", "zh": "得分"},
    "hit_share": {"en": "share of hits", "zh": "正确比例"},
    "confused": {
        "en": "What is taken for what (rows: labelled, columns: found)",
        "zh": "混淆矩阵（行：标注，列：检出）",
    },
    "nothing": {"en": "nothing", "zh": "无"},
    "worst": {"en": "Worst pictures", "zh": "问题最多的图片"},
    "drawn": {
        "en": "Green: labelled. Red: found, with its score; thin if that class is not labelled exhaustively here.",
        "zh": "绿色：标注。红色：检出及得分；细线表示该图片未完整标注此类别。",
    },
    "faults": {"en": "{missed} missed, {false} false", "zh": "漏检 {missed}，误检 {false}"},
    "twins": {"en": "Pictures that show the same", "zh": "内容相同或相邻的图片"},
    "twins_found": {
        "en": "{crossing} pairs cross splits, {within} lie within one split. "
        "What trains must not measure: a pair across splits makes figures too good.",
        "zh": "跨数据划分的图片对 {crossing} 个，同一划分内 {within} 个。训练用的图片不得用于评估：跨划分的相同图片会使指标虚高。",
    },
    "crossing": {"en": "Across splits", "zh": "跨划分"},
    "within": {"en": "Within one split", "zh": "同一划分内"},
    "left_out": {"en": "{count} more pairs are not shown.", "zh": "另有 {count} 个图片对未显示。"},
    "twin": {
        "en": "hash differs in {distance} of 64 bits, likeness {likeness}, common corners {corners}",
        "zh": "哈希相差 {distance}/64 位，相似度 {likeness}，共同角点 {corners}",
    },
    "person": {"en": "person", "zh": "人员"},
    "excavator": {"en": "excavator", "zh": "挖掘机"},
    "truck": {"en": "truck", "zh": "卡车"},
    "crane": {"en": "crane", "zh": "起重机"},
    "loader": {"en": "loader", "zh": "装载机"},
    "drill_rig": {"en": "drill rig", "zh": "钻机"},
    "fire": {"en": "fire", "zh": "明火"},
    "smoke": {"en": "smoke", "zh": "烟雾"},
    "car": {"en": "car", "zh": "小汽车"},
}


def text(key: str, language: str, **values: object) -> str:
    """The text of a key; a key without one (a class of other data) is shown as it is."""
    found = TEXTS.get(key)
    if found is not None and not values and "{" in found[language]:  # a class of that name, not a sentence
        return key
    return found[language].format(**values) if found else key

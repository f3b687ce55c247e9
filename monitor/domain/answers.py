"""Words for an edge's answer to a configuration: what is wrong and what to do, in English and Chinese."""

from typing import Final

from monitor.domain.events import ConfigReason
from monitor.domain.rule_texts import RULE_FAULTS

#: The edge belonged to another centre before, whose database is the younger one.
ANOTHER_DATABASE: Final = "another_database"

REASONS: Final[dict[str, tuple[str, str, str, str]]] = {
    # code: what, remedy, 说明, 处理
    "too_large": (
        "the message has {bytes} bytes, more than {most}", "Share the cameras among more edges, or draw simpler zones.",
        "消息为 {bytes} 字节，超过 {most}", "请将摄像机分配给更多边缘节点，或简化区域。"),
    "unreadable": (
        "the message can't be read: {reason}", "Use the same release of hcawatch on centre and edge; else look who publishes on this topic.",
        "无法读取该消息：{reason}", "请在中心和边缘使用相同版本的 hcawatch；否则请检查谁在该主题上发布。"),
    "another_edge": (
        "it is meant for edge '{edge}'", "Look who publishes on this topic.", "它属于边缘节点“{edge}”", "请检查谁在该主题上发布。"),
    "same_number": (
        "version {number} is in force with other contents", "Apply the configuration once more: `hcawatch config apply`.",
        "版本 {number} 已生效，但内容不同", "请再次应用配置：`hcawatch config apply`。"),
    "older": (
        "version {number} is older than version {force}, which is in force",
        "Nothing, if it only came late; if the centre's database was restored from a backup, apply the configuration until its number is higher.",
        "版本 {number} 比已生效的版本 {force} 旧", "若只是迟到则无需处理；若中心数据库由备份恢复，请再次应用配置，直到版本号更高。"),
    ANOTHER_DATABASE: (
        "version {number} is of another database (begun {theirs}) than version {force}, which is in force (begun {ours}, later)",
        "If this edge was moved to that centre: stop it, delete `configuration.json` in its data folder, start it. Else look who publishes on this topic.",
        "版本 {number} 来自另一个数据库（始于 {theirs}），而已生效的版本 {force} 来自更新的数据库（始于 {ours}）",
        "若该边缘节点已迁移到此中心：请停止它，删除其数据目录中的 `configuration.json`，再启动。否则请检查谁在该主题上发布。"),
    "id_twice": (
        "the id '{id}' is used twice", "Give each its own id.", "编号“{id}”重复", "请为每项使用不同的编号。"),
    "id_unsafe": (
        "'{id}' can't be an id", "Use lower-case letters, digits, - and _.", "“{id}”不能作为编号", "请使用小写字母、数字、- 和 _。"),
    "unknown_site": (
        "no HCA is called '{name}'", "Correct the camera's `site:`.", "没有名为“{name}”的高后果区", "请更正摄像机的 `site:`。"),
    "unknown_pipeline": (
        "no pipeline is called '{name}'", "Correct the HCA's `pipeline:`.", "没有名为“{name}”的管道", "请更正高后果区的 `pipeline:`。"),
    "centreline_bad": (
        "the centreline can't be used: {reason}", "Correct its vertices.", "中心线不可用：{reason}", "请更正其顶点。"),
    "timezone_unknown": (
        "the time zone '{name}' is not known here", "Use a name of the IANA list, or install tzdata on the edge.",
        "本机不认识时区“{name}”", "请使用 IANA 时区名，或在边缘安装 tzdata。"),
    "number_range": (
        "{found} is outside of {least} to {most}", "Correct the number.", "{found} 超出 {least} 至 {most}", "请更正数值。"),
    "polygon_bad": (
        "the zone is no polygon: {reason}", "Draw it again, corner after corner in order.",
        "区域不是多边形：{reason}", "请按顺序重新绘制各角点。"),
    "survey_bad": (
        "the ground points give no position: {reason}", "Correct them, or leave them out: zones in the picture still work.",
        "地面标定点无法给出位置：{reason}", "请更正或删除；画面中的区域仍然有效。"),
    "source_not_allowed": (
        "this edge may not open {source}: {reason}",
        "Which addresses, files and devices it may open is said by its own file: add it to `networks` (or to a camera) there, and restart it.",
        "该边缘节点不得打开 {source}：{reason}", "可访问的地址、文件和设备由其自身文件规定：请在该文件的 `networks`（或摄像机）中添加，然后重启。"),
    "credential_unknown": (
        "the credential '{name}' is not in this edge's secrets file", "Add it there, and restart the edge.",
        "该边缘节点的机密文件中没有凭证“{name}”", "请添加后重启边缘节点。"),
    "model_unnamed": (
        "'{name}' names no set of weights", "Promote it again: `hcawatch models promote`.", "“{name}”不是模型的名称", "请重新执行 `hcawatch models promote`。"),
    "not_kept": (
        "it is in force, but could not be written to disk: {reason}", "Make room on the edge's disk; until then a restart goes back to the version before.",
        "已生效，但无法写入磁盘：{reason}", "请清理边缘节点的磁盘；在此之前重启会回到上一版本。"),
}  # fmt: skip

TEXTS: Final = {**RULE_FAULTS, **REASONS}


def sentence(reason: ConfigReason, language: str) -> str:
    """A reason in words: where, what is wrong, what to do. A code of a newer edge is shown as it is."""
    texts = TEXTS.get(reason.code)
    if texts is None:
        facts = ", ".join(f"{key} {value}" for key, value in sorted(reason.facts.items()))
        return f"{reason.path}: {reason.code.replace('_', ' ')} ({facts})"
    what, remedy = texts[2:] if language == "zh" else texts[:2]
    known = _Facts(reason.facts)
    where = f"{reason.path}: " if reason.path else ""
    return f"{where}{what.format_map(known)}{'。' if language == 'zh' else '. '}{remedy.format_map(known)}"


class _Facts(dict[str, str]):
    """What an edge of another release does not say is left open, never an error."""

    def __missing__(self, key: str) -> str:
        return "?"

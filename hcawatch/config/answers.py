"""What edges made of the newest configuration, in words. Pure."""

from collections.abc import Iterator
from typing import Final

from hcawatch.config.versions import EdgeAnswer
from monitor.domain.answers import ANOTHER_DATABASE, sentence

_TEXTS: Final = {
    "in_force": {"en": "edge {edge}: version {number} is in force", "zh": "边缘节点 {edge}：版本 {number} 已生效"},
    "own_file": {
        "en": "edge {edge}: its own file is in force ({version})",
        "zh": "边缘节点 {edge}：使用其自身文件（{version}）",
    },
    "behind": {
        "en": ", version {newest} has not reached it yet", "zh": "，版本 {newest} 尚未送达",
    },
    "unknown": {
        "en": ", which this database does not have: was it restored from a backup? Apply the configuration until its number is higher",
        "zh": "，本数据库中没有该版本：数据库是否由备份恢复？请再次应用配置，直到版本号更高",
    },
    "elsewhere": {"en": ", of another centre's database", "zh": "，来自另一个中心的数据库"},
    "offline": {"en": " (offline)", "zh": "（离线）"},
    "refused": {"en": "  refused version {number}:", "zh": "  拒绝了版本 {number}："},
    "refused_unknown": {"en": "  refused a message that names no version:", "zh": "  拒绝了一条未注明版本的消息："},
}  # fmt: skip


def lines_of(answers: tuple[EdgeAnswer, ...], newest: int | None, language: str) -> Iterator[str]:
    """One line an edge, and below it what it did not take or could not keep."""
    for edge in answers:
        answer = edge.answer
        line = _text("own_file" if edge.config_number is None else "in_force", language, edge=edge.edge_id,
                     number=edge.config_number, version=edge.config_version)  # fmt: skip
        refused = answer is not None and not answer.taken
        if answer is not None and any(reason.code == ANOTHER_DATABASE for reason in answer.reasons):
            line += _text("elsewhere", language)
        elif newest is not None and (edge.config_number or 0) > newest:
            line += _text("unknown", language)
        elif (
            newest is not None
            and edge.config_number != newest
            and not (refused and answer and answer.number == newest)
        ):
            line += _text("behind", language, newest=newest)
        yield line + ("" if edge.online else _text("offline", language))
        if answer is not None and refused:
            key = "refused_unknown" if answer.number is None else "refused"
            yield _text(key, language, number=answer.number)
        for reason in () if answer is None else answer.reasons:
            yield f"    {sentence(reason, language)}"


def _text(key: str, language: str, **facts: object) -> str:
    return _TEXTS[key][language].format(**facts)

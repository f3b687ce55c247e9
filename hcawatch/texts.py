"""What `hcawatch up` and the demo say, in English and 简体中文. The steps' and states' words are the alert module's own."""

import os
from collections.abc import Mapping

from alerts import texts as alert_texts
from monitor.domain.violations import CATALOGUE

TEXTS: dict[str, dict[str, str]] = {
    "real_footage": {
        "en": "real footage: vtest.avi and tree.avi of Debian's package opencv-doc",
        "zh": "实景素材：Debian 软件包 opencv-doc 中的 vtest.avi 与 tree.avi",
    },
    "own_footage": {"en": "your footage: {file}", "zh": "您的素材：{file}"},
    "simulated_footage": {
        "en": "simulated footage: {seconds:.0f} s of an excavator, rendered here",
        "zh": "模拟素材：本机渲染的挖掘机画面，{seconds:.0f} 秒",
    },
    "preparing": {"en": "preparing {file}", "zh": "正在准备 {file}"},
    "rendering": {"en": "rendering the excavator", "zh": "正在渲染挖掘机"},
    "database_embedded": {"en": "database: embedded PostgreSQL", "zh": "数据库：内嵌 PostgreSQL"},
    "database_named": {"en": "database: the one you named", "zh": "数据库：您指定的数据库"},
    "broker_embedded": {"en": "broker: embedded {kind}", "zh": "消息代理：内嵌 {kind}"},
    "broker_named": {"en": "broker: the one you named", "zh": "消息代理：您指定的代理"},
    "centre": {"en": "centre: ingest, alerts, audit, web", "zh": "中心：接入、告警、审计、网页"},
    "edge": {
        "en": "edge {edge}: 4 cameras (2 real over RTSP, 2 simulated from a file)",
        "zh": "边缘节点 {edge}：4 台摄像机（2 台实景 RTSP，2 台模拟文件）",
    },
    "dashboards": {
        "en": "Grafana dashboards written to {folder} (hcawatch grafana apply URL puts them into a Grafana)",
        "zh": "Grafana 仪表板已写入 {folder}（用 hcawatch grafana apply URL 导入 Grafana）",
    },
    "people": {
        "en": "simulated people: {officers} (phones), operator, supervisor",
        "zh": "模拟人员：{officers}（手机）、值班员、值班长",
    },
    "console_at": {
        "en": "console {url}/ (passwords in {folder})",
        "zh": "控制台 {url}/（密码在 {folder}）",
    },
    "stream_lost": {
        "en": "the tree line's camera loses its stream",
        "zh": "林带摄像机的视频流被切断",
    },
    "kill": {
        "en": "kill -9 of the edge worker, in mid-story",
        "zh": "在处置过程中对边缘程序执行 kill -9",
    },
    "settling": {
        "en": "stopping the edge in order; waiting for its last receipts",
        "zh": "正常停止边缘程序，等待最后的回执",
    },
    "proving": {
        "en": "exporting the audit log and verifying it offline",
        "zh": "导出审计日志并离线验证",
    },
    "did_not_happen": {"en": "DID NOT HAPPEN: {what}", "zh": "未完成：{what}"},
    "ended_again": {"en": "{name} ended; starting it again", "zh": "{name} 已退出，正在重新启动"},
    "ending": {"en": "ending …", "zh": "正在结束……"},
    "console": {"en": "console", "zh": "控制台"},
    "field": {"en": "field", "zh": "现场"},
    "audit": {"en": "audit", "zh": "审计"},
    "log_in_as": {"en": "log in as {user} / {password}", "zh": "登录名 {user} / 密码 {password}"},
    "simulated_people": {
        "en": "Officers' phones and the room's people are simulated. Ctrl-C ends everything.",
        "zh": "执法人员手机与值班人员均为模拟。按 Ctrl-C 结束。",
    },
    "edge_cameras": {"en": "edge {edge}: {count} cameras", "zh": "边缘节点 {edge}：{count} 台摄像机"},
    "page_at": {"en": "{page}: {url}", "zh": "{page}：{url}"},
    "log_in_list": {
        "en": "log in as {users}; passwords are in {folder} (password-NAME)",
        "zh": "登录名：{users}；密码在 {folder}（password-登录名）",
    },
    "ctrl_c": {
        "en": "Ctrl-C ends all parts; what was numbered stays.",
        "zh": "按 Ctrl-C 结束全部程序；已编号的数据不会丢失。",
    },
    "ended_restart": {
        "en": "{name} ended ({status}): {last} – again in {seconds:.0f} s",
        "zh": "{name} 已退出（{status}）：{last} – {seconds:.0f} 秒后重启",
    },
    "step": {"en": "alert {number} {level} {what} ({where}): {step}{who} – {why}",
             "zh": "告警 {number} {level} 级 {what}（{where}）：{step}{who} – {why}"},
    "by": {"en": " by {user}", "zh": "（{user}）"},
}  # fmt: skip


def language(env: Mapping[str, str] | None = None) -> str:
    """zh if the environment's language is Chinese, else en."""
    env = os.environ if env is None else env
    named = next((env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    return "zh" if named.lower().startswith("zh") else "en"


def text(key: str, **facts: object) -> str:
    """The text of that key in the user's language."""
    return TEXTS[key][language()].format(**facts)


def sentence(row: dict[str, object]) -> str:
    """One step of the loop, as the database has it."""
    tongue = language()
    code, health = str(row["violation"] or ""), str(row["health"] or "")
    title = CATALOGUE[code].title if code in CATALOGUE else alert_texts.HEALTH.get(health, {})
    step, why = str(row["step"]), str(row["reason"])
    return text(
        "step", number=row["number"], level=row["level"], what=title.get(tongue, code or health), where=row["subject"],
        step=alert_texts.STEPS.get(step, {}).get(tongue, step),
        who="" if row["role"] == "system" else text("by", user=row["actor"]),
        why=alert_texts.REASONS.get(why, {}).get(tongue, why),
    )  # fmt: skip

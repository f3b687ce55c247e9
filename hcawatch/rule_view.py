"""What `hcawatch rules` shows: the table of rules, and what holds for one camera at one moment. Pure.

Plain data first, for --json; words beside it in the reader's language.
"""

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge.rules import REGIME
from monitor.domain.assets import City
from monitor.domain.places import middle
from monitor.domain.rule_texts import LIGHT, WHY
from monitor.domain.rulebook import LIMITS, NUMBERS, Ruling, closed_by, merged, most, rulings
from monitor.domain.sun import light
from monitor.domain.violations import CATALOGUE, RULES, Rule, rules_for

_TEXTS: Final = {
    "band": {"en": "within {band:g} m", "zh": "{band:g} 米内"},
    "zone": {"en": "in a zone '{zone}'", "zh": "在“{zone}”区域内"},
    "article": {"en": "Article {article}", "zh": "第 {article} 条"},
    "off": {"en": "off", "zh": "停用"},
    "on": {"en": "on", "zh": "生效"},
    "must": {"en": "can't be switched off", "zh": "不可停用"},
    "may": {"en": "may be switched off", "zh": "可停用"},
    "limits": {"en": "limits", "zh": "允许范围"},
    "guard": {"en": "guard", "zh": "防误报"},
    "reason": {"en": "reason", "zh": "理由"},
    "zones": {"en": "zones", "zh": "区域"},
    "numbers": {
        "en": "opens at {enter_score:g}, kept open from {leave_score:g}, after {dwell_s:g} s in {min_looks} looks, ends {gone_s:g} s after it is gone",
        "zh": "得分 {enter_score:g} 开启，{leave_score:g} 以上维持，{min_looks} 次观察、持续 {dwell_s:g} 秒，消失 {gone_s:g} 秒后结束",
    },
    "min_box": {"en": ", boxes of {min_box_px:g} px and more", "zh": "，框高不小于 {min_box_px:g} 像素"},
}  # fmt: skip


_SILENT: Final = {
    "regime": {"en": "the law covers transmission pipelines only", "zh": "该法仅适用于输送管道"},
    "model": {"en": "its classes raise no alarm with this model", "zh": "该模型的这些类别不报警"},
    "no_zone": {"en": "no zone of that kind is drawn, or in force, in the picture", "zh": "画面中没有此类区域，或当前不生效"},
    "no_ground": {
        "en": "a distance needs ground points or a mast, which this camera has not",
        "zh": "距离需要地面标定点或立杆参数，本摄像机没有",
    },
}  # fmt: skip
_WORDS: Final = {
    "passing": "路过", "stopped": "停留", "working": "作业", "always": "全天", "day": "白天", "night": "夜间"
}  # fmt: skip


def shipped(tongue: str) -> list[dict[str, Any]]:
    """The table as it is shipped, with the limits of its numbers."""
    return [
        {
            **_row(rule, tongue),
            "limits": {n: [LIMITS[n].least, most(rule, n)] for n in NUMBERS},
            "limits_why": {n: LIMITS[n].why[tongue] for n in NUMBERS},
            "may_be_off": rule.may_be_off,
        }
        for rule in RULES
    ]


def of_camera(
    city: City,
    camera_id: str,
    at: datetime,
    *,
    infrared: bool,
    shipped_classes: frozenset[str] | None,
    tongue: str,
) -> dict[str, Any]:
    """What holds for a camera at an aware moment, row by row and zone by zone.

    Args:
        shipped_classes: those that raise alarms with the model that runs; None if its card says nothing.
    """
    camera = city.camera(camera_id)
    hca = city.hca(camera.site_id)
    pipeline = city.pipeline(hca.pipeline_id)
    edge = next(edge for edge in city.edges if edge.edge_id == camera.edge_id)
    zone = ZoneInfo(city.timezone)
    now = light(at, middle(hca, pipeline), infrared=infrared)
    schedules = {schedule.schedule_id: schedule for schedule in city.schedules}
    held = rulings(RULES, merged(edge.rules, camera.rules), schedules, at=at, timezone=zone, now=now)
    closed = {
        z.zone_id: closed_by(z.within, z.outside, schedules, at=at, timezone=zone, now=now)
        for z in camera.zones
    }
    kinds = {z.kind for z in camera.zones if closed[z.zone_id] is None}
    on_ground = bool(camera.ground_points) or camera.mast is not None
    alarms = {rule.rule_id: rule.classes for rule in rules_for(shipped_classes)}

    def silent(rule: Rule) -> str | None:
        """Why a row that is on tells nothing of this camera."""
        if pipeline.regime != REGIME:
            return "regime"
        if not rule.classes & alarms.get(rule.rule_id, frozenset()):
            return "model"
        if rule.zone is not None and rule.zone not in kinds:
            return "no_zone"
        return "no_ground" if rule.band_m is not None and not on_ground else None

    return {
        "camera": camera_id, "at": at.astimezone(zone).isoformat(timespec="seconds"), "night": now.night,
        "light": LIGHT[now.why][tongue].format(sun=now.sun_deg),
        "regime": pipeline.regime,
        "zones": [
            {"zone": z.zone_id, "kind": z.kind, "closed_by":
                closed_by(z.within, z.outside, schedules, at=at, timezone=zone, now=now)}
            for z in camera.zones
        ],
        "rules": [
            _held(ruling, silent(ruling.rule), ruling.rule.classes & alarms.get(ruling.rule.rule_id, frozenset()), tongue)
            for ruling in held
        ],
    }  # fmt: skip


def table(rows: list[dict[str, Any]], tongue: str) -> str:
    """The shipped table in words."""
    lines: list[str] = []
    for row in rows:
        lines += [_head(row, tongue), f"    {_numbers(row, tongue)}"]
        limits = ", ".join(f"{name} {least:g}–{top:g}" for name, (least, top) in row["limits"].items())
        lines.append(
            f"    {_TEXTS['limits'][tongue]}: {limits}; {_TEXTS['may' if row['may_be_off'] else 'must'][tongue]}"
        )
        lines.append(f"    {_TEXTS['guard'][tongue]}: {row['guard']}")
    return "\n".join(lines)


def told(view: dict[str, Any], tongue: str) -> str:
    """What holds for a camera, in words."""
    lines = [f"{view['camera']}, {view['at']}: {view['light']}"]
    for row in view["rules"]:
        lines.append(f"{_TEXTS['on' if row['on'] else 'off'][tongue]:4} {_head(row, tongue)}")
        lines.append(
            f"    {row['why_text']}"
            + (f" – {_TEXTS['reason'][tongue]}: {row['reason']}" if row["reason"] else "")
        )
        if row["silent"]:
            lines.append(f"    {row['silent_text']}")
        if row["on"]:
            lines.append(f"    {_numbers(row, tongue)}")
    if view["zones"]:
        lines.append(f"{_TEXTS['zones'][tongue]}:")
    for zone in view["zones"]:
        closed = zone["closed_by"]
        state = _TEXTS["on"][tongue] if closed is None else f"{_TEXTS['off'][tongue]} ({closed})"
        lines.append(f"    {zone['zone']} ({zone['kind']}): {state}")
    return "\n".join(lines)


def _held(ruling: Ruling, silent: str | None, alarms: frozenset[str], tongue: str) -> dict[str, Any]:
    return {
        **_row(ruling.rule, tongue), "classes": sorted(alarms or ruling.rule.classes),
        "on": ruling.rule.on and silent is None, "silent": silent,
        "silent_text": _SILENT[silent][tongue] if silent is not None else "", "why": ruling.why, "reason": ruling.reason,
        "schedule": ruling.schedule, "why_text": WHY[ruling.why][tongue].format(schedule=ruling.schedule),
    }  # fmt: skip


def _row(rule: Rule, tongue: str) -> dict[str, Any]:
    violation = CATALOGUE[rule.violation]
    return {
        "rule": rule.rule_id, "violation": rule.violation, "title": violation.title[tongue], "article": violation.article,
        "penalty": violation.penalty, "classes": sorted(rule.classes), "band_m": rule.band_m, "zone": rule.zone,
        "activities": sorted(rule.activities), "when": rule.when, "min_looks": rule.min_looks, "gone_s": rule.gone_s,
        "guard": rule.guard[tongue], **{number: getattr(rule, number) for number in NUMBERS},
    }  # fmt: skip


def _head(row: dict[str, Any], tongue: str) -> str:
    where = (
        _TEXTS["band"][tongue].format(band=row["band_m"])
        if row["band_m"] is not None
        else _TEXTS["zone"][tongue].format(zone=row["zone"])
    )
    article = _TEXTS["article"][tongue].format(article=row["article"])
    words = [*row["activities"], row["when"]]
    *doing, when = [_WORDS.get(word, word) for word in words] if tongue == "zh" else words
    return f"{row['rule']}: {row['title']} ({article}): {', '.join(row['classes'])}; {where}; {', '.join(doing)}; {when}"


def _numbers(row: dict[str, Any], tongue: str) -> str:
    small = _TEXTS["min_box"][tongue].format(**row) if row["min_box_px"] else ""
    return _TEXTS["numbers"][tongue].format(**row) + small

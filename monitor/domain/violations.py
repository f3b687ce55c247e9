"""The catalogue of suspected violations, and the rules by which a camera may suspect one.

Articles are those of the Law of the PRC on the Protection of Oil and Natural Gas Pipelines (2010), which
covers transmission pipelines only (Art 2). A camera suspects; only a person confirms.
"""

from collections.abc import Collection
from typing import Literal

import msgspec

Activity = Literal["passing", "stopped", "working"]
ZoneKind = Literal["on_pipe", "valve", "patrol_track", "marker", "crossing"]

LAW = {
    "en": "Law of the PRC on the Protection of Oil and Natural Gas Pipelines (2010)",
    "zh": "《中华人民共和国石油天然气管道保护法》（2010）",
}


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the catalogue."""

    code: str
    #: article that forbids it; empty where none does (yet): what it is must be seen first
    article: str
    #: article that names the penalty; empty as well then
    penalty: str
    title: dict[str, str]
    #: does the law know lawful work of this kind? 'none': a permit is shown but never lowers the level
    permit: Literal["none", "approval"]
    #: points towards the level for the kind of violation alone (monitor.domain.risk)
    severity: int
    #: the distance that the article names, if it names one
    band_m: float | None = None
    #: reported to the police as well
    police: bool = False
    edition: str = "2010"
    in_force_from: str = "2010-10-01"


def _row(
    code: str,
    article: str,
    penalty: str,
    permit: Literal["none", "approval"],
    severity: int,
    en: str,
    zh: str,
    band_m: float | None = None,
    police: bool = False,
) -> Violation:
    return Violation(
        code=code, article=article, penalty=penalty, permit=permit, severity=severity,
        title={"en": en, "zh": zh}, band_m=band_m, police=police,
    )  # fmt: skip


_ROWS = (
    _row("excavation_5m", "30(2)", "52", "none", 50,
         "Machine excavation within 5 m of the centreline", "管道中心线5米内机械挖掘", 5.0),
    _row("fire_5m", "30(2)", "52", "none", 50,
         "Open fire within 5 m of the centreline", "管道中心线5米内用火", 5.0),
    _row("building_5m", "30(3)", "52", "none", 30,
         "Building, greenhouse, pen, pond or ditch within 5 m", "管道中心线5米内建筑物、大棚、水塘、沟渠", 5.0),
    _row("planting_5m", "30(1)", "52", "none", 15,
         "Deep-rooted planting within 5 m", "管道中心线5米内种植深根植物", 5.0),
    _row("lines_over_facility", "29", "52", "none", 25,
         "Power or communication lines above facilities, or digging over gas storage",
         "在管道设施上方架设线路或在储气库上方钻挖"),
    _row("heavy_vehicle_on_track", "28(4)", "54", "none", 30,
         "Heavy vehicle on the patrol track above the pipe", "重型车辆在管道巡护便道上方行驶"),
    _row("on_pipe", "28(5)", "54", "none", 25,
         "Walking on, or weight placed on, an above-ground pipe", "在地面管道或管桥上行走、放置重物"),
    _row("marker_damaged", "28(3)", "54", "none", 20,
         "Pipeline marker moved or damaged", "移动、毁损管道标志"),
    _row("valve_operated", "28(1)", "54", "none", 40,
         "Person at a valve without authority", "擅自开启、关闭管道阀门"),
    _row("theft", "28(2)", "51", "none", 55,
         "Drilling, cutting or theft on the pipe", "打孔、切割、盗窃管道及油气", police=True),
    _row("river_works_500m", "32", "52", "approval", 35,
         "Anchoring, dredging, quarrying or blasting near a river crossing",
         "穿越河流管道附近抛锚、挖砂、水下爆破", 500.0),
    _row("tunnel_works_1000m", "33(1)", "52", "none", 35,
         "Quarrying, mining or blasting near a pipeline tunnel", "管道隧道附近采石、采矿、爆破", 1000.0),
    _row("crossing_works", "35(1)", "53", "approval", 40,
         "Crossing works without approval", "未经批准穿跨越管道施工"),
    _row("works_50m", "35(2)", "53", "approval", 35,
         "Road, rail, canal or cable works within 50 m without approval",
         "管道中心线5至50米内未经批准新建道路、铁路、沟渠、电缆等工程", 50.0),
    _row("engineering_200m", "35(3)", "53", "approval", 30,
         "Engineering excavation, drilling or blasting within 200 m without approval",
         "管道中心线200米内未经批准爆破、钻探、工程挖掘", 200.0),
    # Fewer than no points: whatever is added (band, HCA III, dwell, night, repeats: 65 at most) it stays level IV.
    _row("unexplained_change", "", "", "none", -30,
         "Something has changed and stays; the camera does not know what", "现场出现持续变化，摄像机无法识别"),
)  # fmt: skip

CATALOGUE: dict[str, Violation] = {row.code: row for row in _ROWS}


Numbers = Literal["enter_score", "leave_score", "dwell_s", "min_box_px"]
When = Literal["always", "day", "night"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When a camera may suspect a violation: who, where, how long, doing what, when. A row of the table.

    A camera may set the numbers within the limits of `monitor.domain.rulebook`.
    """

    rule_id: str
    violation: str
    classes: frozenset[str]
    #: either a distance to the centreline …
    band_m: float | None = None
    #: … or a zone drawn in the picture
    zone: ZoneKind | None = None
    #: stream seconds that the object must have been there, in that activity
    dwell_s: float
    activities: frozenset[Activity]
    #: the law knows no hours: a row that holds by day or by night only says why
    when: When = "always"
    #: minimum evidence: looks of the detector that must have found it so, within the dwell
    min_looks: int = 3
    #: … and the height of its box in pixels of the full frame; smaller ones open nothing
    min_box_px: float = 0.0
    #: calibrated score that opens an episode, and the lower one that keeps it open
    enter_score: float = 0.5
    leave_score: float = 0.3
    #: stream seconds without the object after which the episode ends
    gone_s: float = 8.0
    #: only where the model's card ships the class by name, never where a card says nothing
    if_shipped: bool = False
    #: a camera may switch it off, or keep it to some hours, with a reason; never the last row that tells of a
    #: prohibited act
    may_be_off: bool = False
    #: why this row does not cry wolf
    guard: dict[str, str]
    #: False: switched off, or not in force at this moment. It stays in the table, since its article is the
    #: outer one of the next narrower band
    on: bool = True


#: No model's class: what changed for good and nothing explains (edge.unexplained).
UNEXPLAINED = "unexplained"
_MACHINES = frozenset({"excavator", "loader", "drill_rig", "crane"})
_DIGGERS = frozenset({"excavator", "loader", "drill_rig"})

RULES: tuple[Rule, ...] = (
    Rule(rule_id="dig-5m", violation="excavation_5m", classes=_DIGGERS, band_m=5.0, dwell_s=4.0,
         activities=frozenset({"working"}),
         guard={"en": "the body stands while something inside its box moves", "zh": "机身不动而框内有部件在动"}),
    Rule(rule_id="stopped-5m", violation="excavation_5m", classes=_DIGGERS, band_m=5.0, dwell_s=20.0,
         activities=frozenset({"stopped", "working"}), may_be_off=True,
         guard={"en": "a machine that passes never counts", "zh": "路过的机械不计"}),
    Rule(rule_id="works-50m", violation="works_50m", classes=_MACHINES, band_m=50.0, dwell_s=20.0,
         activities=frozenset({"working"}), may_be_off=True,
         guard={"en": "working only; parked machines are lawful here", "zh": "仅计作业中的机械；在此停放合法"}),
    Rule(rule_id="works-200m", violation="engineering_200m", classes=_MACHINES, band_m=200.0, dwell_s=30.0,
         activities=frozenset({"working"}), may_be_off=True,
         guard={"en": "working only; parked machines are lawful here", "zh": "仅计作业中的机械；在此停放合法"}),
    Rule(rule_id="person-on-pipe", violation="on_pipe", classes=frozenset({"person"}), zone="on_pipe",
         dwell_s=3.0, activities=frozenset({"passing", "stopped", "working"}),
         guard={"en": "feet inside the drawn zone for three seconds", "zh": "双脚在所画区域内停留三秒"}),
    Rule(rule_id="person-at-valve", violation="valve_operated", classes=frozenset({"person"}), zone="valve",
         dwell_s=10.0, activities=frozenset({"stopped", "working"}),
         guard={"en": "who passes by never counts", "zh": "路过者不计"}),
    Rule(rule_id="heavy-on-track", violation="heavy_vehicle_on_track",
         classes=frozenset({"truck", "excavator", "loader", "crane"}), zone="patrol_track", dwell_s=3.0,
         activities=frozenset({"passing", "stopped", "working"}),
         guard={"en": "wheels inside the drawn track", "zh": "车轮在所画便道内"}),
    Rule(rule_id="fire-5m", violation="fire_5m", classes=frozenset({"fire"}), band_m=5.0, dwell_s=5.0,
         activities=frozenset({"passing", "stopped", "working"}), if_shipped=True,
         guard={"en": "a flame stays for five seconds; only with a model whose figures for fire are good enough",
                "zh": "火焰持续五秒；且仅当模型对火焰的指标足够好"}),
    Rule(rule_id="unexplained-50m", violation="unexplained_change", classes=frozenset({UNEXPLAINED}), band_m=50.0,
         dwell_s=120.0, activities=frozenset({"passing", "stopped", "working"}), gone_s=90.0, may_be_off=True,
         guard={"en": "stands for two minutes, no light, and no object that the detector saw there",
                "zh": "持续两分钟，并非光影，且检测器未见该处有物体"}),
    Rule(rule_id="unexplained-on-pipe", violation="unexplained_change", classes=frozenset({UNEXPLAINED}),
         zone="on_pipe", dwell_s=120.0, activities=frozenset({"passing", "stopped", "working"}), gone_s=90.0, may_be_off=True,
         guard={"en": "stands for two minutes, no light, and no object that the detector saw there",
                "zh": "持续两分钟，并非光影，且检测器未见该处有物体"}),
)  # fmt: skip
"""Shipped rules; `rules_for` says which of them hold with the model that runs. Smoke has none: no article
forbids it."""


def rules_for(shipped: frozenset[str] | None, rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The rules as far as a model's classes may raise an alarm.

    Args:
        shipped: classes that the model's card ships; None if the card says nothing, which forbids no class
            but arms no row that wants its class shipped by name.
        rules: the table.

    >>> [rule.rule_id for rule in rules_for(frozenset({"person"}))]
    ['person-on-pipe', 'person-at-valve', 'unexplained-50m', 'unexplained-on-pipe']
    """
    if shipped is None:
        return tuple(rule for rule in rules if not rule.if_shipped)
    kept = (msgspec.structs.replace(rule, classes=rule.classes & (shipped | {UNEXPLAINED})) for rule in rules)
    return tuple(rule for rule in kept if rule.classes)


def alarm_classes(shipped: Collection[str] | None) -> frozenset[str]:
    """The model's classes on which some rule may raise an alarm if its card ships these.

    >>> sorted(alarm_classes(["person", "car"]))
    ['person']
    """
    held = rules_for(None if shipped is None else frozenset(shipped))
    return frozenset().union(*(rule.classes for rule in held)) - {UNEXPLAINED}


def graded_as(violation: str, rule_id: str, *, may_lie_within: bool) -> str:
    """The violation whose severity counts for the grade.

    An event that only may lie within a band names the outer band's article but is graded as the inner one,
    that of the rule that it matched (design.md, 'Bands and errors').

    >>> graded_as("works_50m", "dig-5m", may_lie_within=True)
    'excavation_5m'
    """
    if not may_lie_within:
        return violation
    return next((rule.violation for rule in RULES if rule.rule_id == rule_id), violation)

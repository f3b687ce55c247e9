"""What an officer looks for on site, row by row of the catalogue, and what a site or an alert adds. Data and pure.

A list says what to see and to ask so that the article can be held against it: the article's own distance is
measured, the article's own approval is asked for. Which items are still open is alerts.visiting.checks' to say.
Sources: the Law's articles as the catalogue names them (monitor.domain.violations), Art 37 for the notice seven
days before, and what any inspection needs to be evidence (行政处罚法, Art 41): place, person, time.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from monitor.domain.assets import SiteCheck, Text
from monitor.domain.violations import CATALOGUE


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a checklist."""

    key: str
    text: Text
    #: the case is not put down as put right while it is open, unless the officer says why
    required: bool = True
    #: answered with a distance in metres
    measured: bool = False


def _i(key: str, en: str, zh: str, *, required: bool = True, measured: bool = False) -> Item:
    return Item(key=key, text={"en": en, "zh": zh}, required=required, measured=measured)


#: on every list, first …
_FIRST: Final = (
    _i(
        "place",
        "This is the alert's place: stake number and picture agree",
        "现场与告警位置一致：桩号与画面相符",
    ),
    _i("who", "Who works here and for whom: company, person in charge", "作业单位及现场负责人已问清"),
)
#: … and last
_LAST: Final = (
    _i("pipe_sound", "No damage to pipe, coating or marker; no smell or hiss (else go away and call)",
       "管道、防腐层、标志无损坏，无异味、异响（否则立即撤离并报告）"),
    _i("explained", "The article was explained and the person has understood it", "已告知法条，当事人已知晓"),
)  # fmt: skip
_DISTANCE: Final = _i("distance", "Distance from the machine's or thing's nearest edge to the centreline, measured, in metres",
                      "测量机械或物体最近边缘至管道中心线的距离（米）", measured=True)  # fmt: skip
_APPROVAL: Final = (
    _i("approval", "The approval is on site: number, place, dates and machines fit the work",
       "现场有批准文件：编号、地点、期限、机械与作业相符"),
    _i("agreement", "A safety agreement with the operator exists", "已与管道企业签订安全防护协议"),
    _i("notice", "The operator had written notice seven days before (Art 37)", "已提前七日书面通知管道企业（第37条）"),
    _i("guarded", "The operator's own man watches the work, as the approval asks", "管道企业已派员现场监护", required=False),
)  # fmt: skip

#: by code of the catalogue: what that violation alone asks for
_OWN: Final[dict[str, tuple[Item, ...]]] = {
    "excavation_5m": (
        _DISTANCE,
        _i("stopped", "The machine is off and stands outside of 5 m", "机械已停机并撤出5米以外"),
        _i("pit", "Depth and place of the pit noted; the pipe is not bare", "已记录坑深及位置，管道未裸露"),
        _i("filled", "The pit is filled in, or fenced until it is", "坑已回填，或已围护待回填", required=False),
    ),
    "fire_5m": (
        _DISTANCE,
        _i("out", "The fire is out and its embers are cold", "明火已扑灭，余烬已冷却"),
        _i("cause", "What burned, who lit it, and why", "已查明燃烧物、点火人及原因"),
        _i("gas", "Gas measured before coming near, where the pipe carries gas", "输气管道：靠近前已检测可燃气体", required=False),
    ),
    "building_5m": (
        _DISTANCE,
        _i("what", "What is built (building, greenhouse, pen, pond, ditch) and how far it is", "已查明建设内容（房屋、大棚、圈舍、水塘、沟渠）及进度"),
        _i("stopped", "Building is stopped", "已停止建设"),
        _i("removal", "Who removes it until when is agreed in writing", "已书面约定拆除责任人及期限", required=False),
    ),
    "planting_5m": (
        _DISTANCE,
        _i("plants", "What is planted, how many, how deep its roots go", "已查明植物种类、数量及根深"),
        _i("removal", "Who takes it out until when is agreed", "已约定清除责任人及期限", required=False),
    ),
    "lines_over_facility": (
        _i("what", "Which line, cable or digging, and above which facility", "已查明线路、电缆或钻挖类型及所在设施"),
        _i("height", "Height or depth to the facility, measured, in metres", "测量与设施的净高或净深（米）", measured=True),
        _i("stopped", "Work is stopped", "已停止作业"),
    ),
    "heavy_vehicle_on_track": (
        _i("vehicle", "Kind of vehicle, number plate, load", "已记录车型、车牌及载荷"),
        _i("off", "It is off the track above the pipe", "车辆已驶离管道上方便道"),
        _i("track", "Ruts or subsidence above the pipe looked for", "已检查便道车辙、沉降"),
        _i("closed", "Barrier and sign of the track are there", "便道限行设施及标志完好", required=False),
    ),
    "on_pipe": (
        _i("off", "Nobody and nothing is on the pipe any more", "管道上已无人员及重物"),
        _i("support", "Supports, coating and clamps of the span are sound", "管桥支座、防腐层、管卡完好"),
        _i("sign", "Fence and warning sign are there", "围栏及警示标志完好", required=False),
    ),
    "marker_damaged": (
        _i("marker", "Number of the marker, and what was done to it", "已记录标志编号及损毁情况"),
        _i("restored", "It stands again at its place, or a provisional one does", "标志已复位，或已设临时标志"),
        _i("digging", "Nobody has dug beside it", "周边无动土痕迹"),
    ),
    "valve_operated": (
        _i("control_room", "The operator's control room was called before anything was touched", "触碰前已联系管道企业调度室"),
        _i("position", "Position of the valve as found, and what the control room says it should be", "已记录阀位并与调度核对"),
        _i("seal", "Seal and lock: number, whole or broken", "已检查铅封、锁具编号及完好情况"),
    ),
    "theft": (
        _i("police", "The police are called; nobody goes near alone", "已报警，不单独靠近"),
        _i("leak", "Smell, hiss, wet ground looked for from upwind", "已在上风向观察异味、异响、渗漏"),
        _i("traces", "Traces are untouched and photographed from a distance", "保护痕迹，远距离拍照"),
        _i("tap", "Place of the tap or cut, if seen, by stake number", "如发现打孔点，已按桩号记录", required=False),
    ),
    "river_works_500m": (
        _i("distance", "Distance along the river to the crossing, measured, in metres", "测量沿河至穿越处的距离（米）", measured=True),
        _i("vessels", "Which vessels or machines: anchored, dredging, blasting", "已查明船只、机械及作业（抛锚、挖砂、爆破）"),
        _i("upkeep", "Flood control or channel upkeep: its order was seen", "如为防洪或航道疏浚：已查验批准文件"),
        _i("stopped", "Anchors are up or the work is stopped", "已起锚或停止作业"),
    ),
    "tunnel_works_1000m": (
        _i("distance", "Distance to the tunnel, in metres", "测量至隧道的距离（米）", measured=True),
        _i("blasting", "Blasting: charges, times and permit of the blasters", "爆破：药量、时间及爆破许可"),
        _i("public_works", "Public works by Art 33(2): their approval was seen", "如为第33条第2款公共工程：已查验批准文件", required=False),
        _i("stopped", "Work is stopped, or is lawful", "已停止作业，或属合法作业"),
    ),
    "crossing_works": (
        _i("chainage", "The approval names this chainage", "批准文件载明该里程"),
        *_APPROVAL,
        _i("by_hand", "Beside the pipe they dig by hand", "管道两侧人工开挖"),
    ),
    "works_50m": (_DISTANCE, *_APPROVAL, _i("outside_5m", "Nothing is dug within 5 m", "5米内无动土")),
    "engineering_200m": (
        _DISTANCE,
        *_APPROVAL,
        _i("method", "Blasting, drilling, seismic survey or digging: method, charge, depth", "已查明作业方式（爆破、钻探、勘探、挖掘）、药量及深度"),
    ),
    "unexplained_change": (
        _i("what", "What has changed: thing, ground, plants, light", "已查明变化：物体、地面、植物或光影"),
        _i("row", "Whether it is one of the Law's violations, and which", "是否属于法定违法情形，属于哪一条"),
        _i("camera", "Whether the camera itself is dirty, moved or covered", "摄像机是否脏污、移位、遮挡", required=False),
    ),
}  # fmt: skip

_MAY_LIE_WITHIN: Final = _i("distance", "The camera says that it may lie within the nearer band: measure the distance to the centreline, in metres",
                            "摄像机判断可能在更近距离带内：请测量至管道中心线的距离（米）", measured=True)  # fmt: skip

#: of a permit that ends soon and is looked at because somebody is there
PERMIT_ITEMS: Final = (
    _i("place", "Work stays within the permit's stretch and strip", "作业在许可里程及范围内"),
    _i("hours", "Work keeps to the permit's hours and dates", "作业符合许可时段及期限"),
    _i("machines", "No other or further machines than it names", "机械类型及数量与许可相符"),
    _i("finished", "Work will be finished by its end, or a prolongation is asked for", "将于到期前完工，或已申请延期"),
)  # fmt: skip


def checklist(
    violation: str | None, *, may_lie_within: bool = False, site_checks: Iterable[SiteCheck] = ()
) -> tuple[Item, ...]:
    """The list for one alert: what every case needs, what this violation needs, what the site adds.

    A code that the catalogue does not have gets what every case needs: nobody stands there without a list.

    >>> [item.key for item in checklist("planting_5m")]
    ['place', 'who', 'distance', 'plants', 'removal', 'pipe_sound', 'explained']
    """
    own = list(_OWN.get(violation or "", ()))
    if may_lie_within:
        own = [_MAY_LIE_WITHIN, *(item for item in own if item.key != _MAY_LIE_WITHIN.key)]
    added = (
        Item(key=f"site.{check.check_id}", text=check.text, required=check.required)
        for check in site_checks
        if not check.violations or violation in check.violations
    )
    return (*_FIRST, *own, *added, *_LAST)


def has_own(violation: str) -> bool:
    """Whether the catalogue's row has items of its own."""
    return violation in CATALOGUE and bool(_OWN.get(violation))

"""The demo's configuration: the made-up city of examples/city.yaml with four cameras of its own.

- `cam-field`: our rendered excavator, laid beside the gas pipeline of a grade III HCA; surveyed points and
  centreline come from the renderer, so that its truth can judge the chain. Labelled simulated everywhere.
- `cam-path`: real footage over RTSP, people on a campus. The marked strip is drawn in the picture.
- `cam-trees`: real footage over RTSP, whose stream is cut half-way.
- `cam-works`: the same rendering laid 25 m beside the pipeline of another HCA, where a permit of the demo allows
  works: a supervised record that disturbs nobody. Labelled simulated too.

The file is written for people too: `hcawatch check` takes it, `hcawatch up --config` runs it.
"""

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml

from hcawatch.demo.clips import Truth
from hcawatch.demo.placement import Placement, place
from monitor.domain.assets import LonLat
from monitor.domain.geometry import Centreline, LocalFrame

EDGE = "edge-demo"
FIELD, PATH, TREES, WORKS = "cam-field", "cam-path", "cam-trees", "cam-works"
#: of the made-up permit, and the company that has it
PERMIT, COMPANY = "DEMO-2026-7", "Haitang Roads Ltd (made up)"
#: how far the lawful works lie beside the pipeline, and how much of the line their permit covers on both sides
_WORKS_BESIDE_M, _PERMIT_REACH_M = 25.0, 120.0
#: the story digs for half a minute only
_WORKS_DWELL_S = 4.0
TEAM = "team-demo"
OFFICERS = ("officer-lin", "officer-wang")
#: where in vtest.avi people walk over the lawn: the strip that the demo's zone marks
STRIP_PX = ((180.0, 455.0), (425.0, 445.0), (425.0, 575.0), (180.0, 575.0))
_SURVEY_DIGITS = 9  # of a degree: a tenth of a millimetre


class DemoSetting(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo has to know about its own configuration."""

    config: Path
    #: where the excavator digs, by the renderer's truth
    true_place: LonLat
    field_site: str
    path_site: str


class BaseCityMissing(Exception):
    """examples/city.yaml is not where it should be; the message says where."""


def base_city_file() -> Path:
    """The made-up city, in a checkout or beside this file in an installed wheel."""
    here = Path(__file__)
    for candidate in (here.parents[2] / "examples" / "city.yaml", here.with_name("city.yaml")):
        if candidate.exists():
            return candidate
    raise BaseCityMissing(f"examples/city.yaml is missing beside {here.parents[2]}: reinstall hcawatch")


def write_setting(
    target: Path,
    *,
    base: dict[str, Any],
    truth: Truth,
    field_clip: Path,
    path_url: str,
    trees_url: str,
    loop: bool,
    today: date,
) -> DemoSetting:
    """Write the demo's YAML to `target`; `base` is the parsed examples/city.yaml. The permit holds about `today`."""
    gas = next(p for p in base["pipelines"] if p["medium"] == "gas")
    worst = _middle([h for h in base["hcas"] if h["pipeline"] == gas["id"] and h["grade"] == "III"])
    mild = _middle([h for h in base["hcas"] if h["grade"] == "I"])
    other = _middle([h for h in base["hcas"] if h["grade"] == "II"])
    placement = _splice(gas, truth, (worst["from_m"] + worst["to_m"]) / 2)
    lawful = next(
        h for h in base["hcas"] if h["pipeline"] == gas["id"] and h["grade"] == "II" and h is not other
    )
    works_at_m = (lawful["from_m"] + lawful["to_m"]) / 2
    document = {
        **base,
        "pipelines": [gas if p["id"] == gas["id"] else p for p in base["pipelines"]],
        "edges": [{"id": EDGE, "name": {"en": "Demo edge", "zh": "演示边缘节点"}, "networks": ["127.0.0.0/8"]}],
        "cameras": [
            _field_camera(truth, placement, worst["id"], field_clip, loop),
            {
                "id": PATH, "edge": EDGE, "site": mild["id"], "source": path_url, "footage": "real",
                "name": {"en": "Campus path", "zh": "校园小路"}, "frame_size_px": [768, 576],
                "position": _beside(base, mild), "looks_per_s": 5.0,
                "zones": [{"id": "strip", "kind": "on_pipe", "polygon_px": [list(p) for p in STRIP_PX],
                           "name": {"en": "Marked strip over the pipe (drawn for the demo)", "zh": "管道标志带（演示用）"}}],
            },
            {
                "id": TREES, "edge": EDGE, "site": other["id"], "source": trees_url, "footage": "real",
                "name": {"en": "Tree line", "zh": "林带"}, "frame_size_px": [320, 240],
                "position": _beside(base, other), "looks_per_s": 2.0,
            },
            # last: it can wait for its turn, its film begins when it is opened
            {
                **_field_camera(truth, _beside_line(gas, truth, works_at_m), lawful["id"], field_clip, loop),
                "id": WORKS, "looks_per_s": 2.0, "name": {"en": "Road works with a permit (simulated)", "zh": "许可道路施工（模拟画面）"},
                "rules": [{"rule": "works-50m", "dwell_s": _WORKS_DWELL_S, "reason": "the demo's works are short"}],
            },
        ],
        "teams": [
            {
                "id": TEAM, "name": {"en": "Field team East", "zh": "东区巡查队"}, "base": _beside(base, worst),
                "members": [
                    {"user": OFFICERS[0], "name": {"en": "Officer Lin", "zh": "林警官"}, "role": "officer"},
                    {"user": OFFICERS[1], "name": {"en": "Officer Wang", "zh": "王警官"}, "role": "officer"},
                ],
            }
        ],
        "permits": [_permit(gas, works_at_m, today)],
    }  # fmt: skip
    document.pop("centre", None)
    target.write_text(
        "# Written by `hcawatch demo`. The city, its pipelines and HCAs are made up.\n"
        + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    )
    return DemoSetting(
        config=target,
        true_place=placement.to_lonlat(truth.standing_at_m()),
        field_site=worst["id"],
        path_site=mild["id"],
    )


def _splice(gas: dict[str, Any], truth: Truth, chainage_m: float) -> Placement:
    """Put the scene's own centreline into the pipeline's at `chainage_m`, in place; returns how it lies."""
    line = Centreline.of(
        tuple((lon, lat) for lon, lat in gas["centreline"]), gas.get("origin_chainage_m", 0.0)
    )
    scene = [(float(e), float(n)) for e, n in truth.centreline["east_north_m"]]
    placement = place((scene[0], scene[-1]), line, chainage_m)
    inserted = [placement.to_lonlat(point) for point in scene]
    reach_m = 100.0
    before = [
        list(v) for v, c in zip(line.vertices, line.chainages_m, strict=True) if c < chainage_m - reach_m
    ]
    after = [
        list(v) for v, c in zip(line.vertices, line.chainages_m, strict=True) if c > chainage_m + reach_m
    ]
    gas["centreline"] = [
        *before,
        *([round(lon, _SURVEY_DIGITS), round(lat, _SURVEY_DIGITS)] for lon, lat in inserted),
        *after,
    ]
    return placement


def _beside_line(gas: dict[str, Any], truth: Truth, chainage_m: float) -> Placement:
    """The scene along the pipeline, but that far to its right."""
    line = Centreline.of(
        tuple((lon, lat) for lon, lat in gas["centreline"]), gas.get("origin_chainage_m", 0.0)
    )
    scene = [(float(e), float(n)) for e, n in truth.centreline["east_north_m"]]
    along = place((scene[0], scene[-1]), line, chainage_m)
    here, ahead = line.at(chainage_m), line.at(chainage_m + 1.0)
    east, north = LocalFrame(here).to_en_m(ahead)
    long = math.hypot(east, north)
    right_m = (north / long * _WORKS_BESIDE_M, -east / long * _WORKS_BESIDE_M)
    return msgspec.structs.replace(along, anchor=LocalFrame(here).to_lonlat(right_m))


def _permit(gas: dict[str, Any], chainage_m: float, today: date) -> dict[str, Any]:
    """What makes those works lawful, for a month about today."""
    return {
        "number": PERMIT, "violation": "works_50m", "pipeline": gas["id"], "company": COMPANY,
        "from_m": round(chainage_m - _PERMIT_REACH_M, 1), "to_m": round(chainage_m + _PERMIT_REACH_M, 1),
        "valid_from": today - timedelta(days=10), "valid_to": today + timedelta(days=20),
        "machines": "1 excavator (simulated)",
    }  # fmt: skip


def _field_camera(truth: Truth, placement: Placement, site: str, clip: Path, loop: bool) -> dict[str, Any]:
    east, north, _up = truth.camera["position_enu_m"]
    return {
        "id": FIELD, "edge": EDGE, "site": site, "source": str(clip), "footage": "simulated",
        "name": {"en": "Field north (simulated)", "zh": "北侧田地（模拟画面）"},
        "frame_size_px": [truth.camera["width_px"], truth.camera["height_px"]],
        "position": _rounded(placement.to_lonlat((float(east), float(north)))),
        "looks_per_s": 5.0, "loop": loop, "survey_sigma_m": 0.1,
        "ground_points": [
            {"pixel": [round(x, 2) for x in point["pixel"]],
             "lonlat": _rounded(placement.to_lonlat((float(point["east_north_m"][0]), float(point["east_north_m"][1]))))}
            for point in truth.ground_points
        ],
    }  # fmt: skip


def _middle(hcas: list[dict[str, Any]]) -> dict[str, Any]:
    """One from the middle of the map, where nothing hides it."""
    return hcas[len(hcas) // 2]


def _beside(base: dict[str, Any], hca: dict[str, Any]) -> list[float]:
    """The middle of an HCA, as [lon, lat]."""
    pipeline = next(p for p in base["pipelines"] if p["id"] == hca["pipeline"])
    line = Centreline.of(
        tuple((lon, lat) for lon, lat in pipeline["centreline"]), pipeline.get("origin_chainage_m", 0.0)
    )
    return _rounded(line.at((hca["from_m"] + hca["to_m"]) / 2))


def _rounded(point: LonLat) -> list[float]:
    return [round(point[0], _SURVEY_DIGITS), round(point[1], _SURVEY_DIGITS)]

"""Judges the configuration that the centre publishes for this edge: taken whole, or refused with every reason.

Pure: bytes, what this edge's own file allows and what is in force go in; the configuration and the answer come
out. Nothing that arrives is trusted: who may speak on the topic is the broker's word, not ours. What is in
force already (a source, a survey) is not asked again.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from shapely.geometry import Polygon
from shapely.validation import explain_validity

from edge.ground import ground_of
from edge.networks import kind_of, redact
from monitor.domain.answers import ANOTHER_DATABASE
from monitor.domain.assets import Camera, City, Mast, PictureZone
from monitor.domain.edge_config import MAX_CONFIG_BYTES, EdgeConfiguration, configuration_of
from monitor.domain.events import ConfigAnswer, ConfigReason
from monitor.domain.geometry import Centreline
from monitor.domain.ground.errors import CalibrationVoid
from monitor.domain.hours import Schedule
from monitor.domain.model_release import is_name
from monitor.domain.rulebook import RuleSetting, setting_faults, zone_faults
from monitor.domain.violations import RULES

#: More reasons than these help nobody.
REASONS_MOST: Final = 20
SAID_MOST: Final = 200
#: From where to where a camera's numbers may be; as in the configuration's schema.
RANGES: Final = {"looks_per_s": (0.5, 30.0), "min_score": (0.01, 0.75), "survey_sigma_m": (0.001, 100.0)}
MAST_RANGES: Final = {
    "height_m": (0.5, 500.0), "pan_deg": (-360.0, 360.0), "tilt_deg": (0.0, 90.0), "roll_deg": (-45.0, 45.0),
    "hfov_deg": (2.0, 150.0), "height_sigma_m": (1e-6, 50.0), "pan_sigma_deg": (1e-6, 30.0),
    "tilt_sigma_deg": (1e-6, 30.0), "roll_sigma_deg": (1e-6, 30.0), "hfov_sigma_deg": (1e-6, 30.0),
    "position_sigma_m": (1e-6, 100.0),
}  # fmt: skip
FRAME_MOST_PX: Final = 65_536
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DECODER: Final = msgspec.json.Decoder(EdgeConfiguration)
_ROWS: Final = {rule.rule_id: rule for rule in RULES}
#: An edge's own file has no number; whatever the centre says is newer.
NO_NUMBER: Final = 0
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What this edge's own file says, and no message can change."""

    edge_id: str
    #: which addresses cameras may be reached at
    networks: tuple[str, ...]
    #: names in the secrets file
    credentials: frozenset[str]
    #: of the file: sources that are files are relative to it, and new ones must lie in it
    folder: Path
    #: sources and substreams that the file names itself
    sources: frozenset[str]


def own_of(city: City, edge_id: str, credentials: Iterable[str], folder: Path) -> Own:
    """What a file says that an edge was started with; KeyError if it has no such edge."""
    edges = {edge.edge_id: edge for edge in city.edges}
    if edge_id not in edges:
        raise KeyError(f"no edge {edge_id!r} in the configuration; there are: {', '.join(edges) or 'none'}")
    ours = [camera for camera in city.cameras if camera.edge_id == edge_id]
    sources = frozenset(
        named for camera in ours for named in (camera.source, camera.substream) if named is not None
    )
    return Own(edge_id=edge_id, networks=edges[edge_id].networks, credentials=frozenset(credentials), folder=folder,
               sources=sources)  # fmt: skip


def of_file(city: City, edge_id: str, config_version: str) -> EdgeConfiguration:
    """An edge's own file as a configuration: older than all that the centre publishes."""
    return configuration_of(city, edge_id, number=NO_NUMBER, since=_LONG_AGO, config_version=config_version)


def localised(configuration: EdgeConfiguration, own: Own) -> EdgeConfiguration:
    """With the paths of sources made absolute."""
    cameras = tuple(
        msgspec.structs.replace(camera, source=_local(camera.source, own)) for camera in configuration.cameras
    )
    return msgspec.structs.replace(configuration, cameras=cameras)


def judge(
    payload: bytes, own: Own, force: EdgeConfiguration, now: datetime
) -> tuple[EdgeConfiguration | None, ConfigAnswer]:
    """What to take from now on (None: go on with what is in force), and the answer.

    Args:
        force: what is in force, localised.
    """

    def refused(*reasons: ConfigReason, number: int | None = None, version: str = "") -> ConfigAnswer:
        kept = reasons[:REASONS_MOST]
        return ConfigAnswer(number=number, config_version=version, taken=False, at=now, reasons=kept)

    if len(payload) > MAX_CONFIG_BYTES:
        return None, refused(_reason("too_large", bytes=len(payload), most=MAX_CONFIG_BYTES))
    try:
        heard = _DECODER.decode(payload)
        if heard.since.tzinfo is None or not 0 < heard.number < 2**53:
            raise ValueError("`since` needs a time zone and `number` is 1 or more")
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        return None, refused(_reason("unreadable", reason=_clipped(str(exc))))
    version = _clipped(heard.config_version)
    if heard.edge_id != own.edge_id:
        return None, refused(
            _reason("another_edge", edge=_clipped(heard.edge_id)), number=heard.number, version=version
        )
    if heard.since < force.since:  # not late: the edge was moved, and a person has to say which one counts
        moved = _reason(ANOTHER_DATABASE, number=heard.number, force=force.number,
                        theirs=heard.since.isoformat(), ours=force.since.isoformat())  # fmt: skip
        return None, refused(moved, number=heard.number, version=version)
    if heard.age < force.age:
        late = _reason("older", number=heard.number, force=force.number)
        return None, refused(late, number=heard.number, version=version)
    heard = localised(heard, own)
    if heard.age == force.age:
        if heard == force:
            return None, ConfigAnswer(number=heard.number, config_version=version, taken=True, at=now)
        return None, refused(
            _reason("same_number", number=heard.number), number=heard.number, version=version
        )
    faults = tuple(_faults(heard, own, force))
    if faults:
        return None, refused(*faults, number=heard.number, version=version)
    return heard, ConfigAnswer(number=heard.number, config_version=version, taken=True, at=now)


def _faults(heard: EdgeConfiguration, own: Own, force: EdgeConfiguration) -> Iterator[ConfigReason]:
    """Everything that is wrong, in the order of the message."""
    try:
        ZoneInfo(heard.timezone)
    except (KeyError, ValueError, OSError):
        yield _reason("timezone_unknown", "city.timezone", name=heard.timezone)
    yield from _ids((p.pipeline_id for p in heard.pipelines), "pipelines")
    yield from _ids((h.site_id for h in heard.hcas), "hcas")
    yield from _ids((c.camera_id for c in heard.cameras), "cameras")
    yield from _ids((s.schedule_id for s in heard.schedules), "schedules")
    for pipeline in heard.pipelines:
        if said := _centreline(pipeline.centreline):
            yield _reason("centreline_bad", f"pipelines[{pipeline.pipeline_id}].centreline", reason=said)
    pipelines = {p.pipeline_id for p in heard.pipelines}
    for hca in heard.hcas:
        if hca.pipeline_id not in pipelines:
            yield _reason("unknown_pipeline", f"hcas[{hca.site_id}].pipeline", name=hca.pipeline_id)
    if heard.model is not None and not is_name(heard.model):
        yield _reason("model_unnamed", f"edges[{own.edge_id}].model", name=heard.model)
    schedules = {s.schedule_id: s for s in heard.schedules}
    yield from _settings(heard.rules, schedules, f"edges[{own.edge_id}]")
    sites, before = {h.site_id for h in heard.hcas}, {c.camera_id: c for c in force.cameras}
    for camera in heard.cameras:
        if camera.edge_id != own.edge_id:
            yield _reason("another_edge", f"cameras[{camera.camera_id}].edge", edge=camera.edge_id)
        if camera.site_id not in sites:
            yield _reason("unknown_site", f"cameras[{camera.camera_id}].site", name=camera.site_id)
        yield from _camera(camera, before.get(camera.camera_id), own, schedules)


def _camera(
    camera: Camera, before: Camera | None, own: Own, schedules: dict[str, Schedule]
) -> Iterator[ConfigReason]:
    path = f"cameras[{camera.camera_id}]"
    yield from _ranges(camera, RANGES, path)
    if camera.mast is not None:
        yield from _ranges(camera.mast, MAST_RANGES, f"{path}.mast")
    for side in camera.frame_size_px or ():
        if not 1 <= side <= FRAME_MOST_PX:
            yield _reason("number_range", f"{path}.frame_size_px", found=side, least=1, most=FRAME_MOST_PX)
    if before is None or (before.source, before.credential) != (camera.source, camera.credential):
        yield from _source(camera, own, path)
    if camera.substream is not None and (before is None or before.substream != camera.substream):
        yield from _substream(camera.substream, own, path)
    if before is None or _survey(before) != _survey(camera):
        try:
            ground_of(camera)
        except (CalibrationVoid, ValueError, ArithmeticError) as exc:
            yield _reason("survey_bad", f"{path}.ground_points", reason=_clipped(str(exc)))
    yield from _ids((zone.zone_id for zone in camera.zones), f"{path}.zones")
    for zone in camera.zones:
        if said := _polygon(zone):
            yield _reason("polygon_bad", f"{path}.zones[{zone.zone_id}].polygon_px", reason=said)
        for fault in zone_faults(zone.kind, zone.within, zone.outside, _ROWS, schedules):
            yield _reason(fault.code, ".".join([f"{path}.zones[{zone.zone_id}]", *fault.path]), **fault.facts)
    yield from _settings(camera.rules, schedules, path)


def _survey(camera: Camera) -> tuple[object, ...]:
    survey = (camera.ground_points, camera.mast, camera.lens, camera.frame_size_px, camera.survey_sigma_m)
    return (*survey, camera.position, camera.calibration_version)


def _ranges(of: Camera | Mast, ranges: dict[str, tuple[float, float]], path: str) -> Iterator[ConfigReason]:
    for name, (least, most) in ranges.items():
        value = getattr(of, name)
        if not least <= value <= most:
            yield _reason(
                "number_range", f"{path}.{name}", found=f"{value:g}", least=f"{least:g}", most=f"{most:g}"
            )


def _settings(
    settings: tuple[RuleSetting, ...], schedules: dict[str, Schedule], path: str
) -> Iterator[ConfigReason]:
    seen: set[str] = set()
    for setting in settings:
        here = f"{path}.rules[{_clipped(setting.rule_id)}]"
        if setting.rule_id in seen:
            yield _reason("id_twice", here, id=setting.rule_id)
        seen.add(setting.rule_id)
        for fault in setting_faults(setting, _ROWS, schedules):
            yield _reason(fault.code, ".".join([here, *fault.path]), **fault.facts)


def _ids(ids: Iterable[str], path: str) -> Iterator[ConfigReason]:
    """Ids stand in topics, file names and keys."""
    seen: set[str] = set()
    for name in ids:
        if not _ID.fullmatch(name):
            yield _reason("id_unsafe", path, id=name)
        elif name in seen:
            yield _reason("id_twice", path, id=name)
        seen.add(name)


def _source(camera: Camera, own: Own, path: str) -> Iterator[ConfigReason]:
    """Whether this edge may open it: by its own file's networks, sources and folder."""
    if camera.credential is not None and camera.credential not in own.credentials:
        yield _reason("credential_unknown", f"{path}.credential", name=camera.credential)
    if camera.source in own.sources:
        return
    refused: Callable[[str], ConfigReason] = lambda why: _reason(  # noqa: E731 - said three times below
        "source_not_allowed", f"{path}.source", source=redact(camera.source), reason=why
    )
    kind = kind_of(camera.source)
    if kind in ("rtsp", "http"):
        if said := _address(camera.source, own.networks):
            yield refused(said)
    elif kind in ("webcam", "stills"):  # both are places outside of its folder as a rule
        yield refused("its own file names no such device or folder")
    elif not Path(camera.source).is_relative_to(own.folder):
        yield refused(f"it lies outside of {own.folder}")


def _substream(substream: str, own: Own, path: str) -> Iterator[ConfigReason]:
    """Only an address, of the own file or in its networks: a file or device would be read in the camera's place."""
    if kind_of(substream) not in ("rtsp", "http"):
        said = "a substream is rtsp(s):// or http(s)://"
    else:
        said = "" if substream in own.sources else _address(substream, own.networks)
    if said:
        yield _reason("source_not_allowed", f"{path}.substream", source=redact(substream), reason=said)


def _address(source: str, networks: tuple[str, ...]) -> str:
    """What is wrong with a URL's host; a name is looked up and checked when it is opened."""
    try:
        parts = urlsplit(source)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no valid URL"
    if not host:
        return "it names no host"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    inside = any(address in ipaddress.ip_network(network, strict=False) for network in networks)
    return "" if inside else f"{address} is outside of {', '.join(networks)}"


def _local(source: str, own: Own) -> str:
    if source in own.sources or kind_of(source) in ("rtsp", "http", "webcam"):
        return source
    head = "stills:" if kind_of(source) == "stills" else ""
    named = Path(source.removeprefix(head).removeprefix("file://").removeprefix("file:"))
    with contextlib.suppress(RuntimeError):  # ~ of a user that this machine has not
        named = named.expanduser()
    return head + os.path.normpath(own.folder / named)  # keeps links, as the own file's paths do


def _polygon(zone: PictureZone) -> str:
    """What keeps a zone from being a polygon; empty if nothing does."""
    if len(zone.polygon_px) < 3:
        return f"it has {len(zone.polygon_px)} corners"
    if not all(
        math.isfinite(value) and abs(value) <= FRAME_MOST_PX for corner in zone.polygon_px for value in corner
    ):
        return "a corner is no pixel"
    polygon = Polygon(zone.polygon_px)
    if not polygon.is_valid:
        return _clipped(str(explain_validity(polygon)))
    return "" if polygon.area > 0 else "it has no area"


def _centreline(vertices: tuple[tuple[float, float], ...]) -> str:
    if any(not (abs(lon) <= 180 and abs(lat) <= 90) for lon, lat in vertices):
        return "a vertex is no [longitude, latitude]"
    try:
        line = Centreline.of(vertices)
    except ValueError as exc:
        return str(exc)
    return "" if line.chainages_m[-1] > 0 else "it has no length"


def _reason(code: str, path: str = "", **facts: object) -> ConfigReason:
    return ConfigReason(code=code, path=_clipped(path), facts={k: _clipped(str(v)) for k, v in facts.items()})


def _clipped(text: str) -> str:
    """Short enough for a status, and fit to be printed."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: SAID_MOST + 1])
    return plain if len(plain) <= SAID_MOST else plain[: SAID_MOST - 1] + "…"

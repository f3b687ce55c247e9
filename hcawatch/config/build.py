"""A `Document` without faults to the values that the parts work with: `City` and `Settings`.

Decides how ids and units of the file become those of `monitor.domain.assets`; fetches secrets.
"""

import hashlib
import json
from typing import Any

from hcawatch.config.calm import calm_of
from hcawatch.config.checks.cameras import LOCAL_SCHEMES, file_of, scheme_of
from hcawatch.config.checks.law import aware
from hcawatch.config.checks.look import Surroundings
from hcawatch.config.gb28181 import gb_centre_of
from hcawatch.config.response import hand_over_of, holidays_of, kind_of, response_of, shifts_of
from hcawatch.config.rules import rules_of, schedules_of
from hcawatch.config.schema import (
    CameraSection,
    ChannelSection,
    DatabaseSection,
    Document,
    MqttSection,
    RiskSection,
    ZoneSection,
    text_of,
)
from hcawatch.config.settings import DetectorSettings, MqttSettings, Permit, Settings
from hcawatch.config.supervision import supervision_of
from monitor.domain.assets import (
    Camera,
    Channel,
    City,
    Contact,
    Device,
    DeviceAlarm,
    Edge,
    GatewayRequest,
    GroundPoint,
    Hca,
    Lens,
    LonLat,
    Mast,
    Member,
    PictureZone,
    Pipeline,
    SiteCheck,
    Team,
)
from monitor.domain.levels import HcaGrade, Level
from monitor.domain.onvif import plain_topic
from monitor.domain.risk import Weights


def city_of(document: Document, around: Surroundings) -> City:
    """The city, with paths of files made absolute."""
    return City(
        name=text_of(document.city.name),
        timezone=document.city.timezone,
        made_up=document.city.made_up,
        pipelines=tuple(
            Pipeline(
                pipeline_id=p.id, name=text_of(p.name), regime=p.regime, medium=p.medium,
                centreline=tuple(_pair(vertex) for vertex in p.centreline),
                origin_chainage_m=p.origin_chainage_m, diameter_mm=p.diameter_mm, pressure_mpa=p.pressure_mpa,
            )
            for p in document.pipelines
        ),
        hcas=tuple(
            Hca(site_id=h.id, pipeline_id=h.pipeline, name=text_of(h.name), grade=HcaGrade(h.grade),
                from_m=h.from_m, to_m=h.to_m)
            for h in document.hcas
        ),
        edges=tuple(
            Edge(edge_id=e.id, name=text_of(e.name), networks=tuple(e.networks), rules=rules_of(e.rules), model=e.model)
            for e in document.edges
        ),
        cameras=tuple(_camera(camera, around) for camera in document.cameras),
        teams=tuple(
            Team(
                team_id=t.id, name=text_of(t.name), sites=tuple(t.sites),
                base=None if t.base is None else _pair(t.base),
                kind=kind_of(t), lead=t.lead, on_call=tuple(t.on_call), shifts=shifts_of(t), hand_over=hand_over_of(t),
                members=tuple(
                    Member(user=m.user, name=text_of(m.name), role=m.role, phone=m.phone, language=m.language,
                           contacts=m.contacts, skills=tuple(m.skills))
                    for m in t.members
                ),
            )
            for t in document.teams
        ),
        schedules=schedules_of(document),
        holidays=holidays_of(document),
        site_checks={
            h.id: tuple(
                SiteCheck(check_id=c.id, text=text_of(c.name), required=c.required, violations=tuple(c.violations))
                for c in h.checks
            )
            for h in document.hcas
            if h.checks
        },
        devices=tuple(
            Device(
                camera_id=d.camera,
                alarms=tuple(DeviceAlarm(topic=plain_topic(a.topic), violation=a.violation) for a in d.alarms),
            )
            for d in document.devices
        ),
        gb28181=gb_centre_of(document),
        channels=tuple(_channel(channel) for channel in document.channels),
        contacts=tuple(
            Contact(contact_id=c.id, name=text_of(c.name), language=c.language, addresses=c.addresses,
                    role=c.role)
            for c in document.contacts
        ),
    )  # fmt: skip


def settings_of(document: Document, around: Surroundings) -> Settings:
    """How it runs. The checks have seen that every secret can be had."""
    centre = document.centre
    return Settings(
        http_host=centre.http.host,
        http_port=centre.http.port,
        database_url=_database_url(centre.database, around),
        mqtt=_mqtt(centre.mqtt, around),
        data_dir=around.resolve(centre.data_dir),
        weights=weights_of(document.risk),
        response=response_of(document.response),
        supervision=supervision_of(document.supervision),
        calm=calm_of(document.calm),
        detectors={
            e.id: DetectorSettings(backend=e.detector, providers=tuple(e.detector_providers)) for e in document.edges
        },
        disk_shares={e.id: e.disk_share for e in document.edges},
        permits=tuple(
            Permit(
                number=p.number, violation=p.violation, pipeline_id=p.pipeline, from_m=p.from_m, to_m=p.to_m,
                valid_from=aware(p.valid_from, document.city.timezone),
                valid_to=aware(p.valid_to, document.city.timezone),
                company=p.company, machines=p.machines,
            )
            for p in document.permits
        ),
    )  # fmt: skip


def weights_of(risk: RiskSection | None) -> Weights:
    """The shipped weights with the file's overrides."""
    shipped = Weights()
    if risk is None:
        return shipped
    given = risk.model_dump(exclude_none=True)
    for table in ("hca", "activity", "level_from"):
        given[table] = {**getattr(shipped, table), **given.get(table, {})}
    return Weights(**given)


def calibration_version(camera: CameraSection) -> str:
    """Names a survey or a mast by what it says: the same points give the same version, 'none' without either."""
    if camera.mast is not None:
        survey = camera.model_dump(include={"mast", "frame_size_px", "position"})
    elif camera.ground_points:
        survey = camera.model_dump(include={"ground_points", "frame_size_px", "survey_sigma_m"})
    else:
        return "none"
    if camera.lens is not None:
        survey["lens"] = camera.lens.model_dump()
    kind = "survey" if camera.mast is None else "mast"
    return f"{kind}-" + hashlib.sha256(json.dumps(survey, sort_keys=True).encode()).hexdigest()[:12]


def _pair(point: list[float]) -> LonLat:
    return float(point[0]), float(point[1])


def _camera(camera: CameraSection, around: Surroundings) -> Camera:
    source = camera.source
    if (scheme := scheme_of(source)) in LOCAL_SCHEMES:
        source = ("stills:" if scheme == "stills" else "") + str(around.resolve(file_of(source)))
    frame = camera.frame_size_px
    return Camera(
        camera_id=camera.id, edge_id=camera.edge, site_id=camera.site, name=text_of(camera.name), source=source,
        gb_id=camera.gb_id, substream=camera.substream, credential=camera.credential, transport=camera.transport, footage=camera.footage,
        position=None if camera.position is None else _pair(camera.position),
        frame_size_px=None if frame is None else (frame[0], frame[1]),
        ground_points=tuple(
            GroundPoint(pixel=_pair(g.pixel), lonlat=_pair(g.lonlat)) for g in camera.ground_points
        ),
        mast=None if camera.mast is None else Mast(**camera.mast.model_dump()),
        calibration_version=calibration_version(camera), survey_sigma_m=camera.survey_sigma_m,
        lens=None if camera.lens is None else Lens(**camera.lens.model_dump()),
        zones=tuple(_zone(zone) for zone in camera.zones),
        looks_per_s=camera.looks_per_s, loop=camera.loop, min_score=camera.min_score, rules=rules_of(camera.rules),
    )  # fmt: skip


def _zone(zone: ZoneSection) -> PictureZone:
    corners = tuple(_pair(corner) for corner in zone.polygon_px)
    return PictureZone(zone_id=zone.id, kind=zone.kind, polygon_px=corners, name=text_of(zone.name),
                       within=zone.within, outside=zone.outside)  # fmt: skip


#: messages a minute that the vendors' pages allow one robot (docs/channels.md)
VENDORS_LIMIT = {"wecom": 20, "dingtalk": 20, "feishu": 100}


def _channel(channel: ChannelSection) -> Channel:
    request = channel.request
    return Channel(
        channel_id=channel.id, kind=channel.kind, language=channel.language,
        per_minute=channel.per_minute or VENDORS_LIMIT.get(channel.kind), timeout_s=channel.timeout_s,
        fallback=channel.fallback, failures_until_open=channel.failures_until_open, open_s=channel.open_s,
        url=channel.url, networks=tuple(channel.networks), host=channel.host, port=channel.port,
        security=channel.security, user=channel.user, sender=channel.sender,
        replies=channel.replies_env is not None or channel.replies_file is not None,
        request=None if request is None else GatewayRequest(**request.model_dump()),
        gb_id=channel.gb_id, transport=channel.transport, confirms=channel.confirms,
        sends=tuple(channel.sends), levels=tuple(Level(level) for level in channel.levels), to=tuple(channel.to),
    )  # fmt: skip


def _secret(env: str | None, file: str | None, around: Surroundings) -> str | None:
    if not around.has_secrets:
        return None
    if env is not None:
        return around.env[env]
    if file is not None:
        return around.resolve(file).read_text(encoding="utf-8").strip()
    return None


def _database_url(database: Any, around: Surroundings) -> str | None:
    if not isinstance(database, DatabaseSection):
        return None
    return _secret(database.url_env, database.url_file, around)


def _mqtt(mqtt: Any, around: Surroundings) -> MqttSettings | None:
    if not isinstance(mqtt, MqttSection):
        return None
    return MqttSettings(
        host=mqtt.host, port=mqtt.port, tls=mqtt.tls, user=mqtt.user,
        ca_file=None if mqtt.ca_file is None else around.resolve(mqtt.ca_file),
        password=_secret(mqtt.password_env, mqtt.password_file, around),
    )  # fmt: skip

"""What is watched, by what and by whom: pipelines, HCAs, cameras, edges, teams.

Values only. They are read from YAML at the rim (`hcawatch.config`) and passed in.
Positions are (lon, lat) in degrees WGS84, picture coordinates pixels of the full frame, lengths metres.
"""

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from monitor.domain.hours import Schedule
from monitor.domain.levels import HcaGrade, Level
from monitor.domain.response import Party
from monitor.domain.rulebook import RuleSetting
from monitor.domain.shifts import Holiday, OnShift, Shift, on_shift

LonLat = tuple[float, float]
Pixel = tuple[float, float]
Text = dict[str, str]
"""A text for people, by language: {"en": …, "zh": …}."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all assets: frozen, by keyword only."""


class Pipeline(Asset, frozen=True, kw_only=True):
    """One pipeline; only regime 'transmission' falls under the Pipeline Protection Law (Art 2)."""

    pipeline_id: str
    name: Text
    regime: Literal["transmission", "urban_gas", "plant"] = "transmission"
    medium: Literal["gas", "oil", "product"] = "gas"
    centreline: tuple[LonLat, ...]
    #: chainage of the first vertex
    origin_chainage_m: float = 0.0
    diameter_mm: float | None = None
    pressure_mpa: float | None = None


class SiteCheck(Asset, frozen=True, kw_only=True):
    """What an officer looks for at one site beside the violation's own checklist."""

    check_id: str
    text: Text
    required: bool = True
    #: codes of the catalogue for which it is asked; all if empty
    violations: tuple[str, ...] = ()


class Hca(Asset, frozen=True, kw_only=True):
    """A high-consequence area: a range of chainage of one pipeline. It is the `site` of events."""

    site_id: str
    pipeline_id: str
    name: Text
    grade: HcaGrade
    from_m: float
    to_m: float


class GroundPoint(Asset, frozen=True, kw_only=True):
    """A surveyed point: where it is in the picture and where on the ground."""

    pixel: Pixel
    lonlat: LonLat


class Lens(Asset, frozen=True, kw_only=True):
    """A calibrated lens in OpenCV's meaning: radius_seen = r (1 + k1 r² + k2 r⁴), r in focal lengths."""

    k1: float
    k2: float = 0.0
    #: focal length, in pixels of `frame_size_px`
    f_px: float
    #: where the optical axis meets the picture; its middle if left out
    cx: float | None = None
    cy: float | None = None


class Mast(Asset, frozen=True, kw_only=True):
    """Where a camera looks to, in place of surveyed points: over level ground, from the camera's `position`.

    The sigmas are 1-sigma errors. As shipped they are what one person reaches with a tape, the inclinometer and
    compass of a phone and a position read off a map.
    """

    height_m: float
    #: of the optical axis: clockwise from true north, and below the horizon
    pan_deg: float
    tilt_deg: float
    #: clockwise as seen from behind the camera
    roll_deg: float = 0.0
    #: between the middle of the picture's left border and of its right one
    hfov_deg: float
    height_sigma_m: float = 0.2
    pan_sigma_deg: float = 3.0
    tilt_sigma_deg: float = 0.5
    roll_sigma_deg: float = 0.5
    hfov_sigma_deg: float = 2.0
    position_sigma_m: float = 2.0


class PictureZone(Asset, frozen=True, kw_only=True):
    """A polygon drawn in the picture, for rules that need no distance."""

    zone_id: str
    kind: Literal["on_pipe", "valve", "patrol_track", "marker", "crossing", "ignore"]
    polygon_px: tuple[Pixel, ...]
    name: Text = msgspec.field(default_factory=dict)
    #: names of a schedule, 'day' or 'night': the zone holds only within, or only outside of it
    within: str | None = None
    outside: str | None = None


class Camera(Asset, frozen=True, kw_only=True):
    """One camera: where its picture comes from, what it looks at, how it is put on the ground."""

    camera_id: str
    edge_id: str
    site_id: str
    name: Text
    #: rtsp://, http(s)://, file path, folder of images, 'stills:' and a folder that a camera fills, or 'webcam:0';
    #: credentials are never in here
    source: str
    #: a smaller stream of the same picture: it is looked at, and the other one is kept when something goes on
    substream: str | None = None
    #: name of the credential in the edge's own secrets file
    credential: str | None = None
    #: how an RTSP camera sends: inside the connection (nothing is lost), beside it, or as it takes it
    transport: Literal["tcp", "udp", "auto"] = "tcp"
    #: 'simulated' is said wherever the picture is shown
    footage: Literal["real", "simulated"] = "real"
    position: LonLat | None = None
    frame_size_px: tuple[int, int] | None = None
    ground_points: tuple[GroundPoint, ...] = ()
    #: in place of ground points
    mast: Mast | None = None
    calibration_version: str = "none"
    #: 1-sigma error of the survey itself
    survey_sigma_m: float = 0.1
    #: None: unknown, so estimated with the ground plane as far as the survey tells
    lens: Lens | None = None
    zones: tuple[PictureZone, ...] = ()
    #: its id by GB/T 28181, by which platforms know it
    gb_id: str | None = None
    #: analysed pictures per second while something moves
    looks_per_s: float = 5.0
    #: plays a file once in real time and then counts as ended, instead of looping
    loop: bool = False
    min_score: float = 0.4
    #: rows of the table of rules whose numbers this camera sets
    rules: tuple[RuleSetting, ...] = ()


class Edge(Asset, frozen=True, kw_only=True):
    """An edge worker: one box beside the pipeline."""

    edge_id: str
    name: Text
    #: cameras are reached only inside these networks (CIDR); files and webcams need none
    networks: tuple[str, ...] = ("127.0.0.0/8",)
    #: settings of rules for all its cameras that have none of their own for that row
    rules: tuple[RuleSetting, ...] = ()
    #: name of the promoted set of weights that it is to use (monitor.domain.model_release); None: its own
    model: str | None = None


class Member(Asset, frozen=True, kw_only=True):
    """A person who can be dispatched; the user name is the login."""

    user: str
    name: Text
    role: Literal["officer", "patrol"]
    phone: str | None = None
    #: the language that messages to this person are written in
    language: Literal["en", "zh"] = "zh"
    #: where he or she is reached, by channel
    contacts: dict[str, str] = msgspec.field(default_factory=dict)
    #: what a violation may ask for (monitor.domain.response.Response.skills), e.g. police_liaison
    skills: tuple[str, ...] = ()


class Team(Asset, frozen=True, kw_only=True):
    """A field team: its members, the HCAs that it covers (all if empty), and when they work."""

    team_id: str
    name: Text
    #: whose clock runs while it is sent: the operator's own patrol, or the authority's officers
    kind: Party = "authority"
    members: tuple[Member, ...]
    sites: tuple[str, ...] = ()
    base: LonLat | None = None
    #: user name of who leads it; hears first when a clock runs out
    lead: str | None = None
    #: user names of who is sent while nobody is on shift, in this order
    on_call: tuple[str, ...] = ()
    #: none: everybody is always on shift
    shifts: tuple[Shift, ...] = ()
    #: how long members stay after the end of their shift
    hand_over: timedelta = timedelta(0)

    def on_shift(self, at: datetime, timezone: ZoneInfo, holidays: tuple[Holiday, ...]) -> OnShift:
        """Who works at `at`, and until when that holds."""
        return on_shift(self, at, timezone, holidays)


class Contact(Asset, frozen=True, kw_only=True):
    """Somebody who is told and never sent: the holder of a permit, a duty desk, the company's manager."""

    contact_id: str
    name: Text
    #: hears what a chain tells the control room's operators or supervisors
    role: Literal["operator", "supervisor"] | None = None
    language: Literal["en", "zh"] = "zh"
    #: where he or she is reached, by channel
    addresses: dict[str, str]


ChannelKind = Literal[
    "mqtt", "webhook", "email", "sms", "voice", "webpush", "wecom", "dingtalk", "feishu", "cap", "gb28181"
]


class GatewayRequest(Asset, frozen=True, kw_only=True):
    """What a gateway for text messages or calls wants to be sent; braces in the values name facts of the message."""

    form: Literal["json", "form"] = "json"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: dict[str, str]
    #: a gateway that answers 200 to everything says in this field of its JSON answer …
    success_field: str | None = None
    #: … whether it took the message
    success_value: str = "0"


class Channel(Asset, frozen=True, kw_only=True):
    """One way by which messages reach people. Its secrets are not in here (hcawatch.config.channel_secrets)."""

    channel_id: str
    kind: ChannelKind
    #: of messages to somebody whose language is not known, such as a group
    language: Literal["en", "zh"] = "zh"
    #: never more messages than this within any minute; None: no limit
    per_minute: int | None = None
    timeout_s: float = 10.0
    #: the channel that takes over what this one cannot deliver
    fallback: str | None = None
    #: failures in a row after which the channel counts as out of order …
    failures_until_open: int = 5
    #: … and for how long, until one message tries it again
    open_s: float = 60.0
    #: None where it is a secret, or each address is a URL of its own
    url: str | None = None
    #: networks (CIDR) that it may reach beside public addresses
    networks: tuple[str, ...] = ()
    #: of e-mail
    host: str | None = None
    port: int | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    #: an e-mail's From, or the sender that CAP messages name
    sender: str | None = None
    request: GatewayRequest | None = None
    #: officers answer by text message (docs/field.md); its secret is not in here
    replies: bool = False
    #: what goes out on it without being asked for
    sends: tuple[Literal["dispatches", "alerts"], ...] = ()
    #: of GB/T 28181: the upper platform's id, how it is reached, and whether it confirms each alarm by a message
    gb_id: str | None = None
    transport: Literal["udp", "tcp"] = "udp"
    confirms: bool = False
    #: of `alerts`: only of these levels …
    levels: tuple[Level, ...] = (Level.I, Level.II)
    #: … and to these addresses, where the channel has addresses
    to: tuple[str, ...] = ()


class DeviceAlarm(Asset, frozen=True, kw_only=True):
    """An event of a device, and the violation that it stands for."""

    #: ONVIF's local topic without namespaces, e.g. RuleEngine/FieldDetector/ObjectsInside, or gb28181/METHOD/TYPE/EVENT
    topic: str
    violation: str


class Device(Asset, frozen=True, kw_only=True):
    """A smart camera whose own alarms count; it publishes on `hcawatch/v1/device/{camera_id}/onvif-ej/…`."""

    camera_id: str
    alarms: tuple[DeviceAlarm, ...]


class GbDevice(Asset, frozen=True, kw_only=True):
    """A device or platform that registers with the centre by GB/T 28181. Its password is not in here."""

    gb_id: str
    #: which camera an alarm is of, by the id that it names
    brings: dict[str, str]
    digest: Literal["MD5", "SHA-256"] = "MD5"


class GbCentre(Asset, frozen=True, kw_only=True):
    """The centre as a SIP server of GB/T 28181."""

    gb_id: str
    realm: str
    #: '' is every address of the machine
    host: str = ""
    port: int = 5060
    #: networks (CIDR) from which devices may come; who is elsewhere gets no answer
    networks: tuple[str, ...]
    #: of AlarmTime
    timezone: str
    #: seconds without a word after which a device counts as silent
    silent_after_s: float = 180.0
    devices: tuple[GbDevice, ...] = ()


class City(Asset, frozen=True, kw_only=True):
    """Everything that one configuration describes."""

    name: Text
    timezone: str = "Asia/Shanghai"
    #: a made-up city says so, wherever its name is shown
    made_up: bool = False
    pipelines: tuple[Pipeline, ...]
    hcas: tuple[Hca, ...]
    edges: tuple[Edge, ...]
    cameras: tuple[Camera, ...]
    teams: tuple[Team, ...]
    #: named hours of the city's clock, for rules and zones
    schedules: tuple[Schedule, ...] = ()
    #: beside MQTT, which is always there
    channels: tuple[Channel, ...] = ()
    contacts: tuple[Contact, ...] = ()
    #: days on which shifts may differ
    holidays: tuple[Holiday, ...] = ()
    #: by site: what officers look for there beside the violation's own checklist; edges need none of it
    site_checks: dict[str, tuple[SiteCheck, ...]] = msgspec.field(default_factory=dict)
    #: smart cameras whose own alarms count
    devices: tuple[Device, ...] = ()
    #: the centre's own place among platforms of GB/T 28181; None: it has none
    gb28181: GbCentre | None = None

    def team(self, team_id: str) -> Team | None:
        """The team of that id, if the city has it (a dispatch may name one that is gone)."""
        return next((team for team in self.teams if team.team_id == team_id), None)

    def on_shift(self, team: Team, at: datetime) -> OnShift:
        """Who of the team works at `at` on this city's clock and calendar."""
        return team.on_shift(at, ZoneInfo(self.timezone), self.holidays)

    def camera(self, camera_id: str) -> Camera:
        """The camera of that id; KeyError if there is none."""
        for camera in self.cameras:
            if camera.camera_id == camera_id:
                return camera
        raise KeyError(camera_id)

    def hca(self, site_id: str) -> Hca:
        """The HCA of that id; KeyError if there is none."""
        for hca in self.hcas:
            if hca.site_id == site_id:
                return hca
        raise KeyError(site_id)

    def pipeline(self, pipeline_id: str) -> Pipeline:
        """The pipeline of that id; KeyError if there is none."""
        for pipeline in self.pipelines:
            if pipeline.pipeline_id == pipeline_id:
                return pipeline
        raise KeyError(pipeline_id)

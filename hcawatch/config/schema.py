"""The YAML file's shape: one pydantic model per section, unknown keys forbidden.

Decides types, choices and ranges of single values, and is what `hcawatch config schema` publishes.
Leaves what several values mean together to `checks`, and the values the system works with
(`monitor.domain.assets`, `settings`) to `build`.
"""

from datetime import date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from monitor.domain.hours import MINUTES_OF_DAY, WEEK, clock_text

Id = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="lower-case letters, digits, - and _; used once"
    ),
]
Words = Annotated[str, Field(min_length=1, max_length=200)]
LonLat = Annotated[
    list[float], Field(min_length=2, max_length=2, description="[longitude, latitude] in degrees WGS84")
]
Pixel = Annotated[
    list[float], Field(min_length=2, max_length=2, description="[x, y] in pixels of the full frame")
]
Chainage = Annotated[float, Field(ge=-1e7, le=1e7, description="metres along the centreline")]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
FilePath = Annotated[str, Field(min_length=1, max_length=1000, description="relative to this file")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """Base of all sections: strict types, no unknown keys, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ByLanguage(Section):
    """A text in both languages; one is enough."""

    en: Words | None = None
    zh: Words | None = None


def _shape(value: Any) -> str:
    return "table" if isinstance(value, dict | Section) else "word"


Name = Annotated[
    Annotated[Words, Tag("word")] | Annotated[ByLanguage, Tag("table")],
    Discriminator(_shape),
    Field(description="plain text, or {en: …, zh: …}"),
]
"""A text for people: plain, or {en: …, zh: …}."""


class CitySection(Section):
    name: Name
    timezone: Words = Field(
        default="Asia/Shanghai", description="name of the IANA list; days and permits follow it"
    )
    made_up: bool = Field(default=False, description="a made-up city says so wherever its name is shown")


class PipelineSection(Section):
    id: Id
    name: Name
    medium: Literal["gas", "oil", "product"] = Field(default="gas", description="what flows in it")
    regime: Literal["transmission", "urban_gas", "plant"] = Field(
        default="transmission",
        description="only 'transmission' falls under the Pipeline Protection Law (Art 2)",
    )
    diameter_mm: float | None = Field(default=None, gt=0, le=3000, description="outer diameter")
    pressure_mpa: float | None = Field(
        default=None, gt=0, le=50, description="maximum allowable operating pressure"
    )
    origin_chainage_m: Chainage = Field(default=0.0, description="chainage of the first vertex, metres")
    centreline: list[LonLat] = Field(max_length=100_000, description="vertices in order of chainage")


class SiteCheckSection(Section):
    id: Id
    name: Name = Field(description="what to look for here: plain text, or {en: …, zh: …}")
    required: bool = Field(default=True, description="asked for before a case is put down as put right")
    violations: list[Words] = Field(
        default=[], max_length=100, description="codes of the catalogue; left out: with every case"
    )


class HcaSection(Section):
    id: Id
    pipeline: Words = Field(description="id of its pipeline")
    name: Name
    grade: Literal["I", "II", "III"] = Field(description="by GB 32167; III is the worst")
    from_m: Chainage
    to_m: Chainage
    checks: list[SiteCheckSection] = Field(
        default=[],
        max_length=50,
        description="what officers look for here beside the violation's own checklist",
    )


ScheduleName = Annotated[
    Words,
    Field(description="name of a schedule, or `day`, `night` by the sun and the camera's infrared state"),
]


class NumbersSection(Section):
    """Numbers of a rule; what is left out keeps the rule's own. `hcawatch rules` prints both, and the limits."""

    enter_score: float | None = Field(
        default=None, ge=0, le=1, description="calibrated score that opens an episode"
    )
    leave_score: float | None = Field(
        default=None, ge=0, le=1, description="lower score that still keeps it open"
    )
    dwell_s: float | None = Field(
        default=None, ge=0, le=86_400, description="seconds that the object must have been there"
    )
    min_box_px: float | None = Field(
        default=None, ge=0, le=10_000, description="boxes less high, in pixels, open nothing"
    )


class ClassSection(NumbersSection):
    object_class: Words = Field(description="one of the rule's classes, as `hcawatch rules` names them")
    night: NumbersSection = Field(default=NumbersSection(), description="at night these numbers instead")


class RuleSection(NumbersSection):
    rule: Words = Field(description="which row of the table; `hcawatch rules` lists them")
    reason: Words = Field(description="why; kept with the version")
    on: bool = Field(
        default=True, description="false switches it off; never the last row that tells of a prohibited act"
    )
    night: NumbersSection = Field(default=NumbersSection(), description="at night these numbers instead")
    within: ScheduleName | None = Field(default=None, description="it holds only within these hours")
    outside: ScheduleName | None = Field(default=None, description="it holds only outside of these hours")
    # None, not []: a file that does not name it keeps its fingerprint, else each centre would take it for edited
    by_class: list[ClassSection] | None = Field(
        default=None,
        max_length=20,
        description="numbers of single classes, over the rule's own by day and by night",
    )


def _clock(value: Any) -> Any:
    """YAML reads an unquoted 22:00 as a number of minutes."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MINUTES_OF_DAY:
        return clock_text(value)
    return value


Clock = Annotated[
    Annotated[str, Field(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$|^24:00$")], BeforeValidator(_clock)
]


class HoursSection(Section):
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=list(WEEK), min_length=1, max_length=7, description="on which the hours begin"
    )
    begin: Clock = Field(description="HH:MM of the city's clock")
    end: Clock = Field(
        description="HH:MM, before which they end; over midnight if it is earlier than `begin`"
    )


class ScheduleSection(Section):
    id: Id
    name: Name | None = Field(default=None, description="plain text, or {en: …, zh: …}")
    hours: list[HoursSection] = Field(min_length=1, max_length=100, description="when it is")


class EdgeSection(Section):
    id: Id
    name: Name
    networks: list[Words] = Field(
        default=["127.0.0.0/8"], min_length=1, max_length=100,
        description="cameras are reached only inside these networks (CIDR); files and webcams need none",
    )  # fmt: skip
    detector: Literal["auto", "openvino-int8", "openvino", "onnxruntime"] = Field(
        default="auto", description="what runs the detector; auto takes the fastest, measured at the first start",
    )  # fmt: skip
    detector_providers: list[Literal["cuda", "tensorrt"]] = Field(
        default=[], max_length=2,
        description="for onnxruntime on an NVIDIA GPU: what to run it on, best first; the CPU takes over if it fails",
    )  # fmt: skip
    disk_share: float = Field(
        default=0.5, ge=0.01, le=0.9,
        description="share of the data folder's disk that pictures and clips may use while the centre can't be reached; "
        "then the least needed go first. Events are never thrown away: their room is kept beside it",
    )  # fmt: skip
    rules: list[RuleSection] = Field(
        default=[], max_length=100, description="for all its cameras; a camera's own setting of a rule replaces it"
    )  # fmt: skip
    model: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="SHA-256 that names a promoted set of weights (`hcawatch models promote` writes it); the shipped one if left out",
    )  # fmt: skip


class GroundPointSection(Section):
    pixel: Pixel
    lonlat: LonLat


class LensSection(Section):
    k1: float = Field(
        ge=-2, le=2, description="first radial coefficient, as OpenCV's calibration gives it; 0 with k2: 0 is a straight lens"
    )  # fmt: skip
    k2: float = Field(default=0.0, ge=-2, le=2, description="second radial coefficient")
    f_px: float = Field(gt=0, le=100_000, description="focal length in pixels of frame_size_px")
    cx: float | None = Field(
        default=None, ge=0, description="where the optical axis meets the picture; its middle if left out"
    )
    cy: float | None = Field(default=None, ge=0, description="the same, from the top")


class MastSection(Section):
    height_m: float = Field(
        gt=0.5, le=500, description="of the lens above the ground that it looks at, which has to be level"
    )
    pan_deg: float = Field(ge=-360, le=360, description="where it looks to, clockwise from true north")
    tilt_deg: float = Field(ge=0, le=90, description="of the optical axis below the horizon")
    roll_deg: float = Field(
        default=0.0, ge=-45, le=45, description="clockwise as seen from behind the camera"
    )
    hfov_deg: float = Field(
        ge=2, le=150, description="angle of view from the left border of the picture to the right one"
    )
    height_sigma_m: float = Field(
        default=0.2, gt=0, le=50, description="1-sigma error; as shipped by tape or laser"
    )
    pan_sigma_deg: float = Field(
        default=3.0, gt=0, le=30, description="1-sigma error; as shipped by a phone's compass"
    )
    tilt_sigma_deg: float = Field(
        default=0.5, gt=0, le=30, description="1-sigma error; as shipped by a phone's inclinometer"
    )
    roll_sigma_deg: float = Field(
        default=0.5, gt=0, le=30, description="1-sigma error; as shipped by a phone's inclinometer"
    )
    hfov_sigma_deg: float = Field(
        default=2.0, gt=0, le=30, description="1-sigma error; as shipped off a data sheet"
    )
    position_sigma_m: float = Field(
        default=2.0,
        gt=0,
        le=100,
        description="1-sigma error of each coordinate of position; as shipped off a map",
    )


class ZoneSection(Section):
    id: Id
    kind: Literal["on_pipe", "valve", "patrol_track", "marker", "crossing", "ignore"] = Field(
        description="which rules look at it; what is inside an 'ignore' zone is left out"
    )
    name: Name | None = Field(default=None, description="plain text, or {en: …, zh: …}")
    polygon_px: list[Pixel] = Field(max_length=1000, description="at least 3 corners [x, y] in order")
    within: ScheduleName | None = Field(
        default=None, description="it holds only within these hours; never on_pipe, valve or patrol_track"
    )
    outside: ScheduleName | None = Field(
        default=None, description="it holds only outside of these hours; never on_pipe, valve or patrol_track"
    )


def _digits(value: Any) -> Any:
    """YAML reads an unquoted id of 20 digits as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


GbIdText = Annotated[
    Annotated[str, Field(max_length=100)], BeforeValidator(_digits),
    Field(description="id by GB/T 28181: 20 digits, in quotes"),
]  # fmt: skip


class CameraSection(Section):
    id: Id
    gb_id: GbIdText | None = Field(
        default=None, description="its id by GB/T 28181 (20 digits): its own alarms are known by it, and platforms are told it"
    )  # fmt: skip
    edge: Words = Field(description="id of the edge that reads it")
    site: Words = Field(description="id of the HCA that it watches")
    name: Name
    source: Words = Field(
        max_length=2000,
        description="rtsp://, rtsps://, http(s)://, a file or folder (relative to this file), stills:FOLDER that a camera fills, or webcam:0; never with a password",
    )  # fmt: skip
    substream: Words | None = Field(
        default=None,
        description="a smaller stream of the same picture, rtsp:// or http(s)://: it is watched in the place of source, "
        "at a fraction of the cost, and clips are cut from source; at least 640 pixels wide, same shape",
    )
    credential: Id | None = Field(default=None, description="name in the edge's own secrets file")
    transport: Literal["tcp", "udp", "auto"] = Field(
        default="tcp", description="of RTSP: tcp loses nothing; udp for cameras and radio links that need it; auto tries tcp first",
    )  # fmt: skip
    footage: Literal["real", "simulated"] = Field(
        default="real", description="'simulated' is said wherever its picture is shown"
    )
    position: LonLat | None = Field(default=None, description="where it stands: [longitude, latitude]")
    frame_size_px: Annotated[list[int], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="[width, height] of the picture that pixels refer to"
    )
    ground_points: list[GroundPointSection] = Field(
        default=[], max_length=1000, description="surveyed points: at least 4, or none"
    )
    mast: MastSection | None = Field(
        default=None,
        description="height and direction over level ground, in place of ground points; needs position",
    )
    survey_sigma_m: float = Field(default=0.1, gt=0, le=100, description="1-sigma error of the survey")
    lens: LensSection | None = Field(
        default=None, description="of a calibrated lens; without it, it is estimated as far as the ground points tell"
    )  # fmt: skip
    zones: list[ZoneSection] = Field(
        default=[], max_length=100, description="polygons in the picture, for rules that need no distance"
    )
    looks_per_s: float = Field(
        default=5.0, ge=0.5, le=30, description="analysed pictures per second while something moves"
    )
    min_score: float = Field(
        default=0.4, ge=0.01, le=0.75, description="boxes that score less are not tracked, whatever a rule's enter_score"
    )  # fmt: skip
    loop: bool = Field(default=False, description="play a file again and again")
    rules: list[RuleSection] = Field(
        default=[], max_length=100, description="this camera's own numbers of rules, within limits"
    )


Tongue = Literal["en", "zh"]
Addresses = Annotated[
    dict[str, Words],
    Field(max_length=50, description="by channel: {email: a@example.org, sms: '+86 138 0000 0000'}"),
]


class MemberSection(Section):
    user: Id = Field(description="login; in one team only")
    name: Name
    role: Literal["officer", "patrol"] = Field(description="of the authority, or of the operator")
    phone: Words | None = Field(default=None, description="shown to the control room")
    language: Tongue = Field(default="zh", description="of messages to this person")
    contacts: Addresses = Field(
        default={}, description="where this person is reached, by channel: {email: …, sms: …}"
    )
    skills: list[Id] = Field(
        default=[], max_length=50, description="what a violation may ask for (`response.skills`)"
    )


class ShiftSection(HoursSection):
    id: Id
    members: list[Words] = Field(
        default=[], max_length=1000, description="who works then, by user; the whole team if left out"
    )
    holidays: Literal["with", "without", "only"] = Field(
        default="with", description="whether it begins on holidays as ever, not at all, or on them only"
    )


class HolidaySection(Section):
    first: Annotated[date, Field(strict=False)] = Field(description="a day of the city's calendar")
    last: Annotated[date, Field(strict=False)] | None = Field(
        default=None, description="the same day if left out"
    )
    name: Name | None = Field(default=None, description="plain text, or {en: …, zh: …}")


class TeamSection(Section):
    id: Id
    name: Name
    members: list[MemberSection] = Field(max_length=1000, description="who can be sent; at least one")
    sites: list[Words] = Field(
        default=[], max_length=10_000, description="HCAs that it covers; all if left out"
    )
    base: LonLat | None = Field(default=None, description="where it starts from: [longitude, latitude]")
    kind: Literal["operator_patrol", "authority"] | None = Field(
        default=None,
        description="whose clock runs while it is sent; left out: the authority's if it has an officer, else the operator's",
    )
    lead: Words | None = Field(default=None, description="user who hears first when a clock runs out")
    on_call: list[Words] = Field(
        default=[], max_length=100, description="users who are sent while nobody is on shift"
    )
    hand_over_min: int = Field(
        default=0, ge=0, le=240, description="minutes that members stay after the end of their shift"
    )
    shifts: list[ShiftSection] = Field(
        default=[],
        max_length=100,
        description="weekly hours of the city's clock; without any, all are always on shift",
    )


class ContactSection(Section):
    id: Id
    name: Name
    role: Literal["operator", "supervisor"] | None = Field(
        default=None, description="hears what a chain tells the control room's operators or supervisors"
    )
    language: Tongue = Field(default="zh", description="of messages to this person")
    addresses: Addresses


class RequestSection(Section):
    """{to}, {text}, {key}, {secret}, {level}, {number} in its values are filled in."""

    form: Literal["json", "form"] = Field(default="json", description="how the body is written")
    headers: dict[str, Words] = Field(default={}, max_length=20, description="beside Content-Type")
    body: dict[str, Annotated[str, Field(max_length=2000)]] = Field(
        min_length=1, max_length=50,
        description="names and values; {to}, {text}, {key}, {secret}, {level}, {number} are filled in",
    )  # fmt: skip
    success_field: Words | None = Field(
        default=None, description="field of the JSON answer that says whether it was taken, where 200 doesn't"
    )
    success_value: str = Field(default="0", max_length=200, description="its value then")


RiskLevel = Literal["I", "II", "III", "IV"]


class ChannelSection(Section):
    id: Id
    kind: Literal[
        "mqtt", "webhook", "email", "sms", "voice", "webpush", "wecom", "dingtalk", "feishu", "cap", "gb28181"
    ] = Field(description="docs/channels.md has ten lines on each")
    language: Tongue = Field(default="zh", description="of messages to groups and to who has no language set")
    per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None,
        description="most messages within any minute; more wait. Robots have their vendor's limit if it is left out",
    )
    timeout_s: float = Field(default=10.0, ge=1, le=20, description="for the whole of one sending")
    fallback: Words | None = Field(default=None, description="id of the channel that takes over")
    failures_until_open: int = Field(
        default=5, ge=1, le=1000, description="failures in a row after which it counts as out of order"
    )
    open_s: float = Field(default=60.0, ge=1, le=3600, description="seconds until one message tries it again")
    url: Words | None = Field(
        default=None, max_length=2000, description="where it posts to; one with a token comes by url_env or url_file"
    )  # fmt: skip
    url_env: EnvName | None = Field(default=None, description="environment variable that holds the url")
    url_file: FilePath | None = Field(default=None, description="file that holds the url, mode 600")
    secret_env: EnvName | None = Field(
        default=None, description="environment variable that holds the signing secret or the password"
    )
    secret_file: FilePath | None = Field(default=None, description="file that holds it, mode 600")
    replies_env: EnvName | None = Field(
        default=None,
        description="environment variable with the secret by which the gateway signs officers' answers (docs/field.md)",
    )
    replies_file: FilePath | None = Field(default=None, description="file that holds it, mode 600")
    networks: list[Words] = Field(
        default=[], max_length=100, description="networks (CIDR) that it may reach beside public addresses"
    )
    host: Words | None = Field(
        default=None,
        description="of the SMTP server, as in its certificate; of GB/T 28181 the upper platform's",
    )
    port: Port | None = Field(
        default=None, description="left out: 587, 465 or 25 by `security`; of GB/T 28181 5060"
    )
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="of SMTP")
    user: Words | None = Field(
        default=None, description="login at the SMTP server; of GB/T 28181 our id there, if it is not that of `gb28181:`"
    )  # fmt: skip
    gb_id: GbIdText | None = Field(default=None, description="of GB/T 28181: the upper platform's id")
    transport: Literal["udp", "tcp"] = Field(default="udp", description="of GB/T 28181")
    confirms: bool = Field(
        default=False, description="the upper platform answers each alarm by a message of its own; an alarm counts as delivered only then"
    )  # fmt: skip
    sender: Words | None = Field(
        default=None,
        description="From of e-mails; in CAP what names this system, such as its domain; of Web Push who runs it, mailto: or https:",
    )
    request: RequestSection | None = Field(default=None, description="what the gateway wants to be sent")
    sends: list[Literal["dispatches", "alerts"]] = Field(
        default=[], max_length=2,
        description="what goes out on it by itself: every dispatch, change and recall (to the officer, where the "
        "channel has addresses), every alert opened, changed in level or closed",
    )  # fmt: skip
    levels: list[RiskLevel] = Field(
        default=["I", "II"], min_length=1, max_length=4, description="of `alerts`: only these"
    )
    to: list[Words] = Field(default=[], max_length=50, description="of `alerts`: to these addresses")


def _moment(value: Any) -> Any:
    """A plain date is its midnight."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value


Moment = Annotated[
    datetime, BeforeValidator(_moment),
    Field(strict=False, description="a time without zone is the city's"),
]  # fmt: skip


class PermitSection(Section):
    number: Words = Field(description="as the approval names it")
    violation: Words = Field(description="code of the catalogue's row that it makes lawful")
    pipeline: Words = Field(description="id of its pipeline")
    from_m: Chainage
    to_m: Chainage
    valid_from: Moment
    valid_to: Moment
    company: Words = Field(description="who works")
    machines: str = Field(default="", max_length=500, description="with what")


Points = Annotated[int, Field(ge=-1000, le=1000)]


class HcaPoints(Section):
    I: Points | None = Field(default=None, description="for I")  # noqa: E741 - the standard's own numeral
    II: Points | None = Field(default=None, description="for II")
    III: Points | None = Field(default=None, description="for III")


class ActivityPoints(Section):
    passing: Points | None = Field(default=None, description="while passing")
    stopped: Points | None = Field(default=None, description="while stopped")
    working: Points | None = Field(default=None, description="while working")


class RiskSection(Section):
    """Overrides of monitor.domain.risk.Weights; what is left out keeps its shipped value."""

    version: Words = Field(description="recorded with each grade; change it when you change a number")
    within_band: Points | None = Field(
        default=None, description="points for lying within the article's distance"
    )
    hca: HcaPoints = Field(default=HcaPoints(), description="points for each HCA grade")
    activity: ActivityPoints = Field(default=ActivityPoints(), description="points for what the machine does")
    long_dwell: Points | None = Field(default=None, description="points for a long stay")
    long_dwell_s: float | None = Field(default=None, gt=0, le=86_400, description="a long stay, seconds")
    night: Points | None = Field(default=None, description="points at night, by the sun over the HCA")
    repeat: Points | None = Field(default=None, description="points for each earlier occurrence")
    repeat_most: Points | None = Field(default=None, description="most points for repetition")
    permit: Annotated[int, Field(ge=-1000, le=0)] | None = Field(
        default=None, description="points that a permit takes away"
    )
    level_from: HcaPoints = Field(
        default=HcaPoints(), description="points from which levels I, II, III begin"
    )


class HttpSection(Section):
    host: Words = Field(default="127.0.0.1", description="address to listen on")
    port: Port | None = Field(default=None, description="left out: 8420, or a free one if that is taken")


class DatabaseSection(Section):
    """Address of PostgreSQL or TimescaleDB, with its password: from the environment or a file."""

    url_env: EnvName | None = Field(
        default=None, description="environment variable that holds postgresql://…"
    )
    url_file: FilePath | None = Field(default=None, description="file that holds it, mode 600")


class MqttSection(Section):
    host: Words = Field(description="name or address; with TLS as in its certificate")
    port: Port = Field(default=1883, description="usually 8883 with TLS")
    tls: bool = Field(default=False, description="needed outside this machine")
    ca_file: FilePath | None = Field(default=None, description="certificate authority, if not the system's")
    user: Words | None = Field(default=None, description="login at the broker")
    password_env: EnvName | None = Field(
        default=None, description="environment variable that holds its password"
    )
    password_file: FilePath | None = Field(default=None, description="file that holds it, mode 600")


Database = Annotated[
    Annotated[Literal["embedded"], Tag("word")] | Annotated[DatabaseSection, Tag("table")],
    Discriminator(_shape),
]
Mqtt = Annotated[
    Annotated[Literal["embedded"], Tag("word")] | Annotated[MqttSection, Tag("table")],
    Discriminator(_shape),
]


class CentreSection(Section):
    http: HttpSection = Field(default=HttpSection(), description="where the console listens")
    database: Database = Field(default="embedded", description="'embedded', or where its address comes from")
    mqtt: Mqtt = Field(default="embedded", description="'embedded', or another broker")
    data_dir: FilePath = Field(default="data", description="database, evidence, heads; relative to this file")


Parties = Annotated[list[Literal["operator_patrol", "authority"]], Field(min_length=1, max_length=2)]
RiskLevels = Annotated[list[RiskLevel], Field(min_length=1, max_length=4)]
LimitMin = Annotated[float, Field(gt=0, le=525_600)]


class LimitSection(Section):
    """Minutes; what is left out keeps its shipped value."""

    parties: Parties = Field(default=["operator_patrol", "authority"], description="whose clocks")
    levels: RiskLevels = Field(default=["I", "II", "III", "IV"], description="of which alerts")
    acknowledge_min: LimitMin | None = Field(
        default=None, description="the room looks, from the alert's opening"
    )
    accept_min: LimitMin | None = Field(
        default=None, description="an officer accepts, from the first dispatch"
    )
    depart_min: LimitMin | None = Field(
        default=None, description="the officer leaves, from the acceptance; else another is sent"
    )
    arrive_min: LimitMin | None = Field(
        default=None, description="an officer is there, from the first dispatch"
    )
    cure_min: LimitMin | None = Field(default=None, description="it is put right, from the arrival")
    verify_min: LimitMin | None = Field(default=None, description="another person checked it, from then")


class ChainStepSection(Section):
    who: Literal["officer", "team_lead", "on_shift", "on_call", "operator", "supervisor", "person"] = Field(
        description="who is told; operator and supervisor are the contacts of that role, else the room's MQTT topic"
    )
    person: Words | None = Field(
        default=None, description="with `who: person`: a member's user, or the id of a contact"
    )
    after_min: float = Field(default=0.0, ge=0, le=525_600, description="minutes after the clock ran out")
    through: list[Words] = Field(
        default=["mqtt"], min_length=1, max_length=10,
        description="channels: the first for which the person has an address, else mqtt",
    )  # fmt: skip
    every_min: float = Field(default=5.0, ge=0.5, le=10_080, description="minutes until it is said again")
    times: int = Field(default=1, ge=1, le=20, description="how often in all")


class ChainSection(Section):
    levels: RiskLevels = Field(default=["I", "II", "III", "IV"], description="of which alerts")
    parties: Parties = Field(default=["operator_patrol", "authority"], description="whose clocks")
    clocks: list[Literal["acknowledge", "accept", "arrive", "cure", "verify"]] = Field(
        default=["acknowledge", "accept", "arrive", "cure", "verify"], min_length=1, max_length=5,
        description="which of them",
    )  # fmt: skip
    wait_min: float = Field(
        default=10.0, ge=1, le=10_080, description="minutes after the last message; then nobody answered, and that is an alert"
    )  # fmt: skip
    steps: list[ChainStepSection] = Field(
        min_length=1, max_length=20, description="in any order; times decide"
    )


class ResponseSection(Section):
    """How fast people must answer, and who hears of it when they don't (docs/dispatch.md)."""

    travel_kmh: float = Field(
        default=30.0, ge=1, le=200, description="of the travel estimate, along the straight line"
    )
    dark_after_share: float = Field(
        default=0.5,
        ge=0,
        le=10,
        description="an officer later than `arrive_min` by this share counts as dark",
    )
    skills: dict[str, list[Id]] = Field(
        default={"theft": ["police_liaison"]},
        max_length=100,
        description="by violation: who has them is sent first",
    )
    limits: list[LimitSection] = Field(
        default=[], max_length=100, description="minutes by party and level; later entries win"
    )
    chains: list[ChainSection] = Field(
        default=[], max_length=100, description="the first that fits is taken, the shipped ones last"
    )


class SupervisionRuleSection(Section):
    id: Id
    name: Name
    then: Literal["sooner", "remote", "bundled"] = Field(
        description="sooner: sent without waiting for a confirmation. Once confirmed, remote: settled by the picture, "
        "nobody is sent; bundled: looked at with the next visit of the site"
    )
    levels: list[Literal["III", "IV"]] = Field(
        default=["III", "IV"], min_length=1, max_length=2,
        description="of which alerts; level I is always dispatched, level II unless a person refutes it",
    )  # fmt: skip
    clean_months: Annotated[int, Field(ge=1, le=120)] | None = Field(
        default=None,
        description="months without a confirmed violation at the site, and on record for as long",
    )
    repeats: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="at least so many confirmed violations at the site within `within_days`"
    )
    within_days: int = Field(default=90, ge=1, le=3660, description="of `repeats`")
    credited: bool = Field(
        default=False, description="the pipeline's operator, or the company that a permit names, is credited"
    )
    at_most_days: float = Field(
        default=7.0, gt=0, le=90, description="what was kept is dispatched after so many days"
    )


class CreditedSection(Section):
    pipelines: list[Words] = Field(
        default=[], max_length=1000, description="ids of pipelines whose operator is credited"
    )
    companies: list[Words] = Field(
        default=[], max_length=10_000, description="companies as their permits name them"
    )


class SupervisionSection(Section):
    """Where fewer physical checks suffice and where more are needed (docs/supervision.md)."""

    credited: CreditedSection = Field(default=CreditedSection(), description="who has earned it")
    rules: list[SupervisionRuleSection] = Field(
        default=[], max_length=100, description="the first that fits holds; an alert names it"
    )


class CalmSection(Section):
    """What keeps the control room calm: shelves, coming and going, floods (docs/calm.md)."""

    positions: int = Field(
        default=1, ge=1, le=1000, description="operator positions staffed at the same time"
    )
    shelf_most_h: dict[Literal["II", "III", "IV"], float] = Field(
        default={"II": 4, "III": 12, "IV": 24}, max_length=3,
        description="hours that a level may be shelved at most (0: never); what is left out keeps the shipped number",
    )  # fmt: skip
    flap_times: int = Field(default=3, ge=2, le=100, description="a camera or an edge lost so often …")
    flap_within_min: float = Field(
        default=15, ge=1, le=1440, description="… in so many minutes is held as one alert"
    )
    flood_above: int = Field(
        default=10, ge=1, le=1000, description="more alerts in ten minutes, per position, are a flood"
    )
    flood_below: int = Field(default=5, ge=1, le=1000, description="fewer end it")
    single_messages: int = Field(
        default=3, ge=1, le=100,
        description="messages about overdue clocks that a person gets one by one in a minute; the rest come in one",
    )  # fmt: skip


SUPPORTED_VERSION = 1


class DeviceAlarmSection(Section):
    topic: Words = Field(
        description="of ONVIF's event, without the prefix: RuleEngine/FieldDetector/ObjectsInside; of GB/T 28181 "
        "gb28181/AlarmMethod[/AlarmType[/EventType]], in digits: gb28181/5/6"
    )
    violation: Words = Field(description="what it stands for: a code of docs/reports.md")


class DeviceSection(Section):
    camera: Words = Field(description="id of the camera, which is its user name at the broker as well")
    alarms: list[DeviceAlarmSection] = Field(
        min_length=1, max_length=100, description="its events that become alerts; others are dead letters"
    )


class GbChannelSection(Section):
    gb_id: GbIdText = Field(description="that alarms name: of a channel, an alarm input or the device itself")
    camera: Words = Field(description="id of the camera, under `cameras:`")


class GbDeviceSection(Section):
    gb_id: GbIdText = Field(description="under which it registers, which is its user name as well")
    password_env: EnvName | None = Field(default=None, description="environment variable with its password")
    password_file: FilePath | None = Field(default=None, description="file that holds it, mode 600")
    digest: Literal["md5", "sha-256"] = Field(
        default="md5",
        description="how it proves itself; sha-256 is for devices of the edition of 2022 that can do it",
    )
    cameras: list[Words] = Field(
        default=[], max_length=1000,
        description="ids of cameras whose alarms it brings, known by their gb_id; a single one also by the device's own",
    )  # fmt: skip
    channels: list[GbChannelSection] = Field(
        default=[], max_length=1000, description="other ids that its alarms name, such as alarm inputs"
    )


class GbSection(Section):
    """The centre's own place among platforms of GB/T 28181 (docs/reports.md, docs/channels.md)."""

    gb_id: GbIdText = Field(description="ours: type 200 to 299")
    realm: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        default=None, description="of the login; the first ten digits of gb_id if it is left out"
    )
    listen: str = Field(default="", max_length=100, description="address to listen at; left out: every one")
    port: Port = Field(default=5060, description="UDP and TCP")
    networks: list[Words] = Field(
        default=[], max_length=100, description="devices are heard only from these networks (CIDR); others get no answer"
    )  # fmt: skip
    timezone: Words | None = Field(default=None, description="of AlarmTime; the city's if it is left out")
    keepalive_s: float = Field(
        default=60.0, ge=5, le=3600, description="seconds between signs of life, as the devices are set"
    )
    keepalives_missed: int = Field(
        default=3, ge=1, le=100, description="so many missing, and it counts as silent"
    )
    devices: list[GbDeviceSection] = Field(
        default=[], max_length=10_000, description="who may register; without any, nothing listens"
    )


class Document(Section):
    """hcawatch.yaml: everything that one installation watches, and how it runs."""

    version: Literal[1] = Field(description="of this file's format")
    city: CitySection = Field(description="the place as a whole")
    pipelines: list[PipelineSection] = Field(
        min_length=1, max_length=1000, description="with their centrelines"
    )
    hcas: list[HcaSection] = Field(
        min_length=1,
        max_length=10_000,
        description="high-consequence areas: ranges of chainage that don't overlap",
    )
    edges: list[EdgeSection] = Field(min_length=1, max_length=10_000, description="boxes beside the cameras")
    cameras: list[CameraSection] = Field(
        min_length=1, max_length=10_000, description="what is watched with what"
    )
    teams: list[TeamSection] = Field(min_length=1, max_length=1000, description="who is sent")
    permits: list[PermitSection] = Field(
        default=[],
        max_length=10_000,
        description="lawful work: lowers a level where the law knows a permit, never mutes",
    )
    schedules: list[ScheduleSection] = Field(
        default=[], max_length=1000, description="named hours of the city's clock, for rules and zones"
    )
    channels: list[ChannelSection] = Field(
        default=[], max_length=50, description="how messages reach people, beside MQTT: docs/channels.md"
    )
    contacts: list[ContactSection] = Field(
        default=[], max_length=10_000, description="who is told and never sent: permits' holders, duty desks"
    )
    holidays: list[HolidaySection] = Field(
        default=[], max_length=1000, description="days on which shifts may differ"
    )
    devices: list[DeviceSection] = Field(
        default=[], max_length=10_000, description="smart cameras whose own alarms count: docs/reports.md"
    )
    gb28181: GbSection | None = Field(
        default=None, description="alarms by GB/T 28181 from devices, and our id towards upper platforms"
    )
    response: ResponseSection = Field(
        default=ResponseSection(), description="deadlines, and who hears when one is missed"
    )
    calm: CalmSection = Field(
        default=CalmSection(), description="shelves, coming and going, floods of alerts"
    )
    risk: RiskSection | None = Field(default=None, description="overrides of the shipped points")
    supervision: SupervisionSection = Field(
        default=SupervisionSection(),
        description="fewer checks where the record is clean, more where it repeats",
    )
    centre: CentreSection = Field(default=CentreSection(), description="how the centre runs")


def text_of(name: str | ByLanguage | None) -> dict[str, str]:
    """A name in both languages; what is missing is taken from the other."""
    if name is None:
        return {}
    if isinstance(name, str):
        return {"en": name, "zh": name}
    either = name.en or name.zh or ""
    return {"en": name.en or either, "zh": name.zh or either}

"""How an installation runs: addresses, secrets already fetched, permits, weights. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from monitor.domain.calm import Calm
from monitor.domain.response import Response
from monitor.domain.risk import Weights
from monitor.domain.supervision import Supervision


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """A broker that we don't start ourselves."""

    host: str
    port: int
    tls: bool
    ca_file: Path | None
    user: str | None
    #: never shown
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """What runs an edge's detector."""

    #: a name from `models.backends`, or "auto"
    backend: str = "auto"
    #: ONNX Runtime's execution providers beside the CPU's, best first
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Lawful work: which violation, where, from when to when (aware times)."""

    number: str
    violation: str
    pipeline_id: str
    from_m: float
    to_m: float
    valid_from: datetime
    valid_to: datetime
    company: str
    machines: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything of the file that is not the city itself."""

    http_host: str
    #: None: 8420, or a free one if that is taken
    http_port: int | None
    #: None: the embedded server. Holds a password, so it is never shown
    database_url: str | None = field(repr=False)
    #: None: the embedded broker
    mqtt: MqttSettings | None
    data_dir: Path
    weights: Weights
    permits: tuple[Permit, ...]
    #: by edge id
    detectors: Mapping[str, DetectorSettings]
    #: how fast people must answer, and who hears of it when they do not
    response: Response = field(default_factory=Response)
    #: where fewer physical checks suffice, and where more are needed
    supervision: Supervision = field(default_factory=Supervision)
    #: shelves, coming and going, floods
    calm: Calm = field(default_factory=Calm)
    #: share of an edge's disk that waiting evidence may use, by edge id
    disk_shares: Mapping[str, float]

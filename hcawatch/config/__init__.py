"""The configuration: one typed YAML file, its checking, and its numbered versions in the database.

`load(path)` gives a `LoadedConfig` (city, settings) or raises `ConfigFaulty` with all faults;
`check(path)` gives a `Report`. `versions` keeps what runs in the database.
"""

from hcawatch.config.faults import ConfigError, ConfigFaulty, Fault
from hcawatch.config.load import LoadedConfig, Report, check, load
from hcawatch.config.settings import MqttSettings, Permit, Settings

__all__ = [
    "ConfigError", "ConfigFaulty", "Fault", "LoadedConfig", "MqttSettings", "Permit", "Report", "Settings",
    "check", "load",
]  # fmt: skip

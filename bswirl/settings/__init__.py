"""What a project's `bswirl.toml` says, read and checked."""

from bswirl.settings.reading import read_settings
from bswirl.settings.records import (
    DEFAULT_RANKING,
    TOGETHER,
    EndpointSettings,
    JudgeSettings,
    PolicySettings,
    ServedSettings,
    Settings,
    builtin_endpoints,
)

__all__ = [
    "DEFAULT_RANKING",
    "TOGETHER",
    "EndpointSettings",
    "JudgeSettings",
    "PolicySettings",
    "ServedSettings",
    "Settings",
    "builtin_endpoints",
    "read_settings",
]

"""A service's own configuration: a versioned JSON file that it reads at its start, and refuses when it is wrong.

{"version": 3, "settings": {"log_level": "info", "pool_max": 8}}: each setting stands for the environment variable of
the same meaning, is checked as that variable is, and yields to it where both are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import names
from lab.errors import SpecError
from lab.telemetry import json_text

# setting → the variable it stands for.
COMMON = {"log_level": names.ENV_LOG_LEVEL, "threads": names.ENV_THREADS}
DATA = {**COMMON, "pool_max": names.ENV_POOL_MAX, "cache_ttl_seconds": names.ENV_CACHE_TTL}
USER = {**DATA, "version": names.ENV_VERSION, "fanout": names.ENV_FANOUT}
SETTINGS: dict[str, Mapping[str, str]] = {"gateway": COMMON, "user": USER, "feed": DATA}


@dataclass(frozen=True)
class Config:
    """One version as it was read: `variables` by name, and the setting behind each, for a message that names it."""

    version: int
    variables: Mapping[str, str]
    settings: Mapping[str, str]


def read(path: Path, service: str) -> Config:
    """The configuration in `path` for `service`; no file is version 0, which sets nothing. Raises SpecError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config(0, {}, {})
    except (OSError, UnicodeDecodeError) as problem:
        raise SpecError(path, f"cannot be read: {problem}") from None
    try:
        document = json_text.parse(text)
        version, settings = int(document["version"]), dict(document["settings"])
    except (ValueError, KeyError, TypeError):
        raise SpecError(
            path, f"is no configuration; `fleetops config rollback {service}` brings the last one back"
        ) from None
    known = SETTINGS.get(service, {})
    for key, value in settings.items():
        if key not in known:
            raise SpecError(path, f"no such setting of {service}; known: {', '.join(known)}", key=key)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise SpecError(path, f"{value!r:.80} is neither a number nor a text", key=key)
    return Config(
        version,
        {known[key]: str(value) for key, value in settings.items()},
        {known[key]: f"{path}: {key}" for key in settings},
    )


def setting(text: str) -> Any:
    """A value as a person types it: a number where it is one, else the text."""
    for kind in (int, float):
        with suppress(ValueError):
            if abs(number := kind(text)) < 2**63:  # neither "nan" nor what the file's reader would refuse
                return number
    return text

"""A service's configuration file: versioned JSON that it reads at start. An invalid file stops the start.

{"version": 3, "settings": {"log_level": "info", "pool_max": 8}}: each setting corresponds to an environment variable,
is validated like it, and is overridden by it where both are set.
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

# Setting → the environment variable that it corresponds to.
COMMON = {"log_level": names.ENV_LOG_LEVEL, "threads": names.ENV_THREADS}
DATA = {**COMMON, "pool_max": names.ENV_POOL_MAX, "cache_ttl_seconds": names.ENV_CACHE_TTL}
USER = {**DATA, "version": names.ENV_VERSION, "fanout": names.ENV_FANOUT}
FEED = {**DATA, "version": names.ENV_VERSION}
STAGED_PREFIX = "staged-"
SETTINGS: dict[str, Mapping[str, str]] = {"gateway": COMMON, "user": USER, "feed": FEED}


@dataclass(frozen=True)
class Config:
    """One version of the configuration: values by environment variable, and the setting's name for error messages."""

    version: int
    variables: Mapping[str, str]
    settings: Mapping[str, str]


def staged_file(path: Path, instance: str) -> Path:
    """The file beside a service's configuration that one replica reads instead while it exists."""
    return path.with_name(f"{STAGED_PREFIX}{instance}.json")


def read(path: Path, service: str) -> Config:
    """The configuration of `service` in `path`; version 0 without settings if there is no file. Raises SpecError."""
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
            path, f"is not a configuration; run `fleetops config rollback {service}` to restore the previous one"
        ) from None
    known = SETTINGS.get(service, {})
    for key, value in settings.items():
        if key not in known:
            raise SpecError(path, f"no such setting of {service}; known: {', '.join(known)}", key=key)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise SpecError(path, f"{value!r:.80} is neither a number nor a string", key=key)
    return Config(
        version,
        {known[key]: str(value) for key, value in settings.items()},
        {known[key]: f"{path}: {key}" for key in settings},
    )


def setting(text: str) -> Any:
    """A setting's value from the command line: a number if the text is one, otherwise the text."""
    for kind in (int, float):
        with suppress(ValueError):
            if abs(number := kind(text)) < 2**63:  # excludes "nan" and numbers that the file's reader would reject
                return number
    return text

"""The settings of a process: read from the environment at start, validated, and constant afterwards."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from lab import __version__, names
from lab.errors import UsageError
from lab.telemetry import config


class Address(NamedTuple):
    """The address of a listener or a peer: an IP address (or, for a peer, a host name) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Environment:
    """Reads and validates environment variables. Raises UsageError with the variable and an example of a valid value.

    Variables that are not set may come from the service's configuration file (see config.py), if there is one.
    """

    def __init__(self, variables: Mapping[str, str] | None = None, *, service: str = "") -> None:
        self._variables = os.environ if variables is None else variables
        self._config = config.Config(0, {}, {})
        if file := self._variables.get(names.ENV_CONFIG_FILE, "").strip():
            staged = config.staged_file(Path(file), self._variables.get(names.ENV_INSTANCE, "").strip())
            self._config = config.read(staged if staged.is_file() else Path(file), service)

    @property
    def config_version(self) -> int:
        """The version of the configuration file; 0 without one."""
        return self._config.version

    def _value(self, name: str) -> str:
        return self._variables.get(name, "").strip() or self._config.variables.get(name, "").strip()

    def where(self, name: str) -> str:
        """The name of a variable for error messages: that of the file's setting if the value comes from the file."""
        return name if self._variables.get(name, "").strip() else self._config.settings.get(name, name)

    def text(self, name: str, default: str | None = None, *, example: str = "") -> str:
        """The value of `name`. Raises UsageError when it is not set and there is no default."""
        value = self._value(name)
        if value:
            return value
        if default is None:
            raise UsageError(f"{name} is not set; set it" + (f", for example {name}={example}" if example else ""))
        return default

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A finite number from `low` to `high`. Raises UsageError."""
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise UsageError(
                f"{self.where(name)}={text!r} is not a number from {low:g} to {high:g};"
                f" set it to one, for example {default:g}"
            )
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`. Raises UsageError."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise UsageError(
                f"{self.where(name)}={value:g} is not a whole number; set it to one, for example {default}"
            )
        return int(value)

    def listener(self, name: str) -> Address:
        """An address to listen on, IP:PORT (a host name could mean several sockets). Raises UsageError."""
        address = self.peer(name, example="127.0.0.1:8010")
        try:
            ipaddress.ip_address(address.host)
        except ValueError:
            raise UsageError(
                f"{name}={address} does not start with an IP address; set it, for example 127.0.0.1:8010"
            ) from None
        return address

    def peer(self, name: str, *, example: str) -> Address:
        """An address to connect to, HOST:PORT. Raises UsageError."""
        text = self.text(name, example=example)
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise UsageError(f"{name}={text!r} is not HOST:PORT; set it, for example {name}={example}")
        return Address(host, int(port))

    def urls(self, name: str) -> tuple[str, ...]:
        """Comma-separated base URLs (http://host:port); () when unset or empty. Raises UsageError."""
        return tuple(checked_url(part.strip(), name) for part in self.text(name, "").split(",") if part.strip())

    def words(self, name: str) -> frozenset[str]:
        """Comma-separated words in lower case; empty when unset."""
        return frozenset(part.strip().lower() for part in self.text(name, "").split(",") if part.strip())


def checked_url(url: str, name: str) -> str:
    """`url` normalised to http://host:port, using the HTTP client's own parser. Raises UsageError naming `name`."""
    try:
        parts = parse_url(url)
        host, port = parts.host or "", parts.port or 0
        host.strip("[]").encode("idna")  # as the resolver will encode it
        good = parts.scheme == "http" and host and port and "%" not in host
    except (ValueError, HTTPError):
        good = False
    if not good or parts.path not in (None, "", "/") or parts.query or parts.fragment or parts.auth:
        raise UsageError(
            f"{name}: {url!r:.200} is not a base URL; write http://HOST:PORT, for example http://127.0.0.1:8020"
        )
    return f"http://{host}:{port}"


@dataclass(frozen=True)
class Settings:
    """The settings that all processes share: identity, addresses, access, threads and log level."""

    service: str
    instance: str
    version: str
    listen: Address | None
    admin_listen: Address | None
    token_file: Path | None
    allowed_hosts: frozenset[str]
    threads: int
    log_level: str
    config_version: int = 0
    trace_slow_seconds: float | None = None  # a request that takes longer has its trace kept; None records no spans

    @classmethod
    def read(
        cls,
        service: str,
        *,
        environment: Environment | None = None,
        version: str = __version__,
        public: bool = True,
        admin: bool = True,
        token: bool = False,
        threads: int = 16,
    ) -> Settings:
        """Read from the environment; `service`, `version` and `threads` are defaults. Raises UsageError.

        `public` and `admin` say which listen addresses are required; `token` requires a token file although there is
        no admin listener, for a process that protects its public API.
        """
        env = environment or Environment()
        name = env.text(names.ENV_SERVICE, service)
        level = env.text(names.ENV_LOG_LEVEL, "info").lower()
        if level not in LOG_LEVELS:
            raise UsageError(
                f"{env.where(names.ENV_LOG_LEVEL)}={level!r} is not a level; choose from {', '.join(LOG_LEVELS)}"
            )
        version = env.text(names.ENV_VERSION, version)
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,39}", version):
            raise UsageError(f"{names.ENV_VERSION}={version!r} is not a version; set it, for example 1.0.0")
        return cls(
            service=name,
            instance=env.text(names.ENV_INSTANCE, name),
            version=version,
            listen=env.listener(names.ENV_LISTEN) if public else None,
            admin_listen=env.listener(names.ENV_ADMIN_LISTEN) if admin else None,
            token_file=_token_file(env) if admin or token else None,
            allowed_hosts=env.words(names.ENV_ALLOWED_HOSTS),
            threads=env.integer(names.ENV_THREADS, threads, 1, 512),
            log_level=level,
            config_version=env.config_version,
            trace_slow_seconds=env.number(names.ENV_TRACE_SLOW, 0, 0.001, 60)
            if env.text(names.ENV_TRACE_SLOW, "")
            else None,
        )


LOG_LEVELS = ("debug", "info", "warning", "error")


def _token_file(env: Environment) -> Path:
    path = Path(env.text(names.ENV_TOKEN_FILE, example=".lab/token"))
    read_token(path)
    return path


def read_token(path: Path) -> str:
    """The control token in `path`. Raises UsageError when it cannot be read or is too short."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not plain text"
        raise UsageError(f"{names.ENV_TOKEN_FILE}: cannot read {path}: {reason}; `fleetops up` writes it") from None
    if len(token) < 16:
        raise UsageError(
            f"{names.ENV_TOKEN_FILE}: {path} contains no token of 16 characters or more; `fleetops up` writes it"
        )
    return token

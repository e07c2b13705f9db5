"""A configuration that goes out: a new version of a service's settings, with or without the care it deserves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.control import config
from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, flag, texts
from lab.stack import configs
from lab.telemetry.config import setting

SERVICES = ("gateway", "user", "feed", "feed-canary")


@dataclass(frozen=True)
class ConfigPush(Fault):
    """A deploy pipeline puts a new version of a service's configuration in force and restarts its replicas."""

    kind: ClassVar[str] = "config-push"
    actor: ClassVar[str] = "deploy-pipeline"
    service: str = choice(SERVICES, "Whose configuration.")
    settings: tuple[str, ...] = texts("KEY=VALUE, as `fleetops config push` takes them.")
    checked: bool = flag("Whether the service is asked first if it would start with that.", default=True)
    at_once: bool = flag("Whether all replicas are restarted at once, and nobody waits for them.", default=False)

    def __post_init__(self) -> None:
        if wrong := [one for one in self.settings if not one.partition("=")[0] or "=" not in one]:
            raise ValueError(f"{wrong[0]!r} is not KEY=VALUE")

    def found(self, context: FaultContext) -> dict[str, Any]:
        """The version in force."""
        return {"version": configs.current(context.home, self.service).version}

    def inject(self, context: FaultContext) -> None:
        """Push it."""
        changes = {key: setting(value) for key, _, value in (one.partition("=") for one in self.settings)}
        pipeline = context.clients.acting_as(self.actor)
        _, new = config.push(
            pipeline, self.service, changes, "release", checked=self.checked, at_once=self.at_once
        )  # fmt: skip
        context.report(f"{self.actor} pushed version {new.version} of {self.service}: {', '.join(self.settings)}")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The version there was, and replicas that run with it."""
        now, version = configs.current(context.home, self.service).version, int(found["version"])
        if now == version:
            return []
        config.activate(context.clients, self.service, version, "the drill is over")
        return [f"{self.service} configuration {now} → {version}"]

    def undo_at_rest(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """The version there was: with another one the service might not start."""
        now, version = configs.current(context.home, self.service).version, int(found["version"])
        if now == version:
            return []
        configs.activate(context.home, self.service, version)
        return [f"{self.service} configuration {now} → {version}"]

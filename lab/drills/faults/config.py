"""A configuration push: a new version of a service's settings, validated and staged or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.control import config
from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, flag, texts
from lab.stack import configs
from lab.telemetry.config import setting

SERVICES = ("gateway", "user", "feed", "feed-canary")


@dataclass(frozen=True)
class ConfigPush(Fault):
    """A deploy pipeline activates a new version of a service's configuration and restarts its replicas."""

    kind: ClassVar[str] = "config-push"
    actor: ClassVar[str] = "deploy-pipeline"
    service: str = choice(SERVICES, "The service.")
    settings: tuple[str, ...] = texts("KEY=VALUE, as `fleetops config push` takes them.")
    checked: bool = flag("Whether the configuration is validated first.", default=True)
    at_once: bool = flag("Whether all replicas restart at once, without waiting for each.", default=False)

    def __post_init__(self) -> None:
        if wrong := [pair for pair in self.settings if not pair.partition("=")[0] or "=" not in pair]:
            raise ValueError(f"{wrong[0]!r} is not KEY=VALUE")

    def capture(self, context: FaultContext) -> Captured:
        """`version`: the active version."""
        return {"version": configs.current(context.home, self.service).version}

    def inject(self, context: FaultContext) -> None:
        """Push the configuration."""
        changes = {key: setting(value) for key, _, value in (pair.partition("=") for pair in self.settings)}
        pipeline = context.clients.acting_as(self.actor)
        _, new = config.push(
            pipeline, self.service, changes, "release", checked=self.checked, at_once=self.at_once
        )  # fmt: skip
        context.report(f"{self.actor} pushed version {new.version} of {self.service}: {', '.join(self.settings)}")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Activate the captured version and restart the replicas with it."""
        now, version = configs.current(context.home, self.service).version, int(captured["version"])
        if now == version:
            return []
        config.activate(context.clients, self.service, version, "the drill is over")
        return [f"{self.service} configuration {now} → {version}"]

    def undo_at_rest(self, context: FaultContext, captured: Captured) -> list[str]:
        """Activate the captured version: with another one the service might not start."""
        now, version = configs.current(context.home, self.service).version, int(captured["version"])
        if now == version:
            return []
        configs.activate(context.home, self.service, version)
        return [f"{self.service} configuration {now} → {version}"]

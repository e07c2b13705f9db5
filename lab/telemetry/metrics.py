"""The metrics registry of a process, and the metrics that every process exports."""

from __future__ import annotations

import prometheus_client
from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from lab import names
from lab.telemetry.settings import Settings

__all__ = ["CollectorRegistry", "Counter", "Gauge", "Histogram", "expose", "new_registry"]


def new_registry(settings: Settings) -> CollectorRegistry:
    """A registry with the process's CPU, memory and descriptors, its platform, its build and its configuration."""
    # A `_created` series per counter would double the samples per scrape, and nothing reads it.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    build = Gauge(names.BUILD_INFO, "Service and version.", ["service", names.LABEL_VERSION], registry=registry)
    build.labels(settings.service, settings.version).set(1)
    version = Gauge(names.CONFIG_VERSION, "Configuration version that the process started with.", registry=registry)
    version.set(settings.config_version)
    return registry


def expose(app: Flask, registry: CollectorRegistry) -> None:
    """Adds GET /metrics to `app`: OpenMetrics (with exemplars) if the client accepts it, else the text format."""

    @app.get("/metrics")
    def metrics() -> Response:
        try:
            encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        except (TypeError, ValueError):  # the library does not handle a version that is not a number
            encode, content_type = choose_encoder("")
        return Response(encode(registry), content_type=content_type)

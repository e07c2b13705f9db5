"""Event streams are limited per browser and in total."""

from __future__ import annotations

from console_app import browser_of
from flask import Flask

from lab.console.streams import MAX_STREAMS, MAX_STREAMS_PER_CLIENT


def test_streams_are_limited_per_browser_and_in_total_and_released(app: Flask) -> None:
    browsers = [browser_of(app) for _ in range(MAX_STREAMS // MAX_STREAMS_PER_CLIENT + 1)]
    held = [browser.get("/api/events") for browser in browsers[:-1] for _ in range(MAX_STREAMS_PER_CLIENT)]
    assert {answer.status_code for answer in held} == {200}
    refused = browsers[-1].get("/api/events")
    assert (refused.status_code, "already open" in refused.get_json()["error"]) == (503, True)
    held.pop().close()
    last = browsers[-1].get("/api/events")
    assert last.status_code == 200
    held.pop(0).close()
    assert browsers[0].get("/api/events").status_code == 200  # it holds the rest of its share, and had one place free
    refused = browsers[0].get("/api/events")
    assert (refused.status_code, "in this browser" in refused.get_json()["error"]) == (503, True)

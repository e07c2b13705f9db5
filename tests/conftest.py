"""Shared fixtures: the tools, and one embedded lab per session, with its own state directory and ports."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded import EmbeddedLab, make_lab, state_directory, stopped_afterwards
from hypothesis import settings
from servers import postgres_url, seeded_url, server_home, valkey_url  # noqa: F401 - fixtures of every test

from lab.control.admin_clients import TrafficAdmin
from lab.errors import ToolError
from lab.paths import ROOT, SITE
from lab.stack.tools import binaries
from lab.traffic.__main__ import DEFAULT_RATE

# A busy machine makes a single example slow; the time of an example is nothing that a test checks.
settings.register_profile("fleetops", deadline=None)
settings.load_profile("fleetops")


@pytest.fixture(scope="session")
def tools() -> dict[str, Path]:
    """Paths of prometheus, promtool, alertmanager and amtool, which are downloaded if they are missing."""
    try:
        return {name: tool.path for name, tool in binaries.ensure().items()}
    except ToolError as error:
        pytest.skip(f"no Prometheus and Alertmanager here: {error}")


@pytest.fixture(scope="session")
def built_site() -> Path:
    """The site that the console serves, built if its sources changed; one test process builds, the others wait.

    A page that does not build (a stale record) fails the tests of the site only; labs then serve the last site that was
    built.
    """
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "--no-print-directory", "site"], cwd=ROOT, check=not (SITE / "index.html").exists())
    return SITE


@pytest.fixture
def idle_lab(tools: dict[str, Path], built_site: Path) -> Iterator[EmbeddedLab]:
    """A separate lab for one test, not started; it is stopped afterwards in any case."""
    with stopped_afterwards(tools) as made:
        yield made


@pytest.fixture(scope="session")
def lab(tools: dict[str, Path], built_site: Path) -> Iterator[EmbeddedLab]:
    """The session's lab, started once. Tests restore its settings; at the end no process may be left."""
    with state_directory() as folder:
        running = make_lab(folder, tools)
        running.up()
        yield running
        done = running.fleetops("down")
        assert done.returncode == 0, done.stderr
        assert not running.leftovers()
        assert not running.listening()


@pytest.fixture(scope="module")
def usual_traffic(lab: EmbeddedLab) -> Iterator[None]:
    """The traffic of a lab that is not a test's, for drills and rollouts, which count requests."""
    traffic = TrafficAdmin.of(lab.home, lab.ports)
    light = traffic.rate()
    traffic.set_rate(DEFAULT_RATE)
    yield
    traffic.set_rate(light)

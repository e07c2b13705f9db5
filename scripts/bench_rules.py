"""Measures the cost of evaluating an SLO's rules, compared with the rules that Sloth generates for the same SLO.

    python -m scripts.bench_rules [--spec FILE] [--days 31] [--evaluations 20] [--record FILE [--section NAME]] [--json]

One Prometheus loads both rule sets and has one history: days of samples of the spec's metrics at 15 s, backfilled.
Every group is evaluated every second and its last duration is read; the minimum is the cost of the group without
contention for CPU. The work per second is this cost times the rate at which the group is evaluated in normal operation.
The exit status is 1 when our rules cost more.

The Prometheus on PATH is measured, otherwise the lab's own. To store the figures of another version in a separate
section: PATH=FOLDER:$PATH python -m scripts.bench_rules --section rules_newer ...
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError, ToolError
from lab.paths import RULES
from lab.slo import load_windows, promtool
from lab.slo.model import Slo, Windows
from lab.slo.prove.workload import Phase, counters
from lab.slo.rendering import series
from lab.slo.rendering.rule import Group
from lab.slo.rendering.rule_file import render
from lab.slo.rendering.rules import generate
from lab.slo.specs.sloth import read_spec
from scripts import sloth_shape
from scripts.figures import write_section

EVALUATE_SECONDS = 1
THEIRS = "theirs-"
_LAST = re.compile(r'prometheus_rule_group_last_duration_seconds\{rule_group="[^"]*;([^"]*)"\} (\S+)')
_ITERATIONS = re.compile(r'prometheus_rule_group_iterations_total\{rule_group="[^"]*"\} (\S+)')


@dataclass(frozen=True)
class Side:
    """The cost of one rule set for one SLO."""

    rules: int
    pass_ms: float  # to evaluate every rule once
    second_ms: float  # per second, with every group at its own interval


@dataclass(frozen=True)
class Result:
    """The costs of both rule sets, averaged over the SLOs of the spec."""

    spec: str
    prometheus: str
    history_days: float
    evaluations: int
    ours: Side
    sloth: Side

    @property
    def ratio(self) -> float:
        """Our work per second divided by Sloth's."""
        return self.ours.second_ms / self.sloth.second_ms


def measure(spec: Path, days: float, evaluations: int) -> Result:
    """Backfill the history, run Prometheus and measure both rule sets. Raises LabError."""
    slos, windows = read_spec(spec), load_windows("production")
    ours = [group for slo in slos for group in generate(slo, windows)]
    theirs = [group for slo in slos for group in sloth_shape.groups(slo, windows, ident=f"{THEIRS}{slo.sloth_id}")]
    with tempfile.TemporaryDirectory(prefix="fleetops-bench-") as name:
        folder = Path(name)
        _backfill(folder, slos, windows, days)
        _write_rules(folder, ours, theirs)
        durations, version = _watch(folder, evaluations)
    default = windows.scrape_interval_seconds
    intervals = {group.name: group.interval_seconds or default for group in ours}
    sides = []
    for groups, rules in (
        ({group.name for group in ours}, sum(len(group.rules) for group in ours)),
        ({group["name"] for group in theirs}, sum(len(group["rules"]) for group in theirs)),
    ):
        costs = {group: min(durations[group]) * 1000 for group in groups}
        per_second = sum(cost / intervals.get(group, default) for group, cost in costs.items())
        sides.append(Side(rules // len(slos), sum(costs.values()) / len(slos), per_second / len(slos)))
    return Result(spec.name, version, days, evaluations, *sides)


def _backfill(folder: Path, slos: Sequence[Slo], windows: Windows, days: float) -> None:
    """Write blocks with the SLI's counters and the series that both rule sets have recorded."""
    step, end = windows.scrape_interval_seconds, int(time.time())
    count = int(days * 86400 / step)
    phase = Phase(count * step, {slo.sloth_id: 0.5 * slo.budget_ratio for slo in slos}, per_second=200.0)
    text = folder / "history.om"
    with text.open("w", encoding="utf-8") as out:
        for counter in counters(slos):
            increment = 200.0 * step * counter.share(phase.bad)
            family = counter.series.partition("{")[0]
            out.write(f"# TYPE {family} unknown\n")
            for index in range(count):
                out.write(f"{counter.series} {increment * index:.6f} {end - (count - index) * step}\n")
        shortest = windows.shortest_seconds
        # Name, prefix of the SLO id, seconds between samples, value; None stands for the sample's own timestamp.
        for recorded, prefix, every, value in (
            (series.error_ratio(shortest), THEIRS, step, 0.0005),
            (series.SEEN, "", step, None),
            (series.error_rate(shortest), "", shortest // 2, 0.1),
            (series.total_rate(shortest), "", shortest // 2, 200.0),
        ):
            out.write(f"# TYPE {recorded} unknown\n")
            for slo in slos:
                labels = slo.labels | {
                    series.LABEL_ID: f"{prefix}{slo.sloth_id}",
                    series.LABEL_SERVICE: slo.service,
                    series.LABEL_SLO: slo.name,
                    series.LABEL_WINDOW: "5m",
                }
                inside = ",".join(f'{name}="{text}"' for name, text in sorted(labels.items()))
                for at in range(end - count * step, end, every):
                    out.write(f"{recorded}{{{inside}}} {at if value is None else value} {at}\n")
        out.write("# EOF\n")
    # promtool reads the whole text once per block, so larger blocks are faster; Prometheus compacts to days too.
    backfill = ["tsdb", "create-blocks-from", "--max-block-duration=72h", "openmetrics"]
    done = promtool.run([*backfill, text, folder / "data"])
    if done.returncode != 0:
        raise ToolError(f"promtool cannot backfill: {' '.join(done.stderr.split())}")
    text.unlink()


def _write_rules(folder: Path, ours: Sequence[Group], theirs: Sequence[dict[str, Any]]) -> None:
    """Write both rule files with one evaluation interval for all groups, and the configuration that loads them."""
    mine = yaml.safe_load(render(ours))
    for group in mine["groups"]:
        group.pop("interval", None)
    (folder / "ours.yml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    (folder / "sloth.yml").write_text(yaml.safe_dump({"groups": list(theirs)}), encoding="utf-8")
    config = {"global": {"evaluation_interval": f"{EVALUATE_SECONDS}s"}, "rule_files": ["ours.yml", "sloth.yml"]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")


def _watch(folder: Path, evaluations: int) -> tuple[dict[str, list[float]], str]:
    """Durations in seconds of each group's evaluations, except the first two, and the version of Prometheus."""
    log = folder / "prometheus.log"
    with log.open("w", encoding="utf-8") as out:
        command: list[str | Path] = [
            promtool.find("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=60d",
            "--web.listen-address=127.0.0.1:0",
        ]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        url = _address(process, log)
        durations: dict[str, list[float]] = {}
        seen = 0.0
        deadline = time.monotonic() + 30 + 10 * evaluations * EVALUATE_SECONDS
        while min((len(values) for values in durations.values()), default=0) < evaluations + 2:
            if time.monotonic() > deadline:
                raise ToolError(
                    f"{evaluations} evaluations did not finish in time; this machine is too busy to measure"
                )
            metrics = _read(f"{url}/metrics")
            done = sum(float(value) for value in _ITERATIONS.findall(metrics))
            if done > seen:
                seen = done
                for group, value in _LAST.findall(metrics):
                    durations.setdefault(group, []).append(float(value))
            time.sleep(EVALUATE_SECONDS)
        version = json.loads(_read(f"{url}/api/v1/status/buildinfo"))["data"]["version"]
        _refuse_failures(url)
    finally:
        process.terminate()
        process.wait()
    return {group: values[2:] for group, values in durations.items()}, version


def _refuse_failures(url: str) -> None:
    """Raise LabError when a rule fails: a failing rule is fast and would look cheap."""
    for group in json.loads(_read(f"{url}/api/v1/rules"))["data"]["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                raise LabError(f"{group['name']}: {rule['name']} fails: {rule.get('lastError', rule['health'])}")


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Prometheus's URL, with the port from its log: it chooses a free port."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8")
        # The first log line about the address still has port 0.
        if ports := re.findall(r"address=127\.0\.0\.1:([1-9]\d*)", text):
            url = f"http://127.0.0.1:{ports[0]}"
            try:
                _read(f"{url}/-/ready")
            except OSError:
                pass
            else:
                return url
        if process.poll() is not None:
            raise ToolError(f"Prometheus exited: {text.strip().splitlines()[-1]}")
        time.sleep(0.2)
    raise ToolError("Prometheus was not ready within 60 s")


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - a loopback address
        return str(answer.read().decode())


def report(result: Result) -> Iterator[str]:
    """The result as lines of a table."""
    yield f"{result.spec} on Prometheus {result.prometheus}, {result.history_days:g} days of history, for each SLO:"
    yield f"  {'':8}{'rules':>6}{'one pass':>12}{'per second':>12}"
    for name, side in (("fleetops", result.ours), ("Sloth", result.sloth)):
        yield f"  {name:8}{side.rules:>6}{side.pass_ms:>9.2f} ms{side.second_ms:>9.3f} ms"
    yield f"  {result.ratio:.2f} of Sloth's work"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both costs. Returns 0 if our rules do not cost more."""
    parser = argparse.ArgumentParser(prog="bench_rules", description="Cost of an SLO's rules compared with Sloth's.")
    parser.add_argument("--spec", type=Path, default=RULES / "slos" / "feed.yml", help="spec of the SLOs to measure")
    parser.add_argument(
        "--days", type=float, default=31.0, help="days of history; 31 fills every window, 4 all but the period (31)"
    )
    parser.add_argument("--evaluations", type=int, default=20, help="evaluations to take the minimum of (20)")
    parser.add_argument("--record", type=Path, help="JSON file to store the figures in")
    parser.add_argument(
        "--section", default="rules", help="section in that file; page 02 shows rules, rules_young and rules_newer"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
    options = parser.parse_args(arguments)
    try:
        result = measure(options.spec, options.days, options.evaluations)
        document = asdict(result) | {"ratio": result.ratio}
        if options.record:
            write_section(options.record, options.section, document)
    except LabError as error:
        sys.stderr.write(f"bench_rules: {error}\n")
        return error.exit_status
    sys.stdout.write(json.dumps(document, indent=1) + "\n" if options.json else "\n".join(report(result)) + "\n")
    return 0 if result.ratio <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())

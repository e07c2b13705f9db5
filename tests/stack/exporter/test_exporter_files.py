"""Metrics from the state directory: log sizes across rotations, and process starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.paths import Home, Ports
from lab.stack import logfiles, replicas
from lab.stack.exporter.files import LogCollector, StartsCollector
from lab.stack.processes import supervision


def samples(collector: LogCollector | StartsCollector) -> dict[tuple[str, str], float]:
    """(metric, process) → value."""
    return {
        (sample.name, sample.labels["process"]): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def write(path: Path, count: int) -> None:
    with path.open("ab") as file:
        file.write(b"x" * count)


def test_written_bytes_are_counted_across_rotations_and_used_bytes_include_every_part(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    write(log, 1000)
    collector = LogCollector(tmp_path)
    # Bytes from before the exporter started are used, but do not count as written.
    assert samples(collector)["log_used_bytes", "gateway"] == 1000
    assert samples(collector)["log_written_bytes_total", "gateway"] == 0
    write(log, 500)
    assert samples(collector)["log_written_bytes_total", "gateway"] == 500
    for size in (300, 200):  # two rotations between two scrapes
        write(log, 100)
        for number in (1, 0):
            old = tmp_path / ("gateway.log" if number == 0 else f"gateway.log.{number}")
            if old.exists():
                old.rename(tmp_path / f"gateway.log.{number + 1}")
        write(log, size)
    assert samples(collector)["log_written_bytes_total", "gateway"] == 500 + 100 + 300 + 100 + 200
    assert samples(collector)["log_used_bytes", "gateway"] == 1600 + 400 + 200
    assert samples(collector)["log_quota_bytes", "gateway"] == logfiles.QUOTA_BYTES


@pytest.mark.parametrize("renamed", ["gateway.log.rotating", "gateway.log.1"])
def test_a_scrape_during_a_rotation_keeps_every_series_and_counts_no_byte_twice(tmp_path: Path, renamed: str) -> None:
    log = tmp_path / "gateway.log"
    write(log, 1000)
    collector = LogCollector(tmp_path)
    before = samples(collector)
    log.rename(tmp_path / renamed)
    assert samples(collector).keys() == before.keys()
    write(log, 300)
    assert samples(collector)["log_written_bytes_total", "gateway"] == 300
    assert samples(collector)["log_written_bytes_total", "gateway"] == 300


def test_starts_have_the_service_label_of_alerts_and_unplanned_ones_their_own_counter(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    collector = StartsCollector(home, replicas.known(home, Ports(8000)).values())
    for name, starts, asked in (("feed-canary-1", 3, 1), ("postgres", 1, 1)):
        for file, count in ((supervision.starts_file(home, name), starts), (supervision.asked_file(home, name), asked)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("1.0\n" * count)
    all_starts, unplanned = (
        {(s.labels["process"], s.labels["service"]): s.value for s in family.samples} for family in collector.collect()
    )
    assert all_starts == {("feed-canary-1", "feed"): 3, ("postgres", "postgres"): 1}
    assert unplanned == {("feed-canary-1", "feed"): 2, ("postgres", "postgres"): 0}


def test_a_requested_start_that_is_pending_does_not_decrease_the_unplanned_ones(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    collector = StartsCollector(home, replicas.known(home, Ports(8000)).values())
    starts, asked = supervision.starts_file(home, "postgres"), supervision.asked_file(home, "postgres")
    for file, lines in ((starts, 2), (asked, 1)):
        file.parent.mkdir(parents=True)
        file.write_text("1.0\n" * lines)

    def unplanned() -> float:
        return next(s.value for family in collector.collect() for s in family.samples if "unplanned" in s.name)

    counts = [unplanned()]
    for file in (asked, starts, starts):
        with file.open("a") as more:
            more.write("1.0\n")
        counts.append(unplanned())
    assert counts == [1, 1, 1, 2]


def test_an_archive_has_every_line_in_order_and_only_the_newest_archives_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    log = tmp_path / "gateway.log"
    for round_number in range(logfiles.ARCHIVES_KEPT + 1):
        parts = [tmp_path / "gateway.log.2", tmp_path / "gateway.log.1", tmp_path / "gateway.log.rotating"]
        for number, part in enumerate(parts):
            part.write_text(f"{round_number}.{number}\n")
        logfiles._archive(log, parts)
        assert not any(part.exists() for part in parts)
    archives = sorted((tmp_path / "archive").iterdir())
    assert len(archives) == logfiles.ARCHIVES_KEPT
    last = logfiles.ARCHIVES_KEPT
    assert gzip.decompress(archives[-1].read_bytes()).decode() == f"{last}.0\n{last}.1\n{last}.2\n"

"""Reading logs: merged by time, filtered by trace, rotated parts included, followed across rotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.errors import UsageError
from lab.paths import Home
from lab.stack import logs
from lab.stack.processes.supervision import LOG_BACKUPS


def line(second: int, text: str, **fields: str) -> str:
    return json.dumps({"ts": f"2026-01-01T00:00:{second:02d}.000Z", "event": text, **fields})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.logs.mkdir()
    (home.logs / "feed-1.log").write_text(line(1, "a", trace_id="t1") + "\n" + line(4, "d") + "\n")
    (home.logs / "feed-2.log").write_text(
        line(2, "b") + "\nTraceback (no time of its own)\n" + line(3, "c", trace_id="t1") + "\n"
    )
    (home.logs / "feed-canary-1.log").write_text(line(1, "canary") + "\n")
    return home


def events(lines: list[logs.Line]) -> list[str]:
    return [json.loads(line.text)["event"] if line.text.startswith("{") else line.text for line in lines]


def test_replicas_are_merged_by_time(home: Home) -> None:
    """A line without a time keeps its place in its log; lines of other services are left out."""
    assert events(logs.last(logs.files(home, "feed"), None)) == ["a", "b", "Traceback (no time of its own)", "c", "d"]


def test_an_instance_name_and_a_count_select_the_last_lines(home: Home) -> None:
    assert events(logs.last(logs.files(home, "feed-2"), 1)) == ["c"]


def test_lines_are_filtered_by_trace_before_they_are_counted(home: Home) -> None:
    assert events(logs.last(logs.files(home, "feed"), 5, "t1")) == ["a", "c"]


def test_every_rotated_part_is_read_oldest_first(home: Home) -> None:
    log = home.logs / "feed-1.log"
    assert LOG_BACKUPS == 2
    (home.logs / "feed-1.log.1").write_text("newer\n")
    (home.logs / "feed-1.log.2").write_text("oldest\n")
    (home.logs / "feed-1.log.3").write_text("not a part\n")
    assert list(logs.read(log)) == ["oldest", "newer", *log.read_text().splitlines()]


def test_an_unknown_service_is_refused_with_the_known_ones(home: Home) -> None:
    with pytest.raises(UsageError, match=r"no logs of 'fed'; known: feed, feed-1, feed-2, feed-canary, feed-canary-1"):
        logs.files(home, "fed")


def test_a_rotation_while_the_parts_are_opened_loses_no_line(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.logs / "feed-1.log"
    path.write_text(line(2, "new") + "\n")
    path.with_name("feed-1.log.1").write_text(line(1, "old") + "\n")
    opened: list[Path] = []
    real = Path.open

    def rotate_after_the_first(part: Path, *arguments: Any, **keywords: Any) -> Any:
        file = real(part, *arguments, **keywords)
        if not opened:
            path.with_name("feed-1.log.1").rename(path.with_name("feed-1.log.2"))
            path.rename(path.with_name("feed-1.log.1"))
            path.touch()
        opened.append(part)
        return file

    monkeypatch.setattr(Path, "open", rotate_after_the_first)
    assert [json.loads(text)["event"] for text in logs.read(path)] == ["old", "new"]


def test_following_yields_new_complete_lines_across_a_rotation(home: Home) -> None:
    path = home.logs / "feed-1.log"
    growing = logs.follow([path])
    with path.open("a") as file:
        file.write(line(5, "half"))
        file.flush()
        tail = logs._Tail(path)  # starts at the current end
        file.write("\n" + line(6, "whole") + "\n")
    assert [line.text for line in tail.new()] == ["", line(6, "whole")]
    path.rename(path.with_name("feed-1.log.1"))
    path.write_text(line(7, "rotated") + "\n")
    assert events(tail.new()) == ["rotated"]
    growing.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "second"),
    [
        (line(9, "ours"), 9),
        ('{"time":"2026-01-01T00:00:09.5Z","level":"INFO","msg":"Prometheus 3"}', 9.5),
        ("2026-01-01 00:00:09.250 UTC [42] LOG:  ready", 9.25),
        ("no time at all", -1),
        ("{broken", -1),
    ],
)
def test_the_time_of_a_line_is_read_in_every_format_of_the_programs(text: str, second: float) -> None:
    start = 1767225600.0  # 2026-01-01T00:00:00Z
    assert logs.time_of(text, start - 1) == start + second

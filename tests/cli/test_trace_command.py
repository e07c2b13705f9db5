"""`fleetops trace`: lists, waterfalls, comparisons and exports of a store; wrong ids are one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_trace import normal, slow

from lab.cli import main
from lab.paths import Home
from lab.tracing import store

FEED = "/v1/feed/{user_id}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The state directory of a lab with two traces."""
    monkeypatch.setenv("FLEETOPS_HOME", str(tmp_path / "home"))
    home = Home(tmp_path / "home")
    store.Writer(store.path(home)).add([normal(), slow()])
    return home


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main.run(["trace", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_list_has_a_line_for_each_trace(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "list", "--slowest")
    assert status == 0
    head, first, second = out.splitlines()
    assert head.split()[:2] == ["TRACE", "STARTED"]
    assert first.split()[0] == "b" * 32
    assert "520 ms" in first
    assert second.endswith(f"GET {FEED}")


def test_the_list_is_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "list", "--reason", "baseline", "--json")
    assert [row["trace_id"] for row in json.loads(out)] == ["a" * 32]
    assert run(capsys, "list", "--min-ms", "900")[1] == "no such trace is kept\n"


def test_show_draws_the_waterfall(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "show", "BBB")
    assert status == 0
    assert "48 x 10 ms, one after another" in out


def test_show_as_json_is_the_whole_trace(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "show", "b", "--json")
    assert sum(len(process["spans"]) for process in json.loads(out)["processes"]) == 52


def test_diff_compares_with_the_baseline_of_the_same_request(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "diff", "b")
    assert status == 0
    assert f"normal {'a' * 32}" in out
    assert "post.select" in out
    assert run(capsys, "diff", "b", "a")[1] == out


def test_diff_without_a_normal_trace_says_so(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    store.path(home).unlink()
    store.Writer(store.path(home)).add([slow()])
    status, _, err = run(capsys, "diff", "b")
    assert status == 2
    assert "no normal trace of this request is kept" in err


def test_export_writes_otlp_to_a_file_or_to_standard_output(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, _ = run(capsys, "export")
    assert status == 0
    spans = [span for one in json.loads(out)["resourceSpans"] for span in one["scopeSpans"][0]["spans"]]
    assert len(spans) == 56
    status, out, err = run(capsys, "export", "b", "--out", str(tmp_path / "trace.json"))
    assert (status, out) == (0, "")
    assert "wrote 1 traces" in err
    exported = json.loads((tmp_path / "trace.json").read_text())["resourceSpans"]
    assert {one["scopeSpans"][0]["spans"][0]["traceId"] for one in exported} == {"b" * 32}


@pytest.mark.parametrize("ident", ["ff", "<script>", "\udcff", "x" * 1_000_000, "'; DROP TABLE traces"])
@pytest.mark.parametrize("verb", ["show", "diff", "export"])
def test_an_unknown_id_is_one_line(capsys: pytest.CaptureFixture[str], verb: str, ident: str) -> None:
    status, out, err = run(capsys, verb, ident)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert len(err) < 300


def test_slowest_is_of_the_last_minute(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "show", "slowest")
    assert status == 2
    assert "no trace of the last minute is kept" in err

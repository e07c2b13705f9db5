"""`fleetops`: fast help, errors in one line, and exit statuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from lab.cli import main
from lab.errors import LabError, UsageError
from lab.paths import ROOT


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """(exit status, standard error) of `fleetops ARGUMENTS`."""
    status = main.run(list(arguments))
    return status, capsys.readouterr().err


@pytest.mark.parametrize("verb", main.verbs())
def test_the_table_has_the_summary_of_each_command(verb: str) -> None:
    """`fleetops --help` shows the first line of `fleetops VERB --help`, and every verb has an example."""
    command = main.load(verb)
    summary = next(text for group in main.VERBS.values() for name, (_, text) in group.items() if name == verb)
    assert (command.help or "").strip().splitlines()[0].startswith(summary.rstrip("."))
    assert "Example" in (command.help or "")


def commands(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        return [leaf for sub, inner in command.commands.items() for leaf in commands(inner, f"{name} {sub}")]
    return [(name, command)]


@pytest.mark.parametrize(
    ("name", "command"), [leaf for verb in main.verbs() for leaf in commands(main.load(verb), verb)]
)
def test_every_command_has_an_example(name: str, command: click.Command) -> None:
    assert "Example" in (command.help or ""), name


@pytest.mark.parametrize("verb", main.verbs())
def test_the_summaries_of_subcommands_are_not_cut(verb: str) -> None:
    """`fleetops VERB --help` lists each subcommand with its first line, which click cuts at the width of a terminal."""
    group = main.load(verb)
    if isinstance(group, click.Group):
        listed = group.get_help(click.Context(group, info_name=verb, terminal_width=80))
        assert "..." not in listed.partition("Commands:")[2]


def test_help_imports_no_verb() -> None:
    """Listing the verbs must stay fast: it loads only click and the table."""
    program = (
        "import sys; from lab.cli import main; main.run(['--help']); "
        "print(sorted(m for m in sys.modules if m.startswith('lab.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['lab.cli', 'lab.cli.main', 'lab.errors']"


def test_an_unknown_verb_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    status, error = run(capsys, "nope")
    assert (status, error) == (2, "fleetops: No such command 'nope'; see `fleetops --help`\n")


def test_an_unknown_option_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    status, error = run(capsys, "up", "--nope")
    assert status == 2
    assert error.count("\n") == 1
    assert "--nope" in error


def test_an_invalid_port_base_is_refused_by_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETOPS_PORT_BASE", "eighty")
    status, error = run(capsys, "status")
    assert (status, error.count("\n")) == (2, 1)
    assert "FLEETOPS_PORT_BASE='eighty'" in error


@pytest.mark.parametrize(
    ("raised", "status"),
    [(LabError("it\ndid not"), 1), (UsageError("no such thing"), 2), (KeyboardInterrupt(), 130), (OSError("disk"), 1)],
)
def test_every_exception_is_printed_as_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, raised: BaseException, status: int
) -> None:
    @click.command()
    def broken() -> None:
        raise raised

    monkeypatch.delenv("FLEETOPS_DEBUG", raising=False)
    monkeypatch.setattr(main, "load", lambda _: broken)
    exit_status, error = run(capsys, "status")
    assert exit_status == status
    assert error.strip().startswith("fleetops: ")
    assert error.strip().count("\n") == 0


def test_a_command_may_return_its_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> int:
        return 1

    monkeypatch.setattr(main, "load", lambda _: failing)
    assert run(capsys, "status") == (1, "")


def test_status_of_a_lab_that_is_down_is_1_and_shows_how_to_start_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLEETOPS_HOME", str(tmp_path))
    assert main.run(["status"]) == 1
    assert "fleetops up" in capsys.readouterr().out

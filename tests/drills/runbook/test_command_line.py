"""A runbook command means the same to the autopilot, which has no shell, and to a person who pastes it into one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.drills.runbook.command_line import arguments, words
from lab.errors import SpecError

SHELL = shutil.which("bash") or shutil.which("sh")
SHOW = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("command", "character"),
    [
        ("fleetops flag list; rm x", ";"),
        ("fleetops flag list;rm x", ";"),
        ("fleetops flag list >out", ">"),
        ("fleetops flag list>out", ">"),
        ("fleetops flag list 2>&1", ">"),
        ("fleetops flag list <in", "<"),
        ("fleetops flag list|wc", "|"),
        ("fleetops flag list&&reboot", "&"),
        ("fleetops flag list&", "&"),
        ("fleetops query $(id)", "$"),
        ("fleetops query `id`", "`"),
        ("fleetops query $HOME", "$"),
        ('fleetops query "$HOME"', "$"),
        ('fleetops query "`id`"', "`"),
        ('fleetops query "up!"', "!"),
        (r'fleetops query "a\tb"', "\\"),
        (r"fleetops query a\ b", "\\"),
        ("fleetops flag list # why", "#"),
        ("fleetops service restart feed-*", "*"),
        ("fleetops service restart feed-?", "?"),
        ("fleetops service restart feed-[12]", "["),
        ("fleetops service restart feed-{1,2}", "{"),
        ("fleetops incident verify ~/record.json", "~"),
        ("fleetops incident verify =ls", "="),
        ("fleetops (flag) list", "("),
        ("fleetops flag list !!", "!"),
    ],
)
def test_unquoted_shell_syntax_is_refused_by_character_and_line(command: str, character: str) -> None:
    with pytest.raises(SpecError) as refused:
        arguments(command, "page.md", 7)
    assert refused.value.line == 7
    assert str(refused.value).endswith(f"needs a shell for {character!r}; commands run without one: quote it")


@pytest.mark.parametrize("command", ["fleetops query 'up", 'fleetops query "up', "fleetops query up'"])
def test_an_unclosed_quote_is_refused(command: str) -> None:
    with pytest.raises(SpecError, match="never closed"):
        arguments(command)


@pytest.mark.parametrize("command", ["fleetops a\nb", "fleetops a\tb", "fleetops 'a\0b'", "fleetops 'a\udcffb'"])
def test_unprintable_characters_are_refused(command: str) -> None:
    with pytest.raises(SpecError, match="not a printable character"):
        arguments(command)


def test_shell_syntax_is_accepted_in_quotes() -> None:
    quoted = """fleetops query 'sum(rate(a{b=~"c.*|d?"}[5s])) > 1 # $x; `y` ~ !' --wait=5 "it's (so) & so" a=b"""
    assert arguments(quoted)[2:] == [
        'sum(rate(a{b=~"c.*|d?"}[5s])) > 1 # $x; `y` ~ !', "--wait=5", "it's (so) & so", "a=b",
    ]  # fmt: skip


TEXTS = st.text(alphabet=" ;|&<>$`*?#~!(){}[]\\\"'=ab-/.é%^:,@+\t", max_size=30)


@pytest.mark.skipif(SHELL is None, reason="no shell to compare with")
@settings(max_examples=20)
@given(st.lists(TEXTS, min_size=1, max_size=80))
def test_a_shell_reads_the_same_arguments_from_every_accepted_line(texts: list[str]) -> None:
    accepted: dict[str, list[str]] = {}
    for text in texts:
        try:
            accepted[text] = words(f"p {text}", "generated")[1:]
        except SpecError:
            continue
    program = f"'{sys.executable}' -c '{SHOW}'"
    script = "\n".join(f"{program} {line}" for line in accepted)
    done = subprocess.run([SHELL or "", "-c", script], capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == list(accepted.values())

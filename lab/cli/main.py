"""The root of `fleetops`: finds a verb's module only when that verb is asked for, and turns errors into one line."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from lab.errors import LabError

# verb → (where its command is, its one-line help), grouped as `fleetops --help` shows them. The help stands here so
# that listing the verbs imports none of them; a test holds each to its command.
VERBS: dict[str, dict[str, tuple[str, str]]] = {
    "The lab": {
        "up": ("lab.cli.stack:up", "Start the lab, and stay until Ctrl-C."),
        "down": ("lab.cli.stack:down", "Stop the lab; its data stays."),
        "status": ("lab.cli.stack:status", "Say what runs and whether it is ready."),
        "logs": ("lab.cli.stack:logs", "Read the logs of a service."),
        "doctor": ("lab.cli.stack:doctor", "Say what this machine offers and what is missing."),
    },
    "On call": {
        "page": ("lab.cli.oncall:page", "Pages: what rang, who has it."),
        "triage": ("lab.cli.oncall:triage", "Rank what may be wrong with SERVICE, with the evidence."),
        "query": ("lab.cli.oncall:query", "Ask Prometheus."),
        "incident": ("lab.cli.incident:incident", "Incidents: what is going on, and the records of what was."),
    },
    "Controls": {
        "canary": ("lab.cli.controls:canary", "How many users the new version of the feed serves."),
        "flag": ("lab.cli.controls:flag", "Switches of the gateway."),
        "ratelimit": (
            "lab.cli.limits:ratelimit",
            "Quotas: how many requests a second one client, and all together, may make.",
        ),
        "shed": (
            "lab.cli.limits:shed",
            "Load shedding: how many requests may be in flight, and who is refused first.",
        ),
        "retry": (
            "lab.cli.limits:retry",
            "Retries of the gateway's own calls: how many, after what, and their budget.",
        ),
        "timeout": ("lab.cli.limits:timeout", "How long the gateway waits for each upstream."),
        "breaker": ("lab.cli.limits:breaker", "Circuit breakers: stop asking an upstream that does not answer."),
        "cache": ("lab.cli.cache:cache", "The caches: hit ratio, time to live, warming up."),
        "scale": ("lab.cli.controls:scale", "Run REPLICAS of SERVICE."),
        "service": ("lab.cli.controls:service", "Restart, freeze, thaw or drain processes."),
        "db": ("lab.cli.database:db", "Sessions and indexes of the DB."),
        "cert": ("lab.cli.cert:cert", "Certificates of the servers inside the lab."),
        "log": ("lab.cli.log:log", "How much the services log, and how full their logs are."),
        "feed": ("lab.cli.feed:feed", "Whether the cached feeds are their viewers' own."),
        "config": ("lab.cli.config:config", "Settings of a service, in versions that can be taken back."),
    },
    "Drills": {
        "drill": ("lab.cli.drill:drill", "Break the lab on purpose, and grade how it was caught and mended."),
    },
    "Promises": {
        "slo": ("lab.cli.slo:slo", "Service level objectives: specs in, alert rules and proofs out."),
    },
}


def verbs() -> dict[str, str]:
    """Every verb with where its command is."""
    return {verb: place for group in VERBS.values() for verb, (place, _) in group.items()}


def load(verb: str) -> click.Command:
    """The command of a verb."""
    module, _, attribute = verbs()[verb].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{verb}: {module}:{attribute} is not a command")
    return _taking_plain_text(command)


class PlainText(click.types.StringParamType):
    """Text that a person types. Bytes that are not UTF-8, and control characters, become U+FFFD; files keep theirs."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text, safe to store, to send and to print."""
        from lab.plaintext import plain

        return plain(super().convert(value, param, ctx))


PLAIN_TEXT = PlainText()


def _taking_plain_text(command: click.Command) -> click.Command:
    """The same command; every text that it and its subcommands take is a PlainText, whatever verb declares it."""
    for param in command.params:
        if param.type is click.STRING:
            param.type = PLAIN_TEXT
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _taking_plain_text(inner)
    return command


class Verbs(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Every verb, in the order of the table."""
        return list(verbs())

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """The command of `name`, imported now."""
        return load(name) if name in verbs() else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs by group, from the table alone."""
        for title, group in VERBS.items():
            with formatter.section(title):
                formatter.write_dl([(verb, summary) for verb, (_, summary) in group.items()])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fleetops-lab", prog_name="fleetops")
def root() -> None:
    """Run a small production system, break it, get paged, mend it by the runbook, and read the evidence.

    \b
    Examples:
      fleetops up --detach         start everything
      fleetops status              what runs, and is it ready
      fleetops drill run INC-001   break it, be paged, mend it, be graded
      fleetops logs gateway        the gateway's last log lines
      fleetops down                stop everything

    FLEETOPS_HOME moves the state directory (.lab), FLEETOPS_PORT_BASE the ports (8000).
    """


def main() -> None:
    """Run `fleetops`. Exit status 0, 1 (it did not happen), 2 (the request is wrong) or 130 (interrupted)."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of `fleetops` with these arguments; errors are one line on stderr."""
    try:
        result: Any = root.main(arguments, prog_name="fleetops", standalone_mode=False)
    except LabError as error:
        return _say(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        hint = f"; see `{error.ctx.command_path} --help`" if error.ctx else ""
        return _say(error.format_message().rstrip(".") + hint, 2)
    except click.ClickException as error:
        return _say(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", 130)
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say(f"disk full: cannot write {error.filename or 'to it'}; free some space, then try again", 1)
        if os.environ.get("FLEETOPS_DEBUG"):
            raise
        return _say(f"unexpected {type(error).__name__}: {error}; FLEETOPS_DEBUG=1 shows where, please report it", 1)
    return result if isinstance(result, int) else 0


def _say(message: str, status: int) -> int:
    click.echo(f"fleetops: {' '.join(message.split())}", err=True)
    return status


if __name__ == "__main__":
    main()

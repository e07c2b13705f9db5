"""The root command of `fleetops`: imports a command when it is used, and prints errors in one line."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from lab.errors import LabError

# Verb → (location of its command, one-line help), in the groups of `fleetops --help`. The help is repeated here so that
# listing the verbs imports none of them; a test compares it with the commands.
VERBS: dict[str, dict[str, tuple[str, str]]] = {
    "The lab": {
        "up": ("lab.cli.stack:up", "Start the lab, and run until Ctrl-C."),
        "down": ("lab.cli.stack:down", "Stop the lab and keep its data."),
        "status": ("lab.cli.stack:status", "Show the lab's processes and whether it is ready."),
        "logs": ("lab.cli.logs:logs", "Show the logs of a service."),
        "doctor": ("lab.cli.stack:doctor", "Check this machine for everything that the lab needs."),
    },
    "On call": {
        "page": ("lab.cli.oncall:page", "List, show and acknowledge pages."),
        "triage": ("lab.cli.oncall:triage", "Rank the possible causes of a degraded SERVICE, with evidence."),
        "query": ("lab.cli.oncall:query", "Query Prometheus."),
        "trace": ("lab.cli.trace:trace", "List, show, compare and export the traces of requests."),
        "incident": (
            "lab.cli.incident:incident",
            "List, show and verify incidents: open pages, and the records of drills.",
        ),
    },
    "Controls": {
        "canary": ("lab.cli.controls:canary", "Set the share of users on the canary version of the feed."),
        "flag": ("lab.cli.controls:flag", "List and set the gateway's feature flags."),
        "ratelimit": (
            "lab.cli.limits:ratelimit",
            "Show and set rate limits: of each client, and of all clients together.",
        ),
        "shed": (
            "lab.cli.limits:shed",
            "Show and set load shedding: the limit of requests in flight, and the share of each priority.",
        ),
        "retry": (
            "lab.cli.limits:retry",
            "Show and set the retries of the gateway's calls to upstreams, and their budget.",
        ),
        "timeout": ("lab.cli.limits:timeout", "Show and set how long the gateway waits for each upstream."),
        "breaker": ("lab.cli.limits:breaker", "Show and set circuit breakers, which stop calls to a failing upstream."),
        "cache": ("lab.cli.cache:cache", "Show, warm and protect the caches."),
        "scale": ("lab.cli.controls:scale", "Run REPLICAS of SERVICE."),
        "service": ("lab.cli.controls:service", "Restart, reload, pause, resume and drain processes."),
        "db": ("lab.cli.database:db", "Show and end database sessions, check and rebuild indexes."),
        "cert": ("lab.cli.cert:cert", "Show and rotate the certificates of the lab's servers."),
        "log": ("lab.cli.log:log", "Show and change log levels, and rotate logs."),
        "feed": ("lab.cli.feed:feed", "Verify and repair the cached feeds."),
        "config": ("lab.cli.config:config", "Show, push and roll back the versioned settings of a service."),
    },
    "Change": {
        "rollout": (
            "lab.cli.change.rollout:rollout",
            "Roll out a new version step by step; a judge compares it with the stable one at each step.",
        ),
        "change": (
            "lab.cli.change.log:change",
            "List the changes of the lab: risk class, outcome, and the command that takes each back.",
        ),
        "budget": (
            "lab.cli.change.budget:budget",
            "Show error budgets and what spent them, and ask whether their policy allows a change.",
        ),
    },
    "Capacity": {
        "capacity": (
            "lab.cli.capacity.capacity:capacity",
            "Measure the capacity of the lab, show it, and plan with it.",
        ),
        "traffic": ("lab.cli.capacity.traffic:traffic", "Show and set the load that the lab's clients offer."),
    },
    "Drills": {
        "drill": ("lab.cli.drill:drill", "Run drills: inject a fault, and grade its detection and mitigation."),
    },
    "SLOs": {
        "slo": ("lab.cli.slo:slo", "Generate, check and prove alert rules from SLO specs."),
    },
}


def verbs() -> dict[str, str]:
    """Every verb with the location of its command, "module:attribute"."""
    return {verb: location for group in VERBS.values() for verb, (location, _) in group.items()}


def load(verb: str) -> click.Command:
    """Import and return the command of a verb."""
    module, _, attribute = verbs()[verb].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{verb}: {module}:{attribute} is not a command")
    return _with_plain_strings(command)


class PlainText(click.types.StringParamType):
    """A string from the command line. Invalid UTF-8 and control characters become U+FFFD; file names are unchanged."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The string, safe to store, send and print."""
        from lab.plaintext import plain

        return plain(super().convert(value, param, ctx))


PLAIN_TEXT = PlainText()


def _with_plain_strings(command: click.Command) -> click.Command:
    """The command, with every string parameter of it and its subcommands converted to PlainText."""
    for param in command.params:
        if param.type is click.STRING:
            param.type = PLAIN_TEXT
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _with_plain_strings(inner)
    return command


class Verbs(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Every verb, in the order of the table."""
        return list(verbs())

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command `name`, or None."""
        return load(name) if name in verbs() else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by group, from the table only."""
        for title, group in VERBS.items():
            with formatter.section(title):
                formatter.write_dl([(verb, summary) for verb, (_, summary) in group.items()])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fleetops-lab", prog_name="fleetops")
def root() -> None:
    """Run a small production system, break it, get paged, mitigate by the runbook, and read the evidence.

    \b
    Examples:
      fleetops up --detach         start everything
      fleetops status              show processes and readiness
      fleetops drill run INC-001   inject a fault, get paged, be graded
      fleetops logs gateway        show the gateway's last log lines
      fleetops down                stop everything

    FLEETOPS_HOME moves the state directory (.lab), FLEETOPS_PORT_BASE the ports (8000).
    """


def main() -> None:
    """Run `fleetops`. Exit status 0 (done), 1 (failed), 2 (invalid request), 3 (void drill) or 130 (interrupted)."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run `fleetops` with these arguments; returns the exit status. Errors are one line on standard error."""
    try:
        result: Any = root.main(arguments, prog_name="fleetops", standalone_mode=False)
    except LabError as error:
        return _fail(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        hint = f"; see `{error.ctx.command_path} --help`" if error.ctx else ""
        return _fail(error.format_message().rstrip(".") + hint, 2)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except BrokenPipeError:  # the reader, e.g. `head`, has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(f"disk full: cannot write {error.filename or 'output'}; free some space, then try again", 1)
        if os.environ.get("FLEETOPS_DEBUG"):
            raise
        return _fail(f"unexpected {type(error).__name__}: {error}; FLEETOPS_DEBUG=1 shows where, please report it", 1)
    return result if isinstance(result, int) else 0


def _fail(message: str, status: int) -> int:
    click.echo(f"fleetops: {' '.join(message.split())}", err=True)
    return status


if __name__ == "__main__":
    main()

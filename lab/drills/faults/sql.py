"""Database faults: statements that change it, and transactions that are left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.faults.helpers.options import HeldTransactions
from lab.drills.schema.parameters import flag, text, texts, whole
from lab.errors import LabError


@dataclass(frozen=True)
class SqlStatements(Fault):
    """An administrator runs SQL statements, each in its own transaction."""

    kind: ClassVar[str] = "sql-statements"
    apply: tuple[str, ...] = texts("Run in order as superuser in the application's database.")
    revert: tuple[str, ...] = texts("Run in order to undo; must be idempotent.")

    def inject(self, context: FaultContext) -> None:
        """Run the statements."""
        _run(context, self.apply)

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Run the reverting statements; returns those that changed something (IF NOT EXISTS skips the others)."""
        return _run(context, self.revert)


@dataclass(frozen=True)
class OpenTransactions(Fault):
    """A client opens transactions, runs its statements in each and never ends them. They end with the fault."""

    kind: ClassVar[str] = "open-transactions"
    sessions: int = whole(1, 60, "The number of connections, one transaction each.")
    statements: tuple[str, ...] = texts("Run in order in each; one that waits for a lock keeps waiting.")
    application: str = text("Its application_name, as pg_stat_activity shows it.", default="nightly-report")
    reopens: bool = flag("Whether a cancelled or terminated session reconnects.", default=False)

    def inject(self, context: FaultContext) -> None:
        """Start the helper that holds the transactions open."""
        context.start_helper(
            HeldTransactions(
                sessions=self.sessions,
                statements=list(self.statements),
                application=self.application,
                reopens=self.reopens,
            )
        )
        context.report(f"{self.application} holds {self.sessions} transactions open")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Terminate the remaining sessions: the helper ended with its runner, but its backends may still run."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
        with context.db(superuser=True) as connection:
            ended = len(connection.execute(query, (self.application,)).fetchall())
        return [f"ended {ended} sessions of {self.application}"] if ended else []


def _run(context: FaultContext, statements: tuple[str, ...]) -> list[str]:
    """Run statements in order; returns those that changed something (for each other one, PostgreSQL sends a notice)."""
    import psycopg

    done: list[str] = []
    with context.db(superuser=True) as connection:
        skipped: list[str] = []
        connection.add_notice_handler(lambda notice: skipped.append(notice.message_primary or ""))
        for statement in statements:
            skipped.clear()
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                raise LabError(f"{statement!r}: {str(error).strip().splitlines()[0]}") from error
            if not any(message.endswith("skipping") for message in skipped):
                done.append(statement)
    return done

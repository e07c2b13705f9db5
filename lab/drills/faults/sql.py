"""What happens to a DB: statements that change it, and transactions that somebody leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import flag, text, texts, whole
from lab.errors import LabError


@dataclass(frozen=True)
class SqlStatements(Fault):
    """An administrator runs statements, each committed by itself."""

    kind: ClassVar[str] = "sql-statements"
    apply: tuple[str, ...] = texts("Run in order as superuser in the application's database.")
    revert: tuple[str, ...] = texts("Run in order to undo; must do no harm when there is nothing to undo.")

    def inject(self, context: FaultContext) -> None:
        """Run them."""
        _run(context, self.apply)

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """Run the ones that revert; those that found nothing to do, as IF NOT EXISTS lets them, changed nothing."""
        return _run(context, self.revert)


@dataclass(frozen=True)
class OpenTransactions(Fault):
    """A client opens transactions, runs its statements in each and never ends them. They end with the fault."""

    kind: ClassVar[str] = "open-transactions"
    sessions: int = whole(1, 60, "How many connections, one transaction each.")
    statements: tuple[str, ...] = texts("Run in order in each; one that waits for a lock goes on waiting.")
    application: str = text("Its application_name, as pg_stat_activity shows it.", default="nightly-report")
    reopens: bool = flag("Whether a session that was cancelled or terminated comes back.", default=False)

    def inject(self, context: FaultContext) -> None:
        """Open them; they are the child's, which ends with the fault."""
        told = {
            "sessions": self.sessions,
            "statements": list(self.statements),
            "application": self.application,
            "reopens": self.reopens,
        }
        context.child("lab.drills.faults.helpers.open_transactions", told)
        context.report(f"{self.application} holds {self.sessions} transactions open")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """End the sessions that are left. The child has gone with its runner; its backends may not know yet."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
        with context.db(superuser=True) as connection:
            ended = len(connection.execute(query, (self.application,)).fetchall())
        return [f"ended {ended} sessions of {self.application}"] if ended else []


def _run(context: FaultContext, statements: tuple[str, ...]) -> list[str]:
    """Run them in order; returns those that did something: the DB gives a notice for each that did not."""
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
            if not any(text.endswith("skipping") for text in skipped):
                done.append(statement)
    return done

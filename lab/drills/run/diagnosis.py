"""What a responder says while a drill runs: a diagnosis, locked in, and the hints it buys. Both are audited."""

from __future__ import annotations

from collections.abc import Iterable

from lab.clients.documents import AuditRow
from lab.control.lab_clients import LabClients
from lab.drills.grading.scorecard import Diagnosis
from lab.drills.schema.journal import Journal
from lab.drills.schema.parameters import nearest
from lab.drills.undo import journal
from lab.errors import LabError, UsageError

HINT, DIAGNOSE = "incident hint", "incident diagnose"
ANSWERS = (HINT, DIAGNOSE)  # they change nothing, so they are nobody's control action


def diagnose(clients: LabClients, page_id: int, components: tuple[str, ...], trigger: str) -> None:
    """Lock in the diagnosis of the drill that runs; `page_id` is a page it caused.

    LabError when no drill runs or one was locked in before, UsageError for a page of another time.
    """
    since = _running(clients).at
    page = clients.pager.page(page_id)
    if page.received_at < since:
        raise UsageError(f"page {page_id} came before this drill; 'fleetops page list --open' shows what is open")
    if locked := diagnosis(rows := clients.pager.audit(since)):
        who = next(row.actor for row in rows if row.action == DIAGNOSE)
        raise LabError(f"{who} has locked in {', '.join(locked.components)} ({locked.trigger}); the first one counts")
    with clients.trail.action(DIAGNOSE, str(page_id), new={"components": list(components), "class": trigger}):
        pass


def buy_hint(clients: LabClients) -> tuple[int, int, str]:
    """The next hint of the drill that runs: (its number from 1, how many there are, its text).

    LabError when no drill runs, nobody was paged yet, or all hints are sold.
    """
    from lab.drills.run.hints import buy

    return buy(clients, _running(clients))


def one_of(what: str, value: str, known: Iterable[str]) -> None:
    """UsageError when `value` is not among `known`, with what is nearest."""
    names = [name for name in known if name not in ("none", "control")]
    if value not in names:
        raise UsageError(f"no {what} {value!r}{nearest(value, names)}; there are {', '.join(names)}")


def diagnosis(rows: Iterable[AuditRow]) -> Diagnosis | None:
    """The first diagnosis among audit rows; later ones do not count."""
    for row in rows:
        if row.action == DIAGNOSE and row.outcome == "done":
            return Diagnosis(tuple(row.new["components"]), row.new["class"])
    return None


def hints(rows: Iterable[AuditRow]) -> int:
    """How many hints were bought."""
    return sum(row.action == HINT and row.outcome == "done" for row in rows)


def _running(clients: LabClients) -> Journal:
    entry = journal.current(clients.home)
    if entry is None or not journal.running(clients.home):
        raise LabError("no drill is running; 'fleetops drill run random --responder human' starts one")
    return entry

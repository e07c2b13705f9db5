"""The responder's diagnosis and hints during a drill. Both are audited."""

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
ANSWERS = (HINT, DIAGNOSE)  # audited, but they change nothing, so they do not count as control actions


def diagnose(clients: LabClients, page_id: int, components: tuple[str, ...], trigger: str) -> None:
    """Lock in the diagnosis of the running drill; `page_id` is a page that it raised.

    Raises LabError when no drill is running or a diagnosis was locked in before, UsageError for an older page.
    """
    since = _running(clients).at
    page = clients.pager.page(page_id)
    if page.received_at < since:
        raise UsageError(f"page {page_id} is older than this drill; 'fleetops page list --open' shows the open pages")
    if locked := diagnosis(rows := clients.pager.audit(since)):
        actor = next(row.actor for row in rows if row.action == DIAGNOSE)
        components_named = ", ".join(locked.components)
        raise LabError(f"{actor} has locked in {components_named} ({locked.trigger}); only the first diagnosis counts")
    with clients.trail.action(DIAGNOSE, str(page_id), new={"components": list(components), "class": trigger}):
        pass


def buy_hint(clients: LabClients) -> tuple[int, int, str]:
    """The next hint of the running drill: (its number from 1, the number of hints, its text).

    Raises LabError when no drill is running, nobody has been paged yet, or all hints were bought.
    """
    from lab.drills.run.hints import buy

    return buy(clients, _running(clients))


def one_of(what: str, value: str, known: Iterable[str]) -> None:
    """Raise UsageError, with the nearest name, when `value` is not among `known`."""
    names = [name for name in known if name not in ("none", "control")]
    if value not in names:
        raise UsageError(f"no {what} {value!r}{nearest(value, names)}; must be one of {', '.join(names)}")


def diagnosis(rows: Iterable[AuditRow]) -> Diagnosis | None:
    """The first diagnosis among audit rows, the only one that counts; None without one."""
    for row in rows:
        if row.action == DIAGNOSE and row.outcome == "done":
            return Diagnosis(tuple(row.new["components"]), row.new["class"])
    return None


def hints(rows: Iterable[AuditRow]) -> int:
    """The number of hints bought, from the audit rows."""
    return sum(row.action == HINT and row.outcome == "done" for row in rows)


def _running(clients: LabClients) -> Journal:
    entry = journal.current(clients.home)
    if entry is None or not journal.running(clients.home):
        raise LabError("no drill is running; 'fleetops drill run random --responder human' starts one")
    return entry

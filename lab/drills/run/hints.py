"""Hints of the drill that runs, sold one after the other and audited.

Of a blind drill only its own process knows which one it is, so that process sells them, on a socket of the state
directory; for every other drill the journal says which one runs.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any

from lab.control.lab_clients import LabClients
from lab.drills.run.diagnosis import HINT, hints
from lab.drills.schema.journal import Journal
from lab.drills.spec.drill import Drill, find
from lab.drills.undo.journal import RANDOM
from lab.errors import LabError
from lab.paths import Home
from lab.stack.processes.supervision import socket_path

ANSWER_SECONDS = 30.0
Hint = tuple[int, int, str]  # its number from 1, how many there are, its text


def buy(clients: LabClients, running: Journal) -> Hint:
    """The next hint of the drill in the journal `running`, bought in the name of the clients's actor.

    LabError when nobody was paged yet, all hints are sold, or the drill has just ended.
    """
    if running.drill == RANDOM:
        return _ask(clients.home, clients.trail.actor)
    return _sell(clients, find(running.drill), running.at)


@contextmanager
def sold_by_this_process(clients: LabClients, drill: Drill, since: str) -> Iterator[None]:
    """Sell hints of `drill`, which began at the instant `since`, to whoever asks during the body."""

    class Buyer(socketserver.StreamRequestHandler):
        timeout = ANSWER_SECONDS

        def handle(self) -> None:
            try:
                by = str(json.loads(self.rfile.readline())["by"])
                answer: dict[str, Any] = {"hint": _sell(clients.acting_as(by), drill, since)}
            except (LabError, ValueError, TypeError, KeyError) as error:
                answer = {"error": str(error)}
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    path = _path(clients.home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with _Shop(str(path), Buyer) as server:
        path.chmod(0o600)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            path.unlink(missing_ok=True)


class _Shop(socketserver.ThreadingUnixStreamServer):
    """Waits for no buyer when it closes."""

    daemon_threads = True


def _sell(clients: LabClients, drill: Drill, since: str) -> Hint:
    if not [page for page in clients.pager.pages() if page.received_at >= since]:
        raise LabError("nobody has been paged yet; hints are sold once somebody is")
    bought = hints(clients.pager.audit(since))
    if bought >= len(drill.hints):
        raise LabError(f"all {len(drill.hints)} hints are sold" if drill.hints else "this drill has no hints")
    with clients.trail.action(HINT, f"hint {bought + 1}", new=bought + 1):
        pass
    return bought + 1, len(drill.hints), drill.hints[bought]


def _ask(home: Home, by: str) -> Hint:
    try:
        with socket(AF_UNIX, SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(_path(home)))
            connection.sendall(json.dumps({"by": by}).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
    except (OSError, ValueError) as error:
        raise LabError(f"the drill does not answer ({error}); it sells hints while its responder works") from error
    if "hint" not in answer:
        raise LabError(str(answer.get("error")))
    number, there_are, text = answer["hint"]
    return int(number), int(there_are), str(text)


def _path(home: Home) -> Path:
    return socket_path(home).with_name("hints.sock")

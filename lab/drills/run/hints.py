"""Hints of the running drill, bought one after the other and audited.

Only the process of a blind drill knows which drill it is, so that process serves its hints, on a Unix socket in the
state directory; for every other drill the journal names it.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

import msgspec

from lab.control.lab_clients import LabClients
from lab.drills.run.diagnosis import HINT, hints
from lab.drills.schema.journal import Journal
from lab.drills.spec.drill import Drill, find
from lab.drills.undo.journal import RANDOM
from lab.errors import LabError
from lab.paths import Home
from lab.stack.processes.supervision import socket_path
from lab.telemetry import json_text

ANSWER_SECONDS = 30.0
Hint = tuple[int, int, str]  # its number from 1, the number of hints, its text


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of a blind drill's process: a hint, or the reason why there is none."""

    hint: Hint | None = None
    error: str = ""


def buy(clients: LabClients, running: Journal) -> Hint:
    """The next hint of the drill in the journal `running`, bought by the clients' actor.

    Raises LabError when nobody has been paged yet, all hints were bought, or the drill has just ended.
    """
    if running.drill == RANDOM:
        return _request(clients.home, clients.trail.actor)
    return _sell(clients, find(running.drill), running.at)


@contextmanager
def hint_server(clients: LabClients, drill: Drill, since: str) -> Iterator[None]:
    """Serve the hints of `drill`, which began at the timestamp `since`, during the body."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = ANSWER_SECONDS

        def handle(self) -> None:
            try:
                by = str(json_text.parse(self.rfile.readline())["by"])
                answer = Answer(hint=_sell(clients.acting_as(by), drill, since))
            except (LabError, ValueError, TypeError, KeyError) as error:
                answer = Answer(error=str(error))
            self.wfile.write(msgspec.json.encode(answer) + b"\n")

    path = _path(clients.home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with _Server(str(path), Handler) as server:
        path.chmod(0o600)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    """Does not wait for open connections when it closes."""

    daemon_threads = True


def _sell(clients: LabClients, drill: Drill, since: str) -> Hint:
    if not [page for page in clients.pager.pages() if page.received_at >= since]:
        raise LabError("nobody has been paged yet; hints can be bought after the page")
    bought = hints(clients.pager.audit(since))
    if bought >= len(drill.hints):
        raise LabError(f"all {len(drill.hints)} hints were bought" if drill.hints else "this drill has no hints")
    with clients.trail.action(HINT, f"hint {bought + 1}", new=bought + 1):
        pass
    return bought + 1, len(drill.hints), drill.hints[bought]


def _request(home: Home, by: str) -> Hint:
    try:
        with socket(AF_UNIX, SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(_path(home)))
            connection.sendall(json.dumps({"by": by}).encode() + b"\n")
            answer = msgspec.json.decode(connection.makefile().readline(), type=Answer)
    except (OSError, msgspec.MsgspecError) as error:
        raise LabError(f"the drill does not answer ({error}); it serves hints while its responder works") from error
    if answer.hint is None:
        raise LabError(answer.error)
    return answer.hint


def _path(home: Home) -> Path:
    return socket_path(home).with_name("hints.sock")

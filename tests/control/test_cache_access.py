"""Cache permissions, on a real Valkey: a denied command is refused on open connections too, and audited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import valkey
from fakes import FakePager
from valkey.exceptions import NoPermissionError

from lab.control import cache_access
from lab.control.lab_clients import LabClients
from lab.errors import NotRunning, UsageError
from lab.stack.backends import valkey as cache

JOB = cache.JOB_USER


@pytest.fixture
def cache_clients(clients: LabClients, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> LabClients:
    """Lab clients of the session's cache."""
    monkeypatch.setattr(cache, "url", lambda *_: valkey_url)
    return clients


@pytest.fixture
def job(valkey_url: str) -> Iterator[valkey.Valkey]:
    """A connection of the job's account; its permissions are restored afterwards."""
    with valkey.Valkey.from_url(valkey_url, username=JOB, password="", client_name="job") as client:
        yield client
    with valkey.Valkey.from_url(valkey_url) as other:
        cache_access.permit(other, JOB, "flushall", allowed=True)


def test_a_denied_command_is_refused_on_an_open_connection_until_it_is_allowed_again(
    cache_clients: LabClients, job: valkey.Valkey, pager: FakePager
) -> None:
    job.flushall()
    (connection,) = cache_access.clients(cache_clients, "FLUSHALL")
    assert (connection.user, connection.name, connection.command) == (JOB, "job", "flushall")
    old, new = cache_access.allow(cache_clients, JOB, "FLUSHALL", allowed=False, reason="wrong instance")
    with pytest.raises(NoPermissionError):
        job.flushall()
    assert job.ping()
    cache_access.allow(cache_clients, JOB, "flushall", allowed=True)
    job.flushall()
    assert (old, new) == ("+@all", "+@all -flushall")
    rows = [(row["action"], row["target"], row["old"], row["new"], row["outcome"]) for row in pager.rows.values()]
    assert rows[0] == ("cache deny", f"{JOB} flushall", old, new, "done")
    assert rows[1][:2] == ("cache allow", f"{JOB} flushall")


@pytest.mark.parametrize(
    ("user", "command", "message"),
    [
        ("housekeping", "flushall", "no account 'housekeping' at the cache; the accounts are default, housekeeping"),
        (JOB, "flushal", "no command 'flushal'"),
        (cache.SERVICES_USER, "flushall", "the account of the services"),
    ],
)
def test_an_invalid_request_changes_nothing_and_leaves_no_audit_row(
    cache_clients: LabClients, pager: FakePager, user: str, command: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        cache_access.allow(cache_clients, user, command, allowed=False)
    assert not pager.rows


def test_an_unreachable_cache_is_a_clear_error(clients: LabClients) -> None:
    with pytest.raises(NotRunning, match="the cache does not answer"):
        cache_access.clients(clients)

"""Who may do what at the cache, on a real one: what is denied is refused on open connections too, and is audited."""

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
    """The clients of the session's cache."""
    monkeypatch.setattr(cache, "url", lambda *_: valkey_url)
    return clients


@pytest.fixture
def job(valkey_url: str) -> Iterator[valkey.Valkey]:
    """A connection of the job's account, whose rights are put back."""
    with valkey.Valkey.from_url(valkey_url, username=JOB, password="", client_name="job") as client:
        yield client
    with valkey.Valkey.from_url(valkey_url) as other:
        cache_access.permit(other, JOB, "flushall", allowed=True)


def test_what_is_denied_is_refused_on_an_open_connection_until_it_is_allowed_again(
    cache_clients: LabClients, job: valkey.Valkey, pager: FakePager
) -> None:
    job.flushall()
    (seen,) = cache_access.clients(cache_clients, "FLUSHALL")
    assert (seen.user, seen.name, seen.command) == (JOB, "job", "flushall")
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
    ("user", "command", "named"),
    [
        ("housekeping", "flushall", "no account 'housekeping' at the cache; the accounts are default, housekeeping"),
        (JOB, "flushal", "no command 'flushal'"),
        (cache.SERVICES_USER, "flushall", "the account of the services"),
    ],
)
def test_a_mistake_changes_nothing_and_leaves_no_trace(
    cache_clients: LabClients, pager: FakePager, user: str, command: str, named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        cache_access.allow(cache_clients, user, command, allowed=False)
    assert not pager.rows


def test_a_cache_that_does_not_answer_is_named(clients: LabClients) -> None:
    with pytest.raises(NotRunning, match="the cache does not answer"):
        cache_access.clients(clients)

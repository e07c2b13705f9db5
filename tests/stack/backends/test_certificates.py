"""The lab's certificate authority: when it issues certificates, and who may read the keys."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from cryptography import x509

from lab.errors import LabError
from lab.paths import Home
from lab.stack.backends.certificates import DAY_SECONDS, LIFETIME_DAYS, RENEWAL_DAYS, ensure, issue, read


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_certificate_is_renewed_when_a_third_of_its_lifetime_is_left(home: Home) -> None:
    now = time.time()
    assert ensure(home, "link-db", now)
    first = read(home.certificate("link-db"))
    assert (first.name, round((first.not_after - now) / DAY_SECONDS)) == ("link-db", LIFETIME_DAYS)
    renewal = first.not_after - RENEWAL_DAYS * DAY_SECONDS
    assert not ensure(home, "link-db", renewal - 10)
    assert read(home.certificate("link-db")) == first
    assert ensure(home, "link-db", renewal + 10)
    assert read(home.certificate("link-db")).serial != first.serial


def test_a_new_authority_issues_a_new_certificate(home: Home) -> None:
    now = time.time()
    ensure(home, "link-db", now)
    first = read(home.certificate("link-db"))
    home.authority.write_text("rubbish")
    with pytest.raises(LabError, match=r"authority\.pem is not an authority.*remove it"):
        issue(home, "link-db", 60, now)
    assert read(home.certificate("link-db")) == first, "a failed issue replaces nothing"
    assert ensure(home, "link-db", now)
    authority = x509.load_pem_x509_certificate(home.authority.read_bytes())
    issued = x509.load_pem_x509_certificate(home.certificate("link-db").read_bytes())
    issued.verify_directly_issued_by(authority)


def test_keys_are_readable_by_their_owner_only(home: Home) -> None:
    ensure(home, "link-db", time.time())
    files = sorted((home.path / "tls").iterdir())
    assert [path.name for path in files] == ["authority.pem", "link-db.pem"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_file_without_a_certificate_is_named(home: Home) -> None:
    with pytest.raises(LabError, match=r"none\.pem contains no certificate"):
        read(home.path / "none.pem")

"""An official release must have the checksum in the repository, or else the one published with it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from lab.errors import ToolError
from lab.stack.tools import binaries, fetch
from lab.stack.tools.fetch import PLATFORMS, PRODUCTS, sum_of, this_platform

PROMETHEUS = PRODUCTS[0]
ARCHIVE = PROMETHEUS.archive(this_platform())


@pytest.fixture
def known_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checksums in the repository: none yet."""
    file = tmp_path / "sha256sums.txt"
    file.write_text("# known\n")
    monkeypatch.setattr(fetch, "KEPT_SUMS", file)
    return file


def publish(monkeypatch: pytest.MonkeyPatch, published: str | None = None) -> str:
    """A release host with one archive of Prometheus and its published sums; returns the archive's SHA-256."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in ("prometheus", "promtool", "LICENSE"):
            content = f"#!/bin/sh\necho '{name}, version 3.13.2'\n".encode()
            member = tarfile.TarInfo(f"{ARCHIVE.removesuffix('.tar.gz')}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = archive.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    sums = f"{'0' * 64}  another.tar.gz\n{published or digest}  {ARCHIVE}\n"

    def download(url: str, target: Path) -> None:
        assert url.startswith("https://github.com/prometheus/")
        target.write_bytes(sums.encode() if url.endswith("sha256sums.txt") else data)

    monkeypatch.setattr(fetch, "_download", download)
    return digest


def get(target: Path) -> tuple[str, list[str]]:
    messages: list[str] = []
    (target / "work").mkdir()
    return fetch.from_release(PROMETHEUS, target / "work", messages.append), messages


def test_a_release_with_the_known_checksum_is_unpacked_whatever_its_host_publishes(
    known_sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_sums.write_text(f"{publish(monkeypatch, published='1' * 64)}  {ARCHIVE}\n")
    origin, messages = get(tmp_path)
    assert (origin, messages) == ("official release 3.13.2", [])
    assert binaries.version_of(tmp_path / "work" / "promtool") == "3.13.2"
    assert not (tmp_path / "work" / "LICENSE").exists()


def test_a_release_that_was_replaced_together_with_its_published_checksum_is_not_used(
    known_sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch)
    known_sums.write_text(f"{'2' * 64}  {ARCHIVE}\n")
    with pytest.raises(ToolError, match="expected 222222222222"):
        get(tmp_path)
    assert not (tmp_path / "work" / "prometheus").exists()


def test_without_a_known_checksum_the_published_one_is_used_with_a_message(
    known_sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch)
    _, messages = get(tmp_path)
    assert len(messages) == 1
    assert "no checksum in sha256sums.txt" in messages[0]


def test_a_release_with_another_checksum_than_published_is_not_used(
    known_sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, published="1" * 64)
    with pytest.raises(ToolError, match="SHA-256"):
        get(tmp_path)
    assert not (tmp_path / "work" / "prometheus").exists()


def test_a_platform_without_a_release_archive_is_refused(
    known_sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch)
    monkeypatch.setattr(fetch, "this_platform", lambda: "plan9-mips")
    with pytest.raises(ToolError, match=r"has no prometheus-3\.13\.2\.plan9-mips"):
        get(tmp_path)


def test_updating_the_checksums_adds_those_of_the_pinned_versions(
    known_sums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = publish(monkeypatch)
    assert sum_of(fetch.keep_sums(), ARCHIVE) == digest
    assert known_sums.read_text().startswith("# known\n")


def test_a_published_checksum_that_has_changed_is_refused_and_nothing_is_written(
    known_sums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch)
    before = f"{'2' * 64}  {ARCHIVE}\n"
    known_sums.write_text(before)
    with pytest.raises(ToolError, match="nothing was changed"):
        fetch.keep_sums()
    assert known_sums.read_text() == before


def test_the_repository_has_checksums_of_the_pinned_versions_only() -> None:
    lines = [line for line in fetch.KEPT_SUMS.read_text().splitlines() if not line.startswith("#")]
    archives = {product.archive(platform) for product in PRODUCTS for platform in PLATFORMS}
    assert {line.split()[1] for line in lines} <= archives
    assert {PROMETHEUS.archive("linux-amd64"), PRODUCTS[1].archive("linux-amd64")} <= {
        line.split()[1] for line in lines
    }
    assert all(len(line.split()[0]) == 64 for line in lines)

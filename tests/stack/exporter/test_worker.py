"""A worker of the exporter goes on after an exception."""

from __future__ import annotations

import pytest
from polling import eventually

from lab.stack.exporter import worker
from lab.stack.exporter.worker import Worker


class Fragile(Worker):
    """Fails twice, then works until it is stopped."""

    def __init__(self) -> None:
        super().__init__("fragile", 1.0)
        self.runs = 0

    def _run(self) -> None:
        self.runs += 1
        if self.runs < 3:
            raise OverflowError("cannot convert float infinity to integer")
        self._stopped.wait()


def test_a_failed_worker_runs_again_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RESTART_SECONDS", 0.01)
    fragile = Fragile()
    fragile.start()
    assert eventually(lambda: fragile.runs == 3)
    fragile.stop()
    assert not fragile._thread.is_alive()

"""A lost acknowledged write is counted; a refused one, or one that succeeded without an answer, is not."""

from __future__ import annotations

from typing import Any

from fakes import JsonServer

from lab.stack.exporter.writeprobe import ACCOUNT, WriteProbe
from lab.telemetry.metrics import CollectorRegistry


def test_only_a_lost_acknowledged_write_is_counted_and_only_once() -> None:
    status = [200]

    def gateway(_method: str, _path: str, _body: Any) -> tuple[int, Any]:
        return status[0], {}

    server, registry = JsonServer(gateway), CollectorRegistry()
    probe = WriteProbe(server.url, "postgresql://nobody@127.0.0.1:9/none", registry)

    def lost() -> float:
        return registry.get_sample_value("write_probe_lost_writes_total") or 0

    assert probe.write(7)
    probe.compare("Write probe 7")
    status[0] = 503
    assert not probe.write(8)
    probe.compare("Write probe 7")
    probe.compare("Write probe 8")  # written although it was refused
    probe.compare("Somebody else's words")
    assert lost() == 0
    probe.compare("Write probe 6")
    probe.compare("Write probe 6")
    assert lost() == 1
    assert server.asked[0] == ("PUT", f"/v1/users/{ACCOUNT}", {"bio": "Write probe 7"})
    assert registry.get_sample_value("write_probe_requests_total", {"result": "refused"}) == 1
    server.close()

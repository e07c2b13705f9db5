"""The machine and the versions that a measurement was made with."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

from lab.capacity.documents import Host
from lab.control.lab_clients import LabClients


def host(clients: LabClients) -> Host:
    """This machine, and the lab's versions."""
    return Host(
        cpus=os.cpu_count() or 1,
        cpu_model=_cpu_model(),
        machine=platform.machine(),
        memory_mib=psutil.virtual_memory().total >> 20,
        python=platform.python_version(),
        prometheus=clients.prometheus.version(),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")

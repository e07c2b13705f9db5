"""The capacity dashboard: the load beside the measured capacity, and how much of each resource is left."""

from __future__ import annotations

from lab import names
from lab.slo.query.builders import rate
from scripts.dashboards import limits
from scripts.dashboards.board import Board, Row
from scripts.dashboards.panels import GREEN, ORANGE, RED, WINDOW, Line, Panel, Query, chart, number

CPU_IN_USE = f'1 - sum(rate({names.CPU_SECONDS}{{by="idle"}}[{WINDOW}])) / sum(rate({names.CPU_SECONDS}[{WINDOW}]))'
MEMORY_IN_USE = f"1 - sum({names.MEMORY_AVAILABLE}) / sum({names.MEMORY_TOTAL})"
OFFERED = "max(gateway:offered_requests:rate1m)"
WITHOUT_A_REPLICA = "max(feed:replica_loss_capacity:requests_per_second)"


def board() -> Board:
    """The dashboard."""
    return Board(
        "fleetops-capacity",
        "Capacity",
        "Whether the load still leaves room for the loss of a replica, and which resource runs out first.",
        (
            Row("Headroom", _now()),
            Row("Load", (_load(), _answered(), _refused(), _inflight())),
            Row("Machine", (_cpu(), _memory(), _cpu_by_job(), _memory_by_job())),
            Row("Services and storage", (_threads(), _pools(), _disk(), _logs())),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return (
        number(
            "Load",
            "Requests a second that reach the gateway, over the last minute.",
            "reqps",
            Query(OFFERED, "load"),
            width=6, decimals=0,
        ),
        number(
            "Capacity without one feed replica",
            "The highest load at which every SLO was measured to hold after the loss of a feed replica, the lower end "
            "of its interval. `make capacity` measures it.",
            "reqps",
            Query(WITHOUT_A_REPLICA, "capacity"),
            missing="not measured",
            width=6, decimals=0,
        ),
        number(
            "Capacity used",
            "The load as a part of the capacity without one feed replica. From 100 % on, the loss of a replica is an "
            "outage.",
            "percentunit",
            Query(f"{OFFERED} / {WITHOUT_A_REPLICA}", "load"),
            missing="not measured",
            width=6, base=GREEN, steps=((1, RED),), decimals=0,
        ),
        number(
            "CPU in use",
            "Of all processors, other programs on the machine included.",
            "percentunit",
            Query(CPU_IN_USE, "CPU"),
            width=6, base=GREEN, steps=((limits.limit("CpuHeadroomLow"), ORANGE),), decimals=0,
        ),
    )  # fmt: skip


def _load() -> Panel:
    return chart(
        "Load and capacity",
        "The load at the gateway, refused requests included, beside the measured capacity of the usual configuration "
        "and of one feed replica less. PeakAboveNMinusOne opens a ticket when the daily peak is above the lower line.",
        "reqps",
        [
            Query(OFFERED, "load"),
            Query(f'max({names.CAPACITY_MEASURED}{{configuration="default"}})', "capacity"),
            Query(WITHOUT_A_REPLICA, "capacity without one feed replica"),
        ],
        references=["capacity", "capacity without one feed replica"],
    )


def _answered() -> Panel:
    return chart(
        "Offered and completed",
        "What the clients send and what is answered. The load is open-loop, so a gap is work that waits or is lost.",
        "reqps",
        [
            Query(rate(names.TRAFFIC_OFFERED, WINDOW), "offered"),
            Query(rate(names.TRAFFIC_COMPLETED, WINDOW), "completed"),
            Query(f"{rate(names.TRAFFIC_DROPPED, WINDOW)} or on () vector(0)", "dropped by the clients"),
        ],
    )


def _refused() -> Panel:
    shed = f"sum by (priority) (rate({names.GATEWAY_SHED}[{WINDOW}]))"
    limited = f"sum by (scope) (rate({names.GATEWAY_RATELIMITED}[{WINDOW}]))"
    return chart(
        "Refused by the gateway",
        "Requests that were shed because too many were in flight, by priority, and requests over a rate limit, of one "
        "client or of all together.",
        "reqps",
        [Query(shed, "shed: {{priority}}"), Query(limited, "rate limit: {{scope}}")],
    )


def _inflight() -> Panel:
    return chart(
        "Requests in flight",
        "At the gateway, and the levels above which it sheds each priority. InflightSaturation opens a ticket at "
        f"{limits.limit('InflightSaturation'):.0%} of the level for writes.",
        "none",
        [
            Query(f"max({names.GATEWAY_INFLIGHT})", "in flight"),
            Query(f"max by (priority) ({names.GATEWAY_INFLIGHT_LIMIT})", "limit of {{priority}}"),
        ],
    )


def _cpu() -> Panel:
    return chart(
        "CPU",
        "The part of all processors that the lab and other programs use. The line is where CpuHeadroomLow opens a "
        "ticket: above it, requests queue for a processor.",
        "percentunit",
        [
            Query(
                f'sum by (by) (rate({names.CPU_SECONDS}{{by!="idle"}}[{WINDOW}])) / on () group_left () '
                f"sum(rate({names.CPU_SECONDS}[{WINDOW}]))",
                "{{by}}",
            )
        ],
        lines=[limits.guardrail("CpuHeadroomLow")],
        maximum=1,
        stacked=True,
    )


def _memory() -> Panel:
    return chart(
        "Memory",
        "The part of the machine's memory in use; the page cache counts as available. The line is where "
        "MemoryHeadroomLow opens a ticket.",
        "percentunit",
        [Query(MEMORY_IN_USE, "in use")],
        lines=[limits.guardrail("MemoryHeadroomLow")],
        maximum=1,
    )


def _cpu_by_job() -> Panel:
    return chart(
        "CPU by job",
        "Processors that the processes of each job use; 1 is one whole processor. The database and the cache export no "
        "process metrics.",
        "none",
        [Query(f"sum by (job) (rate(process_cpu_seconds_total[{WINDOW}]))", "{{job}}")],
        stacked=True,
    )


def _memory_by_job() -> Panel:
    return chart(
        "Memory by job",
        "Resident memory of the processes of each job. A leak grows steadily; MemoryGrowing opens a ticket for it.",
        "bytes",
        [Query("sum by (job) (process_resident_memory_bytes)", "{{job}}")],
        stacked=True,
    )


def _threads() -> Panel:
    busy = f'{names.HTTP_SERVER_THREADS}{{job=~"gateway|user|feed",state="busy"}}'
    return chart(
        "Busy worker threads",
        "The busiest replica of each service. The line is where ThreadSaturation opens a ticket.",
        "percentunit",
        [
            Query(
                f'max by (job) ({busy} / ignoring (state) {names.HTTP_SERVER_THREADS}{{state="all"}})',
                "{{job}}",
            )
        ],
        lines=[limits.guardrail("ThreadSaturation")],
        maximum=1,
    )


def _pools() -> Panel:
    used = f'{names.DB_POOL_CONNECTIONS}{{job=~"feed|user",state="used"}}'
    return chart(
        "Database connections in use",
        "The fullest pool of each service. The line is where PoolSaturation opens a ticket.",
        "percentunit",
        [Query(f"max by (job) ({used} / ignoring (state) {names.DB_POOL_MAX})", "{{job}}")],
        lines=[limits.guardrail("PoolSaturation")],
        maximum=1,
    )


def _disk() -> Panel:
    return chart(
        "Free disk space",
        "On the filesystem of the database, the metrics and the logs. The line is where DiskSpaceLow opens a ticket.",
        "bytes",
        [Query(f"min({names.DISK_FREE})", "free")],
        lines=[Line(limits.limit("DiskSpaceLow"), RED)],
    )


def _logs() -> Panel:
    return chart(
        "Log volume",
        "Bytes a second that the busiest processes write to their logs. LogQuotaFilling opens a ticket when one would "
        "fill its quota within two minutes. 0 where the lab keeps no log files, as in containers.",
        "Bps",
        [Query(f"topk(5, sum by (process) (rate({names.LOG_WRITTEN}[{WINDOW}]))) or on () vector(0)", "{{process}}")],
    )

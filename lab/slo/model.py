"""What an SLO is once it has been read: values without files, text or clocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

PAGE = "page"
TICKET = "ticket"
SEVERITIES = (PAGE, TICKET)


@dataclass(frozen=True)
class Origin:
    """Where a value was written, for a refusal that comes later than reading."""

    file: str
    line: int
    key: str


@dataclass(frozen=True)
class Tier:
    """One pair of windows of an alert: both must burn faster than `factor`."""

    severity: str  # page | ticket
    speed: str  # quick | slow
    budget_ratio: float  # part of the period's budget spent when it fires
    short_seconds: int
    long_seconds: int
    factor: float  # burn rate: budget_ratio · period / long

    @property
    def name(self) -> str:
        """`page.quick`, as the key of the windows file."""
        return f"{self.severity}.{self.speed}"


@dataclass(frozen=True)
class Windows:
    """A policy of alert windows: the period and four tiers."""

    name: str
    period_seconds: int
    scrape_interval_seconds: int
    time_factor: int  # how many times faster than production time this profile runs
    tiers: tuple[Tier, ...]

    def of(self, severity: str) -> tuple[Tier, ...]:
        """The tiers of one alert, quick before slow."""
        return tuple(tier for tier in self.tiers if tier.severity == severity)

    @property
    def shortest_seconds(self) -> int:
        """The window in which the current burn rate and the budget's events are counted."""
        return min(tier.short_seconds for tier in self.tiers)

    @property
    def all_seconds(self) -> tuple[int, ...]:
        """Every window once, shortest first."""
        return tuple(sorted({w for tier in self.tiers for w in (tier.short_seconds, tier.long_seconds)}))


@dataclass(frozen=True)
class Policy:
    """What guards an alert beyond the burn rate. Sloth has neither guard."""

    min_bad_events: int = 3  # fewer bad events than this in the long window never alert; 0 turns the floor off
    cold_start_as_warm: bool = True  # history that is missing counts as good

    @property
    def plain(self) -> bool:
        """No guard: alerts fire and resolve at the instants at which Sloth's do."""
        return not self.cold_start_as_warm and self.min_bad_events == 0


@dataclass(frozen=True)
class EventsSli:
    """Bad events and all events, as PromQL with `{{.window}}`."""

    error_query: str
    total_query: str


@dataclass(frozen=True)
class RawSli:
    """A bad ratio from 0 to 1 that is already computed, as PromQL with `{{.window}}`."""

    error_ratio_query: str


@dataclass(frozen=True)
class AlertPolicy:
    """What one severity adds to the SLO's alert."""

    enabled: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Intervals:
    """How often a spec wants its rules evaluated; None: as the generator thinks best."""

    sli_seconds: int | None = None
    metadata_seconds: int | None = None
    alert_seconds: int | None = None

    @property
    def any(self) -> bool:
        """Whether the spec says anything about the SLI's or the alerts' rules."""
        return self.sli_seconds is not None or self.alert_seconds is not None


@dataclass(frozen=True)
class Slo:
    """One service level objective."""

    service: str
    name: str
    objective_percent: Decimal
    sli: EventsSli | RawSli
    description: str
    labels: dict[str, str]  # on everything recorded
    alert_name: str  # empty when both alerts are off
    alert_labels: dict[str, str]
    alert_annotations: dict[str, str]
    alerts: dict[str, AlertPolicy]  # by severity
    policy: Policy
    origin: Origin
    origins: dict[str, Origin]  # of the queries, by their key's last part
    spec_version: str
    info_labels: dict[str, str] = field(default_factory=dict)  # on sloth_slo_info alone
    intervals: Intervals = field(default_factory=Intervals)

    @property
    def sloth_id(self) -> str:
        """The name by which all recorded series of this SLO are told apart."""
        return f"{self.service}-{self.name}"

    @property
    def objective_ratio(self) -> float:
        """0 to 1."""
        return float(self.objective_percent / 100)

    @property
    def budget_ratio(self) -> float:
        """The part of events that may be bad: 1 - objective."""
        return float((100 - self.objective_percent) / 100)

    def enabled(self, severity: str) -> bool:
        """Whether the alert of this severity is generated."""
        return self.alerts[severity].enabled

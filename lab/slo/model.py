"""The SLO model that specs are read into: plain values without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

PAGE = "page"
TICKET = "ticket"
SEVERITIES = (PAGE, TICKET)
PAGE_TIERS = ("page.quick", "page.slow")  # the names of the page's tiers


@dataclass(frozen=True)
class Origin:
    """The place of a value in a spec file, for errors that are found after reading."""

    file: str
    line: int
    key: str


@dataclass(frozen=True)
class Tier:
    """A pair of windows of an alert. It fires while the burn rate of both exceeds `factor`."""

    severity: str  # page | ticket
    speed: str  # quick | slow
    budget_ratio: float  # fraction of the period's budget that is spent when it fires
    short_seconds: int
    long_seconds: int
    factor: float  # burn rate: budget_ratio · period / long

    @property
    def name(self) -> str:
        """The tier's key in the windows file, such as `page.quick`."""
        return f"{self.severity}.{self.speed}"


@dataclass(frozen=True)
class Windows:
    """A set of alert windows: the SLO period and four tiers."""

    name: str
    period_seconds: int
    scrape_interval_seconds: int
    time_factor: int  # how many times faster than production time this profile runs
    tiers: tuple[Tier, ...]

    def of(self, severity: str) -> tuple[Tier, ...]:
        """The tiers of one severity's alert, quick before slow."""
        return tuple(tier for tier in self.tiers if tier.severity == severity)

    def tier(self, name: str) -> Tier:
        """The tier with a name such as `page.quick`."""
        return next(tier for tier in self.tiers if tier.name == name)

    @property
    def shortest_seconds(self) -> int:
        """The shortest window, in which the current burn rate and the budget's events are counted."""
        return min(tier.short_seconds for tier in self.tiers)

    @property
    def all_seconds(self) -> tuple[int, ...]:
        """Every distinct window, shortest first."""
        return tuple(sorted({w for tier in self.tiers for w in (tier.short_seconds, tier.long_seconds)}))


@dataclass(frozen=True)
class Policy:
    """Conditions of an alert in addition to the burn rate. Sloth has neither of them."""

    min_bad_events: int = 3  # fewer bad events than this in the long window never alert; 0 disables the floor
    cold_start_as_warm: bool = True  # missing history counts as good

    @property
    def plain(self) -> bool:
        """Whether there is no guard, so that alerts fire and resolve exactly when Sloth's do."""
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
    """The settings of one severity's alert, in addition to those of the SLO."""

    enabled: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Intervals:
    """The evaluation intervals that a spec asks for; None leaves the choice to the generator."""

    sli_seconds: int | None = None
    metadata_seconds: int | None = None
    alert_seconds: int | None = None

    @property
    def any(self) -> bool:
        """Whether the spec sets the interval of the SLI's or the alerts' rules."""
        return self.sli_seconds is not None or self.alert_seconds is not None


@dataclass(frozen=True)
class Slo:
    """One service level objective."""

    service: str
    name: str
    objective_percent: Decimal
    sli: EventsSli | RawSli
    description: str
    labels: dict[str, str]  # on every recorded series
    alert_name: str  # "" when both alerts are disabled
    alert_labels: dict[str, str]
    alert_annotations: dict[str, str]
    alerts: dict[str, AlertPolicy]  # by severity
    policy: Policy
    origin: Origin
    origins: dict[str, Origin]  # places of queries, labels and annotations, by key
    spec_version: str
    info_labels: dict[str, str] = field(default_factory=dict)  # on sloth_slo_info only
    intervals: Intervals = field(default_factory=Intervals)

    @property
    def sloth_id(self) -> str:
        """The id on all recorded series of this SLO: SERVICE-NAME."""
        return f"{self.service}-{self.name}"

    @property
    def objective_ratio(self) -> float:
        """The objective as a ratio from 0 to 1."""
        return float(self.objective_percent / 100)

    @property
    def budget_ratio(self) -> float:
        """The error budget, the ratio of events that may be bad: 1 - objective."""
        return float((100 - self.objective_percent) / 100)

    def enabled(self, severity: str) -> bool:
        """Whether the alert of this severity is generated."""
        return self.alerts[severity].enabled

"""Service level objectives: from one spec to rules, proofs and predictions.

The functions that the other packages use:

    load_specs()                        every Slo of rules/slos: sloth_id, service, name, objective_percent,
                                        objective_ratio, budget_ratio, description, alert_name, alerts, policy, sli
    find_slo("feed-latency-p99")        one of them by id; UsageError for an unknown id
    route(slo)                          the gateway's route template that it measures
    load_windows("lab"|"production")    Windows: period_seconds, scrape_interval_seconds, time_factor, tiers, of("page")
    time_factor()                       production seconds per lab second (60)
    detection_seconds(slo, [(seconds, bad_ratio), …])   seconds until its page fires (lab windows), or None
    first_detection(tiers, budget_ratio, profile)       the same, with the tier that fires first
    reset_seconds(tier, budget_ratio, bad_ratio)        seconds that a tier keeps firing after recovery
    budget_spent_ratio(tier, windows)   the fraction of the budget spent when a tier fires

All modules except `catalogue`, `generate`, `generated`, `loadable`, `check` and `promtool` are free of I/O.
"""

from lab.slo.burn_rate import budget_spent_ratio, first_detection, reachable, reset_seconds
from lab.slo.catalogue import (
    LAB,
    PRODUCTION,
    PROFILES,
    detection_seconds,
    find_slo,
    load_specs,
    load_windows,
    route,
    time_factor,
)
from lab.slo.model import PAGE, TICKET, Policy, Slo, Tier, Windows

__all__ = [
    "LAB",
    "PAGE",
    "PRODUCTION",
    "PROFILES",
    "TICKET",
    "Policy",
    "Slo",
    "Tier",
    "Windows",
    "budget_spent_ratio",
    "detection_seconds",
    "find_slo",
    "first_detection",
    "load_specs",
    "load_windows",
    "reachable",
    "reset_seconds",
    "route",
    "time_factor",
]

"""From an SLO to the rules that Prometheus loads."""

"""Generates the rules that Prometheus loads from an SLO."""

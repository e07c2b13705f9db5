"""Prometheus, Alertmanager and their tools: found, or fetched and verified."""

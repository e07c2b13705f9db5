"""Prometheus, Alertmanager and their tools: find them, or fetch and verify them."""

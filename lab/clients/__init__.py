"""Clients of the lab's own processes and of Prometheus and Alertmanager: HTTP, times, errors in the lab's terms."""

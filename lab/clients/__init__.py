"""Clients of the lab's own processes, of Prometheus and of Alertmanager: HTTP, timestamps, typed documents."""

"""The exporter: metrics of PostgreSQL, logs, supervised processes and the machine, and probes of feeds and writes."""

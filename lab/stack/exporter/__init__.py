"""The exporter: metrics of PostgreSQL, log files, supervision and processor time, and probes of feeds and writes."""

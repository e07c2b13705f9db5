"""Grafana dashboards as code: `make dashboards` writes rules/grafana/dashboards/, `make check` compares.

They work with the rules of both profiles, because no query names a window: recorded series are matched by their
`sloth_window` label, and rates use Grafana's own interval.
"""

"""A valid SLO spec of a shop, and the windows that go with it; tests of refusals break them."""

from __future__ import annotations

from pathlib import Path

GOOD = """\
version: prometheus/v1
service: shop
slos:
  - name: checkout
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(http_requests_total{code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total[{{.window}}]))
    alerting:
      name: CheckoutBurn
"""
WINDOWS = Path("rules/windows/production.yml").read_text(encoding="utf-8")
TOTAL, BAD = (f"sum(rate(http_requests_total{which}[{{{{.window}}}}]))" for which in ("", '{code=~"5.."}'))
QUERIES = GOOD[GOOD.index("      events:") : GOOD.index("    alerting:")]

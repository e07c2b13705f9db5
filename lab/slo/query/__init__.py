"""PromQL in specs: checked, parsed, and the unit of its value."""

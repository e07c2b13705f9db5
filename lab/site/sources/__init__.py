"""What pages read: records, rule files, SLO specs, registers, metrics and the context that holds them."""

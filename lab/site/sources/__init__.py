"""What pages read: records, rule files, registers and metrics, and the site context that holds them."""

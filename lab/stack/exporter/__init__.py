"""The exporter: what the DB, the logs and supervision say of themselves, and whether users get the right feed."""

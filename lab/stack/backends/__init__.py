"""PostgreSQL, Valkey, Prometheus, Alertmanager and the certificate authority: configuration and start."""

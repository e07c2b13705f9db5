"""What every process has in common: settings, logs, metrics, trace context, health, the guard and the harness."""

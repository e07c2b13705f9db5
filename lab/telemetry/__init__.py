"""Code that every process shares: settings, logs, metrics, trace context, health, authentication and the server."""

"""The API gateway: rate limiting, load shedding, kill switches, canary split and routing."""

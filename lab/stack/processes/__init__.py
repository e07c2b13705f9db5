"""Processes: supervision, the exec wrapper, orphans and signals."""
